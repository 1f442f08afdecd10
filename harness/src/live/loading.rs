//! However the library comes into a session, rules bind from then on; and where the extension is not, nobody can tell.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::{DbFields, expect_error};
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "loading::rules_bind_once_the_library_is_loaded", run: rules_bind_once_the_library_is_loaded },
    LiveTest { name: "loading::amid_a_statement_is_harmless", run: amid_a_statement_is_harmless },
    LiveTest { name: "loading::a_user_cannot_switch_rules_off_before", run: a_user_cannot_switch_rules_off_before },
    LiveTest { name: "loading::the_extension_comes_and_goes_under_other_sessions", run: the_extension_comes_and_goes },
    LiveTest { name: "loading::a_database_without_the_extension_obeys_the_file", run: without_the_extension },
    LiveTest {
        name: "loading::a_reload_in_a_latin1_session_is_harmless",
        run: a_reload_in_a_latin1_session_is_harmless,
    },
    LiveTest { name: "loading::a_table_that_looks_like_ours_is_ignored", run: a_table_that_looks_like_ours_is_ignored },
];

const NAME: &str = "loading";

const OBJECTS: &str = "CREATE FOREIGN DATA WRAPPER plain; \
                       CREATE SERVER shop FOREIGN DATA WRAPPER plain OPTIONS (port '5432')";

const RULE: &str = "INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('known_ports', 'server', \
                    '{\"properties\": {\"port\": {\"type\": \"string\", \"enum\": [\"5432\", \"5433\"]}}}')";

/// The same rule in a policy file, under another name.
const POLICY: &str = r#"{"rules": [{"name": "ports_of_the_file", "object_type": "server",
    "options": {"properties": {"port": {"type": "string", "enum": ["5432", "5433"]}}}}]}"#;

const REFUSED: &str = "ALTER SERVER shop OPTIONS (SET port '6000')";

const MENDED: &str = "ALTER SERVER shop OPTIONS (SET port '5432')";

/// A server that does not preload the library.
fn unloaded(cluster: &Cluster) -> Result<Cluster> {
    cluster.another("not-preloaded", &Settings::plain())
}

fn guarded(cluster: &Cluster) -> Result<Database<'_>> {
    let database = cluster.guarded_database(NAME)?;
    database.execute(OBJECTS)?;
    database.execute(RULE)?;
    Ok(database)
}

fn expect_refusal(client: &mut Client, sql: &str, rule: &str) -> Result<DbFields> {
    let error = expect_error(client, sql)?;
    ensure!(error.constraint.as_deref() == Some(rule), "{sql}\n{error}");
    Ok(error)
}

fn expect_no_frame(client: &mut Client) -> Result<()> {
    same("depth", client.query_one("SELECT tests.frame_depth()", &[])?.get(0), 0)
}

/// What `status()` says of the session.
fn expect_status(client: &mut Client, active: bool, detail: &str) -> Result<()> {
    let sql = "SELECT active, detail, hint FROM fdw_guard.status() WHERE protection = 'every session is guarded'";
    let row = client.query_one(sql, &[])?;
    same("every session is guarded", row.get(0), active)?;
    same("whether there is a hint", row.get::<_, Option<String>>(2).is_some(), !active)?;
    contains(row.get(1), detail)
}

fn rules_bind_once_the_library_is_loaded(cluster: &Cluster) -> Result<()> {
    let own = unloaded(cluster)?;
    let database = guarded(&own)?;
    let ways = [
        "LOAD 'fdw_guard'",
        "SELECT fdw_guard.status()",
        "SELECT fdw_guard.policy_schema()",
        "SELECT count(*) FROM fdw_guard.options",
        "UPDATE fdw_guard.rule SET description = 'a trigger is one of our functions'",
    ];
    for way in ways {
        let mut client = database.connect()?;
        client.batch_execute(REFUSED).with_context(|| format!("before {way}"))?;
        client.batch_execute(MENDED)?;
        client.batch_execute(way)?;
        expect_refusal(&mut client, REFUSED, "known_ports").with_context(|| format!("after {way}"))?;
        expect_no_frame(&mut client)?;
        expect_status(&mut client, false, "loaded in this session only")?;
    }
    database.execute("ALTER DATABASE loading SET session_preload_libraries = 'fdw_guard'")?;
    let mut client = database.connect()?;
    expect_refusal(&mut client, REFUSED, "known_ports")?;
    expect_status(&mut client, false, "loaded in this session only")?;
    expect_status(&mut cluster.guarded_database("loading_preloaded")?.connect()?, true, "shared_preload_libraries")
}

/// What is changed before the library comes is past; what is changed after it in the same statement is judged.
fn amid_a_statement_is_harmless(cluster: &Cluster) -> Result<()> {
    let own = unloaded(cluster)?;
    let database = guarded(&own)?;
    database.execute(
        "CREATE FUNCTION loads() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN PERFORM fdw_guard.status(); RETURN 1; END $f$; \
         CREATE FUNCTION loads_and_alters() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN \
             PERFORM loads(); ALTER SERVER shop OPTIONS (SET port '6000'); RETURN 1; END $f$; \
         CREATE PROCEDURE loads_and_commits() LANGUAGE plpgsql AS $f$ BEGIN \
             PERFORM loads(); COMMIT; ALTER SERVER shop OPTIONS (SET port '6000'); END $f$",
    )?;
    let refused = [
        "DO $$ BEGIN PERFORM fdw_guard.status(); ALTER SERVER shop OPTIONS (SET port '6000'); END $$",
        "DO $$ BEGIN LOAD 'fdw_guard'; ALTER SERVER shop OPTIONS (SET port '6000'); END $$",
        "DO $o$ BEGIN EXECUTE 'DO $i$ BEGIN PERFORM loads_and_alters(); END $i$'; END $o$",
        "SELECT loads_and_alters()",
        "CALL loads_and_commits()",
        "BEGIN; SELECT loads(); ALTER SERVER shop OPTIONS (SET port '6000')",
    ];
    for sql in refused {
        expect_refused_amid(&database, sql)?;
    }
    let mut client = database.connect()?;
    client.batch_execute("DO $$ BEGIN ALTER SERVER shop OPTIONS (SET port '6000'); PERFORM loads(); END $$")?;
    expect_no_frame(&mut client)?;
    client.batch_execute(MENDED)?;
    loaded_by_an_event_trigger(&database)
}

fn expect_refused_amid(database: &Database<'_>, sql: &str) -> Result<()> {
    let mut client = database.connect()?;
    expect_refusal(&mut client, sql, "known_ports")?;
    client.batch_execute("ROLLBACK")?;
    expect_no_frame(&mut client)?;
    client.batch_execute(MENDED)?;
    expect_refusal(&mut client, REFUSED, "known_ports").map(drop)
}

/// The ALTER began without a frame, so that what it touches is judged before the commit.
fn loaded_by_an_event_trigger(database: &Database<'_>) -> Result<()> {
    database.execute(
        "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM loads(); END'; \
         CREATE EVENT TRIGGER loads ON ddl_command_start EXECUTE FUNCTION on_ddl()",
    )?;
    expect_refused_amid(database, REFUSED)?;
    expect_refused_amid(database, "BEGIN; ALTER SERVER shop OPTIONS (SET port '6000'); COMMIT")?;
    let mut client = database.connect()?;
    client.batch_execute("BEGIN; ALTER SERVER shop OPTIONS (SET port '6000'); ROLLBACK")?;
    expect_no_frame(&mut client)
}

/// A setting that nobody has defined yet can be set by everybody; it must not count when it is defined.
fn a_user_cannot_switch_rules_off_before(cluster: &Cluster) -> Result<()> {
    let own = unloaded(cluster)?;
    let database = guarded(&own)?;
    database.execute(
        "CREATE ROLE loading_user LOGIN; ALTER SERVER shop OWNER TO loading_user; \
         GRANT USAGE ON FOREIGN DATA WRAPPER plain TO loading_user",
    )?;
    let mut client = database.connect_as("loading_user")?;
    client.batch_execute(
        "SET fdw_guard.enforcement = off; SET fdw_guard.secret_options = ''; SET fdw_guard.misspelt = 1",
    )?;
    client.batch_execute("SELECT fdw_guard.status()")?;
    expect_refusal(&mut client, REFUSED, "known_ports")?;
    same("SQLSTATE", expect_error(&mut client, "SET fdw_guard.enforcement = off")?.sqlstate.as_str(), "42501")?;
    same("SQLSTATE", expect_error(&mut client, "SHOW fdw_guard.misspelt")?.sqlstate.as_str(), "42704")?;
    database.execute("ALTER ROLE loading_user SET fdw_guard.enforcement = 'off'")?;
    let mut trusted = database.connect_as("loading_user")?;
    trusted.batch_execute("SELECT fdw_guard.status()")?;
    trusted.batch_execute(REFUSED).context("what a superuser set for the role should count")
}

fn the_extension_comes_and_goes(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster)?;
    let mut loaded = database.connect()?;
    let mut snapshot = database.connect()?;
    expect_refusal(&mut loaded, REFUSED, "known_ports")?;
    snapshot.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM pg_foreign_server")?;
    for _ in 0..2 {
        database.execute("DROP EXTENSION fdw_guard")?;
        loaded.batch_execute(REFUSED)?;
        loaded.batch_execute(MENDED)?;
        same("SQLSTATE", expect_error(&mut loaded, "SELECT fdw_guard.status()")?.sqlstate.as_str(), "3F000")?;
        database.execute("CREATE EXTENSION fdw_guard")?;
        loaded.batch_execute(REFUSED)?;
        loaded.batch_execute(MENDED)?;
        database.execute(RULE)?;
        expect_refusal(&mut loaded, REFUSED, "known_ports")?;
        expect_no_frame(&mut loaded)?;
    }
    expect_refusal(&mut snapshot, REFUSED, "known_ports")?;
    in_one_transaction(&mut loaded)
}

fn in_one_transaction(client: &mut Client) -> Result<()> {
    client.batch_execute(&format!("BEGIN; DROP EXTENSION fdw_guard; {REFUSED}; ROLLBACK"))?;
    expect_refusal(client, REFUSED, "known_ports")?;
    let again = format!("BEGIN; DROP EXTENSION fdw_guard; CREATE EXTENSION fdw_guard; {RULE}");
    client.batch_execute(&again)?;
    expect_refusal(client, REFUSED, "known_ports")?;
    Ok(client.batch_execute("ROLLBACK")?)
}

/// A session hears of a reload a moment after the server's log tells of it.
fn wait_for_setting(client: &mut Client, name: &str, value: &str) -> Result<()> {
    for _ in 0..500 {
        let shown: String = client.query_one(&format!("SHOW {name}"), &[])?.get(0);
        if shown == value {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("the session does not take in {name} = {value}")
}

fn without_the_extension(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("policy-file-alone", &Settings::preloaded())?;
    let database = own.database(NAME)?;
    let mut client = database.connect()?;
    client.batch_execute(OBJECTS)?;
    client.batch_execute(REFUSED).context("no rule is in force yet")?;
    client.batch_execute(MENDED)?;
    let file = own.write_file("policy.json", POLICY, 0o600)?;
    own.set("fdw_guard.policy_file", &file.to_string_lossy())?;
    own.reload()?;
    expect_refusal(&mut database.connect()?, REFUSED, "ports_of_the_file")?;
    wait_for_setting(&mut client, "fdw_guard.policy_file", &file.to_string_lossy())?;
    expect_refusal(&mut client, REFUSED, "ports_of_the_file")?;
    client.batch_execute("ALTER SERVER shop OPTIONS (SET port '5433')")?;
    without_preloading(&own, &file.to_string_lossy())
}

/// The file's rules bind a session that loads the library itself, too.
fn without_preloading(beside: &Cluster, file: &str) -> Result<()> {
    let own = beside.another("not-preloaded", &Settings::plain().with("fdw_guard.policy_file", file))?;
    let database = own.database(NAME)?;
    let mut client = database.connect()?;
    client.batch_execute(OBJECTS)?;
    client.batch_execute(REFUSED)?;
    client.batch_execute(MENDED)?;
    client.batch_execute("LOAD 'fdw_guard'")?;
    expect_refusal(&mut client, REFUSED, "ports_of_the_file").map(drop)
}

/// A session may read the configuration outside a transaction, where no catalog can be read, or inside one; and a file's
/// name is in no database's encoding.
fn a_reload_in_a_latin1_session_is_harmless(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("latin1-reload", &Settings::preloaded())?;
    let more = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    let database = Database::create_with(&own, NAME, more)?;
    let (mut idle, mut in_transaction) = (database.connect()?, database.connect()?);
    idle.batch_execute(OBJECTS)?;
    in_transaction.batch_execute("BEGIN; SELECT 1")?;
    let misspelt = r#"{"rules": [{"name": "é", "object_type": "server", "options": {"propertes": {}}}]}"#;
    for (number, (name, text)) in [("bad.json", misspelt), ("é.json", POLICY)].into_iter().enumerate() {
        let (file, parallel) = (own.write_file(name, text, 0o600)?, number.to_string());
        own.set("fdw_guard.policy_file", &file.to_string_lossy())?;
        own.set("max_parallel_workers_per_gather", &parallel)?;
        own.reload()?;
        for client in [&mut idle, &mut in_transaction] {
            wait_for_setting(client, "max_parallel_workers_per_gather", &parallel).with_context(|| name.to_owned())?;
        }
    }
    expect_refusal(&mut idle, REFUSED, "ports_of_the_file")?;
    expect_refusal(&mut in_transaction, REFUSED, "ports_of_the_file").context("in a transaction").map(drop)
}

fn a_table_that_looks_like_ours_is_ignored(cluster: &Cluster) -> Result<()> {
    let database = cluster.database(NAME)?;
    let mut client = database.connect()?;
    client.batch_execute(OBJECTS)?;
    let rules =
        "SELECT 'known_ports' AS name, 'server' AS object_type, '{DROP,OPTIONS}'::text[] AS forms, 'deny' AS mode";
    let lookalikes = [
        format!("CREATE TABLE fdw_guard.rule AS {rules}"),
        format!("CREATE VIEW fdw_guard.rule AS {rules}"),
        format!("CREATE MATERIALIZED VIEW fdw_guard.rule AS {rules}"),
        "CREATE TABLE fdw_guard.rule (name int, object_type bytea)".to_owned(),
        "CREATE TABLE fdw_guard.rule ()".to_owned(),
        "CREATE SEQUENCE fdw_guard.rule".to_owned(),
        "CREATE FOREIGN TABLE fdw_guard.rule (name text) SERVER shop".to_owned(),
        "CREATE TABLE fdw_guard.x (a int); CREATE INDEX rule ON fdw_guard.x (a)".to_owned(),
    ];
    for lookalike in lookalikes {
        client.batch_execute(&format!("CREATE SCHEMA fdw_guard; {lookalike}"))?;
        client.batch_execute(&format!("{REFUSED}; SELECT 1; {MENDED}")).with_context(|| lookalike.clone())?;
        let error = expect_error(&mut client, "CREATE EXTENSION fdw_guard")?;
        same("SQLSTATE", error.sqlstate.as_str(), "42P06")?;
        client.batch_execute("SET client_min_messages = error; DROP SCHEMA fdw_guard CASCADE")?;
    }
    Ok(())
}
