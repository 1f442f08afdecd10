//! Counting and reporting what passed and what failed.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How much of the reason of a failure is repeated at the end, where a log that is cut still shows it.
const LINES: usize = 12;
const COLUMNS: usize = 400;

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failed: Vec<Failure>,
    parts: Vec<(String, Duration)>,
}

/// What failed, and what is said of it again at the end.
#[derive(Debug, Clone)]
struct Failure {
    name: String,
    why: String,
}

impl Tally {
    /// Runs one part of the tests; an error that ends the part is one failure.
    pub fn part(&mut self, title: &str, run: impl FnOnce(&mut Self) -> Result<()>) {
        println!("\n== {title}");
        let start = Instant::now();
        if let Err(error) = run(self) {
            self.fail(title, format!("{error:#}"));
        }
        self.parts.push((title.to_owned(), start.elapsed()));
    }

    /// Notes the outcome of the test `name`.
    pub fn note(&mut self, name: &str, start: Instant, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.pass(format!("{name} ({} ms)", start.elapsed().as_millis())),
            Err(error) => self.fail(name, format!("{error:#}")),
        }
    }

    /// Notes that a test passed.
    pub fn pass(&mut self, name: impl Display) {
        println!("ok      {name}");
        self.passed += 1;
    }

    /// Notes that the test `name` failed, and why.
    pub fn fail(&mut self, name: &str, why: impl Display) {
        let why = why.to_string();
        println!("FAILED  {name}\n{}", indented(&why));
        let why =
            why.lines().take(LINES).map(|line| line.chars().take(COLUMNS).collect::<String>()).collect::<Vec<_>>();
        self.failed.push(Failure { name: name.to_owned(), why: why.join("\n") });
    }

    /// Adds what another test runner counted and showed.
    pub fn add(&mut self, name: &str, passed: usize, failed: usize) {
        self.passed += passed;
        let failure = Failure { name: name.to_owned(), why: String::new() };
        self.failed.extend(std::iter::repeat_n(failure, failed));
    }

    /// How many tests there were.
    pub fn count(&self) -> usize {
        self.passed + self.failed.len()
    }

    /// Whether anything failed.
    pub fn has_failures(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Prints how long each part took, what failed, and the closing line.
    pub fn close(&self) {
        println!();
        for (title, took) in &self.parts {
            println!("{:>7.1} s  {title}", took.as_secs_f64());
        }
        for Failure { name, why } in &self.failed {
            println!("FAILED  {name}\n{}", indented(why));
        }
        println!("\n{}", self.closing_line());
    }

    fn closing_line(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed.len())
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_part_that_ends_in_an_error_is_a_failure() {
        let mut tally = Tally::default();
        tally.part("one", |tally| {
            tally.pass("a");
            bail!("broken")
        });
        tally.add("two", 3, 1);
        assert_eq!(tally.closing_line(), "4 passed, 2 failed");
        assert!(tally.has_failures());
        assert_eq!(tally.count(), 6);
    }
}
