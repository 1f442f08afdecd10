-- Forms: kinds of change that violate a rule by themselves, whichever verb they come by.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE ROLE keeper;
CREATE ROLE giver;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE t (a int, b text) SERVER s;
CREATE USER MAPPING FOR PUBLIC SERVER s;
CREATE SERVER given FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE given (a int) SERVER given;
GRANT USAGE ON FOREIGN DATA WRAPPER w TO giver, keeper;
ALTER SERVER given OWNER TO giver;
ALTER FOREIGN TABLE given OWNER TO giver;
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES
    ('wrapper_forms', 'foreign-data wrapper', '{OPTIONS,OWNER TO,RENAME TO,VALIDATOR,HANDLER,DROP}'),
    ('server_forms', 'server', '{OPTIONS,VERSION,OWNER TO,RENAME TO,DROP}'),
    ('mapping_forms', 'user mapping', '{CREATE,OPTIONS,DROP}'),
    ('table_forms', 'foreign table',
     '{OPTIONS,OWNER TO,RENAME TO,RENAME COLUMN,SET SCHEMA,ADD COLUMN,DROP COLUMN,SET DATA TYPE,SET NOT NULL,SET STATISTICS,SET (attribute_option),SET STORAGE,DROP}');

ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD a '1');
ALTER FOREIGN DATA WRAPPER w RENAME TO w2;
SET client_min_messages = error;
ALTER FOREIGN DATA WRAPPER w VALIDATOR postgresql_fdw_validator;
SET client_min_messages = warning;
DROP FOREIGN DATA WRAPPER w CASCADE;
ALTER SERVER s OPTIONS (ADD a '1');
ALTER SERVER s VERSION '2';
ALTER SERVER s RENAME TO s2;
REASSIGN OWNED BY giver TO keeper;
CREATE USER MAPPING FOR CURRENT_USER SERVER s;
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (ADD a '1');
DROP USER MAPPING FOR PUBLIC SERVER s;
ALTER FOREIGN TABLE t OPTIONS (ADD a '1');
ALTER TABLE t OWNER TO keeper;
ALTER INDEX t RENAME TO t2;
ALTER TABLE t RENAME COLUMN a TO c;
CREATE SCHEMA elsewhere;
ALTER TABLE t SET SCHEMA elsewhere;
ALTER TABLE t ADD COLUMN c int;
ALTER TABLE t DROP COLUMN a;
ALTER TABLE t ALTER a TYPE bigint;
ALTER TABLE t ALTER a SET NOT NULL;
ALTER TABLE t ALTER a SET STATISTICS 10;
ALTER TABLE t ALTER a SET (n_distinct = 5);
ALTER TABLE t ALTER b SET STORAGE plain;
DROP FOREIGN TABLE t;
-- Several in one statement, in one error.
ALTER FOREIGN TABLE t OPTIONS (ADD a '1'), ADD COLUMN c int, ALTER a SET NOT NULL;

-- DROP NOT NULL and RESET are forms of their own.
UPDATE fdw_guard.rule SET forms = '{DROP NOT NULL,RESET (attribute_option)}' WHERE name = 'table_forms';
ALTER TABLE t ALTER a SET NOT NULL, ALTER a SET (n_distinct = 5);
ALTER TABLE t ALTER a DROP NOT NULL;
ALTER TABLE t ALTER a RESET (n_distinct);
UPDATE fdw_guard.rule SET forms = '{RENAME TO,ADD COLUMN}' WHERE name = 'table_forms';

-- A form that no rule names is left alone; so is an object outside the patterns.
ALTER FOREIGN TABLE t ALTER a SET DEFAULT 1;
ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0);
UPDATE fdw_guard.rule SET relation = '{other*}' WHERE name = 'table_forms';
ALTER FOREIGN TABLE t ADD COLUMN c int;
-- By the old identity or the new one.
ALTER FOREIGN TABLE t RENAME TO other_t;
UPDATE fdw_guard.rule SET relation = '{t}' WHERE name = 'table_forms';
ALTER FOREIGN TABLE t RENAME TO other_t;

-- A column's forms can be named for the column too.
DELETE FROM fdw_guard.rule WHERE name = 'table_forms';
INSERT INTO fdw_guard.rule (name, object_type, column_name, forms, message, hint) VALUES
    ('typed', 'foreign table column', '{a}', '{SET DATA TYPE}', 'column a keeps its type', 'Ask the data team.');
ALTER TABLE t ALTER b TYPE varchar;
ALTER TABLE t ALTER a TYPE bigint;

DELETE FROM fdw_guard.rule;
DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP SCHEMA elsewhere;
DROP ROLE keeper, giver;
