-- Desired state: options are made so, by as few changes as it takes, with the rights and through the rules of the ALTER.
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
RESET client_min_messages;
CREATE ROLE keeper;
CREATE ROLE alice;
CREATE ROLE "Bob";
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', port '5432');
CREATE SERVER near FOREIGN DATA WRAPPER postgres_fdw;
ALTER SERVER far OWNER TO keeper;
CREATE FOREIGN TABLE goods (id int OPTIONS (column_name 'nr'), price numeric) SERVER far OPTIONS (table_name 'ware');
CREATE TABLE plain (id int);

-- The whole story is heard by an event trigger.
CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING '% %', tg_tag, (SELECT string_agg(object_type || ' ' || object_identity, ', ') FROM pg_event_trigger_ddl_commands());
END $$;
CREATE EVENT TRIGGER hear ON ddl_command_end EXECUTE FUNCTION hear();

-- What differs is changed, what is absent is left, null drops; numbers and booleans are written as wrappers read them.
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "elsewhere", "port": null, "fetch_size": 500, "async_capable": true}');
SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'far';
-- Where nothing differs nothing is done.
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "elsewhere", "port": null, "fetch_size": 500, "async_capable": true}');
SELECT * FROM fdw_guard.set_server_options('far', '{}');
SELECT * FROM fdw_guard.set_foreign_table_options('goods', '{"table_name": "goods", "schema_name": "shop"}');
SELECT * FROM fdw_guard.set_foreign_table_options('goods', '{"table_name": "goods", "schema_name": null}');
SELECT * FROM fdw_guard.set_column_options('goods', 'id', '{"column_name": null}');
SELECT * FROM fdw_guard.set_column_options('goods', 'price', '{"column_name": "Price in €, it''s \\ \"net\""}');
SELECT ftoptions, attname, attfdwoptions FROM pg_foreign_table JOIN pg_attribute ON attrelid = ftrelid WHERE attnum > 0 ORDER BY attnum;

-- User mappings: a secret is always set, and shows nowhere.
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader", "password": "CANARY1"}');
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader", "password": "CANARY1"}', "create" => true);
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader", "password": "CANARY2"}', "create" => true);
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader", "password": "CANARY2"}');
SELECT umoptions FROM pg_user_mapping;
SELECT * FROM fdw_guard.set_user_mapping_options('Bob', 'far', '{}', true);
SELECT * FROM fdw_guard.set_user_mapping_options('Bob', 'far', '{}', true);
SELECT * FROM fdw_guard.set_user_mapping_options('public', 'far', '{"password": "CANARY3", "user": null}', true);
SELECT * FROM fdw_guard.set_user_mapping_options('public', 'far', '{"password": null}');
SELECT usename, umoptions FROM pg_user_mappings ORDER BY usename COLLATE "C";

-- A bind parameter carries the secret.
PREPARE rotate(text) AS SELECT * FROM fdw_guard.set_user_mapping_options('Bob', 'far', jsonb_build_object('password', $1), true);
EXECUTE rotate('CANARY4');

-- rotate_secret changes every matching mapping that has the option.
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY5');
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY6', role_pattern => '"Bob"');
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY7', '!far');
SELECT * FROM fdw_guard.rotate_secret('pasword', 'CANARY8', 'f*');
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY8', 'fra');
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY8', role_pattern => 'alcie');
SELECT usename, umoptions FROM pg_user_mappings ORDER BY usename COLLATE "C";

-- What is wrong is named.
DROP EVENT TRIGGER hear;
DROP FUNCTION hear();
\set VERBOSITY verbose
SELECT * FROM fdw_guard.set_server_options('fra', '{}');
SELECT * FROM fdw_guard.set_user_mapping_options('alise', 'far', '{}', true);
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'near', '{}');
SELECT * FROM fdw_guard.set_foreign_table_options('plain', '{}');
SELECT * FROM fdw_guard.set_foreign_table_options(1, '{}');
SELECT * FROM fdw_guard.set_column_options('goods', 'prize', '{}');
SELECT * FROM fdw_guard.set_server_options('far', '[]');
SELECT * FROM fdw_guard.set_server_options('far', '{"host": ["a", "b"]}');
SELECT * FROM fdw_guard.set_server_options('far', '{"": "x"}');
SELECT * FROM fdw_guard.set_server_options('far', '{"a=b": "x"}');
SELECT * FROM fdw_guard.set_server_options('far', jsonb_build_object(repeat('x', 64), 'x'));
SELECT * FROM fdw_guard.set_server_options('far', NULL);
SELECT * FROM fdw_guard.set_server_options(NULL, '{}');
SELECT * FROM fdw_guard.rotate_secret('password', NULL);
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY9', 'a.b');
\set VERBOSITY default
-- PostgreSQL's and the wrapper's own errors come whole, with the statement that failed.
SELECT * FROM fdw_guard.set_server_options('far', '{"fetch_size": "x", "password": "CANARY10"}');
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"password_required": "maybe", "password": "CANARY12"}');

\set VERBOSITY verbose
-- Rules hold, with every field of their errors.
SET client_min_messages = warning;
SELECT fdw_guard.add_rule('no_short_passwords', 'user mapping', 'password', min_length => 8);
SELECT fdw_guard.add_rule('hosts', 'server', 'host', allowed => '{elsewhere}', message => 'no other host');
RESET client_min_messages;
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"password": "CANARY"}');
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "x"}');
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('frozen', 'foreign table', '{OPTIONS}');
SELECT * FROM fdw_guard.set_foreign_table_options('goods', '{"schema_name": "x"}');
SELECT * FROM fdw_guard.set_foreign_table_options('goods', '{"table_name": "goods"}');
DELETE FROM fdw_guard.rule;

-- Rights are those of the ALTER, and asked for before anything is compared.
SET ROLE alice;
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "elsewhere"}');
SELECT * FROM fdw_guard.set_foreign_table_options('goods', '{"table_name": "goods"}');
SELECT * FROM fdw_guard.set_column_options('goods', 'id', '{}');
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader"}');
SELECT * FROM fdw_guard.set_user_mapping_options('Bob', 'far', '{"user": null}');
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'near', '{}', true);
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY13');
SELECT * FROM fdw_guard.rotate_secret('no_such_option', 'CANARY13', role_pattern => '"Bob"');
SET ROLE keeper;
GRANT USAGE ON FOREIGN SERVER far TO alice;
-- Of another's mapping the server's owner sees nothing: what it shall be is always set.
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader"}');
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader"}');
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"sslcert": null}');
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "elsewhere"}');
SET ROLE alice;
SELECT * FROM fdw_guard.set_user_mapping_options('alice', 'far', '{"user": "reader", "password": "CANARY14", "sslkey": null}');
SELECT * FROM fdw_guard.rotate_secret('password', 'CANARY15', role_pattern => 'alice');
RESET ROLE;

\set VERBOSITY default
-- In a transaction that must not write nothing differs, or PostgreSQL refuses.
BEGIN TRANSACTION READ ONLY;
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "elsewhere"}');
SELECT * FROM fdw_guard.set_server_options('far', '{"host": "x"}');
ROLLBACK;
-- A failure takes everything back, and the session goes on.
DO $$ BEGIN
    PERFORM fdw_guard.set_server_options('far', '{"host": "x"}');
    PERFORM fdw_guard.set_server_options('far', '{"hots": "x"}');
EXCEPTION WHEN fdw_invalid_option_name THEN
    RAISE WARNING 'caught: %', SQLERRM;
END $$;
SELECT fdw_guard.server_options('far') ->> 'host' AS host;

-- Names as they are.
ALTER SERVER near RENAME TO "Near, ""it's"" me";
SELECT * FROM fdw_guard.set_server_options('Near, "it''s" me', '{"host": "\\''\"$$"}');
SELECT srvoptions FROM pg_foreign_server WHERE srvname LIKE 'Near%';
CREATE SCHEMA "Select";
CREATE FOREIGN TABLE "Select"."Table" ("Column" int) SERVER far;
SELECT * FROM fdw_guard.set_column_options('"Select"."Table"', 'Column', '{"column_name": "c"}');
CREATE FOREIGN TABLE pg_temp.passing (id int) SERVER far;
SELECT * FROM fdw_guard.set_foreign_table_options('passing', '{"table_name": "t"}');

SET client_min_messages = warning;
DROP TABLE plain;
DROP SERVER far CASCADE;
DROP SERVER "Near, ""it's"" me" CASCADE;
DROP SCHEMA "Select";
DROP EXTENSION fdw_guard;
DROP EXTENSION postgres_fdw;
DROP ROLE keeper, alice, "Bob";
