//! The text that the client sent, as PostgreSQL keeps it: `debug_query_string` for the log's STATEMENT lines, and a copy
//! in shared memory for pg_stat_activity.
//!
//! Everything here may be called while an error is reported: it allocates nothing in PostgreSQL's memory and calls nothing
//! that can raise an error.

use crate::ffi::{told, version};
use crate::redaction::{self, Reading, Seen};
use fdw_guard_policy::redact::Kind;
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::{CStr, c_char};
use std::ptr;

// Declared here because pg_sys wraps them in a boundary that is no place to be in while an error is reported.
unsafe extern "C-unwind" {
    fn pgstat_report_activity(state: pg_sys::BackendState::Type, text: *const c_char);
    fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
    fn FetchPreparedStatement(name: *const c_char, throw_error: bool) -> *mut pg_sys::PreparedStatement;
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

/// Whether the client's text was let go at a glance.
#[inline]
pub fn is_let_go() -> bool {
    redaction::has_seen(message_time()) && redaction::has_let_go(address())
}

/// Whether a statement's text is the client's own, and was let go at a glance. When the message came is not asked: PostgreSQL
/// itself parses a text that is the message, and not a portal's, just before the statement runs, so that it was looked at since.
#[inline]
pub fn has_let_go(text: *const c_char) -> bool {
    ptr::eq(text, address()) && redaction::has_let_go(text)
}

/// Whether nothing is hidden in the client's text as it has been looked at, or it is news but holds nothing, at a glance, so that
/// nobody has to look at it again: for nearly every call of a hook.
#[inline]
pub fn lets_go_or_is_done_with() -> bool {
    let (message, address) = (message_time(), address());
    let is_done_with = redaction::is_harmless(address, message) && serves_client();
    // SAFETY: as in `kind_at`.
    let lets_go = || unsafe { with_bytes(address, |text| redaction::lets_go(address, message, text, serves_client)) };
    is_done_with || !address.is_null() && lets_go()
}

/// Looks at the client's text, unless that has been done, and hides what is secret in it from the log.
pub fn look() {
    if is_news() {
        let address = address();
        look_at(address, Reading::As(kind_at(address)));
    }
}

/// Whether [`look_at_parsed`] may suffice.
///
/// # Safety
/// `tree` is null or a valid parse tree.
pub unsafe fn may_be_told(tree: *const pg_sys::Node) -> bool {
    // SAFETY: the caller's promise.
    !tree.is_null() && unsafe { told::alters_options_only(tree) }
}

/// The same, at what the parser has made of a statement of some text, if that suffices.
///
/// # Safety
/// The query was made of that text, which is a C string, and [`may_be_told`] holds for its tree.
pub unsafe fn look_at_parsed(query: &pg_sys::Query, text: *const c_char) {
    let (address, message) = (address(), message_time());
    // SAFETY: the caller's promise.
    let is_told = is_news()
        && text == address
        && !redaction::has_seen(message)
        && unsafe { with_bytes(text, |text| told::is_without_secrets(query, text, redaction::may_be_shown)) };
    if is_told { redaction::see_told(address, message) } else { look() }
}

/// How the text at that address is to be read, as far as it says so itself.
fn kind_at(address: *const c_char) -> Kind {
    // SAFETY: debug_query_string is a C string that lives until the message has been answered.
    unsafe { with_bytes(address, kind_of_text) }
}

/// How a text is to be read, as far as it says so itself.
fn kind_of_text(text: &[u8]) -> Kind {
    if redaction::executes_ours(text, prepared_is_ours) { Kind::Arguments } else { Kind::Statement }
}

/// Whether there is a text that nobody has looked at.
pub fn is_news() -> bool {
    let address = address();
    !is_harmless(address) && !address.is_null() && !redaction::is_ours(address)
}

/// Whether the client's text has been looked at, and nothing is hidden in it.
pub fn is_done_with() -> bool {
    is_harmless(address())
}

/// Whether a text is the client's, and nothing was found in it. Workers run one text after the other without any message,
/// perhaps at the same address.
pub fn is_harmless(text: *const c_char) -> bool {
    redaction::is_harmless(text, message_time()) && serves_client()
}

/// The same, by the names of options that are known now.
pub fn holds_no_secret(text: *const c_char) -> bool {
    is_harmless(text) && redaction::names_are_as_they_were()
}

/// As what the client's text was read.
pub fn kind() -> Kind {
    redaction::client_kind(message_time())
}

/// Whether a list of options may stand in the client's text, which nothing is hidden in.
pub fn may_hold_options() -> bool {
    let address = address();
    // SAFETY: as in `kind_at`.
    !address.is_null() && unsafe { with_bytes(address, redaction::may_hold_secrets) }
}

/// Whether something in the client's text is hidden.
pub fn is_hidden() -> bool {
    redaction::hides() && redaction::client_address(message_time()).is_some()
}

/// Looks at the client's text again: more is known of it now.
pub fn look_again(reading: Reading) {
    let address = redaction::client_address(message_time()).unwrap_or_else(address);
    if !address.is_null() {
        look_at(address, reading);
    }
}

/// Looks at the client's text again, where what was run from within it has told of secrets, and covers them in PostgreSQL's
/// own copies: others have been handed these, since nothing in them told of secrets.
pub fn look_for_inner() {
    let address = redaction::client_address(message_time()).unwrap_or_else(address);
    if address.is_null() || is_unseen() || !serves_client() || !redaction::has_seen(message_time()) {
        return;
    }
    look_at(address, Reading::As(kind()));
    if redaction::covers() {
        // SAFETY: debug_query_string is what a client has sent, or a copy of it, since this process serves one.
        unsafe { cover(address) };
        cover_portal();
    }
    report();
}

/// Covers in the text of the portal that runs what is covered in the client's text: in the extended protocol it has a copy.
pub fn cover_portal() {
    let Some(client) = redaction::client_address(message_time()).filter(|_| redaction::covers()) else { return };
    // SAFETY: reads a variable of the backend; an active portal is a valid one, with a C string for its text, which is a
    // copy of the client's if it reads the same.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if portal.is_null() || (*portal).sourceText.is_null() {
            return;
        }
        let text = (*portal).sourceText;
        let is_copy = with_bytes(client, |client| with_bytes(text, |text| redaction::was_client(text, client)));
        if is_copy {
            cover(text);
        }
    }
}

/// # Safety
/// The text is the client's or a copy of it: memory that the backend has allocated for it and nobody reads meanwhile.
unsafe fn cover(text: *const c_char) {
    // SAFETY: the caller's promise; what is written keeps its length.
    unsafe {
        let length = CStr::from_ptr(text).count_bytes();
        redaction::cover(std::slice::from_raw_parts_mut(text.cast_mut().cast(), length));
    }
}

/// The address by which the client's text is known, of a copy of it too, if something in it is hidden; or else the text's own.
///
/// # Safety
/// `text` is a C string.
pub unsafe fn known_address(text: *const c_char) -> *const c_char {
    let client = redaction::client_address(message_time()).filter(|client| *client != text);
    // SAFETY: the caller's promise; the client's text lives until the message has been answered.
    let is_copy = |client: &*const c_char| unsafe { CStr::from_ptr(*client) == CStr::from_ptr(text) };
    client.filter(is_copy).unwrap_or(text)
}

/// Whether this is a process that a client speaks to.
fn serves_client() -> bool {
    // SAFETY: reads a variable of the process.
    unsafe { pg_sys::MyBackendType == pg_sys::BackendType::B_BACKEND }
}

fn look_at(address: *const c_char, reading: Reading) {
    // SAFETY: debug_query_string, and what it was before we hid something in this message's text, is a C string that
    // lives until the message has been answered; what we put there lives until the next one is looked at.
    unsafe {
        let seen = with_bytes(address, |text| redaction::see_client_text(address, message_time(), text, reading));
        pg_sys::debug_query_string = match seen {
            Ok(Seen::Harmless) => address,
            Ok(Seen::Hidden(shown)) => shown,
            Err(_) => {
                report_text(NOTHING.as_ptr());
                NOTHING.as_ptr()
            }
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
    // SAFETY: shared memory of this backend's own is written; nothing there raises an error. A message is being answered, or
    // a worker runs a text.
    unsafe { pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text) };
    version::report_statement_ids(ids);
}

/// Whether there may be a text that no hook has seen.
pub fn may_be_unseen() -> bool {
    let address = address();
    let is_seen = if address.is_null() { redaction::has_seen(message_time()) } else { !is_news() };
    (!is_seen || redaction::is_unreported()) && serves_client()
}

/// Looks at what pg_stat_activity shows of a message whose text no hook has seen, because there is no statement in it, or
/// none was run. To be called when the transaction ends.
pub fn look_at_unseen() {
    if !address().is_null() {
        look();
        return report();
    }
    redaction::must_be_reported();
    // SAFETY: reads a variable of the process, and its own entry in shared memory, whose text has an end.
    unsafe {
        let entry = pg_sys::MyBEEntry;
        if entry.is_null() || (*entry).st_activity_raw.is_null() {
            return;
        }
        let shown = with_bytes((*entry).st_activity_raw, |text| redaction::shown(text, kind_of_text(text)));
        match shown {
            Ok(None) => {}
            Ok(Some(shown)) => report_text(shown.as_ptr().cast()),
            Err(_) => report_text(NOTHING.as_ptr()),
        }
    }
}

/// Whether the client's text, in which something is hidden, begins to be run: what is run from within it does so later.
pub fn begins_run() -> bool {
    is_hidden() && redaction::begins_run(message_time())
}

/// Puts what may be shown of the client's text into the portal that runs: PostgreSQL reports the portal's text again
/// whenever it is executed, and calls no hook if its rows are there already. To be called when it has been run: before, PL/pgSQL
/// looks there for the place of an error.
pub fn relieve_portal() {
    // SAFETY: reads a variable of the backend; an active portal is a valid one, with a C string for its text, and its
    // context lives as long as it does, as the text there must. What the client sent lives until it has been answered.
    // Positions hold in what is put there.
    unsafe {
        let portal = pg_sys::ActivePortal;
        let Some((address, level)) = redaction::level_of_client(message_time()) else { return };
        if portal.is_null() || (*portal).sourceText.is_null() {
            return;
        }
        // The message has a copy of its own.
        if CStr::from_ptr((*portal).sourceText) == CStr::from_ptr(address) {
            (*portal).sourceText = pg_sys::MemoryContextStrdup((*portal).portalContext, level);
        }
    }
}

/// Whether there was no memory to look at the client's text.
pub fn is_unseen() -> bool {
    address() == NOTHING.as_ptr()
}

/// Shows nothing of the client's text.
pub fn hide() {
    // SAFETY: writes a variable of the backend; while there is a text, a message is being answered.
    unsafe {
        if !pg_sys::debug_query_string.is_null() {
            pg_sys::debug_query_string = NOTHING.as_ptr();
            if serves_client() {
                report_text(NOTHING.as_ptr());
            }
        }
    }
}

/// Bytes of the longest name, and a NUL.
const NAME_SIZE: usize = pg_sys::NAMEDATALEN as usize;

/// Whether the prepared statement of that name, as it stands in a text, calls our functions. Where it is spelled in a way
/// that is not read here, it may.
fn prepared_is_ours(name: &[u8]) -> bool {
    let quoted = name.strip_prefix(b"\"").map(|rest| rest.split(|byte| *byte == b'"').next().unwrap_or_default());
    let plain = name.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte) || !byte.is_ascii());
    let length = quoted.map_or_else(|| plain.count(), <[u8]>::len);
    let is_odd = quoted.is_none() && name.get(length) == Some(&b'&');
    let mut small = [0_u8; NAME_SIZE];
    let Some(place) = small.get_mut(..length).filter(|place| !place.is_empty() && place.len() < NAME_SIZE && !is_odd)
    else {
        return true;
    };
    match quoted {
        Some(quoted) => place.copy_from_slice(quoted),
        None => {
            place.copy_from_slice(name.get(..length).unwrap_or_default());
            place.make_ascii_lowercase();
        }
    }
    // SAFETY: the name ends with a NUL; the text of a prepared statement is a C string.
    unsafe {
        let text = text_of_prepared(small.as_ptr().cast());
        !text.is_null() && with_bytes(text, redaction::names_our_functions)
    }
}

/// The text of the prepared statement of that name; null if there is none.
///
/// # Safety
/// `name` is a C string.
unsafe fn text_of_prepared(name: *const c_char) -> *const c_char {
    // SAFETY: the caller's promise; it is looked for in memory, and without throwError a missing statement gives null.
    unsafe {
        let prepared = FetchPreparedStatement(name, false);
        if prepared.is_null() { ptr::null() } else { (*(*prepared).plansource).query_string }
    }
}

/// Whether a statement may execute a prepared one.
///
/// # Safety
/// As for [`prepared_text`].
pub unsafe fn may_execute(statement: *const pg_sys::Node) -> bool {
    // SAFETY: the caller's promise.
    !statement.is_null()
        && matches!(
            unsafe { (*statement).type_ },
            NodeTag::T_ExecuteStmt | NodeTag::T_ExplainStmt | NodeTag::T_CreateTableAsStmt
        )
}

/// The text of the prepared statement that this one executes, alone or within EXPLAIN or CREATE TABLE AS; null if it does
/// not, or there is none of that name.
///
/// # Safety
/// `statement` is null or a valid parse tree.
pub unsafe fn prepared_text(mut statement: *const pg_sys::Node) -> *const c_char {
    // SAFETY: the caller's promise; the tag says which struct a node is, and each statement within is a node or null.
    unsafe {
        while !statement.is_null() {
            statement = match (*statement).type_ {
                NodeTag::T_ExplainStmt => (*statement.cast::<pg_sys::ExplainStmt>()).query,
                NodeTag::T_CreateTableAsStmt => (*statement.cast::<pg_sys::CreateTableAsStmt>()).query,
                // What both have after analysis.
                NodeTag::T_Query => (*statement.cast::<pg_sys::Query>()).utilityStmt,
                NodeTag::T_ExecuteStmt => return text_of_prepared((*statement.cast::<pg_sys::ExecuteStmt>()).name),
                _ => return ptr::null(),
            };
        }
        ptr::null()
    }
}
