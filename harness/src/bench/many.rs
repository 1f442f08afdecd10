//! Functions over all objects of a database: what they cost in seconds and in memory, and whether twice as many cost twice
//! as much.

use std::fs;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::backend::processor_seconds;
use crate::cluster::Cluster;
use crate::database::Database;

/// User mappings, and as many foreign tables, at first and at the end.
const FEW: u32 = 20_000;
const MANY: u32 = 100_000;

/// What more than proportional cost is put down to the weather.
const BLUR: f64 = 1.2;

const VIOLATIONS: &str = "SELECT count(*) FROM fdw_guard.violations()";
const OPTIONS: &str = "SELECT count(option) + count(value) FROM fdw_guard.options";

/// The same options as `information_schema` has them, as far as it has.
const STANDARD_OPTIONS: &str = "SELECT count(option_name) + count(option_value) FROM ( \
    SELECT option_name, option_value FROM information_schema.foreign_data_wrapper_options \
    UNION ALL SELECT option_name, option_value FROM information_schema.foreign_server_options \
    UNION ALL SELECT option_name, option_value FROM information_schema.user_mapping_options \
    UNION ALL SELECT option_name, option_value FROM information_schema.foreign_table_options \
    UNION ALL SELECT option_name, option_value FROM information_schema.column_options) options";

/// All tables on one server, and a rule on each that looks at the server. Where a table stands is what its row says.
const ON_ONE_SERVER: &str = "SET allow_system_table_mods = on; \
    UPDATE pg_foreign_table SET ftserver = (SELECT oid FROM pg_foreign_server WHERE srvname = 'many_1'); \
    INSERT INTO fdw_guard.rule (name, object_type, condition, options) VALUES \
        ('table on a server of examples', 'foreign table', \
         '{\"properties\": {\"server\": {\"properties\": {\"options\": {\"required\": [\"host\"]}}}}}', \
         '{\"required\": [\"table_name\"]}')";

const ALTER_SERVER: &str = "ALTER SERVER many_1 OPTIONS (SET dbname 'other')";

/// What a query cost a session of its own.
#[derive(Debug, Clone, Copy)]
struct Cost {
    seconds: f64,
    megabytes: f64,
    count: i64,
}

/// Makes the objects, measures and prints. Says whether everything is as it should be.
///
/// # Errors
/// When the server refuses.
pub fn run(cluster: &Cluster) -> Result<bool> {
    let database = cluster.database("many")?;
    for script in ["objects.sql", "many_objects.sql", "rules.sql", "many_rules.sql"] {
        database.execute(&super::script(script, cluster)?)?;
    }
    println!("\n{:<58}{:>10}{:>12}{:>10}", "of all objects of a database", "aim", "seconds", "MB");
    make(&database, 1, FEW)?;
    let few = best(&database, VIOLATIONS)?;
    make(&database, FEW + 1, MANY)?;
    let many = best(&database, VIOLATIONS)?;
    ensure!(many.count == i64::from(MANY / 10), "violations() found {} rows", many.count);
    let mut good = print(
        "violations(), 100,000 mappings and tables, 100 rules",
        3.0,
        many,
        many.seconds <= 3.0 && many.megabytes <= 256.0,
    );
    let growth = many.seconds / few.seconds / f64::from(MANY / FEW);
    good &= figure("the same, an object's cost in terms of one of 20,000", growth, growth <= BLUR, BLUR);
    let (ours, theirs) = (best(&database, OPTIONS)?, best(&database, STANDARD_OPTIONS)?);
    let ratio = theirs.seconds / ours.seconds;
    good &= figure("options, times faster than information_schema", ratio, ratio >= 3.0, 3.0);
    print("the view options itself", f64::INFINITY, ours, true);
    database.execute(ON_ONE_SERVER)?;
    let altered = cost_of(&mut database.connect()?, |client| Ok(client.batch_execute(ALTER_SERVER).map(|()| 0)?))?;
    good &= print("ALTER SERVER, 100,000 tables, a rule looks at it", 2.0, altered, altered.seconds <= 2.0);
    database.execute("SELECT fdw_guard.install_pack('postgres_fdw')")?;
    print("violations(), with the pack and its rules on columns", f64::INFINITY, best(&database, VIOLATIONS)?, true);
    Ok(good)
}

fn make(database: &Database<'_>, first: u32, last: u32) -> Result<()> {
    let mut client = database.connect()?;
    client.batch_execute("SET statement_timeout = 0; SET fdw_guard.enforcement = off")?;
    client.batch_execute(&format!("CALL make_many({}, {})", first - 1, last - 1))?;
    client.batch_execute("VACUUM ANALYZE")?;
    Ok(())
}

/// The least of three, each in a session of its own.
fn best(database: &Database<'_>, query: &str) -> Result<Cost> {
    let costs = (0..3).map(|_| cost(&mut database.connect()?, query)).collect::<Result<Vec<_>>>()?;
    costs.into_iter().min_by(|one, other| one.seconds.total_cmp(&other.seconds)).context("no cost")
}

fn cost(client: &mut Client, query: &str) -> Result<Cost> {
    cost_of(client, |client| Ok(client.query_one(query, &[])?.get(0)))
}

fn cost_of(client: &mut Client, run: impl FnOnce(&mut Client) -> Result<i64>) -> Result<Cost> {
    client.batch_execute("SET statement_timeout = 0; SET max_parallel_workers_per_gather = 0")?;
    let process: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let process = u32::try_from(process)?;
    let before = processor_seconds(process)?;
    let count = run(client)?;
    Ok(Cost { seconds: processor_seconds(process)? - before, megabytes: own_megabytes(process)?, count })
}

/// The most memory of its own that the process has had: what it has touched of the server's shared memory is left out.
fn own_megabytes(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kilobytes = |field: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
    };
    Ok((kilobytes("VmHWM:")? - kilobytes("RssShmem:")?) / 1024.0)
}

fn print(name: &str, aim: f64, cost: Cost, good: bool) -> bool {
    let aim = if aim.is_finite() { format!("<= {aim:.2}") } else { String::new() };
    let missed = if good { "" } else { "  missed" };
    println!("{name:<58}{aim:>10}{:>12.2}{:>10.0}{missed}", cost.seconds, cost.megabytes);
    good
}

fn figure(name: &str, found: f64, good: bool, aim: f64) -> bool {
    println!("{name:<58}{:>10}{found:>12.2}{}", format!("{aim:.2}"), if good { "" } else { "  missed" });
    good
}
