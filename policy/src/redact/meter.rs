//! How long a text may be looked at: in proportion to its length, and no longer when nobody waits for the answer.

use std::cell::Cell;

/// Bytes that may be read for each byte of a text: it is read once for each level of literals, and a little ahead.
const MOST: usize = 200;

/// Bytes that any text may cost.
const LEAST: usize = 1 << 16;

/// Bytes between two questions whether to stop.
const BETWEEN: usize = 1 << 20;

/// Why a look has come to its end before that of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The text is made to be read again and again.
    Spent,
    /// Nobody waits any more.
    Stopped,
}

/// What a look at one text has cost.
#[derive(Debug)]
pub struct Meter {
    left: Cell<usize>,
    until_asked: Cell<usize>,
    must_stop: fn() -> bool,
    halt: Cell<Option<Halt>>,
}

impl Meter {
    pub fn new(length: usize, must_stop: fn() -> bool) -> Self {
        let left = Cell::new(length.saturating_mul(MOST).saturating_add(LEAST));
        Self { left, until_asked: Cell::new(BETWEEN), must_stop, halt: Cell::new(None) }
    }

    /// Counts bytes that have been read.
    pub fn spend(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(bytes));
        self.until_asked.set(self.until_asked.get().saturating_sub(bytes));
        if self.left.get() == 0 {
            self.halt.set(self.halt.get().or(Some(Halt::Spent)));
        }
        if self.until_asked.get() == 0 {
            self.until_asked.set(BETWEEN);
            if (self.must_stop)() {
                self.halt.set(Some(Halt::Stopped));
            }
        }
    }

    pub fn halt(&self) -> Option<Halt> {
        self.halt.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_in_proportion_to_length() {
        let meter = Meter::new(10, || false);
        meter.spend(10 * MOST + LEAST - 1);
        assert_eq!(meter.halt(), None);
        meter.spend(1);
        assert_eq!(meter.halt(), Some(Halt::Spent));
    }

    #[test]
    fn who_does_not_wait_is_asked_after_a_megabyte() {
        let meter = Meter::new(10 << 20, || true);
        meter.spend(BETWEEN - 1);
        assert_eq!(meter.halt(), None);
        meter.spend(1);
        assert_eq!(meter.halt(), Some(Halt::Stopped));
    }
}
