//! PostgreSQL's way to run a utility statement, past the hooks and without them.

use pgrx::pg_sys;
use std::ffi::c_char;
use std::ptr;

// Declared here because pg_sys wraps each in a boundary that would lose fields of the errors that pass through.
unsafe extern "C-unwind" {
    /// Runs the statement, hooks first.
    fn ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query_string: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        query_environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );

    /// What stands behind the last hook.
    pub fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query_string: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        query_environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// Runs a statement of the text as a function would.
///
/// # Safety
/// The statement was made of the text, both live until it has run, a snapshot is active, and the calling frame owns nothing.
pub unsafe fn run(statement: *mut pg_sys::PlannedStmt, text: *const c_char) {
    // SAFETY: the caller's promise; without parameters and a receiver of rows null stands in their place.
    unsafe {
        ProcessUtility(
            statement,
            text,
            false,
            pg_sys::ProcessUtilityContext::PROCESS_UTILITY_QUERY,
            ptr::null_mut(),
            ptr::null_mut(),
            pg_sys::None_Receiver,
            ptr::null_mut(),
        );
    }
}
