//! As many frames are open as statements run, whatever way statements end; and what was undone is not judged.
//!
//! `tests.frame_depth()` comes with the test build of the extension.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::{Database, SUPERUSER};
use crate::fields::expect_error;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "frames::none_is_left_open_by_an_error", run: none_is_left_open_by_an_error },
    LiveTest { name: "frames::none_is_left_open_within_savepoints", run: none_is_left_open_within_savepoints },
    LiveTest { name: "frames::none_is_left_open_by_a_cancelled_statement", run: none_is_left_open_by_a_cancel },
    LiveTest { name: "frames::depth_is_right_in_exception_handlers", run: depth_is_right_in_exception_handlers },
    LiveTest { name: "frames::depth_is_right_across_commits_within", run: depth_is_right_across_commits_within },
    LiveTest { name: "frames::statements_are_judged_between_commits", run: statements_are_judged_between_commits },
    LiveTest {
        name: "frames::nothing_is_judged_in_an_aborted_transaction",
        run: nothing_is_judged_in_an_aborted_transaction,
    },
    LiveTest { name: "frames::a_change_that_was_undone_is_not_judged", run: a_change_that_was_undone_is_not_judged },
    LiveTest { name: "frames::what_was_undone_of_a_change_is_not_judged", run: what_was_undone_of_a_change },
    LiveTest {
        name: "frames::a_refused_commit_leaves_the_session_usable",
        run: a_refused_commit_leaves_the_session_usable,
    },
    LiveTest {
        name: "frames::a_refused_prepare_leaves_nothing_prepared",
        run: a_refused_prepare_leaves_nothing_prepared,
    },
    LiveTest { name: "frames::a_long_option_is_judged_before_commit", run: a_long_option_is_judged_before_commit },
    LiveTest { name: "frames::a_catalog_may_be_written_anew_meanwhile", run: a_catalog_may_be_written_anew },
];

const REFUSED: &str = "ALTER SERVER s OPTIONS (SET port '6000')";

const ALLOWED: &str = "ALTER SERVER s OPTIONS (SET port '5433')";

/// A server whose port must be one of two, and ways to fail within something else.
const SETUP: &str = "
    CREATE FOREIGN DATA WRAPPER plain;
    CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (port '5432');
    SELECT fdw_guard.add_rule('known_ports', 'server', 'port', allowed => '{5432,5433}');
    CREATE FUNCTION fails(how text) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE how; RETURN 1; END';
    CREATE PROCEDURE fails_later(how text) LANGUAGE plpgsql AS 'BEGIN COMMIT; EXECUTE how; END';
    CREATE PROCEDURE fails_deeper(how text) LANGUAGE plpgsql AS 'BEGIN COMMIT; CALL fails_later(how); END'";

/// Each opens one frame or more and fails.
const FAILING: &[&str] = &[
    REFUSED,
    "ALTER SERVER no_such_server OPTIONS (ADD a '1')",
    "DROP TABLE no_such_table",
    "CREATE TABLE made AS SELECT 1 / 0",
    "CREATE SCHEMA made CREATE TABLE a (b int) CREATE TABLE c (d no_such_type)",
    "EXPLAIN ANALYZE SELECT 1 / 0",
    "DO $$ BEGIN PERFORM 1 / 0; END $$",
    "DO $$ BEGIN ALTER SERVER s OPTIONS (SET port '6000'); END $$",
    "DO $o$ BEGIN EXECUTE 'DO $i$ BEGIN PERFORM fails(''DROP TABLE no_such_table''); END $i$'; END $o$",
    "DO $o$ BEGIN EXECUTE 'DO $i$ BEGIN ALTER SERVER s OPTIONS (SET port ''6000''); END $i$'; END $o$",
    "SELECT fails('ALTER SERVER s OPTIONS (SET port ''6000'')')",
    "SELECT fdw_guard.set_server_options('s', '{\"port\": 6000}')",
    "SELECT fdw_guard.set_server_options('s', '{\"a=b\": 1}')",
    "DO $$ BEGIN PERFORM fdw_guard.set_server_options('s', '{\"port\": 6000}'); END $$",
    "CALL fails_later('SELECT 1 / 0')",
    "CALL fails_later('ALTER SERVER s OPTIONS (SET port ''6000'')')",
    "CALL fails_deeper('DO $i$ BEGIN PERFORM 1 / 0; END $i$')",
    "VACUUM no_such_table",
    "ALTER SERVER s OPTIONS (ADD a '1'); ALTER SERVER s OPTIONS (SET port '6000'); SELECT 1",
];

fn guarded<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(SETUP)?;
    Ok(database)
}

fn depth(client: &mut Client) -> Result<i32> {
    Ok(client.query_one("SELECT tests.frame_depth()", &[])?.get(0))
}

fn expect_no_frame(client: &mut Client, after: &str) -> Result<()> {
    same(&format!("depth after {after}"), depth(client)?, 0)
}

fn expect_refusal(client: &mut Client, sql: &str) -> Result<()> {
    let error = expect_error(client, sql)?;
    ensure!(error.constraint.as_deref() == Some("known_ports"), "{sql}\n{error}");
    Ok(())
}

fn port(client: &mut Client) -> Result<String> {
    let sql = "SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE option_name = 'port'";
    Ok(client.query_one(sql, &[])?.get(0))
}

/// An option that PostgreSQL keeps apart from its row is fetched where no snapshot is at hand.
fn a_long_option_is_judged_before_commit(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_long")?;
    let mut client = database.connect()?;
    let long = |number: i32| {
        format!(
            "DO $$ BEGIN EXECUTE format('ALTER SERVER s OPTIONS (ADD long{number} %L)', \
             (SELECT string_agg(md5(i::text), '') FROM generate_series({number}, {number} + 299) i)); END $$"
        )
    };
    for (number, port) in [(1, "5433"), (2, "6000")] {
        let alter = format!("{}; ALTER SERVER s OPTIONS (SET port '{port}')", long(number));
        client.batch_execute(&format!("BEGIN; SET LOCAL fdw_guard.check_mode = deferred; {alter}"))?;
        let apart = "SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE relname = 'pg_foreign_server'";
        ensure!(client.query_one(apart, &[])?.get::<_, bool>(0), "nothing is kept apart");
        match port {
            "6000" => expect_refusal(&mut client, "COMMIT")?,
            _ => client.batch_execute("COMMIT")?,
        }
    }
    same("port", port(&mut client)?, "5433".to_owned())
}

/// VACUUM FULL puts the rows of a catalog elsewhere between a statement and its verdict: where one server stood, another does.
fn a_catalog_may_be_written_anew(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_anew")?;
    let (mut client, mut other) = (database.connect()?, database.connect()?);
    for sql in ["CREATE SERVER second", "CREATE SERVER third", "CREATE SERVER fourth", "CREATE SERVER fifth"] {
        client.batch_execute(&format!("{sql} FOREIGN DATA WRAPPER plain OPTIONS (port '5432')"))?;
    }
    client.batch_execute("DROP SERVER s, second, third")?;
    let place = "SELECT ctid::text FROM pg_foreign_server WHERE srvname = 'fourth'";
    same("place", client.query_one(place, &[])?.get(0), "(0,4)".to_owned())?;
    client.batch_execute(
        "BEGIN; SET LOCAL fdw_guard.check_mode = deferred;
         ALTER SERVER fourth OPTIONS (SET port '6000'); ALTER SERVER fifth OPTIONS (SET port '5433')",
    )?;
    other.batch_execute("VACUUM FULL pg_foreign_server")?;
    same("place", client.query_one(place, &[])?.get(0), "(0,1)".to_owned())?;
    let error = expect_error(&mut client, "COMMIT")?;
    contains(&error.message, "option \"port\" of server \"fourth\" violates rule")
}

/// Runs `sql`, cancels it from another session as soon as it sleeps, and gives the error.
///
/// # Errors
/// When it succeeds, or never sleeps.
pub fn cancelled(database: &Database<'_>, client: &mut Client, sql: &str) -> Result<postgres::Error> {
    let own: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let mut other = database.connect()?;
    let canceller = thread::spawn(move || cancel_sleeper(&mut other, own));
    let ended = client.batch_execute(sql);
    let cancelled = canceller.join().map_err(|_| anyhow!("the canceller panicked"))?;
    cancelled.with_context(|| format!("{sql} ended with {ended:?}"))?;
    ended.err().with_context(|| format!("this should have been cancelled: {sql}"))
}

fn cancel_sleeper(client: &mut Client, sleeper: i32) -> Result<()> {
    let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
    for _ in 0..500 {
        if client.query_opt(sql, &[&sleeper])?.is_some() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("process {sleeper} does not sleep")
}

fn none_is_left_open_by_an_error(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_errors")?;
    let mut client = database.connect()?;
    for sql in FAILING {
        expect_error(&mut client, sql)?;
        expect_no_frame(&mut client, sql)?;
    }
    same("port", port(&mut client)?.as_str(), "5432")?;
    client.batch_execute(ALLOWED)?;
    expect_refusal(&mut client, REFUSED)
}

fn none_is_left_open_within_savepoints(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_savepoints")?;
    let mut client = database.connect()?;
    client.batch_execute("BEGIN")?;
    for sql in FAILING.iter().filter(|sql| !sql.starts_with("CALL")) {
        client.batch_execute("SAVEPOINT a")?;
        expect_error(&mut client, sql)?;
        client.batch_execute("ROLLBACK TO a")?;
        expect_no_frame(&mut client, sql)?;
        client.batch_execute("SAVEPOINT b; ALTER SERVER s OPTIONS (SET port '5433'); ROLLBACK TO a")?;
        expect_no_frame(&mut client, "ROLLBACK TO")?;
    }
    client.batch_execute("ALTER SERVER s OPTIONS (ADD host 'h'); COMMIT")?;
    same("port", port(&mut client)?.as_str(), "5432")?;
    expect_refusal(&mut client, REFUSED)
}

fn none_is_left_open_by_a_cancel(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_cancel")?;
    let mut client = database.connect()?;
    let sleeping = [
        "DO $$ BEGIN PERFORM pg_sleep(60); END $$",
        "DO $o$ BEGIN EXECUTE 'DO $i$ BEGIN PERFORM pg_sleep(60); END $i$'; END $o$",
        "CALL fails_deeper('SELECT pg_sleep(60)')",
        "CREATE TABLE made AS SELECT pg_sleep(60)::text",
    ];
    for sql in sleeping {
        let error = cancelled(&database, &mut client, sql)?;
        same("SQLSTATE", error.code().map(|code| code.code()), Some("57014"))?;
        expect_no_frame(&mut client, sql)?;
    }
    client.batch_execute("SET statement_timeout = '20ms'")?;
    same(
        "SQLSTATE",
        expect_error(&mut client, "DO $$ BEGIN PERFORM pg_sleep(60); END $$")?.sqlstate.as_str(),
        "57014",
    )?;
    client.batch_execute("RESET statement_timeout")?;
    expect_no_frame(&mut client, "a timeout")?;
    expect_refusal(&mut client, REFUSED)
}

/// What `sql` tells by RAISE NOTICE, which no rollback undoes.
fn told(database: &Database<'_>, sql: &str) -> Result<Vec<String>> {
    let (mut client, notices) = database.connect_noting(SUPERUSER)?;
    client.batch_execute(sql).with_context(|| sql.to_owned())?;
    expect_no_frame(&mut client, sql)?;
    Ok(notices.take().into_iter().map(|notice| notice.message).collect())
}

fn depth_is_right_in_exception_handlers(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_handlers")?;
    let handled = |statement: &str| {
        format!(
            "DO $o$ BEGIN \
               BEGIN {statement} EXCEPTION WHEN others OR query_canceled THEN RAISE NOTICE '%', tests.frame_depth(); END; \
               EXECUTE 'DO $i$ BEGIN RAISE NOTICE ''%'', tests.frame_depth(); END $i$'; \
               RAISE NOTICE '%', tests.frame_depth(); \
             END $o$"
        )
    };
    let statements = [
        "PERFORM 1 / 0;",
        "DROP TABLE no_such_table;",
        "ALTER SERVER s OPTIONS (SET port '6000');",
        "PERFORM fails('DO $i$ BEGIN ALTER SERVER s OPTIONS (SET port ''6000''); END $i$');",
        "PERFORM fails('DO $i$ BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(60); END $i$');",
    ];
    for statement in statements {
        same(statement, told(&database, &handled(statement))?, ["1", "2", "1"].map(str::to_owned).to_vec())?;
    }
    Ok(())
}

fn depth_is_right_across_commits_within(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_commits")?;
    database.execute(
        "CREATE PROCEDURE inner_one() LANGUAGE plpgsql AS $p$ BEGIN
             RAISE NOTICE 'inner %', tests.frame_depth();
             COMMIT;
             RAISE NOTICE 'committed %', tests.frame_depth();
             ALTER SERVER s OPTIONS (SET port '5433');
             ROLLBACK;
             RAISE NOTICE 'rolled back %', tests.frame_depth();
             BEGIN DROP TABLE no_such_table;
             EXCEPTION WHEN undefined_table THEN RAISE NOTICE 'handled %', tests.frame_depth(); END;
             COMMIT;
         END $p$;
         CREATE PROCEDURE outer_one() LANGUAGE plpgsql AS $p$ BEGIN
             RAISE NOTICE 'outer %', tests.frame_depth();
             CALL inner_one();
             RAISE NOTICE 'back %', tests.frame_depth();
             COMMIT;
             RAISE NOTICE 'end %', tests.frame_depth();
         END $p$",
    )?;
    let called = told(&database, "CALL outer_one()")?.join(", ");
    same("CALL", called.as_str(), "outer 1, inner 2, committed 2, rolled back 2, handled 2, back 1, end 1")?;
    let block =
        "DO $$ BEGIN FOR i IN 1 .. 2 LOOP COMMIT; RAISE NOTICE '%', tests.frame_depth(); ROLLBACK; END LOOP; END $$";
    same("DO", told(&database, block)?.join(", ").as_str(), "1, 1")
}

fn statements_are_judged_between_commits(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_between_commits")?;
    let mut client = database.connect()?;
    let block = "DO $$ BEGIN ALTER SERVER s OPTIONS (SET port '5433'); COMMIT; ALTER SERVER s OPTIONS (SET port '6000'); END $$";
    expect_refusal(&mut client, block)?;
    same("port", port(&mut client)?.as_str(), "5433")?;
    client.batch_execute("SET fdw_guard.check_mode = deferred")?;
    let block = "DO $$ BEGIN ALTER SERVER s OPTIONS (SET port '6000'); ALTER SERVER s OPTIONS (SET port '5432'); COMMIT; \
                 ALTER SERVER s OPTIONS (SET port '6000'); COMMIT; ALTER SERVER s OPTIONS (SET port '5433'); END $$";
    expect_refusal(&mut client, block)?;
    expect_no_frame(&mut client, "a COMMIT that was refused within a statement")?;
    same("port", port(&mut client)?.as_str(), "5432")
}

/// The rule is violated already and strict, so that whatever is judged is refused.
fn with_strict_fault<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = guarded(cluster, name)?;
    database.execute(
        "SET fdw_guard.enforcement = off; ALTER SERVER s OPTIONS (SET port '6000'); RESET fdw_guard.enforcement; \
         UPDATE fdw_guard.rule SET strict = true",
    )?;
    expect_refusal(&mut database.connect()?, "ALTER SERVER s OPTIONS (ADD host 'h')")?;
    Ok(database)
}

fn nothing_is_judged_in_an_aborted_transaction(cluster: &Cluster) -> Result<()> {
    let database = with_strict_fault(cluster, "frames_aborted")?;
    let mut client = database.connect()?;
    for mode in ["immediate", "deferred"] {
        client.batch_execute(&format!("SET fdw_guard.check_mode = {mode}; BEGIN"))?;
        if mode == "deferred" {
            client.batch_execute("ALTER SERVER s OPTIONS (ADD host 'h')")?;
        }
        expect_error(&mut client, "SELECT 1 / 0")?;
        same("SQLSTATE", expect_error(&mut client, REFUSED)?.sqlstate.as_str(), "25P02")?;
        // PostgreSQL answers this with ROLLBACK; a verdict here, or at the next commit, would be an error.
        client.batch_execute("COMMIT")?;
        client.batch_execute("BEGIN; CREATE TABLE made (); COMMIT; DROP TABLE made")?;
        expect_no_frame(&mut client, mode)?;
    }
    expect_refusal(&mut client, "ALTER SERVER s OPTIONS (ADD host 'h')")
}

fn a_change_that_was_undone_is_not_judged(cluster: &Cluster) -> Result<()> {
    let database = with_strict_fault(cluster, "frames_undone")?;
    let mut client = database.connect()?;
    client.batch_execute("SET fdw_guard.check_mode = deferred")?;
    client.batch_execute("BEGIN; SAVEPOINT a; ALTER SERVER s OPTIONS (ADD host 'h'); ROLLBACK TO a; COMMIT")?;
    client.batch_execute(
        "DO $$ BEGIN ALTER SERVER s OPTIONS (ADD host 'h'); RAISE 'undo'; EXCEPTION WHEN raise_exception THEN NULL; END $$",
    )?;
    let kept = "BEGIN; SAVEPOINT a; ALTER SERVER s OPTIONS (ADD host 'h'); RELEASE a; COMMIT";
    expect_refusal(&mut client, kept)
}

/// Of an object that stays changed only a part was undone: a form that leaves no trace, a column, another statement.
fn what_was_undone_of_a_change(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_undone_in_part")?;
    database.execute(
        "CREATE FOREIGN TABLE t (a integer, b integer, CONSTRAINT positive CHECK (a > 0)) SERVER s OPTIONS (x '0');
         INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES
             ('no_oids', 'foreign table', '{SET WITHOUT OIDS}'),
             ('kept_constraints', 'foreign table', '{ADD table_constraint, DROP CONSTRAINT}');
         INSERT INTO fdw_guard.rule (name, object_type, column_name, options, strict) VALUES
             ('named', 'foreign table column', '{b}', '{\"required\": [\"name\"]}', true)",
    )?;
    let mut client = database.connect()?;
    client.batch_execute("SET fdw_guard.check_mode = deferred")?;
    let kept = |value| format!("BEGIN; ALTER FOREIGN TABLE t OPTIONS (SET x '{value}'); SAVEPOINT a");
    let undone = [("SET WITHOUT OIDS", "no_oids"), ("ALTER b SET STATISTICS 7", "named")];
    for (value, (form, rule)) in (1..).zip(undone) {
        let alter = format!("ALTER FOREIGN TABLE t {form}");
        client.batch_execute(&format!("{}; {alter}; ROLLBACK TO a; COMMIT", kept(value))).context(form)?;
        let passed_on = format!("{}; SAVEPOINT b; {alter}; RELEASE b", kept(value + 10));
        client.batch_execute(&format!("{passed_on}; ROLLBACK TO a; COMMIT")).context(form)?;
        client.batch_execute(&format!("{}; SAVEPOINT b; {alter}; RELEASE a", kept(value + 20)))?;
        same(form, expect_error(&mut client, "COMMIT")?.constraint.as_deref(), Some(rule))?;
    }
    // What names a renamed column is told in other words, which is a change only if some statement may have made it.
    client.batch_execute(
        "BEGIN; ALTER FOREIGN TABLE t RENAME a TO c; SAVEPOINT a; ALTER FOREIGN TABLE t OPTIONS (SET x '30'); \
         ROLLBACK TO a; COMMIT",
    )?;
    Ok(())
}

fn a_refused_commit_leaves_the_session_usable(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_refused_commit")?;
    let mut client = database.connect()?;
    client.batch_execute("SET fdw_guard.check_mode = deferred")?;
    for _ in 0..3 {
        client.batch_execute(&format!("BEGIN; CREATE TABLE made (); {REFUSED}"))?;
        expect_refusal(&mut client, "COMMIT")?;
        expect_no_frame(&mut client, "COMMIT")?;
        expect_refusal(&mut client, REFUSED)?;
        expect_no_frame(&mut client, "a transaction of one statement")?;
        refused_in_the_extended_protocol(&mut client)?;
        same("port", port(&mut client)?.as_str(), "5432")?;
    }
    client.batch_execute(&format!("BEGIN; CREATE TABLE made (); {ALLOWED}; COMMIT; TABLE made"))?;
    same("port", port(&mut client)?.as_str(), "5433")
}

/// There the verdict falls when the client says Sync, after the statement's own completion.
fn refused_in_the_extended_protocol(client: &mut Client) -> Result<()> {
    let refused = client.execute(REFUSED, &[]).err().context("this should have been refused")?;
    let rule = refused.as_db_error().and_then(|error| error.constraint());
    same("constraint name", rule, Some("known_ports"))
}

fn a_refused_prepare_leaves_nothing_prepared(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "frames_refused_prepare")?;
    let mut client = database.connect()?;
    client.batch_execute(&format!("SET fdw_guard.check_mode = deferred; BEGIN; {REFUSED}"))?;
    expect_refusal(&mut client, "PREPARE TRANSACTION 'frames'")?;
    expect_no_frame(&mut client, "PREPARE TRANSACTION")?;
    contains(&expect_error(&mut client, "COMMIT PREPARED 'frames'")?.message, "does not exist")?;
    client.batch_execute(&format!("BEGIN; {ALLOWED}; PREPARE TRANSACTION 'frames'"))?;
    client.batch_execute("COMMIT PREPARED 'frames'")?;
    same("port", port(&mut client)?.as_str(), "5433")
}
