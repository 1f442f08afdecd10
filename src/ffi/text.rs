//! Text between PostgreSQL, which holds bytes in the database's encoding, and Rust, which holds UTF-8.
//!
//! pgrx's own strings assume UTF-8 without looking, which is undefined behaviour in a LATIN1 or SQL_ASCII database.

use crate::ffi::quiet;
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::panic::ErrorReport;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};

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

/// The text of bytes in the database's encoding. A byte without a known meaning (in a SQL_ASCII database whatever is not
/// UTF-8) becomes a character of its own, [`opaque`]: equal only to itself, and shown as `\xNN`.
pub fn from_bytes(bytes: &[u8]) -> String {
    borrowed(bytes).into_owned()
}

/// The same, not copied where it is short and ASCII, as nearly always.
pub fn borrowed(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.len() <= ORDINARY && bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Cow::Borrowed(unsafe { str::from_utf8_unchecked(bytes) });
    }
    Cow::Owned(if bytes.is_ascii() || !needs_conversion() { with_opaque(bytes) } else { converted(bytes) })
}

/// The text of bytes in the database's encoding; None outside a transaction, where no conversion can be looked up.
pub fn from_bytes_if_known(bytes: &[u8]) -> Option<String> {
    (bytes.is_ascii() || !needs_conversion() || in_transaction()).then(|| from_bytes(bytes))
}

/// A byte that has no meaning, as a character of a private-use plane that nobody else uses.
fn opaque(byte: u8) -> char {
    char::from_u32(FIRST_OPAQUE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn opaque_byte(character: char) -> Option<u8> {
    u32::from(character).checked_sub(FIRST_OPAQUE).and_then(|byte| u8::try_from(byte).ok())
}

const FIRST_OPAQUE: u32 = 0x10_FE00;

fn in_transaction() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { quiet::IsTransactionState() }
}

/// The database's encoding is neither UTF-8 nor SQL_ASCII.
fn needs_conversion() -> bool {
    // SAFETY: reads a variable of the backend.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    encoding != UTF8 && encoding != pg_sys::pg_enc::PG_SQL_ASCII as c_int
}

const UTF8: c_int = pg_sys::pg_enc::PG_UTF8 as c_int;

/// One of PostgreSQL's own conversions between the database's encoding and UTF-8.
struct Conversion {
    function: pg_sys::Oid,
    from: c_int,
    to: c_int,
}

unsafe extern "C-unwind" {
    /// pg_conversion.h, which pgrx does not bind.
    fn FindDefaultConversion(namespace: pg_sys::Oid, from: i32, to: i32) -> pg_sys::Oid;
}

impl Conversion {
    /// From or to the database's encoding. PostgreSQL itself takes the first default conversion in the search path; a rule
    /// must not read a name otherwise because somebody has put a conversion of his own there. Outside a transaction no
    /// catalog can be read, and there is none.
    fn find(from: c_int, to: c_int) -> Option<Self> {
        // SAFETY: looks pg_conversion up, in a transaction only.
        let function = unsafe {
            if !in_transaction() {
                return None;
            }
            let namespace = pg_sys::Oid::from_u32(pg_sys::PG_CATALOG_NAMESPACE);
            pg_guard_ffi_boundary(|| FindDefaultConversion(namespace, from, to))
        };
        (function != pg_sys::Oid::INVALID).then_some(Self { function, from, to })
    }

    /// Converts what it can of at most [`Self::CHUNK`] bytes; gives the result and how many bytes it is of.
    fn convert_start(&self, bytes: &[u8]) -> (Vec<u8>, usize) {
        let bytes = bytes.get(..Self::CHUNK).unwrap_or(bytes);
        let mut source = bytes.to_vec();
        source.push(0);
        let mut converted = vec![0_u8; bytes.len() * pg_sys::MAX_CONVERSION_GROWTH as usize + 1];
        // SAFETY: the source is that many bytes and a NUL, the destination as large as the longest result; with noError
        // the function stops at what it does not understand instead of raising.
        let understood = unsafe {
            pg_sys::pg_do_encoding_conversion_buf(
                self.function,
                self.from,
                self.to,
                source.as_mut_ptr(),
                bytes.len() as c_int,
                converted.as_mut_ptr(),
                converted.len() as c_int,
                true,
            )
        };
        converted.truncate(converted.iter().position(|byte| *byte == 0).unwrap_or(converted.len()));
        (converted, usize::try_from(understood).unwrap_or_default())
    }

    /// Bytes that are converted at once: any option's value is a few of them, and none overflows an int.
    const CHUNK: usize = 8192;
}

/// A byte that UTF-8 cannot express is opaque too: a look at a foreign object must not raise an error that PostgreSQL
/// itself would not.
fn converted(bytes: &[u8]) -> String {
    let Some(conversion) = Conversion::find(database_encoding(), UTF8) else { return with_opaque(bytes) };
    let (mut text, mut rest) = (room_for(bytes.len()), bytes);
    while !rest.is_empty() {
        let (utf8, understood) = conversion.convert_start(rest);
        text.push_str(&String::from_utf8_lossy(&utf8));
        rest = rest.get(understood..).unwrap_or_default();
        if understood == 0 {
            // The whole character, lest its second byte be taken for the start of one.
            let (character, after) = rest.split_at(first_character(rest));
            text.extend(character.iter().map(|byte| opaque(*byte)));
            rest = after;
        }
    }
    text
}

/// How many bytes the first character has in the database's encoding, as far as they are there.
fn first_character(bytes: &[u8]) -> usize {
    let mut start = [0_u8; 8];
    start.iter_mut().zip(bytes).for_each(|(copy, byte)| *copy = *byte);
    // SAFETY: no encoding looks at more than the first four bytes to tell a character's length.
    let length = unsafe { pg_sys::pg_encoding_mblen(database_encoding(), start.as_ptr().cast()) };
    usize::try_from(length).unwrap_or(1).clamp(1, bytes.len())
}

fn database_encoding() -> c_int {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetDatabaseEncoding() }
}

fn with_opaque(bytes: &[u8]) -> String {
    if let Ok(text) = str::from_utf8(bytes) {
        let mut whole = room_for(bytes.len());
        whole.push_str(text);
        return whole;
    }
    bytes.utf8_chunks().fold(room_for(bytes.len()), |mut text, chunk| {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| opaque(*byte)));
        text
    })
}

/// An empty string that will hold as many bytes. Rust ends the process, and with it every session of the cluster, when an
/// ordinary allocation fails; a text of a gigabyte must not be able to do that.
pub fn room_for(bytes: usize) -> String {
    if bytes <= ORDINARY {
        return String::with_capacity(bytes);
    }
    let mut text = String::new();
    if text.try_reserve_exact(bytes).is_err() {
        let code = PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY;
        ErrorReport::new(code, "out of memory", "fdw_guard").report(PgLogLevel::ERROR);
    }
    text
}

/// As many bytes are allocated without a question, as everywhere else.
const ORDINARY: usize = 1024;

/// A palloc'ed C string in the database's encoding, to be read. An opaque byte is shown as `\xNN`, and what the encoding
/// cannot express as `\u{…}`, so that a message always arrives; a NUL, which no text of PostgreSQL's can hold, ends the
/// string.
pub fn to_server(text: &str) -> *const c_char {
    palloc_string(&to_server_bytes(text))
}

/// The same as bytes, without the end of a C string.
pub fn to_server_bytes(text: &str) -> Cow<'_, [u8]> {
    encoded(text, |byte| format!("\\x{byte:02x}").into_bytes())
}

/// The same for JSON, in whose strings a backslash is written twice.
pub fn to_server_json(text: &str) -> *const c_char {
    palloc_string(&encoded(text, |byte| format!("\\\\x{byte:02x}").into_bytes()))
}

/// A palloc'ed C string in the database's encoding, to look a name up: an opaque byte is that byte again.
pub fn to_server_name(text: &str) -> *const c_char {
    palloc_string(&encoded(text, |byte| vec![byte]))
}

/// The text in the database's encoding, up to a NUL.
fn encoded(text: &str, opaque: impl Fn(u8) -> Vec<u8>) -> Cow<'_, [u8]> {
    let text = text.get(..memchr::memchr(0, text.as_bytes()).unwrap_or(text.len())).unwrap_or_default();
    if text.is_ascii() {
        return Cow::Borrowed(text.as_bytes());
    }
    let conversion = needs_conversion().then(|| Conversion::find(UTF8, database_encoding()));
    let char_to_server = |character: char| match opaque_byte(character) {
        Some(byte) => opaque(byte),
        None => encoded_char(character, conversion.as_ref()),
    };
    Cow::Owned(text.chars().flat_map(char_to_server).collect())
}

/// `conversion` is None where none is needed, and `Some(None)` where none can be had.
fn encoded_char(character: char, conversion: Option<&Option<Conversion>>) -> Vec<u8> {
    let mut utf8 = [0_u8; 4];
    let utf8 = character.encode_utf8(&mut utf8).as_bytes();
    let Some(conversion) = conversion.filter(|_| !character.is_ascii()) else { return utf8.to_vec() };
    match conversion.as_ref().map(|conversion| conversion.convert_start(utf8)) {
        Some((converted, understood)) if understood == utf8.len() => converted,
        _ => character.escape_unicode().to_string().into_bytes(),
    }
}

/// A palloc'ed C string of these bytes, which may be as many as a text can have.
pub fn copied(bytes: &[u8]) -> *const c_char {
    // SAFETY: the allocation is as large as the bytes and a NUL, or an error is raised.
    unsafe {
        let copy = pg_sys::MemoryContextAllocHuge(pg_sys::CurrentMemoryContext, bytes.len() + 1).cast::<u8>();
        copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        copy.add(bytes.len()).write(0);
        copy.cast()
    }
}

fn palloc_string(bytes: &[u8]) -> *const c_char {
    // SAFETY: pnstrdup copies at most that many bytes, up to a NUL, and adds one.
    unsafe { pg_sys::pnstrdup(bytes.as_ptr().cast(), bytes.len() as pg_sys::Size) }
}
