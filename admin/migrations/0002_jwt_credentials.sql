-- `jwt_key` is the value of the key claim in a token. `secret` has a prefix that says whether it is
-- sealed, which it is if the service has an encryption key.
CREATE TABLE jwt_secrets (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    jwt_key TEXT NOT NULL UNIQUE,
    algorithm TEXT NOT NULL,
    secret TEXT,
    rsa_public_key TEXT,
    tags TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX jwt_secrets_in_order ON jwt_secrets (created_at, id);
CREATE INDEX jwt_secrets_by_consumer ON jwt_secrets (consumer_id);
