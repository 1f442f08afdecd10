//! `make bench`: what fdw_guard costs, as ratios to the same server without it, measured in one run and in alternation.

mod backend;
mod measure;
mod sample;

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::cluster::Cluster;
use crate::database::Database;
use crate::installation::Installation;
use crate::package::Purpose;
use crate::project;
use crate::sandbox::Sandbox;
use crate::settings::Settings;
use crate::testing;

use backend::Backend;
use measure::{MEASURES, Measure, Setup};
use sample::{Cost, Outcome};

/// Times that each measure is taken on each side.
const ROUNDS: usize = 270;

/// The least processor time that a round should take on each side, in milliseconds. Short rounds in alternation meet the
/// same weather on both sides.
const ROUND_MILLISECONDS: u32 = 3;

/// Statements of a round while its length is being found.
const PROBE: usize = 20;

/// Rounds whose instructions are counted, all at once.
const COUNTED: usize = 30;

/// Measures everything and prints a table. Says whether everything is as it should be.
///
/// # Errors
/// When the extension does not build, or a server refuses what it should not.
pub fn run() -> Result<bool> {
    let installation = Installation::from_environment()?;
    println!("{}", installation.version);
    let sandbox = testing::prepare(&installation, Purpose::Release, "target/bench")?;
    let bare = Cluster::start(&sandbox, "bench-without", &settings(Settings::plain()))?;
    let guarded = Cluster::start(&sandbox, "bench-with", &settings(Settings::preloaded()))?;
    let all_good = measure_all(&bare, &guarded)?;
    end(&sandbox, &[bare, guarded])?;
    Ok(all_good)
}

fn measure_all(bare: &Cluster, guarded: &Cluster) -> Result<bool> {
    let databases = Databases::make(bare, guarded)?;
    let counts = backend::counts_instructions();
    print_head(counts);
    let mut all_good = true;
    for measure in MEASURES {
        all_good &= databases.measure(measure, counts)?;
    }
    Ok(all_good)
}

/// Nothing may run beside what is measured.
fn settings(settings: Settings) -> Settings {
    settings.with("autovacuum", "off").with("max_wal_size", "4GB").with("jit", "off")
}

fn print_head(counts: bool) {
    let unit = if counts { "instructions" } else { "no instruction counts on this machine" };
    println!("{ROUNDS} rounds on each side, in alternation; median (least-most) of nine blocks of rounds; {unit}\n");
    println!("{}", Outcome::head());
}

fn end(sandbox: &Arc<Sandbox>, clusters: &[Cluster]) -> Result<()> {
    for cluster in clusters {
        cluster.end()?;
    }
    let crashes = sandbox.take_crashes();
    ensure!(crashes.is_empty(), "a server crashed:\n{}", crashes.join("\n"));
    Ok(())
}

/// One database for each setup.
struct Databases<'a>(Vec<(Setup, Database<'a>)>);

impl<'a> Databases<'a> {
    fn make(bare: &'a Cluster, guarded: &'a Cluster) -> Result<Self> {
        let make = |setup: Setup| {
            let cluster = if setup.is_guarded() { guarded } else { bare };
            let database = cluster.database(setup.name())?;
            for script in setup.scripts() {
                database.execute(&read(script)?)?;
            }
            check(&database, setup)?;
            Ok((setup, database))
        };
        Setup::ALL.into_iter().map(make).collect::<Result<_>>().map(Self)
    }

    fn connect(&self, wanted: Setup) -> Result<Backend> {
        let found = self.0.iter().find(|(setup, _)| *setup == wanted).map(|(_, database)| database);
        Backend::connect(found.with_context(|| format!("no database {}", wanted.name()))?)
    }

    /// Takes one measure and prints its line.
    fn measure(&self, measure: &Measure, counts: bool) -> Result<bool> {
        let mut sides: Vec<Backend> = measure.sides.iter().map(|setup| self.connect(*setup)).collect::<Result<_>>()?;
        let size = round_size(&mut sides, measure)?;
        let mut rounds = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            rounds.push(one_round(&mut sides, measure, size, round % 2 == 1)?);
        }
        let instructions = if counts { Some(instructions(&mut sides, measure, size)?) } else { None };
        let outcome = Outcome::of(measure, &rounds, instructions.as_deref())?;
        println!("{outcome}");
        Ok(outcome.is_good())
    }
}

fn read(script: &str) -> Result<String> {
    let path = project::root().join("benches").join(script);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// A rule that does not hold would be a fast one.
fn check(database: &Database<'_>, setup: Setup) -> Result<()> {
    for bad in measure::BAD_CHANGES {
        let refused = database.execute(bad).is_err();
        ensure!(
            refused == setup.has_rules(),
            "{}: {bad} was {}",
            setup.name(),
            if refused { "refused" } else { "taken" }
        );
    }
    Ok(())
}

/// How many statements make a round of [`ROUND_MILLISECONDS`], and a warm-up at the same time.
fn round_size(sides: &mut [Backend], measure: &Measure) -> Result<usize> {
    let mut least = f64::MAX;
    for side in sides {
        side.run(measure.statements, PROBE)?;
        least = least.min(side.run(measure.statements, PROBE)?.processor);
    }
    let wanted = f64::from(ROUND_MILLISECONDS) / 1000.0;
    Ok(PROBE * (wanted / least.max(1e-6)).ceil().max(1.0) as usize)
}

/// One round on each side, the other way round every other time: whatever drifts on the machine meets all alike.
fn one_round(sides: &mut [Backend], measure: &Measure, size: usize, backwards: bool) -> Result<Vec<Cost>> {
    let mut order: Vec<(usize, &mut Backend)> = sides.iter_mut().enumerate().collect();
    if backwards {
        order.reverse();
    }
    let mut taken = Vec::with_capacity(order.len());
    for (place, side) in order {
        taken.push((place, side.run(measure.statements, size)?));
    }
    taken.sort_by_key(|(place, _)| *place);
    Ok(taken.into_iter().map(|(_, cost)| cost).collect())
}

fn instructions(sides: &mut [Backend], measure: &Measure, size: usize) -> Result<Vec<f64>> {
    sides.iter_mut().map(|side| side.instructions(measure.statements, size * COUNTED)).collect()
}
