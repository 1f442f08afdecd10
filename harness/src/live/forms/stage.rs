//! A database with one object of each type, on which the ways of the table are tried one after the other.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use postgres::{Client, Statement};

use super::carrier::{Carrier, Extensions, Ready};
use super::row::Way;
use crate::cluster::Cluster;
use crate::database::{Database, Notices, SUPERUSER};
use crate::fields::DbFields;
use crate::live::same;

const OBJECTS: &str = include_str!("stage.sql");
const STATE: &str = include_str!("state.sql");

/// The stage and a session in it.
pub struct Stage<'cluster> {
    client: Client,
    notices: Notices,
    state: Statement,
    extensions: Extensions,
    guarded: bool,
    /// Removed last.
    database: Database<'cluster>,
}

/// How a way is gone.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// Runs when what the way needs is there, so that it is in force for its statement alone.
    pub under: String,
    /// Whether what the way needs is left out.
    pub unprepared: bool,
    /// Whether the statement is run a second time.
    pub twice: bool,
    pub carrier: Carrier,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of the last statement, if it failed.
    pub error: Option<DbFields>,
    pub notices: Vec<DbFields>,
    /// What the catalogs say then; after a failure, with the statement rolled back.
    pub state: String,
}

impl Outcome {
    /// Fails where it is not `expected`.
    ///
    /// # Errors
    /// Names the first part that differs.
    pub fn check(self, expected: Self) -> Result<()> {
        same("error", self.error, expected.error)?;
        same("notices", self.notices, expected.notices)?;
        same("catalogs", self.state, expected.state)
    }
}

impl<'cluster> Stage<'cluster> {
    /// Makes the stage in a database called `name`, with fdw_guard in it if `guarded` says so.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn make(cluster: &'cluster Cluster, name: &str, guarded: bool) -> Result<Self> {
        let database = if guarded { cluster.guarded_database(name)? } else { cluster.database(name)? };
        database.execute(OBJECTS)?;
        let (mut client, notices) = database.connect_noting(SUPERUSER)?;
        let state = client.prepare(STATE)?;
        Ok(Self { client, notices, state, extensions: Extensions::install(cluster)?, guarded, database })
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect(&self) -> Result<Client> {
        self.database.connect()
    }

    /// Goes the way and leaves everything as it was.
    ///
    /// # Errors
    /// When anything fails but the way's own statement.
    pub fn try_out(&mut self, way: &Way, trial: &Trial) -> Result<Outcome> {
        let outcome = self.go(way, trial).with_context(|| format!("{}; {}", way.before, trial.under));
        self.clean_up(way)?;
        outcome
    }

    /// Goes the way with rules checked before commit, and gives what is said then. Nothing is committed.
    ///
    /// # Errors
    /// As [`Stage::try_out`].
    pub fn try_deferred(&mut self, way: &Way, rule: &str) -> Result<Option<DbFields>> {
        self.batch(&begin(way, &way.before))?;
        self.batch(&format!("{rule}; SET LOCAL fdw_guard.check_mode = deferred"))?;
        // What runs before a transaction is prepared is what runs before it is committed.
        let outcome = self.client.batch_execute(&way.statement);
        let outcome = outcome.and_then(|()| self.client.batch_execute("PREPARE TRANSACTION 'forms'"));
        let error = failure(outcome)?;
        self.batch(if error.is_some() { "ROLLBACK" } else { "ROLLBACK PREPARED 'forms'" })?;
        Ok(error)
    }

    /// What `table_state` says of the way's foreign table before its statement and after it; nothing if the table is not
    /// there on both sides.
    ///
    /// # Errors
    /// When anything fails.
    pub fn descriptions(&mut self, way: &Way) -> Result<Option<(String, String)>> {
        let found = self.describe(way).with_context(|| way.statement.clone());
        self.clean_up(way)?;
        found
    }

    fn describe(&mut self, way: &Way) -> Result<Option<(String, String)>> {
        self.batch(&begin(way, &way.before))?;
        let table: Option<u32> = self.client.query_one("SELECT to_regclass($1)::oid", &[&way.name])?.get(0);
        let before = self.description(table)?;
        self.batch(&way.statement)?;
        Ok(before.zip(self.description(table)?))
    }

    fn description(&mut self, table: Option<u32>) -> Result<Option<String>> {
        let query = "SELECT fdw_guard.table_state(ftrelid)::text FROM pg_foreign_table WHERE ftrelid = $1";
        Ok(self.client.query_opt(query, &[&table])?.map(|row| row.get(0)))
    }

    /// What the catalogs say before the way's statement.
    ///
    /// # Errors
    /// When what the way needs cannot be made.
    pub fn state_before(&mut self, way: &Way) -> Result<String> {
        self.batch(&begin(way, &way.before))?;
        let state = self.state();
        self.clean_up(way)?;
        state
    }

    fn go(&mut self, way: &Way, trial: &Trial) -> Result<Outcome> {
        let ready = trial.carrier.prepare(&mut self.client, &self.extensions, &way.statement)?;
        self.batch(&begin(way, if trial.unprepared { "" } else { &way.before }))?;
        ready.rehearse(&mut self.client)?;
        self.batch(&trial.under)?;
        let (mut error, mut notices) = (None, Vec::new());
        for _ in 0..=usize::from(trial.twice) {
            error = self.send(&ready, way, &mut notices)?;
        }
        // Whoever has no right to see the state has set a role.
        self.batch("RESET ROLE")?;
        Ok(Outcome { error, notices, state: self.state()? })
    }

    fn send(&mut self, ready: &Ready, way: &Way, notices: &mut Vec<DbFields>) -> Result<Option<DbFields>> {
        let in_block = way.removal.is_none();
        self.batch(if in_block { "SAVEPOINT tried" } else { "" })?;
        self.notices.take();
        let outcome = ready.run(&mut self.client);
        notices.extend(self.notices.take());
        let error = failure(outcome)?;
        self.batch(if error.is_some() && in_block { "ROLLBACK TO tried" } else { "" })?;
        Ok(error)
    }

    fn state(&mut self) -> Result<String> {
        Ok(self.client.query_one(&self.state, &[])?.get(0))
    }

    fn batch(&mut self, sql: &str) -> Result<()> {
        if sql.is_empty() { Ok(()) } else { self.client.batch_execute(sql).with_context(|| sql.to_owned()) }
    }

    fn clean_up(&mut self, way: &Way) -> Result<()> {
        let Some(removal) = way.removal else { return self.batch("ROLLBACK") };
        if self.guarded {
            self.batch("DELETE FROM fdw_guard.rule")?;
        }
        self.batch(removal)
    }
}

/// What a way needs, in a transaction that is rolled back if its statement can run in one.
fn begin(way: &Way, before: &str) -> String {
    if way.removal.is_none() { format!("BEGIN; {before}") } else { before.to_owned() }
}

/// The error of a statement; a broken connection is an error of the test.
fn failure(outcome: Result<(), postgres::Error>) -> Result<Option<DbFields>> {
    match outcome {
        Ok(()) => Ok(None),
        Err(error) => {
            let fields = error.as_db_error().map(DbFields::from);
            fields.map(Some).with_context(|| format!("the connection broke: {error}"))
        }
    }
}

/// Where the private installation looks for extensions.
pub fn extension_directory(cluster: &Cluster) -> PathBuf {
    cluster.sandbox().mirror.installation.extension_dir()
}

/// Writes a file that the server's account can read.
///
/// # Errors
/// When the file system refuses.
pub fn write_readable(path: &std::path::Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o644))?)
}
