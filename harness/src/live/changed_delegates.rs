//! Guards and delegates that come, go and change while sessions have them open: a clear error, or work that goes on.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use postgres::{Client, SimpleQueryMessage};

use super::guarded::reaching;
use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::DbFields;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "changed_delegates::sessions_and_cached_plans_survive", run: sessions_and_cached_plans_survive },
    LiveTest { name: "changed_delegates::a_running_scan_goes_on", run: a_running_scan_goes_on },
    LiveTest { name: "changed_delegates::a_running_explain_goes_on", run: a_running_explain_goes_on },
    LiveTest { name: "changed_delegates::fdw_guard_is_dropped_under_a_session", run: fdw_guard_is_dropped },
    LiveTest { name: "changed_delegates::a_guard_needs_no_preloading", run: a_guard_needs_no_preloading },
    LiveTest { name: "changed_delegates::a_delegate_is_updated", run: a_delegate_is_updated },
];

/// What another session does to the wrapper of table `f`, and what is seen of it afterwards.
struct Event {
    /// Before the session begins.
    before: &'static str,
    sql: &'static str,
    /// Of a statement that the session has prepared, of its EXPLAIN, and of the same query in a new session.
    prepared: Seen,
    explained: Seen,
    fresh: Seen,
}

enum Seen {
    /// An answer with this in it.
    Has(&'static str),
    /// An answer without it.
    Lacks(&'static str),
    /// An error with this in it.
    Error(&'static str),
}
use Seen::{Error, Has, Lacks};

/// Puts a guarded wrapper in front of the table's.
const FRONT: &str = "SELECT fdw_guard.create_wrapper('front', 'mine'); DROP SERVER s CASCADE; \
    CREATE SERVER s FOREIGN DATA WRAPPER front; \
    CREATE FOREIGN TABLE f (a int) SERVER s OPTIONS (program 'seq 100')";

/// All 100 rows.
const COUNTED: Seen = Has("100");

const EVENTS: &[Event] = &[
    Event {
        before: "",
        sql: "SELECT fdw_guard.guard_wrapper('mine')",
        prepared: COUNTED,
        explained: Has("Delegate: mine"),
        fresh: COUNTED,
    },
    Event {
        before: "SELECT fdw_guard.guard_wrapper('mine')",
        sql: "SELECT fdw_guard.unguard_wrapper('mine')",
        prepared: COUNTED,
        explained: Lacks("Delegate"),
        fresh: COUNTED,
    },
    // Back and forth: the functions are new ones.
    Event {
        before: "SELECT fdw_guard.guard_wrapper('mine')",
        sql: "SELECT fdw_guard.unguard_wrapper('mine'); SELECT fdw_guard.guard_wrapper('mine')",
        prepared: COUNTED,
        explained: Has("Delegate: mine"),
        fresh: COUNTED,
    },
    // The session goes on with the handler that it has used, and EXPLAIN with it.
    Event {
        before: FRONT,
        sql: "ALTER FOREIGN DATA WRAPPER mine HANDLER other_handler",
        prepared: COUNTED,
        explained: Has("Foreign Program: seq 100"),
        fresh: COUNTED,
    },
    Event {
        before: FRONT,
        sql: "ALTER FUNCTION fdw_guard.front_handler() SET fdw_guard.delegate = 'none_such'",
        prepared: COUNTED,
        explained: Has("Delegate: mine"),
        fresh: Error("foreign-data wrapper \"none_such\", the delegate of a guarded wrapper, does not exist"),
    },
    Event {
        before: FRONT,
        sql: "ALTER FOREIGN DATA WRAPPER mine HANDLER fdw_guard.guarded_postgres_fdw_handler",
        prepared: COUNTED,
        explained: Has("Foreign Program: seq 100"),
        fresh: Error("Make a guarded wrapper with the innermost wrapper as its delegate."),
    },
    Event {
        before: FRONT,
        sql: "ALTER FOREIGN DATA WRAPPER mine NO HANDLER",
        prepared: COUNTED,
        explained: Has("Foreign Program: seq 100"),
        fresh: Error("has no handler"),
    },
    Event {
        before: FRONT,
        sql: "DROP FOREIGN DATA WRAPPER mine CASCADE",
        prepared: COUNTED,
        explained: Has("Foreign Program: seq 100"),
        fresh: Error("CREATE EXTENSION mine"),
    },
    Event {
        before: FRONT,
        sql: "DROP FUNCTION fdw_guard.front_handler() CASCADE",
        prepared: Error("relation \"public.f\" does not exist"),
        explained: Error("42P01"),
        fresh: Error("42P01"),
    },
];

/// A database with a wrapper of its own over file_fdw's functions, and a table of 100 rows on it.
fn with_own_wrapper<'c>(cluster: &'c Cluster, name: &str) -> Result<Database<'c>> {
    let database = cluster.guarded_database(name)?;
    database.execute(
        "CREATE EXTENSION file_fdw; \
         CREATE FOREIGN DATA WRAPPER mine HANDLER file_fdw_handler VALIDATOR file_fdw_validator; \
         CREATE FUNCTION other_handler() RETURNS fdw_handler STRICT LANGUAGE c AS '$libdir/file_fdw', 'file_fdw_handler'; \
         CREATE SERVER s FOREIGN DATA WRAPPER mine; \
         CREATE FOREIGN TABLE f (a int) SERVER s OPTIONS (program 'seq 100')",
    )?;
    Ok(database)
}

/// The values of the answer, or the error with all its fields.
fn said(client: &mut Client, sql: &str) -> Result<Result<String, String>> {
    match client.simple_query(sql) {
        Ok(answers) => Ok(Ok(answers.iter().filter_map(first_value).collect::<Vec<_>>().join("\n"))),
        Err(error) => {
            let fields = error.as_db_error().map(DbFields::from);
            Ok(Err(fields.with_context(|| format!("the connection broke at: {sql}"))?.to_string()))
        }
    }
}

fn first_value(answer: &SimpleQueryMessage) -> Option<String> {
    let SimpleQueryMessage::Row(row) = answer else { return None };
    row.get(0).map(str::to_owned)
}

impl Seen {
    fn expect(&self, after: &str, found: &Result<String, String>) -> Result<()> {
        let holds = match (self, found) {
            (Has(part), Ok(text)) | (Error(part), Err(text)) => text.contains(part),
            (Lacks(part), Ok(text)) => !text.contains(part),
            _ => false,
        };
        ensure!(holds, "after {after}: {found:?}");
        Ok(())
    }
}

fn sessions_and_cached_plans_survive(cluster: &Cluster) -> Result<()> {
    for event in EVENTS {
        let database = with_own_wrapper(cluster, "changed_delegates")?;
        database.execute(event.before)?;
        let mut session = database.connect()?;
        let _plan = said(&mut session, "PREPARE counted AS SELECT count(*) FROM public.f; EXECUTE counted")?;
        database.execute(event.sql)?;
        for (sql, seen) in [("EXECUTE counted", &event.prepared), ("EXPLAIN EXECUTE counted", &event.explained)] {
            seen.expect(event.sql, &said(&mut session, sql)?)?;
        }
        event.fresh.expect(event.sql, &said(&mut database.connect()?, "SELECT count(*) FROM public.f")?)?;
    }
    same("crashes", cluster.crashes(), Vec::new())
}

fn a_running_scan_goes_on(cluster: &Cluster) -> Result<()> {
    let database = with_own_wrapper(cluster, "changed_scan")?;
    for sql in [
        "SELECT fdw_guard.guard_wrapper('mine')",
        "SELECT fdw_guard.unguard_wrapper('mine')",
        "ALTER FOREIGN DATA WRAPPER mine HANDLER other_handler",
    ] {
        let mut session = database.connect()?;
        session.batch_execute("BEGIN; DECLARE c CURSOR FOR SELECT a FROM f; FETCH 10 FROM c")?;
        database.execute(sql)?;
        // Reading anything takes in what the other session has done.
        session.batch_execute("SELECT count(*) FROM f")?;
        same(sql, session.query("FETCH ALL FROM c", &[])?.len(), 90)?;
        session.batch_execute("COMMIT")?;
    }
    Ok(())
}

/// The wrapper of a join that is being explained gets functions that know nothing of joins.
fn a_running_explain_goes_on(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = reaching(cluster, "changed_explain", "postgres_fdw")?;
    database.execute(
        "CREATE EXTENSION file_fdw; CREATE TABLE seen (a int); \
         CREATE FOREIGN TABLE goods (id int, name text) SERVER far; \
         CREATE FUNCTION waits() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); \
             INSERT INTO seen VALUES (1); RETURN true; END'",
    )?;
    for (before, change) in [
        ("SELECT fdw_guard.guard_wrapper('postgres_fdw')", "SELECT fdw_guard.unguard_wrapper('postgres_fdw')"),
        ("SELECT fdw_guard.guard_wrapper('postgres_fdw')", ""),
    ] {
        database.execute(before)?;
        let plan = explained_during(
            &database,
            &format!("{change}; ALTER FOREIGN DATA WRAPPER postgres_fdw HANDLER file_fdw_handler"),
        )?;
        contains(&plan, "Relations: (goods a) INNER JOIN (goods b)")?;
        database.execute(
            "ALTER FOREIGN DATA WRAPPER postgres_fdw HANDLER postgres_fdw_handler VALIDATOR postgres_fdw_validator",
        )?;
    }
    same("crashes", cluster.crashes(), Vec::new())
}

/// The plan of a join that waits for another session to do `sql`.
fn explained_during(database: &Database<'_>, sql: &str) -> Result<String> {
    let mut holder = database.connect()?;
    holder.batch_execute("SELECT pg_advisory_lock(7)")?;
    let mut session = database.connect()?;
    session.batch_execute("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off; SET statement_timeout = '60s'")?;
    let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    thread::scope(|scope| {
        let explain = "EXPLAIN (ANALYZE, COSTS OFF) SELECT waits() FROM goods a JOIN goods b USING (id) WHERE id = 1";
        let plan = scope.spawn(|| said(&mut session, explain));
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND locktype = 'advisory' AND NOT granted)";
        while !holder.query_one(waits, &[&pid])?.get::<_, bool>(0) && !plan.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        let changed = database.execute(sql);
        holder.batch_execute("SELECT pg_advisory_unlock(7)")?;
        changed?;
        plan.join().map_err(|_| anyhow!("the thread panicked"))??.map_err(anyhow::Error::msg)
    })
}

fn fdw_guard_is_dropped(cluster: &Cluster) -> Result<()> {
    let database = with_own_wrapper(cluster, "changed_dropped")?;
    let mut session = database.connect()?;
    database
        .execute("SELECT fdw_guard.create_wrapper('front', 'mine'); CREATE SERVER fs FOREIGN DATA WRAPPER front")?;
    session.batch_execute("PREPARE options AS SELECT count(*) FROM fdw_guard.options; EXECUTE options")?;
    let refused = said(&mut session, "DROP EXTENSION fdw_guard")?;
    Error("server fs depends on foreign-data wrapper front").expect("the refusal", &refused)?;
    database.execute("DROP SERVER fs; DROP FOREIGN DATA WRAPPER front; DROP EXTENSION fdw_guard")?;
    Error("42P01").expect("DROP EXTENSION", &said(&mut session, "EXECUTE options")?)?;
    // Work goes on without rules, and with them when it is made again.
    session.batch_execute("ALTER SERVER s VERSION '1'")?;
    database.execute(
        "CREATE EXTENSION fdw_guard; SELECT fdw_guard.add_rule('none', 'foreign table', 'header', forbidden => true)",
    )?;
    Has("").expect("CREATE EXTENSION", &said(&mut session, "EXECUTE options")?)?;
    let changed = said(&mut session, "ALTER FOREIGN TABLE f OPTIONS (ADD format 'csv', ADD header 'true')")?;
    Error("CONSTRAINT NAME:  none").expect("CREATE EXTENSION", &changed)
}

/// Sessions that know nothing of fdw_guard, not even its library.
fn a_guard_needs_no_preloading(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("guard-unloaded", &Settings::plain())?;
    let database = with_own_wrapper(&own, "guard_unloaded")?;
    let mut session = database.connect()?;
    session.batch_execute("PREPARE counted AS SELECT count(*) FROM f; EXECUTE counted")?;
    database.execute(
        "SELECT fdw_guard.add_rule('no_header', 'foreign table', 'header', forbidden => true); \
         SELECT fdw_guard.guard_wrapper('mine')",
    )?;
    Has("Delegate: mine").expect("guard_wrapper", &said(&mut session, "EXPLAIN EXECUTE counted")?)?;
    let changed =
        said(&mut database.connect()?, "ALTER FOREIGN TABLE f OPTIONS (ADD format 'csv', ADD header 'true')")?;
    Error("CONSTRAINT NAME:  no_header").expect("guard_wrapper", &changed)
}

fn a_delegate_is_updated(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("changed_version")?;
    database.execute(
        "CREATE EXTENSION postgres_fdw VERSION '1.0'; SELECT fdw_guard.guard_wrapper('postgres_fdw'); \
         CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE f (a int) SERVER s",
    )?;
    let mut session = database.connect()?;
    session.batch_execute("PREPARE counted AS SELECT count(*) FROM f; EXPLAIN EXECUTE counted")?;
    database.execute("ALTER EXTENSION postgres_fdw UPDATE")?;
    for client in [&mut session, &mut database.connect()?] {
        Has("Delegate: postgres_fdw").expect("UPDATE", &said(client, "EXPLAIN SELECT count(*) FROM f")?)?;
        let bad = said(client, "ALTER SERVER s OPTIONS (ADD fetch_size '0')")?;
        Error("\"fetch_size\" must be an integer value greater than zero").expect("UPDATE", &bad)?;
    }
    Ok(())
}
