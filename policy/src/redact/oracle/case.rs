//! A text with what must become of it.

use std::ops::Range;

use super::encoding::Encoding;
use super::maker::{Knowledge, Maker};
use super::source::Source;
use super::text::Text;
use crate::redact::{Kind, Strings};

/// What is claimed of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The values are hidden, and nothing else but what is loose.
    Exact,
    /// The values are not shown.
    Hidden,
    /// Nothing but that it is taken, and that lengths stay.
    Taken,
}

/// A text with what must become of it.
#[derive(Debug)]
pub struct Case {
    pub text: Vec<u8>,
    pub kind: Kind,
    pub strings: Strings,
    pub encoding: Encoding,
    pub knowledge: Knowledge,
    pub claim: Claim,
    /// Where the values stand, in their order. Nothing in an exact case.
    pub hidden: Vec<Range<usize>>,
    /// Where more may be hidden.
    pub loose: Vec<Range<usize>>,
    /// What must not be shown: the values as they would be stored, and as they are written.
    pub unseen: Vec<Vec<u8>>,
    /// The values as they would be stored.
    pub values: Vec<Vec<u8>>,
    /// Whether it calls one of our functions.
    pub calls: bool,
}

/// Values shorter than this can stand in a text by chance.
const TELLING: usize = 6;

impl Case {
    pub fn make(source: &mut Source<'_>) -> Self {
        let sort = source.below(24);
        let mut maker = Maker::new(source);
        match sort {
            0..=2 => Self::exact(&maker.script(), maker, Kind::Statement),
            3..=5 => {
                let depth = 1 + maker.source.below(3);
                Self::exact(&maker.nested(depth), maker, Kind::Statement)
            }
            6 => Self::exact(&maker.in_comment(), maker, Kind::Statement),
            7..=9 => Self { calls: true, ..Self::exact(&maker.call(), maker, Kind::Statement) },
            10 | 11 => Self::of(&maker.broken(), maker, Kind::Statement, Claim::Hidden),
            12 | 13 => Self::of(&maker.pieced(), maker, Kind::Statement, Claim::Hidden),
            14 => Self::of(&maker.execution(), maker, Kind::Arguments, Claim::Hidden),
            15..=17 => Self::of(&maker.message(), maker, Kind::Message, Claim::Hidden),
            18 => Self::exact(&maker.plain_message(), maker, Kind::Message),
            19 => Self::of(&maker.tree(), maker, Kind::Message, Claim::Hidden),
            20 => Self::arbitrary(maker),
            21 => Self::cut(maker),
            _ => Self::corrupted(maker),
        }
    }

    pub fn exact(text: &Text, maker: Maker<'_, '_>, kind: Kind) -> Self {
        // Where nothing is known every word may be the name of a secret.
        let claim = if maker.knowledge == Knowledge::Nothing { Claim::Hidden } else { Claim::Exact };
        Self::of(text, maker, kind, claim)
    }

    pub fn of(text: &Text, maker: Maker<'_, '_>, kind: Kind, claim: Claim) -> Self {
        let mut hidden = text.hidden.clone();
        hidden.sort_by_key(|range| range.start);
        let written = hidden.iter().map(|range| text.bytes[range.clone()].to_vec());
        let unseen = written.chain(maker.canaries.iter().cloned());
        let mut case = Self {
            unseen: unseen.collect(),
            text: text.bytes.clone(),
            kind,
            strings: maker.strings,
            encoding: maker.encoding,
            knowledge: maker.knowledge,
            claim,
            hidden,
            loose: text.loose.clone(),
            values: maker.canaries,
            calls: false,
        };
        case.keep_what_tells();
        case
    }

    /// Leaves out what stands elsewhere in the text too.
    fn keep_what_tells(&mut self) {
        let outside = super::check::segments(&self.text, &self.hidden).concat();
        self.unseen.retain(|value| value.len() >= TELLING && memchr::memmem::find(&outside, value).is_none());
    }

    fn arbitrary(maker: Maker<'_, '_>) -> Self {
        let text = Text::of(maker.source.rest());
        let kind = if text.bytes.len().is_multiple_of(2) { Kind::Statement } else { Kind::Message };
        Self::of(&text, maker, kind, Claim::Taken)
    }

    /// A statement that ends somewhere.
    fn cut(mut maker: Maker<'_, '_>) -> Self {
        let depth = maker.source.below(3);
        let text = maker.nested(depth);
        let at = maker.source.below(text.bytes.len().clamp(1, 65_536));
        let mut case = Self::of(&text, maker, Kind::Statement, Claim::Hidden);
        case.text.truncate(at);
        case
    }

    /// A statement with one byte changed, added or left out. It still has a word that makes the redactor look.
    fn corrupted(mut maker: Maker<'_, '_>) -> Self {
        // With those of a policy a misspelled name is a public one.
        if maker.knowledge == Knowledge::Policy {
            maker.knowledge = Knowledge::Packs;
        }
        // An escape whose quotes are gone means nothing that anybody could tell. Where quotes are what changes, they may
        // come in pairs again by chance; but not in statements without others.
        maker.plain = true;
        maker.tame = maker.source.once_in(2);
        maker.simple = maker.tame;
        let depth = if maker.tame { 0 } else { maker.source.below(3) };
        let text = maker.nested(depth);
        let at = maker.source.below(text.bytes.len().clamp(1, 65_536));
        let way = maker.source.below(3);
        let byte =
            if maker.source.once_in(2) { maker.source.byte() } else { maker.source.pick(b"'\"\\$(),;-/*= E&U{}:x0\n") };
        let quotes = |byte: u8| b"'\"$\\/*- \t\r\n".contains(&byte);
        let next = text.bytes.get(at + 1).copied().unwrap_or_default();
        let is_free = maker.tame
            || !(is_in_tag(&text.bytes, at) || quotes(text.bytes[at]) || quotes(next) || way < 2 && quotes(byte));
        let mut case = Self::of(&text, maker, Kind::Statement, if is_free { Claim::Hidden } else { Claim::Taken });
        match way {
            0 => case.text[at] = byte,
            1 => case.text.insert(at, byte),
            _ => drop(case.text.remove(at)),
        }
        if !is_looked_at(&case.text) {
            case.claim = Claim::Taken;
        }
        case
    }
}

/// Whether a byte stands in what may be the tag of a dollar quote.
fn is_in_tag(text: &[u8], at: usize) -> bool {
    let belongs = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || !byte.is_ascii();
    let before = text[..at].iter().rev().find(|byte| !belongs(byte));
    let after = text[at..].iter().find(|byte| !belongs(byte));
    before == Some(&b'$') && after == Some(&b'$')
}

/// Whether a text has one of the words that options are near of.
fn is_looked_at(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    ["option", "mapping"].iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}
