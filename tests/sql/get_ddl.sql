-- The statements that would create an object again.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
SELECT fdw_guard.create_wrapper('guarded_file_fdw', 'file_fdw');
RESET client_min_messages;
CREATE ROLE keeper;
CREATE ROLE alice;
CREATE SCHEMA shop;
CREATE SERVER "Far, away" TYPE 'it''s' VERSION '9.6' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', port '5432');
COMMENT ON SERVER "Far, away" IS 'one line
and another';
ALTER SERVER "Far, away" OWNER TO keeper;
GRANT USAGE ON FOREIGN SERVER "Far, away" TO alice;
CREATE USER MAPPING FOR alice SERVER "Far, away" OPTIONS (user 'reader', password 'CANARY1');
CREATE USER MAPPING FOR PUBLIC SERVER "Far, away";
CREATE TABLE shop.parent (id integer NOT NULL DEFAULT 7, note text COLLATE "C");
CREATE FUNCTION shop.watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FOREIGN TABLE shop.goods (
    price numeric(10, 2) OPTIONS (column_name 'Price') DEFAULT 1.5,
    CONSTRAINT positive CHECK (price > 0)
) INHERITS (shop.parent) SERVER "Far, away" OPTIONS (table_name 'ware');
ALTER FOREIGN TABLE shop.goods ALTER COLUMN note SET STATISTICS 10, ADD CONSTRAINT later CHECK (id > 0) NOT VALID;
CREATE TRIGGER watch AFTER INSERT ON shop.goods FOR EACH ROW EXECUTE FUNCTION shop.watch();
ALTER FOREIGN TABLE shop.goods DISABLE TRIGGER watch;
COMMENT ON COLUMN shop.goods.price IS 'net';
GRANT SELECT, UPDATE (price) ON shop.goods TO alice WITH GRANT OPTION;

\pset format unaligned
\pset tuples_only on
SELECT fdw_guard.get_ddl('server', '"Far, away"');
SELECT fdw_guard.get_ddl('user mapping', 'alice on server Far, away');
SELECT fdw_guard.get_ddl('user mapping', 'public on server Far, away');
SELECT fdw_guard.get_ddl('shop.goods'::regclass);
SELECT fdw_guard.get_ddl('foreign table', 'shop.goods') = fdw_guard.get_ddl('shop.goods'::regclass);
SELECT fdw_guard.get_ddl('foreign-data wrapper', 'postgres_fdw');
SELECT fdw_guard.get_ddl('foreign-data wrapper', 'guarded_file_fdw');
-- The name alone will do.
SELECT fdw_guard.get_ddl('server', 'Far, away') = fdw_guard.get_ddl('server', '"Far, away"');
SELECT fdw_guard.get_ddl('server', NULL) IS NULL;

-- What the caller may not see is left out.
SET ROLE keeper;
SELECT fdw_guard.get_ddl('user mapping', 'alice on server Far, away');
RESET ROLE;

-- What is not there is named.
SELECT fdw_guard.get_ddl('server', 'Far away');
SELECT fdw_guard.get_ddl('server', 'no_such_server');
SELECT fdw_guard.get_ddl('user mapping', 'alise on server Far, away');
SELECT fdw_guard.get_ddl('foreign table', 'shop.good');
SELECT fdw_guard.get_ddl('foreign table', 'goods');
SELECT fdw_guard.get_ddl('user mapping', 'alice');
SELECT fdw_guard.get_ddl('foreign table', 'shop.parent');
SELECT fdw_guard.get_ddl('foreign table', 'pg_class');
SELECT fdw_guard.get_ddl('shop.parent'::regclass);
SELECT fdw_guard.get_ddl('foreign-data wrapper', 'postgresfdw');
SELECT fdw_guard.get_ddl('foreign table column', 'shop.goods.price');
SELECT fdw_guard.get_ddl('foreign tabel', 'shop.goods');
SELECT fdw_guard.user_mapping_options('PUBLIC', 'Far, away');
SELECT fdw_guard.get_ddl('x', 'y');

SET client_min_messages = error;
DROP SERVER "Far, away" CASCADE;
DROP SCHEMA shop CASCADE;
DROP FOREIGN DATA WRAPPER guarded_file_fdw;
DROP FUNCTION fdw_guard.guarded_file_fdw_handler, fdw_guard.guarded_file_fdw_validator;
DROP EXTENSION fdw_guard;
DROP EXTENSION postgres_fdw;
DROP EXTENSION file_fdw;
DROP ROLE keeper, alice;
