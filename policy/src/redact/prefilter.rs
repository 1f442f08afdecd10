//! Whether a text could hold anything to hide: one pass that the compiler turns into vector instructions, since almost
//! every text of a server holds nothing.

/// What no text with a secret in it does without: the keywords OPTIONS and USER MAPPING, which are in the names of our
/// functions too, `rotate_secret`, and `U&`, which can spell anything.
const WORDS: [&[u8]; 5] = [b"option", b"mapping", b"rotate_secret", b"u&'", b"u&\""];

/// Bytes that are looked at in one go.
const CHUNK: usize = 256;

/// Whether the text holds one of the words, in upper or lower case.
pub fn may_hold_secrets(text: &[u8]) -> bool {
    let second = text.get(1..).unwrap_or_default();
    let third = text.get(2..).unwrap_or_default();
    let chunks = text.chunks(CHUNK).zip(second.chunks(CHUNK)).zip(third.chunks(CHUNK));
    chunks.enumerate().any(|(number, ((first, second), third))| {
        hints(first, second, third) && holds_word(text, number * CHUNK, third.len())
    })
}

/// Whether somewhere three bytes stand that stand in one of the words: `pti`, `ppi`, `e_s`, `u&`. No byte leaves the loop, so
/// that it can be done for many at once.
fn hints(first: &[u8], second: &[u8], third: &[u8]) -> bool {
    let mut found = 0_u8;
    for ((a, b), c) in first.iter().zip(second).zip(third) {
        let (a, b, c) = (a | 0x20, b | 0x20, c | 0x20);
        let middle = (a == b'p') & ((b == b't') | (b == b'p')) & (c == b'i');
        let function = (a == b'e') & (b == b'_' | 0x20) & (c == b's');
        let unicode = (a == b'u') & (b == b'&');
        found |= u8::from(middle | function | unicode);
    }
    found != 0
}

/// Whether a word begins so that its hint is in the chunk that begins at `start`.
fn holds_word(text: &[u8], start: usize, length: usize) -> bool {
    const LONGEST: usize = 13;
    let before = start.saturating_sub(LONGEST);
    (before..start + length).any(|place| {
        let rest = text.get(place..).unwrap_or_default();
        WORDS.iter().any(|word| starts_with(rest, word))
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
