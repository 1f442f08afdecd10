//! Who is told of a secret that is set: nobody.

use anyhow::{Result, ensure};

use super::{same, stage};
use crate::cluster::Cluster;
use crate::fields::{DbFields, expect_error};
use crate::live::contains;
use crate::settings::Settings;

/// Everything that a server can be told to log of statements, but bind parameters.
const TALKATIVE: &str = "SET log_statement = 'all'; SET log_min_duration_statement = 0; SET log_duration = on;
    SET log_min_messages = 'debug5'; SET debug_print_parse = on; SET debug_print_rewritten = on;
    SET debug_print_plan = on; SET log_parameter_max_length = 0; SET log_parameter_max_length_on_error = 0;
    SET client_min_messages = 'debug5'";

const CANARY: &str = "hunter2-of-the-canary";

/// A secret that comes as a bind parameter stands in no message of the server's, whether the call succeeds or fails.
pub fn nobody_is_told(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_secrecy")?;
    database.execute(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
         SELECT fdw_guard.add_rule('long', 'user mapping', 'password', min_length => 100, server => 's')",
    )?;
    let (mut client, notices) = database.connect_noting("postgres")?;
    client.batch_execute(TALKATIVE)?;
    let set = "SELECT option, change, old, new FROM fdw_guard.set_user_mapping_options('postgres', $1::text::name, \
               jsonb_build_object('password', $2::text), true)";
    for option in ["far", "far"] {
        let rows = client.query(set, &[&option, &CANARY])?;
        let shown = format!("{rows:?}");
        ensure!(rows.iter().all(|row| row.get::<_, Option<String>>(3).is_none_or(|new| new == "***")), "{shown}");
    }
    let refused = client.query(set, &[&"s", &CANARY]).err();
    let fields = refused.as_ref().and_then(postgres::Error::as_db_error).map(DbFields::from);
    same("constraint", fields.as_ref().and_then(|fields| fields.constraint.as_deref()), Some("long"))?;
    let rotated = client.query("SELECT role FROM fdw_guard.rotate_secret('password', $1, 'far')", &[&CANARY])?;
    same("mappings", rotated.len(), 1)?;
    let stored: Vec<String> =
        client.query_one("SELECT umoptions FROM pg_user_mappings WHERE srvname = 'far'", &[])?.get(0);
    same("options", stored, vec![format!("password={CANARY}")])?;
    let heard = format!("{:?} {fields:?}", notices.take());
    contains(&heard, "***")?;
    ensure!(!heard.contains(CANARY), "the client was told: {heard}");
    let log = cluster.log_text();
    contains(&log, "set_user_mapping_options")?;
    let told: Vec<&str> = log.lines().filter(|line| line.contains(CANARY)).collect();
    ensure!(told.is_empty(), "the log tells it: {told:?}");
    Ok(())
}

/// A validator that quotes what it is given, in an error and before.
const QUOTING: &str = "CREATE FUNCTION quotes(text[], oid) RETURNS void LANGUAGE plpgsql AS
        'BEGIN RAISE WARNING ''heard %'', $1; RAISE EXCEPTION ''no to %'', $1 USING DETAIL = $1; END';
    CREATE FOREIGN DATA WRAPPER quoting; CREATE SERVER quoting FOREIGN DATA WRAPPER quoting;
    CREATE USER MAPPING FOR postgres SERVER quoting; ALTER FOREIGN DATA WRAPPER quoting VALIDATOR quotes";

/// What a wrapper's validator says of a secret reaches nobody.
pub fn quoted_by_a_validator(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("set_options_quoted")?;
    database.execute(QUOTING)?;
    let (mut client, notices) = database.connect_noting("postgres")?;
    let set =
        "SELECT fdw_guard.set_user_mapping_options('postgres', 'quoting', jsonb_build_object('password', $1::text))";
    let refused = client.query(set, &[&CANARY]).err();
    let fields = refused.as_ref().and_then(postgres::Error::as_db_error).map(DbFields::from);
    let heard = format!("{fields:?} {:?}", notices.take());
    contains(&heard, "no to {")?;
    contains(&heard, "heard {")?;
    ensure!(!heard.contains(CANARY), "the client was told: {heard}");
    ensure!(!cluster.log_text().contains(CANARY), "the log tells it");
    Ok(())
}

/// Libraries that record statements have the one that was run, with stars.
pub fn others_hear_of_it(cluster: &Cluster) -> Result<()> {
    let library = cluster.sandbox().mirror.installation.pkglibdir.join("pgaudit.so");
    let pgaudit = if library.exists() { "pgaudit," } else { "" };
    let settings = Settings::plain()
        .with("shared_preload_libraries", &format!("{pgaudit}pg_stat_statements,auto_explain,fdw_guard"))
        .with("pg_stat_statements.track", "all")
        .with("auto_explain.log_min_duration", "0")
        .with("auto_explain.log_nested_statements", "on")
        .with("auto_explain.log_parameter_max_length", "0")
        .with("pgaudit.log", "ddl, role")
        .with("log_parameter_max_length", "0");
    let own = cluster.another("set-options-heard", &settings)?;
    let database = stage(&own, "set_options_heard")?;
    database.execute("CREATE EXTENSION pg_stat_statements")?;
    let mut client = database.connect()?;
    let set = "SELECT fdw_guard.set_user_mapping_options('postgres', 's', jsonb_build_object('password', $1::text))";
    client.query(set, &[&CANARY])?;
    let recorded = "SELECT string_agg(query, '; ') FROM pg_stat_statements";
    let recorded: String = client.query_one(recorded, &[])?.get(0);
    let statement = "ALTER USER MAPPING FOR postgres SERVER s OPTIONS (ADD password '***')";
    contains(&recorded, statement)?;
    ensure!(!recorded.contains(CANARY), "{recorded}");
    let log = own.log_text();
    ensure!(!log.contains(CANARY), "the log tells it");
    if pgaudit.is_empty() { Ok(()) } else { pgaudit_has(&log, statement) }
}

/// In releases of pgaudit that take user mappings for a matter of roles, it leaves out what begins with the word "password".
fn pgaudit_has(log: &str, statement: &str) -> Result<()> {
    let (before, _) = statement.split_once(" password").unwrap_or_default();
    let line = log.lines().find(|line| line.contains("AUDIT:") && line.contains("ALTER USER MAPPING,"));
    contains(line.unwrap_or_default(), before)
}

/// What one mapping's rule refuses is done to none.
pub fn all_or_nothing(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_all_or_nothing")?;
    database.execute(
        "CREATE SERVER strict FOREIGN DATA WRAPPER w;
         ALTER USER MAPPING FOR postgres SERVER s OPTIONS (password 'a');
         CREATE USER MAPPING FOR postgres SERVER strict OPTIONS (password 'long enough');
         SELECT fdw_guard.add_rule('long', 'user mapping', 'password', min_length => 10, server => 'strict')",
    )?;
    let mut client = database.connect()?;
    let error = expect_error(&mut client, "SELECT fdw_guard.rotate_secret('password', 'short')")?;
    same("constraint", error.constraint.as_deref(), Some("long"))?;
    contains(error.context.as_deref().unwrap_or_default(), "SERVER strict OPTIONS (SET password '***')")?;
    let query = "SELECT string_agg(umoptions::text, ' ' ORDER BY srvname) FROM pg_user_mappings";
    same("options", client.query_one(query, &[])?.get(0), "{password=a} {\"password=long enough\"}".to_owned())
}
