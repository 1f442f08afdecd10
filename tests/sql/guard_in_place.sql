-- A wrapper that exists, guarded in place: all that stands on it stays as it is.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE EXTENSION fdw_guard;
CREATE EXTENSION file_fdw;
CREATE ROLE reader_of_files;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE f (a int) SERVER files OPTIONS (program 'seq 1000');
CREATE VIEW v AS SELECT a FROM f WHERE a < 3;
GRANT USAGE ON FOREIGN DATA WRAPPER file_fdw TO reader_of_files;
GRANT SELECT ON v TO reader_of_files;
PREPARE counted AS SELECT count(*) FROM f;
EXECUTE counted;

SELECT fdw_guard.guard_wrapper('file_fdw');
SELECT wrapper, delegate, in_place, handler, validator FROM fdw_guard.guarded_wrappers ORDER BY in_place;
SELECT fdwhandler::regproc, fdwvalidator::regproc, fdwacl IS NOT NULL AS granted
FROM pg_foreign_data_wrapper WHERE fdwname = 'file_fdw';
-- In force at the next statement, also of a plan that was made before.
EXPLAIN (COSTS OFF) EXECUTE counted;
EXECUTE counted;
SET ROLE reader_of_files;
SELECT * FROM v;
RESET ROLE;
-- The wrapper's own validator speaks as before, and packs know it.
ALTER FOREIGN TABLE f OPTIONS (ADD format 'bogus');
SELECT fdw_guard.install_pack('file_fdw') > 0 AS installed;
ALTER FOREIGN TABLE f ALTER COLUMN a OPTIONS (ADD force_not_null 'true');
DELETE FROM fdw_guard.rule;
SELECT protection, active, detail, hint FROM fdw_guard.status() WHERE protection = 'guards in place';

-- Its functions may move: ours follow.
CREATE SCHEMA elsewhere;
ALTER EXTENSION file_fdw SET SCHEMA elsewhere;
ALTER FUNCTION elsewhere.file_fdw_handler() RENAME TO handler_of_files;
\c -
SET client_min_messages = warning;
SELECT count(*) FROM f;
ALTER FOREIGN TABLE f OPTIONS (ADD format 'bogus');
-- They cannot be taken away alone.
DROP FUNCTION elsewhere.handler_of_files();
DROP EXTENSION fdw_guard;
-- Another guarded wrapper may have it as its delegate all the same.
SELECT fdw_guard.create_wrapper('more_files', 'file_fdw');
CREATE SERVER more FOREIGN DATA WRAPPER more_files;
CREATE FOREIGN TABLE m (a int) SERVER more OPTIONS (program 'seq 1000');
SELECT count(*) FROM m;
-- Packs know a wrapper by the functions that do the work, whatever its name and its delegate's.
CREATE FOREIGN DATA WRAPPER of_no_name HANDLER elsewhere.handler_of_files VALIDATOR elsewhere.file_fdw_validator;
SELECT fdw_guard.create_wrapper('in_front', 'of_no_name');
SELECT fdw_guard.install_pack('file_fdw') > 0 AS installed;
CREATE SERVER in_front FOREIGN DATA WRAPPER in_front;
CREATE FOREIGN TABLE i (a int OPTIONS (force_null 'true')) SERVER in_front OPTIONS (program 'seq 1000');
DELETE FROM fdw_guard.rule;
DROP FOREIGN DATA WRAPPER in_front CASCADE;
DROP FOREIGN DATA WRAPPER of_no_name CASCADE;
-- A renamed wrapper keeps its functions; nobody else may take them.
ALTER FOREIGN DATA WRAPPER more_files RENAME TO other_files;
SELECT fdw_guard.create_wrapper('more_files', 'file_fdw');

-- A rule sees guard and unguard as what they are.
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('as_it_is', 'foreign-data wrapper', '{HANDLER,VALIDATOR}');
SELECT fdw_guard.unguard_wrapper('file_fdw');
DELETE FROM fdw_guard.rule;

-- A wrapper that belongs to no extension: its functions cannot go from under ours.
CREATE FUNCTION own_validator(options text[], catalog oid) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN IF options <> '{}' THEN RAISE 'option refused'; END IF; END $$;
CREATE FOREIGN DATA WRAPPER own VALIDATOR own_validator;
SELECT fdw_guard.guard_wrapper('own');
DROP FUNCTION own_validator;
ALTER FUNCTION own_validator RENAME TO own_check;
CREATE SERVER own FOREIGN DATA WRAPPER own OPTIONS (a 'b');
DROP FOREIGN DATA WRAPPER own;
DROP FUNCTION own_check CASCADE;

-- What cannot be.
SELECT fdw_guard.guard_wrapper('file_fdw');
SELECT fdw_guard.guard_wrapper('no_such_wrapper');
SELECT fdw_guard.unguard_wrapper('no_such_wrapper');
SELECT fdw_guard.guard_wrapper('file_fwd');
SELECT fdw_guard.unguard_wrapper('file_fdv');
SELECT fdw_guard.unguard_wrapper('other_files');
CREATE FOREIGN DATA WRAPPER bare;
SELECT fdw_guard.unguard_wrapper('bare');
SET ROLE reader_of_files;
SELECT fdw_guard.guard_wrapper('bare');
RESET ROLE;

-- One that has no functions at all.
SELECT fdw_guard.guard_wrapper('bare');
SELECT delegate, in_place, handler, validator FROM fdw_guard.guarded_wrappers WHERE wrapper = 'bare';
CREATE SERVER bare FOREIGN DATA WRAPPER bare OPTIONS (anything 'goes');
SELECT fdw_guard.unguard_wrapper('bare');
SELECT fdwhandler, fdwvalidator FROM pg_foreign_data_wrapper WHERE fdwname = 'bare';

-- And back.
PREPARE counted AS SELECT count(*) FROM f;
EXPLAIN (COSTS OFF) EXECUTE counted;
SELECT fdw_guard.unguard_wrapper('file_fdw');
SELECT fdwhandler::regproc, fdwvalidator::regproc FROM pg_foreign_data_wrapper WHERE fdwname = 'file_fdw';
EXPLAIN (COSTS OFF) EXECUTE counted;
EXECUTE counted;
-- What a restore leaves of a guard: the functions, and a wrapper that does not use them.
SELECT fdw_guard.guard_wrapper('file_fdw');
ALTER FOREIGN DATA WRAPPER file_fdw HANDLER elsewhere.handler_of_files VALIDATOR elsewhere.file_fdw_validator;
SELECT active, detail, hint FROM fdw_guard.status() WHERE protection = 'guards in place';
SELECT fdw_guard.guard_wrapper('file_fdw');
SELECT active, detail FROM fdw_guard.status() WHERE protection = 'guards in place';
SELECT fdw_guard.unguard_wrapper('file_fdw');

DROP FOREIGN DATA WRAPPER bare CASCADE;
DROP FOREIGN DATA WRAPPER other_files CASCADE;
DROP EXTENSION file_fdw CASCADE;
DROP EXTENSION fdw_guard;
DROP SCHEMA elsewhere;
DROP ROLE reader_of_files;
