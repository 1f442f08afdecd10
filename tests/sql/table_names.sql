-- A table by its name, as text: found as a statement finds it, and if it is not there, with a suggestion.
\set VERBOSITY verbose
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER plain;
CREATE SERVER far FOREIGN DATA WRAPPER plain;
CREATE SCHEMA named;
CREATE FOREIGN TABLE "MyTable" (id integer) SERVER far;
CREATE FOREIGN TABLE "Odd ""one" (id integer) SERVER far OPTIONS (name 'odd');
CREATE FOREIGN TABLE named.goods (id integer OPTIONS (name 'i')) SERVER far OPTIONS (name 'goods');
CREATE TABLE named.ordinary (id integer);

-- Without and with a type, quoted, with a schema, by search_path.
SELECT fdw_guard.foreign_table_options('named.goods');
SELECT fdw_guard.foreign_table_options('named.goods'::text);
SELECT fdw_guard.foreign_table_options('named.goods'::regclass);
SELECT fdw_guard.foreign_table_options('named.goods'::regclass::oid);
SELECT fdw_guard.foreign_table_options('"Odd ""one"');
SELECT fdw_guard.foreign_table_options('  NAMED . "goods" ');
SET search_path = named, public;
SELECT fdw_guard.column_options('goods', 'id');
RESET search_path;
PREPARE by_oid(oid) AS SELECT fdw_guard.foreign_table_options($1);
EXECUTE by_oid('named.goods'::regclass);
PREPARE by_type(regclass) AS SELECT fdw_guard.foreign_table_options($1);
EXECUTE by_type('named.goods');
DEALLOCATE ALL;

-- Digits are an oid.
SELECT fdw_guard.foreign_table_options('named.goods'::regclass::oid::text);
SELECT fdw_guard.foreign_table_options('1');
SELECT fdw_guard.foreign_table_options('99999999999');

-- Each of the functions.
SELECT option, value FROM fdw_guard.effective_options('named.goods', current_role::name) WHERE object_type = 'foreign table';
SELECT fdw_guard.table_state('named.goods') ->> 'server';
SELECT fdw_guard.get_ddl('named.goods') = fdw_guard.get_ddl('named.goods'::regclass);
SELECT * FROM fdw_guard.set_foreign_table_options('named.goods', '{"name": "g"}');
SELECT * FROM fdw_guard.set_column_options('named.goods', 'id', '{"name": "n"}');

-- What is not there. A name is quoted in the suggestion as a statement has to.
SELECT fdw_guard.foreign_table_options('named.godos');
SELECT fdw_guard.foreign_table_options('goods');
SELECT fdw_guard.column_options('MyTable', 'id');
SELECT * FROM fdw_guard.effective_options('named.god', 'postgres');
SELECT fdw_guard.table_state('nothing_like_it');
SELECT fdw_guard.get_ddl('no_such_schema.goods');
SELECT * FROM fdw_guard.set_foreign_table_options('named.good', '{}');
SELECT * FROM fdw_guard.set_column_options('named.good', 'id', '{}');
SELECT fdw_guard.foreign_table_options('named.goods'::regclass), fdw_guard.foreign_table_options(NULL::text) IS NULL;

-- What is no foreign table, and what is no name.
SELECT fdw_guard.foreign_table_options('named.ordinary');
\set VERBOSITY default
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['"named.goods', '"', '', 'a.b.c.d', 'a..b'] LOOP
        BEGIN
            PERFORM fdw_guard.foreign_table_options(name);
        EXCEPTION
            -- Which of them depends on PostgreSQL's version.
            WHEN undefined_table OR invalid_name OR syntax_error THEN RAISE WARNING 'refused: %', name;
        END;
    END LOOP;
END $$;
SELECT * FROM fdw_guard.set_foreign_table_options(NULL::text, '{}');

SET client_min_messages = error;
DROP FOREIGN DATA WRAPPER plain CASCADE;
DROP SCHEMA named CASCADE;
DROP EXTENSION fdw_guard;
