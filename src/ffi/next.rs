//! Whoever stood in a hook variable of PostgreSQL's before us, and is called by our hook in its turn.

use std::cell::Cell;

/// What our hook has found in its variable.
pub struct Next<F>(Cell<Option<F>>);

// SAFETY: a backend has one thread, which alone installs hooks and calls them.
unsafe impl<F> Sync for Next<F> {}

impl<F: Copy> Next<F> {
    pub const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Puts our hook in front of those that are there. To be called once in the life of a process.
    ///
    /// # Safety
    /// `variable` is the one of PostgreSQL's for hooks of this type.
    pub unsafe fn install(&self, variable: *mut Option<F>, ours: F) {
        // SAFETY: the caller's promise.
        self.0.set(unsafe { variable.replace(Some(ours)) });
    }

    /// The hook that was there, if any.
    pub fn get(&self) -> Option<F> {
        self.0.get()
    }
}
