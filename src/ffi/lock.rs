//! Locks that are kept to the end of the transaction, as those of ALTER are.

use crate::ffi::raise::{self, Pending};
use pgrx::pg_sys::{self, LOCKMODE, Oid};

// Declared here because pg_sys wraps each in a boundary that would lose fields of the errors that pass through.
unsafe extern "C-unwind" {
    fn LockDatabaseObject(catalog: Oid, object: Oid, sub_object: u16, mode: LOCKMODE);
    fn LockRelationOid(relation: Oid, mode: LOCKMODE);
}

/// What is locked by its oid, whether or not it is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lockable {
    /// A row of a catalog. Nobody waits for it but who drops the object and who takes the same lock.
    Object { catalog: Oid, oid: Oid },
    /// As ALTER FOREIGN TABLE … OPTIONS locks it.
    Table(Oid),
}

/// Conflicts with itself and with DROP.
const OBJECT_MODE: LOCKMODE = pg_sys::ShareUpdateExclusiveLock as LOCKMODE;

/// What AlterTableGetLockLevel (tablecmds.c) gives for OPTIONS.
const TABLE_MODE: LOCKMODE = pg_sys::AccessExclusiveLock as LOCKMODE;

impl Lockable {
    /// Waits for the lock; what others have committed until then shows afterwards.
    pub fn lock(self) -> Result<(), Pending> {
        // SAFETY: inside a transaction; the closure owns nothing.
        unsafe {
            match self {
                Self::Object { catalog, oid } => raise::pending(|| LockDatabaseObject(catalog, oid, 0, OBJECT_MODE)),
                Self::Table(oid) => raise::pending(|| LockRelationOid(oid, TABLE_MODE)),
            }
        }
    }

    /// Gives one lock back.
    pub fn unlock(self) {
        // SAFETY: `lock` took it.
        unsafe {
            match self {
                Self::Object { catalog, oid } => pg_sys::UnlockDatabaseObject(catalog, oid, 0, OBJECT_MODE),
                Self::Table(oid) => pg_sys::UnlockRelationOid(oid, TABLE_MODE),
            }
        }
    }
}
