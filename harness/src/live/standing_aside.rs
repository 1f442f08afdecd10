//! Where no rule may stand in the way: a server that pg_upgrade works on, and PostgreSQL's own tidying up. (Single-user
//! mode is the story of `locked_out`.)

use anyhow::{Result, ensure};
use postgres::Client;

use super::{LiveTest, same};
use crate::cluster::{Cluster, wait_until};
use crate::command;
use crate::database::Database;
use crate::fields::expect_error;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "standing_aside::binary_upgrade_lets_everything_pass", run: binary_upgrade_lets_everything_pass },
    LiveTest {
        name: "standing_aside::a_temporary_foreign_table_goes_with_its_session",
        run: a_temporary_foreign_table_goes_with_its_session,
    },
    LiveTest {
        name: "standing_aside::discard_removes_temporary_foreign_tables",
        run: discard_removes_temporary_foreign_tables,
    },
];

const FORBIDDEN: &str = "ALTER SERVER shop OPTIONS (SET host 'elsewhere')";

const FORBIDDEN_TOO: &str = "ALTER SERVER shop OPTIONS (SET host 'here')";

fn expect_refusal(client: &mut Client, sql: &str, rule: &str) -> Result<()> {
    same("constraint name", expect_error(client, sql)?.constraint.as_deref(), Some(rule))
}

fn binary_upgrade_lets_everything_pass(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("binary-upgrade", &Settings::preloaded())?;
    let database = own.guarded_database("binary_upgrade")?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER shop FOREIGN DATA WRAPPER plain OPTIONS (host 'here'); \
         INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('frozen', 'server', '{OPTIONS}')",
    )?;
    expect_refusal(&mut database.connect()?, FORBIDDEN, "frozen")?;
    own.stop("fast")?;
    start_for_upgrade(&own)?;
    let mut client = database.connect()?;
    client.batch_execute(FORBIDDEN)?;
    let loading =
        client.query_one("SELECT active, detail FROM fdw_guard.status() WHERE protection LIKE '%guarded'", &[])?;
    ensure!(!loading.get::<_, bool>(0) && loading.get::<_, &str>(1).contains("pg_upgrade"), "{loading:?}");
    drop(client);
    own.stop("fast")?;
    own.launch()?;
    expect_refusal(&mut database.connect()?, FORBIDDEN_TOO, "frozen")
}

/// As pg_upgrade does it.
fn start_for_upgrade(cluster: &Cluster) -> Result<()> {
    let mut pg_ctl = cluster.sandbox().program("pg_ctl");
    pg_ctl.args(["start", "--silent", "--options=-b", "--pgdata"]).arg(cluster.data());
    command::run(pg_ctl.arg("-l").arg(cluster.directory().join("server.log"))).map(drop)
}

/// One session with a temporary foreign table, which no rule lets it drop.
fn with_temporary_table<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<(Database<'cluster>, Client)> {
    let database = cluster.guarded_database(name)?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER shop FOREIGN DATA WRAPPER plain; \
         INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('kept', 'foreign table', '{DROP}')",
    )?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE FOREIGN TABLE pg_temp.passing (a int) SERVER shop")?;
    expect_refusal(&mut client, "DROP FOREIGN TABLE passing", "kept")?;
    same("tables", tables(&mut client)?, 1)?;
    Ok((database, client))
}

fn tables(client: &mut Client) -> Result<i64> {
    Ok(client.query_one("SELECT count(*) FROM pg_foreign_table", &[])?.get(0))
}

fn a_temporary_foreign_table_goes_with_its_session(cluster: &Cluster) -> Result<()> {
    let (database, client) = with_temporary_table(cluster, "temporary")?;
    let mut other = database.connect()?;
    drop(client);
    let none = || database.connect().and_then(|mut client| tables(&mut client)).is_ok_and(|count| count == 0);
    wait_until("remove the temporary table of a session that has ended", none)?;
    same("tables", tables(&mut other)?, 0)
}

fn discard_removes_temporary_foreign_tables(cluster: &Cluster) -> Result<()> {
    let (_database, mut client) = with_temporary_table(cluster, "temporary_discard")?;
    client.batch_execute("DISCARD TEMP")?;
    same("tables", tables(&mut client)?, 0)?;
    client.batch_execute("CREATE FOREIGN TABLE pg_temp.passing (a int) SERVER shop; SELECT 1")?;
    client.batch_execute("DISCARD ALL")?;
    same("tables", tables(&mut client)?, 0)
}
