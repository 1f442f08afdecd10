-- What violates the rules as it stands, what would mend it, and what a rule that is tried would find.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
RESET client_min_messages;
CREATE ROLE keeper;
CREATE ROLE alice;
CREATE ROLE author;
CREATE SERVER shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'shop.example', fetch_size '5000', application_name 'till');
CREATE SERVER stock FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'stock.example', sslmode 'disable');
ALTER SERVER stock OWNER TO keeper;
GRANT USAGE ON FOREIGN SERVER stock TO alice;
CREATE USER MAPPING FOR alice SERVER stock OPTIONS (user 'alice', password 'CANARY1');
CREATE USER MAPPING FOR PUBLIC SERVER stock OPTIONS (user 'everybody');
CREATE FOREIGN TABLE goods (id int OPTIONS (column_name 'nr'), price numeric) SERVER shop OPTIONS (table_name 'goods');

-- Nothing violates no rule.
SELECT * FROM fdw_guard.violations();

-- Rules that are written now do not change what is there. Rules of the mode off, and rules on forms, find nothing.
INSERT INTO fdw_guard.rule (name, object_type, options, forms, mode, hint) VALUES
    ('a_tls', 'server', '{"required": ["sslmode"], "properties": {"sslmode": {"const": "verify-full"}}}', '{}', 'deny', NULL),
    ('b_size', 'server', '{"required": ["fetch_size"], "properties": {"fetch_size": {"type": "integer", "maximum": 1000, "default": 100}}}', '{}', 'warn', NULL),
    ('c_name', 'server', '{"required": ["application_name"], "properties": {"application_name": {"enum": ["sales", "stock"]}}}', '{}', 'audit', 'Ask the warehouse team.'),
    ('d_password', 'user mapping', '{"required": ["password"], "properties": {"password": {"minLength": 12}}}', '{}', 'deny', NULL),
    ('e_table', 'foreign table', '{"required": ["schema_name"], "properties": {"schema_name": {"const": "o''shop"}}}', '{OWNER TO}', 'deny', NULL),
    ('f_column', 'foreign table column', '{"properties": {"column_name": false}}', '{}', 'deny', NULL),
    ('g_forms', 'server', NULL, '{CREATE}', 'deny', NULL),
    ('h_off', 'server', '{"required": ["dbname"]}', '{}', 'off', NULL);
UPDATE fdw_guard.rule SET message = 'tables name their schema' WHERE name = 'e_table';
\x on
SELECT * FROM fdw_guard.violations();
\x off
-- They can be told apart by the rule, the type of object and the server.
SELECT rule, object_type, identity, option FROM fdw_guard.violations(rule_name => 'b_size');
SELECT rule, object_type, identity, option FROM fdw_guard.violations(object_type => 'user mapping');
SELECT rule, object_type, identity, option FROM fdw_guard.violations(server => 'shop');
SELECT rule, object_type, identity, option FROM fdw_guard.violations(server => 'shop', object_type => 'server', rule_name => 'a_tls');
SELECT count(*) FROM fdw_guard.violations(rule_name => 'h_off');
SELECT count(*) FROM fdw_guard.violations(object_type => 'foreign-data wrapper');
-- What is not there is an error.
SELECT * FROM fdw_guard.violations(rule_name => 'b_sise');
SELECT * FROM fdw_guard.violations(object_type => 'table');
SELECT * FROM fdw_guard.violations(server => 'shopp');
-- Whom a rule binds is about changes, and so is the setting that switches rules off.
UPDATE fdw_guard.rule SET except_roles = '{public}' WHERE name = 'a_tls';
SET fdw_guard.enforcement = off;
SELECT count(*) FROM fdw_guard.violations(rule_name => 'a_tls');
RESET fdw_guard.enforcement;

-- What can be mended is mended; what is left needs somebody who knows.
SELECT fix FROM fdw_guard.violations() WHERE fix NOT LIKE '%secret%' \gexec
SELECT rule, identity, option, fix FROM fdw_guard.violations();

-- A rule that is tried is the only one that is told of, and comes into force for nobody. A row of the table will do.
SELECT identity, mode, option, fix FROM fdw_guard.violations(rule => '{
    "name": "dbname", "object_type": "server", "mode": "warn",
    "options": {"required": ["dbname"], "properties": {"dbname": {"const": "app"}}}}');
SELECT v.identity, v.mode FROM fdw_guard.rule r, fdw_guard.violations(rule => to_json(r)) v WHERE r.name = 'h_off';
SELECT name FROM fdw_guard.policy() WHERE name = 'dbname';
-- It is held against the same as one that is written.
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "options": {"requird": ["host"]}}');
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "optoins": {}}');
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "name": "y"}');
SELECT * FROM fdw_guard.violations(rule => '[]');
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "forms": ["DROP"]}', rule_name => 'a_tls');
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "options": {"properties": {"sslmode": {"const": "require"}}}}');
-- Where nothing is found although all may not be well, a notice says why.
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "server": ["stok"], "options": {"required": ["dbname"]}}');
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "server": ["s*", "!*"], "options": {"required": ["dbname"]}}');
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "options": {"required": ["dbname"], "maxProperties": 0}}');
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "database": ["regresion"], "options": {"required": ["dbname"]}}');
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "forms": ["DROP"]}');
BEGIN;
UPDATE fdw_guard.rule SET database = '{template1}' WHERE name = 'a_tls';
SELECT count(*) FROM fdw_guard.violations(rule_name => 'a_tls');
ROLLBACK;
-- Names of rules are told to those who may read rules.
SET ROLE author;
SELECT * FROM fdw_guard.violations(rule_name => 'b_sise');
RESET ROLE;
-- Trying a rule is for those who may write one, and no way to a secret.
SET ROLE author;
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "options": {"required": ["dbname"]}}');
RESET ROLE;
GRANT pg_write_all_data TO author;
SET ROLE author;
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "options": {"required": ["dbname"]}}');
RESET ROLE;
REVOKE pg_write_all_data FROM author;
GRANT INSERT ON fdw_guard.rule TO author;
SET ROLE author;
SELECT identity, option FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "server", "options": {"required": ["dbname"]}}');
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "user mapping", "options": {"required": ["password"], "properties": {"password": {"pattern": "^C"}}}}');
SELECT * FROM fdw_guard.violations(rule => '{"name": "x", "object_type": "user mapping", "trusted": true, "options": {"required": ["password"], "properties": {"password": {"pattern": "^C"}}}}');
RESET ROLE;

-- Everybody sees the violations of what he sees in pg_user_mappings, and of what everybody sees.
SELECT identity, option, detail FROM fdw_guard.violations(rule_name => 'd_password');
SET ROLE alice;
SELECT identity, option, detail FROM fdw_guard.violations(rule_name => 'd_password');
RESET ROLE;
SET ROLE keeper;
SELECT identity, option, detail FROM fdw_guard.violations(rule_name => 'd_password');
RESET ROLE;

-- A condition on the session is about the session that asks.
INSERT INTO fdw_guard.rule (name, object_type, options, condition) VALUES ('i_session', 'server', '{"required": ["dbname"]}',
    '{"properties": {"session": {"properties": {"current_role": {"const": "alice"}}, "required": ["current_role"]}}}');
SELECT count(*) FROM fdw_guard.violations(rule_name => 'i_session');
SET ROLE alice;
SELECT count(*) FROM fdw_guard.violations(rule_name => 'i_session');
RESET ROLE;

SET client_min_messages = warning;
DROP SERVER shop, stock CASCADE;
RESET client_min_messages;
SELECT count(*) FROM fdw_guard.violations();
DROP EXTENSION fdw_guard;
DROP EXTENSION postgres_fdw;
DROP ROLE keeper, alice, author;
