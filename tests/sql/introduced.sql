-- What raises: a violation that the statement brings in. Old faults block nobody, unless a rule is strict.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', sslmode 'disable', port '0');
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'u', password 'short');
SELECT fdw_guard.add_rule('tls', 'server', 'sslmode', required => true, allowed => '{verify-full}');
SELECT fdw_guard.add_rule('port', 'server', 'port', minimum => 1, maximum => 65535);
SELECT fdw_guard.add_rule('long', 'user mapping', 'password', min_length => 12);

-- Another option of a badly configured server, and one of two faults mended.
ALTER SERVER s OPTIONS (SET host 'h2');
ALTER SERVER s OPTIONS (SET port '5432');
-- A fault that was not there before is refused, the old one is not counted.
ALTER SERVER s OPTIONS (SET port '70000');
-- What is set anew must be good, whatever was there before.
ALTER SERVER s OPTIONS (SET sslmode 'allow');
ALTER SERVER s OPTIONS (SET sslmode 'verify-full');
ALTER SERVER s OPTIONS (SET sslmode 'disable');
ALTER SERVER s OPTIONS (DROP sslmode);
-- Renaming a mapping's server does not make its password the renamer's business.
ALTER SERVER s RENAME TO s2;
ALTER SERVER s2 RENAME TO s;

-- strict: an old fault is raised too, by whatever touches the object.
UPDATE fdw_guard.rule SET strict = true WHERE name = 'long';
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET user 'v');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET user 'v', SET password 'long enough now');

-- Every violation of a statement comes in one error; twenty are listed after the first.
SELECT fdw_guard.add_rule('many', 'foreign table column', 'n', allowed => '{1}');
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE FOREIGN TABLE many (' || string_agg(format('c%s int OPTIONS (n %L)', i, i), ', ') || ') SERVER s'
             FROM generate_series(1, 26) i);
END $$;

-- readOnly: may be set once, then neither changed nor dropped; the whole object may be.
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('fixed', 'server', '{"properties": {"dbname": {"type": "string", "readOnly": true}}, "required": []}');
ALTER SERVER s OPTIONS (ADD dbname 'a');
ALTER SERVER s OPTIONS (SET dbname 'a');
ALTER SERVER s OPTIONS (SET dbname 'b');
ALTER SERVER s OPTIONS (DROP dbname);
-- deprecated: a warning when it is added or set.
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('old_way', 'server', '{"properties": {"requiressl": {"type": "string", "deprecated": true, "description": "Use sslmode."}}}');
ALTER SERVER s OPTIONS (ADD requiressl '1');
ALTER SERVER s OPTIONS (SET host 'h3');
DROP SERVER s CASCADE;

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
