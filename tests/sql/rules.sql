-- A rule that is not valid is refused when it is written; a rule that may not do what its author hopes gets a notice.
\set VERBOSITY verbose
CREATE EXTENSION fdw_guard;
CREATE FUNCTION pg_temp.rule(options text, condition text DEFAULT NULL) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO fdw_guard.rule (name, object_type, options, condition) VALUES ('r', 'server', options::json, condition::json) $$;

-- Fields.
INSERT INTO fdw_guard.rule (name, object_type) VALUES ('r', 'server');
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('', 'server', '{}');
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('r', 'servr', '{}');
INSERT INTO fdw_guard.rule (name, object_type, options, mode) VALUES ('r', 'server', '{}', 'deni');
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('r', 'server', '{OWNER}');
INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('r', 'server', '{ADD COLUMN}');
INSERT INTO fdw_guard.rule (name, object_type, options, server) VALUES ('r', 'server', '{}', '{}');
INSERT INTO fdw_guard.rule (name, object_type, options, server) VALUES ('r', 'server', '{}', '{NULL}');
INSERT INTO fdw_guard.rule (name, object_type, options, server) VALUES ('r', 'server', '{}', '{prod[0-9]}');
INSERT INTO fdw_guard.rule (name, object_type, options, server) VALUES ('r', 'server', '{}', '{"\"open"}');
INSERT INTO fdw_guard.rule (name, object_type, options, column_name) VALUES ('r', 'server', '{}', '{a}');
INSERT INTO fdw_guard.rule (name, object_type, options, at_use) VALUES ('r', 'server', '{}', 'deny');
INSERT INTO fdw_guard.rule (name, object_type, options, max_age) VALUES ('r', 'server', '{}', '-1 day');
INSERT INTO fdw_guard.rule (name, object_type, options, reuse_history) VALUES ('r', 'server', '{}', 0);

-- A schema must not fail open.
SELECT pg_temp.rule('{"propertes": {"port": false}}');
SELECT pg_temp.rule('{"properties": {"port": {"enumm": ["1"]}}}');
SELECT pg_temp.rule('{"properties": {"port": {"minimum": 1}}}');
SELECT pg_temp.rule('{"properties": {"port": {"type": "integer", "minLength": 1}}}');
SELECT pg_temp.rule('{"properties": {"port": {"type": "integer", "enum": ["1"]}}}');
SELECT pg_temp.rule('{"properties": {"port": {"enum": []}}}');
SELECT pg_temp.rule('{"properties": {"port": {"type": ["integer", "null"]}}}');
SELECT pg_temp.rule('{"properties": {"port": {"type": "int"}}}');
SELECT pg_temp.rule('{"properties": {"port": {"type": "string", "format": "hostnam"}}}');
SELECT pg_temp.rule('{"properties": {"port": false}, "properties": {}}');
SELECT pg_temp.rule('{"items": {}}');
SELECT pg_temp.rule('{"then": {"required": ["port"]}}');
SELECT pg_temp.rule('[]');
SELECT pg_temp.rule('{"properties": {"port": {"type": "string", "pattern": "("}}}');
SELECT pg_temp.rule('{"properties": {"port": false}}', '{"properties": {"servr": {}}}');

-- Nor harm the server.
\set VERBOSITY terse
SELECT pg_temp.rule('{"$ref": "http://example.com/schema.json"}');
SELECT pg_temp.rule('{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}');
SELECT pg_temp.rule(repeat('{"not":', 200) || '{}' || repeat('}', 200));
SELECT pg_temp.rule('{"description": "' || repeat('x', 70000) || '"}');
SELECT pg_temp.rule((SELECT '{"$ref": "#/$defs/d40", "$defs": {"d0": {}' || string_agg(format(
    ',"d%s": {"allOf": [{"$ref": "#/$defs/d%s"}, {"$ref": "#/$defs/d%s"}]}', i, i - 1, i - 1), '') || '}}'
    FROM generate_series(1, 40) i));
SELECT pg_temp.rule('{"properties": {"port": {"type": "string", "pattern": "(((a{1000}){1000}){1000}){1000}"}}}');
SELECT pg_temp.rule('{"properties": {"port": {"type": "string", "pattern": "^(a+)+$"}}, "required": ["port"]}');
CREATE FOREIGN DATA WRAPPER w;
DO $$ BEGIN EXECUTE format('CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port %L)', repeat('a', 100000) || 'b'); END $$;
DELETE FROM fdw_guard.rule;
\set VERBOSITY verbose

-- Notices: absence passes, a name that the wrapper does not know.
SELECT fdw_guard.add_rule('notice', 'server', 'port', minimum => 1);
INSERT INTO fdw_guard.rule (name, object_type, wrapper, options)
    VALUES ('typo', 'server', '{postgres_fdw}', '{"properties": {"ssl_mode": {"const": "verify-full"}}, "required": ["ssl_mode"]}');

-- The table of rules refuses to be called otherwise, and a rule's name is its own.
SELECT fdw_guard.check_rule();
CREATE TRIGGER misused BEFORE INSERT ON fdw_guard.rule FOR EACH STATEMENT EXECUTE FUNCTION fdw_guard.check_rule();
SELECT fdw_guard.add_rule('r', 'server', 'port', forbidden => true);
DROP TRIGGER misused ON fdw_guard.rule;
CREATE TABLE other (name text);
CREATE TRIGGER misused BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION fdw_guard.check_rule();
INSERT INTO other VALUES ('r');
DROP TABLE other;
\set VERBOSITY default
SELECT fdw_guard.add_rule('notice', 'server', 'port', minimum => 1);
\set VERBOSITY verbose
-- A rule whose check was switched off denies, and does not open a hole.
DELETE FROM fdw_guard.rule;
ALTER TABLE fdw_guard.rule DISABLE TRIGGER USER;
INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('broken', 'server', '{"propertes": {}}');
ALTER TABLE fdw_guard.rule ENABLE ALWAYS TRIGGER check_rule, ENABLE ALWAYS TRIGGER check_rule_again,
    ENABLE ALWAYS TRIGGER check_truncate;
CREATE SERVER s FOREIGN DATA WRAPPER w;
TRUNCATE fdw_guard.rule;
CREATE SERVER s FOREIGN DATA WRAPPER w;

\set VERBOSITY default
SET client_min_messages = warning;
DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
