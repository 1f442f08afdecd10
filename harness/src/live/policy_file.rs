//! The policy file: whatever becomes of it, the last good one stays in force, and the log says why without saying what
//! stands in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use postgres::{Client, Config, NoTls};

use super::{LiveTest, contains, same};
use crate::cluster::{Cluster, wait_until};
use crate::database::{Database, SUPERUSER, quote_literal};
use crate::fields::{DbFields, expect_error};
use crate::settings::Settings;
use crate::{command, place};

pub const TESTS: &[LiveTest] = &[
    LiveTest {
        name: "policy_file::a_reload_with_a_bad_file_keeps_the_last_good",
        run: a_reload_with_a_bad_file_keeps_the_last_good,
    },
    LiveTest {
        name: "policy_file::a_server_does_not_start_with_a_bad_file",
        run: a_server_does_not_start_with_a_bad_file,
    },
    LiveTest { name: "policy_file::a_rule_binds_in_every_database", run: a_rule_binds_in_every_database },
    LiveTest { name: "policy_file::alter_system_refuses_a_bad_file", run: alter_system_refuses_a_bad_file },
    LiveTest { name: "policy_file::a_reload_reaches_every_session", run: a_reload_reaches_every_session },
    LiveTest {
        name: "policy_file::parallel_workers_do_not_mind_a_file_that_went_bad",
        run: parallel_workers_do_not_mind_a_file_that_went_bad,
    },
    LiveTest {
        name: "policy_file::only_a_superuser_can_switch_its_rules_off",
        run: only_a_superuser_can_switch_its_rules_off,
    },
    LiveTest { name: "policy_file::it_may_constrain_a_secret", run: it_may_constrain_a_secret },
    LiveTest {
        name: "policy_file::each_rule_of_another_one_is_a_line_of_the_log",
        run: each_rule_of_another_one_is_a_line_of_the_log,
    },
];

/// Stands in every bad file: the setting may be pointed at a file of any kind.
const SECRET: &str = "hunter2";

const SETTING: &str = "fdw_guard.policy_file";

/// A cluster and the policy file that its setting names.
struct Home {
    cluster: Cluster,
    file: PathBuf,
}

impl Home {
    /// A running cluster with a policy file that forbids the wrapper `frozen`.
    fn open(cluster: &Cluster, name: &str) -> Result<Self> {
        let cluster = cluster.another(name, &Settings::preloaded())?;
        let home = Self { file: cluster.directory().join("policy.json"), cluster };
        home.write(forbidding("frozen"))?;
        home.cluster.set(SETTING, &home.file.to_string_lossy())?;
        home.cluster.reload()?;
        Ok(home)
    }

    /// Puts a file of that content where the setting looks, in place of whatever is there.
    fn write(&self, content: impl AsRef<[u8]>) -> Result<()> {
        self.clear()?;
        fs::write(&self.file, content)?;
        self.mode(0o644)
    }

    fn clear(&self) -> Result<()> {
        if self.file.is_dir() {
            return place::remove(&self.file);
        }
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn mode(&self, mode: u32) -> Result<()> {
        Ok(fs::set_permissions(&self.file, Permissions::from_mode(mode))?)
    }

    fn database(&self) -> Result<Database<'_>> {
        self.cluster.database("policy_file")
    }

    /// What the log has gained since it had `before` bytes.
    fn log_after(&self, before: usize) -> String {
        self.cluster.log_text().get(before..).unwrap_or_default().to_owned()
    }
}

fn each_rule_of_another_one_is_a_line_of_the_log(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-told")?;
    let database = home.database()?;
    let _idle = [database.connect()?, database.connect()?];
    let before = home.cluster.log_text().len();
    home.write(forbidding("other"))?;
    home.cluster.reload()?;
    let is_in_force = || database.connect().and_then(|mut client| refuses(&mut client, "other")).unwrap_or_default();
    wait_until("put the new policy file in force", is_in_force)?;
    home.cluster.reload()?;
    wait_until("reload again", || home.log_after(before).matches("received SIGHUP").count() == 2)?;
    let log = home.log_after(before);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("policy file has changed rule ")).collect();
    same("lines", lines.len(), 2)?;
    for (rule, word) in [("no_other", "create"), ("no_frozen", "drop")] {
        contains(&lines.concat(), &format!("has changed rule \"{rule}\": {{\"changes\":[{{"))?;
        let whole = format!(
            r#"{{"attribute":null,"change":"{word}","form":null,"identity":"{rule}","new":null,"object_type":"rule","old":null}}"#
        );
        contains(&lines.concat(), &whole)?;
    }
    contains(
        &lines.concat(),
        r#""attribute":"forms","change":"add","form":null,"identity":"no_other","new":"CREATE""#,
    )?;
    // A secret that a rule names stays in the file.
    home.write(document(
        r#"{"name": "no_other", "object_type": "server", "options": {"properties": {"password": {"not": {"const": "canary"}}}}}"#,
    ))?;
    home.cluster.reload()?;
    wait_until("tell it", || home.log_after(before).contains(r#""attribute":"options","change":"add""#))?;
    ensure!(!home.log_after(before).contains("canary"), "{}", home.log_after(before));
    // What a server starts with has a line too.
    home.cluster.restart()?;
    contains(&home.log_after(before), r#"the policy file has these rules: ["no_other"]"#)
}

/// A document with a rule that forbids a wrapper of that name.
fn forbidding(wrapper: &str) -> String {
    document(&format!(
        r#"{{"name": "no_{wrapper}", "object_type": "foreign-data wrapper", "wrapper": ["{wrapper}"], "forms": ["CREATE"]}}"#
    ))
}

fn document(rules: &str) -> String {
    format!("{{\"rules\": [{rules}]}}")
}

/// Whether the rule of [`forbidding`] is in force in the session; any other error is one of the test.
fn refuses(client: &mut Client, wrapper: &str) -> Result<bool> {
    let mut transaction = client.transaction()?;
    let Err(error) = transaction.batch_execute(&format!("CREATE FOREIGN DATA WRAPPER {wrapper}")) else {
        return Ok(false);
    };
    let refusal = error.as_db_error().map(DbFields::from).context("the connection broke")?;
    same("constraint name", refusal.constraint, Some(format!("no_{wrapper}")))?;
    same("SQLSTATE", refusal.sqlstate.as_str(), "42501")?;
    Ok(true)
}

/// A way to make the file unfit, and what is said of it.
struct Fault {
    name: &'static str,
    spoil: fn(&Home) -> Result<()>,
    said: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault { name: "missing", spoil: Home::clear, said: "cannot be read: No such file" },
    Fault { name: "unreadable", spoil: |home| home.mode(0o000), said: "cannot be read: Permission denied" },
    Fault { name: "a directory", spoil: directory, said: "not a regular file" },
    Fault { name: "a named pipe", spoil: named_pipe, said: "not a regular file" },
    Fault { name: "writable by its group", spoil: |home| home.mode(0o664), said: "writable by group or others" },
    Fault { name: "writable by others", spoil: |home| home.mode(0o646), said: "writable by group or others" },
    Fault { name: "somebody else's", spoil: strangers, said: "must be owned by root or" },
    Fault { name: "huge", spoil: |home| home.write(vec![b' '; 1024 * 1024 + 1]), said: "larger than 1048576 bytes" },
    Fault { name: "not UTF-8", spoil: |home| home.write(b"{\"rules\": [\"hunter2\xff\"]}"), said: "not UTF-8" },
    Fault { name: "empty", spoil: |home| home.write(""), said: "ends before the JSON value does" },
    Fault { name: "not JSON", spoil: |home| home.write("\nhunter2:x:0"), said: "invalid JSON at line 2, column 1" },
    Fault {
        name: "half written",
        spoil: |home| home.write("{\"rules\": [{\"name\": \"hunter2"),
        said: "ends before the JSON value does",
    },
    Fault {
        name: "a key twice",
        spoil: |home| home.write("{\"hunter2\": 1, \"hunter2\": 2}"),
        said: "duplicate key at line 1, column",
    },
    Fault { name: "another document", spoil: |home| home.write("{\"hunter2\": 1}"), said: "must be a JSON object" },
    Fault {
        name: "an unknown field",
        spoil: |home| home.write(document(r#"{"name": "a", "object_type": "server", "hunter2": 1}"#)),
        said: "rule 1 must be a JSON object with the fields of a rule",
    },
    Fault {
        name: "a number for a value of text",
        spoil: |home| home.write(options(r#"{"properties": {"port": {"type": "integer", "enum": ["hunter2"]}}}"#)),
        said: "/properties/port/enum/0",
    },
    Fault {
        name: "a keyword that does not fit its type",
        spoil: |home| home.write(options(r#"{"properties": {"port": {"minimum": 1}}, "required": ["port"]}"#)),
        said: "/properties/port/minimum",
    },
    Fault {
        name: "an expression that is none",
        spoil: |home| home.write(options(r#"{"properties": {"port": {"type": "string", "pattern": "hunter2("}}}"#)),
        said: "the regular expression is invalid",
    },
    Fault {
        name: "a name twice",
        spoil: |home| {
            let rule = r#"{"name": "hunter2", "object_type": "server", "forms": ["DROP"]}"#;
            home.write(document(&format!("{rule}, {rule}")))
        },
        said: "rule 2: name: an earlier rule has the same name",
    },
];

/// A document with one rule on servers.
fn options(schema: &str) -> String {
    document(&format!("{{\"name\": \"hunter2\", \"object_type\": \"server\", \"options\": {schema}}}"))
}

fn directory(home: &Home) -> Result<()> {
    home.clear()?;
    fs::create_dir(&home.file)?;
    home.mode(0o755)
}

fn named_pipe(home: &Home) -> Result<()> {
    home.clear()?;
    command::run(Command::new("mkfifo").args(["-m", "644"]).arg(&home.file)).map(drop)
}

/// Only root can give a file away; for anybody else this case is that of a missing owner's file, and left out.
fn strangers(home: &Home) -> Result<()> {
    let nobody = home.cluster.sandbox().account.uid.wrapping_add(1);
    chown(&home.file, Some(nobody), None).context("only root can give a file away")
}

fn can_give_files_away(home: &Home) -> bool {
    home.write(forbidding("frozen")).and_then(|()| strangers(home)).is_ok()
}

fn a_reload_with_a_bad_file_keeps_the_last_good(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-reload")?;
    let database = home.database()?;
    let mut session = database.connect()?;
    follows(&mut session, "frozen", true)?;
    let all = can_give_files_away(&home);
    for fault in FAULTS.iter().filter(|fault| all || fault.name != "somebody else's") {
        keeps_the_last_good(&home, &database, &mut session, fault)
            .with_context(|| format!("the file is {}", fault.name))?;
    }
    if !all {
        println!("skipped: only root can make a policy file that belongs to somebody else");
    }
    home.write(forbidding("later"))?;
    home.cluster.reload()?;
    follows(&mut session, "later", true)?;
    follows(&mut session, "frozen", false)
}

fn keeps_the_last_good(home: &Home, database: &Database, session: &mut Client, fault: &Fault) -> Result<()> {
    home.write(forbidding("frozen"))?;
    (fault.spoil)(home)?;
    let before = home.cluster.log_text().len();
    home.cluster.reload()?;
    wait_until("refuse the file", || home.log_after(before).contains("contains errors"))?;
    let log = home.log_after(before);
    contains(&log, &format!("invalid value for parameter \"{SETTING}\""))?;
    contains(&log, fault.said)?;
    ensure!(!log.contains(SECRET), "the log shows what stands in the file: {log}");
    ensure!(refuses(session, "frozen")?, "an open session lost the rules");
    ensure!(refuses(&mut database.connect()?, "frozen")?, "a new session has no rules");
    Ok(())
}

/// Waits until the session sees the file's rules, or no longer sees them.
fn follows(session: &mut Client, wrapper: &str, wanted: bool) -> Result<()> {
    for _ in 0..500 {
        if refuses(session, wrapper)? == wanted {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bail!("the session did not follow: {wrapper} should {} be refused", if wanted { "now" } else { "no longer" })
}

fn a_server_does_not_start_with_a_bad_file(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-start")?;
    let broken = FAULTS.iter().filter(|fault| ["missing", "writable by others", "half written"].contains(&fault.name));
    for fault in broken {
        home.cluster.stop("fast")?;
        (fault.spoil)(&home)?;
        let Err(error) = home.cluster.launch() else { bail!("the server starts although the file is {}", fault.name) };
        let said = format!("{error:#}");
        contains(&said, fault.said)?;
        ensure!(!said.contains(SECRET), "the log shows what stands in the file: {said}");
        home.write(forbidding("frozen"))?;
        home.cluster.launch()?;
        ensure!(refuses(&mut home.database()?.connect()?, "frozen")?, "the mended file is not in force");
    }
    Ok(())
}

fn a_rule_binds_in_every_database(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-databases")?;
    let bare = home.cluster.database("bare")?;
    let guarded = home.cluster.guarded_database("guarded")?;
    let mut template = Config::new()
        .host_path(home.cluster.socket())
        .port(home.cluster.port())
        .dbname("template1")
        .user(SUPERUSER)
        .connect(NoTls)?;
    for client in [&mut bare.connect()?, &mut guarded.connect()?, &mut template] {
        ensure!(refuses(client, "frozen")?, "the rule is not in force everywhere");
        ensure!(!refuses(client, "thawed")?, "another wrapper than the rule's is refused");
    }
    bare.execute("ALTER DATABASE bare WITH IS_TEMPLATE true")?;
    let copy = Database::create_with(&home.cluster, "copy", "TEMPLATE bare")?;
    ensure!(refuses(&mut copy.connect()?, "frozen")?, "the rule is not in force in a copy of a template");
    bare.execute("ALTER DATABASE bare WITH IS_TEMPLATE false")?;
    let row = guarded.connect()?.query_one("SELECT source, name FROM fdw_guard.policy()", &[])?;
    same("policy()", (row.get(0), row.get(1)), ("policy file", "no_frozen"))?;
    let sql = "SELECT active FROM fdw_guard.status() WHERE protection = 'rules of the cluster'";
    same("status()", guarded.connect()?.query_one(sql, &[])?.get(0), true)
}

fn alter_system_refuses_a_bad_file(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-alter-system")?;
    let database = home.database()?;
    let mut client = database.connect()?;
    let other = home.cluster.directory().join("other.json");
    let alter = format!("ALTER SYSTEM SET {SETTING} = {}", quote_literal(&other.to_string_lossy()));
    let error = expect_error(&mut client, &alter)?;
    same("SQLSTATE", error.sqlstate.as_str(), "22023")?;
    contains(error.detail.as_deref().unwrap_or_default(), "cannot be read: No such file")?;
    fs::write(&other, "hunter2")?;
    let error = expect_error(&mut client, &alter)?;
    contains(error.detail.as_deref().unwrap_or_default(), "invalid JSON at line 1, column 1")?;
    ensure!(!error.to_string().contains(SECRET), "the error shows what stands in the file: {error}");
    let kept = fs::read_to_string(home.cluster.data().join("postgresql.auto.conf"))?;
    ensure!(!kept.contains(SETTING), "ALTER SYSTEM has kept a bad file: {kept}");
    ensure!(refuses(&mut client, "frozen")?, "looking at another file has changed the rules in force");
    fs::write(&other, forbidding("other"))?;
    client.batch_execute(&alter)?;
    ensure!(!refuses(&mut client, "other")?, "ALTER SYSTEM counts before the reload");
    client.batch_execute("SELECT pg_reload_conf()")?;
    follows(&mut client, "other", true)?;
    same("SET", expect_error(&mut client, &format!("SET {SETTING} = ''"))?.sqlstate.as_str(), "55P02")
}

fn a_reload_reaches_every_session(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-sessions")?;
    let database = home.database()?;
    let (mut idle, mut busy, mut admin) = (database.connect()?, database.connect()?, database.connect()?);
    busy.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE; CREATE FOREIGN DATA WRAPPER another")?;
    home.write(forbidding("later"))?;
    admin.batch_execute("SELECT pg_reload_conf()")?;
    for client in [&mut idle, &mut admin] {
        follows(client, "later", true)?;
        follows(client, "frozen", false)?;
    }
    let error = expect_error(&mut busy, "CREATE FOREIGN DATA WRAPPER later")?;
    same("constraint name", error.constraint.as_deref(), Some("no_later"))?;
    busy.batch_execute("ROLLBACK")?;
    home.write(document(""))?;
    home.cluster.reload()?;
    follows(&mut idle, "later", false)?;
    home.write(forbidding("later"))?;
    home.cluster.reload()?;
    follows(&mut idle, "later", true)?;
    home.cluster.set(SETTING, "")?;
    home.cluster.reload()?;
    follows(&mut idle, "later", false)
}

/// A worker takes over what its leader has; it does not read the file again.
fn parallel_workers_do_not_mind_a_file_that_went_bad(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("policy-file-parallel", &Settings::preloaded())?;
    let file = own.write_file("policy.json", r#"{"rules": []}"#, 0o600)?;
    own.set("fdw_guard.policy_file", &file.to_string_lossy())?;
    own.restart()?;
    let database = own.database("policy_file_parallel")?;
    let mut client = database.connect()?;
    fs::set_permissions(&file, Permissions::from_mode(0o666))?;
    let forced = "SELECT set_config(name, 'on', false) FROM pg_settings \
                  WHERE name IN ('debug_parallel_query', 'force_parallel_mode')";
    same("settings that force workers", client.query(forced, &[])?.len(), 1)?;
    client.batch_execute("SELECT count(*) FROM pg_class")?;
    Ok(())
}

fn only_a_superuser_can_switch_its_rules_off(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-enforcement")?;
    let database = home.database()?;
    let mut client = database.connect()?;
    client.batch_execute("SET fdw_guard.enforcement = off")?;
    ensure!(!refuses(&mut client, "frozen")?, "off is not off");
    client.batch_execute("RESET fdw_guard.enforcement; CREATE ROLE guest LOGIN")?;
    ensure!(refuses(&mut client, "frozen")?, "the rules did not come back");
    let mut guest = database.connect_as("guest")?;
    for value in ["off", "warn"] {
        let error = expect_error(&mut guest, &format!("SET fdw_guard.enforcement = {value}"))?;
        same("SQLSTATE", error.sqlstate.as_str(), "42501")?;
    }
    let error = expect_error(&mut guest, &format!("SHOW {SETTING}"))?;
    same("SQLSTATE", error.sqlstate.as_str(), "42501")
}

fn it_may_constrain_a_secret(cluster: &Cluster) -> Result<()> {
    let home = Home::open(cluster, "policy-file-secret")?;
    let database = home.database()?;
    let schema =
        r#"{"properties": {"password": {"type": "string", "pattern": "^[a-z]+-[a-z]+$"}}, "required": ["password"]}"#;
    let rule = format!(r#"{{"name": "words", "object_type": "user mapping", "options": {schema}}}"#);
    home.write(document(&rule))?;
    home.cluster.reload()?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER shop FOREIGN DATA WRAPPER plain")?;
    client.batch_execute("CREATE USER MAPPING FOR PUBLIC SERVER shop OPTIONS (password 'horse-battery')")?;
    let alter = format!("ALTER USER MAPPING FOR PUBLIC SERVER shop OPTIONS (SET password '{SECRET}')");
    let error = expect_error(&mut client, &alter)?;
    same("constraint name", error.constraint.as_deref(), Some("words"))?;
    ensure!(!error.to_string().contains(SECRET), "the error shows the password: {error}");
    Ok(())
}
