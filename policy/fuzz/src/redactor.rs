//! libFuzzer chooses the bytes, the oracle makes a case of them and holds the redactor against it.

#![no_main]

use fdw_guard_policy::redact::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(fault) = oracle::try_bytes(bytes) {
        panic!("{fault}");
    }
});
