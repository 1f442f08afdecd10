//! Literals whose values have turned out to be secrets: nothing around them tells it.

use super::lexer::{Class, Lexer, Token};
use super::literal::{bytes_of, parts};
use super::meter::Meter;
use super::{OutOfMemory, Place, Redactor, Secrets};

/// Digits of a number that is looked for: fewer stand everywhere, and so many stars in a row are no sign of SQL any more.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=60;

impl Redactor<'_> {
    /// Where a statement has one of the values as a literal or a number, or within a literal.
    pub fn find_known(&self, text: &[u8], secrets: &Secrets) -> Result<Vec<Place>, OutOfMemory> {
        let mut places = Vec::new();
        if secrets.is_empty() {
            return Ok(places);
        }
        let meter = Meter::new(text.len(), || false);
        let lexer = Lexer::new(text, self.strings, false, &meter);
        for token in lexer {
            let found = match token.class {
                Class::Literal(_) => in_literal(text, &token, &lexer, secrets)?,
                Class::Number if is_known_number(text, &token, secrets) => vec![(token.start, token.end)],
                _ => continue,
            };
            places.try_reserve(found.len()).map_err(|_| OutOfMemory)?;
            places.extend(found.into_iter().filter(|(start, end)| start < end));
        }
        Ok(places)
    }
}

fn is_known_number(text: &[u8], token: &Token, secrets: &Secrets) -> bool {
    let number = text.get(token.start..token.end).unwrap_or_default();
    DIGITS.contains(&number.len()) && secrets.hold(number)
}

/// All of it, or the values that it quotes: it may be a statement itself.
fn in_literal(text: &[u8], token: &Token, lexer: &Lexer<'_>, secrets: &Secrets) -> Result<Vec<Place>, OutOfMemory> {
    if secrets.hold(&bytes_of(text, token, lexer)?) {
        return Ok(parts(text, token).collect());
    }
    let (start, end) = token.inside;
    let mut places = secrets.places_in(text.get(start..end).unwrap_or_default())?;
    places.iter_mut().for_each(|place| *place = (start + place.0, start + place.1));
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::super::{Names, Strings};
    use super::*;

    fn hidden(values: &[&str], text: &str) -> String {
        let mut secrets = Secrets::default();
        values.iter().for_each(|value| secrets.add(value.as_bytes()).unwrap());
        let names = Names::unknown();
        let mut places = Redactor::new(&names, Strings::Standard).find_known(text.as_bytes(), &secrets).unwrap();
        String::from_utf8(super::super::replaced(text.as_bytes(), &mut places, b"***").unwrap()).unwrap()
    }

    #[test]
    fn a_literal_of_that_value_is_found_however_it_is_spelled() {
        let text = "SELECT f('canary', E'c\\x61nary', U&'can\\0061ry', $$canary$$, 'can'\n'ary', canary, \"canary\")";
        let expected = "SELECT f('***', E'***', U&'***', $$***$$, '***'\n'***', canary, \"canary\")";
        assert_eq!(hidden(&["canary"], text), expected);
        assert_eq!(hidden(&["it's"], "CALL f('it''s')"), "CALL f('***')");
        assert_eq!(hidden(&["12345", "12"], "CALL f(12345, 12)"), "CALL f(***, 12)");
    }

    #[test]
    fn it_is_found_within_a_literal_too() {
        let text = "DO $$ BEGIN PERFORM f('canary', 'x'); END $$";
        assert_eq!(hidden(&["canary"], text), "DO $$ BEGIN PERFORM f('***', 'x'); END $$");
        assert_eq!(hidden(&["x"], text), "DO $$ BEGIN PERFORM f('canary', '***'); END $$");
        assert_eq!(hidden(&["x"], "SELECT 'xyz', 'a x', 'x'"), "SELECT 'xyz', 'a x', '***'");
    }

    #[test]
    fn nothing_known_costs_no_look() {
        assert_eq!(hidden(&[], "SELECT 'canary'"), "SELECT 'canary'");
    }

    #[test]
    fn too_many_values_hide_every_literal() {
        let mut secrets = Secrets::overflown();
        secrets.add(b"a").unwrap();
        let names = Names::unknown();
        let places = Redactor::new(&names, Strings::Standard).find_known(b"SELECT 'b', 1", &secrets).unwrap();
        assert_eq!(places, [(8, 9)]);
    }
}
