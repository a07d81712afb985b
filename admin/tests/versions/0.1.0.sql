PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE acls (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    group_name TEXT NOT NULL,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    UNIQUE (consumer_id, group_name)
);
INSERT INTO "acls" VALUES('44444444-4444-4444-8444-444444444444','11111111-1111-4111-8111-111111111111','gold',NULL,1795881471068,NULL);
CREATE TABLE appids (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    appid TEXT NOT NULL,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    UNIQUE (consumer_id, appid)
);
INSERT INTO "appids" VALUES('55555555-5555-4555-8555-555555555555','11111111-1111-4111-8111-111111111111','Portal',NULL,1795881471069,NULL);
CREATE TABLE changes (
    seq BIGINT PRIMARY KEY,
    mark TEXT NOT NULL,
    entity TEXT NOT NULL,
    operation TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    name TEXT NOT NULL
);
INSERT INTO "changes" VALUES(1,'1432d3db2a174fb5ab64253bdbfc4714','consumers','create','11111111-1111-4111-8111-111111111111','c-7');
INSERT INTO "changes" VALUES(2,'1432d3db2a174fb5ab64253bdbfc4714','consumers','create','11111111-1111-4111-8111-111111111111','fiona');
INSERT INTO "changes" VALUES(3,'c2a173ba97f64bd8b738052a9eca8833','keyauth_credentials','create','11111111-1111-4111-8111-111111111111','e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f');
INSERT INTO "changes" VALUES(4,'96ef57c2a67a4b94bd0c300f59108897','jwt_secrets','create','11111111-1111-4111-8111-111111111111','issuer');
INSERT INTO "changes" VALUES(5,'ec4c52652ee247198758bf8b041cdb5b','acls','create','11111111-1111-4111-8111-111111111111','gold');
INSERT INTO "changes" VALUES(6,'ec4c52652ee247198758bf8b041cdb5b','keyauth_credentials','update','11111111-1111-4111-8111-111111111111','e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f');
INSERT INTO "changes" VALUES(7,'ec4c52652ee247198758bf8b041cdb5b','jwt_secrets','update','11111111-1111-4111-8111-111111111111','issuer');
INSERT INTO "changes" VALUES(8,'5c7a88fff65c4e01a2a551fceeb87143','appids','create','11111111-1111-4111-8111-111111111111','Portal');
INSERT INTO "changes" VALUES(9,'d874d83fff5c419db7ad40ebe9a8be4c','sessions','update','','5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e');
INSERT INTO "changes" VALUES(10,'55239d8792b748a2b90d43a6ac019981','sessions','delete','','5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e');
INSERT INTO "changes" VALUES(11,'706c45126279410f9cd9193cc04ef546','revocations','create','','7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a');
CREATE TABLE consumers (
    id TEXT PRIMARY KEY,
    username TEXT UNIQUE,
    custom_id TEXT UNIQUE,
    tags TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, username_folded TEXT GENERATED ALWAYS AS (lower(username)) VIRTUAL, custom_id_folded TEXT GENERATED ALWAYS AS (lower(custom_id)) VIRTUAL,
    CHECK (username IS NOT NULL OR custom_id IS NOT NULL)
);
INSERT INTO "consumers" VALUES('11111111-1111-4111-8111-111111111111','fiona','c-7','["vip"]',1795881471058,1795881471058);
CREATE TABLE counter_batches (
    id TEXT PRIMARY KEY,
    answer TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
INSERT INTO "counter_batches" VALUES('batch','1 1 -1 2 -1 0',1795881531166);
CREATE TABLE counters (
    id TEXT PRIMARY KEY,
    total BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
INSERT INTO "counters" VALUES('31536000:1767225600:fiona',2,1830297660000);
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
INSERT INTO "jwt_secrets" VALUES('33333333-3333-4333-8333-333333333333','11111111-1111-4111-8111-111111111111','issuer','HS256','plain:a-secret-of-an-issuer-of-tokens-',NULL,NULL,1795881471066);
CREATE TABLE keyauth_credentials (
    id TEXT PRIMARY KEY,
    consumer_id TEXT NOT NULL REFERENCES consumers (id),
    digest TEXT NOT NULL UNIQUE,
    tags TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
INSERT INTO "keyauth_credentials" VALUES('22222222-2222-4222-8222-222222222222','11111111-1111-4111-8111-111111111111','e85135e0bbd21cb76bbd8504d4f0d31dac39e392d03ef50acd588421c2a5d37f','["web"]',1795881471065,NULL);
CREATE TABLE ledger (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL,
    epoch TEXT NOT NULL,
    engine TEXT NOT NULL
);
INSERT INTO "ledger" VALUES(1,11,'920c01ac31b5450a8f98d06e506a7d71','');
CREATE TABLE revocations (
    id TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
INSERT INTO "revocations" VALUES('7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a',1795881531164);
CREATE TABLE schema_version (version BIGINT PRIMARY KEY, name TEXT);
INSERT INTO "schema_version" VALUES(1,'0.1.0');
INSERT INTO "schema_version" VALUES(2,'0.1.0');
INSERT INTO "schema_version" VALUES(3,'0.1.0');
INSERT INTO "schema_version" VALUES(4,'0.1.0');
INSERT INTO "schema_version" VALUES(5,'0.1.0');
CREATE TABLE session_metadata (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    audience TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
INSERT INTO "sessions" VALUES('5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e','c2VhbGVk',2111241471167);
CREATE INDEX consumers_in_order ON consumers (created_at, id);
CREATE INDEX acls_in_order ON acls (created_at, id);
CREATE INDEX acls_by_group ON acls (group_name);
CREATE INDEX appids_in_order ON appids (created_at, id);
CREATE INDEX appids_by_appid ON appids (appid);
CREATE INDEX keyauth_credentials_in_order ON keyauth_credentials (created_at, id);
CREATE INDEX keyauth_credentials_by_consumer ON keyauth_credentials (consumer_id);
CREATE INDEX keyauth_credentials_by_expiry ON keyauth_credentials (expires_at);
CREATE INDEX jwt_secrets_in_order ON jwt_secrets (created_at, id);
CREATE INDEX jwt_secrets_by_consumer ON jwt_secrets (consumer_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);
CREATE INDEX counters_by_expiry ON counters (expires_at);
CREATE INDEX counter_batches_by_expiry ON counter_batches (expires_at);
CREATE INDEX session_metadata_by_session ON session_metadata (session_id);
CREATE INDEX session_metadata_by_subject ON session_metadata (subject, created_at, id);
CREATE INDEX consumers_by_username ON consumers (username_folded, id);
CREATE INDEX consumers_by_custom_id ON consumers (custom_id_folded, id);
COMMIT;
