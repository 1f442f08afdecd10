//! The characters of the database's encoding, for texts that keep their length while something in them is hidden.

use fdw_guard_policy::redact::Characters;
use pgrx::pg_sys::{self, pg_enc};
use std::ffi::{c_char, c_int};

// Declared here because pg_sys wraps it in a boundary that is no place to be in while an error is reported.
unsafe extern "C-unwind" {
    fn pg_encoding_mblen(encoding: c_int, text: *const c_char) -> c_int;
}

/// Those of this database.
pub fn of_database() -> Characters {
    Characters { length, filler }
}

fn encoding() -> c_int {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetDatabaseEncoding() }
}

fn length(text: &[u8]) -> usize {
    let mut start = [0_u8; 8];
    start.iter_mut().zip(text).for_each(|(copy, byte)| *copy = *byte);
    // SAFETY: no encoding looks at more than the first four bytes to tell a character's length.
    let length = unsafe { pg_encoding_mblen(encoding(), start.as_ptr().cast()) };
    usize::try_from(length).unwrap_or(1).clamp(1, text.len().max(1))
}

/// A character of that many bytes which most other encodings have too: section sign, ellipsis, lock; in the encodings of
/// East Asia what takes their place.
fn filler(length: usize) -> Option<&'static [u8]> {
    const EUC_JP: c_int = pg_enc::PG_EUC_JP as c_int;
    const EUC_JIS_2004: c_int = pg_enc::PG_EUC_JIS_2004 as c_int;
    const EUC_CN: c_int = pg_enc::PG_EUC_CN as c_int;
    const EUC_KR: c_int = pg_enc::PG_EUC_KR as c_int;
    const EUC_TW: c_int = pg_enc::PG_EUC_TW as c_int;
    const UTF8: c_int = pg_enc::PG_UTF8 as c_int;
    match (encoding(), length) {
        (_, 1) => Some(b"*"),
        (UTF8, 2) => Some("§".as_bytes()),
        (UTF8, 3) => Some("…".as_bytes()),
        (UTF8, 4) => Some("🔒".as_bytes()),
        (EUC_JP | EUC_JIS_2004, 2) => Some(b"\xa1\xf8"),
        (EUC_JP | EUC_JIS_2004, 3) => Some(b"\x8f\xb0\xa1"),
        (EUC_CN, 2) => Some(b"\xa1\xec"),
        (EUC_KR, 2) => Some(b"\xa1\xd7"),
        (EUC_TW, 2) => Some(b"\xa1\xf0"),
        (EUC_TW, 4) => Some(b"\x8e\xa2\xa1\xa1"),
        _ => None,
    }
}
