//! A plan says what running the statement then changes: for every way of the table of forms.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use postgres::{Client, Statement};

use crate::cluster::Cluster;
use crate::live::forms::major_of;
use crate::live::forms::row::{COLUMN, ObjectType, SERVER, TABLE, USER_MAPPING, WRAPPER, Way};
use crate::live::forms::stage::Stage;
use crate::live::forms::table;
use crate::live::same;

const FACTS: &str = include_str!("facts.sql");

/// An object's catalog, oid and column.
type Key = (i64, i64, i32);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Object {
    object_type: String,
    identity: String,
    /// By name. The object itself has an empty one.
    attributes: BTreeMap<String, String>,
}

type World = BTreeMap<Key, Object>;

/// Type, identity, attribute, change, old and new.
type Change = (String, String, String, String, Option<String>, Option<String>);

/// Ways that a plan refuses, by how their statements begin: they change no foreign object by themselves, reach out to
/// another server, or cannot be undone.
const REFUSED: [&str; 17] = [
    "ALTER EXTENSION",
    "ALTER ROLE",
    "ALTER SCHEMA",
    "ALTER SEQUENCE",
    "ALTER TYPE",
    "CREATE EXTENSION",
    "CREATE OR REPLACE",
    "CREATE SCHEMA",
    "DROP DOMAIN",
    "DROP EXTENSION",
    "DROP FUNCTION",
    "DROP OPERATOR",
    "DROP SCHEMA",
    "DROP SEQUENCE",
    "DROP TYPE",
    "DROP COLLATION",
    "IMPORT FOREIGN SCHEMA",
];

/// What a parent that has rows of its own is known by.
const INHERITING: &str = "INHERITS (parent)";

pub fn of_wrappers_servers_and_mappings(cluster: &Cluster) -> Result<()> {
    says_what_then_changes(cluster, "plan_forms_above", &[WRAPPER, SERVER, USER_MAPPING])
}

pub fn of_tables(cluster: &Cluster) -> Result<()> {
    says_what_then_changes(cluster, "plan_forms_tables", &[TABLE])
}

pub fn of_columns(cluster: &Cluster) -> Result<()> {
    says_what_then_changes(cluster, "plan_forms_columns", &[COLUMN])
}

/// A plan says what running the statement then changes and the history records, and leaves neither change nor lock.
fn says_what_then_changes(cluster: &Cluster, name: &str, object_types: &[ObjectType]) -> Result<()> {
    let stage = Stage::make(cluster, name, true)?;
    let mut session = Session::new(stage.connect()?)?;
    let (mut tried, mut faults) = (BTreeSet::new(), Vec::new());
    for row in table::rows().iter().filter(|row| object_types.contains(&row.object_type)) {
        let ways = row.ways.iter().chain(&row.lookalikes);
        let known = ways.filter(|way| way.majors.contains(&major_of(cluster)) && way.removal.is_none());
        for way in known.filter(|way| tried.insert((way.before.clone(), way.statement.clone()))) {
            let outcome = session.try_one(way);
            session.client.batch_execute("ROLLBACK")?;
            faults.extend(outcome.err().map(|error| format!("{}; {}: {error:#}", way.before, way.statement)));
        }
    }
    ensure!(faults.is_empty(), "{} of {}:\n{}", faults.len(), tried.len(), faults.join("\n"));
    ensure!(session.compared > tried.len() / 2, "only {} of {} ways have a plan", session.compared, tried.len());
    Ok(())
}

/// A connection, and how many plans were held against what the statement then did.
struct Session {
    client: Client,
    facts: Statement,
    compared: usize,
}

impl Session {
    fn new(mut client: Client) -> Result<Self> {
        let facts = client.prepare(FACTS)?;
        Ok(Self { client, facts, compared: 0 })
    }

    fn try_one(&mut self, way: &Way) -> Result<()> {
        self.client.batch_execute(&format!("BEGIN; {}", way.before))?;
        let (before, locks) = (self.world()?, locks(&mut self.client)?);
        self.client.batch_execute("SAVEPOINT planned")?;
        let planned = match planned(&mut self.client, way) {
            Err(error) if is_refusal(&error) => {
                self.client.batch_execute("ROLLBACK TO planned")?;
                ensure!(may_be_refused(&way.statement), "{error:#}");
                None
            }
            planned => planned?,
        };
        same("the catalogs after the plan", self.world()?, before.clone())?;
        same("the locks after the plan", self::locks(&mut self.client)?, locks)?;
        let Some(rows) = planned else { return Ok(()) };
        let known = recorded(&mut self.client)?.len();
        self.client.batch_execute(&way.statement)?;
        self.compared += 1;
        let recorded = recorded(&mut self.client)?.split_off(known);
        same("what the history keeps", in_history(recorded), in_history(rows.clone()))?;
        let planned = compared(rows)?;
        let tells_grants = planned.iter().any(|(_, _, attribute, ..)| attribute.starts_with("grant "));
        let changed = changes(&before, &self.world()?, tells_grants || is_about_grants(&way.statement));
        same("what the plan said", planned, changed)
    }

    fn world(&mut self) -> Result<World> {
        self.client.batch_execute("SET LOCAL search_path = pg_catalog")?;
        let rows = self.client.query(&self.facts, &[]);
        self.client.batch_execute("SET LOCAL search_path TO DEFAULT")?;
        let mut world = World::new();
        for row in rows? {
            let object = world.entry((row.get("class"), row.get("oid"), row.get("sub"))).or_default();
            object.object_type = row.get("object_type");
            object.identity = row.get("identity");
            object.attributes.insert(row.get("attribute"), row.get("value"));
        }
        Ok(world)
    }
}

/// The owner's own grants change with the owner, and no plan tells of that.
fn is_about_grants(statement: &str) -> bool {
    statement.starts_with("GRANT") || statement.starts_with("REVOKE")
}

fn may_be_refused(statement: &str) -> bool {
    // The table is the type of a column, and not above a foreign table.
    let drops_type = statement == "DROP TABLE kind CASCADE";
    REFUSED.iter().any(|beginning| statement.starts_with(beginning)) || statement.contains("CONCURRENTLY") || drops_type
}

fn is_refusal(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<postgres::Error>().and_then(postgres::Error::code);
    refusal.is_some_and(|code| code.code() == "0A000")
}

/// What the plan says; None if it would write the rows of an ordinary parent anew.
fn planned(client: &mut Client, way: &Way) -> Result<Option<Vec<Change>>> {
    let query = "SELECT object_type, identity, attribute, change, old, new, detail FROM fdw_guard.plan($1)";
    let rows = client.query(query, &[&way.statement])?;
    if let Some(detail) = rows.iter().find_map(|row| row.get::<_, Option<String>>("detail")) {
        let rewrites = way.statement.starts_with("ALTER TABLE parent") && way.before.contains(INHERITING);
        ensure!(rewrites && detail.contains("does not rewrite tables"), "{detail}");
        return Ok(None);
    }
    rows.iter().map(change_of).collect::<Result<_>>().map(Some)
}

/// What the transaction has recorded, in order.
fn recorded(client: &mut Client) -> Result<Vec<Change>> {
    let query = "SELECT object_type, identity, attribute, change, old, new FROM fdw_guard.history_row \
                 WHERE transaction_id = pg_current_xact_id_if_assigned() ORDER BY ord";
    client.query(query, &[])?.iter().map(change_of).collect()
}

fn change_of(row: &postgres::Row) -> Result<Change> {
    let (attribute, change): (Option<String>, String) = (row.get("attribute"), row.get("change"));
    let (old, new): (Option<String>, Option<String>) = (row.get("old"), row.get("new"));
    let attribute = match attribute.unwrap_or_default().as_str() {
        listed @ ("parent" | "grant") => format!("{listed} {}", old.as_ref().or(new.as_ref()).context("no value")?),
        named => named.to_owned(),
    };
    Ok((row.get("object_type"), row.get("identity"), attribute, change, old, new))
}

/// Objects that are made or dropped.
fn wholes(rows: &[Change]) -> BTreeSet<(String, String)> {
    let whole = rows.iter().filter(|(_, _, attribute, ..)| attribute.is_empty());
    whole.map(|(object_type, identity, ..)| (object_type.clone(), identity.clone())).collect()
}

/// As the catalogs tell it: what is made or dropped is told in full, and compared as a whole.
fn compared(rows: Vec<Change>) -> Result<BTreeSet<Change>> {
    let (whole, count) = (wholes(&rows), rows.len());
    let mut changes: BTreeSet<Change> = rows.into_iter().collect();
    ensure!(changes.len() == count, "something is told twice");
    changes.retain(|(object_type, identity, attribute, ..)| {
        let is_derived = attribute.starts_with("delegate");
        !is_derived && (attribute.is_empty() || !whole.contains(&(object_type.clone(), identity.clone())))
    });
    Ok(changes)
}

/// As the history tells it. A plan leaves out what only follows from the type of a column that comes or goes; a history
/// the constraint that a NOT NULL is from 18 on, when that comes or goes.
fn in_history(rows: Vec<Change>) -> BTreeSet<Change> {
    let whole = wholes(&rows);
    let counts = |(object_type, identity, attribute, change, old, new): &Change| {
        let follows = matches!(attribute.as_str(), "storage" | "collation");
        let text = old.as_deref().or(new.as_deref()).unwrap_or_default();
        let is_not_null = attribute.starts_with("constraint ") && text.starts_with("NOT NULL") && change != "set";
        let of_whole = || whole.contains(&(object_type.clone(), identity.clone()));
        !(is_not_null || follows && of_whole())
    };
    rows.into_iter().filter(counts).collect()
}

/// What a look at the catalogs and the transaction itself do not hold.
fn locks(client: &mut Client) -> Result<Vec<String>> {
    let query = "SELECT format('%s %s %s', locktype, coalesce(relation::text, objid::text), mode) FROM pg_locks \
                 WHERE pid = pg_backend_pid() AND mode <> 'AccessShareLock' \
                   AND locktype NOT IN ('transactionid', 'virtualxid') ORDER BY 1";
    Ok(client.query(query, &[])?.into_iter().map(|row| row.get(0)).collect())
}

fn changes(before: &World, after: &World, with_grants: bool) -> BTreeSet<Change> {
    let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    let of = |key: &Key| match (before.get(key), after.get(key)) {
        (Some(old), Some(new)) => differences(old, new, with_grants),
        (Some(gone), None) => vec![whole(gone, "drop")],
        (None, Some(made)) => vec![whole(made, "create")],
        (None, None) => Vec::new(),
    };
    keys.into_iter().flat_map(of).collect()
}

fn whole(object: &Object, change: &str) -> Change {
    (object.object_type.clone(), object.identity.clone(), String::new(), change.to_owned(), None, None)
}

fn differences(old: &Object, new: &Object, with_grants: bool) -> Vec<Change> {
    let names: BTreeSet<&String> = old.attributes.keys().chain(new.attributes.keys()).collect();
    let told = names.into_iter().filter(|name| with_grants || !name.starts_with("grant "));
    let value = |object: &Object, name: &str| {
        // Nothing says that an option of the stage's wrapper is public, and so it is a secret.
        let is_secret = object.object_type == "user mapping" && name.starts_with("option ");
        object.attributes.get(name).map(|value| if is_secret { "***".to_owned() } else { value.clone() })
    };
    let differ = told.filter(|name| old.attributes.get(*name) != new.attributes.get(*name));
    let change = |name: &String| {
        let (before, after) = (value(old, name), value(new, name));
        let change = match (&before, &after) {
            (None, _) => "add",
            (_, None) => "drop",
            _ => "set",
        };
        (old.object_type.clone(), old.identity.clone(), name.clone(), change.to_owned(), before, after)
    };
    differ.map(change).collect()
}
