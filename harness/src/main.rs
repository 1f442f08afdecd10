//! The command line of the harness; `make help` names the ways in which it is used.

use std::process::ExitCode;

use anyhow::{Result, bail};
use fdw_guard_harness::bench;
use fdw_guard_harness::demo;
use fdw_guard_harness::forms;
use fdw_guard_harness::installation::Installation;
use fdw_guard_harness::package::{Package, Purpose};
use fdw_guard_harness::suites;
use fdw_guard_harness::testing::{self, Part};
use lexopt::prelude::*;

const USAGE: &str = "\
usage: fdw_guard_harness COMMAND

  test [--part rust|functions|regress|live]... [FILTER]
                  build, install into a private copy of PostgreSQL, run every test (or those named)
  regress [FILTER]
                  the same as test --part regress
  suites          run PostgreSQL's own suites of postgres_fdw and file_fdw over guarded wrappers
  bench [--count] build a release, and measure what fdw_guard costs beside the same server without it; with --count
                  valgrind counts instructions, which takes some minutes more
  bench many      measure only what is over all objects of a database, of which there are many
  bench durable   measure only what a change takes by the clock where commits are durable
  forms           print what the tests of the forms have come to, in every version that they were run with
  demo            start a private cluster and play the tour
  demo-stop       end it
  install         build a release and install it into PostgreSQL itself
  installcheck    run the pg_regress tests against the server that PGHOST and PGPORT name

PG_CONFIG names the pg_config of the PostgreSQL to use (default: the first in PATH).
";

fn main() -> ExitCode {
    match run(lexopt::Parser::from_env()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: lexopt::Parser) -> Result<bool> {
    let mut words = Vec::new();
    let mut parts = Vec::new();
    let mut count = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => words = vec!["help".to_owned()],
            Long("part") => parts.push(Part::named(&arguments.value()?.string()?)?),
            Long("count") => count = true,
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    dispatch(&words, &parts, count)
}

fn dispatch(words: &[String], parts: &[Part], count: bool) -> Result<bool> {
    let chosen = if parts.is_empty() { &Part::ALL } else { parts };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => testing::test(chosen, ""),
        ["test", filter] => testing::test(chosen, filter),
        ["regress"] => testing::test(&[Part::Regress], ""),
        ["regress", filter] => testing::test(&[Part::Regress], filter),
        ["suites"] => suites::run(),
        ["bench"] => bench::run(count),
        ["bench", "many"] => bench::run_many(),
        ["bench", "durable"] => bench::run_durable(),
        ["forms"] => forms::print(),
        ["demo"] => demo::start(),
        ["demo-stop"] => demo::stop().map(|()| true),
        ["install"] => install().map(|()| true),
        ["installcheck"] => testing::installcheck(),
        ["help"] => {
            print!("{USAGE}");
            Ok(true)
        }
        _ => bail!("what should be done?\n\n{USAGE}"),
    }
}

fn install() -> Result<()> {
    let installation = Installation::from_environment()?;
    Package::build(&installation, Purpose::Release)?.install(&installation)?;
    println!("installed for {}", installation.version);
    println!("add fdw_guard to shared_preload_libraries, restart, and run CREATE EXTENSION fdw_guard");
    Ok(())
}
