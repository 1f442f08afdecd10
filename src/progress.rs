//! How far a long function has come, told where a DBA looks: pg_stat_activity.

use crate::ffi::client_text;
use std::time::{Duration, Instant};

/// How often the figure changes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Objects between two looks at the clock.
const STRIDE: usize = 64;

/// Objects looked at, of how many. After a second it stands before the statement's text, as a comment.
pub struct Progress {
    function: &'static str,
    done: usize,
    total: usize,
    next: Instant,
    is_shown: bool,
}

impl Progress {
    pub fn new(function: &'static str, total: usize) -> Self {
        Self { function, done: 0, total, next: Instant::now() + INTERVAL, is_shown: false }
    }

    /// One more object has been looked at.
    pub fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(STRIDE) && Instant::now() >= self.next {
            client_text::report_after(&format!("/* {}: {} of {} objects */ ", self.function, self.done, self.total));
            self.is_shown = true;
            self.next = Instant::now() + INTERVAL;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            client_text::report_after("");
        }
    }
}
