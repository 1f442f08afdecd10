-- EXPLAIN of a guarded wrapper names the delegate and the user mapping in effect.
SET client_min_messages = warning;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION fdw_guard;
CREATE ROLE explain_alice;
CREATE ROLE "explain, bob";
CREATE SERVER far FOREIGN DATA WRAPPER guarded_postgres_fdw OPTIONS (host 'far.example.com');
CREATE FOREIGN TABLE t (a int, b text) SERVER far;
CREATE FOREIGN TABLE u (a int, c text) SERVER far;
CREATE VIEW of_alice AS SELECT a FROM t;
ALTER VIEW of_alice OWNER TO explain_alice;
GRANT SELECT, INSERT, UPDATE, DELETE ON t, u TO explain_alice, "explain, bob";
GRANT SELECT, INSERT ON of_alice TO "explain, bob";

-- None, everybody's, one's own.
SET ROLE "explain, bob";
EXPLAIN (COSTS OFF) SELECT * FROM t;
RESET ROLE;
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (password_required 'false');
CREATE USER MAPPING FOR explain_alice SERVER far OPTIONS (password_required 'false');
SET ROLE "explain, bob";
EXPLAIN (COSTS OFF) SELECT * FROM t;
SET ROLE explain_alice;
EXPLAIN (COSTS OFF) SELECT * FROM t;
-- A view reaches the server as its owner, for reading and for writing.
SET ROLE "explain, bob";
EXPLAIN (COSTS OFF) SELECT * FROM of_alice;
EXPLAIN (COSTS OFF) INSERT INTO of_alice VALUES (1);
-- Whatever is pushed down.
EXPLAIN (VERBOSE, COSTS OFF) SELECT t.a, u.c FROM t JOIN u USING (a);
EXPLAIN (COSTS OFF) SELECT count(*) FROM t GROUP BY a;
EXPLAIN (COSTS OFF) UPDATE t SET b = 'x' WHERE a = 1;
EXPLAIN (COSTS OFF) DELETE FROM t USING u WHERE t.a = u.a AND u.c = b;
EXPLAIN (VERBOSE, COSTS OFF) UPDATE t SET b = b || random();
EXPLAIN (COSTS OFF) INSERT INTO t SELECT * FROM u;
RESET ROLE;
-- The other formats.
CREATE FUNCTION explained(sql text) RETURNS json LANGUAGE plpgsql AS
$$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT json) ' || sql INTO plan; RETURN plan #> '{0,Plan,Plans,0}'; END $$;
SELECT p ->> 'Delegate' AS delegate, p ->> 'User Mapping' AS user_mapping FROM explained('DELETE FROM t') p;
-- The delegate alone, and a wrapper that is not guarded.
SET fdw_guard.explain = off;
EXPLAIN (COSTS OFF) SELECT * FROM t;
RESET fdw_guard.explain;
CREATE SERVER plain FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE p (a int) SERVER plain;
EXPLAIN (COSTS OFF) SELECT * FROM p;
-- The delegate's errors are its own.
ALTER SERVER far OPTIONS (ADD use_remote_estimate 'true', SET host '/no/such/directory');
\set SHOW_CONTEXT never
EXPLAIN (COSTS OFF) SELECT * FROM t;
DROP EXTENSION postgres_fdw CASCADE;

DROP FUNCTION explained;
DROP SERVER far CASCADE;
DROP EXTENSION fdw_guard;
DROP ROLE explain_alice, "explain, bob";
