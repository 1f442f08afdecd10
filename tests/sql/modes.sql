-- deny, warn, audit and off; fdw_guard.enforcement; roles and except_roles.
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE ROLE operator;
CREATE ROLE platform;
CREATE ROLE ann IN ROLE operator;
CREATE ROLE zoe IN ROLE operator, platform;
CREATE FOREIGN DATA WRAPPER w;
GRANT USAGE ON FOREIGN DATA WRAPPER w TO operator;
SELECT fdw_guard.add_rule('no_port', 'server', 'port', forbidden => true);

CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
UPDATE fdw_guard.rule SET mode = 'warn';
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
-- The server log only.
UPDATE fdw_guard.rule SET mode = 'audit';
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
UPDATE fdw_guard.rule SET mode = 'off';
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
UPDATE fdw_guard.rule SET mode = 'deny';

-- A superuser's session can be made to warn, or to let everything pass; nobody else's.
SET fdw_guard.enforcement = warn;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
SET fdw_guard.enforcement = off;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
RESET fdw_guard.enforcement;
SET ROLE ann;
\set VERBOSITY default
SET fdw_guard.enforcement = off;
SET fdw_guard.enforcment = off;
SET fdw_guard.check_mode = deferred;
\set VERBOSITY verbose
RESET ROLE;

-- Whom a rule binds. A superuser is a member only of what was granted to him.
UPDATE fdw_guard.rule SET roles = '{operator}', except_roles = '{platform}';
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
SET ROLE zoe;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
DROP SERVER s;
SET ROLE ann;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
RESET ROLE;

-- A role that is taken for a while does not lend its changes to the role that commits.
SET fdw_guard.check_mode = deferred;
BEGIN;
SET LOCAL ROLE ann;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (port '1');
RESET ROLE;
COMMIT;
RESET fdw_guard.check_mode;

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
DROP ROLE ann, zoe, operator, platform;
