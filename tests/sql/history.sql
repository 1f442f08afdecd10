-- fdw_guard.history: who changed what, in words of the catalogs, and back again.
\set VERBOSITY verbose
SET client_min_messages = warning;
SET application_name = 'history story';
CREATE ROLE history_bob;
CREATE ROLE history_reader IN ROLE pg_monitor;
CREATE EXTENSION fdw_guard;
CREATE VIEW told AS
    SELECT form, object_type, identity, attribute, change, old, new FROM fdw_guard.history ORDER BY at, ord;

-- CREATE EXTENSION is a change as well: it makes a wrapper.
SELECT tag, form, object_type, identity, attribute, change, new FROM fdw_guard.history ORDER BY at, ord;
CREATE FUNCTION since(out form text, out object_type text, out identity text, out attribute text, out change text, out old text, out new text)
    RETURNS SETOF record LANGUAGE sql AS $$
    SELECT form, object_type, identity, attribute, change, old, new FROM fdw_guard.history
    WHERE at > current_setting('story.mark')::timestamptz ORDER BY at, ord $$;
SELECT set_config('story.mark', clock_timestamp()::text, false) IS NOT NULL AS marked \gset

CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'a', password 'hunter2');
CREATE USER MAPPING FOR history_bob SERVER s OPTIONS (user 'bob', password 'hunter2');
CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'x'), b text) SERVER s OPTIONS (table_name 'far');
SELECT * FROM since();
SELECT set_config('story.mark', clock_timestamp()::text, false) IS NOT NULL AS marked \gset

ALTER SERVER s OPTIONS (SET host 'b', ADD port '1', SET password 'hunter3');
ALTER SERVER s OWNER TO history_bob;
ALTER SERVER s RENAME TO s2;
ALTER SERVER s2 VERSION '2';
GRANT USAGE ON FOREIGN SERVER s2 TO history_reader;
ALTER USER MAPPING FOR history_bob SERVER s2 OPTIONS (SET password 'hunter4');
ALTER FOREIGN TABLE t ADD COLUMN c int DEFAULT 7 NOT NULL, ALTER b SET NOT NULL, OPTIONS (SET table_name 'farther');
ALTER FOREIGN TABLE t RENAME b TO d;
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;
ALTER FOREIGN TABLE t RENAME a TO e;
ALTER FOREIGN TABLE t ALTER e SET STATISTICS 10, ALTER e SET (n_distinct = 5), ALTER e TYPE bigint;
DROP FOREIGN TABLE t;
SELECT * FROM since();
SELECT set_config('story.mark', clock_timestamp()::text, false) IS NOT NULL AS marked \gset

-- Who, and by which statement.
SET ROLE history_bob;
ALTER SERVER s2 OPTIONS (DROP port);
RESET ROLE;
DO $$ BEGIN EXECUTE 'ALTER SERVER s2 OPTIONS (ADD port ''2'')'; END $$;
ALTER SERVER s2 OPTIONS (SET port '3')\; ALTER SERVER s2 OPTIONS (SET port '4');
SELECT session_role = session_user AS own_session, acting_role = session_user AS own, client_addr, application_name, tag,
       ord, attribute, old, new, statement ~ 'hunter' AS tells
FROM fdw_guard.history WHERE at > current_setting('story.mark')::timestamptz ORDER BY at, ord;
