//! Functions of PostgreSQL's that raise no error, called as C calls them: pg_sys puts a boundary around each, which costs more
//! than most of these do.

use pgrx::pg_sys::{self, Oid, SubTransactionId, TimestampTz, TransactionId};
use std::ffi::{c_char, c_int, c_void};

unsafe extern "C-unwind" {
    pub fn ActiveSnapshotSet() -> bool;
    pub fn CreateCommandTag(statement: *mut pg_sys::Node) -> pg_sys::CommandTag::Type;
    pub fn GetCommandTagName(tag: pg_sys::CommandTag::Type) -> *const c_char;
    pub fn GetCurrentSubTransactionId() -> SubTransactionId;
    pub fn GetCurrentTimestamp() -> TimestampTz;
    pub fn GetSessionUserId() -> Oid;
    pub fn GetSystemIdentifier() -> u64;
    pub fn GetUserId() -> Oid;
    pub fn IsTransactionState() -> bool;
    pub fn MemoryContextDelete(context: pg_sys::MemoryContext);
    pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
    pub fn ReleaseSysCache(tuple: pg_sys::HeapTuple);
    /// Of a cache in which something has been looked for.
    pub fn SysCacheGetAttr(
        cache: c_int,
        tuple: pg_sys::HeapTuple,
        number: pg_sys::AttrNumber,
        is_null: *mut bool,
    ) -> pg_sys::Datum;
    pub fn TransactionIdIsCurrentTransactionId(transaction: TransactionId) -> bool;
    /// Of a tuple that has been allocated and is not freed yet.
    pub fn heap_freetuple(tuple: pg_sys::HeapTuple);
}

/// The elements of a list of pointers.
///
/// # Safety
/// `list` is null or a valid list of pointers, which outlives the answer.
pub unsafe fn elements<'a, T>(list: *const pg_sys::List) -> &'a [*mut T] {
    // SAFETY: the caller's promise; a cell of such a list is a pointer.
    unsafe {
        if list.is_null() {
            return &[];
        }
        const { assert!(size_of::<pg_sys::ListCell>() == size_of::<*mut c_void>()) };
        std::slice::from_raw_parts((*list).elements.cast(), usize::try_from((*list).length).unwrap_or_default())
    }
}
