-- What gateways keep here. Ids of sessions are digests; `data` is sealed by the gateway, in base64.
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

-- The id of a counter is the length and the beginning of its window, and its key.
CREATE TABLE counters (
    id TEXT PRIMARY KEY,
    total BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX counters_by_expiry ON counters (expires_at);

-- Batches that were counted, so that one that is sent again is not counted again.
CREATE TABLE counter_batches (
    id TEXT PRIMARY KEY,
    answer TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX counter_batches_by_expiry ON counter_batches (expires_at);
