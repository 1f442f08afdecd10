-- What a statement would do, without doing it: every change, every violation with its verdict, PostgreSQL's own errors.
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER plain;
CREATE SERVER far FOREIGN DATA WRAPPER plain OPTIONS (host 'a', port '1');
CREATE ROLE plan_owner;
CREATE ROLE plan_mapped;
CREATE USER MAPPING FOR plan_mapped SERVER far OPTIONS (user 'reader', password 'autumn');
CREATE FOREIGN TABLE orders (id integer, street text) SERVER far OPTIONS (name 'o');
SELECT fdw_guard.add_rule('known_hosts', 'server', 'host', allowed => '{a,b}');
SELECT fdw_guard.add_rule('high_ports', 'server', 'port', minimum => 1024, mode => 'warn');
INSERT INTO fdw_guard.rule (name, object_type, forms, mode, hint)
    VALUES ('columns_stay', 'foreign table', '{DROP COLUMN}', 'audit', 'Ask first.');

-- Change by change.
SELECT * FROM fdw_guard.plan($$ALTER SERVER far OPTIONS (SET host 'b', ADD fetch_size '10')$$);
SELECT * FROM fdw_guard.plan($$ALTER SERVER far OPTIONS (SET host 'c', DROP port)$$);
SELECT seq, identity, attribute, change, old, new, verdict, rule FROM fdw_guard.plan($$
    ALTER FOREIGN TABLE orders ALTER COLUMN id TYPE bigint, DROP COLUMN street, ADD CHECK (id > 0);
    ALTER FOREIGN TABLE orders RENAME TO orders_of_old$$) ORDER BY seq, identity, attribute COLLATE "C";

-- Secrets show to nobody.
SELECT object_type, identity, attribute, change, old, new
    FROM fdw_guard.plan($$ALTER USER MAPPING FOR plan_mapped SERVER far OPTIONS (SET password 'winter', SET user 'writer')$$);

-- The same as a text.
\pset format unaligned
\pset tuples_only
SELECT fdw_guard.explain_plan($$ALTER SERVER far OPTIONS (SET host 'c', DROP port)$$);
SELECT fdw_guard.explain_plan($$ALTER SERVER far OPTIONS (ADD fetch_size '10'); ALTER SERVER far OWNER TO plan_owner; DROP SERVER far CASCADE$$);
SELECT fdw_guard.explain_plan($$CREATE FOREIGN TABLE more (a integer OPTIONS (x 'y') DEFAULT 1 CHECK (a > 0), b text COLLATE "C") SERVER far$$);
SELECT fdw_guard.explain_plan($$ALTER SERVER far OPTIONS (SET host 'a')$$);
SELECT fdw_guard.explain_plan('');

-- PostgreSQL's own errors are told with their place in the text, and nothing after them is tried.
SELECT fdw_guard.explain_plan($$ALTER SERVER far OPTIONS (ADD x '1'); ALTER SERVER fax OPTIONS (ADD x '1'); DROP SERVER far$$);
SELECT fdw_guard.explain_plan($$ALTER SERVER far OPTIONZ (ADD x '1')$$);
SELECT fdw_guard.explain_plan($$ALTER SERVER far VERSION '2'; CREATE FOREIGN TABLE more (id no_such_type) SERVER far$$);

-- What no rollback undoes is refused before anything runs.
\set VERBOSITY verbose
SELECT fdw_guard.explain_plan('SELECT 1');
SELECT fdw_guard.explain_plan('DROP SERVER far CASCADE; COMMIT');
SELECT fdw_guard.explain_plan('IMPORT FOREIGN SCHEMA s FROM SERVER far INTO public');
SELECT fdw_guard.explain_plan('ALTER TABLE p DETACH PARTITION orders CONCURRENTLY');
SELECT fdw_guard.explain_plan('DROP SERVER far CASCADE', '-1s');
SELECT fdw_guard.explain_plan('COMMENT ON SERVER far IS NULL');
SELECT fdw_guard.explain_plan('GRANT SELECT ON orders TO plan_owner');
SELECT fdw_guard.explain_plan(NULL);
SELECT * FROM fdw_guard.plan(NULL);

-- Nothing was done.
SELECT server, options FROM fdw_guard.servers WHERE server = 'far';

DROP FOREIGN DATA WRAPPER plain CASCADE;
DROP ROLE plan_owner, plan_mapped;
DROP EXTENSION fdw_guard;
