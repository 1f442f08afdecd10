//! What a committed change takes by the clock where commits are as durable as PostgreSQL makes them by default: what whoever
//! types the statement waits for. The disk says most of it; on a slow one every ratio comes close to 1. It differs from
//! file to file, too: both sides are sessions of one server, of which one has loaded fdw_guard.

use anyhow::{Context, Result, ensure};

use super::backend::Backend;
use super::measure::{DURABLE, Measure, Setup};
use super::sample::{BLUR, Figures};
use super::{Databases, one_round};
use crate::cluster::Cluster;

/// Rounds on each side, and the statements of each: short ones, so that both meet the same disk.
const ROUNDS: usize = 2000;
const STATEMENTS: usize = 2;

/// Measures each change on both sides in alternation, and prints a line for each: the median ratio of rounds, and the
/// quartiles. Says whether all are as they should be.
///
/// # Errors
/// When the server refuses.
pub fn run(cluster: &Cluster) -> Result<bool> {
    println!("\n{:<34}{:>8}  {:<26}us a statement, median", "committed durably, by wall clock", "aim", "ratio");
    make_durable(cluster)?;
    let databases = Databases::on_one_server(cluster, &[Setup::Bare, Setup::Twenty, Setup::Thousand, Setup::Recorded])?;
    DURABLE.iter().try_fold(true, |all_good, measure| Ok(measured(measure, &databases)? && all_good))
}

/// As PostgreSQL is where nobody has set anything.
fn make_durable(cluster: &Cluster) -> Result<()> {
    let database = cluster.database("durable")?;
    let mut client = database.connect()?;
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        client.batch_execute(&format!("ALTER SYSTEM SET {setting} = on"))?;
    }
    client.batch_execute("SELECT pg_reload_conf()")?;
    let shown = "SELECT bool_and(setting = 'on') FROM pg_settings \
                 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')";
    for _ in 0..100 {
        if client.query_one(shown, &[])?.get::<_, bool>(0) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    ensure!(false, "the server does not become durable");
    Ok(())
}

fn measured(measure: &Measure, databases: &Databases<'_>) -> Result<bool> {
    let mut sides =
        measure.sides.iter().map(|setup| Backend::connect(databases.of(*setup)?)).collect::<Result<Vec<_>>>()?;
    let mut ratios = Vec::new();
    let mut waits = vec![Vec::new(); sides.len()];
    for round in 0..ROUNDS {
        let costs = one_round(&mut sides, measure, STATEMENTS, round % 2 == 1)?;
        let [first, second] = costs.as_slice() else { anyhow::bail!("a ratio has two sides") };
        // The first round warms caches.
        if round > 0 {
            ratios.push(second.wall / first.wall);
            costs.iter().zip(&mut waits).for_each(|(cost, waits)| waits.push(cost.wall * 1e6 / STATEMENTS as f64));
        }
    }
    let medians = waits.into_iter().map(|waits| Ok(format!("{:.0}", Figures::of(waits)?.median)));
    let medians = medians.collect::<Result<Vec<_>>>().context("no rounds")?;
    let ratio = Figures::quartiles_of(ratios)?;
    let is_good = ratio.median <= measure.aim + BLUR;
    let (aim, missed) = (format!("<= {:.2}", measure.aim), if is_good { "" } else { "  missed" });
    println!("{:<34}{aim:>8}  {:<26}{}{missed}", measure.name, ratio.to_string(), medians.join(" : "));
    Ok(is_good)
}
