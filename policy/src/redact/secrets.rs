//! Secrets that are known, found again wherever they are quoted.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{OutOfMemory, Place};
use crate::packs::packs;
use crate::survey::Survey;

/// Values under so many bytes are too likely to stand somewhere by chance: they are hidden between quotes only.
const LEAST: usize = 4;

/// Most values that are kept, and most bytes that are compared in all; beyond it a text that may hold one is hidden whole.
const MOST: usize = 4096;
const MOST_WORK: usize = 1 << 32;

const STARS: &[u8] = b"***";

/// Values to hide wherever else they stand.
#[derive(Debug, Default)]
pub struct Secrets {
    values: HashSet<Vec<u8>>,
    /// There were more than can be kept.
    overflown: bool,
}

impl Secrets {
    /// More than can be told: every text may hold one.
    pub fn overflown() -> Self {
        Self { values: HashSet::new(), overflown: true }
    }

    /// Adds one.
    pub fn add(&mut self, value: &[u8]) -> Result<(), OutOfMemory> {
        if value.is_empty() || value == STARS || self.overflown || self.values.contains(value) {
            return Ok(());
        }
        if self.values.len() >= MOST {
            self.overflown = true;
            return Ok(());
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(value.len()).map_err(|_| OutOfMemory)?;
        copy.extend_from_slice(value);
        self.values.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.values.insert(copy);
        Ok(())
    }

    /// Adds those of the other.
    pub fn extend(&mut self, other: &Self) -> Result<(), OutOfMemory> {
        self.overflown |= other.overflown;
        other.values.iter().try_for_each(|value| self.add(value))
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && !self.overflown
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.values.clear();
        self.overflown = false;
    }

    /// Whether the value may be one of them.
    pub(super) fn hold(&self, value: &[u8]) -> bool {
        self.overflown || self.values.contains(value)
    }

    /// The text with `***` for each of the values that it quotes; None if it quotes none.
    pub fn hide_in(&self, text: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let mut places = self.places_in(text)?;
        if places.is_empty() { Ok(None) } else { super::replaced(text, &mut places, STARS).map(Some) }
    }

    /// Where the text quotes one of the values.
    pub(super) fn places_in(&self, text: &[u8]) -> Result<Vec<Place>, OutOfMemory> {
        let mut places = Vec::new();
        if self.is_empty() || text.is_empty() {
            return Ok(places);
        }
        if self.overflown || self.values.len().saturating_mul(text.len()) > MOST_WORK {
            places.try_reserve(1).map_err(|_| OutOfMemory)?;
            places.push((0, text.len()));
            return Ok(places);
        }
        // Written otherwise a value is no shorter.
        for value in self.values.iter().filter(|value| value.len() <= text.len()) {
            for spelled in spellings(value)?.iter().flatten() {
                find_all(text, spelled, &mut places)?;
            }
        }
        Ok(places)
    }
}

/// How others write a value: as it is, as a literal, and as JSON or `E'…'` have it.
fn spellings(value: &[u8]) -> Result<[Option<Cow<'_, [u8]>>; 4], OutOfMemory> {
    let other = |spelled: Vec<u8>| (spelled != value).then_some(Cow::Owned(spelled));
    Ok([
        Some(Cow::Borrowed(value)),
        other(spelled(value, |byte| (byte == b'\'').then_some(b'\''), |byte| byte)?),
        other(spelled(value, |byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t' | b'\r').then_some(b'\\'), letter)?),
        other(spelled(value, |byte| matches!(byte, b'\'' | b'\\').then_some(byte), |byte| byte)?),
    ])
}

fn letter(byte: u8) -> u8 {
    match byte {
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        other => other,
    }
}

fn spelled(
    value: &[u8],
    before: impl Fn(u8) -> Option<u8>,
    as_byte: impl Fn(u8) -> u8,
) -> Result<Vec<u8>, OutOfMemory> {
    let mut spelled = Vec::new();
    spelled.try_reserve(value.len() * 2).map_err(|_| OutOfMemory)?;
    for byte in value {
        let escape = before(*byte);
        spelled.extend(escape);
        spelled.push(if escape.is_some() { as_byte(*byte) } else { *byte });
    }
    Ok(spelled)
}

fn find_all(text: &[u8], value: &[u8], places: &mut Vec<(usize, usize)>) -> Result<(), OutOfMemory> {
    for start in memchr::memmem::find_iter(text, value) {
        let end = start + value.len();
        let is_secret = value.len() >= LEAST && !is_in_an_options_name(text, start, end);
        if is_secret || is_quoted(text, start, end) {
            places.try_reserve(1).map_err(|_| OutOfMemory)?;
            places.push((start, end));
        }
    }
    Ok(())
}

/// Whether it is a piece of the name of an option that a pack knows, as `require` is of `password_required`.
fn is_in_an_options_name(text: &[u8], start: usize, end: usize) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = text.get(..start).unwrap_or_default().iter().rev().take_while(|byte| is_of_name(byte)).count();
    let after = text.get(end..).unwrap_or_default().iter().take_while(|byte| is_of_name(byte)).count();
    let word = text.get(start - before..end + after).and_then(|word| str::from_utf8(word).ok());
    before + after > 0 && word.is_some_and(is_an_options_name)
}

fn is_an_options_name(word: &str) -> bool {
    let knows = |survey: &Survey| survey.annotations.contains_key(word);
    packs().iter().any(|pack| pack.all_surveys().any(|(_, survey)| knows(survey)))
}

fn is_quoted(text: &[u8], start: usize, end: usize) -> bool {
    let is_quote = |place: usize| text.get(place).is_some_and(|byte| b"'\"".contains(byte));
    is_quote(start.wrapping_sub(1)) && is_quote(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(values: &[&str], text: &str) -> Option<String> {
        let mut secrets = Secrets::default();
        values.iter().for_each(|value| secrets.add(value.as_bytes()).unwrap());
        secrets.hide_in(text.as_bytes()).unwrap().map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn values_are_hidden_however_they_are_written() {
        let secret = ["it's \"so\"\n"];
        for text in ["it's \"so\"\n", "it''s \"so\"\n", "it's \\\"so\\\"\\n"] {
            assert_eq!(hidden(&secret, &format!("value {text}!")), Some("value ***!".to_owned()), "{text}");
        }
        assert_eq!(hidden(&secret, "its so"), None);
    }

    #[test]
    fn short_values_are_hidden_between_quotes() {
        assert_eq!(hidden(&["abc"], "abc \"abc\" 'abc'"), Some("abc \"***\" '***'".to_owned()));
        assert_eq!(hidden(&["abcd"], "xabcdx"), Some("x***x".to_owned()));
    }

    #[test]
    fn names_of_options_stay_whole() {
        let text = "HINT: password_required, requirement, \"require\", password_require";
        let expected = "HINT: password_required, ***ment, \"***\", password_***";
        assert_eq!(hidden(&["require"], text), Some(expected.to_owned()));
        assert_eq!(hidden(&["password"], "password"), Some("***".to_owned()));
    }

    #[test]
    fn values_may_overlap() {
        assert_eq!(hidden(&["abcdef", "defghi"], "-abcdefghi-"), Some("-***-".to_owned()));
    }

    #[test]
    fn too_many_values_hide_everything() {
        let values: Vec<String> = (0..5000).map(|number| format!("value{number}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(hidden(&values, "anything"), Some("***".to_owned()));
    }
}
