//! `make demo`: a private cluster, a tour through it, and the command that connects to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::account::Account;
use crate::cluster::{Cluster, wait_until};
use crate::installation::Installation;
use crate::package::Purpose;
use crate::place::{self, Place};
use crate::sandbox::Sandbox;
use crate::settings::Settings;
use crate::{command, project, testing, tour};

/// The project's folder for everything of the demonstration.
const FOLDER: &str = ".demo";

/// The database that the tour is in.
const DATABASE: &str = "shop";

/// Starts the cluster afresh and plays the tour. Says whether the tour went as its script says.
///
/// # Errors
/// When the extension does not build, or the server does not start.
pub fn start() -> Result<bool> {
    stop()?;
    let sandbox = testing::prepare(&Installation::from_environment()?, Purpose::Demo, FOLDER)?;
    let cluster = Cluster::start(&sandbox, "demo", &Settings::preloaded().loopback())?.keep();
    let faults = play(&sandbox, &cluster)?;
    for fault in &faults {
        println!("the tour did not go as it should: {fault}");
    }
    println!("\nThe server is still running. To look around yourself:\n\n  {}\n", psql_command(&sandbox, &cluster));
    println!("make demo-stop ends it.");
    Ok(faults.is_empty())
}

/// Ends the cluster of an earlier `start`, if one runs; its files stay.
///
/// # Errors
/// When it does not end.
pub fn stop() -> Result<()> {
    let place = Place::choose(&project::root().join(FOLDER), &Account::choose()?)?;
    for directory in demo_clusters(&place)? {
        if let Some(pid) = postmaster(&place, &directory) {
            command::interrupt(&pid)?;
            wait_until("stop", || !directory.join("data/postmaster.pid").exists())?;
            println!("the demo's server is stopped; its files stay in {}", directory.display());
        }
    }
    Ok(())
}

fn demo_clusters(place: &Place) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(&place.root).with_context(|| format!("cannot read {}", place.root.display()))?;
    let directories = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(directories.filter(|path| path.join("data").is_dir()).collect())
}

/// The process that `postmaster.pid` names, if that process is a server of ours.
fn postmaster(place: &Place, directory: &Path) -> Option<String> {
    let text = fs::read_to_string(directory.join("data/postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().to_owned();
    let program = fs::read_link(Path::new("/proc").join(&pid).join("exe")).ok()?;
    program.starts_with(&place.root).then_some(pid)
}

fn play(sandbox: &Sandbox, cluster: &Cluster) -> Result<Vec<String>> {
    let script = project::root().join("demo/tour.sql");
    let text = fs::read_to_string(&script).with_context(|| format!("cannot read {}", script.display()))?;
    let files = cluster.directory().join("files");
    place::fresh_directory(&files, &sandbox.account)?;
    let copy = files.join("tour.sql");
    fs::copy(&script, &copy)?;
    sandbox.account.own(&copy)?;
    let csv = files.join("orders.csv");
    let variables = [format!("port={}", cluster.port()), format!("csv={}", csv.display())];
    // psql writes results and errors to two outputs; only one shared output keeps their order.
    let mut shell = sandbox.command(Path::new("/bin/sh"));
    shell.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(sandbox.mirror.installation.bindir.join("psql"));
    shell.args(["-X", "-q", "-f"]).arg(&copy).args(variables.iter().flat_map(|variable| ["-v", variable]));
    shell.arg("-h").arg(cluster.socket()).args(["-p", &cluster.port().to_string(), "-U", "postgres", "postgres"]);
    let shown = show(shell.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    Ok(tour::faults(&text, &shown))
}

/// Prints what `command` writes, without the lines that name a place in PostgreSQL's source, and gives it.
fn show(command: &mut Command) -> Result<String> {
    let mut child = command.spawn().context("cannot run psql")?;
    let output = child.stdout.take().context("psql has no output")?;
    let mut shown = String::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        if !line.starts_with("LOCATION:") {
            let after_text = !shown.is_empty() && !shown.ends_with("\n\n");
            let blank = if after_text && tour::begins_statement(&line) { "\n" } else { "" };
            println!("{blank}{}", tour::without_prefix(&line));
            shown.push_str(&line);
            shown.push('\n');
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("psql: {status}");
    }
    Ok(shown)
}

fn psql_command(sandbox: &Sandbox, cluster: &Cluster) -> String {
    let library_path = &sandbox.mirror.library_path;
    let environment = match std::env::join_paths(library_path) {
        Ok(path) if !path.is_empty() => format!("LD_LIBRARY_PATH={} ", path.to_string_lossy()),
        _ => String::new(),
    };
    let psql = sandbox.mirror.installation.bindir.join("psql");
    let (socket, port) = (cluster.socket().display(), cluster.port());
    format!("{environment}{} -h {socket} -p {port} -U postgres {DATABASE}", psql.display())
}
