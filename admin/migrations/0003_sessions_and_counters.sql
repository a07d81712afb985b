-- Sessions of the gateways. Ids are digests; `data` is base64 of bytes that a gateway has sealed.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE revocations (
    id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

-- The id of a counter consists of the length of its window, the beginning of the window, and the key.
CREATE TABLE counters (
    id TEXT PRIMARY KEY,
    total BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX counters_by_expiry ON counters (expires_at);

-- Answers to counted batches, so that a batch that is sent again is not counted again.
CREATE TABLE counter_batches (
    id TEXT PRIMARY KEY,
    answer TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX counter_batches_by_expiry ON counter_batches (expires_at);
