-- A tour through fdw_guard. `make demo` plays it against a private cluster; psql's variables port and csv say where that
-- cluster listens and which file it may write. A line "-- refused: SQLSTATE rule" stands before each statement that
-- must be refused, with the rule's name as the error's constraint name; every other statement must pass.

\set VERBOSITY verbose
\set ON_ERROR_STOP off
\pset pager off
\pset footer off

\echo
\echo '------------------------------------------------------------------------------------------'
\echo ' 1. Real foreign data: a second database with a password, and a CSV file'
\echo '------------------------------------------------------------------------------------------'
\echo
\echo 'The database warehouse holds 20,000 orders. It lets warehouse_reader in by scram-sha-256.'
\echo
\set QUIET on
SET password_encryption = 'scram-sha-256';
CREATE ROLE warehouse_reader LOGIN PASSWORD 'autumn leaves fall';
CREATE DATABASE warehouse;
CREATE DATABASE shop;
\connect warehouse
CREATE TABLE orders (id integer PRIMARY KEY, customer text NOT NULL, street text, total numeric(10, 2) NOT NULL);
INSERT INTO orders
    SELECT n, 'customer ' || n % 997, n % 250 || ' Harbour Road', (n * 37 % 100000) / 100.0 FROM generate_series(1, 20000) n;
GRANT SELECT ON orders TO warehouse_reader;
\set QUIET off
\set ECHO queries
SELECT count(*) AS orders, sum(total) AS total FROM orders;

COPY (SELECT id, customer, total FROM orders WHERE id <= 12000) TO :'csv' (FORMAT csv, HEADER);

\set ECHO none
\echo
\echo 'The database shop reaches both: the orders by postgres_fdw, the CSV by file_fdw.'
\echo
\set QUIET on
\connect shop
\set QUIET off
\set ECHO queries
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;

CREATE SERVER warehouse FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '127.0.0.1', port :'port', dbname 'warehouse');
CREATE USER MAPPING FOR CURRENT_USER SERVER warehouse
    OPTIONS (user 'warehouse_reader', password 'autumn leaves fall');
CREATE FOREIGN TABLE orders (id integer, customer text, street text, total numeric(10, 2)) SERVER warehouse;

CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE exported_orders (id integer, customer text, total numeric(10, 2)) SERVER files
    OPTIONS (filename :'csv', format 'csv', header 'true');

SELECT count(*) AS in_both, sum(o.total) AS total FROM orders o JOIN exported_orders e USING (id, customer, total);

\set ECHO none
\echo
\echo '------------------------------------------------------------------------------------------'
\echo ' 2. What goes wrong today: PostgreSQL takes nearly every option, the next query pays for it'
\echo '------------------------------------------------------------------------------------------'
\echo
\set ECHO queries
ALTER SERVER warehouse OPTIONS (ADD sslmode 'bogus');

-- refused: 08001
SELECT count(*) FROM orders;

ALTER SERVER warehouse OPTIONS (DROP sslmode);

\set ECHO none
\echo
\echo '------------------------------------------------------------------------------------------'
\echo ' 3. A rule pack knows the options of a wrapper'
\echo '------------------------------------------------------------------------------------------'
\echo
\set ECHO queries
CREATE EXTENSION fdw_guard;

SELECT fdw_guard.install_pack('postgres_fdw') AS rules;

SELECT fdw_guard.install_pack('file_fdw') AS rules;

-- refused: HV024 postgres_fdw_invalid_server_option
ALTER SERVER warehouse OPTIONS (ADD sslmode 'bogus');

-- refused: HV024 postgres_fdw_invalid_server_option
ALTER SERVER warehouse OPTIONS (SET port 'notaport');

-- refused: HV024 file_fdw_invalid_table_option
ALTER FOREIGN TABLE exported_orders OPTIONS (SET filename '');

ALTER SERVER warehouse OPTIONS (ADD connect_timeout '10', ADD fetch_size '1000');

SELECT count(*) FROM orders;

\set ECHO none
\echo
\echo '------------------------------------------------------------------------------------------'
\echo ' 4. Rules of your own: by add_rule, or as a row with a JSON Schema'
\echo '------------------------------------------------------------------------------------------'
\echo
\echo 'The warehouse is on this machine. Passwords have twelve characters. The CSV comes from a file.'
\echo
\set ECHO queries
SELECT fdw_guard.add_rule('warehouse_host', 'server', 'host',
    allowed => '{127.0.0.1}', required => true, server => 'warehouse',
    message => 'the warehouse is reached on this machine only');

SELECT fdw_guard.add_rule('long_passwords', 'user mapping', 'password',
    min_length => 12, required => true, wrapper => 'postgres_fdw');

SELECT fdw_guard.add_rule('no_programs', 'foreign table', 'program',
    forbidden => true, wrapper => 'file_fdw');

INSERT INTO fdw_guard.rule (name, object_type, server, options, hint) VALUES (
    'modest_fetches', 'foreign table', '{warehouse}',
    '{"properties": {"fetch_size": {"type": "integer", "minimum": 100, "maximum": 10000}}}',
    'Ask the warehouse team before you fetch more than 10000 rows at a time.');

-- refused: HV024 warehouse_host
ALTER SERVER warehouse OPTIONS (SET host 'db.example.com');

-- refused: HV00J warehouse_host
ALTER SERVER warehouse OPTIONS (DROP host);

-- refused: HV024 long_passwords
ALTER USER MAPPING FOR CURRENT_USER SERVER warehouse OPTIONS (SET password 'public');

-- refused: HV00D no_programs
CREATE FOREIGN TABLE listing (line text) SERVER files OPTIONS (program 'ls');

-- refused: HV024 modest_fetches
ALTER FOREIGN TABLE orders OPTIONS (ADD fetch_size '50000');

ALTER FOREIGN TABLE orders OPTIONS (ADD fetch_size '5000');

\set ECHO none
\echo
\echo 'All faults of a statement come in one error, whichever command makes the change.'
\echo
\set ECHO queries
-- refused: HV024 postgres_fdw_invalid_server_option
ALTER SERVER warehouse OPTIONS (SET host 'db.example.com', SET port '99999', SET connect_timeout 'soon');

-- refused: HV024 warehouse_host
DO $$ BEGIN EXECUTE 'ALTER SERVER warehouse OPTIONS (SET host ''10.0.0.1'')'; END $$;

\set ECHO none
\echo
\echo 'A good change passes, and counts at the next connection: the password is changed on both sides.'
\echo
\set ECHO queries
ALTER ROLE warehouse_reader PASSWORD 'winter nights are long';
ALTER USER MAPPING FOR CURRENT_USER SERVER warehouse OPTIONS (SET password 'winter nights are long');

SELECT count(*) AS orders FROM orders;

\set ECHO none
\echo
\echo '------------------------------------------------------------------------------------------'
\echo ' 5. Rules about forms of change, about who makes it, and rules that only warn'
\echo '------------------------------------------------------------------------------------------'
\echo
\set ECHO queries
INSERT INTO fdw_guard.rule (name, object_type, relation, forms, message, hint) VALUES (
    'frozen_columns', 'foreign table', '{public.orders}', '{ADD COLUMN, DROP COLUMN, SET NOT NULL}',
    'the columns of orders are those of the warehouse', 'Change the table in the warehouse first.');

-- refused: 42501 frozen_columns
ALTER FOREIGN TABLE orders ALTER COLUMN street SET NOT NULL;

-- refused: 42501 frozen_columns
ALTER TABLE orders DROP COLUMN street;

ALTER FOREIGN TABLE orders ALTER COLUMN street SET STATISTICS 500;

CREATE ROLE intern;
CREATE ROLE keeper;
GRANT USAGE ON FOREIGN SERVER files TO intern, keeper;
GRANT CREATE ON SCHEMA public TO intern, keeper;
GRANT pg_read_server_files TO intern, keeper;

INSERT INTO fdw_guard.rule (name, object_type, wrapper, options, except_roles, message) VALUES (
    'only_keepers_name_files', 'foreign table', '{file_fdw}',
    '{"properties": {"filename": false}}', '{keeper,postgres}', 'only keepers say which file is read');

SET ROLE intern;

-- refused: HV00D only_keepers_name_files
CREATE FOREIGN TABLE mine (id text, customer text, total text) SERVER files OPTIONS (filename :'csv', format 'csv');

SET ROLE keeper;
CREATE FOREIGN TABLE kept (id text, customer text, total text) SERVER files OPTIONS (filename :'csv', format 'csv');
RESET ROLE;

SELECT fdw_guard.add_rule('estimate_there', 'server', 'use_remote_estimate',
    allowed => '{true}', server => 'warehouse', mode => 'warn',
    message => 'plans are better when the warehouse makes the estimates');

ALTER SERVER warehouse OPTIONS (ADD use_remote_estimate 'false');

\set ECHO none
\echo
\echo '------------------------------------------------------------------------------------------'
\echo ' 6. What the options are, which rules are in force, which protections are active'
\echo '------------------------------------------------------------------------------------------'
\echo
\echo 'Secrets are shown to nobody, superusers included.'
\echo
\set ECHO queries
SELECT object_type, server, role, relation, option, value FROM fdw_guard.options ORDER BY 1, 2, 3, 4, 5;

SELECT name, object_type, mode, source FROM fdw_guard.policy()
    WHERE name IN (SELECT name FROM fdw_guard.rule WHERE pack IS NULL) ORDER BY name;

SELECT name, rules, installed FROM fdw_guard.packs ORDER BY name;

SELECT protection, active, detail FROM fdw_guard.status();

\set ECHO none
