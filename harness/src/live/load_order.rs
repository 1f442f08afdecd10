//! fdw_guard does its work, and leaves others to do theirs, wherever it stands in shared_preload_libraries.

use anyhow::{Context, Result};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "load_order::fdw_guard_first_disturbs_nobody", run: first },
    LiveTest { name: "load_order::fdw_guard_last_disturbs_nobody", run: last },
    LiveTest { name: "load_order::fdw_guard_beside_pgaudit_disturbs_nobody", run: beside_pgaudit },
];

const NAME: &str = "load_order";

const SETUP: &str = "
    CREATE FOREIGN DATA WRAPPER plain;
    CREATE SERVER shop FOREIGN DATA WRAPPER plain OPTIONS (port '5432');
    SELECT fdw_guard.add_rule('known_ports', 'server', 'port', allowed => '{5432,5433}');
    CREATE FUNCTION fails(how text) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE how; RETURN 1; END';
    CREATE TABLE t (n int CONSTRAINT above CHECK (n > 0))";

/// Errors with each field that an error can have, and two refusals.
const FAILING: &[&str] = &[
    "SELECT no_such_column",
    "ALTER SERVER shop OPTIONS (SET port '6000')",
    "SELECT fails('DO $i$ BEGIN ALTER SERVER shop OPTIONS (SET port ''6000''); END $i$')",
    "ALTER SERVER no_such_server OPTIONS (ADD a '1')",
    "CREATE TABLE made (a no_such_type)",
    "INSERT INTO t VALUES (0)",
    "CREATE TABLE made AS SELECT 1 / 0",
    "DO $$ BEGIN INSERT INTO t VALUES (0); END $$",
    "SELECT fails('SELEC 1')",
    "SELECT fails('DO $i$ BEGIN DROP TABLE no_such_table; END $i$')",
    "EXPLAIN ANALYZE SELECT fails('DROP TYPE no_such_type')",
];

const ALLOWED: &str = "ALTER SERVER shop OPTIONS (SET port '5433')";

const TOLD_BY_AUTO_EXPLAIN: &str = "SELECT 'explained' FROM t";

fn first(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("order-first", &settings("fdw_guard,pg_stat_statements,auto_explain"))?;
    works_beside_others(cluster, &own, false)
}

fn last(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("order-last", &settings("pg_stat_statements,auto_explain,fdw_guard"))?;
    works_beside_others(cluster, &own, true)
}

fn beside_pgaudit(cluster: &Cluster) -> Result<()> {
    let installation = &cluster.sandbox().mirror.installation;
    let library = installation.pkglibdir.join("pgaudit.so");
    if !library.exists() {
        println!("SKIPPED: {} is missing; scripts/get-pgaudit.sh can get it for most versions", library.display());
        return Ok(());
    }
    let orders = [
        ("order-pgaudit-after", "pg_stat_statements,fdw_guard,auto_explain,pgaudit", false),
        ("order-pgaudit-before", "pgaudit,pg_stat_statements,auto_explain,fdw_guard", true),
    ];
    for (name, libraries, is_first) in orders {
        let own = cluster.another(name, &settings(libraries).with("pgaudit.log", "ddl"))?;
        works_beside_others(cluster, &own, is_first)?;
        audits(&own).with_context(|| libraries.to_owned())?;
    }
    Ok(())
}

fn settings(libraries: &str) -> Settings {
    Settings::plain()
        .with("shared_preload_libraries", libraries)
        .with("auto_explain.log_min_duration", "0")
        .with("auto_explain.log_nested_statements", "on")
}

fn guarded(cluster: &Cluster) -> Result<Database<'_>> {
    let database = cluster.guarded_database(NAME)?;
    database.execute(SETUP)?;
    Ok(database)
}

fn works_beside_others(alone: &Cluster, beside: &Cluster, is_first: bool) -> Result<()> {
    let expected = errors(&mut guarded(alone)?.connect()?)?;
    let database = guarded(beside)?;
    let mut client = database.connect()?;
    for ((sql, found), expected) in FAILING.iter().zip(errors(&mut client)?).zip(expected) {
        same(sql, found, expected)?;
    }
    client.batch_execute(ALLOWED)?;
    client.batch_execute(ALLOWED)?;
    depth_is_right(&mut client)?;
    status_tells_order(&mut client, is_first)?;
    counts(&mut client)?;
    explains(beside, &mut client)
}

/// Every field of each error, down to the place in PostgreSQL's source.
fn errors(client: &mut Client) -> Result<Vec<String>> {
    let error = |sql: &&str| {
        let error = client.batch_execute(sql).err().with_context(|| format!("this should have failed: {sql}"))?;
        Ok(format!("{:#?}", error.as_db_error().with_context(|| format!("the connection broke at: {sql}"))?))
    };
    FAILING.iter().map(error).collect()
}

fn depth_is_right(client: &mut Client) -> Result<()> {
    same("depth", client.query_one("SELECT tests.frame_depth()", &[])?.get(0), 0)?;
    client.batch_execute("CREATE TEMP TABLE seen AS SELECT tests.frame_depth() AS depth")?;
    same("depth within a statement", client.query_one("SELECT depth FROM seen", &[])?.get(0), 1)
}

fn status_tells_order(client: &mut Client, is_first: bool) -> Result<()> {
    let sql = "SELECT active FROM fdw_guard.status() WHERE protection = 'first to see a statement'";
    same("first to see a statement", client.query_one(sql, &[])?.get(0), is_first)
}

fn counts(client: &mut Client) -> Result<()> {
    client.batch_execute("CREATE EXTENSION pg_stat_statements")?;
    let sql = "SELECT calls FROM pg_stat_statements WHERE query = $1 AND toplevel \
               AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    same("calls of an accepted statement", client.query_one(sql, &[&ALLOWED])?.get(0), 2_i64)
}

fn explains(cluster: &Cluster, client: &mut Client) -> Result<()> {
    client.batch_execute(TOLD_BY_AUTO_EXPLAIN)?;
    contains(&cluster.log_text(), &format!("Query Text: {TOLD_BY_AUTO_EXPLAIN}"))
}

/// What was accepted, and what was done inside something else.
fn audits(cluster: &Cluster) -> Result<()> {
    let log = cluster.log_text();
    contains(&log, &format!("DDL,ALTER SERVER,,,{ALLOWED}"))?;
    contains(&log, "DDL,CREATE SERVER,")?;
    contains(&log, "DDL,CREATE TABLE AS,")
}
