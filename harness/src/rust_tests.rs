//! The tests that need no server: those of the crates that do not use pgrx.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::project;
use crate::tally::Tally;

/// Runs `cargo test` for the policy and harness crates.
///
/// # Errors
/// When they do not build, or a test fails.
pub fn run(tally: &mut Tally, filter: &str) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--package", "fdw_guard_policy", "--package", "fdw_guard_harness", "--no-fail-fast"]);
    cargo.args((!filter.is_empty()).then_some(filter)).current_dir(project::root()).stdin(Stdio::null());
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let (mut passed, mut failed) = (0, 0);
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        let (more, wrong) = counts(&line).unwrap_or_default();
        (passed, failed) = (passed + more, failed + wrong);
    }
    tally.add("cargo test", passed, failed);
    let status = child.wait()?;
    ensure!(status.success() || failed > 0, "cargo test: {status}");
    Ok(())
}

/// What libtest's closing line counts: `test result: ok. 4 passed; 0 failed; …`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = counts.split("; ").map(|part| part.split(' ').next().and_then(|number| number.parse().ok()));
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        assert_eq!(counts("test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured"), Some((4, 0)));
        assert_eq!(counts("test result: FAILED. 3 passed; 2 failed; 0 ignored"), Some((3, 2)));
        assert_eq!(counts("test a ... ok"), None);
    }
}
