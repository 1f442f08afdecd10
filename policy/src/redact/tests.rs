use super::*;
use crate::secret::SecretOptions;

fn characters() -> Characters {
    Characters {
        length: |text| match text.first() {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..) => 4,
            _ => 1,
        },
        filler: |length| [&b"*"[..], "§".as_bytes(), "…".as_bytes(), "🔒".as_bytes()].get(length - 1).copied(),
    }
}

fn find(text: &str, kind: Kind) -> Found {
    let names = Names::of_packs(&SecretOptions::default());
    Redactor::new(&names, Strings::Standard).find(text.as_bytes(), kind).unwrap()
}

fn shown(text: &str, kind: Kind) -> String {
    let found = find(text, kind);
    let level = found.keeping_length(text.as_bytes(), &characters()).unwrap();
    assert_eq!(level.len(), text.len(), "{text}");
    let level = String::from_utf8(level).unwrap();
    assert_eq!(level.chars().count(), text.chars().count(), "{text}");
    String::from_utf8(found.with_stars(text.as_bytes()).unwrap()).unwrap()
}

#[track_caller]
fn assert_shown(text: &str, expected: &str) {
    assert_eq!(shown(text, Kind::Statement), expected);
}

/// In each of these `S3cret` is hidden, and nothing else.
#[test]
fn exactly_the_secret_is_hidden() {
    for text in [
        "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password 'S3cret')",
        "alter user mapping for bob server s options(user 'bob',password'S3cret',DROP x)",
        "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET \"password\" E'S3cret', SET \"user\" $$bob$$)",
        "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET U&\"pass\\0077ord\" $x$S3cret$x$)",
        "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET U&\"pass!0077ord\" UESCAPE '!' U&'S3cret' UESCAPE '!', DROP x)",
        "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password /* the ' secret */ -- it's\n N'S3cret')",
        "ALTER SERVER s OPTIONS (SET host 'h', ADD sslpassword 'S3cret'); SELECT 'x'",
        "BEGIN; CREATE FOREIGN TABLE t (a int OPTIONS (column_name 'A'), b int OPTIONS (x_token 'S3cret')) SERVER s",
        "DO $$ BEGIN ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password 'S3cret'); RAISE NOTICE 'done'; END $$",
        "DO $$ BEGIN EXECUTE 'ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ''S3cret'')'; END $$; SELECT 'a'",
        "DO 'BEGIN EXECUTE ''ALTER SERVER s OPTIONS (SET password ''''S3cret'''')''; END'",
        "DO E'BEGIN ALTER SERVER s OPTIONS (SET password \\'S3cret\\'); END'",
        "SELECT fdw_guard.set_user_mapping_options('bob', 's', '{\"user\": \"u\", \"password\": \"S3cret\"}')",
        "SELECT set_user_mapping_options(options => '{\"password\": \"S3cret\", \"user\": null}'::jsonb, role => 'bob', server => 's')",
        "SELECT fdw_guard.rotate_secret('password', 'S3cret', 's*')",
        "SELECT fdw_guard.plan('ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ''S3cret'')')",
        "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b OPTIONS (my_secret 'S3cret')",
        "-- ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password 'S3cret')\nSELECT 1",
        "CREATE USER MAPPING FOR bob SERVER s OPTIONS (unheard_of 'S3cret')",
    ] {
        assert_shown(text, &text.replace("S3cret", "***"));
    }
}

#[test]
fn parts_of_a_literal_are_hidden_one_by_one() {
    assert_shown(
        "ALTER SERVER s OPTIONS (SET password 'S3'\n  -- it's\n 'cret', SET host 'h'\n'i')",
        "ALTER SERVER s OPTIONS (SET password '***'\n  -- it's\n '***', SET host 'h'\n'i')",
    );
    let found = find("ALTER SERVER s OPTIONS (SET password 'S3'\n'cr''et')", Kind::Statement);
    assert_eq!(found.secrets().hide_in(b"=S3cr'et=").unwrap().unwrap(), b"=***=");
}

#[test]
fn what_does_not_parse_is_hidden_to_its_end() {
    for (text, expected) in [
        (
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password 'S3'cret', user 'u')",
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ***",
        ),
        (
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password = 'S3cret')",
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ***",
        ),
        (
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password S3cret)",
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ***",
        ),
        (
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password \"S3cret\")",
            "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ***",
        ),
        ("ALTER USER MAPPING FOR bob SERVER s PASSWORD 'S3cret'", "ALTER USER MAPPING FOR bob SERVER s ***"),
        ("ALTER USER MAPPING FOR bob SERVER s OPTION SET x 'S3cret'", "ALTER USER MAPPING FOR bob SERVER s OPTION ***"),
        (
            "ALTR USER MAPPNG FOR bob SERVER s OPTION (SET pin 'S3cret'",
            "ALTR USER MAPPNG FOR bob SERVER s OPTION (SET pin '***'",
        ),
        ("ALTER SERVER 's OPTIONS (SET password 'S3cret')", "ALTER SERVER ***"),
        ("ALTER SERVER s OPTIONS (SET password 'S3cret", "ALTER SERVER s OPTIONS (SET password ***"),
    ] {
        assert_shown(text, expected);
    }
}

#[test]
fn what_is_put_together_from_pieces_shows_no_literal() {
    for (text, expected) in [
        (
            "SELECT format('ALTER SERVER s OPTIONS (SET password %L, SET host %L)', 'S3cret', 'h')",
            "SELECT format('ALTER SERVER s OPTIONS (SET password %L, SET host %L)', '***', '***')",
        ),
        (
            "DO $$ DECLARE pw text := 'S3cret'; BEGIN EXECUTE 'ALTER SERVER s OPTIONS (SET password ' || quote_literal(pw) || ')'; END $$",
            "DO $$ DECLARE pw text := '***'; BEGIN EXECUTE 'ALTER SERVER s OPTIONS (SET password ' || quote_literal(pw) || '***'; END $$",
        ),
        (
            "SELECT set_server_options('s', jsonb_build_object('password', 'S3cret'))",
            "SELECT set_server_options('s', jsonb_build_object('***', '***'))",
        ),
        (
            "SELECT set_server_options(s, o) FROM (VALUES ('s', 'S3cret')) v (s, o)",
            "SELECT set_server_options(s, o) FROM (VALUES ('***', '***')) v (s, o)",
        ),
        (
            "DO $$ DECLARE pw text := 'S3cret'; BEGIN PERFORM \"fdw_guard\".SET_server_options('s', jsonb_build_object('password', pw)); END $$",
            "DO $$ DECLARE pw text := '***'; BEGIN PERFORM \"fdw_guard\".SET_server_options('s', jsonb_build_object('***', pw)); END $$",
        ),
        (
            "SELECT format('ALTER SERVER s OPTIONS (SET host %L)', 'h')",
            "SELECT format('ALTER SERVER s OPTIONS (SET host %L)', 'h')",
        ),
    ] {
        assert_shown(text, expected);
    }
}

#[test]
fn messages_are_prose_around_statements() {
    for (text, expected) in [
        (
            "it can't be: SQL statement \"ALTER USER MAPPING FOR \"Bob\" SERVER s OPTIONS (SET \"password\" 'S3cret')\"\nisn't it",
            "it can't be: SQL statement \"ALTER USER MAPPING FOR \"Bob\" SERVER s OPTIONS (SET \"password\" '***')\"\nisn't it",
        ),
        (
            "duration: 1 ms  plan:\n{ \"Query Text\": \"SELECT set_server_options('s', '{\\\"password\\\": \\\"S3cret\\\"}')\" }",
            "duration: 1 ms  plan:\n{ \"Query Text\": \"SELECT set_server_options('s', '***')\" }",
        ),
        ("option \"password\" of user mapping doesn't exist", "option \"password\" of user mapping doesn't exist"),
        (
            "statement: DO 'BEGIN EXECUTE ''ALTER SERVER s OPTIONS (SET password ''''S3cret'''')''; END'",
            "statement: DO 'BEGIN EXECUTE ''ALTER SERVER s OPTIONS (SET password ***",
        ),
    ] {
        assert_eq!(shown(text, Kind::Message), expected);
    }
}

#[test]
fn arguments_are_all_hidden() {
    assert_eq!(
        shown("statement: EXECUTE p('bob', 1, $$x$$)", Kind::Arguments),
        "statement: EXECUTE p('***', ***, $$***$$)"
    );
}

#[test]
fn positions_tell_whether_a_token_is_hidden() {
    let text = "ALTER SERVER ü OPTIONS (SET password S3cret)";
    let found = find(text, Kind::Statement);
    let hides = |word: &str| {
        let position = text.split(word).next().unwrap().chars().count() + 1;
        found.hides_token_at(position, text.as_bytes(), Strings::Standard, &characters())
    };
    assert!(hides("S3cret") && !hides("password") && !hides("OPTIONS"));
    assert!(!found.hides_token_at(0, text.as_bytes(), Strings::Standard, &characters()));
    assert!(!found.hides_token_at(1000, text.as_bytes(), Strings::Standard, &characters()));
}

#[test]
fn what_is_behind_a_syntax_error_is_hidden() {
    for (text, word, expected) in [
        (
            "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIOSN (host 'h', pin 'S3cret')",
            "OPTIOSN",
            "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIOSN***",
        ),
        ("ALTER SERVERR s OPTIONS (host 'h')", "SERVERR", "ALTER SERVERR***"),
        ("ALTER SERVER ü VERSION 'it's' OPTIONS (host 'h')", "s' ", "ALTER SERVER ü VERSION ***"),
        ("ALTER SERVER s VERSION 'v' 'S3cret'", "'S3", "ALTER SERVER s VERSION 'v' ***"),
        ("ALTER SERVER s OPTIONS (SET password S3cret)", "S3cret", "ALTER SERVER s OPTIONS (SET password ***"),
        ("SELECT 'x' 'y'", "'y'", "SELECT 'x' 'y'"),
    ] {
        let names = Names::of_packs(&SecretOptions::default());
        let (before, _) = text.split_once(word).unwrap();
        let position = before.chars().count() + 1;
        let redactor = Redactor::new(&names, Strings::Standard);
        let found = redactor.find_broken(text.as_bytes(), Kind::Statement, position, &characters()).unwrap();
        assert_eq!(String::from_utf8(found.with_stars(text.as_bytes()).unwrap()).unwrap(), expected);
    }
}

#[test]
fn multi_byte_values_keep_their_characters() {
    let text = "ALTER SERVER s OPTIONS (SET password 'pä€🔒')";
    let level = find(text, Kind::Statement).keeping_length(text.as_bytes(), &characters()).unwrap();
    assert_eq!(String::from_utf8(level).unwrap(), "ALTER SERVER s OPTIONS (SET password '*§…🔒')");
}

#[test]
fn backslashes_escape_where_strings_are_not_standard() {
    let names = Names::of_packs(&SecretOptions::default());
    let text = br"ALTER SERVER s OPTIONS (SET password 'S3\'cret', SET host 'h')";
    let found = Redactor::new(&names, Strings::Escaping).find(text, Kind::Statement).unwrap();
    assert_eq!(found.with_stars(text).unwrap(), b"ALTER SERVER s OPTIONS (SET password '***', SET host 'h')");
}

/// Found by the fuzzer, once shown.
#[test]
fn what_the_fuzzer_found_stays_hidden() {
    use Kind::{Message, Statement};
    for (kind, text) in [
        // Quotes that come in pairs by chance, and what has no end.
        (Statement, "'LTER USER MAPPING FOR bob SERVER s OPTIONS(user '/*',password 'S3cret')"),
        (Statement, "ALTER USER MAPPING FOR bob SERVER \"s OPTIONS(\"password\" 'S3cret', \"user\" 'x')"),
        (Statement, "ALTER SERVER s OPTIONS (SET password )S3cret', DROP host, SET port '1')"),
        (Statement, "ALTER SERVER s OPTIONS (SET sslpasswor) 'S3cret', SET port '1')"),
        (Statement, "ALTER SERVER s OPTIONS (SET \"password 'S3cret', DROP \"host\")"),
        // Names that are spelled otherwise.
        (Statement, "SELECT U&\"rotate_secret\" UESCAPE '!'('password', 'S3cret')"),
        (Statement, "DO E'BEGIN DO U&\\'ALTER SERVER s OPT\\\\0049ONS (SET password ''''S3cret'''')''; END'"),
        // What is put together from a template in quotes.
        (Statement, "DO 'BEGIN EXECUTE format(''ALTER SERVER s OPTIONS (SET password ''''%s'''')'', ''S3cret''); END'"),
        (Statement, "DO 'BEGIN EXECUTE ''ALTER SERVER s OPTIONS (SET password '''''' || ''S3cret'' || '''''')''; END'"),
        // In prose: comments, names with apostrophes, JSON, XML, quotes that are doubled once more.
        (Message, "statement: ALTER SERVER s OPTIONS--\n(SET password 'S3cret')"),
        (Message, "statement: ALTER SERVER s OPTIONS /* it's */ (SET password 'S3cret')"),
        (Message, "statement: ALTER USER MAPPING FOR \"bob's \"\"x\"\"\" SERVER s OPTIONS(password 'S3cret')"),
        (Message, "statement: DO 'ALTER SERVER s OPTIONS(host ''/*'', SET password ''S3cret'')'"),
        (Message, "{\"Query Text\": \"ALTER SERVER s\\nOPTIONS\\n(SET password --\\n'S3cret')\"}"),
        (Message, "{\"Query Text\": \"SELECT set_server_options('s', E'{\\\"a\\\": 1}\\\\\\\\\\\\' S3cret ')\"}"),
        (Message, "<Query-Text>SELECT set_server_options(options =&gt; '{\"password\": \"S3cret\"}')</Query-Text>"),
        (Message, "Parameters: $1 = 'SELECT set_server_options(''s'', ''{\"password\": \"S3cret\"}'')'"),
    ] {
        assert!(!shown(text, kind).contains("S3cret"), "{text}\n{}", shown(text, kind));
    }
}

/// Secrets that end a comment or a body too soon, and options that were taken out by a comment.
#[test]
fn what_comments_and_bodies_leave_over_is_hidden() {
    for text in [
        "SELECT run('ALTER USER MAPPING FOR bob SERVER s /* OPTIONS (SET password ''a -- ''''*/ /* S3cret -- ''''*/ /* c''')",
        "ALTER SERVER s /* OPTIONS (SET password 'a*/ S3cret')",
        "ALTER SERVER s /* OPTIONS (SET password */ 'S3cret')",
        "ALTER SERVER s OPTIONS (SET host 'h', -- SET password 'S3cret',\n SET port '1')",
        "ALTER SERVER s OPTIONS (SET host 'h' /*, SET password $$S3cret$$ */)",
        "ALTER USER MAPPING FOR bob SERVER s OPTIONS (/* pin 'S3cret', */ SET user 'u')",
        "-- CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h',\n--  password 'S3cret'\n-- );\nSELECT 1",
        "DO $do$ BEGIN EXECUTE 'DO $do$ DECLARE pw text := E''S3cret''; BEGIN PERFORM set_server_options(''s'', o); END $do$'; END $do$",
        "DO $do$ BEGIN EXECUTE 'DO $do$ DECLARE pw text := E''a S3cret''; BEGIN PERFORM set_server_options(''s'', o); END $do$'; END $do$",
        "SELECT run('DO $do$ BEGIN EXECUTE ''DO $do$ DECLARE pw text := E''''S3cret''''; BEGIN PERFORM set_server_options(''''s'''', o); END $do$''; END $do$')",
    ] {
        assert!(!shown(text, Kind::Statement).contains("S3cret"), "{text}\n{}", shown(text, Kind::Statement));
    }
}

/// Found by reading the code as somebody who looks for a way around it.
#[test]
fn what_is_said_in_a_roundabout_way_is_hidden() {
    for text in [
        "ALTER SERVER s OPTIONS (SET password U&'a' UESCAPE 'S3cret')",
        "ALTER SERVER s OPTIONS (SET password U&'a' UESCAPE S3cret)",
        "SELECT set_server_options('s', '{\"host\": {\"password\": \"S3cret\"}}')",
        "PREPARE p AS SELECT set_server_options('s', $1); EXECUTE p('{\"password\": \"S3cret\"}')",
        "PREPARE p(text) AS SELECT rotate_secret('password', $1); EXECUTE p('S3cret')",
        "DO $$ BEGIN EXECUTE 'SELECT set_server_options($1, $2)' USING 's', jsonb_build_object('password', 'S3cret'); END $$",
        "DO $$ BEGIN EXECUTE 'SELECT rotate_secret(option => $1, value => $2)' USING 'password', 'S3cret'; END $$",
        "DO 'BEGIN EXECUTE ''ALTER SERVER s OPTIONS (SET password $1)'' USING ''S3cret''; END'",
        "ALTER SERVER s OPTIONS (SET password$a$S3cret$a$)",
        "ALTER SERVER s OPTIONS (SET password$a$S3cret$a$, SET host 'h')",
        "ALTER SERVER s OPTIONS (SET password$a$S3cret is $a$)",
        "ALTER SERVER s OPTIONS (SET password$a$S3cret's$a$, SET host 'h')",
        "DO $$ BEGIN EXECUTE concat_ws(' ', 'ALTER SERVER s OPTIONS', '(SET password', quote_literal('S3cret'), ')'); END $$",
    ] {
        assert!(!shown(text, Kind::Statement).contains("S3cret"), "{text}\n{}", shown(text, Kind::Statement));
    }
    let prose = "Query Text: SELECT run('ALTER USER MAPPING FOR bob SERVER s /* OPTIONS (SET password ''a -- ''''*/ /* S3cret */')";
    assert!(!shown(prose, Kind::Message).contains("S3cret"), "{}", shown(prose, Kind::Message));
}

#[test]
fn comments_and_names_with_apostrophes_do_not_hide_the_rest() {
    for text in [
        "ALTER SERVER s OPTIONS (SET host 'h' /* it's the host */, -- don't\n SET port '1', SET password 'S3cret')",
        "ALTER SERVER s /* options: it's one */ OPTIONS (SET password 'S3cret', SET host 'h')",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\"a''b secret\" 'S3cret', host 'h')",
        "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (\"a''b secret\" U&'S3cret' UESCAPE '!', host 'h')",
        "CREATE FUNCTION f() RETURNS text LANGUAGE 'sql' BEGIN ATOMIC SELECT 'x'; END; ALTER SERVER s OPTIONS (SET password 'S3cret')",
    ] {
        assert_shown(text, &text.replace("S3cret", "***"));
    }
}

/// A text that is read again and again, or that nobody waits for, is hidden whole.
#[test]
fn what_is_not_read_to_its_end_is_hidden() {
    let names = Names::of_packs(&SecretOptions::default());
    let text = "SELECT 'x option'; ".repeat(1 << 17);
    let redactor = Redactor { must_stop: || true, ..Redactor::new(&names, Strings::Standard) };
    let found = redactor.find(text.as_bytes(), Kind::Statement).unwrap();
    assert!(found.is_stopped() && found.secrets().is_empty());
    assert_eq!(found.with_stars(text.as_bytes()).unwrap(), b"***");
    let level = found.keeping_length(text.as_bytes(), &characters()).unwrap();
    assert!(level.len() == text.len() && level.starts_with(b"***  ") && level.ends_with(b" "));
    let short = redactor.find(b"ALTER SERVER s OPTIONS (SET host 'h')", Kind::Statement).unwrap();
    assert!(short.is_empty());
}

/// Found by the fuzzer, once hidden.
#[test]
fn no_more_than_the_secret_is_hidden() {
    for text in [
        "ALTER USER MAPPING FOR U&\"bob\" UESCAPE '!' SERVER U&\"s\" UESCAPE '!' OPTIONS (SET password 'S3cret')",
        "SELECT set_server_options('s', '{\"password\": \"S3cret\"}' :: pg_catalog.jsonb), 'after'",
        "SELECT set_server_options(U&'s' UESCAPE '!', U&'{\"password\": \"S3cret\"}' UESCAPE '!')",
    ] {
        assert_shown(text, &text.replace("S3cret", "***"));
    }
}
/// A value may be written as a number wherever pieces are put together, and in arguments of our functions.
#[test]
fn numbers_are_hidden_where_they_may_be_secrets() {
    for (text, expected) in [
        (
            "SELECT format('ALTER SERVER %1$I OPTIONS (SET password %2$L)', 's', 9182734)",
            "SELECT format('ALTER SERVER %1$I OPTIONS (SET password %2$L)', '***', ***)",
        ),
        (
            "DO $$ DECLARE pin bigint := 9182734; BEGIN EXECUTE 'ALTER SERVER s OPTIONS (SET password ' || quote_literal(pin) || ')'; END $$",
            "DO $$ DECLARE pin bigint := ***; BEGIN EXECUTE 'ALTER SERVER s OPTIONS (SET password ' || quote_literal(pin) || '***'; END $$",
        ),
        (
            "DO $$ BEGIN EXECUTE 'ALTER SERVER s OPTIONS (SET password ''' || 9182734 || ''')'; END $$",
            "DO $$ BEGIN EXECUTE 'ALTER SERVER s OPTIONS (SET password ***' || *** || '***'; END $$",
        ),
        (
            "SELECT set_server_options('s', jsonb_build_object('password', 9182734))",
            "SELECT set_server_options('s', jsonb_build_object('***', ***))",
        ),
        (
            "SELECT rotate_secret('password', 9182734::text, 's'), 12345",
            "SELECT rotate_secret('password', ***::text, 's'), 12345",
        ),
        (
            "SELECT set_server_options(s, o) FROM (VALUES ('s', 0x9182734)) v (s, o)",
            "SELECT set_server_options(s, o) FROM (VALUES ('***', ***)) v (s, o)",
        ),
        (
            "ALTER SERVER s OPTIONS (SET password 'x'); SELECT 9182734",
            "ALTER SERVER s OPTIONS (SET password '***'); SELECT 9182734",
        ),
    ] {
        assert_shown(text, expected);
    }
    for (text, expected) in [
        ("duration: 12.345 ms  statement: EXECUTE p(9182734)", "duration: 12.345 ms  statement: EXECUTE p(***)"),
        (
            "SQL expression \"format('x %L', 9182734)\"\nPL/pgSQL function f() line 12 at EXECUTE",
            "SQL expression \"format('***', ***)\"\nPL/pgSQL function f() line 12 at EXECUTE",
        ),
    ] {
        assert_eq!(shown(text, Kind::Arguments), expected);
    }
    let found = find("SELECT rotate_secret('password', 9182734), rotate_secret('password', 123)", Kind::Statement);
    assert_eq!(found.secrets().hide_in(b"9182734 \"123\"").unwrap().unwrap(), b"*** \"123\"");
}

#[test]
fn a_call_tells_whether_its_secret_stands_elsewhere() {
    let takes = |text: &str| find(text, Kind::Statement).takes_parameters();
    assert!(takes("PREPARE p AS SELECT rotate_secret('password', $1)"));
    assert!(takes("SELECT set_server_options('s', o) FROM (SELECT $1::jsonb) v (o)"));
    assert!(!takes("SELECT set_server_options($1, '{\"password\": \"x\"}')"));
    assert!(!takes("SELECT $1 AS option"));
}
