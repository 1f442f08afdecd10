//! No change passes unrecorded, and nothing else fails because of the history.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::{contains, same};
use super::{CHANGE, port, recorded, with_server};
use crate::cluster::Cluster;
use crate::fields::expect_error;
use crate::settings::Settings;

/// Ways in which a superuser can take the table away or make it another.
const LOSSES: [(&str, &str, &str); 4] = [
    (
        "ALTER TABLE fdw_guard.history_row RENAME TO gone",
        "ALTER TABLE fdw_guard.gone RENAME TO history_row",
        "table fdw_guard.history_row does not exist",
    ),
    (
        "ALTER TABLE fdw_guard.history_row RENAME COLUMN tag TO label",
        "ALTER TABLE fdw_guard.history_row RENAME COLUMN label TO tag",
        "table fdw_guard.history_row has been altered",
    ),
    (
        "CREATE SCHEMA other; ALTER TABLE fdw_guard.history_row SET SCHEMA other",
        "ALTER TABLE other.history_row SET SCHEMA fdw_guard; DROP SCHEMA other",
        "table fdw_guard.history_row does not exist",
    ),
    // Somebody else's table of that name is none of ours.
    (
        "ALTER TABLE fdw_guard.history_row RENAME TO gone; CREATE TABLE fdw_guard.history_row (LIKE fdw_guard.gone)",
        "DROP TABLE fdw_guard.history_row; ALTER TABLE fdw_guard.gone RENAME TO history_row",
        "table fdw_guard.history_row does not exist",
    ),
];

pub fn a_lost_table(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_lost")?;
    let mut client = database.connect()?;
    for (loss, mending, complaint) in LOSSES {
        client.batch_execute(loss)?;
        let error = expect_error(&mut client, CHANGE)?;
        same("SQLSTATE", error.sqlstate.as_str(), "55000")?;
        contains(&error.message, complaint)?;
        same("port", port(&mut client)?.as_str(), "1")?;
        client.batch_execute("CREATE TABLE other (a int); ALTER TABLE other ADD b int; DROP TABLE other")?;
        client.batch_execute("SET fdw_guard.record_history = off; ALTER SERVER s OPTIONS (SET port '2')")?;
        client.batch_execute("ALTER SERVER s OPTIONS (SET port '1'); RESET fdw_guard.record_history")?;
        client.batch_execute(mending)?;
    }
    client.batch_execute(CHANGE)?;
    same("history", recorded(&mut client)?, vec!["add 1".to_owned(), "set 1 2".to_owned()])?;
    // What depends on it goes with it; as a part of the extension it would take that along.
    client.batch_execute(
        "ALTER EXTENSION fdw_guard DROP VIEW fdw_guard.history; ALTER EXTENSION fdw_guard DROP FUNCTION fdw_guard.timeline; \
         ALTER EXTENSION fdw_guard DROP TABLE fdw_guard.history_row; DROP TABLE fdw_guard.history_row CASCADE",
    )?;
    contains(&expect_error(&mut client, "ALTER SERVER s OPTIONS (SET port '1')")?.message, "does not exist")?;
    client.batch_execute("CREATE TABLE other (a int)")?;
    client.batch_execute("SET fdw_guard.record_history = off; ALTER SERVER s OPTIONS (SET port '1')")?;
    client.batch_execute(
        "DROP EXTENSION fdw_guard; RESET fdw_guard.record_history; ALTER SERVER s OPTIONS (SET port '3')",
    )?;
    client.batch_execute(&format!("CREATE EXTENSION fdw_guard; {CHANGE}"))?;
    same("history of the extension that was made anew", recorded(&mut client)?, vec!["set 3 2".to_owned()])
}

/// A full disk would do the same as this index does.
pub fn an_unwritable_row(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_unwritable")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE FUNCTION broken(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS \
         $$ BEGIN IF $1 = '2' THEN RAISE disk_full; END IF; RETURN $1; END $$; \
         CREATE INDEX ON fdw_guard.history_row (broken(new))",
    )?;
    for mode in ["immediate", "deferred"] {
        client.batch_execute(&format!("SET fdw_guard.check_mode = {mode}"))?;
        same("SQLSTATE", expect_error(&mut client, CHANGE)?.sqlstate.as_str(), "53100")?;
        same("port", port(&mut client)?.as_str(), "1")?;
    }
    client.batch_execute("ALTER SERVER s OPTIONS (SET port '3')")?;
    let found = "SET enable_seqscan = off; SELECT count(*) FROM fdw_guard.history_row WHERE broken(new) = '3'";
    client.batch_execute("SET enable_seqscan = off")?;
    let found: i64 = client.query_one(found.split_once("; ").map_or(found, |(_, query)| query), &[])?.get(0);
    same("rows in the index", found, 1)
}

pub fn read_only_transactions(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_read_only")?;
    let mut client = database.connect()?;
    for mode in ["immediate", "deferred"] {
        client.batch_execute(&format!(
            "SET fdw_guard.check_mode = {mode}; BEGIN; {CHANGE}; SET TRANSACTION READ ONLY; COMMIT; \
             ALTER SERVER s OPTIONS (SET port '1')"
        ))?;
    }
    same("rows", recorded(&mut client)?.len(), 5)?;
    client
        .batch_execute("BEGIN READ ONLY; SELECT * FROM fdw_guard.history; SELECT fdw_guard.timeline('server', 's')")?;
    same("SQLSTATE", expect_error(&mut client, "SELECT fdw_guard.prune_history('0')")?.sqlstate.as_str(), "25006")?;
    client.batch_execute("ROLLBACK")?;
    Ok(())
}

pub fn prepared_transactions(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_prepared")?;
    let mut client = database.connect()?;
    for (end, rows) in [("ROLLBACK PREPARED", 1), ("COMMIT PREPARED", 2)] {
        client.batch_execute(&format!("BEGIN; {CHANGE}; PREPARE TRANSACTION 'history'"))?;
        client.batch_execute(&format!("{end} 'history'"))?;
        same(end, recorded(&mut client)?.len(), rows)?;
    }
    Ok(())
}

/// Somebody has taken the table's name.
pub fn without_the_extension(cluster: &Cluster) -> Result<()> {
    let database = cluster.database("history_without")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE SCHEMA fdw_guard; CREATE TABLE fdw_guard.history_row (id uuid)")?;
    client.batch_execute(super::SETUP)?;
    client.batch_execute(CHANGE)?;
    let rows: i64 = client.query_one("SELECT count(*) FROM fdw_guard.history_row", &[])?.get(0);
    same("rows", rows, 0)?;
    client.batch_execute("DROP SCHEMA fdw_guard CASCADE; BEGIN; CREATE EXTENSION fdw_guard")?;
    client.batch_execute(
        "ALTER SERVER s OPTIONS (SET port '3'); DROP EXTENSION fdw_guard; ALTER SERVER s OPTIONS (SET port '4')",
    )?;
    client.batch_execute("CREATE EXTENSION fdw_guard; ALTER SERVER s OPTIONS (SET port '5'); COMMIT")?;
    same("history", recorded(&mut client)?, vec!["set 4 5".to_owned()])
}

pub fn unreadable_rules(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_unreadable")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT fdw_guard.add_rule('r', 'server', 'host', pattern => 'x')")?;
    client.batch_execute(
        "ALTER TABLE fdw_guard.rule DISABLE TRIGGER USER; UPDATE fdw_guard.rule SET object_type = 'nothing'; \
         ALTER TABLE fdw_guard.rule ENABLE ALWAYS TRIGGER check_rule",
    )?;
    same("SQLSTATE", expect_error(&mut client, CHANGE)?.sqlstate.as_str(), "23514")?;
    client.batch_execute("SET fdw_guard.enforcement = off")?;
    client.batch_execute(CHANGE)?;
    same("history", recorded(&mut client)?, vec!["add ***".to_owned(), "set *** ***".to_owned()])
}

pub fn commits_within(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_commits")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE TABLE p (a int) PARTITION BY LIST (a); \
         CREATE FOREIGN TABLE f PARTITION OF p FOR VALUES IN (1) SERVER s",
    )?;
    client.batch_execute("ALTER TABLE p DETACH PARTITION f CONCURRENTLY")?;
    let row = client.query_one(
        "SELECT tag, form, identity, change, old, statement FROM fdw_guard.history WHERE attribute = 'parent' AND change = 'drop'",
        &[],
    )?;
    let told: Vec<Option<&str>> = (0..6).map(|column| row.get(column)).collect();
    let (parent, statement) = ("public.p FOR VALUES IN (1)", "ALTER TABLE p DETACH PARTITION f CONCURRENTLY");
    let expected = ["ALTER TABLE", "NO INHERIT", "public.f", "drop", parent, statement];
    same("row", told, expected.map(Some).to_vec())?;
    let block = "DO $$ BEGIN ALTER SERVER s OPTIONS (SET port '2'); COMMIT; ALTER SERVER s OPTIONS (SET port '3'); ROLLBACK; END $$";
    client.batch_execute(block)?;
    same("history", recorded(&mut client)?, vec!["add 1".to_owned(), "set 1 2".to_owned()])
}

pub fn a_line_for_the_refused(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_refused")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT fdw_guard.add_rule('refusing', 'server', 'port', allowed => '{1}')")?;
    let before = cluster.log_text().len();
    expect_error(&mut client, "ALTER SERVER s OPTIONS (SET port '77', ADD password 'canary-of-history')")?;
    let log = cluster.log_text();
    let new = log.get(before..).unwrap_or_default();
    ensure!(!new.contains("canary-of-history"), "{new}");
    let lines: Vec<&str> = new.lines().filter(|line| line.contains("rule \"refusing\" refused a change: ")).collect();
    same("lines", lines.len(), 1)?;
    let json = lines.first().and_then(|line| line.split_once("refused a change: ")).context("no JSON")?.1;
    let new_value = |option: &str| {
        format!("jsonb_path_query_first(j, '$.changes[*] ? (@.attribute == \"option {option}\").new') #>> '{{}}'")
    };
    let sql = format!(
        "SELECT j ->> 'rules', j ->> 'session_role', j ->> 'tag', {}, {}, j ->> 'statement' FROM (SELECT $1::text::jsonb AS j) t",
        new_value("port"),
        new_value("password")
    );
    let row = client.query_one(&sql, &[&json]).with_context(|| json.to_owned())?;
    let told: Vec<Option<&str>> = (0..5).map(|column| row.get(column)).collect();
    same("line", told, ["[\"refusing\"]", "postgres", "ALTER SERVER", "77", "***"].map(Some).to_vec())?;
    contains(row.get::<_, Option<&str>>(5).unwrap_or_default(), "SET port '77'")?;
    same_fields_as_a_row(&mut client, json)?;
    same("rows", recorded(&mut client)?.len(), 1)
}

/// Rows and refusals name the client's address and the role that logged in.
pub fn a_client_over_tcp(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("history-tcp", &Settings::preloaded().loopback())?;
    let remote = with_server(&own, "history_tcp")?.remote("far_off", "winter")?;
    remote.database.execute(
        "ALTER ROLE far_off SUPERUSER; SELECT fdw_guard.add_rule('r', 'server', 'port', allowed => '{1,2}')",
    )?;
    let mut config = postgres::Config::new();
    config.host("127.0.0.1").port(own.port()).user("far_off").password("winter").dbname("history_tcp");
    let mut client = config.application_name("far off").connect(postgres::NoTls)?;
    client.batch_execute("SET ROLE postgres")?;
    client.batch_execute(CHANGE)?;
    let told = "SELECT concat_ws(' ', host(client_addr), session_role, acting_role, application_name) FROM fdw_guard.history \
                WHERE attribute = 'option port' ORDER BY at DESC LIMIT 1";
    same("row", client.query_one(told, &[])?.get::<_, String>(0).as_str(), "127.0.0.1 far_off postgres far off")?;
    expect_error(&mut client, "ALTER SERVER s OPTIONS (SET port '3')")?;
    for field in [r#""client_addr":"127.0.0.1""#, r#""session_role":"far_off""#, r#""acting_role":"postgres""#] {
        contains(&own.log_text(), field)?;
    }
    Ok(())
}

/// Those of a row but its id, which is what could be reverted.
fn same_fields_as_a_row(client: &mut Client, json: &str) -> Result<()> {
    let columns = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'fdw_guard.history'::regclass AND attname <> 'id' ORDER BY 1";
    let keys = "SELECT DISTINCT k FROM (SELECT $1::text::jsonb AS j) t, LATERAL (SELECT jsonb_object_keys(j - ARRAY['rules', \
                'changes', 'more_changes']) UNION ALL SELECT jsonb_object_keys(j -> 'changes' -> 0)) k(k) ORDER BY 1";
    let texts = |rows: Vec<postgres::Row>| -> Vec<String> { rows.iter().map(|row| row.get(0)).collect() };
    same("fields", texts(client.query(keys, &[&json])?), texts(client.query(columns, &[])?))?;
    // They are of the types of the columns.
    let read = "SELECT (j ->> 'at')::timestamptz > now() - interval '1 hour', (j ->> 'transaction_id')::xid8 IS NOT NULL, \
                (c ->> 'object')::oid = (SELECT oid FROM pg_foreign_server), (j ->> 'system_identifier')::bigint = \
                (SELECT system_identifier FROM pg_control_system()), c ->> 'acting_role' = 'postgres' \
                FROM (SELECT $1::text::jsonb AS j) t, LATERAL (SELECT j -> 'changes' -> 0) c(c)";
    let row = client.query_one(read, &[&json])?;
    let told: Vec<Option<bool>> = (0..5).map(|column| row.get(column)).collect();
    same("values", told, vec![Some(true); 5])
}
