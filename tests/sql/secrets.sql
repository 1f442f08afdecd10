-- Values show only to those who see them in pg_user_mappings, secrets to nobody, and no message holds one.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
CREATE ROLE owner_of_server;
CREATE ROLE user_of_server;
CREATE ROLE stranger;
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO owner_of_server;
GRANT CREATE ON SCHEMA public TO owner_of_server;
SET ROLE owner_of_server;
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', port '5432');
GRANT USAGE ON FOREIGN SERVER s TO user_of_server;
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'everybody', password 'CANARY1');
CREATE USER MAPPING FOR user_of_server SERVER s OPTIONS (user 'me', password 'CANARY2');
CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'b')) SERVER s OPTIONS (table_name 't');
RESET ROLE;
SELECT object_type, role, option, value, is_secret FROM fdw_guard.options WHERE server = 's' ORDER BY object_type, role, option;
SELECT role, options FROM fdw_guard.user_mappings ORDER BY role;
SELECT server, type, version, options FROM fdw_guard.servers;
SELECT schema, name, options FROM fdw_guard.foreign_tables;
SELECT name, column_name, options FROM fdw_guard.foreign_columns;
SET ROLE owner_of_server;
SELECT role, options FROM fdw_guard.user_mappings ORDER BY role;
SET ROLE user_of_server;
SELECT role, options FROM fdw_guard.user_mappings ORDER BY role;
SET ROLE stranger;
SELECT role, options FROM fdw_guard.user_mappings ORDER BY role;
SELECT o.* FROM pg_user_mappings m, fdw_guard.visible_options('pg_user_mapping', m.umid, 0) o;
RESET ROLE;

-- A rule of somebody who may write rules but is no superuser is no oracle for a secret.
GRANT INSERT, SELECT, DELETE ON fdw_guard.rule TO owner_of_server;
SET ROLE owner_of_server;
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('oracle', 'user mapping', '{"properties": {"password": {"type": "string", "pattern": "^C"}}}');
INSERT INTO fdw_guard.rule (name, object_type, options, trusted)
    VALUES ('oracle', 'user mapping', '{"properties": {"password": {"const": "CANARY1"}}}', true);
INSERT INTO fdw_guard.rule (name, object_type, strict, options)
    VALUES ('length', 'user mapping', true, '{"properties": {"password": {"type": "string", "minLength": 8}}}');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'CANARY3');
DELETE FROM fdw_guard.rule;
RESET ROLE;
-- Nor by a trigger that changes a rule after it was checked.
GRANT ALL ON fdw_guard.rule TO owner_of_server;
SET ROLE owner_of_server;
CREATE FUNCTION public.trust_me() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.trusted := true; RETURN NEW; END $$;
CREATE TRIGGER zz BEFORE INSERT ON fdw_guard.rule FOR EACH ROW EXECUTE FUNCTION public.trust_me();
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('mine', 'server', '{"properties": {"host": false}}');
RESET ROLE;
DROP FUNCTION public.trust_me() CASCADE;
-- Who may write every table may not write rules by that.
GRANT pg_write_all_data TO stranger;
SET ROLE stranger;
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('mine', 'server', '{"properties": {"host": false}}');
RESET ROLE;
SELECT fdw_guard.add_rule('kept', 'server', 'dbname', forbidden => true);
SET ROLE stranger;
DELETE FROM fdw_guard.rule;
RESET ROLE;
REVOKE pg_write_all_data FROM stranger;
DELETE FROM fdw_guard.rule;
-- A superuser's may look at it, and still no message shows it.
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('not_that_one', 'user mapping', '{"properties": {"password": {"type": "string", "not": {"enum": ["CANARY4"]}, "pattern": "^C"}}}');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'CANARY4');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'xCANARY5');
-- The setting names more secrets; on a server they are shown to nobody either.
SET fdw_guard.secret_options = 'host, *_key';
SELECT option, value FROM fdw_guard.options WHERE server = 's' AND object_type = 'server' ORDER BY option;
SELECT fdw_guard.add_rule('local', 'server', 'host', allowed => '{h}');
ALTER SERVER s OPTIONS (SET host 'CANARY7');
RESET fdw_guard.secret_options;
\set VERBOSITY default
SET fdw_guard.secret_options = 'ho[st';

-- Functions and tables that are not for everybody.
SET ROLE stranger;
SELECT * FROM fdw_guard.policy();
SELECT * FROM fdw_guard.rule;
SELECT fdw_guard.install_pack('postgres_fdw');
SELECT fdw_guard.add_rule('r', 'server', 'host', forbidden => true);
SELECT protection FROM fdw_guard.status() LIMIT 1;
RESET ROLE;

DROP EXTENSION fdw_guard;
DROP EXTENSION postgres_fdw CASCADE;
REVOKE CREATE ON SCHEMA public FROM owner_of_server;
DROP ROLE owner_of_server, user_of_server, stranger;
