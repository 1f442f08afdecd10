//! Every way to write a literal or a name.

use super::encoding::Encoding;
use super::maker::Maker;
use super::text::{Text, Written};
use crate::redact::Strings;

/// A way to write a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `'…'`
    Plain,
    /// `E'…'`
    Escape,
    /// `$tag$…$tag$`
    Dollar,
    /// `U&'…' UESCAPE '…'`
    Unicode,
}

const SPELLINGS: [Spelling; 5] =
    [Spelling::Plain, Spelling::Plain, Spelling::Escape, Spelling::Dollar, Spelling::Unicode];

/// Tags of dollar quotes; the last never fails to be one that does not stand in the text.
const TAGS: [&str; 6] = ["", "a", "_1", "Body", "function", "é"];

/// What may stand where a literal goes on in the next line.
const BREAKS: [&str; 6] = ["\n", "\n  ", " \n\t", "\n-- it's\n", " -- \"more\"\n ", "\r\n"];

impl Maker<'_, '_> {
    /// The text as a literal of any spelling that can be one here.
    pub fn literal(&mut self, content: &Text) -> Text {
        let spelling = if self.tame { Spelling::Plain } else { self.source.pick(&SPELLINGS) };
        self.spelled(content, spelling)
    }

    pub fn spelled(&mut self, content: &Text, spelling: Spelling) -> Text {
        match spelling {
            // With standard_conforming_strings off it is refused.
            Spelling::Unicode if self.strings == Strings::Standard && !self.plain => self.unicode(content, b'\''),
            Spelling::Dollar => self.dollar(content),
            Spelling::Escape => self.quoted(content, true),
            _ => self.quoted(content, false),
        }
    }

    fn quoted(&mut self, content: &Text, marked: bool) -> Text {
        let escaping = marked || self.strings == Strings::Escaping;
        let continued = !self.tame && self.source.once_in(6);
        let mut first = true;
        let encoding = self.encoding;
        let inside = content.rewritten(encoding, |character, hidden| {
            // Nobody breaks a word of nested SQL in two.
            let may_break = continued && !std::mem::take(&mut first) && (hidden || character == b" " && !self.plain);
            let before = if may_break { self.line_break() } else { Vec::new() };
            let character = if escaping { self.escaped(character, hidden) } else { doubled(character, b'\'') };
            Written { before, character }
        });
        let mut text = Text::of(match (marked, self.source.once_in(4)) {
            (true, true) => "e'",
            (true, false) => "E'",
            (false, _) => "'",
        });
        text.append(&inside);
        text.push("'");
        text
    }

    fn line_break(&mut self) -> Vec<u8> {
        if self.source.once_in(6) { format!("'{}'", self.source.pick(&BREAKS)).into_bytes() } else { Vec::new() }
    }

    /// A character of a literal in which backslashes escape. Letters outside values stay: whoever writes SQL in a literal
    /// can be expected not to write it letter by letter.
    fn escaped(&mut self, character: &[u8], hidden: bool) -> Vec<u8> {
        let free =
            hidden || !(self.plain || character[0].is_ascii_alphanumeric() || matches!(character[0], b'&' | b'_'));
        if free && self.source.once_in(8) {
            return self.number_escape(character);
        }
        match character {
            b"\\" => b"\\\\".to_vec(),
            b"'" => self.source.pick(&[b"''", b"\\'"]).to_vec(),
            b"\n" if !self.plain => self.source.pick(&[b"\n".as_slice(), b"\\n"]).to_vec(),
            b"\"" | b"$" | b"-" if !self.plain && self.source.once_in(4) => [b"\\", character].concat(),
            _ => character.to_vec(),
        }
    }

    fn number_escape(&mut self, character: &[u8]) -> Vec<u8> {
        let way = self.source.below(4);
        let code = code_of(character, self.encoding).filter(|_| way > 1);
        let text = match (code, way) {
            (Some(code), 2) if code < 0x10000 => format!("\\u{code:04x}"),
            (Some(code), _) => format!("\\U{code:08X}"),
            (None, 0) => character.iter().map(|byte| format!("\\{byte:03o}")).collect(),
            (None, _) => character.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
        };
        text.into_bytes()
    }

    fn unicode(&mut self, content: &Text, quote: u8) -> Text {
        let mark = self.source.pick(b"\\\\!#@/");
        let encoding = self.encoding;
        let often = self.source.pick(&[8, 2]);
        let inside = content.rewritten(encoding, |character, _| {
            let code = code_of(character, encoding).filter(|_| self.source.once_in(often));
            let character = match code {
                Some(code) if code < 0x10000 && !self.source.once_in(3) => {
                    format!("{}{code:04X}", mark as char).into_bytes()
                }
                Some(code) => format!("{}+{code:06x}", mark as char).into_bytes(),
                None if character == [mark] => vec![mark, mark],
                None => doubled(character, quote),
            };
            Written { before: Vec::new(), character }
        });
        let mut text = Text::of([self.source.pick(b"Uu"), b'&', quote]);
        text.append(&inside);
        text.push([quote]);
        if mark != b'\\' {
            text.push(self.gap());
            text.push(self.cased("UESCAPE"));
            text.push(self.gap());
            text.push([b'\'', mark, b'\'']);
        }
        text
    }

    /// In dollar quotes whose tag does not stand in the text.
    fn dollar(&mut self, content: &Text) -> Text {
        let first = self.source.below(TAGS.len());
        let tags = TAGS.iter().cycle().skip(first).take(TAGS.len()).map(|tag| (*tag).to_owned());
        let unusual = (0..).map(|number| format!("t{number}"));
        let fits = |tag: &String| {
            let end = format!("${tag}$").into_bytes();
            let whole = [content.bytes.as_slice(), &end].concat();
            memchr::memmem::find(&whole, &end) == Some(content.bytes.len())
        };
        let tag = tags.chain(unusual).find(fits).unwrap_or_default();
        let mut text = Text::of(format!("${tag}$"));
        text.append(content);
        text.push(format!("${tag}$"));
        text
    }

    /// The name of an option, an object or a function.
    pub fn name(&mut self, name: &str) -> Text {
        match self.source.below(8) {
            5 => Text::of(format!("\"{name}\"")),
            6 if self.strings == Strings::Standard && !self.plain => self.unicode(&Text::of(name), b'"'),
            7 => Text::of(self.cased(name)),
            _ => Text::of(name),
        }
    }
}

fn doubled(character: &[u8], quote: u8) -> Vec<u8> {
    if character == [quote] { vec![quote, quote] } else { character.to_vec() }
}

/// The character's number in Unicode, where an escape by it means the same.
fn code_of(character: &[u8], encoding: Encoding) -> Option<u32> {
    match (character, encoding) {
        ([byte], _) if byte.is_ascii() => Some(u32::from(*byte)),
        (_, Encoding::Utf8) => std::str::from_utf8(character).ok()?.chars().next().map(u32::from),
        _ => None,
    }
}
