//! Where the cases are played: sessions, one beside them that looks on, and what both have seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use postgres::{Client, Statement};

use super::canary::Encoding;
use super::cases::{Case, End, Session};
use super::paths::{EXTENSION, Step};
use super::wire::{Reply, Wire, execute, parse, simple, sync};
use crate::cluster::Cluster;
use crate::database::Database;

/// Held by a stage that touches what is one for all: the role, and the extension's script.
static SHARED: Mutex<()> = Mutex::new(());

/// What the cases expect to be there. Event triggers hold each statement that changes the catalogs until the session that
/// looks on lets it pass.
const SETUP: &str = "
    CREATE EXTENSION pg_stat_statements;
    CREATE EXTENSION postgres_fdw;
    GRANT CREATE ON SCHEMA public TO PUBLIC;
    CREATE FOREIGN DATA WRAPPER canary_wrapper OPTIONS (host 'x', password 'x');
    GRANT USAGE ON FOREIGN DATA WRAPPER canary_wrapper TO PUBLIC;
    CREATE SERVER canary_server FOREIGN DATA WRAPPER canary_wrapper OPTIONS (host 'x', password 'x');
    CREATE USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (user 'x', password 'x');
    CREATE FOREIGN TABLE canary_table (c int OPTIONS (host 'x', password 'x')) SERVER canary_server
        OPTIONS (host 'x', password 'x');
    CREATE TABLE canary_parent (a text) PARTITION BY LIST (a);
    CREATE SERVER canary_pg FOREIGN DATA WRAPPER postgres_fdw;
    CREATE USER MAPPING FOR CURRENT_USER SERVER canary_pg OPTIONS (user 'x', password 'x');
    CREATE SERVER canary_empty FOREIGN DATA WRAPPER canary_wrapper;
    CREATE USER MAPPING FOR CURRENT_USER SERVER canary_empty;
    CREATE SERVER canary_ruled FOREIGN DATA WRAPPER canary_wrapper OPTIONS (host 'x');
    CREATE USER MAPPING FOR CURRENT_USER SERVER canary_ruled OPTIONS (user 'x', password 'x');
    CREATE FUNCTION canary_run(statement text) RETURNS integer LANGUAGE plpgsql AS
        'BEGIN EXECUTE statement; RETURN 1; END';
    CREATE FUNCTION canary_hold() RETURNS event_trigger LANGUAGE plpgsql
        SET debug_print_parse = off SET debug_print_rewritten = off SET debug_print_plan = off
        SET auto_explain.log_min_duration = -1 SET pg_stat_statements.track = 'none' AS
        'BEGIN PERFORM pg_advisory_lock_shared(7); PERFORM pg_advisory_unlock_shared(7); END';
    CREATE EVENT TRIGGER canary_hold ON ddl_command_start EXECUTE FUNCTION canary_hold()";

const RULES: &str = r#"
    CREATE EXTENSION fdw_guard;
    CREATE FUNCTION canary_revert(id uuid) RETURNS text LANGUAGE plpgsql AS
        'BEGIN RETURN (SELECT string_agg(p, chr(10)) FROM fdw_guard.revert_plan(id) AS p);
        EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END';
    INSERT INTO fdw_guard.rule (name, object_type, server, strict, options) VALUES
        ('canary_length', 'user mapping', '{canary_ruled}', true,
            '{"properties": {"password": {"type": "string", "writeOnly": true, "minLength": 5000}}}'),
        ('canary_host', 'server', '{canary_ruled}', true, '{"properties": {"host": {"const": "never"}}}')"#;

const WEAK: &str = "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'canary_weak') THEN \
                    CREATE ROLE canary_weak LOGIN; END IF; END $do$";

/// What the session that looks on must not leave in the logs itself.
const SILENT: &str = "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_duration = off; \
    SET debug_print_parse = off; SET debug_print_rewritten = off; SET debug_print_plan = off; \
    SET auto_explain.log_min_duration = -1; SET pg_stat_statements.track = 'none'";

/// Until a session has read its database's rules, names that no pack knows are hidden wherever they stand.
const READS_RULES: &[u8] = b"CREATE SERVER canary_first FOREIGN DATA WRAPPER canary_wrapper; DROP SERVER canary_first";

/// What the session runs, as bytes of its database's encoding, and whether it waits to be let pass.
const LOOK: &str = "SELECT wait_event IS NOT DISTINCT FROM 'advisory', convert_to(query, getdatabaseencoding()) \
                    FROM pg_stat_activity WHERE pid = $1";

const STORED: &str = "SELECT count(*) > 0 FROM (SELECT unnest(umoptions) FROM pg_user_mapping \
    UNION ALL SELECT unnest(srvoptions) FROM pg_foreign_server \
    UNION ALL SELECT unnest(fdwoptions) FROM pg_foreign_data_wrapper \
    UNION ALL SELECT unnest(ftoptions) FROM pg_foreign_table \
    UNION ALL SELECT unnest(attfdwoptions) FROM pg_attribute WHERE attfdwoptions IS NOT NULL) AS o(option) \
    WHERE substr(option, position('=' IN option) + 1) = $1";

/// A database with the objects that the cases are about, and sessions in it.
pub struct Stage<'cluster> {
    cluster: &'cluster Cluster,
    pub database: Database<'cluster>,
    /// Whether fdw_guard is there.
    pub guarded: bool,
    client_encoding: Encoding,
    sessions: BTreeMap<(Session, usize), Wire>,
    observer: Observer,
    pub seen: Seen,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// pg_stat_activity while a statement was held in its execution.
    pub held: Vec<u8>,
    /// pg_stat_activity after its end.
    pub after: Vec<u8>,
    /// Errors and notices, but for what echoes the client's own text at a position of it.
    pub client: Vec<u8>,
    /// How each case went, by its name.
    pub skeletons: BTreeMap<String, Vec<Vec<String>>>,
    /// Cases after which the catalogs do not hold what was said.
    pub lost: Vec<String>,
    pub steps: usize,
}

/// What PostgreSQL says of `\'` from a client in whose encoding the backslash may be the end of a letter.
const UNSAFE_QUOTE: &str = "22P06";

impl Seen {
    /// Cases whose text could not be read to its end because of how it was sent.
    pub fn unread(&self) -> BTreeSet<String> {
        let is_unread = |replies: &[Vec<String>]| replies.iter().flatten().any(|reply| reply.contains(UNSAFE_QUOTE));
        self.skeletons.iter().filter(|(_, replies)| is_unread(replies)).map(|(case, _)| case.clone()).collect()
    }
}

struct Observer {
    client: Client,
    look: Statement,
    stored: Statement,
}

/// The settings of one of several sessions of a kind: between them they have all of auto_explain's formats.
const VARIANTS: [&str; 4] = [
    "-c auto_explain.log_format=text -c debug_pretty_print=on",
    "-c auto_explain.log_format=json -c debug_pretty_print=off",
    "-c auto_explain.log_format=xml -c debug_pretty_print=off",
    "-c auto_explain.log_format=yaml -c debug_pretty_print=on",
];

impl<'cluster> Stage<'cluster> {
    /// Makes the database in the encoding of that name; `redact` says what `fdw_guard.redact` is in it, or that fdw_guard
    /// is not there.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn new(
        cluster: &'cluster Cluster,
        name: &str,
        encoding: &str,
        client_encoding: Encoding,
        redact: Option<bool>,
    ) -> Result<Self> {
        let more = format!("ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'");
        let database = Database::create_with(cluster, name, &more)?;
        {
            let _alone = SHARED.lock();
            database.execute(WEAK)?;
        }
        database.execute(SETUP)?;
        if redact.is_some() {
            database.execute(RULES)?;
        }
        if redact == Some(false) {
            database.execute(&format!("ALTER DATABASE {name} SET fdw_guard.redact = off"))?;
        }
        let observer = Observer::new(&database)?;
        let (sessions, seen) = (BTreeMap::new(), Seen::default());
        Ok(Self { cluster, database, guarded: redact.is_some(), client_encoding, sessions, observer, seen })
    }

    /// Plays a case and notes what shows.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn play(&mut self, number: usize, case: &Case) -> Result<()> {
        let key = (case.session, number % VARIANTS.len());
        let mut wire = match self.sessions.remove(&key) {
            Some(wire) => wire,
            None => self.connect(key)?,
        };
        let outcome = self.play_in(&mut wire, case);
        self.sessions.insert(key, wire);
        outcome.with_context(|| case.name.clone())
    }

    /// Ends the sessions, and waits until each has said its last.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn end_sessions(&mut self) -> Result<()> {
        std::mem::take(&mut self.sessions).into_values().try_for_each(Wire::close)
    }

    fn connect(&self, (session, variant): (Session, usize)) -> Result<Wire> {
        let strings = if session == Session::Escaping { "off" } else { "on" };
        let variant = VARIANTS.get(variant).copied().unwrap_or_default();
        let options = match session {
            Session::Weak => String::new(),
            _ => format!("-c standard_conforming_strings={strings} -c escape_string_warning=off {variant}"),
        };
        let user = if session == Session::Weak { "canary_weak" } else { "postgres" };
        let parameters = [
            ("user", user),
            ("database", self.database.name()),
            ("client_encoding", self.client_encoding.name()),
            ("options", &options),
        ];
        let mut wire = Wire::connect(self.cluster, &parameters)?;
        wire.query(READS_RULES)?;
        Ok(wire)
    }

    fn play_in(&mut self, wire: &mut Wire, case: &Case) -> Result<()> {
        let mut skeletons = Vec::new();
        for sql in &case.before {
            self.plainly(wire, sql)?;
        }
        for step in &case.steps {
            skeletons.push(self.step(wire, step, case.end)?.skeleton());
        }
        if let Some(value) = &case.stored
            && !self.observer.holds(value)?
        {
            self.seen.lost.push(case.name.clone());
        }
        for sql in &case.after {
            let reply = self.plainly(wire, sql)?;
            skeletons.push(reply.skeleton());
        }
        self.seen.skeletons.insert(case.name.clone(), skeletons);
        Ok(())
    }

    fn plainly(&mut self, wire: &mut Wire, sql: &str) -> Result<Reply> {
        let reply = wire.query(&self.client_encoding.bytes(sql))?;
        self.note(&reply);
        self.seen.after.extend(self.observer.look(wire.pid)?.1);
        Ok(reply)
    }

    fn step(&mut self, wire: &mut Wire, step: &Step, end: End) -> Result<Reply> {
        let _alone = matches!(step, Step::Script(_)).then(|| SHARED.lock());
        let messages = self.messages(step)?;
        self.observer.lock()?;
        wire.send(&messages)?;
        let waits = self.watch(wire)?;
        match end {
            End::Own => self.observer.unlock()?,
            End::Cancelled if waits => wire.cancel()?,
            _ => {}
        }
        let reply = wire.reply()?;
        if end != End::Own {
            self.observer.unlock()?;
        }
        self.note(&reply);
        self.seen.after.extend(self.observer.look(wire.pid)?.1);
        self.seen.steps += 1;
        Ok(reply)
    }

    /// Whether the statement came to where it is held; what shows of it there is noted.
    fn watch(&mut self, wire: &mut Wire) -> Result<bool> {
        while !wire.has_answer()? {
            let (waits, query) = self.observer.look(wire.pid)?;
            if waits {
                // It may have waited for something else, before the first hook.
                sleep(Duration::from_millis(2));
                let (still_waits, later) = self.observer.look(wire.pid)?;
                self.seen.held.extend(if still_waits { later } else { query });
                return Ok(true);
            }
            sleep(Duration::from_micros(200));
        }
        Ok(false)
    }

    fn messages(&self, step: &Step) -> Result<Vec<(u8, Vec<u8>)>> {
        let bytes = |sql: &str| self.client_encoding.bytes(sql);
        Ok(match step {
            Step::Query(sql) => vec![simple(&bytes(sql))],
            Step::Extended { name, sql, parameters, times } => {
                let parameters: Vec<Vec<u8>> = parameters.iter().map(|parameter| bytes(parameter)).collect();
                let mut messages = vec![parse(name, &bytes(sql))];
                for _ in 0..*times {
                    messages.extend(execute(name, &parameters)?);
                }
                messages.push(sync());
                messages
            }
            Step::Script(script) => {
                self.write_extension(script)?;
                vec![simple(format!("CREATE EXTENSION {EXTENSION}").as_bytes())]
            }
        })
    }

    fn write_extension(&self, script: &str) -> Result<()> {
        let directory = self.cluster.sandbox().mirror.installation.extension_dir();
        let control = "default_version = '1'\nrelocatable = true\nencoding = 'UTF8'\n";
        fs::write(directory.join(format!("{EXTENSION}.control")), control)?;
        fs::write(directory.join(format!("{EXTENSION}--1.sql")), script)?;
        Ok(())
    }

    fn note(&mut self, reply: &Reply) {
        for message in reply.notices().filter(|message| !message.echoes_the_clients_text()) {
            self.seen.client.extend(&message.body);
            self.seen.client.push(b'\n');
        }
    }
}

impl Observer {
    fn new(database: &Database) -> Result<Self> {
        let mut client = database.connect()?;
        client.batch_execute(SILENT)?;
        if client.query_opt("SELECT FROM pg_settings WHERE name = 'pgaudit.log'", &[])?.is_some() {
            client.batch_execute("SET pgaudit.log = 'none'")?;
        }
        let (look, stored) = (client.prepare(LOOK)?, client.prepare(STORED)?);
        Ok(Self { client, look, stored })
    }

    fn look(&mut self, pid: i32) -> Result<(bool, Vec<u8>)> {
        let row = self.client.query_one(&self.look, &[&pid])?;
        Ok((row.get(0), row.get(1)))
    }

    fn holds(&mut self, value: &str) -> Result<bool> {
        Ok(self.client.query_one(&self.stored, &[&value])?.get(0))
    }

    fn lock(&mut self) -> Result<()> {
        Ok(self.client.batch_execute("SELECT pg_advisory_lock(7)")?)
    }

    fn unlock(&mut self) -> Result<()> {
        Ok(self.client.batch_execute("SELECT pg_advisory_unlock(7)")?)
    }
}
