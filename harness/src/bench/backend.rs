//! One server process, and what statements cost it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::sample::Cost;
use crate::command;
use crate::database::Database;

/// How long perf takes to begin counting.
const ATTACHING: Duration = Duration::from_millis(300);

const EVENT: &str = "instructions:u";

/// A connection and the process behind it.
pub struct Backend {
    client: Client,
    process: u32,
    /// Statements that have run, so that no two are the same.
    run: usize,
}

impl Backend {
    /// # Errors
    /// When the server refuses.
    pub fn connect(database: &Database<'_>) -> Result<Self> {
        let mut client = database.connect()?;
        // A scan under valgrind takes its time.
        client.batch_execute("SET statement_timeout = 0")?;
        let process: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        Ok(Self { client, process: process.try_into()?, run: 0 })
    }

    /// The number of the process.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Runs `statements` in turn, `count` in all.
    ///
    /// # Errors
    /// When one fails.
    pub fn run(&mut self, statements: &[&str], count: usize) -> Result<Cost> {
        let (processor, wall) = (processor_seconds(self.process)?, Instant::now());
        for statement in statements.iter().cycle().take(count.next_multiple_of(statements.len())) {
            self.run += 1;
            self.client.batch_execute(&statement.replace("{n}", &(self.run % 100_000).to_string()))?;
        }
        let wall = wall.elapsed().as_secs_f64();
        Ok(Cost { wall, processor: processor_seconds(self.process)? - processor, statements: count })
    }

    /// The instructions of user space that one statement takes.
    ///
    /// # Errors
    /// When a statement or perf fails.
    pub fn instructions(&mut self, statements: &[&str], count: usize) -> Result<f64> {
        let perf = perf(EVENT, self.process)?;
        sleep(ATTACHING);
        self.run(statements, count)?;
        let counted = count_of(&interrupted(perf)?).context("perf counted no instructions")?;
        Ok(counted / count as f64)
    }
}

/// Whether this machine lets perf count instructions; virtual ones often do not.
pub fn counts_instructions() -> bool {
    let mut command = Command::new("perf");
    command.args(["stat", "-x,", "-e", EVENT, "--", "true"]).stdout(Stdio::null());
    command.output().is_ok_and(|output| count_of(&String::from_utf8_lossy(&output.stderr)).is_some())
}

fn perf(event: &str, process: u32) -> Result<Child> {
    let mut command = Command::new("perf");
    command.args(["stat", "-x,", "-e", event, "-p", &process.to_string()]).stderr(Stdio::piped());
    command.spawn().context("cannot run perf")
}

/// What perf says when it is told to stop.
fn interrupted(perf: Child) -> Result<String> {
    command::interrupt(&perf.id().to_string())?;
    Ok(String::from_utf8_lossy(&perf.wait_with_output()?.stderr).into_owned())
}

/// The count of `perf stat -x,`: the first field of the event's line, words where nothing was counted.
fn count_of(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.split(',').next()?.parse().ok()).filter(|count| *count > 0.0)
}

/// The time that the process has had a processor, from the scheduler's own account in nanoseconds.
///
/// # Errors
/// When there is no account of the process.
pub fn processor_seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/schedstat");
    let account = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let nanoseconds: f64 = account.split_whitespace().next().unwrap_or_default().parse()?;
    ensure!(nanoseconds > 0.0, "{path} has no account of processor time");
    Ok(nanoseconds / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_perf_writes_them() {
        assert_eq!(count_of("123456,,instructions:u,1000,100.00,,\n"), Some(123_456.0));
        assert_eq!(count_of("# a comment\n12,,instructions:u,1000,100.00,,\n"), Some(12.0));
        assert_eq!(count_of("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(count_of("<not counted>,,instructions:u,0,100.00,,\n"), None);
    }

    #[test]
    fn the_account_of_a_process_grows() {
        let before = processor_seconds(std::process::id()).unwrap();
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {}
        assert!(processor_seconds(std::process::id()).unwrap() > before);
    }
}
