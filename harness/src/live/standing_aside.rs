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
    LiveTest {
        name: "standing_aside::what_stands_on_temporary_objects_goes_with_their_session",
        run: what_stands_on_temporary_objects,
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

/// A table of which a column and a constraint use what is temporary, and rules that keep both.
const ON_TEMPORARY: &str = "CREATE TYPE pg_temp.passing AS ENUM ('x'); \
    CREATE FUNCTION pg_temp.fine(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'; \
    ALTER FOREIGN TABLE stays ALTER COLUMN b TYPE pg_temp.passing";

/// DISCARD is refused like any statement; the end of a session cannot be, as its temporary objects would stay for ever.
fn what_stands_on_temporary_objects(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("temporary_stands")?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER shop FOREIGN DATA WRAPPER plain; \
         CREATE FOREIGN TABLE stays (a int, b text) SERVER shop; \
         INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('kept', 'foreign table', '{DROP COLUMN}'), \
             ('checked', 'foreign table', '{DROP CONSTRAINT}')",
    )?;
    let mut client = database.connect()?;
    client.batch_execute(ON_TEMPORARY)?;
    for discard in ["DISCARD TEMP", "DISCARD ALL"] {
        expect_refusal(&mut client, discard, "kept")?;
    }
    client.batch_execute("ALTER FOREIGN TABLE stays ADD CHECK (pg_temp.fine(a)), ALTER COLUMN b TYPE text")?;
    expect_refusal(&mut client, "DISCARD TEMP", "checked")?;
    client.batch_execute("ALTER FOREIGN TABLE stays ALTER COLUMN b TYPE pg_temp.passing")?;
    drop(client);
    let left = "SELECT (SELECT count(*) FROM pg_type WHERE typname = 'passing') + (SELECT count(*) FROM pg_proc WHERE proname = 'fine')";
    let is_clean = || {
        let row = database.connect().and_then(|mut client| Ok(client.query_one(left, &[])?));
        row.is_ok_and(|row| row.get::<_, i64>(0) == 0)
    };
    wait_until("remove the temporary objects of a session that has ended", is_clean)?;
    let told = "SELECT form || ' ' || identity FROM fdw_guard.history WHERE form LIKE 'DROP %' AND change = 'drop' \
                AND (attribute IS NULL OR attribute LIKE 'constraint %') ORDER BY 1";
    let told: Vec<String> = database.connect()?.query(told, &[])?.iter().map(|row| row.get(0)).collect();
    same("history", told, ["DROP COLUMN public.stays.b", "DROP CONSTRAINT public.stays"].map(str::to_owned).to_vec())
}
