//! Secrets that an object has already: a validator gets them with what a statement gives it, and may quote them.
//!
//! Whoever may alter an object need not see its options, and what is hidden must not tell him that he has guessed. So behind
//! `name=` of a secret option whatever stands there is hidden, and elsewhere a value is hidden that neither the statement
//! says nor a public option.

use super::lexer::{Class, Lexer};
use super::literal::bytes_of;
use super::meter::Meter;
use super::{OutOfMemory, Place, Redactor, Secrets};
use crate::model::ObjectType;

/// What to hide of the secrets that objects have.
#[derive(Debug, Default)]
pub struct StoredSecrets {
    names: Vec<Vec<u8>>,
    /// The values that nobody has said.
    unsaid: Secrets,
}

/// An option that an object has.
struct Stored<'a> {
    name: &'a [u8],
    value: &'a [u8],
    is_secret: bool,
}

impl Redactor<'_> {
    /// The secrets among the options of objects, `name=value` each, that the statement alters.
    pub fn stored(
        &self,
        options: &[(ObjectType, impl AsRef<[u8]>)],
        statement: &[u8],
    ) -> Result<StoredSecrets, OutOfMemory> {
        let options = options.iter().filter_map(|(on, option)| {
            let option = option.as_ref();
            let end = memchr::memchr(b'=', option)?;
            let (name, value) = (option.get(..end)?, option.get(end + 1..)?);
            Some(Stored { name, value, is_secret: self.names.is_secret(&[*on], name) })
        });
        let (secret, public): (Vec<Stored<'_>>, Vec<Stored<'_>>) = options.partition(|option| option.is_secret);
        let mut secrets = StoredSecrets::default();
        for Stored { name, value, .. } in secret.iter().filter(|option| !option.value.is_empty()) {
            secrets.names.push(name.to_vec());
            let is_public = public.iter().any(|option| contains(option.value, value));
            if !is_public && !self.says(statement, value)? {
                secrets.unsaid.add(value)?;
            }
        }
        Ok(secrets)
    }

    /// Whether a statement has a value in it, however it is spelled. What a comment says is quoted by nobody.
    fn says(&self, statement: &[u8], value: &[u8]) -> Result<bool, OutOfMemory> {
        let meter = Meter::new(statement.len(), || false);
        let lexer = Lexer::new(statement, self.strings, false, &meter);
        let mut words = Vec::new();
        words.try_reserve_exact(statement.len()).map_err(|_| OutOfMemory)?;
        let mut place = 0;
        for token in lexer {
            if matches!(token.class, Class::Literal(_) | Class::Name { .. })
                && contains(&bytes_of(statement, &token, &lexer)?, value)
            {
                return Ok(true);
            }
            let end = if token.class == Class::Comment { token.start } else { token.end };
            words.extend_from_slice(statement.get(place..end).unwrap_or_default());
            place = token.end;
        }
        Ok(meter.halt().is_some() || contains(&words, value))
    }
}

impl StoredSecrets {
    /// The text with `***` for what is hidden in it; None if nothing is.
    pub fn hide_in(&self, text: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let mut places = self.unsaid.places_in(text)?;
        for name in &self.names {
            let starts = memchr::memmem::find_iter(text, name).filter(|start| is_name(text, *start, name.len()));
            for start in starts {
                let place = value_at(text, start, start + name.len() + 1);
                places.try_reserve(1).map_err(|_| OutOfMemory)?;
                places.extend((place.0 < place.1).then_some(place));
            }
        }
        if places.is_empty() { Ok(None) } else { super::replaced(text, &mut places, b"***").map(Some) }
    }
}

/// Whether a whole name stands there, and a value behind it.
fn is_name(text: &[u8], start: usize, length: usize) -> bool {
    let before = start.checked_sub(1).and_then(|place| text.get(place));
    let is_whole = before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    is_whole && text.get(start + length) == Some(&b'=')
}

/// The value that begins there: to the end of the quotes in which its name begins, or of the word.
fn value_at(text: &[u8], name: usize, start: usize) -> Place {
    let rest = text.get(start..).unwrap_or_default();
    let quote = name.checked_sub(1).and_then(|place| text.get(place)).filter(|byte| b"\"'".contains(byte));
    let length = match quote {
        Some(quote) => quoted_length(rest, *quote),
        None => rest.iter().take_while(|byte| !byte.is_ascii_whitespace() && !b",;)]}\"'".contains(byte)).count(),
    };
    (start, start + length)
}

/// How much stands before the quote that is neither doubled nor escaped.
fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut place = 0;
    while let Some(byte) = rest.get(place) {
        let is_doubled = *byte == quote && rest.get(place + 1) == Some(&quote);
        match *byte {
            b'\\' => place += 2,
            _ if is_doubled => place += 2,
            other if other == quote => return place,
            _ => place += 1,
        }
    }
    rest.len()
}

/// Whether a text has the value somewhere, in upper or lower case: names are folded, in encodings that are not known here.
fn contains(text: &[u8], value: &[u8]) -> bool {
    let alike = |(one, other): (&u8, &u8)| one.eq_ignore_ascii_case(other) || !(one.is_ascii() || other.is_ascii());
    value.len() <= text.len() && text.windows(value.len().max(1)).any(|part| part.iter().zip(value).all(alike))
}

#[cfg(test)]
mod tests {
    use super::super::{Names, Strings};
    use super::*;
    use crate::secret::SecretOptions;

    /// What is left of a message when the statement is run on a mapping that has these options.
    fn left(options: &[&str], statement: &str, message: &str) -> String {
        let names = Names::of_packs(&SecretOptions::default());
        let options: Vec<(ObjectType, &[u8])> =
            options.iter().map(|option| (ObjectType::UserMapping, option.as_bytes())).collect();
        let secrets = Redactor::new(&names, Strings::Standard).stored(&options, statement.as_bytes()).unwrap();
        let hidden = secrets.hide_in(message.as_bytes()).unwrap();
        hidden.map_or_else(|| message.to_owned(), |hidden| String::from_utf8(hidden).unwrap())
    }

    const OPTIONS: [&str; 3] = ["user=visible", "password=canary", "token=a=b c"];

    #[test]
    fn secrets_that_are_stored_are_hidden() {
        let message = "bad options: {user=visible,password=canary,\"token=a=b c\"}, \"canary\"";
        let hidden = "bad options: {user=visible,password=***,\"token=***\"}, \"***\"";
        let statement = "ALTER USER MAPPING FOR a SERVER s OPTIONS (SET user 'b', DROP \"a\"\"b\") -- canary";
        assert_eq!(left(&OPTIONS, statement, message), hidden);
        assert_eq!(left(&["password="], statement, "'' password="), "'' password=");
    }

    #[test]
    fn nobody_is_told_that_he_has_guessed() {
        for said in [
            "'canary'",
            "'the canary'",
            "E'c\\x61nary'",
            "U&'c\\0061nary'",
            "U&\"c!0061nary\" UESCAPE '!' 'x'",
            "Canary 'x'",
            "\"CANARY\" 'x'",
            "$$canary$$",
            "'can'\n'ary'",
            "'can'\r'ary'",
        ] {
            let statement = format!("ALTER USER MAPPING FOR a SERVER s OPTIONS (SET user {said})");
            assert_eq!(left(&OPTIONS, &statement, "no \"canary\" here"), "no \"canary\" here", "{said}");
        }
        assert_eq!(left(&["password=it's"], "ALTER … 'it''s'", "'it's'"), "'it's'");
        assert_eq!(left(&["password=a\"b"], "ALTER … \"a\"\"b\"", "'a\"b'"), "'a\"b'");
        assert_eq!(left(&["password=a.b c"], "ALTER … a.b/**/ c", "'a.b c'"), "'a.b c'");
        assert_eq!(left(&["password=\u{e4}\u{f6}"], "ALTER … \u{c4}\u{d6}", "'\u{e4}\u{f6}'"), "'\u{e4}\u{f6}'");
    }

    #[test]
    fn what_a_public_option_says_is_public() {
        let options = ["user=canary1", "password=canary"];
        assert_eq!(left(&options, "ALTER …", "user 'canary'"), "user 'canary'");
        assert_eq!(left(&["password=canary", "token=canary1"], "ALTER …", "'canary'"), "'***'");
    }

    /// What is behind the name is hidden whatever it is, and to the same end.
    #[test]
    fn nor_by_what_stands_behind_the_name() {
        for guess in ["canary", "other", "can", "canaryx"] {
            for (before, after) in
                [("{user=a,", ",host=h}"), ("\"", "\" is no option"), ("'", "'"), ("(", ") ;"), ("", "")]
            {
                let statement = format!("ALTER … SET \"password={guess}\"");
                let told = left(&OPTIONS, &statement, &format!("{before}password={guess}{after}"));
                assert_eq!(told, format!("{before}password=***{after}"));
            }
        }
        let quoted = [r#"{"password=a \"b\" c","x=y"}"#, "'password=it''s' is", "\"password=open"];
        let hidden = ["{\"password=***\",\"x=y\"}", "'password=***' is", "\"password=***"];
        assert_eq!(quoted.map(|text| left(&OPTIONS, "", text)), hidden);
        for other in ["nopassword=x", "password_required=true", "password = x", "password: x"] {
            assert_eq!(left(&OPTIONS, "", other), other);
        }
    }
}
