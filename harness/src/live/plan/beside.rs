//! Plans beside pg_stat_statements, and on a standby.

use std::fs::{self, File};

use anyhow::{Context, Result};

use super::{SETUP, expect, plan};
use crate::cluster::Cluster;
use crate::live::same;
use crate::settings::Settings;

/// Of a plan pg_stat_statements sees the call.
pub fn pg_stat_statements_counts_none_of_its_statements(cluster: &Cluster) -> Result<()> {
    let settings = Settings::plain()
        .with("shared_preload_libraries", "pg_stat_statements,fdw_guard")
        .with("pg_stat_statements.track", "all");
    let own = cluster.another("plan-statements", &settings)?;
    let database = own.guarded_database("plan_statements")?;
    database.execute(SETUP)?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")?;
    plan(&mut client, "ALTER SERVER s VERSION '2'; DROP SERVER s CASCADE")?;
    let counted = |client: &mut postgres::Client, pattern: &str| -> Result<i64> {
        let query = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query ~* $1";
        Ok(client.query_one(query, &[&pattern])?.get(0))
    };
    same("calls of plan", counted(&mut client, "fdw_guard.plan")?, 1)?;
    same("statements of the plan", counted(&mut client, "^(alter|drop) server")?, 0)?;
    client.batch_execute("ALTER SERVER s VERSION '2'")?;
    same("statements beside it", counted(&mut client, "^(alter|drop) server")?, 1)
}

/// A standby refuses what a plan tries, and goes on.
pub fn a_standby_refuses_what_a_plan_tries(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("plan-standby", &Settings::preloaded())?;
    let database = own.guarded_database("plan_standby")?;
    database.execute(SETUP)?;
    own.stop("fast")?;
    let signal = own.data().join("standby.signal");
    File::create(&signal).context("cannot make standby.signal")?;
    own.launch()?;
    let mut client = database.connect()?;
    for _ in 0..3 {
        let refused = "error -: 25006: cannot execute ALTER SERVER in a read-only transaction";
        expect(&mut client, "ALTER SERVER s VERSION '2'; DROP SERVER s", &[refused])?;
        same("servers", client.query_one("SELECT count(*) FROM pg_foreign_server", &[])?.get(0), 1_i64)?;
    }
    drop(client);
    own.stop("fast")?;
    fs::remove_file(&signal).context("cannot remove standby.signal")?;
    own.launch()
}
