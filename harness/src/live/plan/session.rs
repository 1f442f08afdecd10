//! A plan leaves the session as it was, however it ends.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use postgres::Client;

use super::{expect, explained, guarded, plan, told};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::{DbFields, expect_error};
use crate::live::{contains, same};

const CHANGE: &str = "ALTER FOREIGN TABLE t ADD COLUMN b integer";

/// A session that holds the foreign table.
fn holder(database: &Database<'_>) -> Result<Client> {
    let mut holder = database.connect()?;
    holder.batch_execute("BEGIN; LOCK TABLE ONLY parent; ALTER FOREIGN TABLE t ADD COLUMN held integer")?;
    Ok(holder)
}

fn lockable<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = guarded(cluster, name)?;
    database.execute("CREATE TABLE parent ()")?;
    Ok(database)
}

/// The relations on which the session holds locks, those of the question itself left out.
fn locks(client: &mut Client) -> Result<Vec<String>> {
    let query = "SELECT relation::regclass || ' ' || mode FROM pg_locks WHERE pid = pg_backend_pid() \
                 AND locktype = 'relation' AND relation >= 16384 ORDER BY 1";
    Ok(client.query(query, &[])?.into_iter().map(|row| row.get(0)).collect())
}

fn setting(client: &mut Client, name: &str) -> Result<String> {
    Ok(client.query_one(&format!("SHOW {name}"), &[])?.get(0))
}

fn expect_sane(client: &mut Client, after: &str) -> Result<()> {
    same(&format!("locks after {after}"), locks(client)?, Vec::new())?;
    same(&format!("frames after {after}"), client.query_one("SELECT tests.frame_depth()", &[])?.get(0), 0)?;
    expect(client, "ALTER SERVER s VERSION '2'", &["add version: - -> 2"]).with_context(|| format!("after {after}"))?;
    client.batch_execute(
        "BEGIN; ALTER SERVER s VERSION '3'; SAVEPOINT a; ALTER SERVER s VERSION '4'; ROLLBACK TO a; ROLLBACK",
    )?;
    Ok(())
}

pub fn a_lock_that_is_not_granted_is_a_row(cluster: &Cluster) -> Result<()> {
    let database = lockable(cluster, "plan_locks")?;
    let mut client = database.connect()?;
    let mut holder = holder(&database)?;
    client.batch_execute("SET lock_timeout = '1h'")?;
    for limit in ["50ms", "0.3ms"] {
        let query = format!("SELECT verdict, detail FROM fdw_guard.plan($1, '{limit}')");
        let row = client.query_one(&query, &[&CHANGE])?;
        same("verdict", row.get(0), "error".to_owned())?;
        contains(row.get(1), "55P03: canceling statement due to lock timeout")?;
        same("lock_timeout", setting(&mut client, "lock_timeout")?.as_str(), "1h")?;
        expect_sane(&mut client, limit)?;
    }
    // Without a limit of its own a plan waits as the session does.
    client.batch_execute("SET lock_timeout = '20ms'")?;
    let row = client.query_one("SELECT detail FROM fdw_guard.plan($1, NULL)", &[&CHANGE])?;
    contains(row.get(0), "55P03")?;
    holder.batch_execute("ROLLBACK")?;
    same("granted", told(&mut client, CHANGE)?.len(), 2)?;
    let mut second = database.connect()?;
    second
        .batch_execute("SET lock_timeout = '20ms'; BEGIN; ALTER FOREIGN TABLE t ADD COLUMN free integer; ROLLBACK")?;
    expect_sane(&mut client, "a plan that has got its lock")?;
    for limit in ["-1s", "30 days", "1000 years"] {
        let error = expect_error(&mut client, &format!("SELECT fdw_guard.plan('', '{limit}')"))?;
        same(limit, error.sqlstate.as_str(), "22023")?;
    }
    Ok(())
}

pub fn a_cancel_and_a_timeout_are_raised(cluster: &Cluster) -> Result<()> {
    let database = lockable(cluster, "plan_cancels")?;
    let _holder = holder(&database)?;
    let mut client = database.connect()?;
    let waiting = format!("SELECT * FROM fdw_guard.plan('{CHANGE}', '0')");
    let in_handler = format!(
        "DO $$ BEGIN PERFORM fdw_guard.plan('{CHANGE}', '0'); EXCEPTION WHEN others THEN RAISE 'not to be caught'; END $$"
    );
    for sql in [&waiting, &in_handler] {
        let error = cancelled(&database, &mut client, sql)?;
        same("SQLSTATE", error.sqlstate.as_str(), "57014")?;
        same("message", error.message.as_str(), "canceling statement due to user request")?;
        expect_sane(&mut client, sql)?;
    }
    client.batch_execute("SET statement_timeout = '50ms'")?;
    let error = expect_error(&mut client, &waiting)?;
    client.batch_execute("RESET statement_timeout")?;
    same("message", error.message.as_str(), "canceling statement due to statement timeout")?;
    expect_sane(&mut client, "a timeout")?;
    client.batch_execute("BEGIN; SAVEPOINT a; SET LOCAL statement_timeout = '50ms'")?;
    expect_error(&mut client, &waiting)?;
    client.batch_execute("ROLLBACK TO a; ALTER SERVER s VERSION '5'; ROLLBACK")?;
    expect_sane(&mut client, "a timeout within a savepoint")
}

/// Runs `sql`, cancels it as soon as it waits for a lock, and gives its error.
fn cancelled(database: &Database<'_>, client: &mut Client, sql: &str) -> Result<DbFields> {
    let own: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let mut other = database.connect()?;
    let canceller = thread::spawn(move || cancel_waiter(&mut other, own));
    let error = expect_error(client, sql)?;
    canceller.join().map_err(|_| anyhow!("the canceller panicked"))??;
    Ok(error)
}

fn cancel_waiter(client: &mut Client, waiter: i32) -> Result<()> {
    let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
    for _ in 0..500 {
        if client.query_opt(sql, &[&waiter])?.is_some() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("process {waiter} waits for nothing")
}

/// Plans that end in every way.
const ENDINGS: [&str; 7] = [
    "ALTER SERVER s VERSION '2'",
    "DROP FOREIGN DATA WRAPPER plain CASCADE",
    "DROP SERVER s",
    "ALTER SERVER s OPTIONS (SET host 'c')",
    "no statement at all",
    "CREATE FOREIGN TABLE made (a integer, b serial) SERVER s; ALTER TABLE made ADD c text; ALTER TABLE made DROP d",
    "ALTER FOREIGN TABLE t ALTER COLUMN a TYPE no_such_type",
];

pub fn it_leaves_the_session_as_it_was(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_session")?;
    database.execute(super::KNOWN_HOSTS)?;
    let mut client = database.connect()?;
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        for sql in ENDINGS {
            client.batch_execute(&format!(
                "BEGIN ISOLATION LEVEL {isolation}; CREATE TEMP TABLE own (a integer) ON COMMIT DROP; \
                 DECLARE c CURSOR FOR SELECT generate_series(1, 3); FETCH c; SAVEPOINT a; INSERT INTO own VALUES (1)"
            ))?;
            ensure!(!plan(&mut client, sql)?.is_empty(), "{sql}");
            client.batch_execute("INSERT INTO own VALUES (2); FETCH c; ROLLBACK TO a; INSERT INTO own VALUES (3)")?;
            ensure!(!explained(&mut client, sql)?.is_empty(), "{sql}");
            client.batch_execute("FETCH c")?;
            same(sql, client.query_one("SELECT sum(a) FROM own", &[])?.get(0), 3_i64)?;
            client.batch_execute("COMMIT")?;
            expect_sane(&mut client, sql)?;
        }
    }
    Ok(())
}

pub fn it_can_be_made_anywhere(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_anywhere")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE TABLE kept AS SELECT * FROM fdw_guard.plan('ALTER SERVER s VERSION ''2''');
         CREATE PROCEDURE plans() LANGUAGE plpgsql AS $p$ BEGIN
             INSERT INTO kept SELECT * FROM fdw_guard.plan('ALTER SERVER s VERSION ''2''');
             COMMIT;
             INSERT INTO kept SELECT * FROM fdw_guard.plan('ALTER SERVER no_such VERSION ''2''');
             ROLLBACK;
             INSERT INTO kept SELECT * FROM fdw_guard.plan('DROP SERVER s CASCADE') WHERE attribute IS NULL;
         END $p$",
    )?;
    client.batch_execute("CALL plans()")?;
    client.batch_execute(
        "DO $$ BEGIN
             BEGIN
                 INSERT INTO kept SELECT * FROM fdw_guard.plan('ALTER SERVER s VERSION ''2''');
                 PERFORM fdw_guard.plan('SELECT 1');
             EXCEPTION WHEN feature_not_supported THEN
                 INSERT INTO kept SELECT * FROM fdw_guard.plan('ALTER SERVER s VERSION ''3''');
             END;
         END $$;
         BEGIN;
         DECLARE held CURSOR WITH HOLD FOR SELECT * FROM fdw_guard.plan('ALTER SERVER s VERSION ''4''');
         COMMIT;
         PREPARE planned(text) AS SELECT change FROM fdw_guard.plan($1);",
    )?;
    same("rows", client.query_one("SELECT count(*) FROM kept", &[])?.get(0), 7_i64)?;
    same("a cursor", client.query_one("FETCH ALL FROM held", &[])?.get::<_, String>("new"), "4".to_owned())?;
    for _ in 0..7 {
        client.batch_execute(
            "EXECUTE planned('ALTER SERVER s VERSION ''2'''); EXECUTE planned('DROP SERVER s CASCADE')",
        )?;
    }
    same("version", client.query_one("SELECT srvversion FROM pg_foreign_server", &[])?.get(0), None::<String>)?;
    client.batch_execute("BEGIN READ ONLY")?;
    let read_only = "error -: 25006: cannot execute ALTER SERVER in a read-only transaction";
    expect(&mut client, "ALTER SERVER s VERSION '2'", &[read_only])?;
    client.batch_execute("COMMIT")?;
    not_in_a_parallel_worker(&mut client, database.major())?;
    expect_sane(&mut client, "everything")
}

fn not_in_a_parallel_worker(client: &mut Client, major: u32) -> Result<()> {
    let forced = if major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    client.batch_execute(&format!("ALTER FUNCTION fdw_guard.plan PARALLEL SAFE; SET {forced} = on"))?;
    let error = expect_error(client, "SELECT fdw_guard.plan('ALTER SERVER s VERSION ''2''')")?;
    same("SQLSTATE", error.sqlstate.as_str(), "55000")?;
    Ok(client.batch_execute(&format!("ALTER FUNCTION fdw_guard.plan PARALLEL UNSAFE; RESET {forced}"))?)
}

/// What a session uses of memory, in bytes.
fn memory(client: &mut Client) -> Result<i64> {
    Ok(client.query_one("SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts", &[])?.get(0))
}

/// Bytes for each plan that do not count: which pages caches have read is not the same each time.
const SLACK: i64 = 100;

/// Until a transaction ends, PostgreSQL itself keeps something of every subtransaction; a plan adds nothing to that.
pub fn hundreds_leave_nothing_behind(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_hundreds")?;
    database.execute(super::KNOWN_HOSTS)?;
    let by_savepoints = grown(&database, |client, sql| {
        client.batch_execute("SAVEPOINT a")?;
        // Some fail, as they do in a plan.
        let _ = client.batch_execute(sql);
        Ok(client.batch_execute("ROLLBACK TO a; RELEASE a")?)
    })?;
    let by_plans = grown(&database, |client, sql| plan(client, sql).map(drop))?;
    ensure!(by_plans < by_savepoints + 400 * SLACK, "{by_plans} bytes by plans, {by_savepoints} by savepoints");
    let mut client = database.connect()?;
    client.batch_execute("BEGIN")?;
    hundred(&mut client, |client, sql| plan(client, sql).map(drop))?;
    same("locks", locks(&mut client)?, Vec::new())?;
    client.batch_execute("COMMIT")?;
    expect_sane(&mut client, "hundreds")
}

type Trial = fn(&mut Client, &str) -> Result<()>;

/// How much more memory a session uses after four hundred trials in one transaction.
fn grown(database: &Database<'_>, trial: Trial) -> Result<i64> {
    let mut client = database.connect()?;
    client.batch_execute("BEGIN")?;
    hundred(&mut client, trial)?;
    let before = memory(&mut client)?;
    for _ in 0..4 {
        hundred(&mut client, trial)?;
    }
    Ok(memory(&mut client)? - before)
}

fn hundred(client: &mut Client, trial: Trial) -> Result<()> {
    ENDINGS.iter().cycle().take(100).try_for_each(|sql| trial(client, sql))
}
