//! The two functions that PostgreSQL calls for a guarded wrapper.
//!
//! Both are plain frames that own nothing: an error of the delegate's passes through with all its fields.

use crate::delegate;
use crate::error::Error;
use crate::ffi::{raise, tuple};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};
use std::ptr;

// Declared here because pg_sys wraps them in a boundary that would lose fields of the delegate's errors.
unsafe extern "C-unwind" {
    fn OidFunctionCall2Coll(function: Oid, collation: Oid, first: Datum, second: Datum) -> Datum;
    fn GetFdwRoutine(handler: Oid) -> *mut pg_sys::FdwRoutine;
}

/// The handler: the delegate's own routine. Planner and executor then call the delegate as if nobody stood before it.
///
/// # Safety
/// PostgreSQL makes the call.
pub unsafe fn handler(info: FunctionCallInfo) -> Datum {
    // SAFETY: the caller's promise; this frame owns nothing.
    unsafe { Datum::from(GetFdwRoutine(delegate_of(info, delegate::for_handler))) }
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
        let validator = delegate_of(info, |function| match delegate::for_validator(function) {
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

/// The delegate's function, or the error that says why there is none.
///
/// # Safety
/// PostgreSQL makes the call, and the calling frame owns nothing.
unsafe fn delegate_of(info: FunctionCallInfo, find: impl FnOnce(Oid) -> Result<Oid, Error>) -> Oid {
    // SAFETY: the caller's promise.
    unsafe {
        let (function, report) = raise::guarded(|| match find((*(*info).flinfo).fn_oid) {
            Ok(function) => (function, ptr::null()),
            Err(error) => (Oid::INVALID, raise::in_postgres_memory(&[error.into()])),
        });
        raise::raise(report);
        function
    }
}
