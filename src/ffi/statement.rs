//! Which statements can reach SQL/MED objects, from the kind of their parse tree alone.

use pgrx::pg_sys::{self, NodeTag};

/// Whether the statement is watched as one of its own.
///
/// Left out are statements that change no catalog and run no other statement, and the parts of a larger statement
/// (`PROCESS_UTILITY_SUBCOMMAND`: the column OPTIONS of CREATE FOREIGN TABLE, the elements of CREATE SCHEMA), which
/// belong to the statement that contains them. A kind that is not listed is watched: what a future PostgreSQL adds is
/// governed until somebody has looked at it.
///
/// # Safety
/// `statement` is the planned statement that PostgreSQL gave to the hook.
pub unsafe fn is_watched(statement: *const pg_sys::PlannedStmt, context: pg_sys::ProcessUtilityContext::Type) -> bool {
    if context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_SUBCOMMAND {
        return false;
    }
    // SAFETY: a utility statement's parse tree is a Node and begins with its tag.
    let tag = unsafe { (*(*statement).utilityStmt).type_ };
    !matches!(
        tag,
        NodeTag::T_TransactionStmt
            | NodeTag::T_VariableSetStmt
            | NodeTag::T_VariableShowStmt
            | NodeTag::T_DiscardStmt
            | NodeTag::T_LockStmt
            | NodeTag::T_ConstraintsSetStmt
            | NodeTag::T_CheckPointStmt
            | NodeTag::T_NotifyStmt
            | NodeTag::T_ListenStmt
            | NodeTag::T_UnlistenStmt
            | NodeTag::T_FetchStmt
            | NodeTag::T_ClosePortalStmt
            | NodeTag::T_PrepareStmt
            | NodeTag::T_DeallocateStmt
            | NodeTag::T_LoadStmt
    )
}
