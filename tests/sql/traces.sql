-- Forms that leave little trace, and changes that only look like a form: one rule for each form says which are seen.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE ROLE given;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE SCHEMA elsewhere;
CREATE TABLE p (a int, b text DEFAULT 'x', c int) PARTITION BY LIST (a);
CREATE FOREIGN TABLE p1 PARTITION OF p FOR VALUES IN (1) SERVER s;
CREATE FOREIGN TABLE t (a serial, b text DEFAULT 'x', c int) SERVER s;
DO $$
DECLARE
    type text;
    form text;
BEGIN
    FOREACH type IN ARRAY '{server,foreign table,foreign table column}'::text[] LOOP
        FOR form IN SELECT jsonb_array_elements_text(fdw_guard.policy_schema() #> '{$defs,rule,properties,forms,items,enum}') LOOP
            BEGIN
                INSERT INTO fdw_guard.rule (name, object_type, forms, mode, message)
                VALUES (type || ': ' || form, type, ARRAY[form], 'warn', type || ': ' || form);
            EXCEPTION WHEN check_violation THEN
                -- No form of that type.
            END;
        END LOOP;
    END LOOP;
END $$;

-- The first trigger of a table, and one that is put in the place of its like.
CREATE TRIGGER fires BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (new.a > 1) EXECUTE FUNCTION fires();
CREATE OR REPLACE TRIGGER fires BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (new.a > 1) EXECUTE FUNCTION fires();
ALTER FOREIGN TABLE t DISABLE TRIGGER fires;
CREATE OR REPLACE TRIGGER fires BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (new.a > 1) EXECUTE FUNCTION fires();
CREATE OR REPLACE TRIGGER fires BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (new.a > 2) EXECUTE FUNCTION fires();
CREATE TRIGGER fires AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION fires();
ALTER TABLE p DETACH PARTITION p1;
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);

-- Grants where there were none, not even the owner's; and, in deferred mode, on a server that has been changed before.
REVOKE ALL ON FOREIGN SERVER s FROM CURRENT_USER;
GRANT USAGE ON FOREIGN SERVER s TO given;
GRANT SELECT ON t TO given;
DROP OWNED BY given;
SET fdw_guard.check_mode = deferred;
BEGIN;
ALTER SERVER s OPTIONS (ADD host 'h');
GRANT USAGE ON FOREIGN SERVER s TO given;
ALTER SERVER s OPTIONS (SET host 'i');
COMMIT;
SET fdw_guard.check_mode = immediate;

-- What is renamed, or gets another type, shows in expressions and triggers that nobody has touched.
ALTER FOREIGN TABLE t ADD CONSTRAINT two CHECK (a < c AND b <> ''), ADD CONSTRAINT whole CHECK (t IS NOT NULL);
ALTER FOREIGN TABLE t ADD g int GENERATED ALWAYS AS (c + 1) STORED;
ALTER FOREIGN TABLE t RENAME COLUMN c TO c2;
ALTER FOREIGN TABLE t RENAME TO t2;
ALTER FOREIGN TABLE t2 SET SCHEMA elsewhere;
ALTER TABLE elsewhere.t2 RENAME CONSTRAINT two TO pair;
ALTER FOREIGN TABLE elsewhere.t2 ALTER b TYPE varchar(5);
ALTER FOREIGN TABLE elsewhere.t2 ALTER g TYPE numeric;
-- But what the statement names it does.
ALTER FOREIGN TABLE elsewhere.t2 ALTER b TYPE varchar(6), ALTER g SET STORAGE main, DROP CONSTRAINT pair,
    ADD CONSTRAINT pair CHECK (true);
ALTER FOREIGN TABLE elsewhere.t2 ALTER b TYPE varchar(7), ADD d int CHECK (c2 > 5);
-- Also where it reaches a partition.
ALTER TABLE p ALTER b TYPE varchar(9);
ALTER TABLE p ALTER b TYPE varchar(8), ALTER b SET DEFAULT 'y';
ALTER TABLE p ALTER b TYPE text, ALTER c SET DEFAULT 1;
ALTER TABLE p ADD CONSTRAINT positive CHECK (c > 0);
ALTER TABLE p ALTER c TYPE bigint, DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (c > 1);

-- A default that NULL takes the place of is dropped, on a partition too.
ALTER TABLE p ALTER b SET DEFAULT NULL;
ALTER TABLE p ALTER c SET DEFAULT 1;
ALTER FOREIGN TABLE elsewhere.t2 ALTER b SET DEFAULT NULL;
-- What goes with its session is not judged.
CREATE FOREIGN TABLE pg_temp.passing (a int DEFAULT 1 CHECK (a > 0)) SERVER s;
DISCARD TEMP;

-- What a condition says of a column's type does not turn on the search path.
DELETE FROM fdw_guard.rule;
CREATE TYPE elsewhere.mood AS ENUM ('fine');
CREATE FOREIGN TABLE moods (mood elsewhere.mood) SERVER s;
INSERT INTO fdw_guard.rule (name, object_type, condition, forms, mode) VALUES
    ('moods', 'foreign table column', '{"properties": {"column": {"properties": {"type": {"const": "elsewhere.mood"}}}}}', '{RENAME COLUMN}', 'warn');
ALTER FOREIGN TABLE moods RENAME mood TO temper;
SET search_path = elsewhere, public;
ALTER FOREIGN TABLE moods RENAME temper TO mood;
RESET search_path;

-- A constraint is told in full.
CREATE FOREIGN TABLE told (a int CONSTRAINT own CHECK (a > 0) NO INHERIT) SERVER s;
SELECT fdw_guard.table_state('told') -> 'constraints';
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 180000 THEN
        EXECUTE 'ALTER FOREIGN TABLE told ADD CONSTRAINT filled NOT NULL a NO INHERIT';
        EXECUTE 'ALTER FOREIGN TABLE told ADD CONSTRAINT hoped CHECK (a > 1) NOT ENFORCED';
        ASSERT fdw_guard.table_state('told') -> 'constraints' @> '[
            {"name": "filled", "definition": "NOT NULL a NO INHERIT"},
            {"name": "hoped", "definition": "CHECK ((a > 1)) NOT ENFORCED"}]';
    END IF;
END $$;

DELETE FROM fdw_guard.rule;
DROP EXTENSION fdw_guard;
DROP TABLE p;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP SCHEMA elsewhere CASCADE;
DROP FUNCTION fires();
DROP ROLE given;
