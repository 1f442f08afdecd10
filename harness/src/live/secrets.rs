//! The past of secrets, for rules with `reuse_history` and `max_age`: where it goes and where it does not, and who may not
//! read or write it. What the rules refuse is told by the story `past_secrets` of tests/sql.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::command;
use crate::database::{Database, SUPERUSER};
use crate::fields::{DbFields, expect_error};
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "secrets::a_dump_leaves_the_past_behind", run: dump_and_restore },
    LiveTest { name: "secrets::a_clone_has_no_past", run: clones },
    LiveTest { name: "secrets::predefined_roles_neither_read_nor_write_it", run: predefined_roles },
    LiveTest { name: "secrets::no_value_and_no_plain_hash_is_stored", run: nothing_is_stored },
    LiveTest { name: "secrets::sessions_side_by_side_keep_every_value", run: sessions },
    LiveTest { name: "secrets::what_nobody_saw_makes_an_age_unknown", run: unseen_changes },
    LiveTest {
        name: "secrets::a_policy_file_rule_knows_the_present_without_the_extension",
        run: without_the_extension,
    },
    LiveTest { name: "secrets::rules_that_ask_for_nothing_cost_no_look_at_the_table", run: no_look },
    LiveTest { name: "secrets::a_rule_about_forms_is_no_oracle", run: no_oracle },
    LiveTest { name: "secrets::no_rule_about_options_is_an_oracle", run: no_oracle_of_options },
    LiveTest { name: "secrets::the_history_is_no_oracle", run: no_oracle_of_history },
];

/// A mapping whose secret has been changed once under rules that ask for its past.
const SETUP: &str = "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER s FOREIGN DATA WRAPPER plain; \
    CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password 'hunter1'); \
    INSERT INTO fdw_guard.rule (name, object_type, reuse_history) VALUES ('fresh', 'user mapping', 3); \
    INSERT INTO fdw_guard.rule (name, object_type, max_age) VALUES ('young', 'user mapping', '00:00:00.000001'); \
    ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password 'hunter2')";

fn with_past<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(SETUP)?;
    Ok(database)
}

fn set(value: &str) -> String {
    format!("ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password '{value}')")
}

fn must_refuse(client: &mut Client, value: &str, detail: &str) -> Result<()> {
    let error = expect_error(client, &set(value))?;
    same("SQLSTATE", error.sqlstate.as_str(), "HV024")?;
    same("constraint", error.constraint.as_deref(), Some("fresh"))?;
    same("DETAIL", error.detail.as_deref(), Some(detail))
}

const FORMER: &str = "The value is one of the last 3 that the option had.";
const PRESENT: &str = "The value is the one that the option has.";

fn too_old(client: &mut Client) -> Result<i64> {
    Ok(client.query_one("SELECT count(*) FROM fdw_guard.violations(rule_name => 'young')", &[])?.get(0))
}

fn kept(client: &mut Client) -> Result<i64> {
    let sql = "SELECT coalesce(sum(cardinality(verifiers)), 0) FROM fdw_guard.secret_row";
    Ok(client.query_one(sql, &[])?.get(0))
}

fn dump(cluster: &Cluster, database: &Database<'_>, more: &[&str]) -> Result<String> {
    let mut pg_dump = cluster.sandbox().program("pg_dump");
    pg_dump.args(["-U", "postgres", "-d", database.name(), "-p", &cluster.port().to_string()]);
    command::run(pg_dump.arg("-h").arg(cluster.socket()).args(more))
}

pub fn dump_and_restore(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_dumped")?;
    let mut client = database.connect()?;
    same("too old", too_old(&mut client)?, 1)?;
    let text = dump(cluster, &database, &[])?;
    ensure!(!text.contains("SCRAM-SHA-256"), "a dump holds a verifier");
    let restored = cluster.database("secrets_restored")?;
    let mut psql = cluster.sandbox().program("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", restored.name()]);
    psql.args(["-p", &cluster.port().to_string()]);
    command::feed(psql.arg("-h").arg(cluster.socket()), &text)?;
    let mut client = restored.connect()?;
    let rules: i64 = client.query_one("SELECT count(*) FROM fdw_guard.rule", &[])?.get(0);
    same("rules", rules, 2)?;
    same("too old after the restore", too_old(&mut client)?, 0)?;
    client.batch_execute(&set("hunter1"))?;
    must_refuse(&mut client, "hunter2", FORMER)?;
    same("too old when it was set", too_old(&mut client)?, 1)
}

pub fn clones(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_cloned")?;
    let clone = Database::create_with(cluster, "secrets_clone", "TEMPLATE secrets_cloned")?;
    let mut client = clone.connect()?;
    same("rows that came along", kept(&mut client)?, 1)?;
    same("too old in the clone", too_old(&mut client)?, 0)?;
    client.batch_execute(&set("hunter1"))?;
    must_refuse(&mut client, "hunter2", FORMER)?;
    same("verifiers of the clone", kept(&mut client)?, 1)?;
    drop(client);
    let mut original = database.connect()?;
    must_refuse(&mut original, "hunter1", FORMER)?;
    same("too old", too_old(&mut original)?, 1)?;
    // What comes along and is not overwritten is removed.
    let other = Database::create_with(cluster, "secrets_clone_too", "TEMPLATE secrets_clone")?;
    let mut client = other.connect()?;
    let pruned: i64 = client.query_one("SELECT fdw_guard.prune_secrets()", &[])?.get(0);
    same("pruned", pruned, 1)?;
    same("verifiers", kept(&mut client)?, 0)
}

pub fn predefined_roles(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_roles")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE ROLE secrets_all IN ROLE pg_read_all_data, pg_write_all_data, pg_monitor; SET ROLE secrets_all",
    )?;
    let rows: i64 = client.query_one("SELECT count(*) FROM fdw_guard.secret_row", &[])?.get(0);
    same("rows that pg_read_all_data sees", rows, 0)?;
    for write in [
        "INSERT INTO fdw_guard.secret_row VALUES (1, 1, 0, 'a', 1, 1, '1', now(), '{}')",
        "UPDATE fdw_guard.secret_row SET set_at = now()",
        "DELETE FROM fdw_guard.secret_row",
        "SELECT fdw_guard.prune_secrets()",
    ] {
        same("SQLSTATE", expect_error(&mut client, write)?.sqlstate.as_str(), "42501")?;
    }
    client.batch_execute("RESET ROLE; SET session_replication_role = replica")?;
    for write in ["UPDATE fdw_guard.secret_row SET set_at = now()", "TRUNCATE fdw_guard.secret_row"] {
        let error = expect_error(&mut client, write)?;
        same("message", error.message.as_str(), "only fdw_guard itself writes what it knows of secrets")?;
    }
    client.batch_execute("RESET session_replication_role")?;
    same("verifiers", kept(&mut client)?, 1)?;
    client.batch_execute("DROP OWNED BY secrets_all; DROP ROLE secrets_all")?;
    Ok(())
}

/// Nothing of the present value is there, and nothing of a former one that is the same for the same value.
pub fn nothing_is_stored(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_stored")?;
    let mut client = database.connect()?;
    client
        .batch_execute(
            "SET scram_iterations = 1; CREATE SERVER o FOREIGN DATA WRAPPER plain; \
         CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (password 'hunter1'); \
         ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET password 'hunter2')",
        )
        .or_else(|_| {
            // 15 has no such setting.
            client.batch_execute(
                "CREATE SERVER o FOREIGN DATA WRAPPER plain; \
             CREATE USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (password 'hunter1'); \
             ALTER USER MAPPING FOR CURRENT_USER SERVER o OPTIONS (SET password 'hunter2')",
            )
        })?;
    let rows = client.query("SELECT r::text, verifiers FROM fdw_guard.secret_row r", &[])?;
    same("rows", rows.len(), 2)?;
    let verifiers: Vec<String> = rows.iter().flat_map(|row| row.get::<_, Vec<String>>(1)).collect();
    same("verifiers", verifiers.len(), 2)?;
    ensure!(verifiers.first() != verifiers.last(), "the same value has the same verifier twice");
    for verifier in &verifiers {
        contains(verifier, "SCRAM-SHA-256$4096:")?;
    }
    let plain = "SELECT array_agg(h) FROM unnest('{hunter1,hunter2}'::text[]) v, \
        unnest(ARRAY[v, md5(v), encode(sha256(v::bytea), 'hex'), encode(sha256(v::bytea), 'base64'), \
        encode(v::bytea, 'hex'), encode(v::bytea, 'base64')]) h";
    let plain: Vec<String> = client.query_one(plain, &[])?.get(0);
    for row in &rows {
        let text: String = row.get(0);
        ensure!(plain.iter().all(|hash| !text.contains(hash.as_str())), "a value or its hash stands in a row");
    }
    Ok(())
}

/// Who waits for another session's change sees its value among the former ones, whatever the isolation level.
pub fn sessions(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_sessions")?;
    let (mut one, mut other) = (database.connect()?, database.connect()?);
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM fdw_guard.secret_row")?;
    one.batch_execute(&set("hunter3"))?;
    must_refuse(&mut other, "hunter2", FORMER)?;
    other.batch_execute("ROLLBACK; BEGIN")?;
    one.batch_execute("BEGIN")?;
    one.batch_execute(&set("hunter4"))?;
    one.batch_execute("ROLLBACK")?;
    other.batch_execute(&set("hunter4"))?;
    other.batch_execute("COMMIT")?;
    must_refuse(&mut one, "hunter3", FORMER)?;
    must_refuse(&mut one, "hunter4", PRESENT)?;
    same("verifiers", kept(&mut one)?, 3)?;
    one.batch_execute(&format!("BEGIN; {}; PREPARE TRANSACTION 'secrets'", set("hunter5")))?;
    one.batch_execute("COMMIT PREPARED 'secrets'")?;
    must_refuse(&mut other, "hunter4", FORMER)?;
    let rotated = expect_error(&mut other, "SELECT fdw_guard.rotate_secret('password', 'hunter4')")?;
    same("constraint", rotated.constraint.as_deref(), Some("fresh"))
}

/// As those of a session without the library, here in the disguise of a superuser who edits the catalog.
pub fn unseen_changes(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_unseen")?;
    let mut client = database.connect()?;
    same("too old", too_old(&mut client)?, 1)?;
    client.batch_execute(
        "SET allow_system_table_mods = on; UPDATE pg_user_mapping SET umoptions = '{password=hunter0}'",
    )?;
    same("too old when nobody saw the change", too_old(&mut client)?, 0)?;
    client.batch_execute("ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (ADD other 'x')")?;
    let others = "SELECT count(*) FROM fdw_guard.violations(rule_name => 'young') WHERE option = 'password'";
    let of_password: i64 = client.query_one(others, &[])?.get(0);
    same("too old after another change", of_password, 0)?;
    client.batch_execute(&set("hunter3"))?;
    let of_password: i64 = client.query_one(others, &[])?.get(0);
    same("too old when it was set", of_password, 1)?;
    client.batch_execute("VACUUM FULL pg_user_mapping")?;
    client.batch_execute("VACUUM (FREEZE) pg_user_mapping")?;
    let of_password: i64 = client.query_one(others, &[])?.get(0);
    same("too old after VACUUM", of_password, 1)
}

const FILE: &str = r#"{"rules": [
    {"name": "fresh", "object_type": "user mapping", "reuse_history": 3},
    {"name": "young", "object_type": "user mapping", "max_age": "PT0.000001S"}]}"#;

pub fn without_the_extension(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("secrets-file", &Settings::preloaded())?;
    let file = own.directory().join("policy.json");
    std::fs::write(&file, FILE).with_context(|| format!("cannot write {}", file.display()))?;
    let database = own.database("secrets_without")?;
    own.set("fdw_guard.policy_file", &file.to_string_lossy())?;
    own.reload()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER s FOREIGN DATA WRAPPER plain; \
         CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password 'hunter1')",
    )?;
    must_refuse(&mut client, "hunter1", PRESENT)?;
    client.batch_execute(&set("hunter2"))?;
    client.batch_execute(&set("hunter1"))?;
    client.batch_execute("CREATE EXTENSION fdw_guard")?;
    same("too old", too_old(&mut client)?, 0)?;
    client.batch_execute(&set("hunter2"))?;
    must_refuse(&mut client, "hunter1", FORMER)?;
    same("too old", too_old(&mut client)?, 1)?;
    client.batch_execute("DROP EXTENSION fdw_guard CASCADE")?;
    client.batch_execute(&set("hunter1"))?;
    Ok(())
}

/// What is known is read for the rules that ask.
pub fn no_look(cluster: &Cluster) -> Result<()> {
    let database = with_past(cluster, "secrets_look")?;
    let mut client = database.connect()?;
    client.batch_execute("DELETE FROM fdw_guard.rule")?;
    let reads = |client: &mut Client, value: &str| -> Result<i64> {
        client.batch_execute(&format!("BEGIN; {}", set(value)))?;
        let sql = "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables WHERE relname = 'secret_row'";
        let count = client.query_one(sql, &[])?.get(0);
        client.batch_execute("COMMIT")?;
        Ok(count)
    };
    for value in ["a", "b"] {
        same("reads", reads(&mut client, value)?, 0)?;
    }
    client.batch_execute(
        "INSERT INTO fdw_guard.rule (name, object_type, reuse_history) VALUES ('fresh', 'user mapping', 100)",
    )?;
    for number in 0..12 {
        let count = reads(&mut client, &format!("value {number}"))?;
        ensure!(count > 0, "the table was not read");
    }
    must_refuse(&mut client, "b", "The value is one of the last 100 that the option had.")
}

/// A server's owner, who may alter a mapping on it that he may not see.
fn guesser(role: &str) -> String {
    format!(
        "CREATE ROLE {role}; CREATE FOREIGN DATA WRAPPER plain; GRANT USAGE ON FOREIGN DATA WRAPPER plain TO {role}; \
         CREATE SERVER s FOREIGN DATA WRAPPER plain; ALTER SERVER s OWNER TO {role}; \
         CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (\"user\" 'reader', password 'hunter1')"
    )
}

/// Whatever he guesses, a rule on OPTIONS says the same.
pub fn no_oracle(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("secrets_oracle")?;
    let (mut client, notices) = database.connect_noting(SUPERUSER)?;
    client.batch_execute(&guesser("secrets_guesser"))?;
    client.batch_execute(
        "INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('stay', 'user mapping', '{OPTIONS}')",
    )?;
    let [guess, right] = ["hunter2", "hunter1"].map(|value| set(value).replace("CURRENT_USER", SUPERUSER));
    client.batch_execute("SET ROLE secrets_guesser")?;
    same("error", expect_error(&mut client, &guess)?, expect_error(&mut client, &right)?)?;
    let mut planned = |sql: &str| -> Result<Vec<String>> {
        let rows = client.query("SELECT p::text FROM fdw_guard.plan($1) p", &[&sql])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    };
    let plan = planned(&guess)?;
    ensure!(plan.iter().any(|row| row.contains("stay")), "no verdict in {plan:?}");
    same("plan", planned(&right)?, plan)?;
    client.batch_execute("RESET ROLE; UPDATE fdw_guard.rule SET mode = 'warn'")?;
    let mut warned = |sql: &str| -> Result<Vec<String>> {
        client.batch_execute("BEGIN; SET LOCAL ROLE secrets_guesser")?;
        notices.take();
        client.batch_execute(sql)?;
        let warnings = notices.take().iter().map(ToString::to_string).collect();
        client.batch_execute("ROLLBACK")?;
        Ok(warnings)
    };
    let warnings = warned(&guess)?;
    ensure!(warnings.iter().any(|warning| warning.contains("stay")), "no warning but {warnings:?}");
    same("warnings", warned(&right)?, warnings)?;
    // Nothing has changed, so that nothing is told.
    let rows = "SELECT count(*) FROM fdw_guard.history WHERE object_type = 'user mapping'";
    let before: i64 = client.query_one(rows, &[])?.get(0);
    client.batch_execute(&right)?;
    same("rows of the history", client.query_one(rows, &[])?.get::<_, i64>(0), before)?;
    drop(client);
    drop(database);
    cluster.database("secrets_guessed")?.execute("DROP ROLE secrets_guesser")
}

/// Rules that let stand what was there before: the option that is guessed, and what of it they mind.
const RULES_OF_OPTIONS: [(&str, &str); 7] = [
    ("password", r#"{"properties": {"password": {"readOnly": true}}}"#),
    ("password", r#"{"properties": {"password": {"deprecated": true}}}"#),
    ("password", r#"{"properties": {"password": {"minLength": 12}}}"#),
    ("password", r#"{"properties": {"password": {"pattern": "^winter"}}}"#),
    ("password", r#"{"patternProperties": {"^pass": {"maxLength": 3}}}"#),
    ("user", r#"{"properties": {"user": {"type": "string", "enum": ["writer"], "readOnly": true}}}"#),
    ("user", r#"{"properties": {"user": {"deprecated": true, "type": "string", "const": "writer"}}}"#),
];

/// Whatever is guessed, each rule says the same: when it is tried, and in a plan, at once or at commit.
pub fn no_oracle_of_options(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("secrets_oracle_options")?;
    let (mut client, notices) = database.connect_noting(SUPERUSER)?;
    client.batch_execute(&guesser("secrets_guesser_of_options"))?;
    let insert =
        "INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('stay', 'user mapping', $1::text::json)";
    for (option, options) in RULES_OF_OPTIONS {
        client.execute("DELETE FROM fdw_guard.rule", &[])?;
        client.execute(insert, &[&options])?;
        for mode in ["immediate", "deferred"] {
            let mut told = |guess: &str| -> Result<(Option<DbFields>, Vec<String>, Vec<String>)> {
                let alter = set_option(option, guess);
                client.batch_execute(&format!(
                    "BEGIN; SET LOCAL fdw_guard.check_mode = {mode}; SET LOCAL ROLE secrets_guesser_of_options"
                ))?;
                let rows = client.query("SELECT line FROM fdw_guard.explain_plan($1) line", &[&alter])?;
                let plan = rows.iter().map(|row| row.get::<_, String>(0).replace(guess, "?")).collect();
                notices.take();
                let error = client.batch_execute(&alter).err();
                let refused = error.as_ref().and_then(|error| error.as_db_error()).map(DbFields::from);
                let warned = notices.take().iter().map(ToString::to_string).collect();
                client.batch_execute("ROLLBACK")?;
                Ok((refused, warned, plan))
            };
            let [right, wrong] = if option == "user" { ["reader", "ridder"] } else { ["hunter1", "hunter2"] };
            let (right, wrong) = (told(right)?, told(wrong)?);
            ensure!(wrong.2.iter().any(|line| line.contains("stay")), "{options}, {mode}: no verdict in {:?}", wrong.2);
            same(&format!("{options}, {mode}"), right, wrong)?;
        }
    }
    // What a savepoint takes back does not take back that the same was written before it.
    client.execute("DELETE FROM fdw_guard.rule", &[])?;
    client.execute(insert, &[&RULES_OF_OPTIONS[0].1])?;
    let mut refused = |guess: &str| -> Result<Option<DbFields>> {
        let alter = set_option("password", guess);
        client.batch_execute(&format!(
            "BEGIN; SET LOCAL fdw_guard.check_mode = deferred; SET LOCAL ROLE secrets_guesser_of_options;
             {alter}; SAVEPOINT again; {alter}; ROLLBACK TO again"
        ))?;
        let error = client.batch_execute("COMMIT").err();
        Ok(error.as_ref().and_then(|error| error.as_db_error()).map(DbFields::from))
    };
    let (right, wrong) = (refused("hunter1")?, refused("hunter2")?);
    ensure!(wrong.is_some(), "the change of a frozen option was not refused at commit");
    same("after a savepoint", right, wrong)?;
    drop(client);
    drop(database);
    cluster.database("secrets_guessed_options")?.execute("DROP ROLE secrets_guesser_of_options")
}

/// Whatever is guessed, the history has the same rows. Of a mapping that its writer sees, nothing is told that has not changed.
pub fn no_oracle_of_history(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("secrets_oracle_history")?;
    let mut client = database.connect()?;
    client.batch_execute(&guesser("secrets_guesser_of_history"))?;
    for mode in ["immediate", "deferred"] {
        let mut recorded = |role: &str, alter: &str| -> Result<Vec<String>> {
            client.batch_execute(&format!(
                "BEGIN; SET LOCAL fdw_guard.check_mode = {mode}; SET LOCAL ROLE {role}; {alter}; SET LOCAL ROLE {SUPERUSER}"
            ))?;
            let rows = client.query(
                "SELECT concat_ws(' ', form, attribute, change, old, new) FROM fdw_guard.history
                 WHERE transaction_id = pg_current_xact_id() ORDER BY ord",
                &[],
            )?;
            client.batch_execute("ROLLBACK")?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        };
        let of_password = vec!["OPTIONS option password set *** ***".to_owned()];
        for guess in ["hunter1", "hunter2"] {
            let alter = set_option("password", guess);
            same(guess, recorded("secrets_guesser_of_history", &alter)?, of_password.clone())?;
        }
        same("his own", recorded(SUPERUSER, &set_option("password", "hunter1"))?, Vec::new())?;
        same("his own", recorded(SUPERUSER, &set_option("password", "hunter2"))?, of_password)?;
    }
    drop(client);
    drop(database);
    cluster.database("secrets_guessed_history")?.execute("DROP ROLE secrets_guesser_of_history")
}

fn set_option(option: &str, value: &str) -> String {
    format!("ALTER USER MAPPING FOR {SUPERUSER} SERVER s OPTIONS (SET \"{option}\" '{value}')")
}
