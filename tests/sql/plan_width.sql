-- A plan reads well in a terminal of 120 columns, whatever rules have to say.
SET client_min_messages = warning;
CREATE EXTENSION fdw_guard;
CREATE EXTENSION postgres_fdw;
CREATE SERVER warehouse FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h', port '5432');
SELECT sum(fdw_guard.install_pack(name)) > 0 AS installed FROM fdw_guard.packs;

\pset columns 120
\x auto
SELECT * FROM fdw_guard.plan($$ALTER SERVER warehouse OPTIONS (ADD sslmode 'bogus', SET port '70000')$$);
SELECT * FROM fdw_guard.plan($$ALTER SERVER warehose OPTIONS (SET port '70000')$$);
\x off
\pset format unaligned
\t on
SELECT fdw_guard.explain_plan($$ALTER SERVER warehouse OPTIONS (ADD sslmode 'bogus', SET port '70000')$$);

DROP SERVER warehouse;
DROP EXTENSION postgres_fdw, fdw_guard CASCADE;
