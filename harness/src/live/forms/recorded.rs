//! What the history has of each form, by every way, and that `revert` brings back what was there.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::row::{Row, Way};
use super::stage::Stage;
use super::{major_of, table};
use crate::cluster::Cluster;

const STATE: &str = include_str!("recorded.sql");

/// Why `revert` refuses, by what the error says; whatever else it says is a fault.
const REASONS: [&str; 4] = [
    "what was dropped is gone, with its secrets",
    "PostgreSQL cannot take the validation of a constraint back",
    "values of secrets are not kept",
    // What made the object says that; the object goes with the row of its creation.
    "no ALTER changes it",
];

/// Rows that one way has left, newest first.
struct Left {
    id: String,
    form: Option<String>,
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
    let is_recorded = left.iter().any(|left| left.form.as_deref() == Some(row.form));
    ensure!(is_recorded, "no row has the form, but {:?}", left.iter().map(|left| &left.form).collect::<Vec<_>>());
    let refused = undo(client, way, left)?;
    ensure!(refused.iter().all(|why| REASONS.iter().any(|known| why.contains(known))), "{refused:?}");
    if !refused.is_empty() {
        return Ok(false);
    }
    let after = state(client)?;
    ensure!(after == before, "{before} has become {after}");
    Ok(true)
}

fn state(client: &mut Client) -> Result<String> {
    Ok(client.query_one(STATE, &[])?.get(0))
}

fn left_since(client: &mut Client, mark: &str) -> Result<Vec<Left>> {
    let sql = "SELECT id::text, form, attribute IS NULL FROM fdw_guard.history WHERE at > $1::text::timestamptz \
               AND object_type <> 'rule' ORDER BY at DESC, ord DESC";
    let rows = client.query(sql, &[&mark])?;
    Ok(rows.iter().map(|row| Left { id: row.get(0), form: row.get(1), whole: row.get(2) }).collect())
}

/// Undoes the rows, newest first; of what was made only the making, what it stands on last. Gives what was refused.
fn undo(client: &mut Client, way: &Way, left: Vec<Left>) -> Result<Vec<String>> {
    let made: Vec<&Left> = left.iter().filter(|left| left.whole).rev().collect();
    let wanted = if made.is_empty() { left.iter().collect() } else { made };
    let mut refused = Vec::new();
    for row in wanted {
        let (start, failed) =
            if way.removal.is_none() { ("SAVEPOINT undoing", "ROLLBACK TO undoing") } else { ("", "") };
        client.batch_execute(start)?;
        if let Err(error) = client.batch_execute(&format!("SELECT fdw_guard.revert('{}')", row.id)) {
            refused.push(error.as_db_error().context("the connection broke")?.message().to_owned());
            client.batch_execute(failed)?;
        }
    }
    // Columns go with their table.
    refused.retain(|why| !why.contains("does not exist any more"));
    Ok(refused)
}
