-- Nothing is taken out of a rule that forbids its change by giving something another name.
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE ROLE renames_bob;
CREATE FOREIGN DATA WRAPPER prod_wrapper;
CREATE SERVER prod_server FOREIGN DATA WRAPPER prod_wrapper;
CREATE USER MAPPING FOR renames_bob SERVER prod_server OPTIONS (token 'x');
CREATE SCHEMA audit;
CREATE FOREIGN TABLE audit.t (a int, b int) SERVER prod_server OPTIONS (name 'x');
INSERT INTO fdw_guard.rule (name, object_type, server, forms) VALUES
    ('server', 'server', '{prod_*}', '{VERSION}'), ('mappings', 'user mapping', '{prod_*}', '{OPTIONS}');
INSERT INTO fdw_guard.rule (name, object_type, wrapper, forms) VALUES ('wrapper', 'server', '{prod_*}', '{VERSION}');
INSERT INTO fdw_guard.rule (name, object_type, role, forms) VALUES ('bobs', 'user mapping', '{renames_bob}', '{DROP}');
INSERT INTO fdw_guard.rule (name, object_type, relation, forms) VALUES ('audited', 'foreign table', '{audit.*}', '{DROP COLUMN}');
INSERT INTO fdw_guard.rule (name, object_type, relation, column_name, options) VALUES
    ('once', 'foreign table column', '{t}', '{a}', '{"properties": {"key": {"type": "string", "readOnly": true}}}');

ALTER SERVER prod_server RENAME TO test_server;
ALTER FOREIGN DATA WRAPPER prod_wrapper RENAME TO test_wrapper;
ALTER ROLE renames_bob RENAME TO renames_eve;
ALTER SCHEMA audit RENAME TO harmless;
ALTER FOREIGN TABLE audit.t SET SCHEMA public;
ALTER FOREIGN TABLE audit.t RENAME TO u;
ALTER FOREIGN TABLE audit.t RENAME COLUMN a TO c;
DO $$ BEGIN ALTER SCHEMA audit RENAME TO harmless; END $$;
-- Within the patterns names may change, and into them.
ALTER SERVER prod_server RENAME TO prod_server2;
ALTER SERVER prod_server2 RENAME TO prod_server;
CREATE SCHEMA elsewhere;
CREATE FOREIGN TABLE elsewhere.w (a int) SERVER prod_server;
ALTER SCHEMA elsewhere RENAME TO elsewhere2;
-- Whom the rule does not bind may take things out of it.
UPDATE fdw_guard.rule SET except_roles = '{postgres}' WHERE name IN ('audited', 'once');
ALTER SCHEMA audit RENAME TO harmless;
ALTER SCHEMA harmless RENAME TO audit;
UPDATE fdw_guard.rule SET except_roles = NULL;

-- Nor out of a rule about options, by the name of a server or a wrapper: whatever stands below it goes with it.
DELETE FROM fdw_guard.rule;
INSERT INTO fdw_guard.rule (name, object_type, server, options) VALUES
    ('hosts', 'server', '{prod_*}', '{"properties": {"host": {"type": "string", "enum": ["good"]}}}'),
    ('tokens', 'user mapping', '{prod_*}', '{"required": ["token"]}');
INSERT INTO fdw_guard.rule (name, object_type, wrapper, options) VALUES
    ('names', 'foreign table', '{prod_*}', '{"required": ["name"]}');
INSERT INTO fdw_guard.rule (name, object_type, relation, options) VALUES
    ('audited', 'foreign table', '{audit.*}', '{"required": ["name"]}');
GRANT USAGE ON FOREIGN DATA WRAPPER prod_wrapper TO renames_bob;
ALTER SERVER prod_server OWNER TO renames_bob;
SET ROLE renames_bob;
ALTER SERVER prod_server OPTIONS (ADD host 'evil');
ALTER SERVER prod_server RENAME TO test_server;
RESET ROLE;
ALTER FOREIGN DATA WRAPPER prod_wrapper RENAME TO test_wrapper;
-- The names of tables, schemas and roles stand for themselves alone.
ALTER SCHEMA audit RENAME TO harmless;
ALTER SCHEMA harmless RENAME TO audit;
-- Within the patterns, and where no pattern is left, names may change.
ALTER SERVER prod_server RENAME TO prod_server2;
ALTER SERVER prod_server2 RENAME TO prod_server;
CREATE SERVER other_server FOREIGN DATA WRAPPER prod_wrapper OPTIONS (host 'evil');
CREATE FOREIGN TABLE other (a int) SERVER other_server OPTIONS (name 'x');
ALTER SERVER other_server RENAME TO another_server;
DROP SERVER another_server CASCADE;
CREATE FOREIGN DATA WRAPPER other_wrapper;
ALTER FOREIGN DATA WRAPPER other_wrapper RENAME TO another_wrapper;
DROP FOREIGN DATA WRAPPER another_wrapper;
-- So may they for whom the rules do not bind; others are warned if that is all that the rules do.
UPDATE fdw_guard.rule SET except_roles = '{postgres}';
ALTER SERVER prod_server RENAME TO test_server;
ALTER SERVER test_server RENAME TO prod_server;
UPDATE fdw_guard.rule SET except_roles = NULL, mode = 'warn';
ALTER SERVER prod_server RENAME TO test_server;
UPDATE fdw_guard.rule SET mode = 'off';
ALTER SERVER test_server RENAME TO prod_server;

-- Other changes of a role or a schema are no business of theirs, whatever stood there before.
DELETE FROM fdw_guard.rule;
INSERT INTO fdw_guard.rule (name, object_type, strict, options) VALUES
    ('no_token', 'user mapping', true, '{"properties": {"token": false}}'),
    ('no_name', 'foreign table', true, '{"properties": {"name": false}}');
ALTER ROLE renames_bob NOLOGIN;
ALTER ROLE renames_bob SET work_mem = '1MB';
ALTER SCHEMA audit OWNER TO renames_bob;
GRANT USAGE ON SCHEMA audit TO renames_bob;
-- A rename is: SET SCHEMA of the tables in it.
ALTER SCHEMA audit RENAME TO harmless;
ALTER ROLE renames_bob RENAME TO renames_eve;
DELETE FROM fdw_guard.rule;
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('stay', 'foreign table', '{SET SCHEMA}');
ALTER SCHEMA audit RENAME TO harmless;
-- What is wrong under the new name is found.
DELETE FROM fdw_guard.rule;
INSERT INTO fdw_guard.rule (name, object_type, relation, options) VALUES
    ('harmless', 'foreign table', '{harmless.*}', '{"properties": {"name": {"type": "string", "enum": ["y"]}}}');
ALTER SCHEMA audit RENAME TO harmless;

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER prod_wrapper CASCADE;
DROP SCHEMA audit;
DROP SCHEMA elsewhere2;
DROP ROLE renames_bob;
