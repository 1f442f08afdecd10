//! Databases that are dumped, cloned and replicated.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::{contains, same};
use super::{port, recorded, with_server};
use crate::cluster::{Cluster, wait_until};
use crate::command;
use crate::database::{Database, quote_literal};
use crate::fields::expect_error;
use crate::settings::Settings;

fn revert_last(client: &mut Client) -> Result<Vec<String>> {
    let last = "SELECT id FROM fdw_guard.history WHERE attribute = 'option port' AND tag = 'ALTER SERVER' \
                ORDER BY at DESC, ord DESC LIMIT 1";
    let sql = format!("SELECT fdw_guard.revert(({last}))");
    Ok(client.query(&sql, &[])?.iter().map(|row| row.get(0)).collect())
}

fn dump(cluster: &Cluster, database: &Database<'_>, more: &[&str]) -> Result<String> {
    let mut pg_dump = cluster.sandbox().program("pg_dump");
    pg_dump.args(["-U", "postgres", "-d", database.name(), "-p", &cluster.port().to_string()]);
    command::run(pg_dump.arg("-h").arg(cluster.socket()).args(more))
}

fn restore(cluster: &Cluster, database: &Database<'_>, dump: &str) -> Result<()> {
    let mut psql = cluster.sandbox().program("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database.name()]);
    psql.args(["-p", &cluster.port().to_string()]);
    command::feed(psql.arg("-h").arg(cluster.socket()), dump).map(drop)
}

/// Rows that were restored name objects of another database: they are found by name.
pub fn dump_and_restore(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_dumped")?;
    let mut client = database.connect()?;
    client.batch_execute("ALTER SERVER s OPTIONS (SET port '2')")?;
    client.batch_execute("SELECT fdw_guard.add_rule('kept', 'server', 'host', pattern => 'x', mode => 'warn')")?;
    let rows: i64 = client.query_one("SELECT count(*) FROM fdw_guard.history", &[])?.get(0);
    let restored = cluster.database("history_restored")?;
    restore(cluster, &restored, &dump(cluster, &database, &[])?)?;
    let mut client = restored.connect()?;
    let counted = "SELECT count(*) FROM fdw_guard.history WHERE object_type <> 'rule' AND object IS NULL";
    let of_objects: i64 = client.query_one(counted, &[])?.get(0);
    ensure!(of_objects > 0 && of_objects < rows, "{of_objects} of {rows}");
    // The server was made by the restore with what it has now; what the dump brings is older.
    same("history", recorded(&mut client)?, vec!["add 1".to_owned(), "set 1 2".to_owned(), "add 2".to_owned()])?;
    same("reverted", revert_last(&mut client)?, vec!["ALTER SERVER s OPTIONS (SET port '1')".to_owned()])?;
    same("port", port(&mut client)?.as_str(), "1")?;
    let rules: i64 = client.query_one("SELECT count(*) FROM fdw_guard.rule", &[])?.get(0);
    same("rules", rules, 1)?;
    schema_and_data(cluster, &database, rows)?;
    // Rows as INSERTs are refused like any other: such a dump has to leave them out.
    let inserts = dump(cluster, &database, &["--inserts", "--exclude-table-data=fdw_guard.history_row"])?;
    let other = cluster.database("history_restored_too")?;
    restore(cluster, &other, &inserts)?;
    same("history", recorded(&mut other.connect()?)?, vec!["add 2".to_owned()])?;
    only_superusers_restore(cluster, &restored)
}

/// A dump of the schema alone has neither rules nor history; one of the data alone brings both.
fn schema_and_data(cluster: &Cluster, database: &Database<'_>, rows: i64) -> Result<()> {
    let other = cluster.database("history_restored_in_parts")?;
    let quiet = "SET fdw_guard.record_history = off;\n";
    restore(cluster, &other, &(quiet.to_owned() + &dump(cluster, database, &["-s"])?))?;
    let counted = "SELECT (SELECT count(*) FROM fdw_guard.rule), (SELECT count(*) FROM fdw_guard.history_row)";
    let count = || -> Result<(i64, i64)> {
        let row = other.connect()?.query_one(counted, &[])?;
        Ok((row.get(0), row.get(1)))
    };
    same("rules and rows after pg_dump -s", count()?, (0, 0))?;
    restore(cluster, &other, &(quiet.to_owned() + &dump(cluster, database, &["-a"])?))?;
    same("rules and rows after pg_dump -a", count()?, (1, rows))?;
    let mut client = other.connect()?;
    same("reverted", revert_last(&mut client)?, vec!["ALTER SERVER s OPTIONS (SET port '1')".to_owned()])
}

fn only_superusers_restore(cluster: &Cluster, database: &Database<'_>) -> Result<()> {
    database.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'history_writer') THEN \
         CREATE ROLE history_writer LOGIN IN ROLE pg_write_all_data, pg_read_all_data; END IF; END $$",
    )?;
    let mut psql = cluster.sandbox().program("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "history_writer", "-d", database.name()]);
    psql.args(["-p", &cluster.port().to_string()]);
    let row = "COPY fdw_guard.history_row (id, at, transaction_id, ord, session_role, acting_role, object_type, identity, \
               system_identifier, change) FROM stdin;\n\
               00000000-0000-0000-0000-000000000000\t2026-01-01\t1\t1\ta\ta\tserver\ts\t1\tset\n\\.\n";
    let refused = command::feed(psql.arg("-h").arg(cluster.socket()), row);
    let error = refused.err().context("a member of pg_write_all_data has written history")?;
    contains(&format!("{error:#}"), "only fdw_guard itself writes its history")
}

pub fn clones(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_cloned")?;
    database.execute("ALTER SERVER s OPTIONS (SET port '2'); ALTER SERVER s RENAME TO t")?;
    let clone = Database::create_with(cluster, "history_clone", "TEMPLATE history_cloned")?;
    let mut client = clone.connect()?;
    // An oid is the same in the clone, whatever the object is called.
    same("reverted", revert_last(&mut client)?, vec!["ALTER SERVER t OPTIONS (SET port '1')".to_owned()])?;
    same("port of the clone", port(&mut client)?.as_str(), "1")?;
    client.batch_execute("ALTER EXTENSION fdw_guard UPDATE; ALTER SERVER t OPTIONS (SET port '3')")?;
    same("history of the clone", recorded(&mut client)?.len(), 4)?;
    same("history", recorded(&mut database.connect()?)?.len(), 2)
}

/// A subscriber keeps its own history, and none of its publisher's.
pub fn logical_replication(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("history-replication", &Settings::preloaded().with("wal_level", "logical"))?;
    let publisher = with_server(&own, "publisher")?;
    publisher.execute(
        "CREATE TABLE data (a int PRIMARY KEY); INSERT INTO data VALUES (1); \
         SELECT fdw_guard.add_rule('told', 'server', 'host', pattern => 'x', mode => 'warn'); \
         CREATE PUBLICATION everything FOR ALL TABLES",
    )?;
    publisher.execute("SELECT pg_create_logical_replication_slot('history', 'pgoutput')")?;
    let subscriber = with_server(&own, "subscriber")?;
    // Both have rules of the same names.
    publisher.execute("SELECT fdw_guard.install_pack('file_fdw')")?;
    subscriber.execute("SELECT fdw_guard.install_pack('file_fdw'); CREATE TABLE data (a int PRIMARY KEY)")?;
    let address = format!("host={} port={} user=postgres dbname=publisher", own.socket().display(), own.port());
    subscriber.execute(&format!(
        "CREATE SUBSCRIPTION here CONNECTION {} PUBLICATION everything WITH (create_slot = false, slot_name = 'history')",
        quote_literal(&address)
    ))?;
    let arrived = |count: i64| {
        let counted =
            || -> Result<i64> { Ok(subscriber.connect()?.query_one("SELECT count(*) FROM data", &[])?.get(0)) };
        wait_until("bring the rows of an ordinary table", || counted().is_ok_and(|found| found == count))
    };
    arrived(1)?;
    publisher.execute("ALTER SERVER s OPTIONS (SET port '2'); INSERT INTO data VALUES (2)")?;
    arrived(2)?;
    publisher.execute("SELECT fdw_guard.prune_history('-1 day'); INSERT INTO data VALUES (3)")?;
    arrived(3)?;
    subscriber.execute("SELECT fdw_guard.add_rule('both', 'server', 'host', pattern => 'mine', mode => 'warn')")?;
    publisher.execute(
        "SELECT fdw_guard.add_rule('both', 'server', 'host', pattern => 'theirs', mode => 'warn'); \
         SELECT fdw_guard.install_pack('file_fdw'); INSERT INTO data VALUES (4)",
    )?;
    arrived(4)?;
    // What is known of the past of secrets is written, changed and removed there, and means nothing here.
    publisher.execute(
        "INSERT INTO fdw_guard.rule (name, object_type, max_age) VALUES ('aged', 'user mapping', '1 day'); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password 'one'); \
         CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'of all')",
    )?;
    publisher.execute("ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password 'two')")?;
    publisher.execute("DROP USER MAPPING FOR PUBLIC SERVER s; INSERT INTO data VALUES (5)")?;
    arrived(5)?;
    let kept = |database: &Database<'_>| -> Result<i64> {
        Ok(database.connect()?.query_one("SELECT count(*) FROM fdw_guard.secret_row", &[])?.get(0))
    };
    ensure!(kept(&publisher)? > 0, "the publisher keeps nothing of its secrets");
    same("secrets of the subscriber", kept(&subscriber)?, 0)?;
    // Only a superuser who has switched the trigger off can do this; the subscriber's history is not his.
    publisher.execute(
        "ALTER TABLE fdw_guard.history_row DISABLE TRIGGER USER; TRUNCATE fdw_guard.history_row; \
         ALTER TABLE fdw_guard.history_row ENABLE ALWAYS TRIGGER keep_rows",
    )?;
    wait_until("refuse to truncate the history", || {
        own.log_text().contains("only fdw_guard itself writes its history")
    })?;
    let mut client = subscriber.connect()?;
    same("history of the subscriber", recorded(&mut client)?, vec!["add 1".to_owned()])?;
    let rules: i64 = client.query_one("SELECT count(*) FROM fdw_guard.rule WHERE name = 'told'", &[])?.get(0);
    same("rules that were brought", rules, 1)?;
    let own_rule = "SELECT options #>> '{properties,host,pattern}' FROM fdw_guard.rule WHERE name = 'both'";
    same("the subscriber's rule", client.query_one(own_rule, &[])?.get::<_, String>(0).as_str(), "mine")?;
    expect_error(&mut client, "DELETE FROM fdw_guard.history_row")?;
    client.batch_execute("ALTER SUBSCRIPTION here DISABLE")?;
    client.batch_execute("ALTER SUBSCRIPTION here SET (slot_name = NONE)")?;
    client.batch_execute("DROP SUBSCRIPTION here")?;
    let gone = "SELECT pg_drop_replication_slot('history') FROM pg_replication_slots WHERE slot_name = 'history' AND NOT active";
    wait_until("give up the slot", || {
        publisher.connect().and_then(|mut client| Ok(client.query(gone, &[])?)).is_ok_and(|rows| rows.len() == 1)
    })
}
