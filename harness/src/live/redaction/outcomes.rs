//! What becomes of a statement: it succeeds, is refused, fails in one of PostgreSQL's ways, or does not parse.

use super::cases::{End, Session};

/// An outcome that a whole statement can have on every path. `{public}`, `{name}` and `{secret}` stand for what changes
/// from case to case.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub name: &'static str,
    pub statement: &'static str,
    pub session: Session,
    pub before: &'static [&'static str],
    pub after: &'static [&'static str],
    pub end: End,
    /// Whether it is fdw_guard that refuses: PostgreSQL alone does something else.
    pub ours: bool,
}

const FAILS: Outcome = Outcome {
    name: "",
    statement: "",
    session: Session::Standard,
    before: &[],
    after: &[],
    end: End::Own,
    ours: false,
};

const ON_MAPPING: &str =
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET user '{public}', SET {name} {secret})";

/// Those that cost no time.
pub const OUTCOMES: [Outcome; 11] = [
    Outcome {
        name: "refused for the secret",
        statement: "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_ruled \
                    OPTIONS (SET user '{public}', SET {name} {secret})",
        ours: true,
        ..FAILS
    },
    Outcome {
        name: "refused for something else",
        statement: "ALTER SERVER canary_ruled OPTIONS (SET host '{public}', ADD {name} {secret})",
        ours: true,
        ..FAILS
    },
    Outcome {
        name: "refused by the validator",
        statement: "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_pg \
                    OPTIONS (SET user '{public}', SET {name} {secret}, ADD bogus '1')",
        ..FAILS
    },
    Outcome {
        name: "refused by the validator for its name",
        statement: "ALTER SERVER canary_pg OPTIONS (ADD host '{public}', ADD {name} {secret})",
        ..FAILS
    },
    Outcome {
        name: "missing server",
        statement: "ALTER USER MAPPING FOR CURRENT_USER SERVER nowhere \
                    OPTIONS (SET user '{public}', SET {name} {secret})",
        ..FAILS
    },
    Outcome {
        name: "option twice",
        statement: "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server \
                    OPTIONS (SET user '{public}', DROP host, ADD {name} {secret})",
        ..FAILS
    },
    Outcome {
        name: "option that is there",
        statement: "ALTER SERVER canary_server OPTIONS (SET host '{public}', ADD {name} {secret})",
        ..FAILS
    },
    Outcome {
        name: "option that is not there",
        statement: "ALTER FOREIGN TABLE canary_table OPTIONS (SET host '{public}', SET {name} {secret}, DROP fetch_size)",
        ..FAILS
    },
    Outcome {
        name: "no right",
        statement: "ALTER USER MAPPING FOR postgres SERVER canary_server \
                    OPTIONS (SET user '{public}', SET {name} {secret})",
        session: Session::Weak,
        ..FAILS
    },
    Outcome {
        name: "aborted transaction",
        statement: ON_MAPPING,
        before: &["BEGIN", "SELECT 1 / 0"],
        after: &["ROLLBACK"],
        ..FAILS
    },
    Outcome {
        name: "failed later in its transaction",
        statement: ON_MAPPING,
        before: &["BEGIN"],
        after: &["SELECT 1 / 0", "SELECT 2", "ROLLBACK"],
        ..FAILS
    },
];

/// Those that wait for something: they are tried on a few paths only.
pub const SLOW: [Outcome; 2] = [
    Outcome {
        name: "statement_timeout",
        statement: ON_MAPPING,
        before: &["SET statement_timeout = '100ms'"],
        after: &["RESET statement_timeout"],
        end: End::Itself,
        ..FAILS
    },
    Outcome { name: "cancelled", statement: ON_MAPPING, end: End::Cancelled, ..FAILS },
];

/// Statements that do not parse, or not as they are meant. `{bare}` is a secret without anything around it, `{secret}`
/// one in any spelling, `{plain}` one between quotes.
pub const BROKEN: [&str; 50] = [
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password = {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET user 'u' SET password {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET user 'u', password, {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {bare})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {bare}, SET user 'u')",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password \"{bare}\")",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password 12{bare})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {bare}-{bare}!{bare})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTION (SET password {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS SET password {secret}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server SET password {secret}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server PASSWORD {secret}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server PASSWORD {bare}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password 'abc{bare}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password $${bare}",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password $a${bare}$b$)",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password 'it's {bare}')",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET user 'it's', SET password {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password 'a' {plain})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password 'a'{plain})",
    "ALTER USER MAPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret})",
    "ALTER USERMAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret})",
    "ALTER USER MAPPING canary_server OPTIONS (password {secret})",
    "CREATE USER MAPPING IF NOT EXIST FOR CURRENT_USER SERVER canary_server OPTIONS (password {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password N{plain})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password X{plain})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret} || 'x')",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password concat({secret}))",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password := {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password TO {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password ({secret}))",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret}::text)",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret}) extra words",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS [SET password {secret}]",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password => {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server WITH (password {secret})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server /* OPTIONS (SET password {plain})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET \"password {plain})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password U&'\\00zz{bare}')",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password E'\\u12zz{bare}')",
    "ALTER SERVER canary_server OPTIONS (SET password {bare})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {bare}{bare})",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password$a\u{e9}${bare}$a\u{e9}$)",
    "CREATE SERVER another FOREIGN DATA WRAPPER canary_wrapper OPTIONS (host 'h' password {secret})",
    "SELECT 1; ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret}); SELEC 2",
    "SELEC 1; ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret})",
    "DO $do$ BEGIN ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password = {secret}); END $do$",
    "CREATE FUNCTION canary_path() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN \
     ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {bare}); END $f$",
    "INSERT INTO nowhere VALUES ('ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password ''{bare}'')')",
];

/// Statements without a word that every list of options has, since it is misspelled: what a client sends on its own is
/// read as what it was meant to be when PostgreSQL has refused it.
pub const MISSPELLED: [&str; 4] = [
    "CREATE SERVER another FOREIGN DATA WRAPPER canary_wrapper OPTIOSN (host 'h', pin {secret})",
    "ALTER SERVER canary_server SET (password = {secret})",
    "ALTER SERVERR canary_server SET password {bare}",
    "CREATE FOREIGN TABLE t (a int) SERVER canary_server WITH (my_token {plain}, other {bare})",
];
