-- What PostgreSQL does and says: run with fdw_guard and without, all of it must come out the same to the letter. psql shows
-- every field of a message; nothing here shows what differs between clusters anyway (oids, process ids, times).
\set VERBOSITY verbose
\set SHOW_CONTEXT always
SET client_min_messages = notice;

-- Wrappers, servers, mappings.
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
CREATE EXTENSION file_fdw;
CREATE EXTENSION IF NOT EXISTS file_fdw;
CREATE EXTENSION no_such_extension;
CREATE ROLE passthrough_owner;
CREATE ROLE passthrough_reader;
CREATE FOREIGN DATA WRAPPER plain OPTIONS (a '1', b '2');
CREATE FOREIGN DATA WRAPPER plain;
CREATE FOREIGN DATA WRAPPER handled HANDLER no_such_handler;
CREATE FOREIGN DATA WRAPPER twice OPTIONS (a '1', a '2');
CREATE FOREIGN DATA WRAPPER checked VALIDATOR postgresql_fdw_validator;
CREATE FOREIGN DATA WRAPPER checked_badly VALIDATOR postgresql_fdw_validator OPTIONS (no_such_option '1');
ALTER FOREIGN DATA WRAPPER plain OPTIONS (SET a '3', DROP b, ADD c '');
ALTER FOREIGN DATA WRAPPER plain OPTIONS (ADD a '1');
ALTER FOREIGN DATA WRAPPER plain OPTIONS (DROP no_such_option);
ALTER FOREIGN DATA WRAPPER plain HANDLER postgres_fdw_handler VALIDATOR postgres_fdw_validator;
ALTER FOREIGN DATA WRAPPER plain NO HANDLER NO VALIDATOR;
ALTER FOREIGN DATA WRAPPER plain OPTIONS ();
ALTER FOREIGN DATA WRAPPER no_such_wrapper OPTIONS (a '1');
ALTER FOREIGN DATA WRAPPER plain OWNER TO passthrough_owner;
ALTER FOREIGN DATA WRAPPER plain RENAME TO checked;
CREATE SERVER s TYPE 't' VERSION '1' FOREIGN DATA WRAPPER plain OPTIONS (host 'h', "Odd Name" 'it''s');
CREATE SERVER s FOREIGN DATA WRAPPER plain;
CREATE SERVER IF NOT EXISTS s FOREIGN DATA WRAPPER plain;
CREATE SERVER t FOREIGN DATA WRAPPER no_such_wrapper;
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (port '1', host '127.0.0.1');
CREATE SERVER bad FOREIGN DATA WRAPPER postgres_fdw OPTIONS (prot '1');
CREATE SERVER bad FOREIGN DATA WRAPPER postgres_fdw OPTIONS (fetch_size 'many');
CREATE SERVER bad FOREIGN DATA WRAPPER postgres_fdw OPTIONS (updatable 'perhaps');
CREATE SERVER bad FOREIGN DATA WRAPPER checked OPTIONS (prot '1');
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
ALTER SERVER s OPTIONS (SET host 'i', DROP "Odd Name", added 'x');
ALTER SERVER s OPTIONS (host 'h');
ALTER SERVER s OPTIONS (SET "Odd Name" 'x');
ALTER SERVER s VERSION '2' OPTIONS (ADD more '1');
ALTER SERVER s OWNER TO no_such_role;
ALTER SERVER no_such_server VERSION '2';
ALTER SERVER loop OPTIONS (ADD hots 'h');
ALTER SERVER loop OPTIONS (ADD passwrod 'x', ADD port '2');
CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'u', password 'p');
CREATE USER MAPPING FOR CURRENT_USER SERVER s;
CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER s;
CREATE USER MAPPING FOR no_such_role SERVER s;
CREATE USER MAPPING FOR PUBLIC SERVER no_such_server;
CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (usre 'u');
CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user 'nobody', password 'p');
ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password 'q', DROP user);
ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET user 'u');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (ADD user 'u');
ALTER USER MAPPING FOR CURRENT_USER SERVER no_such_server OPTIONS (ADD user 'u');
DROP USER MAPPING FOR passthrough_reader SERVER s;
DROP USER MAPPING IF EXISTS FOR passthrough_reader SERVER s;
DROP USER MAPPING IF EXISTS FOR no_such_role SERVER s;
SELECT srvname, srvtype, srvversion, srvacl, srvoptions FROM pg_foreign_server ORDER BY srvname;
SELECT srvname, usename, umoptions FROM pg_user_mappings ORDER BY srvname, usename;

-- Foreign tables and their columns.
CREATE FOREIGN TABLE ft (a int OPTIONS (p '1') NOT NULL, b text COLLATE "C" OPTIONS (q '2'), CHECK (a > 0)) SERVER s
    OPTIONS (one '1');
CREATE FOREIGN TABLE ft (a int) SERVER s;
CREATE FOREIGN TABLE IF NOT EXISTS ft (a int) SERVER s;
CREATE FOREIGN TABLE ft2 (a int) SERVER no_such_server;
CREATE FOREIGN TABLE ft2 (a no_such_type) SERVER s;
CREATE FOREIGN TABLE ft2 (a int PRIMARY KEY) SERVER s;
CREATE FOREIGN TABLE ft2 (a int OPTIONS (p '1', p '2')) SERVER s;
CREATE FOREIGN TABLE ft2 (a int) SERVER loop OPTIONS (tabel_name 'x');
CREATE FOREIGN TABLE ft2 (a int OPTIONS (colunm_name 'x')) SERVER loop;
CREATE FOREIGN TABLE remote (a int OPTIONS (column_name 'b')) SERVER loop OPTIONS (table_name 'x', fetch_size '7');
CREATE FOREIGN TABLE lines (a int, b text) SERVER files OPTIONS (program 'printf "1,x\n2,y\nthree,z\n"', format 'csv');
CREATE FOREIGN TABLE no_file (a int) SERVER files;
CREATE FOREIGN TABLE no_file (a int) SERVER files OPTIONS (filename '/no/such/file', delimiter 'ab');
CREATE FOREIGN TABLE no_file (a int) SERVER files OPTIONS (filename '/no/such/file');
ALTER FOREIGN TABLE ft OPTIONS (SET one '2', ADD two 'it''s', bare 'x');
ALTER FOREIGN TABLE ft OPTIONS (ADD one '1');
ALTER FOREIGN TABLE ft OPTIONS (DROP no_such_option);
ALTER FOREIGN TABLE ft ALTER COLUMN a OPTIONS (SET p '3'), ALTER b SET NOT NULL, ADD COLUMN c date DEFAULT now();
ALTER FOREIGN TABLE ft ALTER COLUMN no_such_column OPTIONS (ADD p '3');
ALTER FOREIGN TABLE ft ALTER COLUMN a OPTIONS (ADD p '3');
ALTER FOREIGN TABLE IF EXISTS no_such_table OPTIONS (ADD p '3');
ALTER FOREIGN TABLE no_such_table OPTIONS (ADD p '3');
ALTER TABLE ft ALTER a TYPE bigint, ALTER b SET STORAGE plain, ALTER a SET STATISTICS 5, ALTER a SET (n_distinct = 5);
ALTER TABLE ft ALTER a SET (no_such_parameter = 5);
ALTER TABLE ft ADD CONSTRAINT two UNIQUE (a);
ALTER TABLE ft ADD CONSTRAINT two CHECK (no_such_column > 0);
ALTER TABLE ft ADD CONSTRAINT two CHECK (a > 0);
ALTER TABLE ft ADD CONSTRAINT two CHECK (a > 0);
ALTER TABLE ft DROP CONSTRAINT three;
ALTER TABLE ft DROP CONSTRAINT IF EXISTS three;
ALTER TABLE ft RENAME COLUMN c TO d;
ALTER TABLE ft RENAME COLUMN no_such_column TO d;
ALTER INDEX ft RENAME TO ft_renamed;
ALTER FOREIGN TABLE ft_renamed RENAME TO ft;
ALTER TABLE ft SET SCHEMA no_such_schema;
ALTER SERVER ft OPTIONS (ADD a '1');
ALTER FOREIGN TABLE pg_class OPTIONS (ADD a '1');
CREATE TRIGGER never BEFORE INSERT ON ft FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE ft DISABLE TRIGGER never;
ALTER TABLE ft DISABLE TRIGGER no_such_trigger;
COMMENT ON FOREIGN TABLE ft IS 'x';
SECURITY LABEL ON FOREIGN TABLE ft IS 'x';
GRANT SELECT (a), UPDATE ON ft TO passthrough_reader;
GRANT SELECT (no_such_column) ON ft TO passthrough_reader;
GRANT USAGE ON FOREIGN SERVER s TO passthrough_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER no_such_wrapper TO passthrough_owner;
SELECT * FROM ft;
SELECT * FROM lines;
SELECT * FROM lines LIMIT 2;
SELECT * FROM no_file;
SELECT * FROM remote;
INSERT INTO lines VALUES (1, 'x');
IMPORT FOREIGN SCHEMA public FROM SERVER s INTO public;
IMPORT FOREIGN SCHEMA public FROM SERVER files INTO no_such_schema;
EXPLAIN (COSTS off) SELECT a FROM lines WHERE a > 1;
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT a FROM lines;
\d+ ft

-- Inheritance and partitions.
CREATE TABLE parent (a bigint, b text COLLATE "C") PARTITION BY RANGE (a);
ALTER TABLE parent ATTACH PARTITION ft FOR VALUES FROM (1) TO (10);
CREATE TABLE parent2 (a bigint NOT NULL, b text) PARTITION BY RANGE (a);
CREATE FOREIGN TABLE child PARTITION OF parent2 FOR VALUES FROM (1) TO (10) SERVER s;
ALTER TABLE parent2 ADD COLUMN c int, ALTER b TYPE varchar(10);
ALTER TABLE parent2 ALTER a TYPE int;
ALTER TABLE child DROP COLUMN a;
CREATE UNIQUE INDEX ON parent2 (a);
ALTER TABLE parent2 DETACH PARTITION child CONCURRENTLY;
ALTER TABLE parent2 DETACH PARTITION no_such_partition;
CREATE TABLE old_parent (a int);
CREATE FOREIGN TABLE old_child (b int) INHERITS (old_parent) SERVER s;
ALTER TABLE old_parent ADD COLUMN c int, ADD CHECK (a > 0);
ALTER FOREIGN TABLE old_child NO INHERIT old_parent;
ALTER FOREIGN TABLE old_child NO INHERIT old_parent;

-- Plain tables and their constraints.
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0), u text UNIQUE, r int REFERENCES t DEFERRABLE);
CREATE TABLE t (id int);
CREATE TABLE t2 (id int, id int);
CREATE TABLE t2 (id int REFERENCES no_such_table);
CREATE DOMAIN positive AS int CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TYPE colour AS ENUM ();
INSERT INTO t VALUES (1, 1, 'one', 1), (2, 2, 'two', 1);
INSERT INTO t VALUES (1, 1, 'x', 1);
INSERT INTO t VALUES (3, NULL, 'x', 1);
INSERT INTO t VALUES (3, 0, 'x', 1);
INSERT INTO t VALUES (3, 1, 'one', 1);
INSERT INTO t VALUES (3, 1, 'x', 7);
SELECT 0::positive;
SELECT 'blue'::colour;
SELECT 1/0 FROM t;
SELECT no_such_column FROM t;
SELECT no_such_function(1);
SELECT 'x' + 1;
SELEC 1;
SELECT 1);
DO $$ BEGIN EXECUTE 'SELECT ''unfinished'; END $$;
ALTER TABLE t ADD CONSTRAINT above_one CHECK (n > 1);
ALTER TABLE t ALTER n TYPE int USING n / 0;
ALTER TABLE t ALTER u TYPE int USING u::int;
ALTER TABLE t ALTER u SET NOT NULL, ADD COLUMN broken int DEFAULT 1/0;
CREATE INDEX ON t ((1 / (n - 1)));
CREATE INDEX CONCURRENTLY ON t (n);
BEGIN; CREATE INDEX CONCURRENTLY ON t (n); ROLLBACK;
BEGIN; VACUUM t; COMMIT;
CREATE TABLE copied (n int CHECK (n < 2));
CREATE TABLE filled AS SELECT 1 / (n - 1) AS n FROM t;
CREATE TABLE filled AS SELECT n::positive - 1 AS n, (n - 1)::positive FROM t;
SELECT 1 / (n - 2) AS n INTO filled FROM t;
CREATE MATERIALIZED VIEW m AS SELECT 1 / (2 - n + (SELECT count(*) FROM copied)) AS n FROM t WITH NO DATA;
SELECT * FROM m;
REFRESH MATERIALIZED VIEW m;
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
CREATE VIEW v AS SELECT no_such_column FROM t;
CREATE VIEW v AS SELECT * FROM t WITH CHECK OPTION;
INSERT INTO v VALUES (5, -1);
COPY copied FROM stdin;
1
2
\.
COPY copied FROM stdin;
one
\.
COPY copied (no_such_column) FROM stdin;
1
\.
COPY no_such_table FROM stdin;
1
\.
COPY copied FROM '/no/such/file';
COPY (SELECT 1 / (n - 1) FROM t) TO stdout;
COPY (SELECT n, u FROM t ORDER BY n) TO stdout (FORMAT csv, HEADER);
TRUNCATE t;
INSERT INTO t VALUES (1, 1, 'one', 1), (2, 2, 'two', 1);
TRUNCATE t, no_such_table;
LOCK TABLE no_such_table;
BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE t SET r = 9 WHERE id = 2; SET CONSTRAINTS ALL IMMEDIATE; COMMIT;
BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE t SET r = 9 WHERE id = 2; COMMIT;
DROP TABLE no_such_table;
DROP TABLE IF EXISTS no_such_table;
DROP TYPE positive, no_such_type;

-- DO, functions and procedures, one in the other, with handlers that raise again.
CREATE FUNCTION fails(how text) RETURNS int LANGUAGE plpgsql AS $f$
BEGIN
    EXECUTE how;
    RETURN 1;
END $f$;
CREATE FUNCTION passes_on(how text) RETURNS int LANGUAGE plpgsql AS $f$
BEGIN
    RETURN fails(how);
EXCEPTION WHEN division_by_zero THEN
    RAISE;
WHEN others THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = 'again: ' || SQLERRM, DETAIL = 'd', HINT = 'h', COLUMN = 'c',
        CONSTRAINT = 'k', DATATYPE = 'y', TABLE = 't', SCHEMA = 's';
END $f$;
CREATE FUNCTION in_sql(how text) RETURNS int LANGUAGE sql AS 'SELECT passes_on(how)';
CREATE FUNCTION broken() RETURNS int LANGUAGE plpgsql AS 'BEGIN SELEC 1; END';
CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT no_such_column';
DO $$ BEGIN PERFORM 1 / 0; END $$;
DO $$ BEGIN EXECUTE 'SELECT 1 / 0'; END $$;
DO $$ BEGIN EXECUTE 'SELEC 1'; END $$;
DO $$ BEGIN no such statement; END $$;
DO $$ BEGIN EXECUTE 'DO $i$ BEGIN INSERT INTO t VALUES (9, 0); END $i$'; END $$;
DO $$ BEGIN RAISE NOTICE 'n' USING DETAIL = 'd', HINT = 'h', ERRCODE = '01ABC', CONSTRAINT = 'k'; END $$;
DO $$ BEGIN RAISE WARNING 'w'; RAISE INFO 'i'; RAISE LOG 'l'; END $$;
DO $$ BEGIN RAISE 'mine' USING ERRCODE = 'P9999', DETAIL = 'd', HINT = 'h', TABLE = 't', DATATYPE = 'y'; END $$;
DO $$ BEGIN ASSERT false, 'asserted'; END $$;
DO LANGUAGE no_such_language '';
SELECT fails('SELECT 1 / 0');
SELECT passes_on('SELECT 1 / 0');
SELECT passes_on('ALTER SERVER no_such_server OPTIONS (ADD a ''1'')');
SELECT in_sql('ALTER SERVER s OPTIONS (SET no_such_option ''1'')');
SELECT in_sql('DO $i$ BEGIN CREATE FOREIGN TABLE ft2 (a int) SERVER loop OPTIONS (tabel_name ''x''); END $i$');
SELECT passes_on('SELEC 1');
SELECT passes_on('DROP TABLE t');
SELECT passes_on('ALTER SERVER s OPTIONS (ADD by_function ''1'')');
DO $$ BEGIN
    BEGIN ALTER SERVER s OPTIONS (ADD undone '1'); RAISE 'undo'; EXCEPTION WHEN others THEN RAISE NOTICE '%', SQLERRM; END;
    BEGIN INSERT INTO t VALUES (9, 0); EXCEPTION WHEN check_violation THEN RAISE WARNING 'caught % %', SQLERRM, SQLSTATE; END;
    PERFORM in_sql('INSERT INTO t VALUES (9, NULL)');
END $$;
DO $$
DECLARE c text; d text; m text; x text;
BEGIN
    INSERT INTO t VALUES (9, 0);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, c = CONSTRAINT_NAME, x = PG_EXCEPTION_CONTEXT;
    RAISE NOTICE '% | % | % | %', m, d, c, x;
END $$;
CREATE PROCEDURE works(last int) LANGUAGE plpgsql AS $p$
BEGIN
    FOR i IN 1 .. last LOOP
        INSERT INTO t VALUES (10 + i, CASE WHEN i < 3 THEN i END);
        IF i % 2 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END $p$;
CREATE PROCEDURE outer_works(last int, INOUT answer int) LANGUAGE plpgsql AS $p$
BEGIN
    CALL works(last);
    answer := answer + 1;
END $p$;
CALL works(2);
CALL works(3);
CALL outer_works(0, 41);
CALL outer_works(5, 1);
CALL no_such_procedure();
CALL fails('x');
BEGIN; CALL works(1); ROLLBACK;
DO $$ BEGIN INSERT INTO t VALUES (21, 1); COMMIT; INSERT INTO t VALUES (21, 1); END $$;
DO $$ BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO t VALUES (22, 1, 'r', 99); COMMIT; END $$;
SELECT id, n, u, r FROM t ORDER BY id;
DROP PROCEDURE works(int), no_such(int);

-- Prepared statements, cursors, savepoints, aborted transactions.
PREPARE one AS SELECT 1 / $1::int;
EXECUTE one(0);
EXECUTE one(1);
EXECUTE one(1, 2);
EXECUTE no_such_statement;
PREPARE one AS SELECT 1;
DEALLOCATE one;
DEALLOCATE one;
EXPLAIN EXECUTE no_such_statement;
DECLARE outside CURSOR FOR SELECT 1;
BEGIN;
DECLARE c CURSOR FOR SELECT 1 / (2 - n) FROM t ORDER BY id;
FETCH c;
FETCH c;
FETCH c;
ALTER SERVER s OPTIONS (ADD too_late '1');
COMMIT;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT 1 / (2 - n) FROM t ORDER BY id;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id FOR UPDATE;
MOVE 1 IN c;
SAVEPOINT a;
UPDATE t SET n = 0 WHERE CURRENT OF c;
ROLLBACK TO a;
SAVEPOINT b;
ALTER SERVER s OPTIONS (ADD in_savepoint '1');
ALTER FOREIGN TABLE ft OPTIONS (ADD in_savepoint '1');
ROLLBACK TO a;
RELEASE b;
ROLLBACK TO a;
RELEASE no_such_savepoint;
ROLLBACK;
SAVEPOINT outside;
COMMIT;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
ALTER SERVER s OPTIONS (ADD read_only '1');
ROLLBACK;
BEGIN; ALTER SERVER s OPTIONS (ADD prepared '1'); PREPARE TRANSACTION 'passthrough'; COMMIT PREPARED 'passthrough';
ALTER SERVER s OPTIONS (ADD one '1')\; SELECT 1 / 0\; ALTER SERVER s OPTIONS (ADD two '2');
SELECT srvoptions FROM pg_foreign_server WHERE srvname = 's';

-- Whoever has no right to it.
SET ROLE passthrough_reader;
ALTER SERVER s OPTIONS (ADD a '1');
ALTER SERVER s OWNER TO passthrough_reader;
ALTER FOREIGN TABLE ft OPTIONS (ADD a '1');
ALTER FOREIGN DATA WRAPPER plain OPTIONS (ADD z '1');
CREATE FOREIGN DATA WRAPPER mine;
CREATE SERVER mine FOREIGN DATA WRAPPER plain;
CREATE USER MAPPING FOR CURRENT_USER SERVER s;
DROP SERVER s;
DROP USER MAPPING FOR PUBLIC SERVER loop;
DROP FOREIGN TABLE ft;
DO $$ BEGIN ALTER SERVER s OPTIONS (ADD a '1'); END $$;
SELECT umoptions FROM pg_user_mappings ORDER BY srvname, usename;
RESET ROLE;

-- Event triggers that fail, and statements within them.
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $f$
BEGIN
    RAISE NOTICE '% %', TG_EVENT, TG_TAG;
    IF TG_TAG = 'ALTER SERVER' AND TG_EVENT = 'ddl_command_end' THEN PERFORM 1 / 0; END IF;
    IF TG_TAG = 'COMMENT' AND TG_EVENT = 'ddl_command_end' THEN EXECUTE 'ALTER FOREIGN TABLE ft OPTIONS (ADD nested ''1'')'; END IF;
END $f$;
CREATE EVENT TRIGGER before_ddl ON ddl_command_start EXECUTE FUNCTION on_ddl();
CREATE EVENT TRIGGER after_ddl ON ddl_command_end EXECUTE FUNCTION on_ddl();
CREATE EVENT TRIGGER after_drop ON sql_drop EXECUTE FUNCTION on_ddl();
ALTER SERVER s OPTIONS (ADD triggered '1');
COMMENT ON SERVER s IS 'x';
COMMENT ON SERVER s IS 'x';
CREATE SCHEMA made CREATE TABLE a (b int) CREATE VIEW c AS SELECT 1 AS d;
CREATE SCHEMA made2 CREATE TABLE a (b no_such_type);
DROP SCHEMA made CASCADE;
DROP EVENT TRIGGER before_ddl;
DROP EVENT TRIGGER after_ddl;
DROP EVENT TRIGGER after_drop;

-- Time is up.
SET statement_timeout = '30ms';
SELECT pg_sleep(60);
DO $$ BEGIN PERFORM pg_sleep(60); END $$;
DO $$ BEGIN EXECUTE 'DO $i$ BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN others THEN NULL; END $i$'; END $$;
CREATE TABLE slept AS SELECT pg_sleep(60)::text;
RESET statement_timeout;

-- Leaving.
DROP FOREIGN DATA WRAPPER plain;
DROP SERVER s;
DROP ROLE passthrough_owner;
DROP FOREIGN TABLE ft, no_such_table;
DROP FOREIGN TABLE IF EXISTS no_such_table, ft;
REASSIGN OWNED BY passthrough_owner TO CURRENT_USER;
DROP OWNED BY passthrough_owner, passthrough_reader;
DROP OWNED BY no_such_role;
DROP SERVER IF EXISTS s, loop CASCADE;
DROP SERVER no_such_server;
DROP FOREIGN DATA WRAPPER IF EXISTS plain, checked, no_such_wrapper CASCADE;
DROP EXTENSION file_fdw CASCADE;
DROP EXTENSION no_such_extension;
DROP ROLE passthrough_owner, passthrough_reader;
