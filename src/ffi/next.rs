//! Whoever stood in a hook variable of PostgreSQL's before us, and is called by our hook in its turn.

use std::cell::Cell;

/// The next function to be called, or None where a hook need not be followed by any.
pub struct Next<F>(Cell<F>);

// SAFETY: a backend has one thread, which alone installs hooks and calls them.
unsafe impl<F> Sync for Next<F> {}

impl<F: Copy> Next<F> {
    /// What is called if nobody stood there.
    pub const fn new(otherwise: F) -> Self {
        Self(Cell::new(otherwise))
    }

    pub fn set(&self, next: F) {
        self.0.set(next);
    }

    #[inline]
    pub fn get(&self) -> F {
        self.0.get()
    }
}

/// Puts our hook into the variable; says which stood there.
///
/// # Safety
/// The variable is PostgreSQL's for hooks of this type. To be called once in the life of a process.
pub unsafe fn put_in<F>(variable: *mut Option<F>, ours: F) -> Option<F> {
    // SAFETY: the caller's promise.
    unsafe { variable.replace(Some(ours)) }
}
