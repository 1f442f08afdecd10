//! Where another library would see secrets, the server says at its start which setting mends it, and so does `status()`.

use anyhow::{Result, ensure};
use postgres::Client;

use super::super::{contains, same};
use super::canary::{Letters, Mint};
use super::places;
use crate::cluster::Cluster;
use crate::database::quote_literal;
use crate::settings::Settings;

const MENDED: &str = "pg_stat_statements, fdw_guard";

/// The rows of `status()` that are about secrets.
const STATUS: &str =
    "SELECT protection, active, detail, hint FROM fdw_guard.status() WHERE protection LIKE 'no secret in %' ORDER BY 1";

pub fn says_which_setting_mends_it(cluster: &Cluster) -> Result<()> {
    let hint = format!("Set shared_preload_libraries = '{MENDED}' and restart the server.");
    let early = cluster.another("order-early", &settings("fdw_guard,pg_stat_statements"))?;
    let log = early.log_text();
    same("warnings at server start", log.matches("WARNING:").count(), 1)?;
    contains(&log, "WARNING:  libraries that are loaded after fdw_guard see secrets: pg_stat_statements")?;
    contains(&log, &format!("HINT:  {hint}"))?;
    status(&early, [(true, None), (false, Some(&hint))])?;
    ensure!(pg_stat_statements_sees(&early)?, "pg_stat_statements sees no secret, and the warning is wrong");
    early.stop("fast")?;
    early.set("shared_preload_libraries", MENDED)?;
    early.launch()?;
    same("warnings when it is mended", early.log_text().matches("WARNING:").count(), 1)?;
    status(&early, [(true, None), (true, None)])?;
    ensure!(!pg_stat_statements_sees(&early)?, "pg_stat_statements sees a secret");
    Ok(())
}

pub fn says_so_of_pgaudit(cluster: &Cluster) -> Result<()> {
    if !places::has_pgaudit(cluster) {
        println!("SKIPPED: pgaudit is missing; scripts/get-pgaudit.sh can get it for most versions");
        return Ok(());
    }
    let early = cluster.another("order-pgaudit", &settings("pg_stat_statements,fdw_guard,pgaudit,auto_explain"))?;
    let log = early.log_text();
    contains(&log, "WARNING:  libraries that are loaded after fdw_guard see secrets: pgaudit\n")?;
    let hint =
        "Set shared_preload_libraries = 'pg_stat_statements, auto_explain, pgaudit, fdw_guard' and restart the server.";
    contains(&log, &format!("HINT:  {hint}"))?;
    status(&early, [(true, None), (false, Some(hint))])
}

/// Of what sessions load by themselves too, with fdw_guard or after it.
pub fn says_so_of_sessions(cluster: &Cluster) -> Result<()> {
    for (shared, sessions) in [("fdw_guard", "auth_delay"), ("", "fdw_guard,auth_delay")] {
        let own = settings(shared).with("session_preload_libraries", sessions);
        let own = cluster.another("order-sessions", &own)?;
        let hint = "Set shared_preload_libraries = 'auth_delay, fdw_guard' and restart the server.";
        status(&own, [(true, None), (false, Some(hint))])?;
        own.end()?;
    }
    let own = settings("").with("session_preload_libraries", "auth_delay,fdw_guard");
    let own = cluster.another("order-sessions", &own)?;
    status(&own, [(true, None), (true, None)])
}

pub fn says_when_it_is_off(cluster: &Cluster) -> Result<()> {
    let off = settings("fdw_guard,pg_stat_statements").with("fdw_guard.redact", "off");
    let off = cluster.another("order-off", &off)?;
    same("warnings at server start", off.log_text().matches("WARNING:").count(), 0)?;
    let hint = "RESET fdw_guard.redact, or set it to on.";
    status(&off, [(false, Some(hint)), (false, Some(hint))])
}

fn settings(libraries: &str) -> Settings {
    Settings::plain().with("shared_preload_libraries", libraries).with("pg_stat_statements.track", "all")
}

/// Whether the log and then other extensions are protected, and what is to be done.
fn status(cluster: &Cluster, expected: [(bool, Option<&str>); 2]) -> Result<()> {
    let database = cluster.guarded_database("order_status")?;
    let rows = database.connect()?.query(STATUS, &[])?;
    same("rows about secrets", rows.len(), 2)?;
    // By name: "… in other extensions" stands before "… in the server log".
    for (row, (active, hint)) in rows.iter().rev().zip(expected) {
        let protection: &str = row.get(0);
        same(protection, row.get(1), active)?;
        same(protection, row.get(3), hint)?;
        ensure!(!row.get::<_, &str>(2).is_empty(), "{protection} has no detail");
    }
    Ok(())
}

fn pg_stat_statements_sees(cluster: &Cluster) -> Result<bool> {
    let database = cluster.guarded_database("order_statements")?;
    let mut client = database.connect()?;
    let secret = Mint::new()?.secret(Letters::Plain).value;
    client.batch_execute(
        "CREATE EXTENSION pg_stat_statements; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
    )?;
    let create = format!("CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password {})", quote_literal(&secret));
    client.batch_execute(&create)?;
    ensure!(counts(&mut client, "CREATE USER MAPPING%")? == 1, "pg_stat_statements has not seen the statement");
    Ok(counts(&mut client, &format!("%{secret}%"))? > 0)
}

fn counts(client: &mut Client, like: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
               WHERE datname = current_database() AND query LIKE $1";
    Ok(client.query_one(sql, &[&like])?.get(0))
}
