-- The subjects of sessions, by which operators find them. A row is deleted with its session.
CREATE TABLE session_metadata (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    audience TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX session_metadata_by_session ON session_metadata (session_id);
CREATE INDEX session_metadata_by_subject ON session_metadata (subject, created_at, id);
