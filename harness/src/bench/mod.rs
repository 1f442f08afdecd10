//! `make bench`: what fdw_guard costs, as ratios to the same server without it, measured in one run and in alternation.

mod backend;
mod count;
mod durable;
mod many;
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
use measure::{Check, Length, MEASURES, Measure, Setup};
use sample::{Cost, Outcome};

/// Times that a measure is taken on each side, one of a long statement less often.
const ROUNDS: usize = 270;
const LONG_ROUNDS: usize = 27;

/// The least processor time that a round should take on each side, in milliseconds. Short rounds in alternation meet the
/// same weather on both sides.
const ROUND_MILLISECONDS: u32 = 3;

/// Statements of a round while its length is being found.
const PROBE: usize = 20;

/// Rounds of short statements whose instructions the machine counts, all at once.
const COUNTED: usize = 30;

/// Measures everything and prints a table. Says whether everything is as it should be. Instructions are counted by the
/// machine if it can, or by valgrind if `count` asks for it.
///
/// # Errors
/// When the extension does not build, a server refuses what it should not, or valgrind is missing.
pub fn run(count: bool) -> Result<bool> {
    let installation = Installation::from_environment()?;
    println!("{}", installation.version);
    let sandbox = testing::prepare(&installation, Purpose::Release, "target/bench")?;
    let bare = Cluster::start(&sandbox, "bench-without", &settings(Settings::plain()))?;
    let guarded = Cluster::start(&sandbox, "bench-with", &settings(Settings::preloaded()))?;
    let all_good = measure_all(&bare, &guarded, count)? & many::run(&guarded)?;
    end(&sandbox, &[bare, guarded])?;
    Ok(all_good)
}

/// Measures the functions over all objects of a database, and nothing else.
///
/// # Errors
/// When the extension does not build, or a server refuses what it should not.
pub fn run_many() -> Result<bool> {
    run_on_one("bench-with", Settings::preloaded(), many::run)
}

/// Measures what a committed change takes where commits are durable, and nothing else.
///
/// # Errors
/// When the extension does not build, or a server refuses what it should not.
pub fn run_durable() -> Result<bool> {
    run_on_one("bench-without", Settings::plain(), durable::run)
}

fn run_on_one(name: &str, own: Settings, measures: impl FnOnce(&Cluster) -> Result<bool>) -> Result<bool> {
    let installation = Installation::from_environment()?;
    println!("{}", installation.version);
    let sandbox = testing::prepare(&installation, Purpose::Release, "target/bench")?;
    let cluster = Cluster::start(&sandbox, name, &settings(own))?;
    let all_good = measures(&cluster)?;
    end(&sandbox, &[cluster])?;
    Ok(all_good)
}

fn measure_all(bare: &Cluster, guarded: &Cluster, count: bool) -> Result<bool> {
    let databases = Databases::make(bare, guarded)?;
    let counting = match (count, backend::counts_instructions()) {
        (true, _) => Counting::Done(count::count(&[bare, guarded], &databases)?),
        (false, true) => Counting::ByMachine,
        (false, false) => Counting::None,
    };
    print_head(&counting);
    let mut all_good = true;
    for (place, measure) in MEASURES.iter().enumerate() {
        all_good &= databases.measure(measure, place, &counting)?;
    }
    Ok(all_good & durable::run(bare)?)
}

/// How instructions are counted.
enum Counting {
    /// By valgrind, before anything is timed: those of each measure on each of its sides.
    Done(Vec<Vec<f64>>),
    ByMachine,
    None,
}

/// Nothing may run beside what is measured.
fn settings(settings: Settings) -> Settings {
    let quiet = settings.with("autovacuum", "off").with("max_wal_size", "4GB").with("jit", "off");
    // A statement that drops ten thousand tables locks them all.
    quiet.with("max_locks_per_transaction", "512")
}

fn print_head(counting: &Counting) {
    let unit = match counting {
        Counting::Done(_) => "instructions counted by valgrind",
        Counting::ByMachine => "instructions counted by the machine",
        Counting::None => "this machine counts no instructions (make bench COUNT=1 has valgrind count them)",
    };
    println!(
        "{ROUNDS} rounds on each side ({LONG_ROUNDS} of scans and inserts), in alternation; median (least-most) of"
    );
    println!("nine blocks of rounds; {unit}\n\n{}", Outcome::head());
}

fn end(sandbox: &Arc<Sandbox>, clusters: &[Cluster]) -> Result<()> {
    for cluster in clusters {
        cluster.end()?;
    }
    let crashes = sandbox.take_crashes();
    ensure!(crashes.is_empty(), "a server crashed:\n{}", crashes.join("\n"));
    Ok(())
}

/// One database for each setup and, where foreign tables are read, the one behind them.
pub struct Databases<'a> {
    made: Vec<(Setup, Database<'a>)>,
    _far: Option<Database<'a>>,
}

impl<'a> Databases<'a> {
    /// Those of every setup, guarded ones on the server that preloads fdw_guard.
    fn make(bare: &'a Cluster, guarded: &'a Cluster) -> Result<Self> {
        let far = bare.database("far")?;
        far.execute(&script("far.sql", bare)?)?;
        let mut made = Vec::new();
        for setup in Setup::ALL {
            let cluster = if setup.is_guarded() { guarded } else { bare };
            made.push((setup, set_up(cluster.database(setup.name())?, setup, bare)?));
        }
        Ok(Self { made, _far: Some(far) })
    }

    /// Those of the setups named, on one server without fdw_guard, which the sessions of guarded ones preload.
    fn on_one_server(cluster: &'a Cluster, setups: &[Setup]) -> Result<Self> {
        let mut made = Vec::new();
        for setup in setups {
            let database = cluster.database(&format!("one_server_{}", setup.name()))?;
            if setup.is_guarded() {
                let name = database.name();
                database.execute(&format!("ALTER DATABASE {name} SET session_preload_libraries = 'fdw_guard'"))?;
            }
            made.push((*setup, set_up(database, *setup, cluster)?));
        }
        Ok(Self { made, _far: None })
    }

    fn of(&self, wanted: Setup) -> Result<&Database<'a>> {
        let found = self.made.iter().find(|(setup, _)| *setup == wanted).map(|(_, database)| database);
        found.with_context(|| format!("no database {}", wanted.name()))
    }

    /// Takes the measure at that place and prints its line.
    fn measure(&self, measure: &Measure, place: usize, counting: &Counting) -> Result<bool> {
        let connect = |setup: &Setup| Backend::connect(self.of(*setup)?);
        let mut sides: Vec<Backend> = measure.sides.iter().map(connect).collect::<Result<_>>()?;
        let size = round_size(&mut sides, measure)?;
        let rounds: Vec<Vec<Cost>> = (0..rounds_of(measure))
            .map(|round| one_round(&mut sides, measure, size, round % 2 == 1))
            .collect::<Result<_>>()?;
        let instructions = match counting {
            Counting::Done(counts) => counts.get(place).cloned(),
            Counting::ByMachine => Some(instructions(&mut sides, measure, size)?),
            Counting::None => None,
        };
        let outcome = Outcome::of(measure, &rounds, instructions.as_deref())?;
        println!("{outcome}");
        Ok(outcome.is_good())
    }
}

fn rounds_of(measure: &Measure) -> usize {
    match measure.length {
        Length::Short => ROUNDS,
        Length::Long => LONG_ROUNDS,
    }
}

/// Makes in a database what the setup has, and shows that it is what it should be.
fn set_up<'a>(database: Database<'a>, setup: Setup, far: &Cluster) -> Result<Database<'a>> {
    for name in setup.scripts() {
        database.execute(&script(name, far)?)?;
    }
    check(&database, setup)?;
    Ok(database)
}

/// A script of `benches/`, with the place of the server and of the file that foreign tables read.
fn script(name: &str, far: &Cluster) -> Result<String> {
    let (host, file) = (far.socket().to_string_lossy(), far.directory().join("rows.csv"));
    let script = read(name)?.replace("{host}", &host).replace("{port}", &far.port().to_string());
    Ok(script.replace("{file}", &file.to_string_lossy()))
}

fn read(script: &str) -> Result<String> {
    let path = project::root().join("benches").join(script);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn check(database: &Database<'_>, setup: Setup) -> Result<()> {
    for check in setup.checks() {
        let holds = match check {
            Check::Taken(statement) => database.execute(statement).is_ok(),
            Check::Refused(statement) => database.execute(statement).is_err(),
            Check::Counts(query, wanted) => database.connect()?.query_one(query, &[])?.get::<_, i64>(0) == wanted,
        };
        ensure!(holds, "{}: this does not hold: {check:?}", setup.name());
    }
    Ok(())
}

/// How many statements make a round of [`ROUND_MILLISECONDS`], and a warm-up at the same time.
fn round_size(sides: &mut [Backend], measure: &Measure) -> Result<usize> {
    if measure.length == Length::Long {
        sides.iter_mut().try_for_each(|side| side.run(measure.statements, 1).map(drop))?;
        return Ok(1);
    }
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
    let count = if measure.length == Length::Short { size * COUNTED } else { size };
    sides.iter_mut().map(|side| side.instructions(measure.statements, count)).collect()
}
