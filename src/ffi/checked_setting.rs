//! Text settings that are looked at before they hold: PostgreSQL asks whether a value will do, then says that it holds.

use crate::ffi::raise::{self, Report};
use crate::ffi::text;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// The two functions that PostgreSQL calls for a setting; made by [`hooks!`].
#[derive(Clone, Copy)]
pub struct Hooks {
    pub check: pg_sys::GucStringCheckHook,
    pub assign: pg_sys::GucStringAssignHook,
}

/// Makes the setting known to PostgreSQL; only a superuser sees its value.
pub fn define(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<Option<CString>>,
    context: GucContext,
    hooks: Hooks,
) {
    // SAFETY: the hooks are made by `hooks!` and so guarded against panics.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            name,
            short,
            long,
            setting,
            context,
            GucFlags::SUPERUSER_ONLY,
            hooks.check,
            hooks.assign,
            None,
        );
    }
}

/// Has PostgreSQL refuse settings with that prefix that nobody defined.
pub fn reserve_prefix(prefix: &'static CStr) {
    // SAFETY: PostgreSQL copies the name.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) }
}

/// Why a value will not do.
pub enum No {
    /// PostgreSQL refuses the value with this DETAIL and keeps the one it has.
    Refused(String),
    /// There is none that it could keep.
    Fatal(Box<Report>),
}

/// Asks `check` about the value.
///
/// # Safety
/// `value` points to null or a C string, and the calling frame owns nothing.
pub unsafe fn is_good(value: *mut *mut c_char, check: impl FnOnce(&CStr) -> Result<(), No>) -> bool {
    // SAFETY: the caller's promise; GUC_check_errdetail_string is what GUC_check_errdetail() sets.
    unsafe {
        // A parallel worker is given what its leader has checked, and was forked with what the postmaster holds.
        if pg_sys::InitializingParallelWorker {
            return true;
        }
        let (good, report) = raise::guarded(|| match check(c_text(*value)) {
            Ok(()) => (true, ptr::null()),
            Err(No::Refused(why)) => {
                pg_sys::GUC_check_errdetail_string = text::to_server(&why).cast_mut();
                (false, ptr::null())
            }
            Err(No::Fatal(report)) => (false, raise::in_postgres_memory(&[*report])),
        });
        raise::raise(report);
        good
    }
}

/// # Safety
/// `value` is null or a C string that outlives the answer.
unsafe fn c_text<'a>(value: *const c_char) -> &'a CStr {
    // SAFETY: the caller's promise.
    if value.is_null() { c"" } else { unsafe { CStr::from_ptr(value) } }
}

/// Tells `assign` the value that holds from now on.
///
/// # Safety
/// `value` is null or a C string, and the calling frame owns nothing.
pub unsafe fn hold(value: *const c_char, assign: impl FnOnce(&CStr)) {
    // SAFETY: the caller's promise.
    unsafe {
        if !pg_sys::InitializingParallelWorker {
            raise::guarded(|| assign(c_text(value)));
        }
    }
}

/// The hooks that call `check(&CStr) -> Result<(), No>` and `assign(&CStr)`.
macro_rules! hooks {
    ($check:expr, $assign:expr) => {{
        #[allow(unsafe_code)]
        unsafe extern "C-unwind" fn check(
            value: *mut *mut ::std::ffi::c_char,
            _extra: *mut *mut ::std::ffi::c_void,
            _source: ::pgrx::pg_sys::GucSource::Type,
        ) -> bool {
            // SAFETY: PostgreSQL calls the hook with a place that holds null or a C string.
            unsafe { $crate::ffi::checked_setting::is_good(value, $check) }
        }
        #[allow(unsafe_code)]
        unsafe extern "C-unwind" fn assign(value: *const ::std::ffi::c_char, _extra: *mut ::std::ffi::c_void) {
            // SAFETY: PostgreSQL calls the hook with null or a C string.
            unsafe { $crate::ffi::checked_setting::hold(value, $assign) }
        }
        $crate::ffi::checked_setting::Hooks { check: Some(check), assign: Some(assign) }
    }};
}
pub(crate) use hooks;
