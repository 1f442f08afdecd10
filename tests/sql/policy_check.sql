-- Rules that cannot do what they were written for.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
CREATE ROLE keeper;
CREATE ROLE watcher;
CREATE SERVER warehouse FOREIGN DATA WRAPPER guarded_postgres_fdw;
CREATE USER MAPPING FOR keeper SERVER warehouse;
CREATE FOREIGN TABLE goods (id int) SERVER warehouse;

SELECT * FROM fdw_guard.policy_check();

-- no finding → write a rule → one finding → mend it → none
INSERT INTO fdw_guard.rule (name, object_type, server, options) VALUES ('one', 'server', '{ware*,!w*}', '{"required": ["host"]}');
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET server = '{w*,!ware*}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET server = '{wharehouse}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET server = '{w*}', wrapper = '{postgresfdw}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET wrapper = '{postgres_fdw}';
SELECT * FROM fdw_guard.policy_check();

UPDATE fdw_guard.rule SET condition = '{"required": ["user_mapping"]}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET condition = '{"required": ["wrapper"]}';
SELECT * FROM fdw_guard.policy_check();

UPDATE fdw_guard.rule SET options = '{"required": ["port"], "properties": {"port": {"type": "integer", "minimum": 6000, "maximum": 5432}}}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET options = '{"properties": {"port": {"type": "integer", "minimum": 6000, "maximum": 5432}}}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET options = '{"properties": {"port": {"type": "integer", "minimum": 5432, "maximum": 6000}}}';
SELECT * FROM fdw_guard.policy_check();

UPDATE fdw_guard.rule SET options = '{"required": ["hots"]}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET options = '{"required": ["host"]}';
SELECT * FROM fdw_guard.policy_check();

UPDATE fdw_guard.rule SET except_roles = '{keepr,public}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET roles = '{keeper}', except_roles = '{keeper}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET roles = NULL, except_roles = NULL;
SELECT * FROM fdw_guard.policy_check();

UPDATE fdw_guard.rule SET database = '{regresion}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET database = '{template?}';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET database = DEFAULT;
SELECT * FROM fdw_guard.policy_check();

INSERT INTO fdw_guard.rule (name, object_type, wrapper, server, options, condition, mode)
    SELECT 'two', object_type, wrapper, server, options, condition, 'warn' FROM fdw_guard.rule;
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET server = '{warehouse}' WHERE name = 'two';
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET mode = 'off' WHERE name = 'two';
SELECT * FROM fdw_guard.policy_check();
DELETE FROM fdw_guard.rule;

-- A rule that was accepted by an older version, or behind the back of the check.
BEGIN;
ALTER TABLE fdw_guard.rule DISABLE TRIGGER USER;
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('old', 'server', '{"requires": ["host"]}');
SELECT rule, severity, finding, detail, hint FROM fdw_guard.policy_check();
ROLLBACK;
SELECT * FROM fdw_guard.policy_check();

-- What rules on every type of object are about is found.
INSERT INTO fdw_guard.rule (name, object_type, wrapper, role, relation, column_name, forms) VALUES
    ('a', 'foreign-data wrapper', '{guarded_postgres_fdw}', '{*}', '{*}', '{*}', '{DROP}'),
    ('b', 'user mapping', '{*}', '{keeper}', '{*}', '{*}', '{DROP}'),
    ('c', 'user mapping', '{*}', '{public}', '{*}', '{*}', '{DROP}'),
    ('d', 'user mapping', '{*}', '{nobody}', '{*}', '{*}', '{DROP}'),
    ('e', 'foreign table', '{*}', '{*}', '{public.goods}', '{*}', '{DROP}'),
    ('f', 'foreign table', '{*}', '{*}', '{other.goods}', '{*}', '{DROP}'),
    ('g', 'foreign table column', '{*}', '{*}', '{goods}', '{id}', '{DROP}'),
    ('h', 'foreign table column', '{*}', '{*}', '{goods}', '{price}', '{DROP}');
SELECT * FROM fdw_guard.policy_check();
DELETE FROM fdw_guard.rule;

-- What is about the past of secrets is idle where there is none.
INSERT INTO fdw_guard.rule (name, object_type, max_age) VALUES ('aged', 'server', '90 days');
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET max_age = NULL, reuse_history = 3, object_type = 'foreign table column';
SELECT finding, detail FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET max_age = '90 days', object_type = 'user mapping';
SELECT finding, detail FROM fdw_guard.policy_check();
ALTER USER MAPPING FOR keeper SERVER warehouse OPTIONS (ADD password 'x');
SELECT * FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET options = '{"properties": {"sslpassword": {"minLength": 8}}}';
SELECT finding, detail FROM fdw_guard.policy_check();
UPDATE fdw_guard.rule SET role = '{public}';
SELECT finding, detail FROM fdw_guard.policy_check();
SET client_min_messages = notice;
SELECT * FROM fdw_guard.violations(rule => '{"name": "t", "object_type": "foreign table", "max_age": "1 day"}');
SET client_min_messages = warning;
DELETE FROM fdw_guard.rule;

-- The packs are in good health.
SELECT sum(fdw_guard.install_pack(name)) > 0 AS installed FROM fdw_guard.packs;
SELECT rule, finding, detail FROM fdw_guard.policy_check() WHERE finding <> 'matches nothing';

-- Of a pack that there is nothing is left to remove; of another that is said.
SELECT fdw_guard.uninstall_pack('file_fdw') > 0 AS removed, fdw_guard.uninstall_pack('file_fdw') AS again;
SELECT fdw_guard.uninstall_pack('file_fwd');
UPDATE fdw_guard.rule SET pack = 'of a former version' WHERE pack = 'postgres_fdw';
SELECT fdw_guard.uninstall_pack('of a former version') > 0 AS removed;

-- It is for those who may see the rules.
SET ROLE watcher;
SELECT * FROM fdw_guard.policy_check();
RESET ROLE;
GRANT pg_monitor TO watcher;
SET ROLE watcher;
SELECT count(*) FROM fdw_guard.policy_check() WHERE severity = 'error';
RESET ROLE;

DROP SERVER warehouse CASCADE;
DROP EXTENSION fdw_guard;
DROP EXTENSION postgres_fdw;
DROP ROLE keeper, watcher;
