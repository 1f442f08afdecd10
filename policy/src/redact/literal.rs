//! What is written in a literal or a quoted name: the bytes that it stands for, and where each of them is written.

use super::OutOfMemory;
use super::lexer::{Class, Lexer, Spelling, Token, continuation, part_end};

/// Bytes, and where each begins in the text that they were read from; one place more than bytes, which is their end.
#[derive(Debug, Default)]
pub struct Decoded {
    pub bytes: Vec<u8>,
    pub places: Vec<u32>,
}

/// The parts of which a literal is made, each between its quotes: it may go on after a newline.
pub fn parts(text: &[u8], token: &Token) -> impl Iterator<Item = (usize, usize)> {
    let spelling = match token.class {
        Class::Literal(spelling) if spelling != Spelling::Dollar => Some(spelling),
        _ => None,
    };
    let (end, mut next) = (token.inside.1, Some(token.inside.0));
    std::iter::from_fn(move || {
        let start = next.take()?;
        let close = spelling.and_then(|spelling| part_end(text, spelling, start)).unwrap_or(end).min(end);
        if close < end {
            next = continuation(text, close + 1);
        }
        Some((start, close))
    })
}

/// Reads a literal or a quoted name.
pub fn decode(text: &[u8], token: &Token, lexer: &Lexer<'_>) -> Result<Decoded, OutOfMemory> {
    let mut decoded = Decoded::default();
    each_run(text, token, lexer, |bytes, place, is_as_written| {
        append(&mut decoded.bytes, bytes)?;
        let first = place_of(place)?;
        decoded.places.try_reserve(bytes.len() + 1).map_err(|_| OutOfMemory)?;
        decoded.places.extend((first..).take(bytes.len()).map(|place| if is_as_written { place } else { first }));
        Ok(())
    })?;
    decoded.places.try_reserve(1).map_err(|_| OutOfMemory)?;
    decoded.places.push(place_of(token.inside.1)?);
    Ok(decoded)
}

/// The same without the places.
pub fn bytes_of(text: &[u8], token: &Token, lexer: &Lexer<'_>) -> Result<Vec<u8>, OutOfMemory> {
    let mut decoded = Vec::new();
    each_run(text, token, lexer, |bytes, _, _| append(&mut decoded, bytes))?;
    Ok(decoded)
}

fn append(to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), OutOfMemory> {
    to.try_reserve(bytes.len()).map_err(|_| OutOfMemory)?;
    to.extend_from_slice(bytes);
    Ok(())
}

/// No text of PostgreSQL's has so many bytes that this would not do.
fn place_of(place: usize) -> Result<u32, OutOfMemory> {
    u32::try_from(place).map_err(|_| OutOfMemory)
}

/// Acts on bytes one after the other: what they are, where they begin, and whether they are written as they are.
fn each_run(
    text: &[u8],
    token: &Token,
    lexer: &Lexer<'_>,
    mut act: impl FnMut(&[u8], usize, bool) -> Result<(), OutOfMemory>,
) -> Result<(), OutOfMemory> {
    let escape = escape_of(token, lexer);
    let quote = match token.class {
        Class::Name { .. } => Some(b'"'),
        Class::Literal(Spelling::Dollar) => None,
        _ => Some(b'\''),
    };
    for (start, end) in parts(text, token) {
        let mut place = start;
        while let Some(rest) = text.get(place..end).filter(|rest| !rest.is_empty()) {
            let plain = quote.map_or(rest.len(), |quote| plain_length(rest, quote, escape));
            act(rest.get(..plain).unwrap_or_default(), place, true)?;
            place += plain;
            let Some(quote) = quote else { continue };
            let Some((piece, length)) = rest.get(plain..).and_then(|rest| piece(rest, quote, escape)) else { continue };
            act(piece.bytes(), place, false)?;
            place += length;
        }
    }
    Ok(())
}

/// How many bytes stand for themselves.
fn plain_length(rest: &[u8], quote: u8, escape: Escape) -> usize {
    let special = match escape {
        Escape::None => memchr::memchr(quote, rest),
        Escape::C => memchr::memchr2(quote, b'\\', rest),
        Escape::Unicode(character) => memchr::memchr2(quote, character, rest),
    };
    special.unwrap_or(rest.len())
}

/// What begins an escape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    C,
    Unicode(u8),
}

fn escape_of(token: &Token, lexer: &Lexer<'_>) -> Escape {
    match token.class {
        Class::Literal(Spelling::Escaping | Spelling::EscapingTwice) => Escape::C,
        Class::Literal(Spelling::Unicode) | Class::Name { unicode: true } => Escape::Unicode(uescape(token, lexer)),
        _ => Escape::None,
    }
}

/// The character that `UESCAPE 'c'` after the token names.
fn uescape(token: &Token, lexer: &Lexer<'_>) -> u8 {
    let mut after = Lexer { place: token.end, reads_literals: true, ..*lexer }
        .filter(|token| token.class != Class::Comment)
        .take(2);
    let word = after.next().and_then(|word| lexer.text.get(word.start..word.end));
    let named = word.filter(|word| word.eq_ignore_ascii_case(b"uescape")).and_then(|_| after.next());
    named.and_then(|named| lexer.text.get(named.inside.0)).copied().unwrap_or(b'\\')
}

/// A few bytes.
struct Piece([u8; 4], usize);

impl Piece {
    fn of(byte: u8) -> Self {
        Self([byte, 0, 0, 0], 1)
    }

    fn of_code(code: u32) -> Self {
        let mut bytes = [0; 4];
        let length = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes).len();
        Self(bytes, length)
    }

    fn bytes(&self) -> &[u8] {
        self.0.get(..self.1).unwrap_or_default()
    }
}

/// The next bytes that a text stands for, and how many it takes to write them.
fn piece(rest: &[u8], quote: u8, escape: Escape) -> Option<(Piece, usize)> {
    let first = *rest.first()?;
    if first == quote && rest.get(1) == Some(&quote) {
        return Some((Piece::of(quote), 2));
    }
    let escaped = match escape {
        Escape::C if first == b'\\' => c_escape(rest.get(1..)?),
        Escape::Unicode(character) if first == character => unicode_escape(rest.get(1..)?, character),
        _ => None,
    };
    let (piece, length) = escaped.map_or((Piece::of(first), 1), |(piece, length)| (piece, length + 1));
    Some((piece, length))
}

/// What follows a backslash in `E'…'`.
fn c_escape(rest: &[u8]) -> Option<(Piece, usize)> {
    let byte = |byte| Some((Piece::of(byte), 1));
    match *rest.first()? {
        b'b' => byte(0x08),
        b'f' => byte(0x0c),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(0x0b),
        b'x' => {
            number(rest.get(1..)?, 16, 1, 2).map(|(code, length)| (Piece::of(code as u8), length + 1)).or(byte(b'x'))
        }
        b'u' => with_pair(rest, 1, 4, b"\\u").or(byte(b'u')),
        b'U' => with_pair(rest, 1, 8, b"\\U").or(byte(b'U')),
        b'0'..=b'7' => number(rest, 8, 1, 3).map(|(code, length)| (Piece::of(code as u8), length)),
        other => byte(other),
    }
}

/// What follows the escape character in `U&'…'`.
fn unicode_escape(rest: &[u8], character: u8) -> Option<(Piece, usize)> {
    match *rest.first()? {
        byte if byte == character => Some((Piece::of(byte), 1)),
        b'+' => with_pair(rest, 1, 6, &[character, b'+']),
        _ => with_pair(rest, 0, 4, &[character]),
    }
}

/// A code point of so many hexadecimal digits; one that is the first half of a pair is followed by the second.
fn with_pair(rest: &[u8], skip: usize, digits: usize, again: &[u8]) -> Option<(Piece, usize)> {
    let (code, length) = number(rest.get(skip..)?, 16, digits, digits)?;
    let used = skip + length;
    if (0xd800..0xdc00).contains(&code)
        && let Some(next) = rest.get(used..).and_then(|rest| rest.strip_prefix(again))
        && let Some((low, length)) = number(next, 16, digits, digits)
        && (0xdc00..0xe000).contains(&low)
    {
        let whole = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        return Some((Piece::of_code(whole), used + again.len() + length));
    }
    Some((Piece::of_code(code), used))
}

fn number(rest: &[u8], radix: u32, least: usize, most: usize) -> Option<(u32, usize)> {
    let digits = rest.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
    let (code, length) =
        digits.fold((0_u32, 0), |(code, length), digit| (code.wrapping_mul(radix) + digit, length + 1));
    (length >= least).then_some((code, length))
}
