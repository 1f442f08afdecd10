//! The text that the client sent, as PostgreSQL keeps it: `debug_query_string` for the log's STATEMENT lines, and a copy
//! in shared memory for pg_stat_activity.
//!
//! Everything here may be called while an error is reported: it allocates nothing in PostgreSQL's memory and calls nothing
//! that can raise an error.

use crate::ffi::version;
use crate::redaction::{self, Reading, Seen};
use fdw_guard_policy::redact::Kind;
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::{CStr, c_char};
use std::ptr;

// Declared here because pg_sys wraps them in a boundary that is no place to be in while an error is reported.
unsafe extern "C-unwind" {
    fn pgstat_report_activity(state: pg_sys::BackendState::Type, text: *const c_char);
    fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
}

/// What is shown of a text that there is no memory to look at.
const NOTHING: &CStr = c"***";

/// When the client's message arrived, by which texts at the same address are told apart.
pub fn message_time() -> i64 {
    // SAFETY: reads a variable of the backend.
    unsafe { GetCurrentStatementStartTimestamp() }
}

/// Where PostgreSQL keeps the client's text now; null while there is none.
pub fn address() -> *const c_char {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::debug_query_string }
}

/// Acts on the text at that address.
///
/// # Safety
/// `address` points to a C string that lives until `act` returns.
pub unsafe fn with_bytes<T>(address: *const c_char, act: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: the caller's promise.
    act(unsafe { CStr::from_ptr(address) }.to_bytes())
}

/// Looks at the client's text, unless that has been done, and hides what is secret in it from the log.
pub fn look() {
    if is_news() {
        look_at(address(), Reading::As(Kind::Statement));
    }
}

/// Whether there is a text that nobody has looked at.
pub fn is_news() -> bool {
    let address = address();
    !address.is_null() && !redaction::is_ours(address) && !is_harmless(address)
}

/// Whether a text is the client's, and nothing was found in it. Workers run one text after the other without any message,
/// perhaps at the same address.
pub fn is_harmless(text: *const c_char) -> bool {
    // SAFETY: reads a variable of the process.
    let serves_client = unsafe { pg_sys::MyBackendType } == pg_sys::BackendType::B_BACKEND;
    serves_client && redaction::is_harmless(text, message_time())
}

/// The same, by the names of options that are known now.
pub fn holds_no_secret(text: *const c_char) -> bool {
    is_harmless(text) && redaction::names_are_as_they_were()
}

/// Whether something in the client's text is hidden.
pub fn is_hidden() -> bool {
    redaction::client_address(message_time()).is_some()
}

/// Looks at the client's text again: more is known of it now.
pub fn look_again(reading: Reading) {
    let address = redaction::client_address(message_time()).unwrap_or_else(address);
    if !address.is_null() {
        look_at(address, reading);
    }
}

fn look_at(address: *const c_char, reading: Reading) {
    // SAFETY: debug_query_string, and what it was before we hid something in this message's text, is a C string that
    // lives until the message has been answered; what we put there lives until the next one is looked at.
    unsafe {
        let seen = with_bytes(address, |text| redaction::see_client_text(address, message_time(), text, reading));
        pg_sys::debug_query_string = match seen {
            Ok(Seen::Harmless) => address,
            Ok(Seen::Hidden(shown)) => shown,
            Err(_) => NOTHING.as_ptr(),
        };
    }
}

/// Puts what may be shown of the client's text into pg_stat_activity, if something in it may not and this has not been
/// done.
pub fn report() {
    if !redaction::must_be_reported() {
        return;
    }
    let shown = address();
    if !shown.is_null() {
        // SAFETY: what PostgreSQL keeps there, and what we put there, is a C string.
        unsafe { report_text(shown) };
    }
}

/// Puts what may be shown of the client's text into pg_stat_activity, after some words of ours.
pub fn report_after(words: &str) {
    let address = address();
    if address.is_null() {
        return;
    }
    // SAFETY: as in `report`; the text is copied to shared memory.
    unsafe {
        let text: Vec<u8> = words.bytes().chain(CStr::from_ptr(address).to_bytes_with_nul().iter().copied()).collect();
        report_text(text.as_ptr().cast());
    }
}

/// # Safety
/// `text` is a C string.
unsafe fn report_text(text: *const c_char) {
    let ids = version::statement_ids();
    // SAFETY: shared memory of this backend's own is written; nothing there raises an error. A statement is running, or
    // the error that ended it is being reported.
    unsafe { pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text) };
    version::report_statement_ids(ids);
}

/// Whether there was no memory to look at the client's text.
pub fn is_unseen() -> bool {
    address() == NOTHING.as_ptr()
}

/// Shows nothing of the client's text.
pub fn hide() {
    // SAFETY: writes a variable of the backend.
    unsafe {
        if !pg_sys::debug_query_string.is_null() {
            pg_sys::debug_query_string = NOTHING.as_ptr();
        }
    }
}

/// The text of the prepared statement that this one executes; null if it does not, or there is none of that name.
///
/// # Safety
/// `statement` is null or a valid parse tree.
pub unsafe fn prepared_text(statement: *const pg_sys::Node) -> *const c_char {
    // SAFETY: the caller's promise; without throwError a missing statement gives null.
    unsafe {
        if statement.is_null() || (*statement).type_ != NodeTag::T_ExecuteStmt {
            return ptr::null();
        }
        let prepared = pg_sys::FetchPreparedStatement((*statement.cast::<pg_sys::ExecuteStmt>()).name, false);
        if prepared.is_null() { ptr::null() } else { (*(*prepared).plansource).query_string }
    }
}
