//! A rule stops a bad ALTER, and the password that a good one set is the one that the next connection uses.

use anyhow::Result;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::quote_literal;
use crate::fields::expect_error;

pub const TESTS: &[LiveTest] = &[
    LiveTest {
        name: "rejected_alter::a_refused_option_keeps_its_old_value",
        run: a_refused_option_keeps_its_old_value,
    },
    LiveTest { name: "rejected_alter::a_changed_password_is_used_next", run: a_changed_password_is_used_next },
    LiveTest {
        name: "rejected_alter::a_rule_on_columns_binds_who_holds_the_table_already",
        run: a_rule_on_columns_binds_who_holds_the_table_already,
    },
    LiveTest { name: "rejected_alter::rules_replaced_at_once_leave_no_gap", run: rules_replaced_at_once_leave_no_gap },
    LiveTest { name: "rejected_alter::a_rule_binds_other_sessions_at_once", run: a_rule_binds_other_sessions_at_once },
];

const SERVER: &str = "CREATE EXTENSION IF NOT EXISTS postgres_fdw; \
                      CREATE SERVER shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (port '5432')";

const PORT_RULE: &str = "INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('known_ports', 'server', \
                         '{\"properties\": {\"port\": {\"enum\": [\"5432\", \"5433\"]}}}')";

const PORT: &str = "SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) \
                    WHERE srvname = 'shop' AND option_name = 'port'";

fn a_refused_option_keeps_its_old_value(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("rejected_alter")?;
    let mut client = database.connect()?;
    client.batch_execute(SERVER)?;
    client.batch_execute(PORT_RULE)?;
    client.batch_execute("ALTER SERVER shop OPTIONS (SET port '5433')")?;
    let error = expect_error(&mut client, "ALTER SERVER shop OPTIONS (SET port '6000')")?;
    same("SQLSTATE", error.sqlstate.as_str(), "HV024")?;
    same("constraint name", error.constraint.as_deref(), Some("known_ports"))?;
    let port: String = client.query_one(PORT, &[])?.get(0);
    same("port", port.as_str(), "5433")
}

fn a_rule_binds_other_sessions_at_once(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("rule_binds_others")?;
    let mut other = database.connect()?;
    other.batch_execute(SERVER)?;
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; ALTER SERVER shop OPTIONS (SET port '5433')")?;
    database.execute(PORT_RULE)?;
    let error = expect_error(&mut other, "ALTER SERVER shop OPTIONS (SET port '6001')")?;
    same("constraint name", error.constraint.as_deref(), Some("known_ports"))
}

fn a_rule_on_columns_binds_who_holds_the_table_already(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("column_rule_binds")?;
    let mut other = database.connect()?;
    other.batch_execute(SERVER)?;
    other.batch_execute("CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'x')) SERVER shop")?;
    database.execute(PORT_RULE)?;
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; ALTER FOREIGN TABLE t OPTIONS (ADD table_name 't')")?;
    database
        .execute("SELECT fdw_guard.add_rule('columns', 'foreign table column', 'column_name', allowed => '{x}')")?;
    let error = expect_error(&mut other, "ALTER FOREIGN TABLE t ALTER a OPTIONS (SET column_name 'y')")?;
    same("constraint name", error.constraint.as_deref(), Some("columns"))
}

/// No committed state lacks the rule, so whoever waits for the new rules must not pass between the old and the new.
fn rules_replaced_at_once_leave_no_gap(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("rules_replaced")?;
    database.execute(SERVER)?;
    database.execute(PORT_RULE)?;
    let mut writer = database.connect()?;
    writer.batch_execute(&format!("BEGIN; TRUNCATE fdw_guard.rule; {PORT_RULE}"))?;
    let mut waiting = database.connect()?;
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| expect_error(&mut waiting, "ALTER SERVER shop OPTIONS (SET port '6000')"));
        writer.batch_execute("SELECT pg_sleep(1); COMMIT")?;
        let error = refused.join().map_err(|_| anyhow::anyhow!("the waiting session panicked"))??;
        same("constraint name", error.constraint.as_deref(), Some("known_ports"))
    })
}

fn a_changed_password_is_used_next(cluster: &Cluster) -> Result<()> {
    let remote = cluster.database("warehouse")?.remote("warehouse_reader", "first")?;
    let database = cluster.guarded_database("changed_password")?;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER warehouse FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({}); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER warehouse OPTIONS (user {}, password 'first'); \
         CREATE FOREIGN TABLE names (rolname name) SERVER warehouse OPTIONS (schema_name 'pg_catalog', table_name 'pg_roles')",
        remote.server_options(),
        quote_literal(&remote.role)
    ))?;
    client.batch_execute("SELECT * FROM names")?;
    remote.database.execute("ALTER ROLE warehouse_reader PASSWORD 'second'")?;
    client.batch_execute("ALTER USER MAPPING FOR CURRENT_USER SERVER warehouse OPTIONS (SET password 'wrong')")?;
    contains(&expect_error(&mut client, "SELECT * FROM names")?.message, "could not connect to server")?;
    client.batch_execute("ALTER USER MAPPING FOR CURRENT_USER SERVER warehouse OPTIONS (SET password 'second')")?;
    Ok(client.batch_execute("SELECT * FROM names")?)
}
