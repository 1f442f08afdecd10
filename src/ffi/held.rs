//! A table that nobody changes while it is read.

use pgrx::pg_sys::{self, Oid};
use std::ffi::c_int;

/// The weakest lock on a relation, which need not exist any more. PostgreSQL itself reads expressions under one.
pub struct Held(Oid);

impl Held {
    pub fn new(relation: Oid) -> Self {
        // SAFETY: inside a transaction; an oid is locked whether or not it is that of a relation.
        unsafe { pg_sys::LockRelationOid(relation, pg_sys::AccessShareLock as c_int) };
        Self(relation)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: `new` took the lock; others on the same relation stay.
        unsafe { pg_sys::UnlockRelationOid(self.0, pg_sys::AccessShareLock as c_int) }
    }
}
