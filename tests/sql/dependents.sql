-- A rule that looks at the server or the wrapper binds what stands below it when the server or wrapper is what changes.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER w OPTIONS (zone 'inner');
CREATE SERVER test_db FOREIGN DATA WRAPPER w OPTIONS (host 'test');
CREATE USER MAPPING FOR PUBLIC SERVER test_db OPTIONS (user 'u', password 'p');
CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'x')) SERVER test_db OPTIONS (batch_size '100');

-- A condition on the server's options.
INSERT INTO fdw_guard.rule (name, object_type, condition, options) VALUES
    ('no_public_password', 'user mapping',
     '{"properties": {"server": {"properties": {"options": {"properties": {"host": {"type": "string", "const": "prod"}}, "required": ["host"]}}, "required": ["options"]},
                      "user_mapping": {"properties": {"role": {"const": "public"}}}}, "required": ["server"]}',
     '{"properties": {"password": false}}'),
    ('small_batches', 'foreign table',
     '{"properties": {"effective": {"properties": {"host": {"type": "string", "const": "prod"}}, "required": ["host"]}}, "required": ["effective"]}',
     '{"properties": {"batch_size": {"type": "integer", "maximum": 10}}}');
ALTER SERVER test_db OPTIONS (SET host 'prod');
ALTER SERVER test_db OPTIONS (SET host 'stage');

-- A pattern on the server's name.
UPDATE fdw_guard.rule SET condition = NULL, server = '{prod_*}' WHERE name = 'no_public_password';
ALTER SERVER test_db RENAME TO prod_db;
DELETE FROM fdw_guard.rule WHERE name = 'no_public_password';
ALTER SERVER test_db RENAME TO prod_db;

-- The wrapper: its options through a condition, its name through a pattern; servers, tables and columns below it.
INSERT INTO fdw_guard.rule (name, object_type, condition, options) VALUES
    ('outer_columns', 'foreign table column',
     '{"properties": {"wrapper": {"properties": {"options": {"properties": {"zone": {"const": "outer"}}, "required": ["zone"]}}, "required": ["options"]}}, "required": ["wrapper"]}',
     '{"properties": {"column_name": false}}');
INSERT INTO fdw_guard.rule (name, object_type, wrapper, options) VALUES
    ('strict_hosts', 'server', '{strict_*}', '{"properties": {"host": {"type": "string", "pattern": "^prod"}}}');
ALTER FOREIGN DATA WRAPPER w OPTIONS (SET zone 'outer');
ALTER FOREIGN DATA WRAPPER w RENAME TO strict_w;

-- The server's version and owner, the wrapper's handler.
DELETE FROM fdw_guard.rule;
CREATE ROLE dependents_owner SUPERUSER;
INSERT INTO fdw_guard.rule (name, object_type, condition, options) VALUES
    ('of_version', 'user mapping',
     '{"properties": {"server": {"properties": {"version": {"const": "2"}}, "required": ["version"]}}, "required": ["server"]}',
     '{"properties": {"password": false}}'),
    ('of_owner', 'foreign table',
     '{"properties": {"server": {"properties": {"owner": {"const": "dependents_owner"}}, "required": ["owner"]}}, "required": ["server"]}',
     '{"properties": {"batch_size": false}}'),
    ('of_handler', 'user mapping',
     '{"properties": {"wrapper": {"properties": {"handler": {"const": "postgres_fdw_handler"}}, "required": ["handler"]}}, "required": ["wrapper"]}',
     '{"properties": {"user": false}}');
CREATE EXTENSION postgres_fdw;
ALTER SERVER prod_db VERSION '1';
ALTER SERVER prod_db VERSION '2';
ALTER SERVER prod_db OWNER TO dependents_owner;
SET client_min_messages = error;
ALTER FOREIGN DATA WRAPPER w HANDLER postgres_fdw_handler;
SET client_min_messages = warning;
DROP EXTENSION postgres_fdw;
DROP ROLE dependents_owner;

-- A table that moves to a schema, or into the pattern by its name.
CREATE SCHEMA reporting;
INSERT INTO fdw_guard.rule (name, object_type, relation, options) VALUES
    ('reporting_columns', 'foreign table column', '{reporting.*}', '{"properties": {"column_name": false}}');
ALTER FOREIGN TABLE t SET SCHEMA reporting;
DELETE FROM fdw_guard.rule;
ALTER FOREIGN TABLE t SET SCHEMA reporting;

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP SCHEMA reporting;
