//! What carries a statement to the server.

use std::path::{Path, PathBuf};

use anyhow::Result;
use postgres::{Client, Statement};

use super::stage::{extension_directory, write_readable};
use crate::cluster::Cluster;

/// What carries a statement to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// A query string of its own.
    #[default]
    Query,
    /// A query string with other statements around it.
    Several,
    /// The extended protocol, prepared before the rule was written.
    Prepared,
    /// EXECUTE in a DO block.
    DoBlock,
    /// A function in plpgsql that has run before, so that its plan is cached.
    CachedPlan,
    /// A function in SQL.
    SqlFunction,
    /// A session in which triggers of the origin do not fire.
    ReplicaRole,
    /// A session in which event triggers do not fire.
    NoEventTriggers,
    /// The script of an extension.
    ExtensionScript,
    /// The script that updates one.
    UpdateScript,
}

impl Carrier {
    /// All but the plain one.
    pub const OTHERS: [Self; 9] = [
        Self::Several,
        Self::Prepared,
        Self::DoBlock,
        Self::CachedPlan,
        Self::SqlFunction,
        Self::ReplicaRole,
        Self::NoEventTriggers,
        Self::ExtensionScript,
        Self::UpdateScript,
    ];

    /// Whether this version of PostgreSQL has it.
    pub fn exists_in(self, major: u32) -> bool {
        self != Self::NoEventTriggers || major >= 17
    }

    /// Makes what can be made before the rule is written.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn prepare(self, client: &mut Client, extensions: &Extensions, statement: &str) -> Result<Ready> {
        let run = |sql: String| Ready { setup: String::new(), rehearsal: String::new(), run: Run::Query(sql) };
        Ok(match self {
            Self::Query => run(statement.to_owned()),
            Self::Several => run(format!("SELECT 1; {statement}; SELECT 2")),
            Self::Prepared => Ready { run: Run::Prepared(client.prepare(statement)?), ..run(String::new()) },
            Self::DoBlock => run(format!("DO $do$ BEGIN EXECUTE $it${statement}$it$; END $do$")),
            Self::CachedPlan => function("plpgsql", &format!("BEGIN {statement}; END")),
            Self::SqlFunction => function("sql", statement),
            Self::ReplicaRole => {
                Ready { setup: "SET LOCAL session_replication_role = replica".to_owned(), ..run(statement.to_owned()) }
            }
            Self::NoEventTriggers => {
                Ready { setup: "SET LOCAL event_triggers = off".to_owned(), ..run(statement.to_owned()) }
            }
            Self::ExtensionScript => {
                extensions.carry("1", statement)?;
                run(format!("CREATE EXTENSION {CARRYING}"))
            }
            Self::UpdateScript => {
                extensions.carry("1", "SELECT 1")?;
                extensions.carry("1--2", statement)?;
                let setup = format!("CREATE EXTENSION {CARRYING}");
                Ready { setup, ..run(format!("ALTER EXTENSION {CARRYING} UPDATE TO '2'")) }
            }
        })
    }
}

fn function(language: &str, body: &str) -> Ready {
    let call = "SELECT carries()".to_owned();
    Ready {
        setup: format!("CREATE FUNCTION carries() RETURNS void LANGUAGE {language} AS $carried${body}$carried$"),
        rehearsal: call.clone(),
        run: Run::Query(call),
    }
}

/// A statement that can be sent.
pub struct Ready {
    setup: String,
    /// Runs once before the rule is written, and is rolled back.
    rehearsal: String,
    run: Run,
}

enum Run {
    Query(String),
    Prepared(Statement),
}

impl Ready {
    /// Does all but send it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn rehearse(&self, client: &mut Client) -> Result<()> {
        if !self.setup.is_empty() {
            client.batch_execute(&self.setup)?;
        }
        if !self.rehearsal.is_empty() {
            client.batch_execute(&format!("SAVEPOINT rehearsed; {}; ROLLBACK TO rehearsed", self.rehearsal))?;
        }
        Ok(())
    }

    /// Sends it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn run(&self, client: &mut Client) -> Result<(), postgres::Error> {
        match &self.run {
            Run::Query(sql) => client.batch_execute(sql),
            Run::Prepared(statement) => client.execute(statement, &[]).map(drop),
        }
    }
}

/// The extension whose script carries a statement.
const CARRYING: &str = "fdw_forms_carrying";
/// The extension that is there to have members.
const EMPTY: &str = "fdw_forms_empty";

/// The files of the extensions that the table needs; removed when this value is dropped.
pub struct Extensions {
    directory: PathBuf,
}

impl Extensions {
    /// Puts them into the private installation.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn install(cluster: &Cluster) -> Result<Self> {
        let extensions = Self { directory: extension_directory(cluster) };
        for name in [CARRYING, EMPTY] {
            write_readable(&extensions.control(name), "default_version = '1'\nrelocatable = true\n")?;
            write_readable(&extensions.script(name, "1"), "SELECT 1;\n")?;
        }
        Ok(extensions)
    }

    fn carry(&self, version: &str, statement: &str) -> Result<()> {
        write_readable(&self.script(CARRYING, version), &format!("{statement};\n"))
    }

    fn control(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.control"))
    }

    fn script(&self, name: &str, version: &str) -> PathBuf {
        self.directory.join(format!("{name}--{version}.sql"))
    }
}

impl Drop for Extensions {
    fn drop(&mut self) {
        for name in [CARRYING, EMPTY] {
            [self.control(name), self.script(name, "1"), self.script(name, "1--2")]
                .iter()
                .for_each(|path| remove(path));
        }
    }
}

fn remove(path: &Path) {
    // Two stages of one installation share the files.
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!("cannot remove {}: {error}", path.display());
    }
}
