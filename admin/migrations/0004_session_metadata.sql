-- Whom a session is for, where a gateway says so: what an operator looks for. It goes with the session.
CREATE TABLE session_metadata (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    audience TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX session_metadata_by_session ON session_metadata (session_id);
CREATE INDEX session_metadata_by_subject ON session_metadata (subject, created_at, id);
