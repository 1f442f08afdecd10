//! What the history has of each form, by every way, and that `revert` brings back what was there.

use std::mem;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::row::{COLUMN, Row, Way};
use super::stage::Stage;
use super::{major_of, table};
use crate::cluster::Cluster;

const STATE: &str = include_str!("recorded.sql");

/// Why `revert` refuses, by what the error says: our reasons, and PostgreSQL's own. Whatever else it says is a fault.
const REASONS: [&str; 18] = [
    "what was dropped is gone, with its secrets",
    "PostgreSQL cannot take the validation of a constraint back",
    "values of secrets are not kept",
    "no ALTER changes it",
    // What a parent has brought goes with it.
    "cannot drop inherited",
    "cannot rename inherited",
    "cannot alter inherited",
    "is marked NOT NULL in parent table",
    "from a column of a partition",
    "contains an identity column",
    "to a column of a partition",
    "requires it",
    "is an internal or a child trigger",
    // What it needs is gone.
    "relation \"public.numbers\" does not exist",
    "type \"public.mood\" does not exist",
    "column \"a\" does not exist",
    "column \"c\" of relation \"t\" does not exist",
    "() does not exist",
];

/// A validator that is there by then does not like an option, and a function is gone too.
const MORE_REASONS: [&str; 2] = ["invalid option", "function public.fine(integer) does not exist"];

/// Rows that one way has left, newest first.
struct Left {
    id: String,
    form: Option<String>,
    change: String,
    whole: bool,
}

pub fn each_is_recorded_and_undone(cluster: &Cluster) -> Result<()> {
    let stage = Stage::make(cluster, "forms_recorded", true)?;
    let mut client = stage.connect()?;
    let major = major_of(cluster);
    let (mut faults, mut undone) = (Vec::new(), 0);
    for row in table::rows() {
        for way in row.ways.iter().filter(|way| way.majors.contains(&major)) {
            match try_out(&mut client, &row, way) {
                Ok(whole) => undone += usize::from(whole),
                Err(error) => faults
                    .push(format!("{} of {}: {}; {}: {error:#}", row.form, row.object_type, way.before, way.statement)),
            }
        }
    }
    ensure!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    ensure!(undone > 100, "only {undone} ways were undone altogether");
    Ok(())
}

/// Whether everything that the way did was undone.
fn try_out(client: &mut Client, row: &Row, way: &Way) -> Result<bool> {
    client.batch_execute(if way.removal.is_none() { "BEGIN" } else { "" })?;
    let outcome = go(client, row, way);
    client.batch_execute(way.removal.unwrap_or("ROLLBACK"))?;
    outcome
}

fn go(client: &mut Client, row: &Row, way: &Way) -> Result<bool> {
    client.batch_execute(&way.before)?;
    let mark = "SELECT COALESCE(max(at), '-infinity')::text FROM fdw_guard.history_row";
    let mark: String = client.query_one(mark, &[])?.get(0);
    let before = state(client)?;
    client.batch_execute(&way.statement)?;
    client.batch_execute("RESET ROLE")?;
    let left = left_since(client, &mark)?;
    if !way.changes {
        ensure!(left.is_empty(), "changes nothing, and leaves {} rows", left.len());
        return Ok(false);
    }
    let is_recorded = left.iter().any(|left| tells(row, left.form.as_deref()));
    let forms = || left.iter().map(|left| &left.form).collect::<Vec<_>>();
    ensure!(is_recorded != way.in_vain, "a row has the form, or none, against what the table says: {:?}", forms());
    let refused = undo(client, way, left)?;
    let is_known = |why: &String| REASONS.iter().chain(&MORE_REASONS).any(|known| why.contains(known));
    ensure!(refused.iter().all(is_known), "{refused:?}");
    if !refused.is_empty() {
        return Ok(false);
    }
    let after = state(client)?;
    ensure!(after == before, "{before} has become {after}");
    Ok(true)
}

/// Whether a row of the history with that form tells of the row's form.
fn tells(row: &Row, form: Option<&str>) -> bool {
    let form = form.unwrap_or_default();
    match (row.form, row.object_type) {
        ("CREATE", COLUMN) => matches!(form, "CREATE" | "ADD COLUMN"),
        ("DROP", COLUMN) => matches!(form, "DROP" | "DROP COLUMN"),
        ("IMPORT FOREIGN SCHEMA", _) => form == "CREATE",
        // A constraint that is renamed is told as two; WITHOUT OIDS changes nothing.
        ("OTHER" | "SET WITHOUT OIDS", _) => true,
        (named, _) => form == named,
    }
}

fn state(client: &mut Client) -> Result<String> {
    Ok(client.query_one(STATE, &[])?.get(0))
}

fn left_since(client: &mut Client, mark: &str) -> Result<Vec<Left>> {
    let sql = "SELECT id::text, form, change, attribute IS NULL FROM fdw_guard.history WHERE at > $1::text::timestamptz \
               AND object_type <> 'rule' ORDER BY at DESC, ord DESC";
    let rows = client.query(sql, &[&mark])?;
    Ok(rows
        .iter()
        .map(|row| Left { id: row.get(0), form: row.get(1), change: row.get(2), whole: row.get(3) })
        .collect())
}

/// Undoes the rows: the making of objects first, then the newest, and those again that others stood in the way of. Gives
/// what was refused.
fn undo(client: &mut Client, way: &Way, mut left: Vec<Left>) -> Result<Vec<String>> {
    let made = |left: &Left| left.whole && left.change == "create";
    let (mut wanted, others): (Vec<Left>, Vec<Left>) = left.drain(..).partition(made);
    wanted.reverse();
    wanted.extend(others);
    loop {
        let before = wanted.len();
        let mut refused = Vec::new();
        for row in mem::take(&mut wanted) {
            if let Some(why) = undo_one(client, way, &row)? {
                refused.push(why);
                wanted.push(row);
            }
        }
        if wanted.is_empty() || wanted.len() == before {
            // Columns go with their table, and triggers with their parent.
            refused.retain(|why| {
                !["does not exist any more", "it has been changed since"].iter().any(|gone| why.contains(gone))
            });
            return Ok(refused);
        }
    }
}

/// Why it was refused, if it was.
fn undo_one(client: &mut Client, way: &Way, row: &Left) -> Result<Option<String>> {
    let (start, failed) = if way.removal.is_none() { ("SAVEPOINT undoing", "ROLLBACK TO undoing") } else { ("", "") };
    client.batch_execute(start)?;
    let Err(error) = client.batch_execute(&format!("SELECT fdw_guard.revert('{}')", row.id)) else { return Ok(None) };
    client.batch_execute(failed)?;
    Ok(Some(error.as_db_error().context("the connection broke")?.message().to_owned()))
}
