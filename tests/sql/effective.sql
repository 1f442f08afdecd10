-- The options of one object, and those that a query by a role would really use.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
SELECT fdw_guard.create_wrapper('guarded_file_fdw', 'file_fdw');
RESET client_min_messages;
CREATE ROLE keeper;
CREATE ROLE alice;
CREATE ROLE bob;
CREATE ROLE carol;
GRANT alice TO carol;
CREATE SERVER far FOREIGN DATA WRAPPER guarded_postgres_fdw
    OPTIONS (host 'h', port '', fetch_size '50', sslkey 'server.key', sslcert 'server.crt', application_name 'ours');
CREATE SERVER bare FOREIGN DATA WRAPPER postgres_fdw;
ALTER SERVER far OWNER TO keeper;
GRANT USAGE ON FOREIGN SERVER far TO alice, bob;
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'everybody', password 'CANARY1');
CREATE USER MAPPING FOR alice SERVER far OPTIONS (user 'alice_there', password 'CANARY2', sslkey 'alice.key', sslcert '');
CREATE USER MAPPING FOR alice SERVER bare;
CREATE FOREIGN TABLE goods (id int OPTIONS (column_name 'nr'), price numeric, gone int) SERVER far
    OPTIONS (table_name 'ware', fetch_size '200');
ALTER FOREIGN TABLE goods DROP COLUMN gone;
CREATE FOREIGN TABLE poor (id int) SERVER bare;
CREATE TABLE plain (id int);
CREATE VIEW goods_view AS SELECT * FROM goods;

-- The options of one object: secrets show to nobody, an object without options has none.
SELECT fdw_guard.server_options('far'), fdw_guard.server_options('bare');
SELECT fdw_guard.user_mapping_options('alice', 'far'), fdw_guard.user_mapping_options('public', 'far');
SELECT fdw_guard.user_mapping_options('alice', 'bare');
SELECT fdw_guard.foreign_table_options('goods'), fdw_guard.foreign_table_options('poor');
SELECT fdw_guard.column_options('goods', 'id'), fdw_guard.column_options('goods', 'price');
SELECT fdw_guard.server_options(NULL), fdw_guard.user_mapping_options('alice', NULL), fdw_guard.column_options('goods', NULL);
-- They say the same as the views.
SELECT count(*) AS differ FROM fdw_guard.servers WHERE fdw_guard.server_options(server) <> COALESCE(options, '{}');
SELECT count(*) AS differ FROM fdw_guard.user_mappings WHERE fdw_guard.user_mapping_options(role, server) <> COALESCE(options, '{}');
SELECT count(*) AS differ FROM fdw_guard.foreign_tables WHERE fdw_guard.foreign_table_options(relation) <> COALESCE(options, '{}');
SELECT count(*) AS differ FROM fdw_guard.foreign_columns WHERE fdw_guard.column_options(relation, column_name) <> COALESCE(options, '{}');
-- A value is whole, however long it is.
DO $$ BEGIN EXECUTE format('ALTER SERVER bare OPTIONS (ADD host %L)', repeat('x', 5000)); END $$;
SELECT length(fdw_guard.server_options('bare') ->> 'host'), length(options ->> 'host') FROM fdw_guard.servers WHERE server = 'bare';

-- What is not there is named.
SELECT fdw_guard.server_options('fra');
SELECT fdw_guard.server_options('no_such_server');
SELECT fdw_guard.user_mapping_options('alise', 'far');
SELECT fdw_guard.user_mapping_options('alice', 'fra');
SELECT fdw_guard.user_mapping_options('bob', 'far');
SELECT fdw_guard.user_mapping_options('bob', 'bare');
SELECT fdw_guard.foreign_table_options('plain');
SELECT fdw_guard.foreign_table_options('goods_view');
SELECT fdw_guard.foreign_table_options(1);
SELECT fdw_guard.column_options('plain', 'id');
SELECT fdw_guard.column_options('goods', 'prize');
SELECT fdw_guard.column_options('goods', 'gone');
SELECT fdw_guard.effective_options('plain', 'alice');
SELECT fdw_guard.effective_options('goods', 'alise');

-- What a query uses: the table before the server, an own mapping before the PUBLIC one. libpq takes empty values for none.
SELECT * FROM fdw_guard.effective_options('goods', 'alice');
SELECT * FROM fdw_guard.effective_options('goods', 'bob');
-- What every role without a mapping of its own uses.
SELECT * FROM fdw_guard.effective_options('goods', 'public') EXCEPT SELECT * FROM fdw_guard.effective_options('goods', 'bob');
-- Neither an own mapping nor a PUBLIC one: postgres_fdw would refuse the query.
SELECT option, length(value), object_type, identity FROM fdw_guard.effective_options('poor', 'bob');
SELECT * FROM fdw_guard.effective_options('poor', NULL);
-- A mapping's empty list hides that of PUBLIC all the same.
CREATE USER MAPPING FOR bob SERVER far;
SELECT option, value, identity FROM fdw_guard.effective_options('goods', 'bob') WHERE option IN ('user', 'password');
DROP USER MAPPING FOR bob SERVER far;
-- The setting of postgres_fdw comes last.
SET postgres_fdw.application_name = 'reports %u';
SELECT * FROM fdw_guard.effective_options('goods', 'alice') WHERE option = 'application_name';
RESET postgres_fdw.application_name;

-- file_fdw reads no mapping, and options of columns are each about their column.
CREATE SERVER files FOREIGN DATA WRAPPER guarded_file_fdw;
CREATE USER MAPPING FOR alice SERVER files;
CREATE FOREIGN TABLE lines (line text OPTIONS (force_not_null 'true')) SERVER files OPTIONS (filename '/dev/null', format 'csv');
SELECT * FROM fdw_guard.effective_options('lines', 'alice');

-- A wrapper that nothing is known of: the lowest object counts, and every option of a mapping is a secret.
CREATE FOREIGN DATA WRAPPER strange OPTIONS (a 'of wrapper', b 'of wrapper');
CREATE SERVER strange FOREIGN DATA WRAPPER strange OPTIONS (a 'of server', c 'of server', d 'of server');
CREATE USER MAPPING FOR PUBLIC SERVER strange OPTIONS (a 'CANARY3', c 'CANARY4', e '');
CREATE FOREIGN TABLE strange (id int OPTIONS (a 'of column')) SERVER strange OPTIONS (a 'of table', d '');
SELECT * FROM fdw_guard.effective_options('strange', 'bob');

-- Who may see it: members of the role. A mapping whose options pg_user_mappings hides is named all the same.
SET ROLE alice;
SELECT * FROM fdw_guard.effective_options('goods', 'alice');
SELECT fdw_guard.user_mapping_options('alice', 'far') ->> 'user' AS own, fdw_guard.user_mapping_options('public', 'far') AS hidden;
SELECT * FROM fdw_guard.effective_options('goods', 'public');
SELECT * FROM fdw_guard.effective_options('goods', 'bob');
SELECT * FROM fdw_guard.effective_options('lines', 'alice');
SET ROLE carol;
SELECT * FROM fdw_guard.effective_options('goods', 'alice') WHERE object_type <> 'server';
SET ROLE keeper;
SELECT option, value, identity FROM fdw_guard.effective_options('goods', 'public') WHERE object_type = 'user mapping';
SELECT * FROM fdw_guard.effective_options('goods', 'alice');
RESET ROLE;

-- Rules see the same effective options.
INSERT INTO fdw_guard.rule (name, object_type, mode, condition, forms, message) VALUES
    ('sees_own_key', 'user mapping', 'warn', '{"properties": {"effective": {"properties": {"sslkey": {"const": "alice.key"}}, "required": ["sslkey"]}}, "required": ["effective"]}', '{OPTIONS}', 'own key'),
    ('sees_servers_key', 'user mapping', 'warn', '{"properties": {"effective": {"properties": {"sslkey": {"const": "server.key"}}, "required": ["sslkey"]}}, "required": ["effective"]}', '{OPTIONS}', 'key of the server');
\set VERBOSITY terse
ALTER USER MAPPING FOR alice SERVER far OPTIONS (SET user 'a');
ALTER USER MAPPING FOR alice SERVER far OPTIONS (SET sslkey '');
DELETE FROM fdw_guard.rule;

SET client_min_messages = warning;
DROP VIEW goods_view;
DROP TABLE plain;
DROP SERVER strange CASCADE;
DROP FOREIGN DATA WRAPPER strange;
DROP SERVER far CASCADE;
DROP SERVER bare CASCADE;
DROP SERVER files CASCADE;
DROP FOREIGN DATA WRAPPER guarded_file_fdw;
DROP FUNCTION fdw_guard.guarded_file_fdw_handler, fdw_guard.guarded_file_fdw_validator;
DROP EXTENSION fdw_guard;
DROP EXTENSION postgres_fdw;
DROP EXTENSION file_fdw;
DROP ROLE keeper, alice, bob, carol;
