//! The redactor: hides the values of secret options in SQL and in prose around SQL.
//!
//! Bytes in, bytes out, in any server encoding of PostgreSQL, in all of which a byte below 128 is ASCII's. It is called in
//! hooks that run inside error handling too: nothing here panics or recurses without a bound, memory is asked for, and
//! almost every text is let go after one look at it ([`prefilter`]).
//!
//! [`scan`] reads statements by [`lexer`], looks for lists of options and calls of our own functions, and into literals,
//! in which statements stand too. Where a text can be read in two ways, it hides more rather than less.

mod known;
mod lexer;
mod literal;
mod meter;
mod names;
mod object;
#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
mod ours;
pub mod parameters;
mod prefilter;
mod scan;
mod secrets;
mod statement;
mod stored;
#[cfg(test)]
mod tests;

use lexer::{Class, Lexer, Token};
use meter::{Halt, Meter};
pub use names::Names;
pub use ours::{executed, names_our_functions};
pub use prefilter::may_hold_secrets;
pub use secrets::Secrets;
pub use stored::StoredSecrets;

/// Memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of memory")]
pub struct OutOfMemory;

/// What a backslash means in `'…'`: `standard_conforming_strings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    Standard,
    Escaping,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQL.
    Statement,
    /// Prose around SQL: a log message, DETAIL, CONTEXT.
    Message,
    /// SQL, or prose before it, in which every literal is a secret: EXECUTE of a statement that calls our functions.
    Arguments,
}

/// The characters of the database's encoding.
#[derive(Debug, Clone, Copy)]
pub struct Characters {
    /// Bytes of the first character of the rest of a text.
    pub length: fn(&[u8]) -> usize,
    /// A harmless character of so many bytes.
    pub filler: fn(usize) -> Option<&'static [u8]>,
}

/// Finds secrets in texts.
#[derive(Debug, Clone, Copy)]
pub struct Redactor<'a> {
    pub names: &'a Names,
    pub strings: Strings,
    /// Asked while a long text is read: whether nobody waits any more. Then all of the text is hidden.
    pub must_stop: fn() -> bool,
}

impl<'a> Redactor<'a> {
    /// One that stops for nobody.
    pub fn new(names: &'a Names, strings: Strings) -> Self {
        Self { names, strings, must_stop: || false }
    }
}

impl Redactor<'_> {
    /// Finds what must not be shown.
    pub fn find(&self, text: &[u8], kind: Kind) -> Result<Found, OutOfMemory> {
        if kind != Kind::Arguments && !prefilter::may_hold_secrets(text) {
            return Ok(Found::default());
        }
        let meter = Meter::new(text.len(), self.must_stop);
        let mut found = scan::scan(*self, &meter, text, kind)?;
        if let Some(halt) = meter.halt() {
            return Found::all(text, halt);
        }
        merge(&mut found.hidden);
        Ok(found)
    }

    /// Finds what must not be shown of a statement that PostgreSQL could read up to a character only, counted from 1 as an
    /// error message counts: what stands there and behind it, but for a word or a sign that is no secret otherwise.
    pub fn find_broken(
        &self,
        text: &[u8],
        kind: Kind,
        position: usize,
        characters: &Characters,
    ) -> Result<Found, OutOfMemory> {
        let mut found = self.find(text, kind)?;
        if found.halt.is_some() || !prefilter::may_speak_of_options(text) {
            return Ok(found);
        }
        if let Some(place) = place_of(position, text, characters).filter(|place| *place < text.len()) {
            let token = token_at(place, text, self.strings);
            let is_shown = |token: &Token| matches!(token.class, Class::Word | Class::Symbol(_) | Class::Parameter);
            found.hide_from(token.filter(is_shown).map_or(place, |token| token.end), text)?;
        }
        Ok(found)
    }
}

/// The token that begins there.
fn token_at(place: usize, text: &[u8], strings: Strings) -> Option<Token> {
    let meter = Meter::new(text.len(), || false);
    Lexer { place, ..Lexer::new(text, strings, false, &meter) }.next()
}

/// A place in a text: where it begins and where it ends.
pub type Place = (usize, usize);

/// Puts places in order, and makes one of those that overlap.
fn merge(places: &mut Vec<Place>) {
    places.sort_unstable();
    places.dedup_by(|next, last| {
        let overlap = next.0 < last.1 || *next == *last;
        if overlap {
            last.1 = last.1.max(next.1);
        }
        overlap
    });
}

/// The text with something else in those places.
fn replaced(text: &[u8], places: &mut Vec<Place>, with: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    merge(places);
    let hidden: usize = places.iter().map(|(start, end)| end - start).sum();
    let mut whole = Vec::new();
    let length = text.len() - hidden + places.len() * with.len();
    whole.try_reserve_exact(length).map_err(|_| OutOfMemory)?;
    let mut shown = 0;
    for (start, end) in places {
        whole.extend_from_slice(text.get(shown..*start).unwrap_or_default());
        whole.extend_from_slice(with);
        shown = *end;
    }
    whole.extend_from_slice(text.get(shown..).unwrap_or_default());
    Ok(whole)
}

/// What must not be shown of a text.
#[derive(Debug, Default)]
pub struct Found {
    /// In order, and none overlaps another.
    hidden: Vec<Place>,
    secrets: Secrets,
    is_pieced: bool,
    takes_parameters: bool,
    halt: Option<Halt>,
}

impl Found {
    /// All of a text that was not read to its end.
    fn all(text: &[u8], halt: Halt) -> Result<Self, OutOfMemory> {
        let secrets = if halt == Halt::Spent { Secrets::overflown() } else { Secrets::default() };
        let mut hidden = Vec::new();
        hidden.try_reserve(1).map_err(|_| OutOfMemory)?;
        hidden.push((0, text.len()));
        Ok(Self { hidden, secrets, is_pieced: true, takes_parameters: true, halt: Some(halt) })
    }

    /// Hides what stands in those places too.
    pub fn hide_also(&mut self, places: &[Place]) -> Result<(), OutOfMemory> {
        if self.halt.is_none() {
            self.hidden.try_reserve(places.len()).map_err(|_| OutOfMemory)?;
            self.hidden.extend_from_slice(places);
            merge(&mut self.hidden);
        }
        Ok(())
    }

    /// The places of what is hidden.
    pub fn places(&self) -> &[Place] {
        &self.hidden
    }

    /// Whether all of the text is hidden, because it was not read to its end.
    pub fn is_all(&self) -> bool {
        self.halt.is_some()
    }

    fn hide_from(&mut self, place: usize, text: &[u8]) -> Result<(), OutOfMemory> {
        if place < text.len() {
            self.hidden.try_reserve(1).map_err(|_| OutOfMemory)?;
            self.hidden.push((place, text.len()));
            merge(&mut self.hidden);
        }
        Ok(())
    }

    /// Whether nobody waited for the answer, and all is hidden.
    pub fn is_stopped(&self) -> bool {
        self.halt == Some(Halt::Stopped)
    }

    /// Whether the text may be shown as it is.
    pub fn is_empty(&self) -> bool {
        self.hidden.is_empty()
    }

    /// The text with as many bytes and characters: positions hold.
    pub fn keeping_length(&self, text: &[u8], characters: &Characters) -> Result<Vec<u8>, OutOfMemory> {
        let mut whole = Vec::new();
        whole.try_reserve_exact(text.len() + 1).map_err(|_| OutOfMemory)?;
        if self.halt.is_some() {
            whole.extend_from_slice(b"***".get(..text.len()).unwrap_or(b"***"));
            whole.resize(text.len(), b' ');
            return Ok(whole);
        }
        whole.extend_from_slice(text);
        for (start, end) in &self.hidden {
            cover(whole.get_mut(*start..*end).unwrap_or_default(), characters);
        }
        Ok(whole)
    }

    /// The text with `***` for each value, however long it is.
    pub fn with_stars(&self, text: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
        let mut places = Vec::new();
        places.try_reserve_exact(self.hidden.len()).map_err(|_| OutOfMemory)?;
        places.extend_from_slice(&self.hidden);
        replaced(text, &mut places, b"***")
    }

    /// Whether the text puts statements together from pieces, each of which may be a secret.
    pub fn is_pieced(&self) -> bool {
        self.is_pieced
    }

    /// Whether the text calls a function of ours with a secret that does not stand in it: where the text is prepared,
    /// another one has the secret.
    pub fn takes_parameters(&self) -> bool {
        self.takes_parameters
    }

    /// Whether the token is hidden, or a part of it, that begins at a character of the text, counted from 1 as an error
    /// message counts.
    pub fn hides_token_at(&self, position: usize, text: &[u8], strings: Strings, characters: &Characters) -> bool {
        let Some(start) = place_of(position, text, characters) else { return false };
        let end = token_at(start, text, strings).map_or(text.len(), |token| token.end);
        self.hidden.iter().any(|hidden| hidden.0 < end && start < hidden.1)
    }

    /// The values as they would be stored.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The values alone.
    pub fn into_secrets(self) -> Secrets {
        self.secrets
    }
}

/// Where a character begins, counted from 1.
fn place_of(position: usize, text: &[u8], characters: &Characters) -> Option<usize> {
    let mut place = 0;
    for _ in 1..position {
        let rest = text.get(place..).filter(|rest| !rest.is_empty())?;
        place += (characters.length)(rest).max(1);
    }
    (position > 0).then_some(place)
}

/// Writes another character over each.
fn cover(mut text: &mut [u8], characters: &Characters) {
    while !text.is_empty() {
        let ascii = text.iter().take_while(|byte| byte.is_ascii()).count();
        let (run, rest) = text.split_at_mut(ascii);
        run.fill(b'*');
        text = rest;
        if text.is_empty() {
            return;
        }
        let length = (characters.length)(text).clamp(1, text.len());
        let (character, rest) = text.split_at_mut(length);
        match (characters.filler)(length).filter(|filler| filler.len() == length) {
            Some(filler) => character.copy_from_slice(filler),
            None => character.fill(b'*'),
        }
        text = rest;
    }
}
