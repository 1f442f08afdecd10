//! Who may make a plan, and what it shows to whom.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{expect, told};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::expect_error;
use crate::live::same;

/// Roles belong to the whole cluster.
const ROLES: &str = "DO $$ BEGIN
    IF to_regrole('plan_owner') IS NULL THEN
        CREATE ROLE plan_owner LOGIN;
        CREATE ROLE plan_mapped LOGIN;
    END IF;
END $$";

/// A server of one role, with a mapping for another of which the server's owner may not see the options.
const MAPPED: &str = "
    CREATE EXTENSION postgres_fdw;
    SELECT fdw_guard.install_pack('postgres_fdw');
    CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'a');
    GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO plan_owner;
    GRANT USAGE ON FOREIGN SERVER far TO plan_mapped;
    ALTER SERVER far OWNER TO plan_owner;
    CREATE USER MAPPING FOR plan_mapped SERVER far OPTIONS (user 'reader', password 'autumn')";

fn mapped<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(ROLES)?;
    database.execute(MAPPED)?;
    Ok(database)
}

fn alter(options: &str) -> String {
    format!("ALTER USER MAPPING FOR plan_mapped SERVER far OPTIONS ({options})")
}

pub fn none_beside_the_statements(cluster: &Cluster) -> Result<()> {
    let database = mapped(cluster, "plan_rights")?;
    let (mut owner, mut other) = (database.connect_as("plan_owner")?, database.connect_as("plan_mapped")?);
    let change = "ALTER SERVER far OPTIONS (SET host 'b')";
    expect(&mut other, change, &["error -: 42501: must be owner of foreign server far"])?;
    expect(&mut owner, change, &["set option host: a -> b"])?;
    expect(
        &mut owner,
        "DROP FOREIGN DATA WRAPPER postgres_fdw CASCADE",
        &["error -: 42501: must be owner of foreign-data wrapper postgres_fdw"],
    )?;
    expect(&mut other, &alter("SET user 'writer'"), &["set option user: reader -> writer"])?;
    owner.batch_execute(change)?;
    other.batch_execute(&alter("SET user 'writer'"))?;
    Ok(())
}

pub fn old_values_show_to_whom_they_may(cluster: &Cluster) -> Result<()> {
    let database = mapped(cluster, "plan_old_values")?;
    let (mut owner, mut mapped) = (database.connect_as("plan_owner")?, database.connect_as("plan_mapped")?);
    let mut superuser = database.connect()?;
    let change = alter("SET user 'writer', DROP password, ADD sslpassword 'p'");
    let told = |user: &str, password: &str| {
        [
            format!("set option user: {user} -> writer"),
            "add option sslpassword: - -> ***".to_owned(),
            format!("drop option password: {password} -> -"),
        ]
    };
    let of = |client: &mut Client| told_in_order(client, &change);
    same("the superuser", of(&mut superuser)?, sorted(told("reader", "***").to_vec()))?;
    same("the mapped role", of(&mut mapped)?, sorted(told("reader", "***").to_vec()))?;
    same("the server's owner", of(&mut owner)?, sorted(told("***", "***").to_vec()))?;
    let drop = "DROP USER MAPPING FOR plan_mapped SERVER far";
    expect(&mut owner, drop, &["drop -: - -> -"])?;
    expect(&mut mapped, drop, &["drop -: - -> -", "drop option user: reader -> -", "drop option password: *** -> -"])?;
    same(
        "a cascade",
        told_in_order(&mut owner, "DROP SERVER far CASCADE")?.iter().any(|line| line.contains("reader")),
        false,
    )
}

fn told_in_order(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    Ok(sorted(told(client, sql)?))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Whoever may not see a value does not learn from a plan either whether the one that he writes is the same.
pub fn no_guess_is_confirmed(cluster: &Cluster) -> Result<()> {
    let database = mapped(cluster, "plan_guesses")?;
    let (mut owner, mut superuser) = (database.connect_as("plan_owner")?, database.connect()?);
    for (user, password) in [("reader", "autumn"), ("reader", "winter"), ("writer", "autumn")] {
        let guess = alter(&format!("SET user '{user}', SET password '{password}'"));
        let expected = [format!("set option user: *** -> {user}"), "set option password: *** -> ***".to_owned()];
        same(&guess, told(&mut owner, &guess)?, expected.to_vec())?;
    }
    // Nor of what was wrong with it before.
    database.execute(
        "INSERT INTO fdw_guard.rule (name, object_type, options)
         VALUES ('known_users', 'user mapping', '{\"properties\": {\"user\": {\"type\": \"string\", \"enum\": [\"writer\"]}}}')",
    )?;
    let change = alter("ADD sslpassword 'p'");
    let added = "add option sslpassword: - -> ***";
    expect(&mut owner, &change, &[added])?;
    let standing = "standing known_users: The value \"reader\" is not \"writer\".";
    expect(&mut superuser, &change, &[added, standing])?;
    // One who sees them anyway is told of what differs.
    let change = alter("SET user 'reader', SET password 'winter'");
    expect(&mut superuser, &change, &["set option password: *** -> ***", standing])
}

/// Nor does a verdict show what stands in a mapping, neither a plan's nor that of the statement.
pub fn no_verdict_shows_a_value(cluster: &Cluster) -> Result<()> {
    let database = mapped(cluster, "plan_verdict_values")?;
    database.execute(
        "INSERT INTO fdw_guard.rule (name, object_type, options, condition) VALUES ('known_users', 'user mapping',
             '{\"properties\": {\"user\": {\"type\": \"string\", \"enum\": [\"writer\"]}}}',
             '{\"properties\": {\"server\": {\"properties\": {\"options\": {\"required\": [\"dbname\"]}}}}}')",
    )?;
    let (mut owner, mut superuser) = (database.connect_as("plan_owner")?, database.connect()?);
    let change = "ALTER SERVER far OPTIONS (ADD dbname 'd')";
    let shows = |client: &mut Client, sql: &str| -> Result<bool> {
        let planned = told(client, sql)?.join("\n");
        ensure!(planned.contains("deny known_users: "), "{planned}");
        let raised = format!("{:?}", expect_error(client, sql)?);
        ensure!(raised.contains("known_users"), "{raised}");
        same(sql, planned.contains("reader"), raised.contains("reader"))?;
        Ok(raised.contains("reader"))
    };
    same("a superuser", shows(&mut superuser, change)?, true)?;
    same("the server's owner", shows(&mut owner, change)?, false)?;
    // Where he writes the value himself it is the same: whether it was there is not for him to know.
    database.execute("UPDATE fdw_guard.rule SET condition = NULL, strict = true")?;
    for user in ["reader", "another"] {
        let change = alter(&format!("SET user '{user}'"));
        let verdict = told(&mut owner, &change)?.pop().unwrap_or_default();
        same(&change, verdict.contains("deny known_users: ") && !verdict.contains(user), true)?;
    }
    Ok(())
}
