//! The policy file: whatever becomes of it, the last good one stays in force, and the log says why without saying what
//! stands in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::{Cluster, wait_until};
use crate::database::{Database, quote_literal};
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
        name: "policy_file::only_a_superuser_can_switch_its_rules_off",
        run: only_a_superuser_can_switch_its_rules_off,
    },
    LiveTest { name: "policy_file::it_may_constrain_a_secret", run: it_may_constrain_a_secret },
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
    document(&format!("{{\"name\": \"a\", \"object_type\": \"server\", \"options\": {schema}}}"))
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
    let mut session = home.database()?.keep_open()?;
    follows(&mut session, "frozen", true)?;
    let all = can_give_files_away(&home);
    for fault in FAULTS.iter().filter(|fault| all || fault.name != "somebody else's") {
        keeps_the_last_good(&home, &mut session, fault).with_context(|| format!("the file is {}", fault.name))?;
    }
    if !all {
        println!("skipped: only root can make a policy file that belongs to somebody else");
    }
    home.write(forbidding("later"))?;
    home.cluster.reload()?;
    follows(&mut session, "later", true)?;
    follows(&mut session, "frozen", false)
}

fn keeps_the_last_good(home: &Home, session: &mut Client, fault: &Fault) -> Result<()> {
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
    ensure!(refuses(&mut home.cluster.connect("postgres")?, "frozen")?, "a new session has no rules");
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
