//! Lines of the log that hold a secret, from every kind of process and in every plight: nothing crashes, hangs or shows.
//!
//! Each scene has a text raised by a process of some kind, with redaction off, where the log must show the secret (or the
//! test would look in the wrong place), and on, where it must show the rest of the line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use postgres::Client;

use super::canary::{Letters, Mint};
use super::wire::{Wire, simple};
use crate::cluster::Cluster;
use crate::database::{Database, quote_literal};
use crate::settings::Settings;

/// How long a background process may take to come to what it is to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long they are left alone before they are woken.
const WAKING: Duration = Duration::from_secs(3);

/// A secret in a line that also holds a name.
struct Line {
    secret: String,
    name: String,
}

/// A server whose log says of each line which kind of process wrote it.
fn server(cluster: &Cluster, name: &str) -> Result<Cluster> {
    let settings = Settings::preloaded()
        .with("log_line_prefix", "<%b> ")
        .with("wal_level", "logical")
        .with("autovacuum_naptime", "1s")
        .with("wal_retrieve_retry_interval", "100ms")
        .with("max_parallel_workers_per_gather", "2");
    cluster.another(name, &settings)
}

impl Line {
    fn new() -> Result<Self> {
        let mut mint = Mint::new()?;
        Ok(Self { secret: mint.secret(Letters::Plain).value, name: mint.public().value })
    }

    /// A statement with both.
    fn statement(&self) -> String {
        let Self { secret, name } = self;
        format!("ALTER USER MAPPING FOR CURRENT_USER SERVER {name} OPTIONS (SET password '{secret}')")
    }

    /// A command of PL/pgSQL that writes both to the log.
    fn raise(&self, level: &str) -> String {
        format!("RAISE {level} USING MESSAGE = {};", quote_literal(&self.statement()))
    }
}

/// Plays the scene with redaction off and on, and holds what processes of that kind wrote against it.
fn off_and_on(own: &Cluster, process: &str, scene: impl Fn(&Line) -> Result<()>) -> Result<()> {
    for (redact, shows) in [("off", true), ("on", false)] {
        own.set("fdw_guard.redact", redact)?;
        own.reload()?;
        let line = Line::new()?;
        scene(&line)?;
        let prefix = format!("<{process}>");
        let wrote = |text: &str| own.log_text().lines().any(|line| line.starts_with(&prefix) && line.contains(text));
        let (start, mut woken) = (Instant::now(), Instant::now());
        while !wrote(&line.name) {
            ensure!(start.elapsed() < PATIENCE, "no {process} wrote the line, with redaction {redact}");
            // A launcher that waits for one worker misses that another has ended, and then sleeps for three minutes.
            if woken.elapsed() > WAKING {
                own.reload()?;
                woken = Instant::now();
            }
            sleep(Duration::from_millis(20));
        }
        ensure!(wrote(&line.secret) == shows, "redaction is {redact}: {}", excerpt(own, &line));
        if !shows {
            ensure!(!own.log_text().contains(&line.secret), "another process shows it: {}", excerpt(own, &line));
        }
    }
    let crashes = own.crashes();
    ensure!(crashes.is_empty(), "{crashes:?}");
    Ok(())
}

fn excerpt(own: &Cluster, line: &Line) -> String {
    let log = own.log_text();
    let about = |text: &&str| text.contains(&line.secret);
    let cut = |text: &str| text.chars().take(300).collect::<String>();
    log.lines().filter(about).take(5).map(cut).collect::<Vec<_>>().join("\n")
}

fn replaced(client: &mut Client, definition: &str) -> Result<()> {
    client.batch_execute(&format!("CREATE OR REPLACE FUNCTION {definition}")).with_context(|| definition.to_owned())
}

pub fn in_every_kind_of_process(cluster: &Cluster) -> Result<()> {
    let own = server(cluster, "canary-log")?;
    let database = own.guarded_database("canary_log")?;
    off_and_on(&own, "parallel worker", |line| parallel_worker(&database, line, "LOG"))?;
    off_and_on(&own, "parallel worker", |line| parallel_worker(&database, line, "EXCEPTION"))?;
    off_and_on(&own, "postmaster", |line| postmaster(&own, line))?;
    off_and_on(&own, "autovacuum worker", |line| autovacuum(&database, line))?;
    let process = if database.major() < 17 { "logical replication worker" } else { "logical replication apply worker" };
    let target = own.database("canary_target")?;
    let subscription = Subscription::new(&own, &database, &target)?;
    off_and_on(&own, process, |line| subscription.applies(line))?;
    drop(subscription);
    without_the_extension(&own)
}

fn parallel_worker(database: &Database, line: &Line, level: &str) -> Result<()> {
    let mut client = database.connect()?;
    let body = format!("BEGIN {} RETURN n; END", line.raise(level));
    replaced(
        &mut client,
        &format!("canary(n int) RETURNS int LANGUAGE plpgsql PARALLEL SAFE AS {}", quote_literal(&body)),
    )?;
    let setting = if database.major() < 16 { "force_parallel_mode" } else { "debug_parallel_query" };
    client.batch_execute(&format!("SET {setting} = on"))?;
    let outcome = client.batch_execute("SELECT canary(1)");
    ensure!(outcome.is_err() == (level == "EXCEPTION"), "{level}: {outcome:?}");
    Ok(client.batch_execute("SELECT 1")?)
}

/// The postmaster quotes a value that it cannot take.
fn postmaster(own: &Cluster, line: &Line) -> Result<()> {
    let file = own.data().join("postgresql.conf");
    let before = fs::read_to_string(&file)?;
    own.set("log_destination", &line.statement())?;
    own.reload()?;
    // Until it has read the file, which a busy machine lets it do late.
    let start = Instant::now();
    while !own.log_text().contains(&line.name) && start.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20));
    }
    Ok(fs::write(&file, before)?)
}

/// An index's expression is evaluated when its table is analysed. It speaks only there: whenever autovacuum comes, what it
/// evaluates is the same.
fn autovacuum(database: &Database, line: &Line) -> Result<()> {
    let mut client = database.connect()?;
    let own_type = "SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let body = format!(
        "BEGIN IF n = 50 AND ({own_type}) = 'autovacuum worker' THEN {} END IF; RETURN n; END",
        line.raise("LOG")
    );
    client.batch_execute("DROP TABLE IF EXISTS canary_table")?;
    replaced(
        &mut client,
        &format!("canary_index(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS {}", quote_literal(&body)),
    )?;
    Ok(client.batch_execute(
        "CREATE TABLE canary_table (n int) WITH (autovacuum_analyze_threshold = 1, autovacuum_analyze_scale_factor = 0); \
         CREATE INDEX ON canary_table (canary_index(n)); INSERT INTO canary_table SELECT generate_series(1, 100)",
    )?)
}

/// A worker that applies the changes of one database to another, where a trigger speaks.
struct Subscription<'a> {
    source: &'a Database<'a>,
    target: &'a Database<'a>,
}

impl<'a> Subscription<'a> {
    fn new(own: &Cluster, source: &'a Database<'a>, target: &'a Database<'a>) -> Result<Self> {
        let table = "CREATE TABLE canary_copied (n int PRIMARY KEY)";
        source.execute(&format!("{table}; CREATE PUBLICATION canary FOR TABLE canary_copied"))?;
        source.execute("SELECT pg_create_logical_replication_slot('canary', 'pgoutput')")?;
        target.execute(&format!(
            "{table}; CREATE FUNCTION canary() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER canary BEFORE INSERT ON canary_copied FOR EACH ROW EXECUTE FUNCTION canary(); \
             ALTER TABLE canary_copied ENABLE ALWAYS TRIGGER canary"
        ))?;
        let (host, port) = (own.socket().display(), own.port());
        let address = quote_literal(&format!("host={host} port={port} user=postgres dbname={}", source.name()));
        target.execute(&format!(
            "CREATE SUBSCRIPTION canary CONNECTION {address} PUBLICATION canary WITH (create_slot = false, copy_data = false)"
        ))?;
        Ok(Self { source, target })
    }

    /// A worker reads its configuration again between two messages, so that one of before may speak as it did: it ends.
    fn applies(&self, line: &Line) -> Result<()> {
        let ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_subscription WHERE pid IS NOT NULL";
        self.target.execute(ended)?;
        let body = format!("BEGIN {} RETURN NEW; END", line.raise("LOG"));
        let definition = format!("canary() RETURNS trigger LANGUAGE plpgsql AS {}", quote_literal(&body));
        replaced(&mut self.target.connect()?, &definition)?;
        self.source.execute("INSERT INTO canary_copied SELECT coalesce(max(n), 0) + 1 FROM canary_copied")
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.target.execute("DROP SUBSCRIPTION canary") {
            eprintln!("{error:#}");
        }
    }
}

fn without_the_extension(own: &Cluster) -> Result<()> {
    let database = own.database("canary_without")?;
    off_and_on(own, "client backend", |line| {
        let outcome = database.connect()?.batch_execute(&line.statement());
        ensure!(outcome.is_err(), "there is no such server");
        database.execute(&format!("DO {}", quote_literal(&format!("BEGIN {} END", line.raise("LOG")))))
    })
}

/// A message that cannot be said in the client's encoding is an error while an error is reported.
pub fn inside_error_recursion(cluster: &Cluster) -> Result<()> {
    let own = server(cluster, "canary-recursion")?;
    let database = own.guarded_database("canary_recursion")?;
    off_and_on(&own, "client backend", |line| {
        let mut wire =
            Wire::connect(&own, &[("user", "postgres"), ("database", database.name()), ("client_encoding", "LATIN1")])?;
        let message = format!("'\\3042: ' || {}", quote_literal(&line.statement()));
        for level in ["LOG", "WARNING", "EXCEPTION"] {
            let body = format!("BEGIN RAISE {level} USING MESSAGE = U&{message}, DETAIL = U&{message}; END");
            let reply = wire.query(format!("DO {}", quote_literal(&body)).as_bytes())?;
            ensure!(!reply.0.is_empty(), "the server has closed the connection at {level}");
        }
        let reply = wire.query(b"SELECT 1")?;
        ensure!(reply.sqlstate().is_none(), "the session is not usable any more: {reply:?}");
        wire.close()
    })
}

/// The size of a large text: 16 MB, or as many as the environment's `CANARY_MEGABYTES` says.
fn large() -> usize {
    let megabytes = std::env::var("CANARY_MEGABYTES").ok().and_then(|number| number.parse().ok());
    megabytes.unwrap_or(16) << 20
}

/// Texts of that size, in which the secret comes last.
fn large_texts(line: &Line, size: usize) -> [(&'static str, Vec<u8>); 4] {
    let statement = line.statement();
    let filled = |before: &str, filling: &str, after: &str| {
        let mut text = before.as_bytes().to_vec();
        text.extend(filling.bytes().cycle().take(size.saturating_sub(before.len() + after.len())));
        text.extend(after.bytes());
        text
    };
    [
        ("a literal", filled("SELECT length('", "letters and words ", &format!("'); {statement}"))),
        ("options", filled("/* ", "OPTIONS (password 'x') ", &format!("*/ {statement}"))),
        ("quotes", filled("DO '", "''", &format!("'; {statement}"))),
        ("no quote's end", filled("", " ", statement.trim_end_matches("')"))),
    ]
}

/// Lines that a server writes itself, twice as long: of a gigabyte, PostgreSQL's own limit, where the environment says
/// `CANARY_MEGABYTES=480`.
pub fn with_a_very_long_line(cluster: &Cluster) -> Result<()> {
    let own = server(cluster, "canary-line")?;
    let database = own.guarded_database("canary_line")?;
    for (what, filling) in [("words", "letters and words "), ("options", "OPTIONS (password 'x') ")] {
        let (line, start) = (Line::new()?, Instant::now());
        let repeated = format!("repeat({}, {})", quote_literal(filling), 2 * large() / filling.len());
        let body = format!("BEGIN RAISE LOG '%', {repeated} || {}; END", quote_literal(&line.statement()));
        let mut wire = Wire::connect(&own, &connection(&database, "on"))?;
        let reply = wire.query(format!("DO {}", quote_literal(&body)).as_bytes())?;
        ensure!(reply.sqlstate().is_none(), "{what}: {reply:?}");
        let (memory, log) = (high_water(wire.pid)?, own.take_log()?);
        println!("a line of {what}, {} MB: {:.1} s and {memory} MB", log.len() >> 20, start.elapsed().as_secs_f64());
        ensure!(log.len() > large(), "{what}: the line is cut");
        ensure!(
            log.contains(&line.name) && !log.contains(&line.secret),
            "{what}: the line shows the secret, or nothing"
        );
        ensure!(wire.query(b"SELECT 1")?.sqlstate().is_none(), "{what}: the session is not usable any more");
    }
    let crashes = own.crashes();
    ensure!(crashes.is_empty(), "{crashes:?}");
    Ok(())
}

/// The statement ends within time and memory in proportion to its text, and a cancel is heeded.
pub fn with_a_very_long_text(cluster: &Cluster) -> Result<()> {
    let settings = Settings::preloaded().with("log_min_error_statement", "panic").with("log_min_messages", "panic");
    let own = cluster.another("canary-long", &settings)?;
    let database = own.guarded_database("canary_long")?;
    let line = Line::new()?;
    for (what, text) in large_texts(&line, large()) {
        let [off, on] = ["off", "on"].map(|redact| {
            let mut wire = Wire::connect(&own, &connection(&database, redact))?;
            measured(&mut wire, &text, None)
        });
        let (off, on) = (off?, on?);
        ensure!(on.memory < off.memory + 6 * (text.len() >> 20) + 64, "{what}: too much memory");
        let mut wire = Wire::connect(&own, &connection(&database, "on"))?;
        let cancelled = measured(&mut wire, &text, Some(on.time / 2))?;
        println!("{what}, {} MB: {off}, with redaction {on}, cancelled {cancelled}", text.len() >> 20);
        ensure!(cancelled.time < off.time + Duration::from_secs(2), "{what}: a cancel took {cancelled}");
        ensure!(wire.query(b"SELECT 1")?.sqlstate().is_none(), "{what}: the session is not usable any more");
    }
    quiet(&own, &line)
}

fn connection<'a>(database: &'a Database, redact: &'static str) -> [(&'static str, &'a str); 3] {
    let options = if redact == "on" { "-c fdw_guard.redact=on" } else { "-c fdw_guard.redact=off" };
    [("user", "postgres"), ("database", database.name()), ("options", options)]
}

struct Cost {
    time: Duration,
    /// Megabytes at the most.
    memory: usize,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s and {} MB", self.time.as_secs_f64(), self.memory)
    }
}

/// What a statement costs the server process from when it has been sent, or cancelled.
fn measured(wire: &mut Wire, text: &[u8], cancel: Option<Duration>) -> Result<Cost> {
    wire.send(&[simple(text)])?;
    let mut start = Instant::now();
    if let Some(after) = cancel {
        sleep(after);
        start = Instant::now();
        wire.cancel()?;
    }
    wire.reply()?;
    Ok(Cost { time: start.elapsed(), memory: high_water(wire.pid)? })
}

/// The most memory that the process has had, in megabytes.
fn high_water(pid: i32) -> Result<usize> {
    Ok(figure(pid, "VmHWM")? / 1024)
}

/// What the kernel says of a process's memory, in kilobytes.
fn figure(pid: i32, name: &str) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let values = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = values.map(str::trim).next().with_context(|| format!("/proc tells no {name}"))?;
    Ok(value.trim_end_matches(" kB").parse()?)
}

/// No process crashed, and the log does not hold the secret.
fn quiet(own: &Cluster, line: &Line) -> Result<()> {
    let crashes = own.crashes();
    ensure!(crashes.is_empty(), "{crashes:?}");
    ensure!(!own.log_text().contains(&line.secret), "{}", excerpt(own, line));
    Ok(())
}

/// Kilobytes that a process may have beyond what it has when it has nothing to do.
const TO_SPARE: usize = 40_000;

/// A server whose processes may have little memory: at some size a text fits once, but not twice.
pub fn with_memory_short(cluster: &Cluster) -> Result<()> {
    let own = server(cluster, "canary-memory")?;
    let database = own.guarded_database("canary_memory")?;
    let needed = figure(Wire::connect(&own, &connection(&database, "on"))?.pid, "VmPeak")?;
    own.stop("fast")?;
    own.launch_by(&frugal_server(&own, needed + TO_SPARE)?)?;
    let (line, mut failed) = (Line::new()?, 0);
    for megabytes in [1, 4, 8, 16] {
        for (what, text) in large_texts(&line, megabytes << 20).into_iter().filter(|(what, _)| *what != "options") {
            let mut wire = Wire::connect(&own, &connection(&database, "on"))?;
            let reply = wire.query(&text)?;
            let Some(state) = reply.sqlstate() else { bail!("{what} of {megabytes} MB: {reply:?}") };
            failed += usize::from(state == "53200");
            // What is beyond reason closes the connection, and only that.
            if reply.0.iter().any(|message| message.kind == b'Z') {
                let after = wire.query(b"SELECT 1")?;
                ensure!(after.sqlstate().is_none(), "{what} of {megabytes} MB: the session is not usable any more");
            }
            for message in reply.notices().filter(|message| !message.echoes_the_clients_text()) {
                let said = String::from_utf8_lossy(&message.body);
                if let Some((before, _)) = said.split_once(&line.secret) {
                    let before: String = before.chars().rev().take(200).collect();
                    bail!("{what} of {megabytes} MB shows it after {}", before.chars().rev().collect::<String>());
                }
            }
        }
    }
    ensure!(failed > 3, "memory was not short");
    quiet(&own, &line)
}

/// The server as a program that takes no more than so many kilobytes.
fn frugal_server(own: &Cluster, kilobytes: usize) -> Result<PathBuf> {
    let script = own.directory().join("frugal-postgres");
    let server = own.sandbox().mirror.installation.bindir.join("postgres");
    fs::write(&script, format!("#!/bin/sh\nulimit -v {kilobytes}\nexec {} \"$@\"\n", server.display()))?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    own.sandbox().account.own(&script)?;
    Ok(script)
}
