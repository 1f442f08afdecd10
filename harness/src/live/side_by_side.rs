//! What one session reads of a table that another one changes.

use anyhow::{Result, ensure};

use super::{LiveTest, contains};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::expect_error;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "side_by_side::tables_below_a_server_are_not_waited_for", run: tables_below_are_not_waited_for },
    LiveTest { name: "side_by_side::table_state_waits_for_whoever_changes_the_table", run: table_state_waits },
    LiveTest { name: "side_by_side::table_state_leaves_no_lock", run: table_state_leaves_no_lock },
];

const SETUP: &str = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
    CREATE FUNCTION fine(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE FOREIGN TABLE t (a integer DEFAULT 1 CHECK (fine(a))) SERVER s;
    INSERT INTO fdw_guard.rule (name, object_type, condition, options, forms) VALUES ('looks_up', 'foreign table',
        '{\"properties\": {\"server\": {\"properties\": {\"options\": {\"required\": [\"hard\"]}}}}}',
        '{\"required\": [\"b\"]}', '{DROP DEFAULT}')";

/// What whoever holds the lock does; the function goes, and the constraint with it.
const CHANGE: &str = "BEGIN; DROP FUNCTION fine(integer) CASCADE";

const IMPATIENT: &str = "SET lock_timeout = '300ms'";

const STATE: &str = "SELECT fdw_guard.table_state('t')";

fn guarded<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(SETUP)?;
    Ok(database)
}

fn tables_below_are_not_waited_for(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "side_by_side_below")?;
    let (mut changing, mut altering) = (database.connect()?, database.connect()?);
    changing.batch_execute(CHANGE)?;
    altering.batch_execute(IMPATIENT)?;
    altering.batch_execute("ALTER SERVER s OPTIONS (ADD soft '1')")?;
    let error = expect_error(&mut altering, "ALTER SERVER s OPTIONS (ADD hard '1')")?;
    ensure!(error.constraint.as_deref() == Some("looks_up"), "{error}");
    Ok(())
}

fn table_state_waits(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "side_by_side_state")?;
    let (mut changing, mut reading) = (database.connect()?, database.connect()?);
    changing.batch_execute(CHANGE)?;
    reading.batch_execute(IMPATIENT)?;
    let error = expect_error(&mut reading, STATE)?;
    contains(&error.message, "lock timeout")?;
    changing.batch_execute("COMMIT")?;
    reading.batch_execute(STATE)?;
    Ok(())
}

fn table_state_leaves_no_lock(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "side_by_side_after")?;
    let (mut changing, mut reading) = (database.connect()?, database.connect()?);
    reading.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")?;
    reading.batch_execute(STATE)?;
    changing.batch_execute(IMPATIENT)?;
    changing.batch_execute("DROP FUNCTION fine(integer) CASCADE")?;
    reading.batch_execute(STATE)?;
    Ok(())
}
