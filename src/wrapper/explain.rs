//! EXPLAIN of a guarded wrapper: what its delegate says, then the delegate itself and the user mapping in effect.
//!
//! PostgreSQL's calls go through plain frames that own nothing, so that the delegate's errors keep all their fields.

use crate::delegate;
use crate::error::Error;
use crate::ffi::{delegates, mappings, raise, text, version};
use crate::settings;
use crate::wrapper::entry::GetFdwRoutine;
use pgrx::pg_sys::{self, FdwRoutine, Oid};
use std::ffi::{c_char, c_int};
use std::ptr;

// Declared here because the frames that call it may be left by an error of PostgreSQL's.
unsafe extern "C-unwind" {
    fn ExplainPropertyText(label: *const c_char, value: *const c_char, state: *mut pg_sys::ExplainState);
}

/// A copy of the delegate's routine in which EXPLAIN is ours. The delegate's own may be static.
///
/// # Safety
/// The routine is one that a handler gave; the calling frame owns nothing.
pub unsafe fn with_our_explain(delegate: *const FdwRoutine) -> *mut FdwRoutine {
    // SAFETY: the caller's promise; palloc gives memory for one routine.
    unsafe {
        raise::guarded(|| {
            let copy = pg_sys::palloc(size_of::<FdwRoutine>()).cast::<FdwRoutine>();
            ptr::copy_nonoverlapping(delegate, copy, 1);
            (*copy).ExplainForeignScan = Some(explain_scan);
            (*copy).ExplainForeignModify = Some(explain_modification);
            (*copy).ExplainDirectModify = Some(explain_direct_modification);
            copy
        })
    }
}

unsafe extern "C-unwind" fn explain_scan(scan: *mut pg_sys::ForeignScanState, state: *mut pg_sys::ExplainState) {
    // SAFETY: PostgreSQL makes the call; this frame owns nothing.
    unsafe {
        let place = Place::of_scan(scan);
        if let Some(theirs) = (*place.routine()).ExplainForeignScan {
            theirs(scan, state);
        }
        place.explain(state);
    }
}

unsafe extern "C-unwind" fn explain_direct_modification(
    scan: *mut pg_sys::ForeignScanState,
    state: *mut pg_sys::ExplainState,
) {
    // SAFETY: PostgreSQL makes the call; this frame owns nothing.
    unsafe {
        let place = Place::of_scan(scan);
        if let Some(theirs) = (*place.routine()).ExplainDirectModify {
            theirs(scan, state);
        }
        place.explain(state);
    }
}

unsafe extern "C-unwind" fn explain_modification(
    modification: *mut pg_sys::ModifyTableState,
    result: *mut pg_sys::ResultRelInfo,
    private: *mut pg_sys::List,
    subplan: c_int,
    state: *mut pg_sys::ExplainState,
) {
    // SAFETY: PostgreSQL makes the call; this frame owns nothing.
    unsafe {
        let place = Place::of_modification(modification, result);
        if let Some(theirs) = (*place.routine()).ExplainForeignModify {
            theirs(modification, result, private, subplan, state);
        }
        place.explain(state);
    }
}

/// Where a node of a plan leads: which server, and for whom.
#[derive(Clone, Copy)]
struct Place {
    server: Oid,
    user: Oid,
}

impl Place {
    /// # Safety
    /// The scan is one that the executor has set up; the calling frame owns nothing.
    unsafe fn of_scan(scan: *mut pg_sys::ForeignScanState) -> Self {
        // SAFETY: the caller's promise; the plan of such a state is a ForeignScan.
        unsafe {
            raise::guarded(|| Self {
                server: (*(*scan).ss.ps.plan.cast::<pg_sys::ForeignScan>()).fs_server,
                user: version::user_of_scan(&*scan),
            })
        }
    }

    /// # Safety
    /// Both are of a running plan; the calling frame owns nothing.
    unsafe fn of_modification(modification: *mut pg_sys::ModifyTableState, result: *mut pg_sys::ResultRelInfo) -> Self {
        // SAFETY: the caller's promise; the target of a modification is an open relation.
        unsafe {
            raise::guarded(|| Self {
                server: pg_sys::GetForeignServerIdByRelId((*(*result).ri_RelationDesc).rd_id),
                user: version::user_of_modification(&*modification, result),
            })
        }
    }

    /// The routine of the delegate.
    ///
    /// # Safety
    /// The calling frame owns nothing.
    unsafe fn routine(self) -> *mut FdwRoutine {
        // SAFETY: the caller's promise.
        unsafe { GetFdwRoutine(raise::guarded_or_raise(|| self.handler())) }
    }

    /// The delegate's handler. The wrapper may have been unguarded since the plan began.
    fn handler(self) -> Result<Oid, Error> {
        let handler = delegates::wrapper_of_server(self.server).map_or(Oid::INVALID, |found| found.functions.handler);
        if delegates::is_ours(handler) { delegate::for_handler(handler) } else { Ok(handler) }
    }

    /// Adds what we have to say.
    ///
    /// # Safety
    /// The state is that of a running EXPLAIN; the calling frame owns nothing.
    unsafe fn explain(self, state: *mut pg_sys::ExplainState) {
        // SAFETY: the caller's promise; both values are null or C strings.
        unsafe {
            let (delegate, mapping) = raise::guarded(|| self.said().unwrap_or((ptr::null(), ptr::null())));
            if !delegate.is_null() {
                ExplainPropertyText(c"Delegate".as_ptr(), delegate, state);
                ExplainPropertyText(c"User Mapping".as_ptr(), mapping, state);
            }
        }
    }

    /// The delegate and the user mapping in effect, as C strings.
    fn said(self) -> Option<(*const c_char, *const c_char)> {
        if !settings::explain() {
            return None;
        }
        let wrapper = delegates::wrapper_of_server(self.server)?;
        let delegate = delegates::behind(wrapper.functions)?;
        let mapping = mappings::in_effect(self.server, self.user).to_string();
        Some((text::to_server(&delegate.name), text::to_server(&mapping)))
    }
}
