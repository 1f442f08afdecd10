//! The stories of `tests/sql`, told by PostgreSQL's own pg_regress; and whatever else its drivers run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::command;
use crate::database::SUPERUSER;
use crate::sandbox::Sandbox;
use crate::tally::Tally;
use crate::{place, project};

/// A statement that hangs is ended.
const OPTIONS: &str = "-c statement_timeout=60s";

/// Runs the stories whose names contain `filter` against `cluster`.
///
/// # Errors
/// When pg_regress cannot be run, or there is no story at all.
pub fn run(tally: &mut Tally, cluster: &Cluster, filter: &str) -> Result<()> {
    let sandbox = cluster.sandbox();
    let command = against(cluster, &sandbox.original.pg_regress()?);
    tell(tally, sandbox, command, &cluster.directory().join("regress"), filter)
}

/// A command that runs a driver against `cluster`.
pub fn against(cluster: &Cluster, driver: &Path) -> Command {
    let mut command = cluster.sandbox().command(driver);
    command.arg("--host").arg(cluster.socket()).args(["--port", &cluster.port().to_string(), "--user", SUPERUSER]);
    command
}

/// Stories in the folder `input`, with PostgreSQL's own folders for them, and where their results go.
#[derive(Debug)]
pub struct Stories<'a> {
    /// Where they are.
    pub input: &'a Path,
    /// A directory of the account's own.
    pub output: &'a Path,
    /// Which of them are told, in this order.
    pub names: Vec<String>,
}

impl Stories<'_> {
    /// Has a driver tell them, and notes of each whether it says what is expected; `title` goes before their names.
    ///
    /// # Errors
    /// When the driver cannot be run, or leaves stories out.
    pub fn tell(&self, tally: &mut Tally, sandbox: &Sandbox, mut driver: Command, title: &str) -> Result<()> {
        driver.env("PGOPTIONS", OPTIONS).current_dir(self.output).args(["--encoding=UTF8", "--no-locale"]);
        driver.arg("--bindir").arg(&sandbox.mirror.installation.bindir).arg("--inputdir").arg(self.input);
        driver.arg("--outputdir").arg(self.output).args(&self.names);
        let told = driver.output().context("cannot run pg_regress")?;
        let seen = count(tally, &String::from_utf8_lossy(&told.stdout), self.output, title);
        let said = String::from_utf8_lossy(&told.stderr);
        ensure!(seen == self.names.len(), "pg_regress ran {seen} of {} stories:\n{said}", self.names.len());
        Ok(())
    }
}

/// Runs all stories against the server that `PGHOST` and `PGPORT` name.
///
/// # Errors
/// When pg_regress cannot be run, or that server does not preload fdw_guard.
pub fn run_against_running_server(tally: &mut Tally, sandbox: &Sandbox) -> Result<()> {
    let mut command = sandbox.command(&sandbox.original.pg_regress()?);
    let mut psql = sandbox.program("psql");
    let given = ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD"].map(|name| (name, std::env::var_os(name)));
    for (name, value) in given.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        command.env(name, value);
        psql.env(name, value);
    }
    check_preloaded(&mut psql)?;
    tell(tally, sandbox, command, &sandbox.place.root.join("installcheck"), "")
}

fn check_preloaded(psql: &mut Command) -> Result<()> {
    let libraries = command::run(psql.args(["-XAt", "-d", "postgres", "-c", "SHOW shared_preload_libraries"]))
        .context("PGHOST and PGPORT must name a running server")?;
    ensure!(
        libraries.contains("fdw_guard"),
        "that server has shared_preload_libraries = '{}': add fdw_guard to it and restart",
        libraries.trim()
    );
    Ok(())
}

fn tell(tally: &mut Tally, sandbox: &Sandbox, command: Command, output: &Path, filter: &str) -> Result<()> {
    place::fresh_directory(output, &sandbox.account)?;
    let input = copy_stories(sandbox, output)?;
    let all = stories(&input.join("sql"), "sql")?;
    expect_something(&input, &all)?;
    ensure!(!all.is_empty(), "there is no story in tests/sql");
    let names: Vec<String> = all.into_iter().filter(|name| name.contains(filter)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Stories { input: &input, output, names }.tell(tally, sandbox, command, "")
}

/// The account may not be able to read the project's own folder.
fn copy_stories(sandbox: &Sandbox, output: &Path) -> Result<PathBuf> {
    let input = output.join("stories");
    for name in ["sql", "expected"] {
        place::fresh_directory(&input.join(name), &sandbox.account)?;
        copy_readable(&project::root().join("tests").join(name), &input.join(name), sandbox)?;
    }
    sandbox.account.own(&input)?;
    Ok(input)
}

fn copy_readable(from: &Path, to: &Path, sandbox: &Sandbox) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        sandbox.account.own(&copy)?;
    }
    Ok(())
}

/// The names of the files of a folder that end so, without the ending.
///
/// # Errors
/// When the folder cannot be read.
pub fn stories(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.extension().is_some_and(|found| found == extension), path.file_stem()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// pg_regress ends at the first story that has no expected file; an empty one makes that story fail, and shows it.
fn expect_something(input: &Path, stories: &[String]) -> Result<()> {
    for name in stories {
        let expected = input.join("expected").join(name).with_extension("out");
        if !expected.exists() {
            fs::write(&expected, "").with_context(|| format!("cannot write {}", expected.display()))?;
        }
    }
    Ok(())
}

fn count(tally: &mut Tally, said: &str, output: &Path, title: &str) -> usize {
    let outcomes: Vec<(&str, bool)> = said.lines().filter_map(outcome).collect();
    for (name, passed) in &outcomes {
        let name = format!("{title}{name}");
        if *passed { tally.pass(name) } else { tally.fail(&name, "differs from what is expected:") }
    }
    if let Ok(differences) = fs::read_to_string(output.join("regression.diffs")) {
        println!("{differences}\nwhat was written is in {}", output.join("results").display());
    }
    outcomes.len()
}

/// A story's name and whether it passed: `test NAME ... ok 12 ms` until 15, `ok 1 - NAME 12 ms` since 16.
fn outcome(line: &str) -> Option<(&str, bool)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["test", name, "...", verdict, ..] => Some((name, *verdict == "ok")),
        ["ok", _, "-" | "+", name, ..] => Some((name, true)),
        ["not", "ok", _, "-" | "+", name, ..] => Some((name, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_output_are_read() {
        assert_eq!(outcome("test rules                        ... ok          120 ms"), Some(("rules", true)));
        assert_eq!(outcome("test rules                        ... FAILED      120 ms"), Some(("rules", false)));
        assert_eq!(outcome("ok 1         - rules                      120 ms"), Some(("rules", true)));
        assert_eq!(outcome("not ok 2     - rules                      120 ms"), Some(("rules", false)));
        assert_eq!(outcome("# 1 of 2 tests failed."), None);
        assert_eq!(outcome("1..2"), None);
    }
}
