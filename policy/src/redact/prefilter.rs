//! Whether a text could hold anything to hide: one pass with vector instructions, since almost every text of a server holds
//! nothing.

use std::iter;
use wide::u8x16;

/// What no text with a secret in it does without: the keywords OPTIONS and USER MAPPING, which are in the names of our
/// functions too, `rotate_secret`, and `U&`, which can spell anything.
const WORDS: [&[u8]; 6] = [b"option", b"mapping", b"rotate_secret", b"u&'", b"u&\"", b"u&\\"];

/// In each of the words stand four bytes, or two, that seldom stand together elsewhere, and how far in.
const HINTS: [(&[u8], usize); 4] = [(b"opti", 0), (b"appi", 1), (b"ate_", 3), (b"u&", 0)];

/// Bytes of the longest hint.
const HINT: usize = 4;

/// Bytes of the shortest word.
const WORD: usize = 3;

/// No text under so many bytes holds a secret: beside `OPTION(` it has neither a name nor a value. BEGIN and COMMIT are
/// such texts.
const LEAST: usize = 9;

/// Places that are looked at in one go.
const BLOCK: usize = 16;

/// Bytes in which a hint may begin at each place of a block.
const WINDOW: usize = BLOCK + HINT - 1;

/// Whether a text could hold a secret.
pub fn may_hold_secrets(text: &[u8]) -> bool {
    text.len() >= LEAST && holds_words(text)
}

/// Whether a text, or a part of one, holds one of the words, in upper or lower case.
#[inline]
pub fn holds_words(text: &[u8]) -> bool {
    let Some(first) = text.first_chunk() else { return short_text_holds_words(text) };
    let Some(last) = text.last_chunk() else { return false };
    // Behind the last window there is room for the shortest words only.
    let may_end_with_word = text.get(text.len() - 2) == Some(&b'&');
    let may = (may_be_hints(first) | may_be_hints(last)).to_bitmask() != 0 || may_end_with_word;
    let may = may || text.len() > BLOCK + WINDOW && may_hold_hints_between(text);
    may && long_text_holds_words(text, last)
}

/// Whether there may be a hint beyond the first window and before the last, in a text that is longer than most.
#[inline(never)]
fn may_hold_hints_between(text: &[u8]) -> bool {
    windows(text, BLOCK).any(|(_, window)| may_be_hints(window).to_bitmask() != 0)
}

/// The windows of a text, one for each block from that place on, up to the last one, which may overlap the one before; with where
/// they begin.
#[inline]
fn windows(text: &[u8], mut start: usize) -> impl Iterator<Item = (usize, &[u8; WINDOW])> {
    iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| rest.len() > WINDOW)?;
        start += BLOCK;
        Some((start - BLOCK, rest.first_chunk()?))
    })
}

/// The same of a text in which there may be a hint.
#[inline(never)]
fn long_text_holds_words(text: &[u8], last: &[u8; WINDOW]) -> bool {
    windows(text, 0).any(|(start, window)| block_holds_word(text, start, window))
        || block_holds_word(text, text.len() - WINDOW, last)
        || ends_with_word(text)
}

/// Whether one of the shortest words stands at the end.
fn ends_with_word(text: &[u8]) -> bool {
    let last = text.last_chunk::<WORD>().filter(|[_, second, _]| *second == b'&');
    last.is_some_and(|last| WORDS.iter().any(|word| starts_with(last, word)))
}

/// The same of a text that is shorter than a window.
#[inline(never)]
fn short_text_holds_words(text: &[u8]) -> bool {
    let mut window = [0; WINDOW];
    if let Some(start) = window.get_mut(..text.len()) {
        start.copy_from_slice(text);
    }
    block_holds_word(text, 0, &window)
}

/// Whether a word stands there of which the hint begins in that block.
#[inline]
fn block_holds_word(text: &[u8], start: usize, window: &[u8; WINDOW]) -> bool {
    may_be_hints(window).to_bitmask() != 0 && hinted_block_holds_word(text, start, window)
}

#[inline(never)]
fn hinted_block_holds_word(text: &[u8], start: usize, window: &[u8; WINDOW]) -> bool {
    let found = hints(window);
    let mut places = (0..BLOCK).filter(|place| found >> place & 1 == 1);
    found != 0 && places.any(|place| holds_word_around(text, start + place))
}

/// What else tells that a text may be a statement about foreign objects, if one of the words is misspelled in it.
const MORE_WORDS: [&[u8]; 7] = [b"server", b"foreign", b"wrapper", b"user map", b"password", b"opti", b"secret"];

/// Whether a text that PostgreSQL cannot read holds something to hide, if it were read as it was meant.
pub fn may_speak_of_options(text: &[u8]) -> bool {
    may_hold_secrets(text) || MORE_WORDS.iter().any(|word| holds(text, word))
}

/// Whether the text holds the word, which is in lower case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return false };
    let mut places = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    places.any(|place| starts_with(text.get(place..).unwrap_or_default(), word))
}

/// The bytes of a block from that place of its window on, in lower case, and other bytes changed by that.
#[inline]
fn lower(window: &[u8; WINDOW], place: usize) -> u8x16 {
    let bytes = window.get(place..).and_then(|bytes| bytes.first_chunk()).copied();
    u8x16::new(bytes.unwrap_or_default()) | u8x16::splat(LOWER)
}

/// The bit by which letters in lower case differ from those in upper case.
const LOWER: u8 = b'a' ^ b'A';

/// Where a byte of that kind stands, told of bytes in lower case.
#[inline]
fn are(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(byte | LOWER))
}

/// Where in the block a hint may begin, by its second and fourth byte.
#[inline]
fn may_be_hints(window: &[u8; WINDOW]) -> u8x16 {
    let [second, fourth] = [1, 3].map(|place| lower(window, place));
    let option_or_mapping = are(second, b'p') & are(fourth, b'i');
    let secret = are(second, b't') & are(fourth, b'_');
    option_or_mapping | secret | are(second, b'&')
}

/// At which places of the block a hint may begin, a bit for each.
fn hints(window: &[u8; WINDOW]) -> u32 {
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|place| lower(window, place));
    let [option, mapping, secret] = [b"opti", b"appi", b"ate_"]
        .map(|[a, b, c, d]| are(first, *a) & are(second, *b) & are(third, *c) & are(fourth, *d));
    let unicode = are(first, b'u') & are(second, b'&');
    (option | mapping | secret | unicode).to_bitmask()
}

/// Whether a word stands there of which a hint begins at that place.
fn holds_word_around(text: &[u8], place: usize) -> bool {
    let rest = text.get(place..).unwrap_or_default();
    HINTS.iter().filter(|(hint, _)| starts_with(rest, hint)).any(|(_, before)| {
        let word = place.checked_sub(*before).and_then(|place| text.get(place..)).unwrap_or_default();
        WORDS.iter().any(|known| starts_with(word, known))
    })
}

/// Whether the text begins with the word, which is in lower case.
pub fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_wherever_they_stand() {
        for word in WORDS {
            for place in 0..5 * BLOCK {
                for word in [word.to_vec(), word.to_ascii_uppercase()] {
                    let mut text = vec![b' '; place];
                    text.extend(word);
                    assert!(holds_words(&text), "at {place}");
                    for _ in 0..3 * BLOCK {
                        text.push(b'x');
                        assert!(holds_words(&text), "at {place}");
                    }
                }
            }
        }
    }

    #[test]
    fn ordinary_text_holds_nothing() {
        let text = "SELECT a, b FROM description_of_apples WHERE adapting = 'optimal' AND e_s <> u && v; ".repeat(50);
        for length in 0..text.len() {
            assert!(!holds_words(text.get(..length).unwrap().as_bytes()), "{length}");
        }
    }

    #[test]
    fn the_shortest_texts_hold_no_secret() {
        assert!(!may_hold_secrets(b"OPTIONS("));
        assert!(may_hold_secrets(b"OPTIONS(a'b'"));
    }
}
