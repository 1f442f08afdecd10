//! With no rule every way comes out as it does on a server that knows nothing of fdw_guard, whether it succeeds or fails.

use std::collections::BTreeMap;

use anyhow::{Context, Error, Result};

use super::row::Way;
use super::stage::{Stage, Trial};
use super::{major_of, recorder, table};
use crate::cluster::Cluster;
use crate::forms::WITHOUT_RULES;
use crate::settings::Settings;

pub fn nothing_changes(cluster: &Cluster) -> Result<()> {
    let plain = cluster.another("plain-forms", &Settings::plain())?;
    let bare = Stage::make(&plain, "forms", false)?;
    let guarded = Stage::make(cluster, "forms", true)?;
    let mut recorder = recorder(&mut guarded.connect()?, cluster, "without_rules")?;
    let mut pair = Pair { guarded, bare, compared: BTreeMap::new() };
    for row in table::rows() {
        let ways = row.ways.iter().filter(|way| way.majors.contains(&major_of(cluster)));
        let trials = ways.flat_map(|way| pair.compare(way)).map(|outcome| outcome.map_err(Error::msg)).collect();
        recorder.note(row.form, row.object_type, WITHOUT_RULES, trials);
    }
    recorder.finish()
}

/// One who fails says why.
type Compared = Vec<Result<(), String>>;

/// A server with fdw_guard and one without.
struct Pair<'a> {
    guarded: Stage<'a>,
    bare: Stage<'a>,
    /// By what must be there and statement: a table and its columns share most ways.
    compared: BTreeMap<(String, String), Compared>,
}

impl Pair<'_> {
    fn compare(&mut self, way: &Way) -> Compared {
        let key = (way.before.clone(), way.statement.clone());
        if let Some(known) = self.compared.get(&key) {
            return known.clone();
        }
        let trials = variants(way).into_iter();
        let compared: Compared =
            trials.map(|trial| self.compare_one(way, &trial).map_err(|error| format!("{error:#}"))).collect();
        self.compared.insert(key, compared.clone());
        compared
    }

    fn compare_one(&mut self, way: &Way, trial: &Trial) -> Result<()> {
        let found = self.guarded.try_out(way, trial)?;
        found.check(self.bare.try_out(way, trial)?).with_context(|| format!("{} {trial:?}", way.statement))
    }
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
