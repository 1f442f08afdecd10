-- Rules with reuse_history and max_age: no former value again, and no value for too long.
\set VERBOSITY verbose
SET client_min_messages = warning;
SET intervalstyle = 'postgres';
CREATE ROLE past_bob;
CREATE ROLE past_owner;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w;
ALTER SERVER s OWNER TO past_owner;
GRANT USAGE ON FOREIGN SERVER s TO past_bob;
CREATE USER MAPPING FOR past_bob SERVER s OPTIONS (password 'autumn 1');
-- What is kept of each secret.
CREATE VIEW kept AS
    SELECT option, set_at IS NOT NULL AS age_is_known, cardinality(verifiers) AS former,
           (SELECT bool_and(v LIKE 'SCRAM-SHA-256$4096:%') FROM unnest(verifiers) v) AS scram
    FROM fdw_guard.secret_row ORDER BY object, option;

-- What is refused of a rule.
INSERT INTO fdw_guard.rule (name, object_type, max_age) VALUES ('r', 'user mapping', '-1 day');
INSERT INTO fdw_guard.rule (name, object_type, reuse_history) VALUES ('r', 'user mapping', 101);
INSERT INTO fdw_guard.rule (name, object_type) VALUES ('r', 'user mapping');

-- The value from before the rule is known when it is replaced; nothing is kept before that.
INSERT INTO fdw_guard.rule (name, object_type, options, reuse_history)
    VALUES ('fresh', 'user mapping', '{"properties": {"password": {"minLength": 3}}}', 2);
SELECT max_age, reuse_history FROM fdw_guard.policy();
SELECT * FROM kept;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 1');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 2');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 1');
SELECT * FROM kept;
-- As many others make an old one as good as new.
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 3');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 1');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 4');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'autumn 1');
SELECT * FROM kept;

-- Neither dropping the option, nor other options, nor another name, nor another role makes a way around it.
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (DROP password);
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (ADD other 'x');
SELECT * FROM kept;
ALTER SERVER s RENAME TO t;
ALTER ROLE past_bob RENAME TO past_robert;
ALTER USER MAPPING FOR past_robert SERVER t OPTIONS (ADD password 'autumn 1');
SET ROLE past_robert;
ALTER USER MAPPING FOR past_robert SERVER t OPTIONS (DROP other, ADD password 'autumn 4');
RESET ROLE;
SET ROLE past_owner;
ALTER USER MAPPING FOR past_robert SERVER t OPTIONS (ADD password 'autumn 4');
RESET ROLE;
ALTER ROLE past_robert RENAME TO past_bob;
ALTER SERVER t RENAME TO s;
DO $$ BEGIN EXECUTE 'ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (ADD password ''autumn 1'')'; END $$;
SELECT changes FROM fdw_guard.set_user_mapping_options('past_bob', 's', '{"password": "autumn 1"}') changes;
-- A value longer than a block of the hash is another one for its last character.
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (ADD password 'a very long secret, as certificates and tokens are: 0123456789 0123456789 a');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'a very long secret, as certificates and tokens are: 0123456789 0123456789 b');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'a very long secret, as certificates and tokens are: 0123456789 0123456789 a');

-- What is undone leaves nothing, and so does a plan, which tells.
CREATE TABLE before AS SELECT * FROM fdw_guard.secret_row;
BEGIN;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 1');
ROLLBACK;
SELECT verdict, rule, detail FROM fdw_guard.plan($$ ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 1') $$);
SELECT verdict, rule, detail FROM fdw_guard.plan($$
    ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 1');
    ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 2');
    ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 1') $$);
SELECT count(*) FROM (TABLE before EXCEPT TABLE fdw_guard.secret_row) gone;

-- Modes and enforcement: what passes is kept all the same.
UPDATE fdw_guard.rule SET mode = 'warn';
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 3');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 4');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 3');
UPDATE fdw_guard.rule SET mode = 'deny';
SET fdw_guard.record_history = off;
SET fdw_guard.enforcement = off;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 5');
RESET fdw_guard.enforcement;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 3');
RESET fdw_guard.record_history;
SET fdw_guard.enforcement = warn;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 3');
RESET fdw_guard.enforcement;

-- A verdict that waits is about what the transaction makes of it.
SET fdw_guard.check_mode = deferred;
BEGIN;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 5');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 6');
COMMIT;
BEGIN;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 7');
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'winter 3');
COMMIT;
RESET fdw_guard.check_mode;
SELECT * FROM kept;

-- Age, of what has been seen to be set; setting a secret anew makes it young.
INSERT INTO fdw_guard.rule (name, object_type, max_age) VALUES ('young', 'user mapping', '00:00:00.000001');
CREATE USER MAPPING FOR past_owner SERVER s OPTIONS (password 'spring 1', user 'o');
SELECT rule, identity, option, message, detail, fix FROM fdw_guard.violations();
ALTER USER MAPPING FOR past_owner SERVER s OPTIONS (SET user 'p');
SELECT identity, option FROM fdw_guard.violations(rule_name => 'young');
SELECT count(*) FROM fdw_guard.violations(rule => '{"name": "t", "object_type": "user mapping", "max_age": "90 days"}');
SELECT object_type, verdict, rule, detail FROM fdw_guard.plan($$ ALTER USER MAPPING FOR past_owner SERVER s OPTIONS (SET user 'q') $$);
SELECT verdict, rule FROM fdw_guard.plan($$ ALTER USER MAPPING FOR past_owner SERVER s OPTIONS (SET password 'spring 2', SET user 'q') $$);
UPDATE fdw_guard.rule SET max_age = '90 days' WHERE name = 'young';
SELECT count(*) FROM fdw_guard.violations();
SELECT fdw_guard.prune_history('-1 day') > 0 AS pruned, fdw_guard.prune_secrets();
UPDATE fdw_guard.rule SET max_age = '00:00:00.000001' WHERE name = 'young';
SELECT identity, option FROM fdw_guard.violations(rule_name => 'young');

-- On every type of object; what is done to something else of it, or of its neighbours, makes nothing younger.
INSERT INTO fdw_guard.rule (name, object_type, max_age)
    SELECT 'young ' || t, t, '00:00:00.000001'
    FROM unnest('{foreign-data wrapper, server, foreign table, foreign table column}'::text[]) t;
ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD password '1');
ALTER SERVER s OPTIONS (ADD password '1');
CREATE FOREIGN TABLE t (a int OPTIONS (password '1'), b int OPTIONS (password '1')) SERVER s OPTIONS (password '1');
SELECT rule, identity FROM fdw_guard.violations() WHERE rule LIKE 'young %';
ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD other '1');
ALTER SERVER s OPTIONS (ADD other '1');
ALTER FOREIGN TABLE t OPTIONS (ADD other '1'), ALTER a OPTIONS (ADD other '1'), ALTER b SET STATISTICS 10;
ALTER FOREIGN TABLE t RENAME a TO c;
SELECT rule, identity FROM fdw_guard.violations() WHERE rule LIKE 'young %';
-- A grant on a column is none of those changes that fdw_guard sees, and writes the same row.
GRANT SELECT (b) ON t TO past_bob;
SELECT rule, identity FROM fdw_guard.violations() WHERE rule LIKE 'young %column';
DROP FOREIGN TABLE t;
ALTER SERVER s OPTIONS (DROP password, DROP other);
ALTER FOREIGN DATA WRAPPER w OPTIONS (DROP password, DROP other);
DELETE FROM fdw_guard.rule WHERE name LIKE 'young %';

-- An object that is made anew has no past, and nobody else writes one.
DROP USER MAPPING FOR past_owner SERVER s;
SELECT * FROM kept;
INSERT INTO fdw_guard.secret_row SELECT * FROM before;
UPDATE fdw_guard.secret_row SET set_at = now();
DELETE FROM fdw_guard.secret_row;
TRUNCATE fdw_guard.secret_row;
COPY fdw_guard.secret_row FROM stdin;
1	1	0	password	1	1	1	2026-01-01	{}
\.
CREATE TRIGGER t BEFORE INSERT ON before EXECUTE FUNCTION fdw_guard.keep_secrets();
INSERT INTO before SELECT * FROM before;

-- What no rule asks for any more is removed on request.
UPDATE fdw_guard.rule SET reuse_history = 1 WHERE name = 'fresh';
SELECT fdw_guard.prune_secrets();
SELECT * FROM kept;
DELETE FROM fdw_guard.rule;
SELECT fdw_guard.prune_secrets();
SELECT * FROM kept;

-- Without the table no such change passes, and others do.
INSERT INTO fdw_guard.rule (name, object_type, reuse_history) VALUES ('fresh', 'user mapping', 1);
ALTER TABLE fdw_guard.secret_row RENAME TO gone;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'summer 1');
ALTER SERVER s VERSION '2';
ALTER TABLE fdw_guard.gone RENAME TO secret_row;
ALTER TABLE fdw_guard.secret_row RENAME COLUMN set_at TO since;
ALTER USER MAPPING FOR past_bob SERVER s OPTIONS (SET password 'summer 1');

DROP EXTENSION fdw_guard CASCADE;
DROP TABLE before;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP ROLE past_bob, past_owner;
