-- Consumers by the beginning of a name, ASCII letters in either case. With the collation "C", names
-- are in the order of their bytes, as in SQLite, and only ASCII letters have a case.
ALTER TABLE consumers ADD COLUMN username_folded TEXT COLLATE "C"
    GENERATED ALWAYS AS (lower(username COLLATE "C")) STORED;
ALTER TABLE consumers ADD COLUMN custom_id_folded TEXT COLLATE "C"
    GENERATED ALWAYS AS (lower(custom_id COLLATE "C")) STORED;
CREATE INDEX consumers_by_username ON consumers (username_folded, id);
CREATE INDEX consumers_by_custom_id ON consumers (custom_id_folded, id);
