//! Functions of PostgreSQL's that may raise an error, called as C calls them, several under one boundary: pg_sys puts one
//! around each, which costs more than many of these do.

use crate::ffi::through::through;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{c_char, c_int};

unsafe extern "C-unwind" {
    pub fn AcceptInvalidationMessages();
    pub fn AllocSetContextCreateInternal(
        parent: pg_sys::MemoryContext,
        name: *const c_char,
        least: usize,
        first_block: usize,
        largest_block: usize,
    ) -> pg_sys::MemoryContext;
    pub fn CommandCounterIncrement();
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
    pub fn GetTopFullTransactionId() -> pg_sys::FullTransactionId;
    pub fn InitResultRelInfo(
        result: *mut pg_sys::ResultRelInfo,
        relation: pg_sys::Relation,
        range_table_index: pg_sys::Index,
        partition_root: *mut pg_sys::ResultRelInfo,
        options: c_int,
    );
    pub fn RangeVarGetRelidExtended(
        relation: *const pg_sys::RangeVar,
        lock: pg_sys::LOCKMODE,
        flags: u32,
        callback: pg_sys::RangeVarGetRelidCallback,
        argument: *mut std::ffi::c_void,
    ) -> Oid;
    pub fn RelationClose(relation: pg_sys::Relation);
    pub fn RelationIdGetRelation(relation: Oid) -> pg_sys::Relation;
    pub fn SearchSysCache1(cache: c_int, key: Datum) -> pg_sys::HeapTuple;
    pub fn SearchSysCache2(cache: c_int, first: Datum, second: Datum) -> pg_sys::HeapTuple;
    pub fn SearchSysCache3(cache: c_int, first: Datum, second: Datum, third: Datum) -> pg_sys::HeapTuple;
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
    pub fn get_foreign_server_oid(name: *const c_char, missing_ok: bool) -> Oid;
    pub fn get_rolespec_oid(role: *const pg_sys::RoleSpec, missing_ok: bool) -> Oid;
    pub fn get_rel_relkind(relation: Oid) -> c_char;
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
    pub fn try_table_open(relation: Oid, lock: pg_sys::LOCKMODE) -> pg_sys::Relation;
}

/// Calls several of these under one boundary.
///
/// # Safety
/// `act` calls them as C may, and no frame within it owns anything when one is called: an error leaves it by siglongjmp.
pub unsafe fn under_one_boundary<T>(act: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise; it is called once, or an error leaves it.
    unsafe { through(run_under_boundary, act) }
}

/// # Safety
/// As for [`under_one_boundary`].
#[inline(never)]
unsafe fn run_under_boundary(act: &mut dyn FnMut()) {
    // SAFETY: the caller's promise; PostgreSQL runs in one thread.
    unsafe { pg_guard_ffi_boundary(act) }
}
