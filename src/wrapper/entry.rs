//! The two functions that PostgreSQL calls for a guarded wrapper.
//!
//! Both are plain frames that own nothing: an error of the delegate's passes through with all its fields.

use crate::delegate;
use crate::error::Error;
use crate::ffi::{raise, tuple};
use crate::guard;
use crate::wrapper::explain;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};

// Declared here because pg_sys wraps them in a boundary that would lose fields of the delegate's errors.
unsafe extern "C-unwind" {
    fn OidFunctionCall2Coll(function: Oid, collation: Oid, first: Datum, second: Datum) -> Datum;
    fn GetFdwRoutine(handler: Oid) -> *mut pg_sys::FdwRoutine;
}

/// The handler: the delegate's own routine, but for EXPLAIN. Planner and executor then call the delegate as if nobody stood
/// before it.
///
/// # Safety
/// PostgreSQL makes the call.
pub unsafe fn handler(info: FunctionCallInfo) -> Datum {
    // SAFETY: the caller's promise; this frame owns nothing.
    unsafe {
        let handler = raise::guarded_or_raise(|| delegate::for_handler(called(info)));
        Datum::from(explain::with_our_explain(GetFdwRoutine(handler)))
    }
}

/// The validator: the delegate's own, if it has one. That the library is loaded by this call is what makes rules hold
/// where it is preloaded nowhere: the statement's change is seen, and judged before commit.
///
/// # Safety
/// PostgreSQL makes the call, with the arguments that its declaration names.
pub unsafe fn validator(info: FunctionCallInfo) -> Datum {
    // SAFETY: the caller's promise; a validator has two arguments and is strict in none that PostgreSQL passes.
    unsafe {
        let [options, catalog] = (*info).args.as_slice(2) else { return Datum::null() };
        if Oid::from(catalog.value.value() as u32) == pg_sys::ForeignTableRelationId {
            raise::guarded(guard::note_unfinished_table);
        }
        let validator = raise::guarded_or_raise(|| match delegate::for_validator(called(info)) {
            // CREATE EXTENSION makes a guarded wrapper where its delegate may be missing; there is nothing to validate.
            Err(Error::DelegateMissing { .. }) if tuple::text_array(options.value).is_empty() => Ok(Oid::INVALID),
            found => found,
        });
        if validator == Oid::INVALID {
            return Datum::null();
        }
        OidFunctionCall2Coll(validator, Oid::INVALID, options.value, catalog.value)
    }
}

/// The function of ours that PostgreSQL calls.
///
/// # Safety
/// PostgreSQL makes the call.
unsafe fn called(info: FunctionCallInfo) -> Oid {
    // SAFETY: the caller's promise.
    unsafe { (*(*info).flinfo).fn_oid }
}
