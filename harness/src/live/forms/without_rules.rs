//! With no rule every way comes out as it does on a server that knows nothing of fdw_guard, whether it succeeds or fails.

use anyhow::{Context, Result};

use super::row::{Row, Way};
use super::stage::{Stage, Trial};
use super::{major_of, recorder, table};
use crate::cluster::Cluster;
use crate::forms::WITHOUT_RULES;
use crate::live::same;
use crate::settings::Settings;

pub fn nothing_changes(cluster: &Cluster) -> Result<()> {
    let plain = cluster.another("plain-forms", &Settings::plain())?;
    let mut bare = Stage::make(&plain, "forms", false)?;
    let mut guarded = Stage::make(cluster, "forms", true)?;
    let mut recorder = recorder(&guarded, cluster, "without_rules")?;
    for row in table::rows() {
        let trials = trials_of(&row, major_of(cluster), &mut guarded, &mut bare);
        recorder.note(row.form, row.object_type, WITHOUT_RULES, trials);
    }
    recorder.finish()
}

fn trials_of(row: &Row, major: u32, guarded: &mut Stage<'_>, bare: &mut Stage<'_>) -> Vec<Result<()>> {
    let ways = row.ways.iter().filter(|way| way.majors.contains(&major));
    let pairs = ways.flat_map(|way| variants(way).into_iter().map(move |trial| (way, trial)));
    pairs
        .map(|(way, trial)| {
            let outcome = guarded.try_out(way, &trial).and_then(|found| Ok((found, bare.try_out(way, &trial)?)));
            let (found, expected) = outcome.with_context(|| format!("{} {trial:?}", way.statement))?;
            same("outcome", found, expected).with_context(|| format!("{} {trial:?}", way.statement))
        })
        .collect()
}

/// Once more when it has been done, when most statements fail; by one who has no right to it; and when what it needs is
/// not there.
fn variants(way: &Way) -> Vec<Trial> {
    let plain = Trial::default();
    if way.removal.is_some() {
        return vec![plain];
    }
    let stranger = Trial { under: "SET LOCAL ROLE forms_stranger".to_owned(), ..plain.clone() };
    let mut variants = vec![Trial { twice: true, ..plain.clone() }, stranger];
    if !way.before.is_empty() {
        variants.push(Trial { unprepared: true, ..plain });
    }
    variants
}
