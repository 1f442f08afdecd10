//! `violations()` over many objects: how far it has come can be seen, and it ends when it is told to.

mod fixes;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use postgres::Client;
use postgres::error::SqlState;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::{Database, SUPERUSER};

pub const TESTS: &[LiveTest] = &[
    LiveTest {
        name: "violations::progress_shows_and_a_cancel_ends_it_at_once",
        run: progress_shows_and_a_cancel_ends_it_at_once,
    },
    LiveTest { name: "violations::what_is_not_asked_for_is_not_read", run: what_is_not_asked_for_is_not_read },
    LiveTest { name: "violations::a_fix_mends_and_brings_nothing_new", run: fixes::fixes_mend },
];

/// Written into the catalog, which is quicker than as many statements. The rules are of a kind that takes its time, and so many
/// that a quick machine too takes more than the second after which progress shows.
const MANY_SERVERS: &str = "
    CREATE FOREIGN DATA WRAPPER plain;
    SET allow_system_table_mods = on;
    INSERT INTO pg_foreign_server
        SELECT 1000000 + n, 'server_' || n, 10, w.oid, NULL, NULL, NULL, '{host=here}'
        FROM generate_series(1, 50000) n, pg_foreign_data_wrapper w WHERE fdwname = 'plain';
    RESET allow_system_table_mods;
    CREATE SERVER shop FOREIGN DATA WRAPPER plain;
    INSERT INTO fdw_guard.rule (name, object_type, options)
        SELECT 'rule_' || n, 'server',
               json_build_object('anyOf', json_build_array('{\"required\": [\"port\"]}'::json, '{\"required\": [\"host\"]}'::json))
        FROM generate_series(1, 200) n";

const QUERY: &str = "SELECT count(*) FROM fdw_guard.violations()";

/// Long enough for a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_secs(2);

fn progress_shows_and_a_cancel_ends_it_at_once(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("violations_many")?;
    database.execute(MANY_SERVERS)?;
    let mut client = database.connect()?;
    let process: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let asking = thread::spawn(move || (client.query_one(QUERY, &[]).map(drop), client));
    let mut observer = database.connect()?;
    let shown = progress_of(&mut observer, process)?;
    contains(&shown, " of 50001 objects */ ")?;
    let told = Instant::now();
    observer.execute("SELECT pg_cancel_backend($1)", &[&process])?;
    let (ended, mut client) = asking.join().map_err(|_| anyhow!("the client panicked"))?;
    ensure!(told.elapsed() < AT_ONCE, "it went on for {:?}", told.elapsed());
    let error = ended.err().context("it was not cancelled")?;
    same("SQLSTATE", error.code(), Some(&SqlState::QUERY_CANCELED))?;
    ensure!(!text_of(&mut observer, process)?.contains("/*"), "the figure stays");
    let left: i64 = client.query_one("SELECT count(*) FROM fdw_guard.violations(server => 'shop')", &[])?.get(0);
    same("violations of one server", left, 200)
}

/// The client's text once there is a figure before it.
fn progress_of(observer: &mut Client, process: i32) -> Result<String> {
    for _ in 0..600 {
        let text = text_of(observer, process)?;
        if text.starts_with("/* fdw_guard.violations: ") {
            return Ok(text);
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("no progress is shown")
}

fn text_of(observer: &mut Client, process: i32) -> Result<String> {
    Ok(observer.query_one("SELECT query FROM pg_stat_activity WHERE pid = $1", &[&process])?.get(0))
}

/// A lock that somebody holds on a catalog would be waited for.
fn what_is_not_asked_for_is_not_read(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("violations_asked")?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER shop FOREIGN DATA WRAPPER plain; \
         INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('r', 'server', '{\"required\": [\"host\"]}')",
    )?;
    let mut holder = database.connect()?;
    holder.batch_execute("BEGIN; LOCK pg_user_mapping, pg_foreign_table IN ACCESS EXCLUSIVE MODE")?;
    same("violations", count(&database, "fdw_guard.violations()")?, 1)?;
    same("violations", count(&database, "fdw_guard.violations(object_type => 'user mapping')")?, 0)?;
    holder.batch_execute("ROLLBACK")?;
    Ok(())
}

fn count(database: &Database<'_>, what: &str) -> Result<i64> {
    let mut client = database.connect_as(SUPERUSER)?;
    client.batch_execute("SET lock_timeout = '5s'")?;
    Ok(client.query_one(&format!("SELECT count(*) FROM {what}"), &[])?.get(0))
}
