//! Every way in which PostgreSQL lets a literal and an option's name be written.

use super::canary::{Canary, Encoding};

/// What a backslash means in `'…'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    Standard,
    /// `standard_conforming_strings = off`.
    Escaping,
}

/// A literal as it stands in a statement.
#[derive(Debug, Clone)]
pub struct Spelt {
    pub literal: String,
    /// Byte strings that betray the value, as well as its cores do.
    pub needles: Vec<Vec<u8>>,
}

/// A way to write a literal.
#[derive(Debug, Clone, Copy)]
pub struct Spelling {
    pub name: &'static str,
    write: fn(&str, Strings) -> Option<String>,
}

/// All of them. Where one cannot write a value, the next one is used that can.
pub const SPELLINGS: [Spelling; 15] = [
    Spelling { name: "plain", write: |value, strings| Some(quoted(value, strings)) },
    Spelling { name: "E''", write: |value, _| Some(escaped(value, |_| None)) },
    Spelling {
        name: "E'' in hexadecimal",
        write: |value, _| Some(escaped(value, |code| Some(format!("\\x{code:02x}")))),
    },
    Spelling { name: "E'' in octal", write: |value, _| Some(escaped(value, |code| Some(format!("\\{code:03o}")))) },
    Spelling { name: "E'' in \\u", write: |value, _| Some(escaped(value, |code| Some(format!("\\u{code:04x}")))) },
    Spelling { name: "U&''", write: |value, strings| unicode(value, strings, "", '\\') },
    Spelling { name: "U&'' UESCAPE", write: |value, strings| unicode(value, strings, " UESCAPE '!'", '!') },
    Spelling {
        name: "u&'' uescape far away",
        write: |value, strings| unicode(value, strings, " /* it's */ \n-- '\n uescape '!'", '!'),
    },
    Spelling { name: "$$", write: |value, _| dollars(value, "$$") },
    Spelling { name: "$tag$", write: |value, _| dollars(value, "$tag$") },
    Spelling { name: "$täg_1$", write: |value, _| dollars(value, "$t\u{e4}g_1$") },
    Spelling { name: "over lines", write: |value, strings| continued(value, strings, "\n  ") },
    Spelling {
        name: "over lines with comments",
        write: |value, strings| continued(value, strings, " -- it's \"$$\n -- /*\n\t"),
    },
    Spelling {
        name: "after a comment",
        write: |value, strings| Some(format!("/* 'a' /* $$ \" */ */ -- it's\n{}", quoted(value, strings))),
    },
    Spelling { name: "E'' over lines", write: |value, _| escaped_over_lines(value) },
];

impl Spelling {
    /// The secret written this way, or in the next way that can write it.
    pub fn of(number: usize, secret: &Canary, strings: Strings) -> (&'static str, Spelt) {
        let ways = SPELLINGS.iter().cycle().skip(number % SPELLINGS.len()).take(SPELLINGS.len());
        let written = ways.filter_map(|way| Some((way.name, (way.write)(&secret.value, strings)?))).next();
        let (name, literal) = written.unwrap_or_else(|| ("plain", quoted(&secret.value, strings)));
        (name, Spelt { needles: needles(secret, &literal), literal })
    }
}

/// What betrays the secret in a text: its cores in each encoding, each core as the literal escapes it, also where
/// backslashes are doubled, and the halves of a literal that goes over lines.
pub fn needles(secret: &Canary, literal: &str) -> Vec<Vec<u8>> {
    let mut needles: Vec<Vec<u8>> =
        secret.cores.iter().flat_map(|core| Encoding::ALL.iter().filter_map(|encoding| encoding.whole(core))).collect();
    for written in secret.cores.iter().flat_map(|core| as_escaped(core)).filter(|written| literal.contains(written)) {
        needles.push(written.replace('\\', "\\\\").into_bytes());
        needles.push(written.into_bytes());
    }
    if let Some(first) = secret.cores.first().filter(|core| !literal.contains(*core)) {
        let halves = halves(first).into_iter().flatten().filter(|half| literal.contains(half));
        needles.extend(halves.map(|half| half.as_bytes().to_vec()));
    }
    needles.sort();
    needles.dedup();
    needles
}

const ESCAPES: [fn(u32) -> String; 5] = [
    |code| format!("\\x{code:02x}"),
    |code| format!("\\{code:03o}"),
    |code| format!("\\u{code:04x}"),
    |code| format!("\\{code:04x}"),
    |code| format!("!{code:04x}"),
];

fn as_escaped(core: &str) -> Vec<String> {
    ESCAPES.iter().map(|escape| core.chars().map(|letter| escape(u32::from(letter))).collect()).collect()
}

/// `'…'`.
pub fn quoted(text: &str, strings: Strings) -> String {
    let doubled = text.replace('\'', "''");
    match strings {
        Strings::Standard => format!("'{doubled}'"),
        Strings::Escaping => format!("'{}'", doubled.replace('\\', "\\\\")),
    }
}

/// `E'…'` with the ASCII letters and digits written as `escape` says.
pub fn escaped(text: &str, escape: fn(u32) -> Option<String>) -> String {
    let write = |letter: char| match letter {
        '\'' => "\\'".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        _ if letter.is_ascii_alphanumeric() => escape(u32::from(letter)).unwrap_or_else(|| letter.to_string()),
        _ => letter.to_string(),
    };
    format!("E'{}'", text.chars().map(write).collect::<String>())
}

/// `U&'…'`, which PostgreSQL refuses where a backslash escapes.
fn unicode(text: &str, strings: Strings, uescape: &str, escape: char) -> Option<String> {
    let write = |letter: char| match letter {
        '\'' => "''".to_owned(),
        _ if letter == escape => format!("{escape}{escape}"),
        _ if letter.is_ascii_alphanumeric() => format!("{escape}{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    (strings == Strings::Standard).then(|| format!("U&'{}'{uescape}", text.chars().map(write).collect::<String>()))
}

fn dollars(text: &str, tag: &str) -> Option<String> {
    let closes_early = format!("{text}$").contains(tag);
    (!closes_early).then(|| format!("{tag}{text}{tag}"))
}

/// Cut in the middle of its first core.
fn continued(text: &str, strings: Strings, between: &str) -> Option<String> {
    let [first, second] = halves(text)?;
    Some(quoted(first, strings) + between + &quoted(second, strings))
}

fn escaped_over_lines(text: &str) -> Option<String> {
    let [first, second] = halves(text)?.map(|half| escaped(half, |_| None));
    Some(first + "\n" + second.strip_prefix('E')?)
}

/// Of a short text no half would be unlike any other.
fn halves(text: &str) -> Option<[&str; 2]> {
    let (middle, _) = text.char_indices().nth(10).filter(|_| text.chars().count() > 19)?;
    let (first, second) = text.split_at(middle);
    Some([first, second])
}

/// Ways to write the name of the option `password`.
pub const NAMES: [&str; 6] = [
    "password",
    "\"password\"",
    "PassWord",
    "U&\"\\0070assword\"",
    "U&\"!0070assword\" UESCAPE '!'",
    "/* it's */ password -- $$\n",
];

/// Names of other secret options, which are added.
pub const OTHER_NAMES: [&str; 8] = [
    "\"PassWord\"",
    "\"my password\"",
    "\"a''b secret\"",
    "\"api_key\"\"\"",
    "U&\"\\00e9 token\"",
    "access_key_\u{e9}",
    "\"password$1\"",
    "set_secret",
];

#[cfg(test)]
mod tests {
    use super::super::canary::{Letters, Mint};
    use super::*;

    #[test]
    fn each_way_writes_the_value() {
        assert_eq!(quoted("a'\\", Strings::Escaping), "'a''\\\\'");
        assert_eq!(escaped("a'\\", |code| Some(format!("\\x{code:02x}"))), "E'\\x61\\'\\\\'");
        assert_eq!(unicode("a!", Strings::Standard, "", '!').unwrap(), "U&'!0061!!'");
        assert_eq!(unicode("a", Strings::Escaping, "", '!'), None);
        assert_eq!(dollars("a$", "$$"), None);
        assert_eq!(dollars("a$t", "$t$"), None);
    }

    #[test]
    fn what_is_written_holds_a_needle() {
        let mut mint = Mint::new().unwrap();
        for number in 0..SPELLINGS.len() {
            let secret = mint.secret(Letters::Plain);
            let (name, spelt) = Spelling::of(number, &secret, Strings::Standard);
            let held = |needle: &Vec<u8>| spelt.literal.as_bytes().windows(needle.len()).any(|window| window == needle);
            assert!(spelt.needles.iter().any(held), "{name}: {spelt:?}");
        }
    }
}
