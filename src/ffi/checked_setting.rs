//! Text settings that are looked at before they hold: PostgreSQL asks whether a value will do, then says that it holds.

use crate::ffi::{raise, text};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};

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

/// Asks `check` about the value; its answer, if it is a no, becomes the DETAIL of PostgreSQL's message.
///
/// # Safety
/// `value` points to null or a C string, and the calling frame owns nothing.
pub unsafe fn is_good(value: *mut *mut c_char, check: impl FnOnce(&str) -> Result<(), String>) -> bool {
    // SAFETY: the caller's promise; GUC_check_errdetail_string is what GUC_check_errdetail() sets.
    unsafe {
        raise::guarded(|| match check(&text::from_server_opt(*value).unwrap_or_default()) {
            Ok(()) => true,
            Err(why) => {
                pg_sys::GUC_check_errdetail_string = text::to_server(&why).cast_mut();
                false
            }
        })
    }
}

/// Tells `assign` the value that holds from now on.
///
/// # Safety
/// `value` is null or a C string, and the calling frame owns nothing.
pub unsafe fn hold(value: *const c_char, assign: impl FnOnce(&str)) {
    // SAFETY: the caller's promise.
    unsafe { raise::guarded(|| assign(&text::from_server_opt(value).unwrap_or_default())) }
}

/// The hooks that call `check(&str) -> Result<(), String>` and `assign(&str)`.
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
