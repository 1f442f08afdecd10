//! A database of a cluster, and connections to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::{Client, Config, NoTls};

use crate::cluster::Cluster;
use crate::fields::DbFields;

/// The superuser that initdb makes.
pub const SUPERUSER: &str = "postgres";

/// How long a statement of a test may run.
const STATEMENT_TIMEOUT: &str = "-c statement_timeout=60s";

/// How long a connection is tried for: a server that has just crashed takes a moment to recover.
const RECOVERY: Duration = Duration::from_secs(15);

/// A database. It is removed when this value is dropped.
#[derive(Debug)]
pub struct Database<'cluster> {
    cluster: &'cluster Cluster,
    name: String,
}

/// The warnings and notices that a connection has received.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<DbFields>>>);

impl Notices {
    /// Those that came since the last call.
    pub fn take(&self) -> Vec<DbFields> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, fields: DbFields) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fields);
    }
}

/// A login with a password to a database, over TCP on the loopback interface.
#[derive(Debug)]
pub struct Remote<'cluster> {
    /// The database.
    pub database: Database<'cluster>,
    /// The role.
    pub role: String,
    port: u16,
}

impl<'cluster> Database<'cluster> {
    /// Makes the database `name` anew.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create(cluster: &'cluster Cluster, name: &str) -> Result<Self> {
        Self::create_with(cluster, name, "")
    }

    /// The same with more of CREATE DATABASE, for example `ENCODING 'LATIN1' TEMPLATE template0`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_with(cluster: &'cluster Cluster, name: &str, more: &str) -> Result<Self> {
        let mut client = connect(cluster, "postgres", SUPERUSER, &Notices::default())?;
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote_ident(name)))?;
        client.batch_execute(&format!("CREATE DATABASE {} {more}", quote_ident(name)))?;
        Ok(Self { cluster, name: name.to_owned() })
    }

    /// One that is there already.
    pub fn existing(cluster: &'cluster Cluster, name: &str) -> Self {
        Self { cluster, name: name.to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn cluster(&self) -> &'cluster Cluster {
        self.cluster
    }

    /// A connection as the superuser.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect(&self) -> Result<Client> {
        self.connect_as(SUPERUSER)
    }

    /// A connection as `role`, which must be able to log in.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect_as(&self, role: &str) -> Result<Client> {
        connect(self.cluster, &self.name, role, &Notices::default())
    }

    /// A connection as `role`, and what it is warned of.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect_noting(&self, role: &str) -> Result<(Client, Notices)> {
        let notices = Notices::default();
        Ok((connect(self.cluster, &self.name, role, &notices)?, notices))
    }

    /// Runs statements as the superuser, over a connection of their own.
    ///
    /// # Errors
    /// When one fails.
    pub fn execute(&self, sql: &str) -> Result<()> {
        self.connect()?.batch_execute(sql).with_context(|| sql.to_owned())
    }

    /// The server's major version.
    pub fn major(&self) -> u32 {
        self.cluster.sandbox().original.major
    }

    /// Lets `role` (made if it is missing) log in to this database with a password over TCP. The cluster must have been
    /// started with the loopback setting.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn remote(self, role: &str, password: &str) -> Result<Remote<'cluster>> {
        let (name, literal, secret) = (quote_ident(role), quote_literal(role), quote_literal(password));
        self.execute(&format!(
            "SELECT set_config('password_encryption', 'scram-sha-256', false); \
             DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal}) THEN CREATE ROLE {name}; END IF; \
             END $do$; ALTER ROLE {name} LOGIN PASSWORD {secret}"
        ))?;
        let port = self.cluster.port();
        Ok(Remote { database: self, role: role.to_owned(), port })
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let name = quote_ident(&self.name);
        let gone = connect(self.cluster, "postgres", SUPERUSER, &Notices::default()).and_then(|mut client| {
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).map_err(Into::into)
        });
        if let Err(error) = gone {
            eprintln!("cannot drop database {name}: {error:#}");
        }
    }
}

impl Remote<'_> {
    /// The options of a postgres_fdw server that reaches it, as they stand between the brackets of OPTIONS.
    pub fn server_options(&self) -> String {
        format!("host '127.0.0.1', port '{}', dbname {}", self.port, quote_literal(self.database.name()))
    }
}

/// `name` as a quoted identifier.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a string constant, whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

fn connect(cluster: &Cluster, database: &str, role: &str, notices: &Notices) -> Result<Client> {
    let config = config(cluster, database, role, notices);
    let start = Instant::now();
    loop {
        match config.connect(NoTls) {
            Ok(client) => return Ok(client),
            Err(error) if is_passing(&error) && start.elapsed() < RECOVERY => sleep(Duration::from_millis(100)),
            Err(error) => return Err(error).with_context(|| format!("cannot connect to {database} as {role}")),
        }
    }
}

fn config(cluster: &Cluster, database: &str, role: &str, notices: &Notices) -> Config {
    let notices = notices.clone();
    let mut config = Config::new();
    config.host_path(cluster.socket()).port(cluster.port()).dbname(database).user(role);
    config.application_name("fdw_guard_harness").options(STATEMENT_TIMEOUT);
    config.notice_callback(move |notice| notices.push(DbFields::from(&notice)));
    config
}

/// Refused while a server starts or recovers: it says 57P03, or does not listen yet.
fn is_passing(error: &postgres::Error) -> bool {
    match error.as_db_error() {
        Some(refusal) => *refusal.code() == postgres::error::SqlState::CANNOT_CONNECT_NOW,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'"), " E'a\\\\'''");
    }
}
