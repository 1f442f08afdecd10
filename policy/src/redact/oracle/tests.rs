//! The redactor held against what arbitrary bytes choose, and against texts that are made to take long.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use super::{Encoding, Knowledge, try_bytes};
use crate::redact::{Kind, Redactor, Strings};

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_redactor_does_what_the_oracle_says(bytes in vec(any::<u8>(), 0..400)) {
        try_bytes(&bytes).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn no_text_is_too_odd(
        pieces in vec(proptest::sample::select(ODD.to_vec()), 0..60),
        strings in proptest::sample::select(vec![Strings::Standard, Strings::Escaping]),
        kind in proptest::sample::select(KINDS.to_vec()),
    ) {
        take(pieces.concat().as_bytes(), strings, kind);
    }
}

const KINDS: [Kind; 3] = [Kind::Statement, Kind::Message, Kind::Arguments];

/// Pieces of SQL that do not fit together.
const ODD: [&str; 40] = [
    "'",
    "\"",
    "$",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    "\\",
    "E'",
    "U&'",
    "U&\"",
    "UESCAPE '!'",
    "N'",
    "(",
    ")",
    ",",
    ";",
    "=",
    "%L",
    "$1",
    "{",
    "}",
    ":",
    " ",
    "é",
    "OPTIONS",
    "OPTIONS (",
    "password",
    "SET",
    "ALTER USER MAPPING ",
    "SERVER s ",
    "DO ",
    "set_server_options(",
    "rotate_secret(",
    "options =>",
    "{\"password\": \"x\"}",
    "0",
    "null",
];

fn take(text: &[u8], strings: Strings, kind: Kind) {
    Knowledge::Packs.with_names(|names| {
        let found = Redactor::new(names, strings).find(text, kind).unwrap();
        let kept = found.keeping_length(text, &Encoding::Utf8.characters()).unwrap();
        assert_eq!(kept.len(), text.len());
        found.with_stars(text).unwrap();
        found.secrets().hide_in(text).unwrap();
    });
}

/// Processor time of this thread: what else runs on the machine does not count.
fn clock() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// The time that reading it takes, at best.
fn time(text: &str, strings: Strings, kind: Kind) -> Duration {
    Knowledge::Packs.with_names(|names| {
        let once = || {
            let start = clock();
            std::hint::black_box(Redactor::new(names, strings).find(text.as_bytes(), kind).unwrap());
            clock() - start
        };
        (0..3).map(|_| once()).min().unwrap()
    })
}

/// Texts of which each part could make a reader go back to the beginning or on to the end.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = ODD.iter().map(|piece| piece.repeat(SIZE / piece.len())).collect();
    let twice = ODD.iter().flat_map(|one| ["'", "/*", "("].map(|other| format!("{one}{other}")));
    texts.extend(twice.map(|pair| pair.repeat(SIZE / pair.len())));
    texts.extend(["DO $", "SELECT '", "(", "/*"].map(|start| {
        let nested: String = (0..SIZE / 8).map(|number| format!("{start}{number}$ ")).collect();
        nested.chars().take(SIZE).collect()
    }));
    texts.push((0..SIZE / 24).map(|number| format!("OPTIONS (password '{number}')")).collect());
    texts.push((0..SIZE / 24).map(|number| format!("OPTIONS (password $${number}$$")).collect());
    texts
}

const SIZE: usize = 1 << 14;

/// Twice the text takes twice the time. Eight times as much takes 64 times as long where each byte goes back to the
/// beginning; something else may run on the machine.
#[test]
fn time_is_linear_in_length() {
    for unit in hostile() {
        for (strings, kind) in [(Strings::Standard, Kind::Statement), (Strings::Escaping, Kind::Message)] {
            let start = "ALTER USER MAPPING OPTIONS (SET password ";
            let (text, longer) = (format!("{start}{unit}"), format!("{start}{}", unit.repeat(8)));
            let is_linear =
                || time(&longer, strings, kind) < 40 * time(&text, strings, kind) + Duration::from_millis(20);
            let shown: String = unit.chars().take(20).collect();
            assert!((0..5).any(|_| is_linear()), "{strings:?}, {kind:?}: {shown}");
        }
    }
}

/// Texts in which each part could make a reader look ahead to the end, or break off again: no part is like another.
const COUNTED: [fn(usize) -> String; 13] = [
    |number| format!("option $a{number}$ "),
    |number| format!("password $a{number}$ "),
    |number| format!("U&\"a{number}\" $b{number}$ "),
    |number| format!("set_server_options $a{number}$ "),
    |number| format!("option /* {number} "),
    |number| format!("'OPTIONS (x{number} ' y "),
    |number| format!("SELECT $a{number}$ OPTIONS (x ' $a{number}$ y "),
    |number| format!("rotate_secret('a', 'b{number}' x "),
    |number| format!("DO $a{number}$ BEGIN EXECUTE 'OPTIONS (password ''{number}'')' "),
    |number| format!("EXECUTE format('OPTIONS (password %L)', '{number}', "),
    |number| format!("'OPTIONS (password ''{number}'')' alter "),
    |number| format!("OPTIONS (a{number} 'b' /* password 'x' */, "),
    |number| format!("OPTIONS /* ({number} "),
];

/// As [`time_is_linear_in_length`].
#[test]
fn time_is_linear_in_texts_that_look_ahead() {
    for part in COUNTED {
        let text = |count: usize| (0..count).map(part).collect::<String>();
        let (short, long) = (text(1 << 10), text(1 << 13));
        for kind in KINDS {
            let of = |text: &str| time(text, Strings::Standard, kind);
            let is_linear = || of(&long) < 40 * of(&short) + Duration::from_millis(20);
            assert!((0..5).any(|_| is_linear()), "{kind:?}: {}", part(0));
        }
    }
}

#[test]
fn a_megabyte_is_read_in_seconds() {
    for unit in
        ["OPTIONS (password '1'); ", "DO 'EXECUTE ''OPTIONS(password ''''x'''')''';", "/*/* option", "$a$ option "]
    {
        let text = unit.repeat((1 << 20) / unit.len());
        let took = time(&text, Strings::Standard, Kind::Statement);
        assert!(took < Duration::from_secs(10), "{took:?}: {unit}");
    }
}
