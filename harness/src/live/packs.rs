//! The embedded packs, held against the wrappers themselves: their validators, libpq and COPY.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::{Database, quote_ident, quote_literal};
use crate::fields::{DbFields, expect_error};

pub const TESTS: &[LiveTest] = &[
    LiveTest {
        name: "packs::postgres_fdw_has_the_options_that_its_validator_accepts",
        run: postgres_fdw_has_the_options_that_its_validator_accepts,
    },
    LiveTest {
        name: "packs::file_fdw_has_the_options_that_its_validator_accepts",
        run: file_fdw_has_the_options_that_its_validator_accepts,
    },
    LiveTest { name: "packs::each_comes_and_goes_whole", run: each_comes_and_goes_whole },
    LiveTest {
        name: "packs::postgres_fdw_refuses_what_a_connection_would",
        run: postgres_fdw_refuses_what_a_connection_would,
    },
    LiveTest { name: "packs::file_fdw_refuses_what_a_scan_would", run: file_fdw_refuses_what_a_scan_would },
    LiveTest { name: "packs::the_hardened_rules_refuse_what_they_name", run: the_hardened_rules_refuse_what_they_name },
    LiveTest {
        name: "packs::no_secret_may_stand_where_all_can_read_it",
        run: no_secret_may_stand_where_all_can_read_it,
    },
];

/// An option by the type of object that it stands on.
type Known = BTreeSet<(String, String)>;

fn prepared<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(&format!("packs_{name}"))?;
    database.execute("CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw")?;
    Ok(database)
}

fn postgres_fdw_has_the_options_that_its_validator_accepts(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "postgres_fdw_names")?;
    let mut client = database.connect()?;
    let libpq = mapped_library(&mut client, "libpq.so")?;
    let own = cluster.sandbox().mirror.installation.pkglibdir.join("postgres_fdw.so");
    let candidates = names_in(&[&libpq, &own], 40)?;
    let major = libpq_major(&candidates);
    let accepted = accepted(&mut client, "postgres_fdw", candidates)?;
    let known = known(&mut client, "postgres_fdw")?;
    ensure!(known.len() > 40, "the pack lists only {} options", known.len());
    if major == cluster.sandbox().original.major {
        return same("options", known, accepted);
    }
    println!("postgres_fdw runs with the libpq of {major}, which has other options: only its own are compared");
    let own = |names: Known| names.into_iter().filter(is_no_option_of_libpq).collect::<Known>();
    same("options", own(known), own(accepted))
}

/// Whether the option is postgres_fdw's own, or one that every libpq has.
fn is_no_option_of_libpq((object_type, option): &(String, String)) -> bool {
    const OWN: [&str; 9] = [
        "host",
        "port",
        "dbname",
        "user",
        "password",
        "fetch_size",
        "extensions",
        "use_remote_estimate",
        "async_capable",
    ];
    object_type.starts_with("foreign table") || OWN.contains(&option.as_str())
}

fn file_fdw_has_the_options_that_its_validator_accepts(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "file_fdw_names")?;
    let mut client = database.connect()?;
    let installation = &cluster.sandbox().mirror.installation;
    // Most of file_fdw's options are COPY's, and the names of those stand in the server's own program.
    let copy = names_in(&[&installation.bindir.join("postgres")], 15)?;
    let own = names_in(&[&installation.pkglibdir.join("file_fdw.so")], 40)?;
    let accepted = accepted(&mut client, "file_fdw", copy.union(&own).cloned().collect())?;
    let known = known(&mut client, "file_fdw")?;
    ensure!(known.len() > 10, "the pack lists only {} options", known.len());
    same("options", known, accepted)
}

/// The file of a library that the session's process has loaded: which libpq that is, its linker decides.
fn mapped_library(client: &mut Client, name: &str) -> Result<PathBuf> {
    client.batch_execute("LOAD 'postgres_fdw'")?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("cannot see what the server has loaded")?;
    let found = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains(name));
    found.map(PathBuf::from).with_context(|| format!("the server has not loaded {name}"))
}

/// The major version of the release that a libpq came with: the newest whose first new option it knows. Its file's name
/// does not tell in every installation.
fn libpq_major(names: &BTreeSet<String>) -> u32 {
    let news = [(18, "scram_client_key"), (17, "sslnegotiation"), (16, "require_auth")];
    news.into_iter().find(|(_, option)| names.contains(*option)).map_or(15, |(major, _)| major)
}

/// Everything in the files that could be the name of an option: whatever ends a string there, of any length, because
/// linkers keep a string that ends another one only once.
fn names_in(files: &[&Path], longest: usize) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        for string in bytes.split(|byte| *byte == 0) {
            names.extend(endings(string, longest));
        }
    }
    Ok(names)
}

fn endings(string: &[u8], longest: usize) -> impl Iterator<Item = String> + '_ {
    let is_of_name = |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let length = string.iter().rev().take(longest).take_while(is_of_name).count();
    let text = string.get(string.len() - length..).unwrap_or_default();
    (0..length.saturating_sub(1)).filter_map(move |start| String::from_utf8(text.get(start..)?.to_vec()).ok())
}

/// What the wrapper's validator does not refuse as unknown, of the candidates and of every name in any pack.
fn accepted(client: &mut Client, wrapper: &str, mut candidates: BTreeSet<String>) -> Result<Known> {
    candidates
        .extend(known(client, "postgres_fdw")?.into_iter().chain(known(client, "file_fdw")?).map(|(_, name)| name));
    client.batch_execute(&format!(
        "CREATE FUNCTION pg_temp.accepts(option text, catalog regclass) RETURNS boolean LANGUAGE plpgsql AS $$ \
         BEGIN PERFORM {wrapper}_validator(ARRAY[option || '=x'], catalog); RETURN true; \
         EXCEPTION WHEN SQLSTATE 'HV00D' THEN RETURN false; WHEN others THEN RETURN true; END $$"
    ))?;
    let rows = client.query(
        "SELECT c.object_type, option FROM unnest($1::text[]) option, (VALUES \
         ('foreign-data wrapper', 'pg_foreign_data_wrapper'), ('server', 'pg_foreign_server'), \
         ('user mapping', 'pg_user_mapping'), ('foreign table', 'pg_foreign_table'), \
         ('foreign table column', 'pg_attribute')) c(object_type, catalog) \
         WHERE pg_temp.accepts(option, c.catalog::regclass)",
        &[&candidates.into_iter().collect::<Vec<String>>()],
    )?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn known(client: &mut Client, pack: &str) -> Result<Known> {
    let sql = "SELECT DISTINCT r.object_type, option FROM fdw_guard.pack_rules($1) r, \
               json_object_keys(r.options -> 'properties') option";
    Ok(client.query(sql, &[&pack])?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn each_comes_and_goes_whole(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "install")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT fdw_guard.add_rule('mine', 'server', 'port', minimum => 1)")?;
    let packs = client.query("SELECT name, rules FROM fdw_guard.packs", &[])?;
    ensure!(packs.len() >= 3, "there are only {} packs", packs.len());
    for round in ["first", "again"] {
        for (name, rules) in packs.iter().map(|row| -> (&str, i32) { (row.get(0), row.get(1)) }) {
            let written: i64 = client.query_one("SELECT fdw_guard.install_pack($1)", &[&name])?.get(0);
            same(&format!("{name}, {round}"), written, i64::from(rules))?;
        }
    }
    let state = "SELECT bool_and(installed = rules), sum(installed)::bigint FROM fdw_guard.packs";
    let row = client.query_one(state, &[])?;
    let all: i32 = packs.iter().map(|row| row.get::<_, i32>(1)).sum();
    same("after installing", (row.get(0), row.get(1)), (true, i64::from(all)))?;
    for (name, rules) in packs.iter().map(|row| -> (&str, i32) { (row.get(0), row.get(1)) }) {
        let removed: i64 = client.query_one("SELECT fdw_guard.uninstall_pack($1)", &[&name])?.get(0);
        same(name, removed, i64::from(rules))?;
        same(name, client.query_one("SELECT fdw_guard.uninstall_pack($1)", &[&name])?.get(0), 0_i64)?;
    }
    same("what is left", client.query_one("SELECT string_agg(name, ',') FROM fdw_guard.rule", &[])?.get(0), "mine")
}

/// A server option, the first version that has it, values with which a connection works and values with which none does.
type Values = (&'static str, u32, &'static [&'static str], &'static [&'static str]);

const SERVER_OPTIONS: &[Values] = &[
    ("port", 15, &[], &["notaport", "0", "-1", "65536", "5432x", "1,2"]),
    ("sslmode", 15, &["disable", "allow", "prefer", ""], &["bogus", "Disable", "verify_full", " disable"]),
    ("hostaddr", 15, &["127.0.0.1", ""], &["999.0.0.1", "localhost", "127.0.0.1,127.0.0.1,x"]),
    ("channel_binding", 15, &["disable", "prefer"], &["bogus", "Prefer", "on"]),
    ("gssencmode", 15, &["disable", "prefer"], &["bogus", "allow"]),
    ("target_session_attrs", 15, &["any", "read-write", "primary", "prefer-standby"], &["bogus", "master", "Any"]),
    ("ssl_min_protocol_version", 15, &["TLSv1.2", "tlsv1.3", ""], &["TLSv9", "1.2", "TLSv1.0"]),
    ("keepalives", 15, &["0", "1", " 1 "], &["on", "1x", "99999999999"]),
    ("keepalives_idle", 15, &["60"], &["60s", "32768", "-1x"]),
    ("keepalives_count", 15, &["3"], &["128", "three"]),
    ("tcp_user_timeout", 15, &["0", "1000"], &["1s", "99999999999"]),
    ("options", 15, &["-c work_mem=1MB", ""], &[]),
    (
        "require_auth",
        16,
        &["scram-sha-256", "!password,!md5", ""],
        &["bogus", "scram-sha-256,scram-sha-256", "password,!md5"],
    ),
    ("load_balance_hosts", 16, &["disable", "random"], &["bogus", "Random"]),
    ("sslnegotiation", 17, &["postgres"], &["bogus", "Direct"]),
    ("min_protocol_version", 18, &["3.0", "latest"], &["2.0", "newest"]),
];

fn postgres_fdw_refuses_what_a_connection_would(cluster: &Cluster) -> Result<()> {
    let remote = cluster.database("packs_remote")?.remote("packs_reader", "battery")?;
    let database = prepared(cluster, "connection")?;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({}); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'packs_reader', password 'battery'); \
         CREATE FOREIGN TABLE t (rolname name) SERVER s OPTIONS (schema_name 'pg_catalog', table_name 'pg_roles'); \
         SELECT fdw_guard.install_pack('postgres_fdw')",
        remote.server_options()
    ))?;
    let major = cluster.sandbox().original.major;
    for (option, since, good, bad) in SERVER_OPTIONS.iter().filter(|(_, since, ..)| *since <= major) {
        for value in *good {
            judged_rightly(&mut client, option, value, true).with_context(|| format!("since {since}"))?;
        }
        for value in *bad {
            judged_rightly(&mut client, option, value, false)?;
        }
    }
    Ok(())
}

/// The connection works with the value exactly if the pack lets it pass, and both are as expected.
fn judged_rightly(client: &mut Client, option: &str, value: &str, good: bool) -> Result<()> {
    let what = format!("{option} '{value}'");
    let action = if option == "port" { "SET" } else { "ADD" };
    let alter = format!("ALTER SERVER s OPTIONS ({action} {option} {})", quote_literal(value));
    same(&format!("{what} for a connection"), connects(client, &alter)?, good)?;
    let mut transaction = client.transaction()?;
    let verdict = transaction.batch_execute(&alter).err();
    transaction.rollback()?;
    same(&format!("{what} for the pack"), verdict.is_none(), good)?;
    let Some(refusal) = verdict else { return Ok(()) };
    let refusal = refusal.as_db_error().map(DbFields::from).context("the connection broke")?;
    contains(refusal.constraint.as_deref().unwrap_or_default(), "postgres_fdw_")?;
    same(&what, refusal.sqlstate.as_str(), "HV024")?;
    ensure!(refusal.hint.is_some_and(|hint| !hint.is_empty()), "{what}: there is no hint");
    Ok(())
}

fn connects(client: &mut Client, alter: &str) -> Result<bool> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute("SET LOCAL fdw_guard.enforcement = off")?;
    transaction.batch_execute(alter)?;
    let works = transaction.batch_execute("SELECT * FROM t").is_ok();
    transaction.rollback()?;
    client.batch_execute("SELECT postgres_fdw_disconnect_all()")?;
    Ok(works)
}

/// Options of a table on the file `F`, and whether COPY takes them.
const TABLE_OPTIONS: &[(&str, bool)] = &[
    ("filename F", true),
    ("filename F, format 'csv'", true),
    ("filename F, format 'text', delimiter ';'", true),
    ("filename F, format 'csv', header 'true'", true),
    ("filename F, format 'csv', header 'MATCH'", true),
    ("filename F, format 'csv', delimiter ';', quote '''', escape 'x', null 'N'", true),
    ("filename F, encoding 'latin1'", true),
    ("program 'echo 1'", true),
    ("filename F, format 'xml'", false),
    ("filename F, format 'CSV'", false),
    ("filename F, format 'csv', header 'perhaps'", false),
    ("filename F, format 'csv', delimiter 'ab'", false),
    ("filename F, format 'csv', delimiter E'\\n'", false),
    ("filename F, delimiter 'a'", false),
    ("filename F, delimiter ''", false),
    ("filename F, quote 'q'", false),
    ("filename F, escape 'e'", false),
    ("filename F, format 'csv', quote 'qq'", false),
    ("filename F, null E'a\\nb'", false),
    ("filename F, encoding ''", false),
    ("filename F, format 'binary', delimiter ';'", false),
    ("filename F, format 'binary', null 'N'", false),
    ("format 'csv'", false),
];

fn file_fdw_refuses_what_a_scan_would(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "scan")?;
    let mut client = database.connect()?;
    let file = cluster.directory().join("numbers.csv");
    fs::write(&file, "a\n1\n")?;
    cluster.sandbox().account.own(&file)?;
    // Without the validator, only the pack stands before a scan.
    client.batch_execute(
        "CREATE FOREIGN DATA WRAPPER unchecked HANDLER file_fdw_handler; \
         CREATE SERVER files FOREIGN DATA WRAPPER unchecked; SELECT fdw_guard.install_pack('file_fdw')",
    )?;
    for (options, good) in TABLE_OPTIONS {
        let options = options.replace('F', &quote_literal(&file.to_string_lossy()));
        let create = format!("CREATE FOREIGN TABLE t (a text) SERVER files OPTIONS ({options})");
        same(&format!("a scan with {options}"), scans(&mut client, &create)?, *good)?;
        let mut transaction = client.transaction()?;
        let passes = transaction.batch_execute(&create).is_ok();
        transaction.rollback()?;
        same(&format!("the pack with {options}"), passes, *good)?;
    }
    Ok(())
}

fn scans(client: &mut Client, create: &str) -> Result<bool> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute("SET LOCAL fdw_guard.enforcement = off")?;
    transaction.batch_execute(create)?;
    Ok(transaction.batch_execute("SELECT * FROM t").is_ok())
}

/// The rules that the statement violates; nothing of it stays.
fn violated(client: &mut Client, sql: &str) -> Result<BTreeSet<String>> {
    let mut transaction = client.transaction()?;
    let Err(error) = transaction.batch_execute(sql) else { return Ok(BTreeSet::new()) };
    let refusal = error.as_db_error().map(DbFields::from).context("the connection broke")?;
    ensure!(refusal.constraint.is_some(), "{sql}: {refusal}");
    let text = format!("{}\n{}", refusal.message, refusal.detail.unwrap_or_default());
    Ok(text.split("rule \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect())
}

const UNVERIFIED: &str = "postgres_fdw_unverified_server";

/// Options of a server, and the rule that they violate.
const HARDENED_SERVERS: &[(&str, Option<&str>)] = &[
    ("host 'h'", Some(UNVERIFIED)),
    ("sslmode 'require'", Some(UNVERIFIED)),
    ("sslmode 'verify-ca', host 'h'", Some(UNVERIFIED)),
    ("sslmode 'verify-full', host 'h'", None),
    ("host '/var/run/postgresql'", None),
    ("host '@x,/y'", None),
    ("host '/a,h'", Some(UNVERIFIED)),
    ("host '/a', hostaddr '192.0.2.1'", Some(UNVERIFIED)),
    ("host ''", Some(UNVERIFIED)),
    ("sslmode 'verify-full', ssl_min_protocol_version 'TLSv1.1'", Some("postgres_fdw_outdated_tls")),
    ("sslmode 'verify-full', ssl_min_protocol_version 'tlsv1.3'", None),
    ("sslmode 'verify-full', sslcompression '1'", Some("postgres_fdw_compressed_tls")),
    ("sslmode 'verify-full', sslcompression '0'", None),
    ("sslmode 'verify-full', channel_binding 'disable'", Some("postgres_fdw_unbound_channel")),
    ("sslmode 'verify-full', channel_binding 'require'", None),
];

/// A user mapping's role and options, and the rule that they violate.
const HARDENED_MAPPINGS: &[(&str, &str, Option<&str>)] = &[
    ("PUBLIC", "user 'x', password 'y'", Some("postgres_fdw_password_for_public")),
    ("PUBLIC", "user 'x', sslpassword 'y'", Some("postgres_fdw_password_for_public")),
    ("PUBLIC", "user 'x'", None),
    ("CURRENT_USER", "user 'x', password 'y'", None),
    ("CURRENT_USER", "password_required 'off'", Some("postgres_fdw_password_not_required")),
    ("CURRENT_USER", "password_required 'true'", None),
];

fn the_hardened_rules_refuse_what_they_name(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "hardened")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "SELECT fdw_guard.install_pack('postgres_fdw_hardened'); \
         CREATE FOREIGN DATA WRAPPER renamed HANDLER postgres_fdw_handler VALIDATOR postgres_fdw_validator; \
         CREATE FOREIGN DATA WRAPPER stranger; \
         CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/tmp')",
    )?;
    for (options, rule) in HARDENED_SERVERS {
        let expected: BTreeSet<String> = rule.iter().map(|rule| (*rule).to_owned()).collect();
        for wrapper in ["postgres_fdw", "renamed"] {
            let sql = format!("CREATE SERVER t FOREIGN DATA WRAPPER {wrapper} OPTIONS ({options})");
            same(&sql, violated(&mut client, &sql)?, expected.clone())?;
        }
        let sql = format!("CREATE SERVER t FOREIGN DATA WRAPPER stranger OPTIONS ({options})");
        same(&sql, violated(&mut client, &sql)?, BTreeSet::new())?;
    }
    for (role, options, rule) in HARDENED_MAPPINGS {
        let sql = format!("CREATE USER MAPPING FOR {role} SERVER s OPTIONS ({options})");
        same(&sql, violated(&mut client, &sql)?, rule.iter().map(|rule| (*rule).to_owned()).collect())?;
    }
    let error = expect_error(&mut client, "CREATE SERVER t FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h')")?;
    same("message", error.message.as_str(), "the identity of the remote server is not verified")?;
    contains(error.hint.as_deref().unwrap_or_default(), "Set sslmode to verify-full")
}

fn no_secret_may_stand_where_all_can_read_it(cluster: &Cluster) -> Result<()> {
    let database = prepared(cluster, "secrets")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "SELECT fdw_guard.install_pack('postgres_fdw'), fdw_guard.install_pack('file_fdw'); \
         CREATE FOREIGN DATA WRAPPER p HANDLER postgres_fdw_handler; CREATE FOREIGN DATA WRAPPER f HANDLER file_fdw_handler; \
         CREATE SERVER p FOREIGN DATA WRAPPER p; CREATE SERVER f FOREIGN DATA WRAPPER f; \
         CREATE FOREIGN TABLE p (a int) SERVER p; CREATE FOREIGN TABLE f (a int) SERVER f OPTIONS (filename '/dev/null')",
    )?;
    for (name, pack) in [("p", "postgres_fdw"), ("f", "file_fdw")] {
        for option in ["password", "Password", "db_passwd", "api_key", "aws_secret_access_key", "token"] {
            let option = quote_ident(option);
            for (place, statement) in [
                ("wrapper", format!("ALTER FOREIGN DATA WRAPPER {name} OPTIONS ({option} 'hunter2')")),
                ("server", format!("ALTER SERVER {name} OPTIONS ({option} 'hunter2')")),
                ("table", format!("ALTER FOREIGN TABLE {name} OPTIONS ({option} 'hunter2')")),
                ("column", format!("ALTER FOREIGN TABLE {name} ALTER a OPTIONS ({option} 'hunter2')")),
            ] {
                let error = expect_error(&mut client, &statement)?;
                same(&statement, error.constraint.as_deref(), Some(format!("{pack}_secret_on_{place}").as_str()))?;
                ensure!(!error.to_string().contains("hunter2"), "the error shows the secret: {error}");
            }
        }
    }
    Ok(())
}
