-- fdw_guard.history: who changed what, when and by which statement, attribute by attribute; and back again.
\set VERBOSITY verbose
SET client_min_messages = warning;
SET application_name = 'history story';
CREATE ROLE history_bob;
CREATE ROLE history_reader IN ROLE pg_monitor;
CREATE EXTENSION fdw_guard;
CREATE TABLE mark AS SELECT clock_timestamp() AS at;
-- What has been recorded since the last look.
CREATE PROCEDURE look() LANGUAGE sql AS 'UPDATE mark SET at = clock_timestamp()';
CREATE VIEW news AS
    SELECT h.* FROM fdw_guard.history h WHERE h.at > (SELECT mark.at FROM mark) ORDER BY h.at, h.ord;

-- Objects that are made.
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'a', password 'hunter2');
CREATE USER MAPPING FOR history_bob SERVER s OPTIONS (user 'bob', password 'hunter2');
CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'x'), b text) SERVER s OPTIONS (table_name 'far');
SELECT form, object_type, identity, attribute, change, old, new FROM news;
CALL look();

-- Changes in every kind of form. Consequences of a renaming are not told; secrets are never.
ALTER SERVER s OPTIONS (SET host 'b', ADD port '1', SET password 'hunter3');
ALTER SERVER s RENAME TO s2;
ALTER SERVER s2 VERSION '2';
GRANT USAGE ON FOREIGN SERVER s2 TO history_reader;
ALTER USER MAPPING FOR history_bob SERVER s2 OPTIONS (SET password 'hunter4');
ALTER FOREIGN TABLE t ADD COLUMN c int DEFAULT 7 NOT NULL, ALTER b SET NOT NULL, OPTIONS (SET table_name 'farther');
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;
ALTER FOREIGN TABLE t RENAME a TO e;
ALTER FOREIGN TABLE t ALTER e SET STATISTICS 10, ALTER e SET (n_distinct = 5), ALTER e TYPE bigint;
ALTER FOREIGN TABLE t VALIDATE CONSTRAINT positive;
ALTER FOREIGN TABLE t DROP CONSTRAINT positive, DROP COLUMN c;
SELECT form, object_type, identity, attribute, change, old, new FROM news;
CALL look();

-- Who, and by which statement: the innermost, without others that came with it.
ALTER SERVER s2 OWNER TO history_bob;
SET ROLE history_bob;
ALTER SERVER s2 OPTIONS (DROP port);
RESET ROLE;
DO $$ BEGIN EXECUTE 'ALTER SERVER s2 OPTIONS (ADD port ''2'')'; END $$;
ALTER SERVER s2 OPTIONS (SET port '3')\; ALTER SERVER s2 OPTIONS (SET port '4', SET password 'hunter5');
SELECT session_role = session_user AS session, acting_role = session_user AS acting, client_addr, application_name, ord,
       attribute, old, new, tag, statement
FROM news;
CALL look();

-- What is undone leaves nothing, nor does what is refused, or changes nothing.
BEGIN;
ALTER SERVER s2 OPTIONS (SET port '5');
SAVEPOINT a;
ALTER SERVER s2 OPTIONS (SET port '6');
ROLLBACK TO a;
ALTER SERVER s2 OPTIONS (SET port '7');
COMMIT;
ALTER SERVER s2 OPTIONS (SET port '7');
SELECT fdw_guard.add_rule('ports', 'server', 'port', allowed => '{7,8,9}');
ALTER SERVER s2 OPTIONS (SET port '10');
-- A verdict that waits until the end undoes what was recorded before.
SET fdw_guard.check_mode = deferred;
BEGIN;
ALTER SERVER s2 OPTIONS (SET port '11');
ALTER SERVER s2 OPTIONS (SET port '8');
COMMIT;
BEGIN;
ALTER SERVER s2 OPTIONS (SET port '11');
COMMIT;
RESET fdw_guard.check_mode;
SELECT object_type, identity, attribute, change, old, new FROM news;
CALL look();

-- Rules that were overridden, and why.
SET fdw_guard.enforcement = off;
SET fdw_guard.override_reason = 'ticket 7';
ALTER SERVER s2 OPTIONS (SET port '12');
SET fdw_guard.enforcement = warn;
ALTER SERVER s2 OPTIONS (SET port '13');
ALTER SERVER s2 OPTIONS (SET port '9');
RESET fdw_guard.enforcement;
SELECT attribute, old, new, overridden_rule, override_reason FROM news;
CALL look();

-- Rules are changed in the same way. What may name a secret's value is hidden, and so is the statement.
UPDATE fdw_guard.rule SET mode = 'warn' WHERE name = 'ports';
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('not that one', 'server', '{"properties": {"password": {"not": {"const": "hunter2"}}}}');
DELETE FROM fdw_guard.rule WHERE name = 'not that one';
TRUNCATE fdw_guard.rule;
SELECT tag, object_type, identity, attribute, change, old, new, statement FROM news;
CALL look();

-- The life of an object, through renames.
SELECT regexp_replace(timeline, '^\d\S+ \S+', 'then') FROM fdw_guard.timeline('server', 's2');
SELECT regexp_replace(timeline, '^\d\S+ \S+', 'then') FROM fdw_guard.timeline('foreign table', 'public.t');
SELECT regexp_replace(timeline, '^\d\S+ \S+', 'then') FROM fdw_guard.timeline('foreign table column', 'public.t.e');
SELECT * FROM fdw_guard.timeline('server', 'nobody');

-- And back. The plan says what would be done.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM fdw_guard.timeline('servr', 's2');
SELECT count(*) > 0 FROM fdw_guard.timeline('rule', 'ports');
CREATE FUNCTION last(attribute text, identity text DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    SELECT h.id FROM fdw_guard.history h
    WHERE h.attribute IS NOT DISTINCT FROM last.attribute AND h.identity = COALESCE(last.identity, h.identity)
    ORDER BY h.at DESC, h.ord DESC LIMIT 1 $$;
ALTER SERVER s2 OPTIONS (SET port '8');
SELECT fdw_guard.revert_plan(last('option port'));
SELECT fdw_guard.revert(last('option port'));
SELECT attribute, change, old, new, tag, statement FROM news;
SELECT fdw_guard.revert(last('name', 's'));
SELECT fdw_guard.revert(last('statistics'));
SELECT fdw_guard.revert(last('attribute_options'));
SELECT fdw_guard.revert(last('not_null', 'public.t.b'));
SELECT fdw_guard.revert(last('constraint positive'));
SELECT fdw_guard.revert(last('name', 'public.t.a'));
SELECT jsonb_path_query_array(fdw_guard.table_state('t'), '$.constraints[*].definition ? (@ starts with "CHECK")');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch();
ALTER FOREIGN TABLE t DISABLE TRIGGER g;
SELECT fdw_guard.revert(last('trigger g'));
CREATE TABLE parent (a bigint, b text);
ALTER FOREIGN TABLE t INHERIT parent;
SELECT attribute, change, old, new FROM news WHERE attribute = 'parent';
SELECT fdw_guard.revert(last('parent'));
CREATE SCHEMA elsewhere;
ALTER FOREIGN TABLE t SET SCHEMA elsewhere;
SELECT fdw_guard.revert(last('schema'));
CREATE SERVER passing FOREIGN DATA WRAPPER w;
SELECT fdw_guard.revert(last(NULL, 'passing'));
-- Where that cannot be.
SELECT fdw_guard.revert(last('option password'));
SELECT fdw_guard.revert(last('grant'));
SELECT fdw_guard.revert(last(NULL, 'passing'));
SELECT fdw_guard.revert((SELECT id FROM fdw_guard.history WHERE attribute = 'option port' ORDER BY at LIMIT 1));
SELECT fdw_guard.revert('00000000-0000-0000-0000-000000000000');
-- Rules hold.
SELECT fdw_guard.add_rule('ports', 'server', 'port', allowed => '{8}', server => 's');
ALTER SERVER s OPTIONS (SET port '8');
SELECT fdw_guard.revert(last('option port'));

-- Who sees what: pg_monitor everything but what the options of other roles' user mappings were.
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('known', 'user mapping', '{"properties": {"user": {"writeOnly": false}}}');
ALTER USER MAPPING FOR history_bob SERVER s OPTIONS (SET user 'bobby');
SET ROLE history_reader;
SELECT attribute, old, new, statement FROM fdw_guard.history WHERE object_type = 'user mapping' ORDER BY at DESC, ord LIMIT 1;
SELECT attribute, old, new FROM fdw_guard.history WHERE object_type = 'server' ORDER BY at, ord DESC LIMIT 2;
SELECT count(*) FROM fdw_guard.history_row;
SELECT fdw_guard.revert(last('option user'));
RESET ROLE;
SELECT attribute, old, new, statement FROM fdw_guard.history WHERE object_type = 'user mapping' ORDER BY at DESC, ord LIMIT 1;
SET ROLE history_bob;
SELECT count(*) FROM fdw_guard.history;
SELECT fdw_guard.shared_secrets();
RESET ROLE;

-- Nobody writes it by hand.
INSERT INTO fdw_guard.history_row SELECT * FROM fdw_guard.history_row;
INSERT INTO fdw_guard.history (id) VALUES (NULL);
UPDATE fdw_guard.history_row SET new = 'x' WHERE false;
UPDATE fdw_guard.history SET identity = 'x';
DELETE FROM fdw_guard.history_row;
TRUNCATE fdw_guard.history_row;
SET session_replication_role = replica;
DELETE FROM fdw_guard.history_row;
RESET session_replication_role;
SELECT fdw_guard.keep_history();
SELECT fdw_guard.prune_history('1 day');
SELECT fdw_guard.prune_history('-1 day') = (SELECT count(*) FROM fdw_guard.history) AS all_of_it;
SELECT count(*) FROM fdw_guard.history;
SET fdw_guard.record_history = off;
ALTER SERVER s OPTIONS (SET host 'c');
RESET fdw_guard.record_history;
SELECT count(*) FROM fdw_guard.history;

-- Secrets that are the same.
CREATE SERVER s3 FOREIGN DATA WRAPPER w;
CREATE USER MAPPING FOR history_bob SERVER s3 OPTIONS (user 'bob', password 'hunter4');
CREATE USER MAPPING FOR PUBLIC SERVER s3 OPTIONS (password 'another');
SELECT * FROM fdw_guard.shared_secrets();

DROP PROCEDURE look;
DROP VIEW news;
DROP TABLE mark;
DROP FUNCTION last;
DELETE FROM fdw_guard.rule;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP EXTENSION fdw_guard;
DROP FUNCTION touch;
DROP TABLE parent;
DROP SCHEMA elsewhere;
DROP ROLE history_bob, history_reader;
