//! Encodings of a database, as far as texts are concerned.

use crate::redact::Characters;

/// One of every sort: several bytes a character, one, and several in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Latin1,
    EucJp,
}

impl Encoding {
    pub const ALL: [Self; 3] = [Self::Utf8, Self::Latin1, Self::EucJp];

    pub fn characters(self) -> Characters {
        match self {
            Self::Utf8 => Characters { length: utf8_length, filler: utf8_filler },
            Self::Latin1 => Characters { length: |_| 1, filler: one_byte },
            Self::EucJp => Characters { length: euc_jp_length, filler: euc_jp_filler },
        }
    }

    /// Characters that are not ASCII.
    pub fn letters(self) -> [&'static [u8]; 3] {
        match self {
            Self::Utf8 => ["é".as_bytes(), "鍵".as_bytes(), "🔑".as_bytes()],
            Self::Latin1 => [b"\xe9", b"\xdf", b"\xa7"],
            Self::EucJp => [b"\xa4\xa2", b"\x8e\xb1", b"\x8f\xb0\xa2"],
        }
    }

    pub fn count(self, text: &[u8]) -> usize {
        let (mut count, mut rest) = (0, text);
        while !rest.is_empty() {
            rest = &rest[(self.characters().length)(rest)..];
            count += 1;
        }
        count
    }
}

fn one_byte(length: usize) -> Option<&'static [u8]> {
    (length == 1).then_some(b"*")
}

fn utf8_length(text: &[u8]) -> usize {
    let length = match text.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    length.clamp(1, text.len().max(1))
}

fn utf8_filler(length: usize) -> Option<&'static [u8]> {
    match length {
        1 => Some(b"*"),
        2 => Some("§".as_bytes()),
        3 => Some("…".as_bytes()),
        4 => Some("🔒".as_bytes()),
        _ => None,
    }
}

fn euc_jp_length(text: &[u8]) -> usize {
    let length = match text.first() {
        Some(0x8f) => 3,
        Some(0x8e | 0xa0..=0xff) => 2,
        _ => 1,
    };
    length.clamp(1, text.len().max(1))
}

fn euc_jp_filler(length: usize) -> Option<&'static [u8]> {
    match length {
        1 => Some(b"*"),
        2 => Some(b"\xa1\xf8"),
        3 => Some(b"\x8f\xb0\xa1"),
        _ => None,
    }
}
