//! Instructions of user space, counted by valgrind: exact, and the same on every machine, where a clock tells what the
//! weather was. The servers run some fifty times slower meanwhile, so that nothing is timed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Databases;
use super::backend::Backend;
use super::measure::{Length, MEASURES, Measure, Setup};
use crate::cluster::Cluster;
use crate::command;

/// Statements that run before those that are counted, so that all caches are warm.
const WARM: usize = 50;

/// Short statements that are counted.
const COUNTED: usize = 500;

/// How long a process under valgrind may take to write its count when its client has gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// The instructions of one statement of each measure, on each of its sides.
///
/// # Errors
/// When valgrind is missing or a server does not run under it.
pub fn count(clusters: &[&Cluster], databases: &Databases<'_>) -> Result<Vec<Vec<f64>>> {
    ensure!(
        command::succeeds(Command::new("valgrind").arg("--version")).unwrap_or_default(),
        "instructions are counted by valgrind, which is not installed"
    );
    for cluster in clusters {
        cluster.stop("fast")?;
        cluster.launch_by(&counting_server(cluster)?)?;
    }
    let counts = MEASURES.iter().map(|measure| of_measure(measure, databases)).collect();
    for cluster in clusters {
        cluster.stop("fast")?;
        cluster.launch()?;
    }
    counts
}

fn of_measure(measure: &Measure, databases: &Databases<'_>) -> Result<Vec<f64>> {
    let of_side = |setup: &Setup| {
        let session = |statements| of_session(measure, *setup, statements, databases);
        // The first session since the server's start writes files of the database that later ones find.
        session(0)?;
        match measure.length {
            Length::Short => Ok((session(WARM + COUNTED)? - session(WARM)?) / COUNTED as f64),
            Length::Long => Ok(session(1)? - session(0)?),
        }
    };
    measure.sides.iter().map(of_side).collect()
}

/// All that a server process executes from its start to its end, with that many statements.
fn of_session(measure: &Measure, setup: Setup, statements: usize, databases: &Databases<'_>) -> Result<f64> {
    let database = databases.of(setup)?;
    let mut backend = Backend::connect(database)?;
    backend.run(measure.statements, statements)?;
    let counted = counts_directory(database.cluster()).join(backend.process().to_string());
    drop(backend);
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(count) = fs::read_to_string(&counted).ok().as_deref().and_then(summary) {
            fs::remove_file(&counted)?;
            return Ok(count);
        }
        sleep(Duration::from_millis(50));
    }
    bail!("valgrind wrote no count to {}", counted.display())
}

/// The total of a file of cachegrind's.
fn summary(file: &str) -> Option<f64> {
    file.lines().find_map(|line| line.strip_prefix("summary: ")).and_then(|count| count.trim().parse().ok())
}

fn counts_directory(cluster: &Cluster) -> PathBuf {
    cluster.directory().join("counts")
}

/// A program that runs the cluster's server under valgrind, each process with a file of its own.
fn counting_server(cluster: &Cluster) -> Result<PathBuf> {
    let account = &cluster.sandbox().account;
    let directory = counts_directory(cluster);
    fs::create_dir_all(&directory)?;
    account.own(&directory)?;
    let script = cluster.directory().join("counting-server");
    let server = cluster.sandbox().mirror.installation.bindir.join("postgres");
    fs::write(&script, counting_script(&directory, &server))?;
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", script.display()))?;
    Ok(script)
}

fn counting_script(directory: &Path, server: &Path) -> String {
    let (files, server) = (directory.join("%p"), server.display());
    let options = "--tool=cachegrind --cache-sim=no --log-file=/dev/null";
    format!("#!/bin/sh\nexec valgrind {options} '--cachegrind-out-file={}' '{server}' \"$@\"\n", files.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_as_cachegrind_writes_it() {
        assert_eq!(summary("desc: I1 cache\nevents: Ir \nfn=main\n16 400\nsummary: 1234567\n"), Some(1_234_567.0));
        assert_eq!(summary("events: Ir\nfn=main\n"), None, "a file that is still being written");
    }
}
