//! Verifiers of former secrets: what PostgreSQL keeps of a password, salted and iterated (auth-scram.c). A value can be held
//! against one, and not be read from it.

use crate::ffi::memory::Scratch;
use crate::ffi::{text, version};
use pgrx::pg_sys::{self, Datum};
use std::ffi::{CStr, c_char};

// libpq/scram.h, which pgrx does not bind.
unsafe extern "C-unwind" {
    fn pg_be_scram_build_secret(password: *const c_char) -> *mut c_char;
    fn scram_verify_plain_password(user: *const c_char, password: *const c_char, secret: *const c_char) -> bool;
}

/// As many iterations as PostgreSQL itself takes unless it is told otherwise.
const ITERATIONS: i32 = 4096;

/// What is kept of a value.
pub fn of(value: &str) -> String {
    let _scratch = Scratch::new();
    let _iterations = version::ScramIterations::set(ITERATIONS);
    let password = password(value);
    // SAFETY: the password is a C string; the answer is one in the current memory context. An error of PostgreSQL's becomes
    // a panic, so that the guards above are dropped.
    unsafe { text::from_server(pg_sys::ffi::pg_guard_ffi_boundary(|| pg_be_scram_build_secret(password))) }
}

/// Whether it is a verifier of that value.
pub fn is_of(verifier: &str, value: &str) -> bool {
    let _scratch = Scratch::new();
    let (password, verifier) = (password(value), text::to_server_name(verifier));
    // SAFETY: all three are C strings; what is no verifier is told to the server's log, with the name that stands for a user.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| scram_verify_plain_password(c"fdw_guard".as_ptr(), password, verifier))
    }
}

/// Bytes of a value that are taken as they are, which is as much as one block of the hash holds.
const BLOCK: usize = 64;

/// The value, or for a longer one its hash: it would be hashed in each iteration.
fn password(value: &str) -> *const c_char {
    let plain = text::to_server_name(value);
    // SAFETY: the text is a C string.
    let bytes = unsafe { CStr::from_ptr(plain) }.to_bytes();
    if bytes.len() <= BLOCK { plain } else { text::copied(hash(plain).as_bytes()) }
}

fn hash(plain: *const c_char) -> String {
    // SAFETY: a text is laid out as a bytea, which sha256 takes and gives.
    let digest = unsafe {
        let value = Datum::from(pg_sys::cstring_to_text(plain));
        let digest = pgrx::direct_function_call_as_datum(pg_sys::sha256_bytea, &[Some(value)]);
        digest.map(|digest| crate::ffi::tuple::bytes_of(digest).to_vec()).unwrap_or_default()
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
