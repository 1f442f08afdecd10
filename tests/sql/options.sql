-- The view options reads each catalog once, and what is hidden is still found for the object that has the option.
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h');
CREATE SERVER other FOREIGN DATA WRAPPER w;
CREATE ROLE looks_at_options;
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (pin '1');
CREATE FOREIGN TABLE t (a integer OPTIONS (pin '2')) SERVER s OPTIONS (pin '3', place 'a', note E'two\nlines');
CREATE FOREIGN TABLE u (a integer OPTIONS (pin '4')) SERVER s OPTIONS (pin '5', "größe" 'naïve=1');
CREATE FOREIGN TABLE v (a integer) SERVER other OPTIONS (pin '6');
SELECT server, relation, column_name, option, value FROM fdw_guard.options
    WHERE relation IS NOT NULL ORDER BY relation::text, column_name NULLS FIRST, option COLLATE "C";
-- A rule on secrecy holds from the next look on, for the tables of the server that it names,
INSERT INTO fdw_guard.rule (name, object_type, server, options)
    VALUES ('secret', 'foreign table', '{s}', '{"properties": {"pin": {"writeOnly": true}}}');
SELECT relation, column_name, value FROM fdw_guard.options WHERE option = 'pin' AND relation IS NOT NULL ORDER BY relation::text, column_name NULLS FIRST;
-- for the one that it names,
UPDATE fdw_guard.rule SET relation = '{u}';
SELECT relation, column_name, value FROM fdw_guard.options WHERE option = 'pin' AND relation IS NOT NULL ORDER BY relation::text, column_name NULLS FIRST;
-- and for the one that its condition finds.
UPDATE fdw_guard.rule SET relation = '{*}', condition =
    '{"properties": {"foreign_table": {"properties": {"options": {"required": ["place"]}}}}}';
SELECT relation, column_name, value FROM fdw_guard.options WHERE option = 'pin' AND relation IS NOT NULL ORDER BY relation::text, column_name NULLS FIRST;
-- A set that nobody reads to its end is none that goes on.
SELECT t.relname, (SELECT o.option FROM fdw_guard.options o WHERE o.relation = t.oid ORDER BY o.option LIMIT 1),
    (SELECT o.value FROM (SELECT (fdw_guard.shown_options(f.ftoptions, 'pg_class', t.oid, 0, f.ftserver)).* OFFSET 0) o LIMIT 1)
    FROM pg_class t JOIN pg_foreign_table f ON f.ftrelid = t.oid ORDER BY t.relname;
-- Whoever names another server makes nothing public.
UPDATE fdw_guard.rule SET condition = NULL;
SET ROLE looks_at_options;
SELECT o.value FROM fdw_guard.shown_options('{pin=x}', 'pg_class', 'v'::regclass, 0,
    (SELECT oid FROM pg_foreign_server WHERE srvname = 's')) o;
SELECT relation, column_name, value FROM fdw_guard.options WHERE option = 'pin' AND relation IS NOT NULL ORDER BY relation::text, column_name NULLS FIRST;
SELECT count(*) FROM fdw_guard.options WHERE object_type = 'user mapping';
SELECT * FROM fdw_guard.shown_options(NULL, 'pg_class', 't'::regclass, 0, 0);
SELECT * FROM fdw_guard.shown_options('{a=b}', 'pg_proc', 't'::regclass, 0, 0);
RESET ROLE;

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP ROLE looks_at_options;
