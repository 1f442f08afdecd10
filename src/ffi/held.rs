//! Locks: a table that nobody changes while it is read, and what a rollback leaves locked.

use crate::ffi::version;
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

/// Gives back the lock that a sequence is under once the transaction has touched it. PostgreSQL lets the transaction hold
/// it, and not the subtransaction (lock_and_open_sequence in sequence.c), and so no rollback of that frees it.
pub fn free_sequence(sequence: Oid) {
    let mode = pg_sys::RowExclusiveLock as c_int;
    // SAFETY: reads variables of the backend; the lock is looked for before it is given back, by the owner that holds it.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: sequence.to_u32(),
            locktag_field3: 0,
            locktag_field4: 0,
            locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
            locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
        };
        if version::holds_lock(&tag, mode) {
            let owner = pg_sys::CurrentResourceOwner;
            pg_sys::CurrentResourceOwner = pg_sys::TopTransactionResourceOwner;
            pg_sys::LockRelease(&raw const tag, mode, false);
            pg_sys::CurrentResourceOwner = owner;
        }
    }
}
