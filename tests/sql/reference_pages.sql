-- The examples of the pages ALTER USER MAPPING and ALTER FOREIGN TABLE run as they are written there, and are refused
-- under rules that do not allow them.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE ROLE bob;
CREATE SCHEMA myschema;
CREATE FOREIGN DATA WRAPPER plain;
CREATE SERVER foo FOREIGN DATA WRAPPER plain;
CREATE USER MAPPING FOR bob SERVER foo OPTIONS (user 'bob', password 'secret');
CREATE FOREIGN TABLE distributors (street text) SERVER foo;
CREATE FOREIGN TABLE myschema.distributors (street text) SERVER foo OPTIONS (opt2 'value', opt3 'value');

-- Rules that allow them.
SELECT fdw_guard.add_rule('long_passwords', 'user mapping', 'password', min_length => 6);
SELECT fdw_guard.add_rule('known_opt2', 'foreign table', 'opt2', allowed => '{value,value2}');
ALTER USER MAPPING FOR bob SERVER foo OPTIONS (SET password 'public');
ALTER FOREIGN TABLE distributors ALTER COLUMN street SET NOT NULL;
ALTER FOREIGN TABLE myschema.distributors OPTIONS (ADD opt1 'value', SET opt2 'value2', DROP opt3);
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'foo';
SELECT attnotnull FROM pg_attribute WHERE attrelid = 'distributors'::regclass AND attname = 'street';
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'myschema.distributors'::regclass;

-- Rules that do not.
UPDATE fdw_guard.rule SET options = '{"properties": {"password": {"type": "string", "minLength": 12}}}'
    WHERE name = 'long_passwords';
UPDATE fdw_guard.rule SET options = '{"properties": {"opt2": {"type": "string", "enum": ["value2"]}, "opt1": false}}'
    WHERE name = 'known_opt2';
INSERT INTO fdw_guard.rule (name, object_type, forms, hint)
    VALUES ('not_null_is_a_promise', 'foreign table', '{SET NOT NULL}', 'PostgreSQL does not verify it; ask the owner of the remote table.');
SET fdw_guard.enforcement = off;
ALTER USER MAPPING FOR bob SERVER foo OPTIONS (SET password 'long enough for all');
ALTER FOREIGN TABLE distributors ALTER COLUMN street DROP NOT NULL;
ALTER FOREIGN TABLE myschema.distributors OPTIONS (DROP opt1, ADD opt3 'value');
RESET fdw_guard.enforcement;
ALTER USER MAPPING FOR bob SERVER foo OPTIONS (SET password 'public');
ALTER FOREIGN TABLE distributors ALTER COLUMN street SET NOT NULL;
ALTER FOREIGN TABLE myschema.distributors OPTIONS (ADD opt1 'value', SET opt2 'value2', DROP opt3);

-- What was refused has changed nothing.
SELECT umoptions FROM pg_user_mappings WHERE srvname = 'foo';
SELECT attnotnull FROM pg_attribute WHERE attrelid = 'distributors'::regclass AND attname = 'street';
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'myschema.distributors'::regclass;

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER plain CASCADE;
DROP SCHEMA myschema;
DROP ROLE bob;
