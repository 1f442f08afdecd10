//! The rights that the reference pages state: without them a statement fails as PostgreSQL says, with them it passes.
//! Rules of which nothing is violated are in force.

mod mappings;
mod tables;

use anyhow::{Context, Result, ensure};

use super::LiveTest;
use super::effects::{Delegate, Session, files, remote};
use super::forms::row::{ObjectType, TABLE, USER_MAPPING};
use super::forms::{Trial, leave};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::forms::{RIGHTS, RIGHTS_ON_FILES};

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "rights::that_the_pages_state_on_postgres_fdw", run: on_remote },
    LiveTest { name: "rights::that_the_pages_state_on_file_fdw", run: on_files },
];

/// A right: who lacks it is refused, who gets it is not.
#[derive(Debug)]
pub struct Right {
    /// What the page states.
    pub states: &'static str,
    /// The first version whose page states it.
    pub since: u32,
    /// The last one.
    pub until: u32,
    /// What a superuser does first.
    pub given: &'static str,
    /// What gives `rights_anyone` the right; nothing if nothing can.
    pub grant: &'static str,
    /// What takes it away again.
    pub revoke: &'static str,
    /// The statement, which `rights_anyone` runs.
    pub statement: &'static str,
    /// What it says without the right.
    pub refused: &'static str,
}

/// A right with nothing in it: what a row leaves out.
const RIGHT: Right =
    Right { states: "", since: 15, until: u32::MAX, given: "", grant: "", revoke: "", statement: "", refused: "" };

/// The forms of the statements, each known by the first of these that stands in it.
const FORMS: &[(&str, &str, ObjectType)] = &[
    ("CREATE USER MAPPING ", "CREATE", USER_MAPPING),
    ("ALTER USER MAPPING ", "OPTIONS", USER_MAPPING),
    ("DROP USER MAPPING ", "DROP", USER_MAPPING),
    (" OPTIONS ", "OPTIONS", TABLE),
    (" SET SCHEMA ", "SET SCHEMA", TABLE),
    (" RENAME TO ", "RENAME TO", TABLE),
    (" OWNER TO ", "OWNER TO", TABLE),
    (" ADD ", "ADD COLUMN", TABLE),
    (" TYPE ", "SET DATA TYPE", TABLE),
    (" INHERIT ", "INHERIT", TABLE),
    (" SET DEFAULT ", "SET DEFAULT", TABLE),
    (" SET NOT NULL", "SET NOT NULL", TABLE),
    (" DISABLE TRIGGER ", "DISABLE TRIGGER", TABLE),
    (" ENABLE TRIGGER ", "ENABLE TRIGGER", TABLE),
    (" ENABLE ALWAYS TRIGGER ", "ENABLE ALWAYS TRIGGER", TABLE),
];

/// Whose rights are tried, and others; they go with the transaction.
const ROLES: &str = "CREATE ROLE rights_anyone; CREATE ROLE rights_other; CREATE ROLE rights_between";

impl Right {
    fn form(&self) -> Result<(&'static str, ObjectType)> {
        let known = FORMS.iter().find(|(part, _, _)| self.statement.contains(part));
        known.map(|(_, form, object_type)| (*form, *object_type)).with_context(|| self.statement.to_owned())
    }

    fn holds(&self, session: &mut Session) -> Result<()> {
        session.client.batch_execute("BEGIN")?;
        let held = self.in_transaction(session);
        session.client.batch_execute("ROLLBACK")?;
        held.with_context(|| self.states.to_owned())
    }

    fn in_transaction(&self, session: &mut Session) -> Result<()> {
        session.client.batch_execute(&format!("{ROLES}; {}", self.given)).with_context(|| self.given.to_owned())?;
        self.expect(session, "without the right", self.refused)?;
        if !self.grant.is_empty() {
            session.client.batch_execute(self.grant).with_context(|| self.grant.to_owned())?;
            self.expect(session, "with the right", "")?;
        }
        if !self.revoke.is_empty() {
            session.client.batch_execute(self.revoke).with_context(|| self.revoke.to_owned())?;
            self.expect(session, "without the right again", self.refused)?;
        }
        Ok(())
    }

    fn expect(&self, session: &mut Session, when: &str, expected: &str) -> Result<()> {
        let said = session.said_and_undone(&format!("SET LOCAL ROLE rights_anyone; {}", self.statement))?;
        ensure!(said == expected, "{when}, {}: found {said:?}, expected {expected:?}", self.statement);
        Ok(())
    }
}

fn on_remote(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = remote(cluster, "guarded_postgres_fdw")?;
    let mut trials = hold(&database, tables::RIGHTS.iter().chain(mappings::RIGHTS))?;
    trials.extend(tables::every_form_is_the_owners(&database, Delegate::Postgres)?);
    leave(cluster, &mut database.connect()?, RIGHTS, trials)
}

fn on_files(cluster: &Cluster) -> Result<()> {
    let database = files(cluster, "guarded_file_fdw")?;
    let mut trials = hold(&database, tables::RIGHTS.iter().chain(tables::RIGHTS_ON_FILES))?;
    trials.extend(tables::every_form_is_the_owners(&database, Delegate::File)?);
    leave(cluster, &mut database.connect()?, RIGHTS_ON_FILES, trials)
}

/// Tries every right.
fn hold(database: &Database<'_>, rights: impl Iterator<Item = &'static Right>) -> Result<Vec<Trial>> {
    let mut session = Session::of(database)?;
    let stated = rights.filter(|right| (right.since..=right.until).contains(&database.major()));
    stated.map(|right| right.form().map(|(form, of)| (form, of, right.holds(&mut session)))).collect()
}
