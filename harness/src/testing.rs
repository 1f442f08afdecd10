//! `make test`: every test there is, for one version of PostgreSQL.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cluster::Cluster;
use crate::command::last_lines;
use crate::installation::Installation;
use crate::package::{Package, Purpose};
use crate::sandbox::Sandbox;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::{functions, live, project, regress, rust_tests};

/// How long the tests of a version may take altogether, its build not counted.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `cargo test` of the crates without pgrx.
    Rust,
    /// `#[pg_test]` functions.
    Functions,
    /// pg_regress.
    Regress,
    /// Tests over real connections.
    Live,
}

impl Part {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Functions, Self::Regress, Self::Live];

    /// The part called `name` on the command line.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "rust" => Ok(Self::Rust),
            "functions" => Ok(Self::Functions),
            "regress" => Ok(Self::Regress),
            "live" => Ok(Self::Live),
            _ => bail!("the parts are rust, functions, regress and live"),
        }
    }
}

/// Builds the extension and runs `parts`, of each the tests whose names contain `filter`. Says whether all passed.
///
/// # Errors
/// When the extension does not build, or the server does not start.
pub fn test(parts: &[Part], filter: &str) -> Result<bool> {
    let mut tally = Tally::default();
    let installation = Installation::from_environment()?;
    println!("{}", installation.version);
    if parts.contains(&Part::Rust) {
        tally.part("cargo test", |tally| rust_tests::run(tally, filter));
    }
    if parts.iter().any(|part| *part != Part::Rust) {
        test_with_server(&mut tally, &installation, parts, filter);
    }
    tally.close();
    Ok(!tally.has_failures() && tally.count() > 0)
}

fn test_with_server(tally: &mut Tally, installation: &Installation, parts: &[Part], filter: &str) {
    let mut prepared = None;
    tally.part("build", |_| {
        prepared = Some(prepare(installation, Purpose::Test, "target/harness")?);
        Ok(())
    });
    let Some(sandbox) = prepared else { return };
    let mut started = None;
    tally.part("start", |_| {
        let settings = Settings::preloaded().loopback();
        started = Some(Arc::new(Cluster::start(&sandbox, "test", &settings)?));
        Ok(())
    });
    if let Some(cluster) = started {
        watch(&cluster);
        run_parts(tally, &cluster, parts, filter);
        tally.part("server log", |tally| check_log(tally, &cluster));
    }
}

/// Builds the extension and puts it into a private installation in the project's directory `wanted`.
///
/// # Errors
/// When it does not build, or the installation cannot be made.
pub fn prepare(installation: &Installation, purpose: Purpose, wanted: &str) -> Result<Arc<Sandbox>> {
    let package = Package::build(installation, purpose)?;
    let sandbox = Sandbox::open(installation.clone(), &project::root().join(wanted))?;
    package.install(&sandbox.mirror.installation)?;
    Ok(sandbox)
}

/// The pg_regress tests alone, against the running server that `PGHOST` and `PGPORT` name. Says whether all passed.
///
/// # Errors
/// When PostgreSQL's programs cannot be run.
pub fn installcheck() -> Result<bool> {
    let mut tally = Tally::default();
    let sandbox = Sandbox::open(Installation::from_environment()?, &project::root().join("target/harness"))?;
    tally.part("pg_regress", |tally| regress::run_against_running_server(tally, &sandbox));
    tally.close();
    Ok(!tally.has_failures() && tally.count() > 0)
}

fn run_parts(tally: &mut Tally, cluster: &Arc<Cluster>, parts: &[Part], filter: &str) {
    for part in Part::ALL.iter().filter(|part| parts.contains(part)) {
        match part {
            Part::Rust => {}
            Part::Functions => tally.part("functions in the server", |tally| functions::run(tally, cluster, filter)),
            Part::Regress => tally.part("pg_regress", |tally| regress::run(tally, cluster, filter)),
            Part::Live => tally.part("live tests", |tally| live::run(tally, cluster, filter)),
        }
    }
}

/// A crash is a failure even if every test passed.
fn check_log(tally: &mut Tally, cluster: &Cluster) -> Result<()> {
    let log = cluster.log_text();
    cluster.end()?;
    note_crashes(tally, cluster.sandbox());
    if tally.has_failures() {
        println!("the end of the server's log:\n{}", last_lines(&log, 40));
    }
    Ok(())
}

/// Notes whether a server crashed.
pub fn note_crashes(tally: &mut Tally, sandbox: &Sandbox) {
    let crashes = sandbox.take_crashes();
    if crashes.is_empty() {
        tally.pass("no server crashed");
    } else {
        tally.fail("a server crashed", crashes.join("\n"));
    }
}

/// Ends everything when the time is over.
fn watch(cluster: &Arc<Cluster>) {
    let cluster = Arc::clone(cluster);
    thread::spawn(move || {
        thread::sleep(TIMEOUT);
        eprintln!("the tests did not end within {} minutes", TIMEOUT.as_secs() / 60);
        if let Err(error) = cluster.stop("immediate") {
            eprintln!("{error:#}");
        }
        std::process::exit(1);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_name() {
        for (name, part) in ["rust", "functions", "regress", "live"].iter().zip(Part::ALL) {
            assert_eq!(Part::named(name).unwrap(), part);
        }
        assert!(Part::named("all").is_err());
    }
}
