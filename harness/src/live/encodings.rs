//! Names, values and rules in letters that are not ASCII, in databases of several encodings.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::{Database, quote_ident, quote_literal};
use crate::fields::expect_error;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "encodings::a_rule_speaks_the_letters_of_its_database", run: a_rule_speaks_its_databases_letters },
    LiveTest {
        name: "encodings::a_message_arrives_in_the_clients_encoding",
        run: a_message_arrives_in_the_clients_encoding,
    },
    LiveTest { name: "encodings::bytes_without_meaning_are_told_apart", run: bytes_without_meaning_are_told_apart },
    LiveTest { name: "encodings::bytes_without_meaning_crash_no_view", run: bytes_without_meaning_crash_no_view },
    LiveTest {
        name: "encodings::what_unicode_lacks_passes_where_no_rule_is",
        run: what_unicode_lacks_passes_where_no_rule_is,
    },
    LiveTest { name: "encodings::names_of_another_encoding_do_no_harm", run: names_of_another_encoding_do_no_harm },
    LiveTest { name: "encodings::a_reload_minds_no_encoding", run: a_reload_minds_no_encoding },
    LiveTest { name: "encodings::what_a_database_lacks_is_escaped", run: what_a_database_lacks_is_escaped },
];

/// A language, in an encoding that can write it.
struct Language {
    encoding: &'static str,
    /// A name of a server, of a rule and of an option.
    name: &'static str,
    /// A value that the rule allows, and one that it does not.
    good: &'static str,
    bad: &'static str,
    /// A regular expression over Unicode that the first fits and the second does not.
    expression: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        encoding: "LATIN1",
        name: "Gr\u{f6}\u{df}e",
        good: "\u{fc}ber",
        bad: "\u{e0} la",
        expression: "^[\u{fb}-\u{fd}]",
    },
    Language {
        encoding: "EUC_JP",
        name: "\u{5e97}\u{8217}",
        good: "\u{3072}\u{3089}\u{304c}\u{306a}",
        bad: "\u{30ab}\u{30bf}",
        expression: "^[\u{3041}-\u{3093}]{4}$",
    },
    Language {
        encoding: "UTF8",
        name: "\u{1f6d2} \u{10d0}",
        good: "\u{1f600}",
        bad: "\u{1f620}",
        expression: "^[\u{1f600}-\u{1f610}]$",
    },
    Language {
        encoding: "SQL_ASCII",
        name: "caf\u{e9}",
        good: "\u{e9}t\u{e9}",
        bad: "hiver \u{2744}",
        expression: "^\u{e9}.\u{e9}$",
    },
];

fn database<'cluster>(cluster: &'cluster Cluster, encoding: &str) -> Result<Database<'cluster>> {
    let name = format!("encoding_{}", encoding.to_lowercase());
    Database::create_with(cluster, &name, &format!("ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'"))
}

fn guarded<'cluster>(cluster: &'cluster Cluster, encoding: &str) -> Result<Database<'cluster>> {
    let database = database(cluster, encoding)?;
    database.execute("CREATE EXTENSION fdw_guard; CREATE FOREIGN DATA WRAPPER plain")?;
    Ok(database)
}

fn a_rule_speaks_its_databases_letters(cluster: &Cluster) -> Result<()> {
    for language in LANGUAGES {
        let database = guarded(cluster, language.encoding)?;
        let mut client = database.connect()?;
        client.batch_execute(&rule(language))?;
        binds(&mut client, language).map_err(|error| error.context(language.encoding))?;
        shows(&mut client, language).map_err(|error| error.context(language.encoding))?;
    }
    Ok(())
}

/// The rule, named as its server and its option are, and speaking of what it allows.
fn rule(Language { name, good, expression, .. }: &Language) -> String {
    let schema = format!(
        r#"{{"properties": {{"{name}": {{"type": "string", "pattern": "{expression}", "enum": ["{good}"]}}}}}}"#
    );
    format!(
        "INSERT INTO fdw_guard.rule (name, object_type, server, options, message, hint) \
         VALUES ({literal}, 'server', ARRAY[{pattern}], {schema}, {message}, {message})",
        literal = quote_literal(name),
        pattern = quote_literal(&quote_ident(name)),
        schema = quote_literal(&schema),
        message = quote_literal(&format!("{good}!")),
    )
}

fn binds(client: &mut Client, Language { name, good, bad, expression, .. }: &Language) -> Result<()> {
    let server = quote_ident(name);
    client.batch_execute(&format!("CREATE SERVER {server} FOREIGN DATA WRAPPER plain OPTIONS ({server} '{good}')"))?;
    client.batch_execute(&format!("CREATE SERVER other FOREIGN DATA WRAPPER plain OPTIONS ({server} '{bad}')"))?;
    let error = expect_error(client, &format!("ALTER SERVER {server} OPTIONS (SET {server} '{bad}')"))?;
    same("constraint name", error.constraint.as_deref(), Some(*name))?;
    same("message", error.message, format!("{good}!"))?;
    same("HINT", error.hint, Some(format!("{good}!")))?;
    let detail = error.detail.unwrap_or_default();
    contains(&detail, &format!("Option \"{name}\" of server \"{name}\" violates rule \"{name}\""))?;
    contains(&detail, &format!("The value \"{bad}\" does not match"))?;
    contains(&detail, expression)
}

/// Every view and function that shows options or rules shows these as they were written.
fn shows(client: &mut Client, Language { name, good, .. }: &Language) -> Result<()> {
    let row = client.query_one("SELECT server, option, value FROM fdw_guard.options WHERE server <> 'other'", &[])?;
    same("options", (row.get(0), row.get(1), row.get(2)), (*name, *name, *good))?;
    let sql = "SELECT server, options ->> server FROM fdw_guard.servers WHERE server <> 'other'";
    let row = client.query_one(sql, &[])?;
    same("servers", (row.get(0), row.get(1)), (*name, *good))?;
    agree(client)?;
    let row = client.query_one(
        "SELECT name, options #>> ARRAY['properties', name, 'enum', '0'], message FROM fdw_guard.policy()",
        &[],
    )?;
    same("policy()", (row.get(0), row.get(1), row.get(2)), (*name, *good, format!("{good}!").as_str()))
}

/// The functions that give the options of one object, each beside what the view says of it.
const FUNCTIONS: [&str; 4] = [
    "SELECT fdw_guard.server_options(server) = options FROM fdw_guard.servers",
    "SELECT fdw_guard.user_mapping_options(role, server) = options FROM fdw_guard.user_mappings",
    "SELECT fdw_guard.foreign_table_options(relation) = options FROM fdw_guard.foreign_tables",
    "SELECT fdw_guard.column_options(relation, column_name) = options FROM fdw_guard.foreign_columns",
];

/// Each function gives what the view says of every object that there is.
fn agree(client: &mut Client) -> Result<()> {
    let mut compared = 0;
    for function in FUNCTIONS {
        let rows = client.query(function, &[])?;
        ensure!(rows.iter().all(|row| row.get::<_, Option<bool>>(0) == Some(true)), "{function}: {rows:?}");
        compared += rows.len();
    }
    ensure!(compared > 0, "there is no object");
    Ok(())
}

/// Bytes that psql sends and receives as they are.
fn psql(database: &Database, cluster: &Cluster, encoding: &str, sql: &[u8]) -> Result<Vec<u8>> {
    let file = cluster.directory().join("statements.sql");
    fs::write(&file, sql)?;
    cluster.sandbox().account.own(&file)?;
    let mut psql: Command = cluster.sandbox().program("psql");
    psql.env("PGCLIENTENCODING", encoding).arg("-XAtq").args(["-U", "postgres", "-d", database.name()]);
    psql.arg("-h").arg(cluster.socket()).args(["-p", &cluster.port().to_string(), "-f"]).arg(&file);
    let output = psql.output()?;
    Ok([output.stdout, output.stderr].concat())
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

const STATEMENTS: &str = r#"
    INSERT INTO fdw_guard.rule (name, object_type, options)
        VALUES ('gr@e', 'server', '{"properties": {"gr@e": {"enum": ["1"]}}, "required": ["gr@e"]}');
    CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS ("gr@e" '2')"#;

/// The text with those bytes in place of each `@`.
fn spelt(text: &str, letters: &[u8]) -> Vec<u8> {
    text.split('@').map(str::as_bytes).collect::<Vec<_>>().join(letters)
}

fn a_message_arrives_in_the_clients_encoding(cluster: &Cluster) -> Result<()> {
    for (server, client, letters) in [
        ("UTF8", "LATIN1", b"\xf6\xdf".as_slice()),
        ("LATIN1", "UTF8", "\u{f6}\u{df}".as_bytes()),
        ("LATIN1", "LATIN1", b"\xf6\xdf"),
        ("EUC_JP", "SJIS", b"\x93\x58"),
    ] {
        let database = guarded(cluster, server)?;
        let said = psql(&database, cluster, client, &spelt(STATEMENTS, letters))?;
        let wanted = spelt("option \"gr@e\" of server \"s\" violates rule \"gr@e\"", letters);
        ensure!(holds(&said, &wanted), "{server} to {client}: {}", said.escape_ascii());
    }
    Ok(())
}

/// Runs a statement in which `%I` stands for the name `caf` and a byte that begins no character of UTF-8.
fn with_odd_name(client: &mut Client, statement: &str) -> Result<()> {
    let sql = format!("DO $do$ BEGIN EXECUTE replace({}, '%I', E'\"caf\\xe9\"'); END $do$", quote_literal(statement));
    Ok(client.batch_execute(&sql)?)
}

fn bytes_without_meaning_are_told_apart(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "SQL_ASCII")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "INSERT INTO fdw_guard.rule (name, object_type, options) \
         VALUES ('frozen', 'server', '{\"properties\": {\"host\": {\"readOnly\": true}}}'); \
         CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (host E'\\xff')",
    )?;
    client.batch_execute("ALTER SERVER s OPTIONS (SET host E'\\xff')")?;
    for other in ["E'\\xfe'", "E'\\\\xff'", "E'\\xff\\xff'", "'\u{ff}'"] {
        let error = expect_error(&mut client, &format!("ALTER SERVER s OPTIONS (SET host {other})"))?;
        same("constraint name", error.constraint.as_deref(), Some("frozen"))?;
    }
    client.batch_execute(
        "DELETE FROM fdw_guard.rule; INSERT INTO fdw_guard.rule (name, object_type, server, forms) \
         VALUES ('cafe', 'server', ARRAY[E'\"caf\\xe9\"'], '{CREATE}'); CREATE SERVER \"caf\u{e9}\" FOREIGN DATA WRAPPER plain",
    )?;
    let said = psql(&database, cluster, "SQL_ASCII", b"CREATE SERVER \"caf\xe9\" FOREIGN DATA WRAPPER plain")?;
    let wanted = br#"rule "cafe" does not allow CREATE on server "caf\xe9""#;
    ensure!(holds(&said, wanted), "{}", said.escape_ascii());
    Ok(())
}

/// Every view and function of ours that shows something.
const VIEWS: [&str; 9] = [
    "fdw_guard.options",
    "fdw_guard.servers",
    "fdw_guard.user_mappings",
    "fdw_guard.foreign_tables",
    "fdw_guard.foreign_columns",
    "fdw_guard.rule",
    "fdw_guard.policy()",
    "fdw_guard.packs",
    "fdw_guard.status()",
];

/// How many rows each of [`VIEWS`] has, every column having been read.
fn rows(client: &mut Client) -> Result<Vec<i64>> {
    VIEWS
        .iter()
        .map(|view| Ok(client.query_one(&format!("SELECT count(v::text) FROM {view} v"), &[])?.get(0)))
        .collect()
}

fn bytes_without_meaning_crash_no_view(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "SQL_ASCII")?;
    let mut client = database.connect()?;
    let before = rows(&mut client)?;
    client.batch_execute(
        "INSERT INTO fdw_guard.rule (name, object_type, options, message, hint, description) \
         VALUES (E'r\\xe9', 'server', '{\"properties\": {\"no\": false}}', E'm\\xe9', E'h\\xe9', E'd\\xe9')",
    )?;
    for statement in [
        "CREATE SERVER %I FOREIGN DATA WRAPPER plain OPTIONS (%I E'\\xff')",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (%I E'\\xff', password E'\\xff')",
        "CREATE FOREIGN TABLE %I (%I int OPTIONS (%I E'\\xff')) SERVER %I OPTIONS (%I E'\\xff')",
    ] {
        with_odd_name(&mut client, statement)?;
    }
    let grown: Vec<i64> = rows(&mut client)?.iter().zip(before).map(|(now, before)| now - before).collect();
    same("new rows", grown, vec![5, 1, 1, 1, 1, 1, 1, 0, 0])?;
    agree(&mut client)?;
    let used =
        "SELECT count(e::text) FROM fdw_guard.foreign_tables, fdw_guard.effective_options(relation, CURRENT_USER) e";
    same("effective options", client.query_one(used, &[])?.get(0), 2_i64)?;
    let secrets = "SELECT count(*) FROM fdw_guard.options WHERE value = '***' AND is_secret";
    same("secrets", client.query_one(secrets, &[])?.get(0), 2_i64)?;
    let error = expect_error(&mut client, "CREATE SERVER t FOREIGN DATA WRAPPER plain OPTIONS (no E'\\xff')")?;
    same("constraint name", error.constraint.as_deref(), Some("r\\xe9"))?;
    same("message and HINT", (error.message.as_str(), error.hint.as_deref()), ("m\\xe9", Some("h\\xe9")))
}

/// Encodings that let pass what is no character, and something of that kind.
const LACKING: [(&str, &str); 2] = [("EUC_JP", "E'\\xa9\\xa1'"), ("WIN1252", "E'\\x81'")];

fn what_unicode_lacks_passes_where_no_rule_is(cluster: &Cluster) -> Result<()> {
    for (encoding, value) in LACKING {
        let database = guarded(cluster, encoding)?;
        let mut client = database.connect()?;
        let error = expect_error(&mut client, &format!("SELECT convert_to({value}, 'UTF8')"))?;
        same("SQLSTATE of the conversion", error.sqlstate.as_str(), "22P05")?;
        let passes = |client: &mut Client, sql: &str| {
            client.batch_execute(sql).map_err(|error| anyhow::anyhow!("{encoding}: {sql}: {error:?}"))
        };
        passes(&mut client, &format!("CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (a {value})"))?;
        passes(&mut client, &format!("ALTER SERVER s OPTIONS (SET a {value}, b {value})"))?;
        client.batch_execute("SELECT fdw_guard.add_rule('r', 'server', 'port', allowed => '{1}')")?;
        passes(&mut client, "ALTER SERVER s OPTIONS (port '1')")?;
        let error = expect_error(&mut client, "ALTER SERVER s OPTIONS (SET port '2')")?;
        same("constraint name", error.constraint.as_deref(), Some("r"))?;
        client.batch_execute("SELECT option, is_secret FROM fdw_guard.options")?;
        passes(&mut client, "DROP SERVER s")?;
    }
    Ok(())
}

/// Roles are the cluster's: their names are whatever the encoding of another database made of them.
fn names_of_another_encoding_do_no_harm(cluster: &Cluster) -> Result<()> {
    let utf8 = cluster.database("names_of_another_encoding")?;
    let mut maker = utf8.connect()?;
    maker.batch_execute("CREATE ROLE \"kunde \u{1f600}\"")?;
    let outcome = with_odd_role(cluster);
    maker.batch_execute("DROP ROLE \"kunde \u{1f600}\"")?;
    outcome
}

fn with_odd_role(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "EUC_JP")?;
    let mut client = database.connect()?;
    let mut run = |statement: &str| {
        let sql = format!(
            "DO $do$ BEGIN EXECUTE format('{statement}', rolname) FROM pg_roles WHERE rolname LIKE 'kunde %'; END $do$"
        );
        client.batch_execute(&sql).map_err(|error| anyhow::anyhow!("{statement}: {error:?}"))
    };
    run("CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (port ''1'')")?;
    run("GRANT USAGE ON FOREIGN DATA WRAPPER plain TO %I")?;
    run("ALTER SERVER s OWNER TO %I")?;
    run("CREATE USER MAPPING FOR %I SERVER s OPTIONS (a ''1'')")?;
    run("ALTER USER MAPPING FOR %I SERVER s OPTIONS (SET a ''2'')")?;
    same("rows", rows(&mut client)?.into_iter().take(3).collect(), vec![2_i64, 1, 1])?;
    client.batch_execute("SELECT fdw_guard.add_rule('r', 'server', 'port', allowed => '{1}')")?;
    let error = expect_error(&mut client, "ALTER SERVER s OPTIONS (SET port '2')")?;
    same("constraint name", error.constraint.as_deref(), Some("r"))
}

fn what_a_database_lacks_is_escaped(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("encodings", &Settings::preloaded())?;
    let file = own.directory().join("policy.json");
    fs::write(
        &file,
        "{\"rules\": [{\"name\": \"stop \u{1f6ab}\", \"object_type\": \"server\", \"server\": [\"\\\"\u{e9}t\u{e9}\\\"\"], \
         \"forms\": [\"CREATE\"], \"message\": \"\u{e9}t\u{e9} is over \u{1f342}\"}]}",
    )?;
    own.set("fdw_guard.policy_file", &file.to_string_lossy())?;
    own.reload()?;
    for (encoding, message, name) in [
        ("LATIN1", "\u{e9}t\u{e9} is over \\u{1f342}", "stop \\u{1f6ab}"),
        ("UTF8", "\u{e9}t\u{e9} is over \u{1f342}", "stop \u{1f6ab}"),
    ] {
        let database = guarded(&own, encoding)?;
        let mut client = database.connect()?;
        client.batch_execute("CREATE SERVER \"ete\" FOREIGN DATA WRAPPER plain")?;
        let error = expect_error(&mut client, "CREATE SERVER \"\u{e9}t\u{e9}\" FOREIGN DATA WRAPPER plain")?;
        same("message", error.message.as_str(), message)?;
        same("constraint name", error.constraint.as_deref(), Some(name))?;
        let row = client.query_one("SELECT name, message, server FROM fdw_guard.policy()", &[])?;
        same("policy()", (row.get(0), row.get(1)), (name, message))?;
        same("its patterns", row.get(2), vec!["\"\u{e9}t\u{e9}\""])?;
    }
    Ok(())
}

/// A rule that forbids a wrapper of that name, with `more` in it.
fn forbidding(name: &str, more: &str) -> String {
    let rule = format!(
        r#"{{"name": "no {name}", "object_type": "foreign-data wrapper", "wrapper": ["\"{name}\""], {more} "forms": ["CREATE"]}}"#
    );
    format!("{{\"rules\": [{rule}]}}")
}

/// A session reads the file between its transactions, where no conversion can be looked up; and the file's name is made
/// of bytes, whatever the database's encoding.
fn a_reload_minds_no_encoding(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("encodings-reload", &Settings::preloaded())?;
    let file = own.directory().join("r\u{e8}gles.json");
    fs::write(&file, forbidding("\u{e9}t\u{e9}", ""))?;
    own.set("fdw_guard.policy_file", &file.to_string_lossy())?;
    own.reload()?;
    for (encoding, client_encoding) in [("LATIN1", "LATIN1"), ("EUC_JP", "UTF8")] {
        let database = database(&own, encoding)?;
        let bad = forbidding("\u{e9}t\u{e9}", "\"options\": {\"enumm\": []},");
        for (what, content) in [("good", forbidding("autre", "")), ("bad", bad)] {
            let said = reloading(&own, &database, client_encoding, || fs::write(&file, content))?;
            let context = format!("a {what} file, {encoding}: {}", said.escape_ascii());
            ensure!(holds(&said, b"does not allow CREATE on foreign-data wrapper \"autre\""), "{context}");
            ensure!(holds(&said, b"2\n"), "{context}");
        }
        fs::write(&file, forbidding("\u{e9}t\u{e9}", ""))?;
        own.reload()?;
    }
    Ok(())
}

/// What psql says of two statements between which the file changes and the server reloads.
fn reloading(
    own: &Cluster,
    database: &Database,
    client_encoding: &str,
    change: impl FnOnce() -> std::io::Result<()>,
) -> Result<Vec<u8>> {
    const STATEMENTS: &[u8] = b"SELECT 1;\n\\! sleep 0.4\nSELECT 2;\nCREATE FOREIGN DATA WRAPPER autre;\n";
    thread::scope(|scope| {
        let session = scope.spawn(|| psql(database, own, client_encoding, STATEMENTS));
        thread::sleep(Duration::from_millis(150));
        let changed = change();
        own.reload()?;
        changed?;
        session.join().map_err(|_| anyhow::anyhow!("psql's thread panicked"))?
    })
}
