//! No row of a plan holds a secret, whoever quotes it.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::{explained, plan};
use crate::cluster::Cluster;
use crate::fields::expect_error;
use crate::live::contains;

const CANARY: &str = "CANARY";

/// A validator that quotes whatever it is given, once it is told to.
const QUOTING: &str = "
    CREATE FUNCTION quotes(options text[], catalog oid) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
        IF current_setting('quotes.always', true) = 'on' THEN
            RAISE 'bad options: %', options USING DETAIL = format('The first is %L.', options[1]), HINT = options[1];
        END IF;
    END $f$;
    CREATE FOREIGN DATA WRAPPER quoting VALIDATOR quotes;
    CREATE SERVER q FOREIGN DATA WRAPPER quoting;
    CREATE USER MAPPING FOR postgres SERVER q;
    CREATE FOREIGN TABLE quoted (a integer) SERVER q";

/// Statements that fail, and the message then quotes the secret.
const FAILING: [&str; 10] = [
    "ALTER USER MAPPING FOR postgres SERVER q OPTIONS (ADD password 'x' 'CANARY')",
    "ALTER USER MAPPING FOR postgres SERVER q OPTIONS (ADD password 'CANARY",
    "ALTER USER MAPPING FOR postgres SERVER q OPTIONS (ADD password CANARY)",
    "ALTER USER MAPPING FOR postgres SERVER q OPTIONS (ADD token 'CANARY')",
    "ALTER USER MAPPING FOR postgres SERVER q OPTIONS (ADD token E'CANARY it\\'s', password U&'CANARY \\00fc')",
    "CREATE USER MAPPING FOR PUBLIC SERVER q OPTIONS (token 'CANARY')",
    "ALTER SERVER q OPTIONS (ADD password 'CANARY')",
    "ALTER FOREIGN DATA WRAPPER quoting OPTIONS (ADD secret 'CANARY')",
    "ALTER SERVER q VERSION 'ü'; ALTER SERVER q OPTIONS (ADD password 'CANARY' 'CANARY')",
    "CREATE FOREIGN TABLE made (a integer OPTIONS (password 'CANARY')) SERVER q",
];

/// An error is told as it would be if the statement ran, whether logs are redacted or not.
pub fn none_is_in_an_error(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("plan_secrets")?;
    database.execute(QUOTING)?;
    let mut client = database.connect()?;
    client.batch_execute("SET quotes.always = on")?;
    for sql in FAILING {
        let own = expect_error(&mut client, sql)?.message;
        ensure!(!own.contains(CANARY), "{sql}: {own}");
        for redacts in ["on", "off"] {
            client.batch_execute(&format!("SET fdw_guard.redact = {redacts}"))?;
            contains(&failure(&mut client, sql).with_context(|| sql.to_owned())?, &own)?;
        }
        client.batch_execute("RESET fdw_guard.redact")?;
    }
    Ok(())
}

/// The row of the error, after a look at all others.
fn failure(client: &mut Client, sql: &str) -> Result<String> {
    let rows = plan(client, sql)?;
    let text = explained(client, sql)?.join("\n");
    ensure!(!format!("{rows:?}{text}").contains(CANARY), "{text}");
    let last = rows.last().filter(|row| row.verdict.as_deref() == Some("error")).context("no error")?;
    last.detail.clone().context("no detail")
}

/// Secrets that an event trigger's statement names are hidden too.
pub fn none_is_told_from_within(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("plan_secrets_within")?;
    database.execute(QUOTING)?;
    database.execute(
        "CREATE FUNCTION follows() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN
             SET LOCAL quotes.always = on;
             ALTER USER MAPPING FOR postgres SERVER q OPTIONS (ADD token 'CANARY');
         END $f$;
         CREATE EVENT TRIGGER follows ON ddl_command_end WHEN TAG IN ('ALTER SERVER') EXECUTE FUNCTION follows()",
    )?;
    let mut client = database.connect()?;
    contains(&failure(&mut client, "ALTER SERVER q VERSION '2'")?, "bad options: ")
}
