//! Locks that are kept to the end of the transaction, as those of ALTER are.

use crate::ffi::quiet;
use crate::ffi::raise::{self, Pending};
use crate::ffi::scan::CatalogScan;
use crate::ffi::server;
use crate::scene::Class;
use pgrx::pg_sys::{self, CommandId, HeapTuple, LOCKMODE, LockTupleMode, LockWaitPolicy, Oid, Relation, TM_Result};
use std::ffi::c_int;

// Declared here because pg_sys wraps each in a boundary that would lose fields of the errors that pass through.
unsafe extern "C-unwind" {
    fn LockDatabaseObject(catalog: Oid, object: Oid, sub_object: u16, mode: LOCKMODE);
    fn LockRelationOid(relation: Oid, mode: LOCKMODE);
    fn heap_lock_tuple(
        relation: Relation,
        tuple: HeapTuple,
        command: CommandId,
        mode: LockTupleMode::Type,
        wait_policy: LockWaitPolicy::Type,
        follow_updates: bool,
        buffer: *mut pg_sys::Buffer,
        failure: *mut pg_sys::TM_FailureData,
    ) -> TM_Result::Type;
}

/// What is locked by its oid, whether or not it is still there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lockable {
    /// An object. Nobody waits for it but who drops it and who takes the same lock.
    Object(Class, Oid),
    /// An object and its row in the catalog, for which everybody waits who changes it: PostgreSQL's own ALTER of what is no
    /// table locks nothing, and ends in an error if the row is not the one any more that it has read.
    Row(Class, Oid),
    /// As ALTER FOREIGN TABLE … OPTIONS locks it.
    Table(Oid),
}

/// Conflicts with itself and with DROP.
const OBJECT_MODE: LOCKMODE = pg_sys::ShareUpdateExclusiveLock as LOCKMODE;

/// What AlterTableGetLockLevel (tablecmds.c) gives for OPTIONS.
const TABLE_MODE: LOCKMODE = pg_sys::AccessExclusiveLock as LOCKMODE;

impl Lockable {
    /// What keeps others from changing the object.
    pub fn of(class: Class, oid: Oid) -> Self {
        if class == Class::Relation { Self::Table(oid) } else { Self::Row(class, oid) }
    }

    /// Waits for the lock; what others have committed until then shows afterwards.
    pub fn lock(self) -> Result<(), Pending> {
        // SAFETY: inside a transaction; the closures own nothing.
        unsafe {
            match self {
                Self::Object(class, oid) | Self::Row(class, oid) => {
                    raise::pending(|| LockDatabaseObject(class.catalog(), oid, 0, OBJECT_MODE))?;
                }
                Self::Table(oid) => raise::pending(|| LockRelationOid(oid, TABLE_MODE))?,
            }
        }
        if let Self::Row(class, oid) = self { lock_row(class, oid) } else { Ok(()) }
    }

    /// Gives one lock back; that of a row stays.
    pub fn unlock(self) {
        // SAFETY: `lock` took it.
        unsafe {
            match self {
                Self::Object(class, oid) | Self::Row(class, oid) => {
                    pg_sys::UnlockDatabaseObject(class.catalog(), oid, 0, OBJECT_MODE);
                }
                Self::Table(oid) => pg_sys::UnlockRelationOid(oid, TABLE_MODE),
            }
        }
    }
}

/// The index by oid.
fn index_of(class: Class) -> Oid {
    Oid::from(match class {
        Class::Wrapper => pg_sys::ForeignDataWrapperOidIndexId,
        Class::Server => pg_sys::ForeignServerOidIndexId,
        Class::UserMapping => pg_sys::UserMappingOidIndexId,
        Class::Relation => pg_sys::ClassOidIndexId,
    })
}

/// Locks the row as SELECT … FOR NO KEY UPDATE would; does nothing if it is gone.
fn lock_row(class: Class, oid: Oid) -> Result<(), Pending> {
    while let Some(place) = newest_place(class, oid) {
        if is_locked(class.catalog(), place)? {
            break;
        }
        server::check_for_interrupts();
    }
    server::accept_invalidation_messages();
    Ok(())
}

/// Where the newest version of the row stands that is committed or our own. A system cache may still show one that has been
/// removed from its page; this one nobody removes while the statement that asks has its snapshot, which is older.
fn newest_place(class: Class, oid: Oid) -> Option<pg_sys::ItemPointerData> {
    let mut place = None;
    let mut scan = CatalogScan::of_latest_by_index(class.catalog(), index_of(class), [(c"oid", oid)])?;
    scan.for_each_row(|row| place = Some(row.tuple_id()));
    place
}

/// Waits until nobody else changes that version of a row, and locks it unless somebody has.
fn is_locked(catalog: Oid, place: pg_sys::ItemPointerData) -> Result<bool, Pending> {
    let mut tuple = pg_sys::HeapTupleData { t_self: place, t_tableOid: catalog, ..Default::default() };
    let mut failure = pg_sys::TM_FailureData::default();
    let (mut buffer, mut result) = (0, TM_Result::TM_Invisible);
    // SAFETY: inside a transaction; the catalog is open, and the row was there a moment ago. The closure owns nothing, and
    // on an error PostgreSQL itself closes the catalog and lets go of the buffer.
    unsafe {
        let relation = pg_sys::table_open(catalog, pg_sys::RowExclusiveLock as c_int);
        raise::pending(|| {
            result = heap_lock_tuple(
                relation,
                &raw mut tuple,
                pg_sys::GetCurrentCommandId(true),
                LockTupleMode::LockTupleNoKeyExclusive,
                LockWaitPolicy::LockWaitBlock,
                false,
                &raw mut buffer,
                &raw mut failure,
            );
        })?;
        quiet::ReleaseBuffer(buffer);
        pg_sys::table_close(relation, pg_sys::NoLock as c_int);
    }
    Ok(result == TM_Result::TM_Ok)
}
