//! The history through upgrades: of the extension, and of PostgreSQL by pg_upgrade.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::{contains, same};
use super::{recorded, with_server};
use crate::cluster::Cluster;
use crate::command;
use crate::database::Database;
use crate::fields::expect_error;
use crate::installation::Installation;
use crate::mirror;
use crate::sandbox::Sandbox;
use crate::settings::Settings;

const VERSION: &str = "0.1.0";

/// What a later version might do: to the table of the history and to a rule.
const NEXT: &str = "ALTER TABLE fdw_guard.history_row ADD COLUMN more text DEFAULT 'made later' NOT NULL;
UPDATE fdw_guard.rule SET mode = 'warn' WHERE name = 'told';
CREATE SERVER of_the_script FOREIGN DATA WRAPPER plain;
CREATE FUNCTION fdw_guard.made_later() RETURNS int LANGUAGE sql RETURN 1;
";

/// A script that is removed again, whatever comes of the test.
struct Script(PathBuf);

impl Drop for Script {
    fn drop(&mut self) {
        // The next run writes it anew.
        let _ = fs::remove_file(&self.0);
    }
}

pub fn of_the_extension(cluster: &Cluster) -> Result<()> {
    let directory = cluster.sandbox().mirror.installation.extension_dir();
    let script = Script(directory.join(format!("fdw_guard--{VERSION}--{VERSION}.next.sql")));
    fs::write(&script.0, NEXT)?;
    let database = with_server(cluster, "history_extension")?;
    database.execute("SELECT fdw_guard.add_rule('told', 'server', 'port', allowed => '{1}')")?;
    let mut before = database.connect()?;
    expect_error(&mut before, super::CHANGE)?;
    database.execute(&format!("ALTER EXTENSION fdw_guard UPDATE TO '{VERSION}.next'"))?;
    // A session that knew the tables before writes the new ones.
    before.batch_execute(super::CHANGE)?;
    same("history", recorded(&mut before)?, vec!["add 1".to_owned(), "set 1 2".to_owned()])?;
    let told = |sql: &str| -> Result<i64> { Ok(database.connect()?.query_one(sql, &[])?.get(0)) };
    let of_rule =
        "SELECT count(*) FROM fdw_guard.history WHERE object_type = 'rule' AND change = 'set' AND new = 'warn'";
    same("changes of the rule", told(of_rule)?, 1)?;
    let of_server = "SELECT count(*) FROM fdw_guard.history WHERE identity = 'of_the_script' AND change = 'create'";
    same("the script's server", told(of_server)?, 1)?;
    same("rows", told("SELECT count(*) FROM fdw_guard.history_row WHERE more = 'made later'")? > 2, true)
}

/// The newest older PostgreSQL of which there is a private copy with the same fdw_guard.
fn older(cluster: &Cluster) -> Result<Option<Arc<Sandbox>>> {
    let (sandbox, mine) = (cluster.sandbox(), &cluster.sandbox().mirror.installation);
    for major in mine.older_majors() {
        let root = sandbox.place.root.join("pg").join(major.to_string());
        let Some(original) = mirror::original_of(&root)? else { continue };
        let older = Sandbox::open(original, &sandbox.place.root)?;
        if older.mirror.installation.pkglibdir.join("fdw_guard.so").exists()
            && script(&older.mirror.installation)? == script(mine)?
        {
            return Ok(Some(older));
        }
    }
    Ok(None)
}

/// The lines of the script in order: what pgrx writes behind our own comes in any.
fn script(installation: &Installation) -> Result<Vec<String>> {
    let path = installation.extension_dir().join(format!("fdw_guard--{VERSION}.sql"));
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

pub fn of_postgresql(cluster: &Cluster) -> Result<()> {
    let Some(sandbox) = older(cluster)? else {
        println!("SKIPPED: make test has not been run with an older PostgreSQL, from which pg_upgrade could come");
        return Ok(());
    };
    let old = Cluster::start(&sandbox, "history-upgrade-from", &Settings::preloaded())?;
    let database = with_server(&old, "history_upgraded")?;
    database.execute(
        "CREATE EXTENSION postgres_fdw; SELECT fdw_guard.guard_wrapper('postgres_fdw'); \
         SELECT fdw_guard.create_wrapper('made', 'postgres_fdw'); \
         CREATE SERVER far FOREIGN DATA WRAPPER made OPTIONS (host 'here'); CREATE FOREIGN TABLE t (a int) SERVER far; \
         CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'x', password 'y'); ALTER SERVER s OPTIONS (SET port '2'); \
         SELECT fdw_guard.add_rule('known', 'server', 'port', allowed => '{1,2,3}'); \
         SELECT fdw_guard.install_pack('postgres_fdw')",
    )?;
    let spoiled = "SELECT count(*) FROM pg_attribute WHERE attoptions::text LIKE '%pg_attver=%'";
    if database.connect()?.query_one(spoiled, &[])?.get::<_, i64>(0) > 0 {
        println!("SKIPPED: PostgreSQL {} dumps pg_attver, which no other version reads", sandbox.original.number());
        return Ok(());
    }
    let before = everything(&mut database.connect()?)?;
    old.stop("fast")?;
    let new = cluster.another("history-upgrade-to", &Settings::preloaded())?;
    upgrade(&old, &new)?;
    new.launch()?;
    std::mem::forget(database);
    still_works(&Database::existing(&new, "history_upgraded"), &before)
}

/// All rules and all rows of the history.
fn everything(client: &mut Client) -> Result<Vec<String>> {
    let sql = "SELECT to_jsonb(r)::text FROM fdw_guard.rule r UNION ALL SELECT to_jsonb(h)::text FROM fdw_guard.history_row h ORDER BY 1";
    Ok(client.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
}

fn upgrade(old: &Cluster, new: &Cluster) -> Result<()> {
    new.stop("fast")?;
    let (from, to) = (old.sandbox(), new.sandbox());
    // From 18 on initdb switches checksums on, and both clusters must have them or neither.
    command::succeeds(to.program("pg_checksums").args(["--disable", "--no-sync", "--pgdata"]).arg(new.data()))?;
    let mut program = to.program("pg_upgrade");
    program.current_dir(new.directory()).args(["--username=postgres", "--no-sync", "--link", "--socketdir"]);
    program.arg(new.directory()).arg("--old-bindir").arg(&from.mirror.installation.bindir);
    program.arg("--new-bindir").arg(&to.mirror.installation.bindir);
    program.arg("--old-datadir").arg(old.data()).arg("--new-datadir").arg(new.data());
    let paths = [&to.mirror.library_path, &from.mirror.library_path].into_iter().flatten();
    let paths = std::env::join_paths(paths)?;
    if !paths.is_empty() {
        program.env("LD_LIBRARY_PATH", paths);
    }
    command::run(&mut program).map(drop).with_context(|| told_by_logs(new))
}

/// The ends of the logs that pg_upgrade leaves when it fails.
fn told_by_logs(new: &Cluster) -> String {
    let pattern = format!("tail -n 12 {}/pg_upgrade_output.d/*/log/pg_upgrade_dump_*.log", new.data().display());
    command::run(std::process::Command::new("sh").args(["-c", &pattern])).unwrap_or_default()
}

fn still_works(database: &Database<'_>, before: &[String]) -> Result<()> {
    let mut client = database.connect()?;
    same("rules and history", everything(&mut client)?.as_slice(), before)?;
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('fdw_guard.rule'::regclass, 'fdw_guard.history_row'::regclass) \
                    AND tgenabled <> 'A' AND NOT tgisinternal";
    same("triggers that do not fire always", client.query_one(triggers, &[])?.get::<_, i64>(0), 0)?;
    let guarded: i64 = client.query_one("SELECT count(*) FROM fdw_guard.guarded_wrappers", &[])?.get(0);
    ensure!(guarded >= 2, "{guarded} guarded wrappers");
    let error = expect_error(&mut client, "ALTER SERVER s OPTIONS (SET port '9')")?;
    same("constraint name", error.constraint.as_deref(), Some("known"))?;
    contains(&expect_error(&mut client, "ALTER SERVER far OPTIONS (ADD sslmode 'bogus')")?.message, "sslmode")?;
    // By name, as an oid of the old cluster means nothing here.
    let newest =
        "SELECT fdw_guard.revert(id) FROM fdw_guard.history WHERE attribute = 'option port' ORDER BY at DESC LIMIT 1";
    same(
        "reverted",
        client.query_one(newest, &[])?.get::<_, String>(0).as_str(),
        "ALTER SERVER s OPTIONS (SET port '1')",
    )?;
    same("history", recorded(&mut client)?, ["add 1", "set 1 2", "set 2 1"].map(str::to_owned).to_vec())?;
    let life = "SELECT count(*) FROM fdw_guard.timeline('server', 's') WHERE timeline LIKE '%option port%'";
    same("timeline", client.query_one(life, &[])?.get::<_, i64>(0), 3)?;
    client.batch_execute("EXPLAIN SELECT * FROM t; SELECT fdw_guard.install_pack('postgres_fdw')")?;
    expect_error(&mut client, "DELETE FROM fdw_guard.history_row").map(drop)
}
