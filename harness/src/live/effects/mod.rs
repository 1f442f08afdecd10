//! What the page ALTER FOREIGN TABLE states of each form, seen through postgres_fdw and file_fdw and through guarded
//! wrappers over them: the plain wrappers show that the tables tell PostgreSQL's own story, the guarded ones that nothing
//! of it is lost. Each effect is tried in a transaction that is rolled back.

mod columns;
mod constraints;
mod definition;
mod statistics;
mod triggers;
mod worlds;

use anyhow::{Context, Result, bail};
use postgres::{Client, SimpleQueryMessage};

use super::forms::row::TABLE;
use super::forms::{Trial, leave};
use super::{LiveTest, same};
use crate::cluster::Cluster;
use crate::database::{Database, Notices, SUPERUSER};
use crate::fields::DbFields;
use crate::forms::{EFFECTS, EFFECTS_ON_FILES};
pub use worlds::{files, remote};

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "effects::of_each_form_on_postgres_fdw", run: |cluster| on_remote(cluster, "postgres_fdw", "") },
    LiveTest {
        name: "effects::of_each_form_on_a_guarded_postgres_fdw",
        run: |cluster| on_remote(cluster, "guarded_postgres_fdw", ""),
    },
    LiveTest {
        name: "effects::of_each_form_on_postgres_fdw_guarded_in_place",
        run: |cluster| on_remote(cluster, "postgres_fdw", "SELECT fdw_guard.guard_wrapper('postgres_fdw')"),
    },
    LiveTest { name: "effects::of_each_form_on_file_fdw", run: |cluster| on_files(cluster, "file_fdw", "") },
    LiveTest {
        name: "effects::of_each_form_on_a_guarded_file_fdw",
        run: |cluster| on_files(cluster, "guarded_file_fdw", ""),
    },
    LiveTest {
        name: "effects::of_each_form_on_file_fdw_guarded_in_place",
        run: |cluster| on_files(cluster, "file_fdw", "SELECT fdw_guard.guard_wrapper('file_fdw')"),
    },
];

/// What the page states of a form, and what shows it.
#[derive(Debug)]
pub struct Effect {
    /// In the words of the page's synopsis.
    pub form: &'static str,
    /// What the page states.
    pub states: &'static str,
    /// The first version whose page states it.
    pub since: u32,
    /// The last version in which it is so.
    pub until: u32,
    /// What is done first.
    pub given: &'static str,
    /// One statement of the form, or several.
    pub change: &'static str,
    /// What they say: nothing, notices, or an error, which undoes them.
    pub says: &'static str,
    /// What is asked before the change and after it.
    pub query: &'static str,
    /// What it must answer.
    pub seen: Seen,
}

/// What shows an effect, as [`Session::said`] gives it: before the change and after it.
#[derive(Debug)]
pub enum Seen {
    /// Through either wrapper.
    Both(&'static str, &'static str),
    /// The same through either wrapper, before and after.
    Unchanged(&'static str),
    /// Through postgres_fdw, and through file_fdw.
    Each([&'static str; 2], [&'static str; 2]),
    /// Through postgres_fdw alone, and why not through file_fdw.
    Remote([&'static str; 2], &'static str),
    /// Through file_fdw alone, and why not through postgres_fdw.
    File([&'static str; 2], &'static str),
}

/// The delegates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delegate {
    Postgres,
    File,
}

/// An effect with nothing in it: what a row leaves out.
const EFFECT: Effect = Effect {
    form: "",
    states: "",
    since: 15,
    until: u32::MAX,
    given: "",
    change: "",
    says: "",
    query: "",
    seen: Seen::Unchanged(""),
};

const NO_WRITING: &str = "file_fdw writes nothing; that it refuses to is an effect of its own";
const OTHER_OPTION: &str = "the option is the other wrapper's, and a row beside this one has its own";

/// Makes a foreign table below `ware`.
pub const DESCEND: &str = "SELECT descend()";

/// The synopsis of ALTER FOREIGN TABLE.
pub const PAGE: &[&str] = &[
    "ADD COLUMN",
    "DROP COLUMN",
    "SET DATA TYPE",
    "SET DEFAULT",
    "DROP DEFAULT",
    "SET NOT NULL",
    "DROP NOT NULL",
    "SET STATISTICS",
    "SET (attribute_option)",
    "RESET (attribute_option)",
    "SET STORAGE",
    "OPTIONS",
    "ADD table_constraint",
    "VALIDATE CONSTRAINT",
    "DROP CONSTRAINT",
    "DISABLE TRIGGER",
    "ENABLE TRIGGER",
    "ENABLE REPLICA TRIGGER",
    "ENABLE ALWAYS TRIGGER",
    "SET WITHOUT OIDS",
    "INHERIT",
    "NO INHERIT",
    "OWNER TO",
    "RENAME COLUMN",
    "RENAME TO",
    "SET SCHEMA",
];

/// Every effect.
pub fn effects() -> impl Iterator<Item = &'static Effect> {
    [columns::EFFECTS, constraints::EFFECTS, definition::EFFECTS, statistics::EFFECTS, triggers::EFFECTS]
        .into_iter()
        .flatten()
}

impl Effect {
    /// Whether it is so in a major version.
    pub fn is_of(&self, major: u32) -> bool {
        (self.since..=self.until).contains(&major)
    }

    /// What the query must answer through a wrapper over `delegate`, before the change and after it, or why nothing can
    /// be seen there.
    pub fn through(&self, delegate: Delegate) -> std::result::Result<[&'static str; 2], &'static str> {
        match (&self.seen, delegate) {
            (Seen::Both(before, after), _) => Ok([before, after]),
            (Seen::Unchanged(answer), _) => Ok([answer, answer]),
            (Seen::Each(answers, _) | Seen::Remote(answers, _), Delegate::Postgres)
            | (Seen::Each(_, answers) | Seen::File(answers, _), Delegate::File) => Ok(*answers),
            (Seen::Remote(_, why), Delegate::File) | (Seen::File(_, why), Delegate::Postgres) => Err(why),
        }
    }

    fn show(&self, session: &mut Session, delegate: Delegate) -> Result<()> {
        let Ok([before, after]) = self.through(delegate) else { return Ok(()) };
        session.client.batch_execute("BEGIN")?;
        let shown = self.in_transaction(session, before, after);
        session.client.batch_execute("ROLLBACK")?;
        shown.with_context(|| format!("{}: {}", self.form, self.states))
    }

    fn in_transaction(&self, session: &mut Session, before: &str, after: &str) -> Result<()> {
        session.client.batch_execute(self.given).with_context(|| self.given.to_owned())?;
        session.notices.take();
        same("before", session.said_and_undone(self.query)?.as_str(), before)?;
        same("the change says", session.said(self.change)?.as_str(), self.says)?;
        same("after", session.said_and_undone(self.query)?.as_str(), after)
    }
}

/// A connection, and what it is told.
pub struct Session {
    pub client: Client,
    notices: Notices,
}

impl Session {
    pub fn of(database: &Database<'_>) -> Result<Self> {
        let (client, notices) = database.connect_noting(SUPERUSER)?;
        Ok(Self { client, notices })
    }

    /// What a statement of a transaction says: notices, rows, or an error, which leaves the transaction as it was.
    pub fn said(&mut self, sql: &str) -> Result<String> {
        self.answer(sql, "RELEASE here")
    }

    /// The same, and nothing of what the statement did stays.
    pub fn said_and_undone(&mut self, sql: &str) -> Result<String> {
        self.answer(sql, "ROLLBACK TO here; RELEASE here")
    }

    fn answer(&mut self, sql: &str, end: &str) -> Result<String> {
        self.client.batch_execute("SAVEPOINT here")?;
        let said = match self.client.simple_query(sql) {
            Ok(messages) => {
                let rows = rows(&messages);
                self.client.batch_execute(end)?;
                rows
            }
            Err(error) => {
                let fields = error.as_db_error().map(DbFields::from).context("the connection broke")?;
                self.client.batch_execute("ROLLBACK TO here; RELEASE here")?;
                vec![line(&fields)]
            }
        };
        let notices = self.notices.take();
        Ok(notices.iter().map(line).chain(said).collect::<Vec<_>>().join("; "))
    }
}

fn line(fields: &DbFields) -> String {
    format!("{} {} {}", fields.severity, fields.sqlstate, fields.message)
}

fn rows(messages: &[SimpleQueryMessage]) -> Vec<String> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).unwrap_or("NULL")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}

fn on_remote(cluster: &Cluster, wrapper: &str, guard: &str) -> Result<()> {
    let (database, _remote) = remote(cluster, wrapper)?;
    database.execute(guard)?;
    if wrapper == "guarded_postgres_fdw" {
        return leave(cluster, &mut database.connect()?, EFFECTS, trials(&database, Delegate::Postgres)?);
    }
    show_all(&database, Delegate::Postgres)
}

fn on_files(cluster: &Cluster, wrapper: &str, guard: &str) -> Result<()> {
    let database = files(cluster, wrapper)?;
    database.execute(guard)?;
    if wrapper == "guarded_file_fdw" {
        return leave(cluster, &mut database.connect()?, EFFECTS_ON_FILES, trials(&database, Delegate::File)?);
    }
    show_all(&database, Delegate::File)
}

/// Tries every effect and tells all that do not show.
fn show_all(database: &Database<'_>, delegate: Delegate) -> Result<()> {
    let failures: Vec<_> = trials(database, delegate)?
        .into_iter()
        .filter_map(|(_, _, trial)| trial.err())
        .map(|error| format!("{error:#}"))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// The forms whose effects can be seen through a wrapper over `delegate`, and whether they are: a form has several.
pub fn trials(database: &Database<'_>, delegate: Delegate) -> Result<Vec<Trial>> {
    let mut session = Session::of(database)?;
    let seen = effects().filter(|effect| effect.is_of(database.major()) && effect.through(delegate).is_ok());
    Ok(seen.map(|effect| (effect.form, TABLE, effect.show(&mut session, delegate))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(form: &str) -> Vec<&'static Effect> {
        effects().filter(|effect| effect.form == form).collect()
    }

    #[test]
    fn every_form_of_the_page_is_seen_through_both_delegates_or_it_is_said_why_not() {
        for form in PAGE {
            for delegate in [Delegate::Postgres, Delegate::File] {
                let told = |effect: &&Effect| effect.through(delegate).map_or_else(|why| !why.is_empty(), |_| true);
                assert!(rows_of(form).iter().any(told), "{form}: {delegate:?}");
            }
        }
    }

    #[test]
    fn every_effect_is_of_a_form_of_the_page_and_says_what_it_shows() {
        for effect in effects() {
            assert!(PAGE.contains(&effect.form), "{effect:?}");
            assert!(!effect.states.is_empty() && !effect.change.is_empty(), "{effect:?}");
            let shown = matches!(effect.seen, Seen::Unchanged("")) && effect.says.is_empty();
            assert!(!shown, "{effect:?} can never fail");
        }
    }
}
