-- The same effect by another path meets the same rule.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE ROLE gone;
CREATE FOREIGN DATA WRAPPER w;
GRANT USAGE ON FOREIGN DATA WRAPPER w TO gone;
CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE t (a int) SERVER s;
SELECT fdw_guard.add_rule('no_port', 'server', 'port', forbidden => true);

-- DO, functions, EXECUTE, several statements in one string, prepared statements of the extended protocol.
DO $$ BEGIN ALTER SERVER s OPTIONS (ADD port '1'); END $$;
CREATE FUNCTION alter_it() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER SERVER s OPTIONS (ADD port ''1'')'; END $$;
SELECT alter_it();
ALTER SERVER s OPTIONS (ADD host 'h')\; ALTER SERVER s OPTIONS (ADD port '1');
CREATE FUNCTION alter_sql() RETURNS void LANGUAGE sql AS $$ ALTER SERVER s OPTIONS (ADD port '1') $$;
SELECT alter_sql();
-- A procedure that commits: what stood before the commit stays, what violates the rule does not.
CREATE PROCEDURE commit_between() LANGUAGE plpgsql AS $$
BEGIN
    ALTER SERVER s OPTIONS (ADD dbname 'd');
    COMMIT;
    ALTER SERVER s OPTIONS (ADD port '1');
END $$;
CALL commit_between();
SELECT option, value FROM fdw_guard.options WHERE server = 's';
-- A function that undoes what it did: nothing is left to refuse.
\set VERBOSITY default
DO $$
BEGIN
    BEGIN
        ALTER SERVER s OPTIONS (ADD port '1');
    EXCEPTION WHEN fdw_error OR fdw_invalid_option_name OR fdw_invalid_attribute_value THEN
        RAISE WARNING 'caught: %', SQLERRM;
    END;
    ALTER SERVER s OPTIONS (ADD application_name 'x');
END $$;
SELECT option, value FROM fdw_guard.options WHERE server = 's';

\set VERBOSITY verbose

-- Replication's and event triggers' settings make no difference.
SET session_replication_role = replica;
ALTER SERVER s OPTIONS (ADD port '1');
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('bad', 'server', '{"propertes": {}}');
RESET session_replication_role;

-- A statement inside CREATE SCHEMA, a table made with CREATE TABLE ... PARTITION OF.
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES
    ('no_limit', 'foreign table', '{"properties": {"limit": false}}');
CREATE TABLE parent (a int) PARTITION BY LIST (a);
CREATE FOREIGN TABLE part PARTITION OF parent FOR VALUES IN (1) SERVER s OPTIONS (limit '1');
-- A parent's ALTER reaches the foreign child.
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('no_columns', 'foreign table', '{ADD COLUMN,DROP COLUMN}');
CREATE FOREIGN TABLE part PARTITION OF parent FOR VALUES IN (1) SERVER s;
ALTER TABLE parent ADD COLUMN b int;
CREATE TYPE couple AS (x int);
CREATE FOREIGN TABLE f (c couple) SERVER s;
DROP TYPE couple CASCADE;

-- Drops by cascade and by owner.
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('keep', 'foreign table', '{DROP}'), ('keep_server', 'server', '{DROP}');
DROP SERVER s CASCADE;
DROP TABLE parent;
ALTER SERVER s OWNER TO gone;
DROP OWNED BY gone CASCADE;

DELETE FROM fdw_guard.rule;
DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP TABLE parent;
DROP FUNCTION alter_it, alter_sql;
DROP PROCEDURE commit_between;
DROP TYPE couple;
DROP ROLE gone;
