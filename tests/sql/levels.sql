-- Rules bind options at all five levels, in CREATE and in ALTER, by ADD, SET, DROP and the bare option.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
SELECT fdw_guard.add_rule(replace(level, ' ', '_') || '_' || what, level, what, required => what = 'needed' OR NULL,
                          allowed => CASE what WHEN 'colour' THEN ARRAY['red', 'green'] END,
                          forbidden => what = 'banned' OR NULL, wrapper => 'guarded_w*')
FROM unnest('{foreign-data wrapper,server,user mapping,foreign table,foreign table column}'::text[]) level,
     unnest('{colour,needed,banned}'::text[]) what;

-- The wrapper.
CREATE FOREIGN DATA WRAPPER guarded_w;
CREATE FOREIGN DATA WRAPPER guarded_w OPTIONS (needed '1', colour 'blue');
CREATE FOREIGN DATA WRAPPER guarded_w OPTIONS (needed '1', colour 'red');
ALTER FOREIGN DATA WRAPPER guarded_w OPTIONS (SET colour 'blue');
ALTER FOREIGN DATA WRAPPER guarded_w OPTIONS (banned '1');
ALTER FOREIGN DATA WRAPPER guarded_w OPTIONS (DROP needed);
ALTER FOREIGN DATA WRAPPER guarded_w OPTIONS (SET colour 'green', DROP colour);

-- The server.
CREATE SERVER s FOREIGN DATA WRAPPER guarded_w OPTIONS (needed '1', banned '1');
CREATE SERVER s FOREIGN DATA WRAPPER guarded_w OPTIONS (needed '1');
ALTER SERVER s OPTIONS (ADD colour 'blue');
ALTER SERVER s OPTIONS (colour 'blue');
ALTER SERVER s OPTIONS (ADD colour 'red');
ALTER SERVER s OPTIONS (SET colour 'blue');
ALTER SERVER s OPTIONS (DROP needed);

-- The user mapping. Its values are secrets, and not shown.
CREATE USER MAPPING FOR CURRENT_USER SERVER s;
CREATE USER MAPPING IF NOT EXISTS FOR PUBLIC SERVER s OPTIONS (needed '1', colour 'red');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET colour 'blue');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (ADD banned '1');
ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (DROP needed);

-- The foreign table and its columns.
CREATE FOREIGN TABLE t (a int OPTIONS (needed '1', colour 'blue')) SERVER s OPTIONS (needed '1');
CREATE FOREIGN TABLE t (a int OPTIONS (needed '1')) SERVER s OPTIONS (needed '1', banned '1');
CREATE FOREIGN TABLE t (a int OPTIONS (needed '1', colour 'red')) SERVER s OPTIONS (needed '1');
ALTER FOREIGN TABLE t OPTIONS (ADD colour 'blue');
ALTER FOREIGN TABLE t OPTIONS (DROP needed);
ALTER FOREIGN TABLE t ALTER a OPTIONS (SET colour 'blue');
ALTER FOREIGN TABLE t ALTER a OPTIONS (DROP needed);
ALTER FOREIGN TABLE t ADD COLUMN b int OPTIONS (needed '1', banned '1');
ALTER TABLE t OPTIONS (ADD banned '1'), ALTER a OPTIONS (ADD banned '1');

-- A wrapper outside the rules' pattern is left alone.
CREATE FOREIGN DATA WRAPPER other OPTIONS (banned '1', colour 'blue');
CREATE SERVER other FOREIGN DATA WRAPPER other OPTIONS (banned '1', colour 'blue');

-- Nothing of what was refused is there; dropping violates no option rule.
SELECT object_type, server, relation, column_name, option, value FROM fdw_guard.options
    WHERE wrapper = 'guarded_w' ORDER BY object_type, option;
DROP FOREIGN DATA WRAPPER guarded_w CASCADE;
DROP FOREIGN DATA WRAPPER other CASCADE;
DROP EXTENSION fdw_guard;
