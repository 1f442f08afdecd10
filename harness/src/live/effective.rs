//! `effective_options` against what the delegate really did: the remote session's role and name, the fetches and
//! estimates that the remote server logged, the batches and files that EXPLAIN shows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use postgres::{Client, SimpleQueryMessage};

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::{Database, Remote, quote_literal};

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "effective::postgres_fdw_connects_as_it_says", run: connects_as_it_says },
    LiveTest { name: "effective::postgres_fdw_fetches_as_it_says", run: fetches_as_it_says },
    LiveTest { name: "effective::postgres_fdw_plans_as_it_says", run: plans_as_it_says },
    LiveTest { name: "effective::libpq_takes_an_empty_value_for_none", run: an_empty_value_is_none },
    LiveTest { name: "effective::file_fdw_reads_as_it_says", run: file_fdw_reads_as_it_says },
];

/// The plain wrapper and the guarded one: both use options in the same way.
const WRAPPERS: [&str; 2] = ["postgres_fdw", "guarded_postgres_fdw"];

/// What each of two remote roles may do, and logs.
const REMOTE_ROLES: [&str; 2] = ["effective_own", "effective_public"];

/// An option's value, the type of object that it stands on, and which.
type Effective = BTreeMap<String, (String, String, String)>;

fn effective(client: &mut Client, table: &str, role: &str) -> Result<Effective> {
    let rows = client.query(
        "SELECT option, value, object_type, identity FROM fdw_guard.effective_options($1::text::regclass, $2::text::name)",
        &[&table, &role],
    )?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect())
}

fn value<'e>(effective: &'e Effective, option: &str) -> Option<&'e str> {
    effective.get(option).map(|(value, ..)| value.as_str())
}

/// The rows that a statement gives, as texts.
fn rows(client: &mut Client, sql: &str) -> Result<Vec<Vec<String>>> {
    let messages = client.simple_query(sql).with_context(|| sql.to_owned())?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

fn text(client: &mut Client, sql: &str) -> Result<String> {
    Ok(rows(client, sql)?.into_iter().map(|row| row.join("|")).collect::<Vec<_>>().join("\n"))
}

/// A remote database with a table, and a view that shows to a session who it is there.
fn remote(cluster: &Cluster) -> Result<Remote<'_>> {
    let database = cluster.database("effective_far")?;
    database.execute(
        "CREATE VIEW me AS SELECT usename, application_name FROM pg_stat_activity WHERE pid = pg_backend_pid(); \
         CREATE TABLE ware (id int); INSERT INTO ware SELECT generate_series(1, 1000); \
         GRANT SELECT ON me TO PUBLIC; GRANT ALL ON ware TO PUBLIC",
    )?;
    let [own, public] = REMOTE_ROLES;
    let database = database.remote(own, "autumn")?.database;
    let remote = database.remote(public, "winter")?;
    REMOTE_ROLES
        .iter()
        .try_for_each(|role| remote.database.execute(&format!("ALTER ROLE {role} SET log_statement = 'all'")))?;
    Ok(remote)
}

/// A database whose server `far` leads there: for role `effective_alice` by a mapping of her own, for everybody else by
/// the PUBLIC one.
fn local<'c>(cluster: &'c Cluster, remote: &Remote<'_>, wrapper: &str) -> Result<Database<'c>> {
    let database = cluster.guarded_database("effective")?;
    let [own, public] = REMOTE_ROLES.map(quote_literal);
    database.execute(&format!(
        "CREATE EXTENSION postgres_fdw; \
         DO $$ DECLARE r name; BEGIN FOREACH r IN ARRAY '{{effective_alice, effective_bob}}'::name[] LOOP \
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I LOGIN', r); END IF; \
         END LOOP; END $$; \
         CREATE SERVER far FOREIGN DATA WRAPPER {wrapper} OPTIONS ({}); \
         GRANT USAGE ON FOREIGN SERVER far TO effective_alice, effective_bob; \
         CREATE USER MAPPING FOR effective_alice SERVER far OPTIONS (user {own}, password 'autumn'); \
         CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user {public}, password 'winter'); \
         CREATE FOREIGN TABLE me (usename name, application_name text) SERVER far; \
         CREATE FOREIGN TABLE goods (id int) SERVER far OPTIONS (table_name 'ware'); \
         GRANT ALL ON me, goods TO effective_alice, effective_bob",
        remote.server_options()
    ))?;
    Ok(database)
}

/// Runs a test over a table of the plain wrapper and over one of the guarded wrapper.
fn over_both(cluster: &Cluster, test: fn(&Cluster, &Database<'_>) -> Result<()>) -> Result<()> {
    let remote = remote(cluster)?;
    WRAPPERS.iter().try_for_each(|wrapper| test(cluster, &local(cluster, &remote, wrapper)?).context(*wrapper))
}

fn connects_as_it_says(cluster: &Cluster) -> Result<()> {
    over_both(cluster, |_, database| {
        for server_option in ["", "ADD application_name 'of server'", "SET application_name ''"] {
            if !server_option.is_empty() {
                database.execute(&format!("ALTER SERVER far OPTIONS ({server_option})"))?;
            }
            for setting in ["", "of setting"] {
                for role in ["effective_alice", "effective_bob"] {
                    connects_as(database, role, setting)
                        .with_context(|| format!("{server_option}, {setting}, {role}"))?;
                }
            }
        }
        through_a_view(database)
    })
}

fn connects_as(database: &Database<'_>, role: &str, setting: &str) -> Result<()> {
    let set = format!("SET postgres_fdw.application_name = {}", quote_literal(setting));
    // The options of the PUBLIC mapping show to the superuser only.
    let mut superuser = database.connect()?;
    superuser.batch_execute(&set)?;
    let expected = effective(&mut superuser, "me", role)?;
    let mut client = database.connect_as(role)?;
    client.batch_execute(&set)?;
    let found = text(&mut client, "SELECT * FROM me")?;
    let user = value(&expected, "user").context("no user")?;
    // Where nobody says anything, postgres_fdw gives its own name to fall back on.
    same(
        "remote session",
        found,
        format!("{user}|{}", value(&expected, "application_name").unwrap_or("postgres_fdw")),
    )?;
    let (_, _, origin) = expected.get("user").context("no user")?;
    let whose = if role == "effective_alice" { role } else { "public" };
    same("mapping", origin.as_str(), &format!("{whose} on server far"))
}

/// A query through a view uses what the view's owner would use, whoever asks.
fn through_a_view(database: &Database<'_>) -> Result<()> {
    database.execute(
        "CREATE VIEW seen AS SELECT usename FROM me; ALTER VIEW seen OWNER TO effective_bob; \
         GRANT SELECT ON seen TO effective_alice",
    )?;
    let of_owner = effective(&mut database.connect()?, "me", "effective_bob")?;
    let mut alice = database.connect_as("effective_alice")?;
    same(
        "through the view",
        text(&mut alice, "SELECT * FROM seen")?.as_str(),
        value(&of_owner, "user").unwrap_or_default(),
    )?;
    let own = effective(&mut alice, "me", "effective_alice")?;
    same("directly", text(&mut alice, "SELECT usename FROM me")?.as_str(), value(&own, "user").unwrap_or_default())
}

/// The options of server and table under which the work is tried.
const LEVELS: [(&str, &str); 3] = [
    ("ADD fetch_size '321', ADD batch_size '7', ADD use_remote_estimate 'true'", ""),
    ("SET fetch_size '322'", "ADD fetch_size '123', ADD batch_size '5', ADD use_remote_estimate 'false'"),
    ("DROP fetch_size, DROP batch_size, SET use_remote_estimate 'false'", "SET use_remote_estimate 'true'"),
];

/// Calls `check` with the effective options of each of [`LEVELS`], and once with none of them.
fn on_each_level(
    cluster: &Cluster,
    database: &Database<'_>,
    check: fn(&Cluster, &mut Client, &Effective) -> Result<()>,
) -> Result<()> {
    let mut client = database.connect_as("effective_alice")?;
    let mut check_now = || {
        let expected = effective(&mut client, "goods", "effective_alice")?;
        check(cluster, &mut client, &expected).with_context(|| format!("{expected:?}"))
    };
    check_now()?;
    for (server, table) in LEVELS {
        database.execute(&format!("ALTER SERVER far OPTIONS ({server})"))?;
        if !table.is_empty() {
            database.execute(&format!("ALTER FOREIGN TABLE goods OPTIONS ({table})"))?;
        }
        check_now()?;
    }
    Ok(())
}

/// What the server logs while a statement runs. Both ends log to the same file, and each statement before it is answered.
fn logged(cluster: &Cluster, client: &mut Client, sql: &str) -> Result<String> {
    let before = cluster.log_text().len();
    client.simple_query(sql).with_context(|| sql.to_owned())?;
    Ok(cluster.log_text().get(before..).unwrap_or_default().to_owned())
}

fn fetches_as_it_says(cluster: &Cluster) -> Result<()> {
    over_both(cluster, |cluster, database| {
        on_each_level(cluster, database, |cluster, client, expected| {
            let log = logged(cluster, client, "SELECT * FROM goods")?;
            let fetches = log.split("FETCH ").skip(1).filter_map(|rest| rest.split(' ').next());
            // Where nobody says anything, postgres_fdw fetches 100 rows at once.
            let size = value(expected, "fetch_size").unwrap_or("100");
            same("fetches", fetches.collect::<BTreeSet<_>>(), BTreeSet::from([size]))
        })
    })
}

fn plans_as_it_says(cluster: &Cluster) -> Result<()> {
    over_both(cluster, |cluster, database| {
        on_each_level(cluster, database, |cluster, client, expected| {
            let insert = "EXPLAIN (VERBOSE) INSERT INTO goods SELECT generate_series(1, 3)";
            let batch = value(expected, "batch_size").unwrap_or("1");
            contains(&text(client, insert)?, &format!("Batch Size: {batch}"))?;
            let table = value(expected, "table_name").context("no table_name")?;
            let select = "EXPLAIN (VERBOSE) SELECT * FROM goods";
            let plan = text(client, select)?;
            contains(&plan, &format!("SELECT id FROM public.{table}"))?;
            if let Some((_, named)) = plan.split_once("User Mapping: ") {
                let (_, _, identity) = expected.get("user").context("no user")?;
                same("mapping", named.lines().next(), identity.strip_suffix(" on server far"))?;
            }
            let asked = logged(cluster, client, select)?.contains("statement: EXPLAIN SELECT");
            same("remote estimate", asked, value(expected, "use_remote_estimate") == Some("true"))
        })
    })
}

fn an_empty_value_is_none(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("effective_empty")?;
    database.execute(&format!(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER own FOREIGN DATA WRAPPER postgres_fdw \
         OPTIONS (host {}, port '{}', dbname 'effective_empty', application_name ''); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER own; \
         CREATE VIEW here AS SELECT current_user AS name; \
         CREATE FOREIGN TABLE there (name text) SERVER own OPTIONS (table_name 'here')",
        quote_literal(&cluster.socket().to_string_lossy()),
        cluster.port()
    ))?;
    // Whoever libpq connects as then, or its complaint that there is no such role.
    let without = outcome(&database)?;
    database.execute("ALTER USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (ADD user '')")?;
    same("with an empty user", outcome(&database)?, without.clone())?;
    let expected = effective(&mut database.connect()?, "there", "postgres")?;
    same("options", expected.keys().map(String::as_str).collect(), vec!["dbname", "host", "port", "table_name"])?;
    database.execute("CREATE ROLE effective_else LOGIN; GRANT SELECT ON here TO effective_else")?;
    database.execute("ALTER USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (SET user 'effective_else')")?;
    let with = outcome(&database);
    database.execute("REVOKE ALL ON here FROM effective_else; DROP ROLE effective_else")?;
    same("with a user", with?.as_str(), "effective_else")
}

/// Who a superuser is at the remote end, or why he cannot be anybody there.
fn outcome(database: &Database<'_>) -> Result<String> {
    match database.connect()?.simple_query("SELECT * FROM there") {
        Ok(messages) => {
            let name = messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            Ok(name.context("no row")?.to_owned())
        }
        Err(error) => Ok(error.as_db_error().context("no answer")?.message().to_owned()),
    }
}

fn file_fdw_reads_as_it_says(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("effective_files")?;
    database.execute("CREATE EXTENSION file_fdw; SELECT fdw_guard.create_wrapper('guarded_file_fdw', 'file_fdw')")?;
    for wrapper in ["file_fdw", "guarded_file_fdw"] {
        let file = cluster.directory().join(format!("{wrapper}-{}.csv", "long".repeat(30)));
        let file = file.to_string_lossy();
        database.execute(&format!(
            "COPY (SELECT 'a b', 1) TO {literal} (FORMAT csv, HEADER, DELIMITER ';'); \
             CREATE SERVER {wrapper} FOREIGN DATA WRAPPER {wrapper}; \
             CREATE FOREIGN TABLE of_{wrapper} (a text, b int) SERVER {wrapper} \
                 OPTIONS (filename {literal}, format 'csv', header 'true', delimiter ';')",
            literal = quote_literal(&file)
        ))?;
        let mut client = database.connect()?;
        let expected = effective(&mut client, &format!("of_{wrapper}"), "postgres")?;
        ensure!(expected.values().all(|(_, object_type, _)| object_type == "foreign table"), "{expected:?}");
        let name = value(&expected, "filename").context("no filename")?;
        contains(
            &text(&mut client, &format!("EXPLAIN SELECT * FROM of_{wrapper}"))?,
            &format!("Foreign File: {name}\n"),
        )?;
        same("delimiter", value(&expected, "delimiter"), Some(";"))?;
        same("what was read", text(&mut client, &format!("SELECT * FROM of_{wrapper}"))?.as_str(), "a b|1")?;
    }
    Ok(())
}
