//! Whether a text could hold anything to hide: one pass that the compiler turns into vector instructions, since almost
//! every text of a server holds nothing.

/// What no text with a secret in it does without: the keywords OPTIONS and USER MAPPING, which are in the names of our
/// functions too, `rotate_secret`, and `U&`, which can spell anything.
const WORDS: [&[u8]; 6] = [b"option", b"mapping", b"rotate_secret", b"u&'", b"u&\"", b"u&\\"];

/// In each of the words stand four bytes, or three, that seldom stand together elsewhere, and how far in.
const HINTS: [(&[u8], usize); 4] = [(b"opti", 0), (b"appi", 1), (b"te_s", 4), (b"u&", 0)];

/// Bytes that are looked at in one go.
const CHUNK: usize = 256;

/// Whether the text holds one of the words, in upper or lower case.
pub fn may_hold_secrets(text: &[u8]) -> bool {
    let from = |place: usize| text.get(place..).unwrap_or_default().chunks(CHUNK);
    let chunks = from(0).zip(from(1).chain(NOTHING)).zip(from(2).chain(NOTHING)).zip(from(3).chain(NOTHING));
    chunks.enumerate().any(|(number, (((first, second), third), fourth))| {
        hints(first, second, third, fourth) && holds_word(text, number * CHUNK, first.len())
    })
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

/// What is behind the end.
const NOTHING: [&[u8]; 3] = [&[]; 3];

/// Whether a hint may begin somewhere. No byte leaves the loop early, so that it can be done for many at once.
fn hints(first: &[u8], second: &[u8], third: &[u8], fourth: &[u8]) -> bool {
    let mut found = 0_u8;
    for (((a, b), c), d) in first.iter().zip(second).zip(third).zip(fourth) {
        let (a, b, c, d) = (a | 0x20, b | 0x20, c | 0x20, d | 0x20);
        let option = (a == b'o') & (b == b'p') & (c == b't') & (d == b'i');
        let mapping = (a == b'a') & (b == b'p') & (c == b'p') & (d == b'i');
        let secret = (a == b't') & (b == b'e') & (c == b'_' | 0x20) & (d == b's');
        let unicode = (a == b'u') & (b == b'&');
        found |= u8::from(option | mapping | secret | unicode);
    }
    // The last few bytes of a text have no fourth behind them, and `U&'` is that short.
    let mut last = first.iter().zip(second).skip(fourth.len());
    found != 0 || last.any(|(a, b)| a | 0x20 == b'u' && *b == b'&')
}

/// Whether a word stands there of which the hint begins in the chunk that begins at `start`.
fn holds_word(text: &[u8], start: usize, length: usize) -> bool {
    (start..start + length).any(|place| {
        let rest = text.get(place..).unwrap_or_default();
        if !rest.first().is_some_and(|byte| b"oatu".contains(&(byte | 0x20))) {
            return false;
        }
        HINTS.iter().filter(|(hint, _)| starts_with(rest, hint)).any(|(_, before)| {
            let word = place.checked_sub(*before).and_then(|place| text.get(place..)).unwrap_or_default();
            WORDS.iter().any(|known| starts_with(word, known))
        })
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
            for place in (0..40).chain(CHUNK - 20..CHUNK + 20).chain(2 * CHUNK - 20..2 * CHUNK + 20) {
                for word in [word.to_vec(), word.to_ascii_uppercase()] {
                    let mut text = vec![b' '; place];
                    text.extend(word);
                    assert!(may_hold_secrets(&text), "at {place}");
                    text.extend([b'x'; 300]);
                    assert!(may_hold_secrets(&text), "at {place}");
                }
            }
        }
    }

    #[test]
    fn ordinary_text_holds_nothing() {
        let text = "SELECT a, b FROM description_of_apples WHERE adapting = 'optimal' AND e_s <> u && v; ".repeat(50);
        assert!(!may_hold_secrets(text.as_bytes()));
        assert!(!may_hold_secrets(b"") && !may_hold_secrets(b"p") && !may_hold_secrets(b"pti"));
    }
}
