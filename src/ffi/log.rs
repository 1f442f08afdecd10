//! The last door of a log line: `emit_log_hook`, which hides secrets in it.
//!
//! PostgreSQL calls it everywhere: in the postmaster, in workers without a memory context for messages, while memory is
//! short, while another error is reported. So the hook is a plain function that catches every panic, calls nothing of
//! PostgreSQL's that can raise an error, reads no catalog, and changes texts where they stand, which PostgreSQL frees as
//! its own.

use crate::ffi::next::{Next, put_in};
use crate::ffi::{client_text, raise};
use crate::redaction::{self, Field, Line, OutOfMemory, Reading, Stored};
use crate::settings;
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

static NEXT: Next<Option<EmitLog>> = Next::new(None);

type EmitLog = unsafe extern "C-unwind" fn(*mut pg_sys::ErrorData);

/// Puts our hook in front of those that are there.
pub fn install() {
    // SAFETY: the hook variable belongs to this single-threaded process.
    unsafe {
        NEXT.set(put_in(&raw mut pg_sys::emit_log_hook, emit_log));
    }
}

/// Whether no other extension's hook sees log lines before ours.
pub fn is_first_hook() -> bool {
    // SAFETY: reads a hook variable of this process.
    let first = unsafe { pg_sys::emit_log_hook };
    first.is_some_and(|hook| ptr::fn_addr_eq(hook, emit_log as EmitLog))
}

unsafe extern "C-unwind" fn emit_log(line: *mut pg_sys::ErrorData) {
    // SAFETY: PostgreSQL gives the error data on top of its stack, which nobody else changes meanwhile.
    unsafe {
        let line = &mut *line;
        if settings::redact() && catch_unwind(AssertUnwindSafe(|| hide(line))).is_err() {
            show_nothing(line);
        }
        if let Some(next) = NEXT.get() {
            next(line);
        }
    }
}

/// # Safety
/// The fields of the line are null or C strings that may be written.
unsafe fn hide(line: &mut pg_sys::ErrorData) {
    client_text::look();
    // SAFETY: the caller's promise.
    let broken_at = unsafe { broken_at(line) };
    if let Some((position, false)) = broken_at {
        client_text::look_again(Reading::Broken(client_text::kind(), position));
    }
    if client_text::is_unseen() {
        // SAFETY: the caller's promise.
        return unsafe { show_nothing(line) };
    }
    let shown = client_text::address();
    let original = redaction::client_address(client_text::message_time()).filter(|_| !shown.is_null());
    // SAFETY: the caller's promise; what the client sent is null or a C string that lives until it has been answered, and
    // so does what is shown of it.
    unsafe {
        let statement = bytes(original.unwrap_or(shown));
        let about = Line::new(statement, original.is_some(), bytes(line.message), bytes(line.detail));
        let about = about.breaking_at(within(broken_at));
        hide_in_texts(line, &about);
    }
    // A statement that does not parse reaches no other hook, and its text stays until the client's next one.
    if line.elevel == PgLogLevel::ERROR as c_int {
        client_text::report();
    }
}

/// Hides secrets in an error that was caught while `text` ran, whatever is hidden in logs.
///
/// # Safety
/// As for [`hide`].
pub unsafe fn hide_in_caught(error: &mut pg_sys::ErrorData, text: &CStr) {
    // SAFETY: the caller's promise.
    unsafe {
        match Line::within(text.to_bytes(), bytes(error.message), bytes(error.detail)) {
            Ok(about) => {
                let about = about.breaking_at(within(broken_at(error)));
                hide_in_texts(error, &about);
            }
            Err(OutOfMemory) => hide_texts(error),
        }
    }
}

/// Hides in an error that was caught what the object has that was to be altered.
///
/// # Safety
/// As for [`hide`].
pub unsafe fn hide_stored(error: &mut pg_sys::ErrorData, stored: &Stored) {
    for (text, field) in fields(error) {
        // SAFETY: the caller's promise.
        unsafe { hide_in(text, |bytes| stored.hide_in(bytes, field)) };
    }
}

/// # Safety
/// As for [`hide`].
unsafe fn hide_in_texts(line: &mut pg_sys::ErrorData, about: &Line<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        hide_token(line, about);
        let ours = if bytes(line.domain) == raise::DOMAIN.to_bytes() { OURS } else { 0 };
        let is_of_data = line.sqlerrcode & CATEGORY == DATA_EXCEPTION && line.sqlerrcode != INVALID_PARAMETER;
        let quotes_argument = ours == 0 && about.calls_ours() && is_of_data;
        for (text, field) in fields(line).into_iter().skip(ours) {
            if quotes_argument && field.is_aside() {
                hide_in(text, |_| Ok(Some(b"***".to_vec())));
            } else {
                hide_in(text, |bytes| about.hide(bytes, field));
            }
        }
    }
}

/// The message of an error in a statement that does not parse, before it is translated.
const AT_OR_NEAR: &[u8] = b"%s at or near \"%s\"";

/// 42622, as elog.h packs an SQLSTATE: the scanner says that it cuts an identifier, which may be a value without quotes.
const NAME_TOO_LONG: c_int = 4 + (2 << 6) + (6 << 12) + (2 << 18) + (2 << 24);

/// Hides the token at which a statement does not parse, if it is hidden in the statement.
///
/// # Safety
/// As for [`hide`].
unsafe fn hide_token(line: &mut pg_sys::ErrorData, about: &Line<'_>) {
    // SAFETY: the caller's promise; the message's identity is null or a C string.
    unsafe {
        let is_truncated = line.sqlerrcode == NAME_TOO_LONG && line.elevel < PgLogLevel::ERROR as c_int;
        if is_truncated && about.holds_secrets() {
            return hide_in(line.message, |message| Ok(Some(redaction::without_quoted(message)?)));
        }
        if bytes(line.message_id) != AT_OR_NEAR {
            return;
        }
        let (position, inner) = (line.cursorpos.unsigned_abs() as usize, line.internalpos.unsigned_abs() as usize);
        let is_inner = !line.internalquery.is_null() && inner > 0;
        let is_hidden = if is_inner {
            redaction::hides_token_at(inner, bytes(line.internalquery)).unwrap_or(true)
        } else {
            about.names_hidden_token(position)
        };
        if is_hidden {
            hide_in(line.message, |message| Ok(Some(redaction::without_quoted(message)?)));
        }
    }
}

/// 42601, as elog.h packs an SQLSTATE.
const SYNTAX_ERROR: c_int = 4 + (2 << 6) + (6 << 12) + (1 << 24);

/// The sources of PostgreSQL's parser, which raises other errors too where it cannot go on.
const PARSER: [&[u8]; 2] = [b"scan.l", b"gram.y"];

/// The character at which a statement could not be read, and whether that is a statement within: nobody knows what is
/// behind it.
///
/// # Safety
/// As for [`hide`]; the name of the source file is null or a C string.
unsafe fn broken_at(line: &pg_sys::ErrorData) -> Option<(usize, bool)> {
    // SAFETY: the caller's promise.
    let is_broken = unsafe { line.sqlerrcode == SYNTAX_ERROR || PARSER.contains(&bytes(line.filename)) };
    if line.elevel < PgLogLevel::ERROR as c_int || !is_broken {
        return None;
    }
    let is_within = !line.internalquery.is_null();
    let position = usize::try_from(if is_within { line.internalpos } else { line.cursorpos }).ok();
    position.filter(|position| *position > 0).map(|position| (position, is_within))
}

/// The character of a statement within.
fn within(broken_at: Option<(usize, bool)>) -> Option<usize> {
    broken_at.filter(|(_, is_within)| *is_within).map(|(position, _)| position)
}

/// Class 22, as elog.h packs an SQLSTATE, and the part that is a class: JSON that is none, or holds a character that the
/// database's encoding has not, is quoted in DETAIL and CONTEXT.
const DATA_EXCEPTION: c_int = 2 + (2 << 6);
const CATEGORY: c_int = (1 << 12) - 1;
/// 22023, by which validators refuse a value; it comes with the statement that ours have run.
const INVALID_PARAMETER: c_int = DATA_EXCEPTION + (2 << 18) + (3 << 24);

/// How many of [`fields`] hold our own words, if a message is ours.
const OURS: usize = 4;

fn fields(line: &pg_sys::ErrorData) -> [(*mut c_char, Field); 6] {
    [
        (line.message, Field::Message),
        (line.detail, Field::Aside),
        (line.detail_log, Field::Aside),
        (line.hint, Field::Aside),
        (line.context, Field::Context),
        (line.internalquery, Field::Query),
    ]
}

/// # Safety
/// `text` is null or a C string that outlives the answer.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if text.is_null() { &[] } else { unsafe { CStr::from_ptr(text) }.to_bytes() }
}

/// # Safety
/// `text` is null or a C string that may be written.
unsafe fn hide_in(text: *mut c_char, hide: impl FnOnce(&[u8]) -> Result<Option<Vec<u8>>, OutOfMemory>) {
    if text.is_null() {
        return;
    }
    // SAFETY: the caller's promise; what is written is no longer than what was there.
    unsafe {
        let old = bytes(text);
        match hide(old) {
            Ok(None) => {}
            Ok(Some(new)) if new.len() <= old.len() => write(text, &new),
            Ok(Some(_)) | Err(_) => write(text, stars(old.len())),
        }
    }
}

/// # Safety
/// There is room for as many bytes and a NUL.
unsafe fn write(place: *mut c_char, text: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr().cast(), place, text.len());
        place.add(text.len()).write(0);
    }
}

fn stars(room: usize) -> &'static [u8] {
    b"***".get(..room).unwrap_or(b"***")
}

/// What hides secrets has failed: nothing is shown at all.
///
/// # Safety
/// As for [`hide`].
unsafe fn show_nothing(line: &mut pg_sys::ErrorData) {
    client_text::hide();
    // SAFETY: the caller's promise.
    unsafe { hide_texts(line) };
}

/// # Safety
/// As for [`hide`].
unsafe fn hide_texts(line: &pg_sys::ErrorData) {
    for (text, _) in fields(line) {
        if !text.is_null() {
            // SAFETY: the caller's promise.
            unsafe { write(text, stars(bytes(text).len())) };
        }
    }
}
