-- fdw_guard.check_mode = deferred: the transaction is judged as a whole, before it commits. What will be refused can be
-- used until then, so it takes a superuser to say so (see modes).
\set VERBOSITY verbose
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (sslmode 'verify-full', sslrootcert 'ca.pem');
INSERT INTO fdw_guard.rule (name, object_type, options)
    VALUES ('tls', 'server', '{"dependentRequired": {"sslmode": ["sslrootcert"]}}');

-- Right only as a whole.
ALTER SERVER s OPTIONS (DROP sslrootcert);
SET fdw_guard.check_mode = deferred;
BEGIN;
ALTER SERVER s OPTIONS (DROP sslrootcert);
ALTER SERVER s OPTIONS (DROP sslmode);
COMMIT;
SELECT option, value FROM fdw_guard.options WHERE server = 's';

-- Wrong as a whole: COMMIT fails and undoes it.
BEGIN;
ALTER SERVER s OPTIONS (ADD sslmode 'verify-full');
COMMIT;
SELECT option, value FROM fdw_guard.options WHERE server = 's';

-- What was rolled back to a savepoint does not count.
BEGIN;
SAVEPOINT a;
ALTER SERVER s OPTIONS (ADD sslmode 'verify-full');
CREATE SERVER never FOREIGN DATA WRAPPER w OPTIONS (sslmode 'verify-full');
ROLLBACK TO a;
ALTER SERVER s OPTIONS (ADD host 'h');
COMMIT;
SELECT option, value FROM fdw_guard.options WHERE server = 's';

-- A statement of its own is a transaction of its own.
ALTER SERVER s OPTIONS (ADD sslmode 'verify-full');
-- A setting made for one transaction ends with it.
RESET fdw_guard.check_mode;
BEGIN;
SET LOCAL fdw_guard.check_mode = deferred;
ALTER SERVER s OPTIONS (ADD sslmode 'verify-full');
ALTER SERVER s OPTIONS (ADD sslrootcert 'ca.pem');
COMMIT;
ALTER SERVER s OPTIONS (DROP sslrootcert);

DROP EXTENSION fdw_guard;
DROP FOREIGN DATA WRAPPER w CASCADE;
