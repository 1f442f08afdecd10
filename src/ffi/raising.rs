//! Functions of PostgreSQL's that may raise an error, called as C calls them, several under one boundary: pg_sys puts one
//! around each, which costs more than many of these do.

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{c_char, c_int};

unsafe extern "C-unwind" {
    pub fn CreateExecutorState() -> *mut pg_sys::EState;
    pub fn ExecCloseIndices(result: *mut pg_sys::ResultRelInfo);
    pub fn ExecDropSingleTupleTableSlot(slot: *mut pg_sys::TupleTableSlot);
    /// Since 16 it may be told to fill summarizing indexes only.
    pub fn ExecInsertIndexTuples(
        result: *mut pg_sys::ResultRelInfo,
        slot: *mut pg_sys::TupleTableSlot,
        state: *mut pg_sys::EState,
        is_update: bool,
        no_duplicate_error: bool,
        conflict: *mut bool,
        arbiters: *mut pg_sys::List,
        #[cfg(not(feature = "pg15"))] summarizing_only: bool,
    ) -> *mut pg_sys::List;
    pub fn ExecOpenIndices(result: *mut pg_sys::ResultRelInfo, speculative: bool);
    pub fn ExecStoreVirtualTuple(slot: *mut pg_sys::TupleTableSlot) -> *mut pg_sys::TupleTableSlot;
    pub fn FreeExecutorState(state: *mut pg_sys::EState);
    pub fn InitResultRelInfo(
        result: *mut pg_sys::ResultRelInfo,
        relation: pg_sys::Relation,
        range_table_index: pg_sys::Index,
        partition_root: *mut pg_sys::ResultRelInfo,
        options: c_int,
    );
    pub fn deconstruct_array(
        array: *mut pg_sys::ArrayType,
        element_type: Oid,
        length: c_int,
        by_value: bool,
        alignment: c_char,
        elements: *mut *mut Datum,
        nulls: *mut *mut bool,
        count: *mut c_int,
    );
    pub fn heap_copytuple(tuple: pg_sys::HeapTuple) -> pg_sys::HeapTuple;
    pub fn heap_fetch(
        relation: pg_sys::Relation,
        snapshot: pg_sys::Snapshot,
        tuple: pg_sys::HeapTuple,
        buffer: *mut pg_sys::Buffer,
        keep_buffer: bool,
    ) -> bool;
    pub fn palloc0(size: usize) -> *mut std::ffi::c_void;
    pub fn pg_detoast_datum(datum: *mut pg_sys::varlena) -> *mut pg_sys::varlena;
    pub fn simple_table_tuple_insert(relation: pg_sys::Relation, slot: *mut pg_sys::TupleTableSlot);
    pub fn table_close(relation: pg_sys::Relation, lock: pg_sys::LOCKMODE);
    pub fn table_open(relation: Oid, lock: pg_sys::LOCKMODE) -> pg_sys::Relation;
    pub fn table_slot_create(relation: pg_sys::Relation, list: *mut *mut pg_sys::List) -> *mut pg_sys::TupleTableSlot;
}

/// Calls several of these under one boundary.
///
/// # Safety
/// `act` calls them as C may, and no frame within it owns anything when one is called: an error leaves it by siglongjmp.
pub unsafe fn under_one_boundary<T>(act: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise; PostgreSQL runs in one thread.
    unsafe { pg_guard_ffi_boundary(act) }
}
