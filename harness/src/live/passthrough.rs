//! Where no rule has anything to say, PostgreSQL does and says what it would without fdw_guard, to the letter.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use super::frames::cancelled;
use super::{LiveTest, same};
use crate::cluster::Cluster;
use crate::command;
use crate::database::Database;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "passthrough::nothing_changes_without_the_extension", run: nothing_changes_without_the_extension },
    LiveTest { name: "passthrough::nothing_changes_without_rules", run: nothing_changes_without_rules },
    LiveTest { name: "passthrough::rules_that_concern_nothing_change_nothing", run: rules_that_concern_nothing },
    LiveTest { name: "passthrough::deferred_checks_that_find_nothing_change_nothing", run: deferred_checks },
    LiveTest { name: "passthrough::rust_backtrace_in_the_environment_changes_nothing", run: rust_backtrace },
    LiveTest {
        name: "passthrough::text_that_utf8_cannot_hold_passes_without_rules",
        run: text_that_utf8_cannot_hold_passes_without_rules,
    },
];

const SCRIPT: &str = include_str!("passthrough.sql");

const NAME: &str = "passthrough";

/// Rules of every type of object that match no object, bind nobody here, ask for what is so, or apply elsewhere.
const IDLE_RULES: &str = r#"
    INSERT INTO fdw_guard.rule (name, object_type, wrapper, roles, options, condition, forms)
    SELECT kind || ' of ' || type, type, wrapper, roles, options, condition, forms
    FROM unnest('{foreign-data wrapper,server,user mapping,foreign table,foreign table column}'::text[]) type,
         (VALUES ('unmatched', '{no_such_wrapper}'::text[], NULL::text[], NULL::json, NULL::json, '{OPTIONS}'::text[]),
                 ('unbinding', '{*}', '{no_such_role}', NULL, NULL, '{OPTIONS}'),
                 ('satisfied', '{*}', NULL, '{"properties": {"never_set": {"type": "string", "enum": ["x"]}}}', NULL, '{}'),
                 ('elsewhere', '{*}', NULL, NULL, '{"required": ["session"], "properties": {"session": {"required": ["database"],
                     "properties": {"database": {"type": "string", "const": "no_such_database"}}}}}', '{OPTIONS}'))
         rule (kind, wrapper, roles, options, condition, forms)"#;

/// The reference is made once, by a cluster that knows nothing of fdw_guard.
static REFERENCE: Mutex<Option<String>> = Mutex::new(None);

fn nothing_changes_without_the_extension(cluster: &Cluster) -> Result<()> {
    comes_out_the_same(cluster, cluster, &cluster.database(NAME)?)
}

fn nothing_changes_without_rules(cluster: &Cluster) -> Result<()> {
    comes_out_the_same(cluster, cluster, &cluster.guarded_database(NAME)?)
}

fn rules_that_concern_nothing(cluster: &Cluster) -> Result<()> {
    comes_out_the_same(cluster, cluster, &with_idle_rules(cluster)?)
}

fn deferred_checks(cluster: &Cluster) -> Result<()> {
    let database = with_idle_rules(cluster)?;
    database.execute("ALTER DATABASE passthrough SET fdw_guard.check_mode = deferred")?;
    comes_out_the_same(cluster, cluster, &database)
}

/// With it set, pgrx would put a backtrace into the DETAIL of errors that it carries.
fn rust_backtrace(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("backtrace", &Settings::preloaded())?;
    own.stop("fast")?;
    let mut pg_ctl = own.sandbox().program("pg_ctl");
    pg_ctl.args(["start", "--silent", "--pgdata"]).arg(own.data()).arg("-l").arg(own.directory().join("server.log"));
    command::run(pg_ctl.env("RUST_BACKTRACE", "1"))?;
    comes_out_the_same(cluster, &own, &with_idle_rules(&own)?)
}

/// A statement whose old state nobody asks for must not fail because that state cannot be read.
fn text_that_utf8_cannot_hold_passes_without_rules(cluster: &Cluster) -> Result<()> {
    let more = "ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    let database = Database::create_with(cluster, "passthrough_euc_jp", more)?;
    database.execute("CREATE FOREIGN DATA WRAPPER plain")?;
    database.execute(r"CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (host E'\xa9\xa1')")?;
    database.execute("ALTER SERVER s OPTIONS (ADD port '1')")?;
    database.execute("ALTER SERVER s OPTIONS (SET host 'h')")?;
    let options: Vec<String> = database.connect()?.query_one("SELECT srvoptions FROM pg_foreign_server", &[])?.get(0);
    same("options", options, vec!["host=h".to_owned(), "port=1".to_owned()])
}

fn with_idle_rules(cluster: &Cluster) -> Result<Database<'_>> {
    let database = cluster.guarded_database(NAME)?;
    database.execute(IDLE_RULES)?;
    Ok(database)
}

fn comes_out_the_same(main: &Cluster, cluster: &Cluster, database: &Database<'_>) -> Result<()> {
    let expected = reference(main)?;
    let found = observed(main, cluster, database)?;
    let mut pairs = found.lines().zip(expected.lines()).enumerate();
    if let Some((number, (found, expected))) = pairs.find(|(_, (found, expected))| found != expected) {
        bail!("line {} is\n{found}\nbut without fdw_guard it is\n{expected}", number + 1);
    }
    same("number of lines", found.lines().count(), expected.lines().count())
}

fn reference(main: &Cluster) -> Result<String> {
    let mut made = REFERENCE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(reference) = made.as_ref() {
        return Ok(reference.clone());
    }
    let plain = main.another("plain", &Settings::plain())?;
    let reference = observed(main, &plain, &plain.database(NAME)?)?;
    Ok(made.insert(reference).clone())
}

/// All that the server says to the script, and to one who is cancelled from another session.
fn observed(main: &Cluster, cluster: &Cluster, database: &Database<'_>) -> Result<String> {
    let script = main.write_file("passthrough.sql", SCRIPT, 0o600)?;
    let mut psql = cluster.client("psql");
    psql.args(["-X", "--echo-all", "--dbname", database.name(), "--file"]).arg(&script);
    let said = command::feed(&mut psql, "")?;
    let nested = "DO $o$ BEGIN EXECUTE 'DO $i$ BEGIN PERFORM pg_sleep(60); END $i$'; END $o$";
    let error = cancelled(database, &mut database.connect()?, nested)?;
    let error = error.as_db_error().context("the connection broke instead")?;
    Ok(format!("{said}\n{error:#?}\n"))
}
