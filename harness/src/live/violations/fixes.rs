//! What `violations()` offers as a fix mends the violation, on a server and whatever names are like.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use crate::cluster::Cluster;
use crate::database::{Database, quote_ident, quote_literal};
use crate::live::same;
use crate::random::Random;

/// Times that objects and rules are drawn anew.
const ROUNDS: u64 = 25;

const OPTIONS: [&str; 4] = ["port", "Mixed Case", "select", "it's \"quoted\""];

const VALUES: [&str; 8] = ["", "x", "y", "1", "7", "on", "it's", "back\\slash"];

/// What a rule says of an option.
const PROPERTIES: [&str; 8] = [
    "false",
    r#"{"type": "string", "const": "it's"}"#,
    r#"{"type": "string", "enum": ["back\\slash"]}"#,
    r#"{"type": "string", "enum": ["x", "y"], "default": "x"}"#,
    r#"{"type": "integer", "minimum": 2, "maximum": 5}"#,
    r#"{"type": "integer", "minimum": 2, "default": 3}"#,
    r#"{"type": "boolean", "default": true}"#,
    r#"{"type": "string", "minLength": 1, "default": "on"}"#,
];

/// The objects on which options and rules are drawn: type, and the beginning of what changes the options of each.
const OBJECTS: [(&str, &[&str]); 5] = [
    ("foreign-data wrapper", &["ALTER FOREIGN DATA WRAPPER \"The W\""]),
    ("server", &["ALTER SERVER s", "ALTER SERVER \"it's \"\"S\"\"\""]),
    (
        "user mapping",
        &["ALTER USER MAPPING FOR postgres SERVER s", "ALTER USER MAPPING FOR PUBLIC SERVER \"it's \"\"S\"\"\""],
    ),
    ("foreign table", &["ALTER FOREIGN TABLE t", "ALTER FOREIGN TABLE \"Odd\".\"it's\""]),
    ("foreign table column", &["ALTER FOREIGN TABLE t ALTER c", "ALTER FOREIGN TABLE \"Odd\".\"it's\" ALTER \"C c\""]),
];

const SETUP: &str = "
    CREATE FOREIGN DATA WRAPPER \"The W\";
    CREATE SERVER s FOREIGN DATA WRAPPER \"The W\";
    CREATE SERVER \"it's \"\"S\"\"\" FOREIGN DATA WRAPPER \"The W\";
    CREATE USER MAPPING FOR postgres SERVER s;
    CREATE USER MAPPING FOR PUBLIC SERVER \"it's \"\"S\"\"\";
    CREATE SCHEMA \"Odd\";
    CREATE FOREIGN TABLE t (c integer) SERVER s;
    CREATE FOREIGN TABLE \"Odd\".\"it's\" (\"C c\" integer) SERVER s";

/// Rule, type of object, identity and option.
type Key = (String, String, String, Option<String>);

/// Each fix is one statement that the rules let pass; its violation is gone then, and there is none that was not there.
pub fn fixes_mend(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("violations_fixes")?;
    database.execute(SETUP)?;
    let mut client = database.connect()?;
    let mut tried = 0;
    for seed in 1..=ROUNDS {
        client.batch_execute("BEGIN; SET LOCAL client_min_messages = error")?;
        draw(&mut client, &mut Random::new(seed))?;
        tried += try_fixes(&mut client).with_context(|| format!("seed {seed}"))?;
        client.batch_execute("ROLLBACK")?;
    }
    ensure!(tried > 200, "only {tried} fixes");
    all_in_turn(&database)
}

/// One rule for each type of object, so that none contradicts another, and options on every object.
fn draw(client: &mut Client, random: &mut Random) -> Result<()> {
    for (object_type, objects) in OBJECTS {
        for object in objects {
            let options: Vec<String> = random
                .some_of(&OPTIONS)
                .into_iter()
                .map(|name| format!("ADD {} {}", quote_ident(name), quote_literal(drawn(random, &VALUES))))
                .collect();
            if !options.is_empty() {
                client.batch_execute(&format!("{object} OPTIONS ({})", options.join(", ")))?;
            }
        }
        let insert = "INSERT INTO fdw_guard.rule (name, object_type, wrapper, options) \
                      VALUES ($1, $1, ARRAY['\"The W\"'], $2::text::json)";
        client.execute(insert, &[&object_type, &schema(random, object_type)])?;
    }
    Ok(())
}

fn drawn<'a>(random: &mut Random, all: &[&'a str]) -> &'a str {
    random.one_of(all).copied().unwrap_or_default()
}

fn schema(random: &mut Random, object_type: &str) -> String {
    // What stands on a mapping is a secret where nothing says that it is not.
    let is_public = if object_type == "user mapping" { "\"writeOnly\": false, " } else { "" };
    let name = |name: &str| format!("\"{}\"", name.replace('"', "\\\""));
    let properties: Vec<String> = random
        .some_of(&OPTIONS)
        .into_iter()
        .map(|option| {
            let property = drawn(random, &PROPERTIES);
            format!("{}: {}", name(option), property.replacen('{', &format!("{{{is_public}"), 1))
        })
        .collect();
    let required: Vec<String> = random.some_of(&OPTIONS).into_iter().map(|option| name(option)).collect();
    let others = if random.once_in(3) { ", \"additionalProperties\": false" } else { "" };
    format!("{{\"properties\": {{{}}}, \"required\": [{}]{others}}}", properties.join(", "), required.join(", "))
}

fn violations(client: &mut Client) -> Result<Vec<(Key, Option<String>)>> {
    let query = "SELECT rule, object_type, identity, option, fix FROM fdw_guard.violations()";
    let rows = client.query(query, &[])?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1), row.get(2), row.get(3)), row.get(4))).collect())
}

/// Runs each fix by itself; gives how many there are.
fn try_fixes(client: &mut Client) -> Result<usize> {
    let before = violations(client)?;
    let keys: Vec<&Key> = before.iter().map(|(key, _)| key).collect();
    let mut tried = 0;
    for (key, fix) in &before {
        let Some(fix) = fix.as_ref().filter(|fix| !fix.contains("/*")) else { continue };
        client.batch_execute("SAVEPOINT unmended")?;
        client.batch_execute(fix).with_context(|| fix.clone())?;
        let after = violations(client)?;
        client.batch_execute("ROLLBACK TO unmended")?;
        let left: Vec<&Key> = after.iter().map(|(key, _)| key).collect();
        ensure!(!left.contains(&key), "{fix}: {key:?} is still there");
        ensure!(left.len() < keys.len(), "{fix}: no violation less");
        ensure!(left.iter().all(|one| keys.contains(one)), "{fix}: {left:?} where there was {keys:?}");
        tried += 1;
    }
    Ok(tried)
}

/// As psql runs them by `\\gexec`: one after the other, until nothing is left that can be mended.
fn all_in_turn(database: &Database<'_>) -> Result<()> {
    let mut client = database.connect()?;
    for seed in 100..110 {
        client.batch_execute("BEGIN; SET LOCAL client_min_messages = error")?;
        draw(&mut client, &mut Random::new(seed))?;
        let fixes: Vec<String> = violations(&mut client)?.into_iter().filter_map(|(_, fix)| fix).collect();
        for fix in fixes.iter().filter(|fix| !fix.contains("/*")) {
            client.batch_execute(fix).with_context(|| format!("seed {seed}: {fix}"))?;
        }
        let left: Vec<String> = violations(&mut client)?.into_iter().filter_map(|(_, fix)| fix).collect();
        same("fixes that are left", left.iter().filter(|fix| !fix.contains("/*")).count(), 0)?;
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}
