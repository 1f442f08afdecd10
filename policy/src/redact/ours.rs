//! Our own functions that take secrets as arguments.

use super::prefilter::starts_with;
use crate::model::ObjectType;

/// What an argument of such a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// It names an object, or says how.
    Public,
    /// A JSON object of options.
    Options,
    /// A secret.
    Value,
}

/// A function that takes secrets.
#[derive(Debug)]
pub struct Function {
    pub name: &'static [u8],
    /// On what it sets options; nothing, if it takes none.
    pub on: &'static [ObjectType],
    arguments: &'static [(&'static [u8], Argument)],
}

use Argument::{Options, Public, Value};

const FUNCTIONS: [Function; 5] = [
    Function {
        name: b"set_server_options",
        on: &[ObjectType::Server],
        arguments: &[(b"server", Public), (b"options", Options)],
    },
    Function {
        name: b"set_user_mapping_options",
        on: &[ObjectType::UserMapping],
        arguments: &[(b"role", Public), (b"server", Public), (b"options", Options), (b"create", Public)],
    },
    Function {
        name: b"set_foreign_table_options",
        on: &[ObjectType::ForeignTable],
        arguments: &[(b"relation", Public), (b"options", Options)],
    },
    Function {
        name: b"set_column_options",
        on: &[ObjectType::ForeignTableColumn],
        arguments: &[(b"relation", Public), (b"column_name", Public), (b"options", Options)],
    },
    Function {
        name: b"rotate_secret",
        on: &[],
        arguments: &[(b"option", Public), (b"value", Value), (b"server_pattern", Public), (b"role_pattern", Public)],
    },
];

/// Bytes of the shortest name of a function that takes secrets.
pub const SHORTEST: usize = b"rotate_secret".len();

/// Functions that take statements, in whose text secrets are found as in any other; not so in a parameter.
const TAKE_STATEMENTS: [&[u8]; 2] = [b"plan", b"explain_plan"];

impl Function {
    /// The function of that name, in lower case.
    pub fn named(name: &[u8]) -> Option<&'static Self> {
        static KNOWN: [Function; 5] = FUNCTIONS;
        KNOWN.iter().find(|function| function.name == name)
    }

    /// What the argument with that number is, counted from 0.
    pub fn argument(&self, number: usize) -> Argument {
        self.arguments.get(number).map_or(Value, |(_, argument)| *argument)
    }

    /// What the argument of that name is.
    pub fn argument_named(&self, name: &[u8]) -> Argument {
        self.arguments.iter().find(|(known, _)| *known == name).map_or(Value, |(_, argument)| *argument)
    }
}

/// Whether the text calls one of our functions that take secrets, or may: then its parameters are secret too.
pub fn names_our_functions(text: &[u8]) -> bool {
    memchr::memchr_iter(b'(', text).any(|place| is_ours(text.get(..place).unwrap_or_default()))
}

/// What stands behind each EXECUTE of a text: the name of a prepared statement, if it is one.
pub fn executed(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const EXECUTE: &[u8] = b"execute";
    let places = memchr::memchr2_iter(b'x', b'X', text).filter_map(|place| place.checked_sub(1));
    places.filter_map(|place| {
        let rest = text.get(place..)?;
        let behind = rest.get(EXECUTE.len()..).filter(|_| starts_with(rest, EXECUTE))?;
        let name = behind.trim_ascii_start();
        let is_word =
            name.len() < behind.len() || [&b"\""[..], b"/*", b"--"].iter().any(|start| name.starts_with(start));
        // A text for EXECUTE of PL/pgSQL.
        (is_word && !name.starts_with(b"'") && !name.starts_with(b"$")).then_some(name)
    })
}

/// Whether that is what stands before the arguments. Of what an escape or a comment hides, nobody asks.
fn is_ours(before: &[u8]) -> bool {
    let filling = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'"';
    let length = before.len() - before.iter().rev().take_while(filling).count();
    let (before, filled) = before.split_at_checked(length).unwrap_or_default();
    let name = before.iter().rev().take(LONGEST).take_while(|byte| is_of_name(**byte)).count();
    let name = before.get(before.len() - name..).unwrap_or_default();
    let is_known = |known: &[u8]| known.eq_ignore_ascii_case(name);
    before.ends_with(b"*/")
        || before.ends_with(b"'")
        || has_line_break(filled) && ends_with_comment(before)
        || FUNCTIONS.iter().any(|function| is_known(function.name))
        || TAKE_STATEMENTS.iter().any(|known| is_known(known))
        || before.strip_suffix(name).is_some_and(|before| before.ends_with(b"\\") || before.ends_with(b"\\+"))
}

fn has_line_break(text: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', text).is_some()
}

fn ends_with_comment(text: &[u8]) -> bool {
    let line = memchr::memrchr2(b'\n', b'\r', text).map_or(0, |line| line + 1);
    memchr::memmem::find(text.get(line..).unwrap_or_default(), b"--").is_some()
}

/// One byte more than the longest name of ours.
const LONGEST: usize = 64;

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_functions_are_known_by_name() {
        for text in [
            "SELECT fdw_guard.set_user_mapping_options($1, $2, $3)",
            "select SET_SERVER_OPTIONS('s', $1)",
            "SELECT \"fdw_guard\".\"plan\"($1)",
            "SELECT fdw_guard.rotate_secret('password', $1)",
            "SELECT plan ($1)",
            "SELECT U&\"pl\\0061n\"($1)",
            "SELECT U&\"pl!0061n\" UESCAPE '!' ($1)",
            "SELECT plan -- it's\n ($1)",
        ] {
            assert!(names_our_functions(text.as_bytes()), "{text}");
        }
        for text in
            ["SELECT plan FROM plans($1)", "SELECT my_set_server_options(1)", "SELECT * FROM fdw_guard.options", ""]
        {
            assert!(!names_our_functions(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn names_stand_behind_execute() {
        let names = |text: &'static str| executed(text.as_bytes()).map(str::from_utf8).collect::<Result<Vec<_>, _>>();
        assert_eq!(names("EXPLAIN Execute  p('x')").unwrap(), ["p('x')"]);
        assert_eq!(names("EXECUTE\"P\"(1); execute q").unwrap(), ["\"P\"(1); execute q", "q"]);
        assert_eq!(names("execute/**/p").unwrap(), ["/**/p"]);
        assert!(names("DO 'EXECUTE ''x'''; executed by x; execut; EXECUTE $1").unwrap().is_empty());
    }

    #[test]
    fn no_name_is_shorter_than_the_shortest() {
        assert_eq!(FUNCTIONS.iter().map(|function| function.name.len()).min(), Some(SHORTEST));
    }

    #[test]
    fn arguments_go_by_place_or_name() {
        let function = Function::named(b"set_user_mapping_options").unwrap();
        assert_eq!(
            (0..5).map(|number| function.argument(number)).collect::<Vec<_>>(),
            [Public, Public, Options, Public, Value]
        );
        assert_eq!(function.argument_named(b"options"), Options);
        assert_eq!(function.argument_named(b"unheard_of"), Value);
    }
}
