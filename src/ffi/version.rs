//! Where PostgreSQL 15 to 18 differ.

use crate::ffi::scan::Row;
use crate::ffi::{quiet, raising};
use pgrx::pg_sys::{self, Oid};
use std::ffi::c_char;
use std::ptr;

/// The alignment of type aclitem, which 16 made larger.
pub const GRANT_ITEM_ALIGNMENT: u8 = if cfg!(feature = "pg15") { b'i' } else { b'd' };

/// Whether a grant gives rights, and whether it gives the right to grant them in turn (acl.h): the lower and the upper
/// half of the bits.
pub fn rights_of(item: &pg_sys::AclItem) -> (bool, bool) {
    let half = size_of::<pg_sys::AclMode>() * 4;
    let lower: pg_sys::AclMode = (1 << half) - 1;
    (item.ai_privs & lower != 0, item.ai_privs >> half != 0)
}

/// Whether a command of ALTER TABLE is SET EXPRESSION, which came with 17.
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub fn is_set_expression(_: pg_sys::AlterTableType::Type) -> bool {
    false
}

/// Whether a command of ALTER TABLE is SET EXPRESSION.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
pub fn is_set_expression(command: pg_sys::AlterTableType::Type) -> bool {
    command == pg_sys::AlterTableType::AT_SetExpression
}

/// Whether a partition's identity columns are those of the table above.
pub const fn partitions_share_identity() -> bool {
    !cfg!(any(feature = "pg15", feature = "pg16"))
}

/// Whether a constraint, a row of pg_constraint, is enforced; before 18 each is.
#[cfg(not(feature = "pg18"))]
pub fn is_enforced(_: &Row) -> bool {
    true
}

/// Whether a constraint, a row of pg_constraint, is enforced.
#[cfg(feature = "pg18")]
pub fn is_enforced(constraint: &Row) -> bool {
    constraint.boolean(c"conenforced")
}

/// The number of the file that an open relation has now. 16 renamed it.
///
/// # Safety
/// The relation is open.
pub unsafe fn file_of(relation: pg_sys::Relation) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(feature = "pg15")]
        let file = (*relation).rd_node.relNode;
        #[cfg(not(feature = "pg15"))]
        let file = (*relation).rd_locator.relNumber;
        file.to_u32()
    }
}

/// Whether this session holds exactly that lock. 17 gave the function an argument for stronger ones.
pub fn holds_lock(tag: &pg_sys::LOCKTAG, mode: i32) -> bool {
    // SAFETY: looks the session's own locks up.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        let holds = pg_sys::LockHeldByMe(tag, mode);
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        let holds = pg_sys::LockHeldByMe(tag, mode, false);
        holds
    }
}

/// Whether the role has USAGE on the server. 16 replaced the functions for each kind of object by one.
pub fn may_use_server(server: Oid, role: Oid) -> bool {
    let usage = pg_sys::AclMode::from(pg_sys::ACL_USAGE);
    // SAFETY: looks the server's grants up; the caller has found the server.
    unsafe {
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_foreign_server_aclcheck(server, role, usage);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(pg_sys::ForeignServerRelationId, server, role, usage);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Schema and name that a text like `schema."Name"` is made of; None if it has no schema. 16 gave the function an argument
/// for errors that are to be kept.
pub fn qualified_name(text: *const c_char) -> Option<(*const c_char, *const c_char)> {
    let (mut schema, mut name) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the text is a C string; what is no name is an error of PostgreSQL's.
    unsafe {
        #[cfg(feature = "pg15")]
        let names = pg_sys::stringToQualifiedNameList(text);
        #[cfg(not(feature = "pg15"))]
        let names = pg_sys::stringToQualifiedNameList(text, ptr::null_mut());
        pg_sys::DeconstructQualifiedName(names, &raw mut schema, &raw mut name);
    }
    (!schema.is_null()).then_some((schema.cast_const(), name.cast_const()))
}

/// The role whose user mapping a foreign scan uses, as postgres_fdw finds it (postgresBeginForeignScan). 16 put the role
/// into the plan; before it stood in the range table.
///
/// # Safety
/// `state` is a foreign scan that the executor has set up.
pub unsafe fn user_of_scan(state: &pg_sys::ForeignScanState) -> Oid {
    // SAFETY: the caller's promise; the plan of such a state is a ForeignScan.
    let user = unsafe {
        let plan = &*state.ss.ps.plan.cast::<pg_sys::ForeignScan>();
        #[cfg(feature = "pg15")]
        {
            let relation = match plan.scan.scanrelid {
                0 => pg_sys::bms_next_member(plan.fs_relids, -1) as pg_sys::Index,
                relation => relation,
            };
            (*pg_sys::exec_rt_fetch(relation, state.ss.ps.state)).checkAsUser
        }
        #[cfg(not(feature = "pg15"))]
        plan.checkAsUser
    };
    or_current_user(user)
}

/// The role whose user mapping a modification of a foreign table uses (postgresBeginForeignModify).
///
/// # Safety
/// Both are of a running plan.
pub unsafe fn user_of_modification(state: &pg_sys::ModifyTableState, result: *mut pg_sys::ResultRelInfo) -> Oid {
    // SAFETY: the caller's promise.
    let user = unsafe {
        #[cfg(feature = "pg15")]
        {
            (*pg_sys::exec_rt_fetch((*result).ri_RangeTableIndex, state.ps.state)).checkAsUser
        }
        #[cfg(not(feature = "pg15"))]
        pg_sys::ExecGetResultRelCheckAsUser(result, state.ps.state)
    };
    or_current_user(user)
}

fn or_current_user(user: Oid) -> Oid {
    // SAFETY: reads a variable of the backend.
    if user == Oid::INVALID { unsafe { quiet::GetUserId() } } else { user }
}

/// Enters a new row into every index of its table. 16 gave the function an argument for updates.
///
/// # Safety
/// `result` has its indexes open, and the row in the slot has just been written. An error leaves by siglongjmp.
pub unsafe fn insert_index_tuples(
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    state: *mut pg_sys::EState,
) {
    let (no, nobody, none) = (false, ptr::null_mut(), ptr::null_mut());
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(feature = "pg15")]
        raising::ExecInsertIndexTuples(result, slot, state, no, no, nobody, none);
        #[cfg(not(feature = "pg15"))]
        raising::ExecInsertIndexTuples(result, slot, state, no, no, nobody, none, no);
    }
}

/// The columns of a row's descriptor, one after the other. 18 moved them.
///
/// # Safety
/// The descriptor is valid.
pub unsafe fn columns_of<'a>(descriptor: pg_sys::TupleDesc) -> &'a [pg_sys::FormData_pg_attribute] {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        let first = (*descriptor).attrs.as_ptr();
        #[cfg(feature = "pg18")]
        let first = pg_sys::TupleDescAttr(descriptor, 0).cast_const();
        std::slice::from_raw_parts(first, usize::try_from((*descriptor).natts).unwrap_or_default())
    }
}

/// What pg_stat_activity shows of the running statement beside its text. 18 added the plan's.
#[derive(Clone, Copy)]
pub struct StatementIds {
    query: Identifier,
    #[cfg(feature = "pg18")]
    plan: Identifier,
}

#[cfg(not(feature = "pg18"))]
type Identifier = u64;
#[cfg(feature = "pg18")]
type Identifier = i64;

// Declared here because pg_sys wraps them in a boundary that is no place to be in while an error is reported.
unsafe extern "C-unwind" {
    fn pgstat_get_my_query_id() -> Identifier;
    fn pgstat_report_query_id(identifier: Identifier, force: bool);
    #[cfg(feature = "pg18")]
    fn pgstat_get_my_plan_id() -> Identifier;
    #[cfg(feature = "pg18")]
    fn pgstat_report_plan_id(identifier: Identifier, force: bool);
}

/// The identifiers of the running statement.
pub fn statement_ids() -> StatementIds {
    // SAFETY: reads this backend's own shared memory.
    unsafe {
        StatementIds {
            query: pgstat_get_my_query_id(),
            #[cfg(feature = "pg18")]
            plan: pgstat_get_my_plan_id(),
        }
    }
}

/// Puts back what reporting a text has cleared.
pub fn report_statement_ids(ids: StatementIds) {
    // SAFETY: writes this backend's own shared memory.
    unsafe {
        pgstat_report_query_id(ids.query, true);
        #[cfg(feature = "pg18")]
        pgstat_report_plan_id(ids.plan, true);
    }
}

// libpq/scram.h, which pgrx does not bind.
#[cfg(not(feature = "pg15"))]
unsafe extern "C" {
    static mut scram_sha_256_iterations: std::ffi::c_int;
}

/// How many iterations a verifier takes that is made while this lives. 16 made a setting of it, which every user may
/// change; before it was a constant.
pub struct ScramIterations {
    #[cfg(not(feature = "pg15"))]
    outside: i32,
}

impl ScramIterations {
    /// 15 takes as many as its constant says, 4096.
    #[cfg(feature = "pg15")]
    pub fn set(_: i32) -> Self {
        Self {}
    }

    #[cfg(not(feature = "pg15"))]
    pub fn set(iterations: i32) -> Self {
        // SAFETY: a variable of this single-threaded process, which Drop gives its value back.
        unsafe {
            let outside = scram_sha_256_iterations;
            scram_sha_256_iterations = iterations;
            Self { outside }
        }
    }
}

impl Drop for ScramIterations {
    fn drop(&mut self) {
        #[cfg(not(feature = "pg15"))]
        // SAFETY: as for `set`.
        unsafe {
            scram_sha_256_iterations = self.outside;
        }
    }
}
