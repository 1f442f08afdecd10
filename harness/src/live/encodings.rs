//! Names, values and rules in letters that are not ASCII, in databases of several encodings.

use std::fmt::Write;
use std::process::Command;

use anyhow::{Result, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::command;
use crate::database::{Database, quote_ident, quote_literal};
use crate::fields::{DbFields, expect_error};
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "encodings::a_rule_speaks_the_letters_of_its_database", run: a_rule_speaks_its_databases_letters },
    LiveTest { name: "encodings::a_message_arrives_in_the_clients_encoding", run: a_message_arrives_in_the_clients_encoding },
    LiveTest { name: "encodings::bytes_without_meaning_are_told_apart", run: bytes_without_meaning_are_told_apart },
    LiveTest { name: "encodings::bytes_without_meaning_crash_no_view", run: bytes_without_meaning_crash_no_view },
    LiveTest {
        name: "encodings::what_unicode_lacks_passes_where_no_rule_is",
        run: what_unicode_lacks_passes_where_no_rule_is,
    },
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
    Language { encoding: "LATIN1", name: "Gr\u{f6}\u{df}e", good: "\u{fc}ber", bad: "\u{e0} la", expression: "^[\u{fb}-\u{fd}]" },
    Language {
        encoding: "EUC_JP",
        name: "\u{5e97}\u{8217}",
        good: "\u{3072}\u{3089}\u{304c}\u{306a}",
        bad: "\u{30ab}\u{30bf}",
        expression: "^[\u{3041}-\u{3093}]{4}$",
    },
    Language { encoding: "UTF8", name: "\u{1f6d2} \u{10d0}", good: "\u{1f600}", bad: "\u{1f620}", expression: "^[\u{1f600}-\u{1f610}]$" },
    Language { encoding: "SQL_ASCII", name: "caf\u{e9}", good: "\u{e9}t\u{e9}", bad: "hiver \u{2744}", expression: "^\u{e9}.\u{e9}$" },
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
    let schema = format!(r#"{{"properties": {{"{name}": {{"type": "string", "pattern": "{expression}", "enum": ["{good}"]}}}}}}"#);
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
    contains(&detail, &format!("option \"{name}\" of server \"{name}\" violates rule \"{name}\""))?;
    contains(&detail.to_lowercase(), &format!("the value \"{}\" does not match", bad.to_lowercase()))?;
    contains(&detail, expression)
}

/// Every view and function that shows options or rules shows these as they were written.
fn shows(client: &mut Client, Language { name, good, .. }: &Language) -> Result<()> {
    let row = client.query_one("SELECT server, option, value FROM fdw_guard.options WHERE server <> 'other'", &[])?;
    same("options", (row.get(0), row.get(1), row.get(2)), (*name, *name, *good))?;
    let sql = "SELECT server, options ->> server FROM fdw_guard.servers WHERE server <> 'other'";
    let row = client.query_one(sql, &[])?;
    same("servers", (row.get(0), row.get(1)), (*name, *good))?;
    let row = client.query_one("SELECT name, options #>> ARRAY['properties', name, 'enum', '0'], message FROM fdw_guard.policy()", &[])?;
    same("policy()", (row.get(0), row.get(1), row.get(2)), (*name, *good, format!("{good}!").as_str()))
}

/// Bytes that psql sends and receives as they are.
fn psql(database: &Database, cluster: &Cluster, encoding: &str, sql: &[u8]) -> Result<Vec<u8>> {
    let file = cluster.directory().join("statements.sql");
    std::fs::write(&file, sql)?;
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

fn a_message_arrives_in_the_clients_encoding(cluster: &Cluster) -> Result<()> {
    let schema = br#"{"properties": {"gr\xf6\xdfe": {"enum": ["\xfc"]}}, "required": ["gr\xf6\xdfe"]}"#;
    for (server, client, letters) in [
        ("UTF8", "LATIN1", b"\xf6\xdf".as_slice()),
        ("LATIN1", "UTF8", "\u{f6}\u{df}".as_bytes()),
        ("LATIN1", "LATIN1", b"\xf6\xdf"),
        ("LATIN1", "WIN1252", b"\xf6\xdf"),
    ] {
        let database = guarded(cluster, server)?;
        let name = [b"gr".as_slice(), letters, b"e"].concat();
        let sql = [
            b"INSERT INTO fdw_guard.rule (name, object_type, options) VALUES ('".as_slice(),
            &name,
            b"', 'server', '{\"properties\": {\"",
            &name,
            b"\": {\"enum\": [\"1\"]}}, \"required\": [\"",
            &name,
            b"\"]}'); CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (\"",
            &name,
            b"\" '2')",
        ]
        .concat();
        let said = psql(&database, cluster, client, &sql)?;
        let wanted = [b"option \"".as_slice(), &name, b"\" of server \"s\" violates rule \"", &name, b"\""].concat();
        ensure!(holds(&said, &wanted), "{server} to {client}: {}", said.escape_ascii());
    }
    let _ = schema;
    Ok(())
}
