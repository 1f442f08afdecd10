//! Text between PostgreSQL, which holds bytes in the database's encoding, and Rust, which holds UTF-8.
//!
//! pgrx's own strings assume UTF-8 without looking, which is undefined behaviour in a LATIN1 or SQL_ASCII database.

use pgrx::pg_sys;
use std::ffi::{CStr, c_char, c_int};
use std::fmt::Write;

/// The text of a C string in the database's encoding; see [`from_bytes`].
///
/// # Safety
/// `text` points to a C string.
pub unsafe fn from_server(text: *const c_char) -> String {
    // SAFETY: the caller's promise.
    from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The text of a C string, or None for a null pointer.
///
/// # Safety
/// `text` is null or points to a C string.
pub unsafe fn from_server_opt(text: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { from_server(text) })
}

/// The text of bytes in the database's encoding. In a SQL_ASCII database, whose bytes have no known meaning, a byte that
/// is not UTF-8 becomes `\xNN`: visible, and equal only to itself.
pub fn from_bytes(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() || !needs_conversion() => text.to_owned(),
        Err(_) if !needs_conversion() => escape_invalid(bytes),
        _ => converted(bytes),
    }
}

/// The databases's encoding is neither UTF-8 nor SQL_ASCII.
fn needs_conversion() -> bool {
    // SAFETY: reads a variable of the backend.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    encoding != pg_sys::pg_enc::PG_UTF8 as c_int && encoding != pg_sys::pg_enc::PG_SQL_ASCII as c_int
}

fn converted(bytes: &[u8]) -> String {
    let Ok(length) = c_int::try_from(bytes.len()) else { return escape_invalid(bytes) };
    // SAFETY: pg_server_to_any reads `length` bytes and returns either its argument or a palloc'ed C string; on bytes
    // that UTF-8 cannot express it raises PostgreSQL's own error.
    unsafe {
        let start = bytes.as_ptr().cast::<c_char>();
        let utf8 = pg_sys::pg_server_to_any(start, length, pg_sys::pg_enc::PG_UTF8 as c_int);
        if std::ptr::eq(utf8, start) {
            return escape_invalid(bytes);
        }
        let text = escape_invalid(CStr::from_ptr(utf8).to_bytes());
        pg_sys::pfree(utf8.cast());
        text
    }
}

fn escape_invalid(bytes: &[u8]) -> String {
    bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |mut text, chunk| {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
        text
    })
}

/// A palloc'ed C string in the database's encoding. What that encoding cannot express is written as `\u{…}`, so that a
/// message always arrives; a NUL, which no text of PostgreSQL's can hold, ends the string.
pub fn to_server(text: &str) -> *const c_char {
    if text.is_ascii() || !needs_conversion() {
        return palloc_string(text.as_bytes());
    }
    // SAFETY: reads a variable of the backend, and looks up the conversion in the catalog.
    let conversion =
        unsafe { pg_sys::FindDefaultConversionProc(pg_sys::pg_enc::PG_UTF8 as c_int, pg_sys::GetDatabaseEncoding()) };
    let bytes: Vec<u8> = text.chars().flat_map(|character| char_to_server(character, conversion)).collect();
    palloc_string(&bytes)
}

fn char_to_server(character: char, conversion: pg_sys::Oid) -> Vec<u8> {
    const LONGEST: usize = 16;
    let mut utf8 = [0_u8; 4];
    let utf8 = character.encode_utf8(&mut utf8);
    let mut converted = [0_u8; LONGEST];
    // SAFETY: the source is `utf8.len()` bytes, the destination LONGEST, more than any character takes (MAX_CONVERSION_GROWTH
    // is 4); with noError the function reports how much it understood instead of raising.
    let understood = unsafe {
        conversion != pg_sys::InvalidOid
            && pg_sys::pg_do_encoding_conversion_buf(
                conversion,
                pg_sys::pg_enc::PG_UTF8 as c_int,
                pg_sys::GetDatabaseEncoding(),
                utf8.as_mut_ptr(),
                utf8.len() as c_int,
                converted.as_mut_ptr(),
                LONGEST as c_int,
                true,
            ) == utf8.len() as c_int
    };
    if understood {
        converted.into_iter().take_while(|byte| *byte != 0).collect()
    } else {
        character.escape_unicode().to_string().into_bytes()
    }
}

fn palloc_string(bytes: &[u8]) -> *const c_char {
    // SAFETY: pnstrdup copies at most that many bytes, up to a NUL, and adds one.
    unsafe { pg_sys::pnstrdup(bytes.as_ptr().cast(), bytes.len() as pg_sys::Size) }
}
