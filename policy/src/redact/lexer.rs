//! The tokens of SQL, as PostgreSQL's scan.l finds them, with the places where they stand.
//!
//! In every server encoding a byte below 128 is the character that it is in ASCII, so that bytes are all that is needed.

use super::Strings;
use super::meter::Meter;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A keyword or an identifier without quotes.
    Word,
    /// An identifier in double quotes; whether it has Unicode escapes.
    Name {
        unicode: bool,
    },
    Literal(Spelling),
    Number,
    /// `$1`
    Parameter,
    Comment,
    Symbol(u8),
}

/// How a literal is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `'…'`, in which only a quote is doubled.
    Plain,
    /// `E'…'`, and `'…'` if `standard_conforming_strings` is off.
    Escaping,
    /// The same in a statement that is a string of JSON or YAML, where each backslash is written as two.
    EscapingTwice,
    /// `U&'…'`
    Unicode,
    /// `$tag$…$tag$`
    Dollar,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    pub class: Class,
    pub start: usize,
    pub end: usize,
    /// Between the quotes, of what has some.
    pub inside: (usize, usize),
    /// Whether its end was found before that of the text.
    pub closed: bool,
}

/// Gives one token after the other.
#[derive(Debug, Clone, Copy)]
pub struct Lexer<'a> {
    pub text: &'a [u8],
    pub place: usize,
    pub strings: Strings,
    /// The text is prose around SQL: double quotes are around statements, and say nothing.
    pub prose: bool,
    /// Whether literals and comments are read as such; off in prose, where an apostrophe begins nothing.
    pub reads_literals: bool,
    /// What is prose around the statement has it as a string of JSON or YAML.
    pub in_string: bool,
    pub meter: &'a Meter,
}

/// What stands before a statement in a plan that auto_explain writes as JSON or YAML.
const STRINGS: [&[u8]; 2] = [b"\"Query Text\": \"", b"Query Text: \""];

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], strings: Strings, prose: bool, meter: &'a Meter) -> Self {
        let in_string = prose && STRINGS.iter().any(|before| memchr::memmem::find(text, before).is_some());
        Self { text, place: 0, strings, prose, reads_literals: !prose, in_string, meter }
    }

    fn byte(&self, place: usize) -> u8 {
        self.text.get(place).copied().unwrap_or_default()
    }

    fn rest(&self, place: usize) -> &'a [u8] {
        self.text.get(place..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        if !self.prose {
            self.place += self.rest(self.place).iter().take_while(|byte| is_space(**byte)).count();
            return;
        }
        let blank = |byte: &u8| is_space(*byte) || *byte == b'"';
        loop {
            self.place += self.rest(self.place).iter().take_while(|byte| blank(byte)).count();
            match escape_length(self.rest(self.place)) {
                None => return,
                Some(length) => self.place += length,
            }
        }
    }

    fn token(&self) -> Token {
        let start = self.place;
        let (first, second) = (self.byte(start), self.byte(start + 1));
        let unicode = matches!(first, b'u' | b'U') && second == b'&';
        if unicode && self.byte(start + 2) == b'"' {
            return self.name(start, start + 3, true);
        }
        if self.reads_literals
            && let Some(token) = self.literal(start)
        {
            return token;
        }
        match first {
            b'"' => self.name(start, start + 1, false),
            _ if is_letter(first) => self.word(start),
            b'0'..=b'9' => self.run(Class::Number, start, |byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte)),
            b'$' if second.is_ascii_digit() => {
                self.run(Class::Parameter, start + 1, |byte| byte.is_ascii_digit()).from(start)
            }
            _ => Token { class: Class::Symbol(first), start, end: start + 1, inside: (start, start), closed: true },
        }
    }

    /// A literal or a comment, if one begins there.
    fn literal(&self, start: usize) -> Option<Token> {
        let (first, second) = (self.byte(start), self.byte(start + 1));
        let escaping = if self.in_string { Spelling::EscapingTwice } else { Spelling::Escaping };
        let plain = if self.strings == Strings::Standard { Spelling::Plain } else { escaping };
        match (first, second) {
            (b'\'', _) => Some(self.quoted(plain, start, start + 1)),
            (b'e' | b'E', b'\'') => Some(self.quoted(escaping, start, start + 2)),
            (b'n' | b'N', b'\'') => Some(self.quoted(plain, start, start + 2)),
            (b'b' | b'B' | b'x' | b'X', b'\'') => Some(self.quoted(Spelling::Plain, start, start + 2)),
            (b'u' | b'U', b'&') if self.byte(start + 2) == b'\'' => {
                Some(self.quoted(Spelling::Unicode, start, start + 3))
            }
            (b'$', _) => self.dollar(start),
            (b'-', b'-') => Some(self.line_comment(start)),
            (b'/', b'*') => Some(self.block_comment(start)),
            _ => None,
        }
    }

    fn word(&self, start: usize) -> Token {
        self.run(Class::Word, start, |byte| has(byte, OF_WORD))
    }

    fn run(&self, class: Class, start: usize, belongs: impl Fn(u8) -> bool) -> Token {
        let end = start + self.rest(start).iter().take_while(|byte| belongs(**byte)).count();
        Token { class, start, end, inside: (start, end), closed: true }
    }

    fn until(&self, class: Class, start: usize, inside: (usize, usize), end: Option<usize>) -> Token {
        Token { class, start, end: end.unwrap_or(self.text.len()), inside, closed: end.is_some() }
    }

    fn name(&self, start: usize, open: usize, unicode: bool) -> Token {
        let mut place = open;
        let close = loop {
            match memchr::memchr(b'"', self.rest(place)) {
                None => break None,
                Some(found) if self.byte(place + found + 1) == b'"' && !self.prose => place += found + 2,
                Some(found) => break Some(place + found),
            }
        };
        let inside = (open, close.unwrap_or(self.text.len()));
        self.until(Class::Name { unicode }, start, inside, close.map(|close| close + 1))
    }

    fn quoted(&self, spelling: Spelling, start: usize, open: usize) -> Token {
        let mut place = open;
        let close = loop {
            place = match self.next_part_end(spelling, place) {
                None => break None,
                Some(close) => match continuation(self.text, close + 1) {
                    None => break Some(close),
                    Some(next) => next,
                },
            };
        };
        let inside = (open, close.unwrap_or(self.text.len()));
        self.until(Class::Literal(spelling), start, inside, close.map(|close| close + 1))
    }

    fn next_part_end(&self, spelling: Spelling, from: usize) -> Option<usize> {
        part_end(self.text, spelling, from)
    }

    fn dollar(&self, start: usize) -> Option<Token> {
        let first = self.byte(start + 1);
        let tag = if is_letter(first) {
            let belongs = |byte: &u8| is_letter(*byte) || byte.is_ascii_digit();
            self.rest(start + 1).iter().take_while(|byte| belongs(byte)).count()
        } else {
            0
        };
        let open = start + 1 + tag;
        if self.byte(open) != b'$' {
            return None;
        }
        let delimiter = self.text.get(start..=open).unwrap_or_default();
        let close = memchr::memmem::find(self.rest(open + 1), delimiter).map(|found| open + 1 + found);
        let inside = (open + 1, close.unwrap_or(self.text.len()));
        Some(self.until(Class::Literal(Spelling::Dollar), start, inside, close.map(|close| close + delimiter.len())))
    }

    fn line_comment(&self, start: usize) -> Token {
        let mut end = start + self.rest(start).iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
        if self.prose {
            let line = self.text.get(start..end).unwrap_or_default();
            end = memchr::memmem::find(line, b"\\n").map_or(end, |length| start + length);
        }
        Token { class: Class::Comment, start, end, inside: (start + 2, end), closed: true }
    }

    fn block_comment(&self, start: usize) -> Token {
        let (mut depth, mut place) = (1, start + 2);
        while depth > 0 {
            let Some(found) = memchr::memchr2(b'/', b'*', self.rest(place)) else {
                return self.until(Class::Comment, start, (start + 2, self.text.len()), None);
            };
            place += found;
            let step = match (self.byte(place), self.byte(place + 1)) {
                (b'/', b'*') => 1,
                (b'*', b'/') => -1,
                _ => 0,
            };
            depth += step;
            place += if step == 0 { 1 } else { 2 };
        }
        self.until(Class::Comment, start, (start + 2, place - 2), Some(place))
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    /// The next token; none when the text may be read no longer.
    fn next(&mut self) -> Option<Token> {
        let before = self.place;
        self.skip_space();
        if self.place >= self.text.len() || self.meter.halt().is_some() {
            return None;
        }
        let token = self.token();
        self.place = token.end;
        self.meter.spend(token.end - before);
        Some(token)
    }
}

impl Token {
    fn from(self, start: usize) -> Self {
        Self { start, ..self }
    }

    pub fn is_symbol(&self, byte: u8) -> bool {
        self.class == Class::Symbol(byte)
    }
}

/// The quote that ends the part of a literal that begins there.
pub fn part_end(text: &[u8], spelling: Spelling, from: usize) -> Option<usize> {
    let mut place = from;
    loop {
        let rest = text.get(place..)?;
        let escapes = matches!(spelling, Spelling::Escaping | Spelling::EscapingTwice);
        let found = if escapes { memchr::memchr2(b'\'', b'\\', rest) } else { memchr::memchr(b'\'', rest) };
        let at = place + found?;
        place = match (text.get(at), text.get(at + 1), text.get(at + 2)) {
            (Some(b'\\'), Some(b'\\'), Some(b'\\')) if spelling == Spelling::EscapingTwice => at + 4,
            (Some(b'\\'), Some(b'\\'), _) if spelling == Spelling::EscapingTwice => at + 3,
            (Some(b'\\'), ..) | (_, Some(b'\''), _) => at + 2,
            _ => return Some(at),
        };
    }
}

/// Where a literal goes on that seems to have ended: after a newline, and nothing else than space and comments, stands
/// another quote.
pub fn continuation(text: &[u8], from: usize) -> Option<usize> {
    let (mut place, mut lines) = (from, 0);
    loop {
        match text.get(place)? {
            b'\n' | b'\r' => lines += 1,
            byte if is_space(*byte) => {}
            b'-' if text.get(place + 1) == Some(&b'-') => {
                let comment = text.get(place..)?;
                place += comment.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
                continue;
            }
            b'\'' if lines > 0 => return Some(place + 1),
            _ => return None,
        }
        place += 1;
    }
}

/// What a byte may be, found at once.
const SPACE: u8 = 1;
/// The first byte of a word.
const LETTER: u8 = 2;
/// A later byte of a word.
const OF_WORD: u8 = 4;

#[allow(clippy::indexing_slicing, reason = "the compiler runs it, and knows")]
const TRAITS: [u8; 256] = {
    let mut traits = [0; 256];
    let mut byte = 0;
    while byte < traits.len() {
        traits[byte] = traits_of(byte as u8);
        byte += 1;
    }
    traits
};

const fn traits_of(byte: u8) -> u8 {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
        b'0'..=b'9' | b'$' => OF_WORD,
        b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER | OF_WORD,
        _ => 0,
    }
}

fn has(byte: u8, wanted: u8) -> bool {
    TRAITS.get(usize::from(byte)).is_some_and(|traits| traits & wanted != 0)
}

pub fn is_space(byte: u8) -> bool {
    has(byte, SPACE)
}

/// The length of an escape with which it begins: of what XML, JSON and YAML have in the place of white space, and of a double
/// quote.
fn escape_length(text: &[u8]) -> Option<usize> {
    match text {
        [b'\\', b'n' | b'r' | b't' | b'f' | b'b' | b'"', ..] => Some(2),
        _ => text.starts_with(b"&#x0d;").then_some(6),
    }
}

fn is_letter(byte: u8) -> bool {
    has(byte, LETTER)
}
