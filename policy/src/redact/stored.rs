//! Secrets that an object has already: a validator gets them with what a statement gives it, and may quote them.
//!
//! Whoever may alter an object need not see its options. So what the statement says itself is never hidden for being stored,
//! nor what stands in a public option: the stars would tell him whether he has guessed.

use super::lexer::{Class, Lexer};
use super::literal::bytes_of;
use super::meter::Meter;
use super::{OutOfMemory, Redactor, Secrets};
use crate::model::ObjectType;

impl Redactor<'_> {
    /// The secrets among the options of objects, `name=value` each, that the statement does not say.
    pub fn stored(&self, options: &[(ObjectType, impl AsRef<[u8]>)], statement: &[u8]) -> Result<Secrets, OutOfMemory> {
        let options = options.iter().filter_map(|(on, option)| {
            let option = option.as_ref();
            let end = memchr::memchr(b'=', option)?;
            let is_secret = self.names.is_secret(&[*on], option.get(..end)?);
            Some(Stored { value: option.get(end + 1..)?, is_secret })
        });
        let (secret, public): (Vec<Stored<'_>>, Vec<Stored<'_>>) = options.partition(|option| option.is_secret);
        let mut secrets = Secrets::default();
        for Stored { value, .. } in secret.iter().filter(|option| !option.value.is_empty()) {
            let is_public = public.iter().any(|option| contains(option.value, value));
            if !is_public && !self.says(statement, value)? {
                secrets.add(value)?;
            }
        }
        Ok(secrets)
    }

    /// Whether a statement has a value in a literal or a name, or as one, however it is spelled.
    fn says(&self, statement: &[u8], value: &[u8]) -> Result<bool, OutOfMemory> {
        if contains(statement, value) {
            return Ok(true);
        }
        if is_as_written(statement) {
            return Ok(false);
        }
        let meter = Meter::new(statement.len(), || false);
        let lexer = Lexer::new(statement, self.strings, false, &meter);
        for token in lexer {
            if matches!(token.class, Class::Literal(_) | Class::Name { .. })
                && contains(&bytes_of(statement, &token, &lexer)?, value)
            {
                return Ok(true);
            }
        }
        Ok(meter.halt().is_some())
    }
}

/// An option that an object has.
struct Stored<'a> {
    value: &'a [u8],
    is_secret: bool,
}

/// Whether every literal and name is written as what it means: there is nothing that escapes, is doubled or goes on.
fn is_as_written(statement: &[u8]) -> bool {
    let doubled = |quotes: &[u8]| memchr::memmem::find(statement, quotes).is_some();
    memchr::memchr3(b'\\', b'&', b'\n', statement).is_none()
        && memchr::memchr(b'\r', statement).is_none()
        && !doubled(b"''")
        && !doubled(b"\"\"")
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
        let message = "bad options: {user=visible,password=canary,\"token=a=b c\"}";
        let hidden = "bad options: {user=visible,password=***,\"token=***\"}";
        assert_eq!(left(&OPTIONS, "ALTER USER MAPPING FOR a SERVER s OPTIONS (SET user 'b')", message), hidden);
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
        assert_eq!(left(&["password=\u{e4}\u{f6}"], "ALTER … \u{c4}\u{d6}", "'\u{e4}\u{f6}'"), "'\u{e4}\u{f6}'");
    }

    #[test]
    fn what_a_public_option_says_is_public() {
        let options = ["user=canary1", "password=canary"];
        assert_eq!(left(&options, "ALTER …", "user 'canary'"), "user 'canary'");
        assert_eq!(left(&["password=canary", "token=canary1"], "ALTER …", "'canary'"), "'***'");
    }

    #[test]
    fn other_words_hide_nothing_less() {
        let statement = "ALTER USER MAPPING FOR a SERVER s OPTIONS (SET user 'it''s', DROP \"a\"\"b\")";
        assert_eq!(left(&OPTIONS, statement, "'canary'"), "'***'");
        assert_eq!(left(&["password="], statement, "''"), "''");
    }
}
