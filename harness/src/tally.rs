//! Counting and reporting what passed and what failed.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failed: Vec<String>,
    parts: Vec<(String, Duration)>,
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
        println!("FAILED  {name}\n{}", indented(&why.to_string()));
        self.failed.push(name.to_owned());
    }

    /// Adds what another test runner counted and showed.
    pub fn add(&mut self, name: &str, passed: usize, failed: usize) {
        self.passed += passed;
        self.failed.extend(std::iter::repeat_n(name.to_owned(), failed));
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
        for name in &self.failed {
            println!("FAILED  {name}");
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
