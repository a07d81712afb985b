-- SQLite and PostgreSQL run this text. UUIDs and names are TEXT; times are milliseconds since 1970.

-- The table has a single row. Every writer locks it until the commit, so `seq` grows in the order of
-- commits.
CREATE TABLE ledger (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL,
    epoch TEXT NOT NULL,
    engine TEXT NOT NULL
);
INSERT INTO ledger (one, seq, epoch, engine) VALUES (1, 0, '', '');

-- Each transaction has a random `mark`. A number with two marks is from two histories.
CREATE TABLE changes (
    seq BIGINT PRIMARY KEY,
    mark TEXT NOT NULL,
    entity TEXT NOT NULL,
    operation TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    name TEXT NOT NULL
);

CREATE TABLE consumers (
    id TEXT PRIMARY KEY,
    username TEXT UNIQUE,
    custom_id TEXT UNIQUE,
    tags TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (username IS NOT NULL OR custom_id IS NOT NULL)
);
CREATE INDEX consumers_in_order ON consumers (created_at, id);

-- The tables of groups, App IDs and API keys differ only in the column that holds the name, so that
-- one set of statements serves all of them.
CREATE TABLE acls (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    group_name TEXT NOT NULL,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    UNIQUE (consumer_id, group_name)
);
CREATE INDEX acls_in_order ON acls (created_at, id);
CREATE INDEX acls_by_group ON acls (group_name);

CREATE TABLE appids (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    appid TEXT NOT NULL,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    UNIQUE (consumer_id, appid)
);
CREATE INDEX appids_in_order ON appids (created_at, id);
CREATE INDEX appids_by_appid ON appids (appid);

CREATE TABLE keyauth_credentials (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    digest TEXT NOT NULL UNIQUE,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX keyauth_credentials_in_order ON keyauth_credentials (created_at, id);
CREATE INDEX keyauth_credentials_by_consumer ON keyauth_credentials (consumer_id);
CREATE INDEX keyauth_credentials_by_expiry ON keyauth_credentials (expires_at);
