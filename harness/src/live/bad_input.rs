//! Input that is malformed, hostile, or merely large: a clear error or a clean pass, and the session goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::{Database, quote_ident, quote_literal};
use crate::fields::{DbFields, expect_error};

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "bad_input::a_hostile_schema_is_refused_at_once", run: a_hostile_schema_is_refused_at_once },
    LiveTest {
        name: "bad_input::a_catastrophic_pattern_takes_linear_time",
        run: a_catastrophic_pattern_takes_linear_time,
    },
    LiveTest { name: "bad_input::odd_names_are_matched_and_shown_on_one_line", run: odd_names_are_matched_and_shown },
    LiveTest { name: "bad_input::odd_patterns_are_refused_with_a_reason", run: odd_patterns_are_refused },
    LiveTest { name: "bad_input::a_value_with_an_equals_sign_is_whole", run: a_value_with_an_equals_sign_is_whole },
    LiveTest { name: "bad_input::postgresqls_own_refusals_stay_its_own", run: postgresqls_own_refusals_stay_its_own },
    LiveTest { name: "bad_input::no_function_minds_a_null", run: no_function_minds_a_null },
    LiveTest {
        name: "bad_input::roles_that_are_gone_change_nothing_else",
        run: roles_that_are_gone_change_nothing_else,
    },
    LiveTest { name: "bad_input::ten_thousand_options_are_judged", run: ten_thousand_options_are_judged },
    LiveTest { name: "bad_input::sixteen_hundred_columns_are_judged", run: sixteen_hundred_columns_are_judged },
    LiveTest { name: "bad_input::two_thousand_rules_are_in_force", run: two_thousand_rules_are_in_force },
    LiveTest { name: "bad_input::a_prepared_statement_follows_the_rules", run: a_prepared_statement_follows_the_rules },
    LiveTest { name: "bad_input::rules_and_servers_change_side_by_side", run: rules_and_servers_change_side_by_side },
    LiveTest { name: "bad_input::settings_refuse_what_they_cannot_mean", run: settings_refuse_what_they_cannot_mean },
];

/// Far more than any of these statements takes, even without optimisation on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The same of an ALTER of 1,600 columns, which takes PostgreSQL itself a second, and on a busy machine has taken 14.
const ALTER_OF_ALL_COLUMNS: Duration = Duration::from_secs(40);

/// A database with a wrapper without a validator.
fn prepared<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(&format!("bad_input_{name}"))?;
    database.execute("CREATE FOREIGN DATA WRAPPER plain")?;
    Ok(database)
}

fn within<T>(what: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
    within_time(AT_ONCE, what, act)
}

fn within_time<T>(most: Duration, what: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let outcome = act()?;
    ensure!(start.elapsed() < most, "{what} took {:?}", start.elapsed());
    Ok(outcome)
}

/// Refused by the rule of that name.
fn refused_by(client: &mut Client, rule: &str, sql: &str) -> Result<DbFields> {
    let error = expect_error(client, sql)?;
    same("constraint name", error.constraint.as_deref(), Some(rule)).with_context(|| error.to_string())?;
    client.batch_execute("SELECT 1").context("the session is not usable any more")?;
    Ok(error)
}

fn options_rule(name: &str, schema: &str) -> String {
    let (name, schema) = (quote_literal(name), quote_literal(schema));
    format!("INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ({name}, 'server', {schema})")
}

/// Schemas that would hurt, and what is said of each.
fn hostile_schemas() -> Vec<(&'static str, String, &'static str)> {
    let chain = |links: usize, link: fn(usize) -> String| {
        let definitions: Vec<String> = (1..links).map(|i| format!("\"d{i}\": {}", link(i - 1))).collect();
        format!("{{\"$ref\": \"#/$defs/d{}\", \"$defs\": {{\"d0\": {{}}, {}}}}}", links - 1, definitions.join(", "))
    };
    let doubling = |i| format!("{{\"allOf\": [{{\"$ref\": \"#/$defs/d{i}\"}}, {{\"$ref\": \"#/$defs/d{i}\"}}]}}");
    let on_port = |schema: &str| format!("{{\"required\": [\"port\"], \"properties\": {{\"port\": {schema}}}}}");
    let pattern = |pattern: &str| on_port(&format!("{{\"type\": \"string\", \"pattern\": \"{pattern}\"}}"));
    let many: Vec<String> = (0..200)
        .map(|i| format!("\"o{i}\": {{\"type\": \"string\", \"pattern\": \"^(?:\\\\w{{40}}){{{}}}$\"}}", i % 9 + 1))
        .collect();
    vec![
        ("deep", "{\"not\": ".repeat(120) + "{}" + &"}".repeat(120), "deep"),
        ("too deep for its parser", "{\"not\": ".repeat(2000) + "{}" + &"}".repeat(2000), "nested too deep"),
        ("self-referring", chain(2, |_| "{\"$ref\": \"#/$defs/d1\"}".to_owned()), "$ref"),
        ("referring to its root", "{\"$ref\": \"#\"}".to_owned(), "$ref"),
        ("doubling", chain(40, doubling), "$ref"),
        ("a long chain", chain(1500, |i| format!("{{\"$ref\": \"#/$defs/d{i}\"}}")), "$ref"),
        ("of elsewhere", "{\"$ref\": \"file:///etc/passwd\"}".to_owned(), "$ref"),
        ("huge", format!("{{\"description\": \"{}\"}}", "x".repeat(64 * 1024)), "larger than 65536 bytes"),
        ("exploding", pattern("(((a{1000}){1000}){1000}){1000}"), "pattern: the regular expression is too large"),
        ("looking around", pattern("^(?=a)"), "look-around and backreferences are not supported"),
        ("referring back", pattern("(a)\\\\1"), "look-around and backreferences are not supported"),
        ("many large expressions", format!("{{\"properties\": {{{}}}}}", many.join(", ")), "too large"),
        ("infinite", on_port("{\"type\": \"number\", \"minimum\": 1e999}"), "invalid JSON at line 1"),
        ("of a draft of its own", "{\"$schema\": \"http://json-schema.org/draft-04/schema#\"}".to_owned(), "$schema"),
        ("a list", "[{}]".to_owned(), "a schema is a JSON object"),
        ("null", "null".to_owned(), "a schema is a JSON object"),
    ]
}

fn a_hostile_schema_is_refused_at_once(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "schemas")?;
    let mut client = database.connect()?;
    for (name, schema, said) in hostile_schemas() {
        let refusal = within(name, || refused_by(&mut client, "hostile", &options_rule("hostile", &schema)));
        let refusal = refusal.with_context(|| format!("a schema that is {name}"))?;
        same("SQLSTATE", refusal.sqlstate.as_str(), "23514")?;
        let detail = refusal.detail.unwrap_or_default();
        contains(&detail, "options")?;
        contains(&detail, said)?;
        ensure!(detail.len() < 1000, "{name}: the DETAIL has {} bytes", detail.len());
    }
    for text in ["{", "{\"a\" 1}", "", "{\"a\": \"\\x\"}"] {
        same("SQLSTATE", expect_error(&mut client, &options_rule("malformed", text))?.sqlstate.as_str(), "22P02")?;
    }
    same("rules", count(&mut client, "fdw_guard.rule")?, 0)
}

fn count(client: &mut Client, from: &str) -> Result<i64> {
    Ok(client.query_one(&format!("SELECT count(*) FROM {from}"), &[])?.get(0))
}

fn a_catastrophic_pattern_takes_linear_time(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "patterns")?;
    let mut client = database.connect()?;
    let patterns = ["^(a+)+$", "^(a|aa)+$", "^(.*a){12}$", "(x+x+)+y"];
    for (number, pattern) in patterns.iter().enumerate() {
        let schema = format!(
            "{{\"required\": [\"o{number}\"], \"properties\": {{\"o{number}\": {{\"type\": \"string\", \"pattern\": \"{pattern}\"}}}}}}"
        );
        client.batch_execute(&options_rule(&format!("r{number}"), &schema))?;
    }
    let megabyte = "a".repeat(1024 * 1024);
    let create = |value: &str| {
        format!(
            "CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (o0 '{value}', o1 '{value}', o2 '{value}', o3 '{value}')"
        )
    };
    let error = within("the refusal", || refused_by(&mut client, "r0", &create(&format!("{megabyte}b"))))?;
    let detail = error.detail.unwrap_or_default();
    for number in 1..4 {
        contains(&detail, &format!("violates rule \"r{number}\""))?;
    }
    ensure!(detail.len() < 2000, "the DETAIL has {} bytes", detail.len());
    client.batch_execute("DELETE FROM fdw_guard.rule WHERE name = 'r3'")?;
    within("passing", || Ok(client.batch_execute(&create(&megabyte))?))?;
    // Messages cut a value; where values are what is asked for, they are whole.
    let length = "SELECT max(length(value)) FROM fdw_guard.options";
    same("longest value shown", client.query_one(length, &[])?.get(0), 1024 * 1024)
}

/// Names of at most 63 bytes that would break a careless reader, quoting or message.
fn odd_names() -> Vec<String> {
    let plain = [
        "it's \"quoted\"",
        "a.b",
        "two words",
        "two\nlines",
        "a\tb\r",
        "back\\slash",
        "100%s %n",
        "\u{1f600}",
        "*",
        "?",
        "!x",
        "a,b",
        "{}",
        "public",
        "$1",
        "a=b",
        "A",
        "\u{202e}evil",
    ];
    let mut names: Vec<String> = plain.iter().map(|name| (*name).to_owned()).collect();
    names.extend(["x".repeat(63), "\u{1f600}".repeat(15), "\"".repeat(63)]);
    names
}

fn odd_names_are_matched_and_shown(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "names")?;
    let mut client = database.connect()?;
    for name in odd_names() {
        odd_name(&mut client, &name).with_context(|| format!("the name is {name:?}"))?;
    }
    Ok(())
}

/// A rule on exactly the objects of that name binds them and none whose name is a little longer.
fn odd_name(client: &mut Client, name: &str) -> Result<()> {
    let (ident, pattern) = (quote_ident(name), quote_literal(&quote_ident(name)));
    let option = if name.contains('=') { "option".to_owned() } else { ident.clone() };
    let schema = "{\"maxProperties\": 0}";
    client.batch_execute(&format!(
        "DELETE FROM fdw_guard.rule; INSERT INTO fdw_guard.rule (name, object_type, server, relation, column_name, options) VALUES \
         ('on_server', 'server', ARRAY[{pattern}], '{{*}}', '{{*}}', '{schema}'), \
         ('on_table', 'foreign table', '{{*}}', ARRAY[{pattern}], '{{*}}', '{schema}'), \
         ('on_column', 'foreign table column', '{{*}}', '{{*}}', ARRAY[{pattern}], '{schema}'); \
         CREATE SERVER {ident} FOREIGN DATA WRAPPER plain; CREATE SERVER other FOREIGN DATA WRAPPER plain; \
         CREATE FOREIGN TABLE {ident} ({ident} int, other int) SERVER {ident}; \
         CREATE FOREIGN TABLE other ({ident} int) SERVER {ident}; \
         ALTER SERVER other OPTIONS ({option} '1'); ALTER FOREIGN TABLE other OPTIONS ({option} '1'); \
         ALTER FOREIGN TABLE {ident} ALTER other OPTIONS ({option} '1')"
    ))?;
    for (rule, statement) in [
        ("on_server", format!("ALTER SERVER {ident} OPTIONS ({option} '1')")),
        ("on_table", format!("ALTER FOREIGN TABLE {ident} OPTIONS ({option} '1')")),
        ("on_column", format!("ALTER FOREIGN TABLE {ident} ALTER {ident} OPTIONS ({option} '1')")),
    ] {
        let error = refused_by(client, rule, &statement)?;
        let line = error.message.chars().chain(error.detail.iter().flat_map(|detail| detail.chars()));
        ensure!(!line.into_iter().any(|c| c.is_control() || c == '\u{202e}'), "a raw control character: {error:?}");
        if rule != "on_server" {
            same("table name", error.table.as_deref(), Some(name))?;
        }
    }
    client.batch_execute(&format!(
        "SELECT o::text FROM fdw_guard.options o; DELETE FROM fdw_guard.rule; DROP SERVER {ident}, other CASCADE"
    ))?;
    Ok(())
}

fn odd_patterns_are_refused(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "relations")?;
    let mut client = database.connect()?;
    let insert = |patterns: &str| {
        let patterns = quote_literal(patterns);
        format!(
            "INSERT INTO fdw_guard.rule (name, object_type, relation, forms) VALUES ('r', 'foreign table', {patterns}, '{{DROP}}')"
        )
    };
    for pattern in [
        "{}",
        "{NULL}",
        "{\"\"}",
        "{!}",
        "{.}",
        "{a.}",
        "{.a}",
        "{a.b.c}",
        r#"{"\"a"}"#,
        "{a[0-9]}",
        "{a|b}",
        "{^a}",
        "{a$}",
        "{a\\\\b}",
        "{(a)}",
    ] {
        let error = refused_by(&mut client, "r", &insert(pattern)).with_context(|| pattern.to_owned())?;
        same("SQLSTATE", error.sqlstate.as_str(), "23514")?;
        contains(error.detail.as_deref().unwrap_or_default(), "relation")?;
    }
    client.batch_execute("CREATE SCHEMA \"S.1\"; CREATE SERVER s FOREIGN DATA WRAPPER plain; CREATE FOREIGN TABLE \"S.1\".\"T*\" (a int) SERVER s")?;
    for (pattern, binds) in [
        ("{*}", true),
        ("{*.*}", true),
        (r#"{"\"S.1\".\"T*\""}"#, true),
        (r#"{"\"T*\""}"#, true),
        (r#"{"\"S.1\".*"}"#, true),
        ("{t*}", false),
        (r#"{"\"t*\""}"#, false),
        (r#"{"\"S.1\""}"#, false),
        (r#"{*,"!\"S.1\".*"}"#, false),
        ("{!other}", true),
        ("{public.*}", false),
        ("{s?1.*}", false),
    ] {
        client.batch_execute(&format!("DELETE FROM fdw_guard.rule; {}", insert(pattern)))?;
        let mut transaction = client.transaction()?;
        let refused = transaction.batch_execute("DROP FOREIGN TABLE \"S.1\".\"T*\"").is_err();
        transaction.rollback()?;
        same(pattern, refused, binds)?;
    }
    Ok(())
}

fn a_value_with_an_equals_sign_is_whole(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "equals")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT fdw_guard.add_rule('r', 'server', 'options', allowed => '{a=b=c,=,\"\"}')")?;
    client.batch_execute("CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (options 'a=b=c')")?;
    let shown = client.query_one("SELECT option, value FROM fdw_guard.options", &[])?;
    same("options", (shown.get(0), shown.get(1)), ("options", "a=b=c"))?;
    client.batch_execute("ALTER SERVER s OPTIONS (SET options '='); ALTER SERVER s OPTIONS (SET options '')")?;
    for value in ["a", "a=b", "a=b=c=", "==", "=a"] {
        let error = refused_by(&mut client, "r", &format!("ALTER SERVER s OPTIONS (SET options '{value}')"))?;
        contains(error.detail.as_deref().unwrap_or_default(), &format!("\"{value}\""))?;
    }
    Ok(())
}

/// What PostgreSQL itself refuses is refused in its words, whatever the rules say.
fn postgresqls_own_refusals_stay_its_own(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "core")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (a '1')")?;
    client.batch_execute(
        "INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('r', 'server', '{CREATE,OPTIONS,DROP}'), \
         ('m', 'user mapping', '{CREATE,OPTIONS,DROP}')",
    )?;
    for (statement, sqlstate) in [
        ("ALTER SERVER s OPTIONS ()", "42601"),
        ("CREATE SERVER t FOREIGN DATA WRAPPER plain OPTIONS ()", "42601"),
        ("CREATE SERVER t FOREIGN DATA WRAPPER plain OPTIONS (a '1', a '2')", "42710"),
        ("ALTER SERVER s OPTIONS (b '1', b '2')", "42710"),
        ("ALTER SERVER s OPTIONS (ADD a '2')", "42710"),
        ("ALTER SERVER s OPTIONS (SET b '2')", "42704"),
        ("ALTER SERVER s OPTIONS (DROP b)", "42704"),
        ("ALTER SERVER s OPTIONS (SET a 2)", "42601"),
        ("ALTER SERVER nobody OPTIONS (SET a '2')", "42704"),
        ("ALTER SERVER s OWNER TO nobody_at_all", "42704"),
        ("ALTER USER MAPPING FOR nobody_at_all SERVER s OPTIONS (SET a '2')", "42704"),
        ("CREATE USER MAPPING FOR nobody_at_all SERVER s", "42704"),
        ("ALTER USER MAPPING FOR CURRENT_USER SERVER nobody OPTIONS (SET a '2')", "42704"),
        ("DROP USER MAPPING FOR CURRENT_USER SERVER s", "42704"),
        ("ALTER FOREIGN TABLE nothing OPTIONS (SET a '2')", "42P01"),
    ] {
        let error = expect_error(&mut client, statement)?;
        same(statement, (error.sqlstate.as_str(), error.constraint.as_deref()), (sqlstate, None))?;
    }
    for statement in [
        "DROP SERVER IF EXISTS nobody",
        "DROP USER MAPPING IF EXISTS FOR nobody_at_all SERVER s",
        "ALTER FOREIGN TABLE IF EXISTS nothing OPTIONS (SET a '2')",
    ] {
        client.batch_execute(statement)?;
    }
    refused_by(&mut client, "r", "DROP SERVER s").map(drop)
}

/// Calls of every function, each argument a null of its type; a trigger function is called by hand.
const CALLS: &str = "SELECT p.proname::text, format('SELECT fdw_guard.%I(%s)', p.proname, \
     (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n) \
      FROM unnest(p.proargtypes) WITH ORDINALITY a(t, n))) \
     FROM pg_proc p WHERE p.pronamespace = 'fdw_guard'::regnamespace ORDER BY 1";

fn no_function_minds_a_null(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "nulls")?;
    let mut client = database.connect()?;
    let calls = client.query(CALLS, &[])?;
    ensure!(calls.len() >= 10, "the schema has only {} functions", calls.len());
    for call in calls {
        let (name, sql): (&str, &str) = (call.get(0), call.get(1));
        let outcome = client.batch_execute(sql).err().map(|error| error.as_db_error().map(DbFields::from));
        let sqlstate =
            outcome.map(|fields| fields.map_or_else(|| "no connection".to_owned(), |fields| fields.sqlstate));
        let expected: &[Option<&str>] = match name {
            "check_rule" | "keep_history" | "keep_secrets" => &[Some("39P01")],
            // Its delegate is missing here.
            "guarded_postgres_fdw_handler" => &[Some("42704")],
            // What json_build_object says of a key that is null, until 15 and since 16.
            "add_rule" => &[Some("22023"), Some("22004")],
            // Of what is changed nobody is to think that there was nothing to do.
            "explain_plan"
            | "plan"
            | "rotate_secret"
            | "set_column_options"
            | "set_foreign_table_options"
            | "set_server_options"
            | "set_user_mapping_options" => &[Some("22004")],
            _ => &[None],
        };
        ensure!(expected.contains(&sqlstate.as_deref()), "{sql}: {sqlstate:?}");
    }
    let wrong = [
        "SELECT fdw_guard.visible_options(0, 0, 0)",
        "SELECT fdw_guard.visible_options(4294967295, 4294967295, -1)",
        "SELECT fdw_guard.visible_options('pg_class', 'pg_class'::regclass, 1)",
        "SELECT fdw_guard.visible_options('pg_foreign_server', 1, 2147483647)",
        "SELECT fdw_guard.visible_options('pg_proc', 1, -2147483648)",
    ];
    for sql in wrong {
        same(sql, client.query(sql, &[])?.len(), 0)?;
    }
    same("rules", count(&mut client, "fdw_guard.rule")?, 0)?;
    let error = expect_error(&mut client, "SELECT fdw_guard.install_pack('nothing')")?;
    same("an unknown pack", error.sqlstate.as_str(), "42704")
}

fn roles_that_are_gone_change_nothing_else(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "roles")?;
    let mut client = database.connect()?;
    let insert = |name: &str, roles: &str, except: &str| {
        format!(
            "DELETE FROM fdw_guard.rule; INSERT INTO fdw_guard.rule (name, object_type, forms, roles, except_roles) \
             VALUES ('{name}', 'server', '{{CREATE}}', {roles}, {except})"
        )
    };
    client.batch_execute(&insert("nobody", "'{no_such_role}'", "NULL"))?;
    client.batch_execute("CREATE SERVER passes FOREIGN DATA WRAPPER plain")?;
    client.batch_execute(&insert("everybody", "NULL", "'{no_such_role}'"))?;
    refused_by(&mut client, "everybody", "CREATE SERVER s FOREIGN DATA WRAPPER plain")?;
    client.batch_execute(&insert("us", "'{no_such_role,postgres}'", "'{no_such_role}'"))?;
    refused_by(&mut client, "us", "CREATE SERVER s FOREIGN DATA WRAPPER plain").map(drop)
}

fn ten_thousand_options_are_judged(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "options")?;
    let mut client = database.connect()?;
    let options: Vec<String> = (0..10_000).map(|number| format!("o{number} '{number}'")).collect();
    client
        .batch_execute("SELECT fdw_guard.add_rule('r', 'server', 'o9999', allowed => '{9999}', read_only => true)")?;
    within("CREATE", || {
        Ok(client
            .batch_execute(&format!("CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS ({})", options.join(", ")))?)
    })?;
    same("options shown", count(&mut client, "fdw_guard.options")?, 10_000)?;
    within("a good ALTER", || Ok(client.batch_execute("ALTER SERVER s OPTIONS (SET o5 'x', DROP o6)")?))?;
    within("a bad ALTER", || refused_by(&mut client, "r", "ALTER SERVER s OPTIONS (SET o9999 'x')"))?;
    client.batch_execute(&options_rule("none", "{\"additionalProperties\": false}"))?;
    client.batch_execute("UPDATE fdw_guard.rule SET strict = true WHERE name = 'none'")?;
    let error = within("9,999 violations", || refused_by(&mut client, "none", "ALTER SERVER s OPTIONS (SET o5 'y')"))?;
    let detail = error.detail.unwrap_or_default();
    contains(&detail, "more violations.")?;
    ensure!(detail.len() < 10_000, "the DETAIL has {} bytes", detail.len());
    Ok(())
}

fn sixteen_hundred_columns_are_judged(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "columns")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE SERVER s FOREIGN DATA WRAPPER plain")?;
    let object_type = "foreign table column";
    client.batch_execute(&format!(
        "SELECT fdw_guard.add_rule('r', '{object_type}', 'k', allowed => '{{v}}', column_name => 'c*')"
    ))?;
    let each = |part: fn(u32) -> String| (1..=1600).map(part).collect::<Vec<_>>().join(", ");
    client
        .batch_execute(&format!("CREATE FOREIGN TABLE wide ({}) SERVER s", each(|number| format!("c{number} int"))))?;
    let bad = format!("ALTER FOREIGN TABLE wide {}", each(|number| format!("ALTER c{number} OPTIONS (k 'w')")));
    let error = within("1,600 violations", || refused_by(&mut client, "r", &bad))?;
    contains(error.detail.as_deref().unwrap_or_default(), "And 1579 more violations.")?;
    let good = format!("ALTER FOREIGN TABLE wide {}", each(|number| format!("ALTER c{number} OPTIONS (k 'v')")));
    within_time(ALTER_OF_ALL_COLUMNS, "1,600 good options", || Ok(client.batch_execute(&good)?))?;
    let last = "ALTER FOREIGN TABLE wide ALTER c1600 OPTIONS (SET k 'w')";
    same("column name", refused_by(&mut client, "r", last)?.column.as_deref(), Some("c1600"))?;
    same("options shown", within("the view", || count(&mut client, "fdw_guard.options"))?, 1600)
}

fn two_thousand_rules_are_in_force(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "rules")?;
    let mut client = database.connect()?;
    let insert = "INSERT INTO fdw_guard.rule (name, object_type, server, options) \
         SELECT 'r' || i, 'server', ARRAY['s' || i % 1000], \
             format('{\"required\": [\"port\"], \"properties\": {\"port\": {\"type\": \"integer\", \"maximum\": %s}}}', i)::json \
         FROM generate_series(0, 1999) i";
    within("writing them", || Ok(client.batch_execute(insert)?))?;
    let create = |port: u32| format!("CREATE SERVER s700 FOREIGN DATA WRAPPER plain OPTIONS (port '{port}')");
    let error = within("the first verdict", || refused_by(&mut client, "r700", &create(1701)))?;
    contains(error.detail.as_deref().unwrap_or_default(), "violates rule \"r1700\"")?;
    client.batch_execute(&create(700))?;
    client.batch_execute("CREATE SERVER unnamed FOREIGN DATA WRAPPER plain OPTIONS (port '5000')")?;
    same("policy()", count(&mut client, "fdw_guard.policy()")?, 2000)?;
    client.batch_execute("TRUNCATE fdw_guard.rule; ALTER SERVER s700 OPTIONS (SET port '5000')")?;
    Ok(())
}

fn a_prepared_statement_follows_the_rules(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "prepared")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (port '1')")?;
    let alter = client.prepare("ALTER SERVER s OPTIONS (SET port '2')")?;
    client.execute(&alter, &[])?;
    for round in 0..3 {
        database.execute("SELECT fdw_guard.add_rule('r', 'server', 'port', allowed => '{1}')")?;
        client.batch_execute(
            "SET fdw_guard.enforcement = off; ALTER SERVER s OPTIONS (SET port '1'); RESET fdw_guard.enforcement",
        )?;
        let Err(error) = client.execute(&alter, &[]) else { bail!("round {round}: the statement was not refused") };
        let refused = error.as_db_error().map(DbFields::from).context("the connection broke")?;
        same("constraint name", refused.constraint.as_deref(), Some("r"))?;
        database.execute("DELETE FROM fdw_guard.rule")?;
        client.execute(&alter, &[])?;
    }
    let parameter = client.prepare("SELECT fdw_guard.add_rule($1, 'server', 'port', minimum => 1)")?;
    client.execute(&parameter, &[&"bound"])?;
    same("rules", count(&mut client, "fdw_guard.rule WHERE name = 'bound'")?, 1)
}

/// For how long the sessions below work beside each other.
const BESIDE: Duration = Duration::from_millis(800);

fn rules_and_servers_change_side_by_side(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "beside")?;
    for server in ["s0", "s1", "s2", "shared"] {
        database.execute(&format!("CREATE SERVER {server} FOREIGN DATA WRAPPER plain OPTIONS (port '0')"))?;
    }
    let done = AtomicBool::new(false);
    let refusals = thread::scope(|scope| -> Result<usize> {
        let workers: Vec<_> = (0..3)
            .map(|number| {
                scope.spawn({
                    let (database, done) = (&database, &done);
                    move || alter_until(database, number, done)
                })
            })
            .collect();
        let outcome = change_rules(&database);
        done.store(true, Ordering::Relaxed);
        let mut refusals = 0;
        for worker in workers {
            refusals += worker.join().map_err(|_| anyhow::anyhow!("a session panicked"))??;
        }
        outcome.map(|()| refusals)
    })?;
    ensure!(refusals > 0, "no statement was refused by a rule");
    let mut client = database.connect()?;
    client.batch_execute("ALTER SERVER shared OPTIONS (SET port '-1')")?;
    same("rules", count(&mut client, "fdw_guard.rule")?, 0)
}

fn change_rules(database: &Database) -> Result<()> {
    let mut client = database.connect()?;
    let start = Instant::now();
    while start.elapsed() < BESIDE {
        client.batch_execute("SELECT fdw_guard.add_rule('r', 'server', 'port', maximum => 0)")?;
        client.batch_execute("UPDATE fdw_guard.rule SET strict = NOT strict")?;
        client.batch_execute("DELETE FROM fdw_guard.rule")?;
    }
    Ok(())
}

/// Alters a server of its own and one of all sessions' until told to stop; says how often a rule refused that.
fn alter_until(database: &Database, number: usize, done: &AtomicBool) -> Result<usize> {
    let mut client = database.connect()?;
    let mut refusals = 0;
    for port in (0..2).cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        for server in [format!("s{number}"), "shared".to_owned()] {
            let sql = format!("ALTER SERVER {server} OPTIONS (SET port '{port}')");
            refusals += usize::from(is_refused_by_rule(client.batch_execute(&sql))?);
        }
    }
    Ok(refusals)
}

fn is_refused_by_rule(outcome: Result<(), postgres::Error>) -> Result<bool> {
    let Err(error) = outcome else { return Ok(false) };
    let fields = error.as_db_error().map(DbFields::from).context("the connection broke")?;
    match (fields.constraint.as_deref(), fields.message.as_str()) {
        (Some("r"), _) => Ok(true),
        // PostgreSQL's own answer to two sessions that alter one server at once.
        (None, "tuple concurrently updated") => Ok(false),
        _ => bail!("{fields}"),
    }
}

fn settings_refuse_what_they_cannot_mean(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "settings")?;
    let mut client = database.connect()?;
    for (statement, sqlstate) in [
        ("SET fdw_guard.enforcement = 'perhaps'", "22023"),
        ("SET fdw_guard.check_mode = 'never'", "22023"),
        ("SET fdw_guard.secret_options = 'a['", "22023"),
        ("SET fdw_guard.secret_options = '\"open'", "22023"),
        ("SET fdw_guard.secret_options = 'a,,b'", "22023"),
        ("SET fdw_guard.enforcment = 'off'", "42602"),
    ] {
        same(statement, expect_error(&mut client, statement)?.sqlstate.as_str(), sqlstate)?;
    }
    client.batch_execute("SET fdw_guard.secret_options = ''; SET fdw_guard.secret_options = '\"a,b\", *'")?;
    Ok(())
}
