-- Consumers by the beginning of a name, ASCII letters in either case. The columns are computed, so
-- that both databases run one text of each statement.
ALTER TABLE consumers ADD COLUMN username_folded TEXT GENERATED ALWAYS AS (lower(username)) VIRTUAL;
ALTER TABLE consumers ADD COLUMN custom_id_folded TEXT GENERATED ALWAYS AS (lower(custom_id)) VIRTUAL;
CREATE INDEX consumers_by_username ON consumers (username_folded, id);
CREATE INDEX consumers_by_custom_id ON consumers (custom_id_folded, id);
