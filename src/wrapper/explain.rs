//! EXPLAIN of a guarded wrapper: what its delegate says, then the delegate itself and the user mapping in effect.
//!
//! PostgreSQL's calls go through plain frames that own nothing, so that the delegate's errors keep all their fields.

use crate::ffi::{delegates, mappings, raise, text, version};
use crate::settings;
use pgrx::pg_sys::{self, FdwRoutine, Oid};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_char, c_int};
use std::ptr;

// Declared here because the frames that call it may be left by an error of PostgreSQL's.
unsafe extern "C-unwind" {
    fn ExplainPropertyText(label: *const c_char, value: *const c_char, state: *mut pg_sys::ExplainState);
}

/// What the delegate has to say of each kind of node.
#[derive(Clone, Copy, Default)]
struct Theirs {
    scan: pg_sys::ExplainForeignScan_function,
    modification: pg_sys::ExplainForeignModify_function,
    direct_modification: pg_sys::ExplainDirectModify_function,
}

/// A routine without its tag: one pointer after the other.
type Pointers = [usize; size_of::<FdwRoutine>() / size_of::<usize>() - 1];

thread_local! {
    /// Of each routine that this session was given in place of a delegate's, what that delegate's said. A node of a plan has
    /// a copy of the routine that works for it; what the catalogs say by then may be about another delegate.
    static SAID: RefCell<HashMap<Pointers, Theirs>> = RefCell::default();
}

impl Theirs {
    /// What the delegate says whose work the routine does.
    ///
    /// # Safety
    /// The routine is a copy of one that [`with_our_explain`] made.
    unsafe fn of(routine: *const FdwRoutine) -> Self {
        // SAFETY: the caller's promise.
        let pointers = unsafe { pointers(routine) };
        SAID.with_borrow(|said| said.get(&pointers).copied().unwrap_or_default())
    }
}

/// # Safety
/// The routine is a valid one.
unsafe fn pointers(routine: *const FdwRoutine) -> Pointers {
    // SAFETY: after the tag, which the first pointer's alignment fills up to one word, there is nothing but pointers.
    unsafe { routine.cast::<usize>().add(1).cast::<Pointers>().read() }
}

/// A copy of the delegate's routine in which EXPLAIN is ours. The delegate's own may be static.
///
/// # Safety
/// The routine is one that a handler gave; the calling frame owns nothing.
pub unsafe fn with_our_explain(delegate: *const FdwRoutine) -> *mut FdwRoutine {
    // SAFETY: the caller's promise; palloc gives memory for one routine.
    unsafe {
        raise::guarded(|| {
            let theirs = Theirs {
                scan: (*delegate).ExplainForeignScan,
                modification: (*delegate).ExplainForeignModify,
                direct_modification: (*delegate).ExplainDirectModify,
            };
            let copy = pg_sys::palloc(size_of::<FdwRoutine>()).cast::<FdwRoutine>();
            ptr::copy_nonoverlapping(delegate, copy, 1);
            (*copy).ExplainForeignScan = Some(explain_scan);
            (*copy).ExplainForeignModify = Some(explain_modification);
            (*copy).ExplainDirectModify = Some(explain_direct_modification);
            SAID.with_borrow_mut(|said| said.insert(pointers(copy), theirs));
            copy
        })
    }
}

unsafe extern "C-unwind" fn explain_scan(scan: *mut pg_sys::ForeignScanState, state: *mut pg_sys::ExplainState) {
    // SAFETY: PostgreSQL makes the call; this frame owns nothing.
    unsafe {
        if let Some(theirs) = raise::guarded(|| Theirs::of((*scan).fdwroutine)).scan {
            theirs(scan, state);
        }
        Place::of_scan(scan).explain(state);
    }
}

unsafe extern "C-unwind" fn explain_direct_modification(
    scan: *mut pg_sys::ForeignScanState,
    state: *mut pg_sys::ExplainState,
) {
    // SAFETY: PostgreSQL makes the call; this frame owns nothing.
    unsafe {
        if let Some(theirs) = raise::guarded(|| Theirs::of((*scan).fdwroutine)).direct_modification {
            theirs(scan, state);
        }
        Place::of_scan(scan).explain(state);
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
        if let Some(theirs) = raise::guarded(|| Theirs::of((*result).ri_FdwRoutine)).modification {
            theirs(modification, result, private, subplan, state);
        }
        Place::of_modification(modification, result).explain(state);
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
