-- Guarded wrappers: our validator and handler in front of another wrapper's.
\getenv dir PG_ABS_BUILDDIR
\set csv :dir '/guarded.csv'
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE EXTENSION fdw_guard;

-- The extension brings one for postgres_fdw, which may come later.
SELECT fdwname, fdwhandler::regproc, fdwvalidator::regproc FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'guarded%';
CREATE SERVER early FOREIGN DATA WRAPPER guarded_postgres_fdw;
ALTER SERVER early OPTIONS (ADD host 'h');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE e (a int) SERVER early;
SELECT * FROM e;
CREATE EXTENSION postgres_fdw;
ALTER SERVER early OPTIONS (ADD host 'h');
-- The delegate's own validator speaks first, in its own words.
ALTER SERVER early OPTIONS (ADD fetch_size '0');
-- Rules and packs know the wrapper by its delegate.
SELECT fdw_guard.install_pack('postgres_fdw') > 0 AS installed;
ALTER SERVER early OPTIONS (ADD sslmode 'bogus');
SELECT fdw_guard.add_rule('by_delegate', 'server', 'dbname', forbidden => true, wrapper => 'postgres_fdw');
ALTER SERVER early OPTIONS (ADD dbname 'd');
DELETE FROM fdw_guard.rule;

-- Another in front of file_fdw.
CREATE EXTENSION file_fdw;
SELECT fdw_guard.create_wrapper('guarded files', 'file_fdw');
CREATE SERVER files FOREIGN DATA WRAPPER "guarded files";
COPY (SELECT i, 'row ' || i FROM generate_series(1, 1000) i) TO :'csv' (FORMAT csv);
CREATE FOREIGN TABLE f (a int, b text) SERVER files OPTIONS (filename :'csv', format 'csv');
SELECT count(*), sum(a), min(b) FROM f;
ANALYZE f;
SELECT reltuples FROM pg_class WHERE oid = 'f'::regclass;
INSERT INTO f VALUES (1, 'x');

-- One whose delegate has no handler: servers and mappings only.
CREATE EXTENSION dblink;
SELECT fdw_guard.create_wrapper('guarded_dblink', 'dblink_fdw');
CREATE SERVER links FOREIGN DATA WRAPPER guarded_dblink OPTIONS (host 'h');
CREATE FOREIGN TABLE l (a int) SERVER links;
SELECT * FROM l;
DROP FOREIGN TABLE l;

-- What cannot be.
SELECT fdw_guard.create_wrapper('twice', 'guarded files');
SELECT fdw_guard.create_wrapper('none', 'no_such_wrapper');
SELECT fdw_guard.create_wrapper('none', 'guarded_postgres_fwd');
SELECT fdw_guard.create_wrapper('guarded_dblink', 'dblink_fdw');
-- Its functions may have been left behind by one of that name.
DROP FOREIGN DATA WRAPPER guarded_dblink CASCADE;
SELECT fdw_guard.create_wrapper('guarded_dblink', 'dblink_fdw');
CREATE SERVER links FOREIGN DATA WRAPPER guarded_dblink;
CREATE FUNCTION handler_without_delegate() RETURNS fdw_handler LANGUAGE c AS '$libdir/fdw_guard', 'fdw_guard_handler';
CREATE FOREIGN DATA WRAPPER stray HANDLER handler_without_delegate;
CREATE SERVER stray FOREIGN DATA WRAPPER stray;
CREATE FOREIGN TABLE s (a int) SERVER stray;
-- A session's setting names no delegate.
SET fdw_guard.delegate = 'file_fdw';
SELECT * FROM s;
RESET fdw_guard.delegate;

-- A delegate that gets another handler: this session has used the former one.
ALTER FOREIGN DATA WRAPPER file_fdw HANDLER postgres_fdw_handler;
\c -
SET client_min_messages = warning;
\set VERBOSITY sqlstate
SELECT count(*) FROM f;
\set VERBOSITY default
ALTER FOREIGN DATA WRAPPER file_fdw HANDLER file_fdw_handler;
SELECT count(*) FROM f;
\c -
SET client_min_messages = warning;
SELECT count(*) FROM f;
-- A delegate that goes.
DROP EXTENSION dblink;
DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER stray CASCADE;
DROP FOREIGN DATA WRAPPER guarded_dblink CASCADE;
DROP FOREIGN DATA WRAPPER "guarded files" CASCADE;
DROP FUNCTION handler_without_delegate;
DROP EXTENSION dblink;
DROP EXTENSION file_fdw;
DROP EXTENSION postgres_fdw;
DROP SERVER early CASCADE;
DROP EXTENSION fdw_guard;
