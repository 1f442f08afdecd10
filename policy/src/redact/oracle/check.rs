//! The redactor held against a case.

use std::ops::Range;

use super::case::{Case, Claim};
use super::encoding::Encoding;
use crate::redact::{Found, Redactor, names_our_functions};

/// Values shorter than this are hidden elsewhere only in quotes.
const LEAST_ELSEWHERE: usize = 4;

impl Case {
    /// Holds the redactor against it.
    ///
    /// # Errors
    /// What is wrong, with the text.
    pub fn check(&self) -> Result<(), String> {
        let result = self.knowledge.with_names(|names| {
            let redactor = Redactor::new(names, self.strings);
            let found = redactor.find(&self.text, self.kind).map_err(|error| error.to_string())?;
            self.check_found(&found)
        });
        result.map_err(|fault| self.described(&fault))
    }

    fn check_found(&self, found: &Found) -> Result<(), String> {
        let kept = found.keeping_length(&self.text, &self.encoding.characters()).map_err(|error| error.to_string())?;
        let starred = found.with_stars(&self.text).map_err(|error| error.to_string())?;
        self.keeps_lengths(&kept)?;
        if found.is_empty() && (kept != self.text || starred != self.text) {
            return Err("nothing is found, and the text changes".to_owned());
        }
        if self.claim == Claim::Taken {
            return Ok(());
        }
        self.shows_nothing(&kept, "keeping_length")?;
        self.shows_nothing(&starred, "with_stars")?;
        if self.calls && !names_our_functions(&self.text) {
            return Err("the call of our function is not seen".to_owned());
        }
        if self.claim == Claim::Exact { self.check_exact(found, &kept, &starred) } else { Ok(()) }
    }

    fn keeps_lengths(&self, kept: &[u8]) -> Result<(), String> {
        let characters = |text| self.encoding.count(text);
        // What is no text in the encoding has no characters to count.
        if kept.len() != self.text.len() || (self.claim == Claim::Exact && characters(kept) != characters(&self.text)) {
            return Err(format!("keeping_length has {} bytes: {}", kept.len(), shown(kept)));
        }
        Ok(())
    }

    fn shows_nothing(&self, output: &[u8], name: &str) -> Result<(), String> {
        let seen = self.unseen.iter().find(|value| memchr::memmem::find(output, value).is_some());
        match seen {
            Some(value) => Err(format!("{name} shows {}: {}", shown(value), shown(output))),
            None => Ok(()),
        }
    }

    fn check_exact(&self, found: &Found, kept: &[u8], starred: &[u8]) -> Result<(), String> {
        self.check_positions(kept)?;
        if !self.loose.is_empty() {
            return self.check_loose_stars(starred);
        }
        self.check_stars(starred)?;
        self.values.iter().try_for_each(|value| self.is_hidden_elsewhere(found, value))
    }

    /// Nothing of a value is left where it stood, and everything else is where it was.
    fn check_positions(&self, kept: &[u8]) -> Result<(), String> {
        let differs = |at: usize| kept[at] != self.text[at];
        let left = self
            .hidden
            .iter()
            .flat_map(Clone::clone)
            .find(|at| self.text[*at].is_ascii_alphanumeric() && !differs(*at));
        if let Some(at) = left {
            return Err(format!("keeping_length leaves byte {at}: {}", shown(kept)));
        }
        let allowed = joined(&self.hidden, &self.loose);
        let inside = |at: &usize| allowed.iter().any(|range| range.contains(at));
        match (0..kept.len()).find(|at| differs(*at) && !inside(at)) {
            Some(at) => Err(format!("keeping_length changes byte {at}: {}", shown(kept))),
            None => Ok(()),
        }
    }

    fn check_stars(&self, starred: &[u8]) -> Result<(), String> {
        let wanted = segments(&self.text, &self.hidden).join(b"***".as_slice());
        if starred == wanted {
            Ok(())
        } else {
            Err(format!("with_stars is  {}\nshould be      {}", shown(starred), shown(&wanted)))
        }
    }

    /// What is certain stands there in order.
    fn check_loose_stars(&self, starred: &[u8]) -> Result<(), String> {
        let certain = segments(&self.text, &joined(&self.hidden, &self.loose));
        let mut rest = starred;
        for segment in &certain {
            let Some(at) = memchr::memmem::find(rest, segment) else {
                return Err(format!("with_stars lost {}: {}", shown(segment), shown(starred)));
            };
            rest = &rest[at + segment.len()..];
        }
        Ok(())
    }

    /// An error that quotes the value does not show it.
    fn is_hidden_elsewhere(&self, found: &Found, value: &[u8]) -> Result<(), String> {
        if value.len() < LEAST_ELSEWHERE || (self.encoding != Encoding::Utf8 && !value.is_ascii()) {
            return Ok(());
        }
        let doubled = String::from_utf8_lossy(value).replace('\'', "''").into_bytes();
        for written in [value.to_vec(), doubled] {
            let message = [b"invalid value \"", written.as_slice(), b"\" given"].concat();
            let hidden = found.secrets().hide_in(&message).map_err(|error| error.to_string())?;
            let good = hidden.as_ref().is_some_and(|hidden| {
                memchr::memmem::find(hidden, &written).is_none()
                    && hidden.starts_with(b"invalid value ")
                    && hidden.ends_with(b" given")
            });
            if !good {
                return Err(format!("hide_in leaves {}: {:?}", shown(&message), hidden.as_deref().map(shown)));
            }
        }
        Ok(())
    }

    fn described(&self, fault: &str) -> String {
        format!(
            "{fault}\ntext           {}\n{:?}, {:?}, {:?}, {:?}, {:?}",
            shown(&self.text),
            self.kind,
            self.strings,
            self.encoding,
            self.knowledge,
            self.claim
        )
    }
}

/// What stands outside ordered ranges: one segment more than there are ranges.
pub fn segments<'t>(text: &'t [u8], ranges: &[Range<usize>]) -> Vec<&'t [u8]> {
    let mut at = 0;
    let mut segments = Vec::with_capacity(ranges.len() + 1);
    for range in ranges {
        segments.push(&text[at..range.start]);
        at = range.end;
    }
    segments.push(&text[at..]);
    segments
}

/// Ranges, ordered and disjoint, that cover both.
fn joined(some: &[Range<usize>], others: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut all: Vec<_> = some.iter().chain(others).cloned().collect();
    all.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in all {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
