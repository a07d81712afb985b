-- A page of a group, or of an App ID, reads only its own rows, however many there are.
CREATE INDEX acls_by_group_in_order ON acls (group_name, created_at, id);
DROP INDEX acls_by_group;
CREATE INDEX appids_by_appid_in_order ON appids (appid, created_at, id);
DROP INDEX appids_by_appid;
-- A start looks for secrets that are sealed, or are not, by how they begin.
CREATE INDEX jwt_secrets_by_beginning ON jwt_secrets (substr(secret, 1, 6), id);
