//! Memory of PostgreSQL's that is given back when its user goes out of scope.

use crate::ffi::{quiet, raising};
use pgrx::pg_sys;

/// A memory context of its own for whatever PostgreSQL allocates while this lives. Without it the look-ups for each of a
/// hundred thousand tables under one server would stay in the statement's context to its end.
pub struct Scratch {
    context: pg_sys::MemoryContext,
    outer: pg_sys::MemoryContext,
}

impl Scratch {
    pub fn new() -> Self {
        // SAFETY: the context is a child of the current one and deleted by Drop, or with its parent after an error that
        // no Rust frame sees.
        unsafe {
            let outer = pg_sys::CurrentMemoryContext;
            let context = raising::under_one_boundary(|| {
                raising::AllocSetContextCreateInternal(
                    outer,
                    c"fdw_guard".as_ptr(),
                    pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                    pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                    pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
                )
            });
            pg_sys::CurrentMemoryContext = context;
            Self { context, outer }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: the outer context outlives its child, and the child is deleted once.
        unsafe {
            pg_sys::CurrentMemoryContext = self.outer;
            quiet::MemoryContextDelete(self.context);
        }
    }
}
