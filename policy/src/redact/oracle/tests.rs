//! The redactor held against what arbitrary bytes choose.

use proptest::collection::vec;
use proptest::prelude::*;

use super::try_bytes;

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_redactor_does_what_the_oracle_says(bytes in vec(any::<u8>(), 0..400)) {
        try_bytes(&bytes).map_err(TestCaseError::fail)?;
    }
}

#[test]
#[ignore = "temporary"]
fn dump() {
    use std::io::Write;
    let mut out = std::fs::File::create("/tmp/fuzz_dump.txt").unwrap();
    let mut x: u64 = 88172645463325252;
    let mut n = 0;
    while n < 1500 {
        let bytes: Vec<u8> = (0..300)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x >> 24) as u8
            })
            .collect();
        let case = super::Case::make(&mut super::Source::new(&bytes));
        if case.claim == super::case::Claim::Exact && case.kind == crate::redact::Kind::Statement {
            n += 1;
            let hex: String = case.text.iter().map(|b| format!("{b:02x}")).collect();
            writeln!(out, "{:?} {:?} {hex}", case.strings, case.encoding).unwrap();
        }
    }
}

#[test]
#[ignore = "temporary"]
fn survey() {
    let wanted: usize = std::env::var("WANTED").ok().and_then(|w| w.parse().ok()).unwrap_or(10);
    let mut x: u64 = std::env::var("SEED").ok().and_then(|w| w.parse().ok()).unwrap_or(88172645463325252);
    let mut found = std::collections::BTreeSet::new();
    let mut failed = 0;
    let total = 60000;
    for _ in 0..total {
        let mut bytes: Vec<u8> = (0..300).map(|_| { x ^= x << 13; x ^= x >> 7; x ^= x << 17; (x >> 24) as u8 }).collect();
        let run = |b: &[u8]| std::panic::catch_unwind(|| try_bytes(b)).unwrap_or_else(|_| Err("panic".to_owned()));
        let Err(_) = run(&bytes) else { continue };
        failed += 1;
        if found.len() >= wanted { continue }
        loop {
            let before = bytes.clone();
            let mut step = bytes.len();
            while step > 0 {
                let mut at = 0;
                while at < bytes.len() {
                    let mut shorter = bytes.clone();
                    shorter.drain(at..(at + step).min(bytes.len()));
                    if run(&shorter).is_err() { bytes = shorter } else { at += step }
                }
                step /= 2;
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 2, 3, 4, 5] {
                    if bytes[at] > value {
                        let mut simpler = bytes.clone();
                        simpler[at] = value;
                        if run(&simpler).is_err() { bytes = simpler; break }
                    }
                }
            }
            if bytes == before { break }
        }
        let fault = run(&bytes).unwrap_err();
        if found.insert(fault.clone()) { println!("=== {bytes:?}\n{fault}") }
    }
    println!("FAILED {failed} of {total}");
}
