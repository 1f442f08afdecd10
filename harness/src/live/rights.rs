//! The rights that the reference pages state: without them a statement fails as PostgreSQL says, with them it passes.
//! Rules of which nothing is violated are in force.

mod mappings;
mod tables;

use anyhow::{Context, Result, bail, ensure};

use super::LiveTest;
use super::effects::{Session, files, remote};
use crate::cluster::Cluster;
use crate::database::Database;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "rights::that_the_pages_state", run: that_the_pages_state },
    LiveTest { name: "rights::that_file_fdw_asks_for", run: that_file_fdw_asks_for },
    LiveTest { name: "rights::every_form_of_a_table_is_its_owners", run: tables::every_form_is_the_owners },
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

/// Whose rights are tried, and others; they go with the transaction.
const ROLES: &str = "CREATE ROLE rights_anyone; CREATE ROLE rights_other; CREATE ROLE rights_between";

impl Right {
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

fn that_the_pages_state(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = remote(cluster, "guarded_postgres_fdw")?;
    hold(&database, tables::RIGHTS.iter().chain(mappings::RIGHTS))
}

fn that_file_fdw_asks_for(cluster: &Cluster) -> Result<()> {
    hold(&files(cluster, "guarded_file_fdw")?, tables::RIGHTS_ON_FILES.iter())
}

/// Tries every right and tells all that do not hold.
fn hold(database: &Database<'_>, rights: impl Iterator<Item = &'static Right>) -> Result<()> {
    let mut session = Session::of(database)?;
    let failures: Vec<_> = rights
        .filter(|right| (right.since..=right.until).contains(&database.major()))
        .filter_map(|right| right.holds(&mut session).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}
