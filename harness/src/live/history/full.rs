//! A file system that takes no more: a limit on the size of files says so where a test has no file system of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::same;
use super::{port, recorded, with_server};
use crate::cluster::Cluster;
use crate::settings::Settings;

/// More than a segment of WAL, which is 16 MB. The shell counts by 512 bytes.
const LARGEST_FILE: u32 = 20 * 1024 * 1024 / 512;

/// Changes whose values take some 20 kB of the history, and half of that of PostgreSQL's own catalog.
const CHANGES: &str = "DO $$ BEGIN FOR i IN 1 .. 100 LOOP \
    EXECUTE format('ALTER SERVER s OPTIONS (SET port %L)', \
    (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 300))); END LOOP; END $$";

pub fn a_full_disk(cluster: &Cluster) -> Result<()> {
    let settings = Settings::preloaded().with("autovacuum", "off").with("log_statement", "none");
    let own = cluster.another("history-full", &settings)?;
    own.stop("fast")?;
    let program = own.directory().join("limited");
    let server = cluster.sandbox().mirror.installation.bindir.join("postgres");
    fs::write(&program, format!("#!/bin/sh\nulimit -f {LARGEST_FILE}\nexec {} \"$@\"\n", server.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    own.launch_by(&program)?;
    let database = with_server(&own, "history_full")?;
    let mut client = database.connect()?;
    let (changes, message) = fill(&mut client)?;
    ensure!(message.contains("could not extend file"), "{message}");
    same("rows", recorded(&mut client)?.len(), 1 + changes)?;
    let newest = "SELECT new FROM fdw_guard.history WHERE attribute = 'option port' ORDER BY at DESC, ord DESC LIMIT 1";
    let newest: String = client.query_one(newest, &[])?.get(0);
    same("what was refused has not happened", port(&mut client)?, newest)?;
    client.batch_execute("CREATE TABLE other (a int); ALTER TABLE other ADD b int; DROP TABLE other")?;
    client.batch_execute("SET fdw_guard.record_history = off; ALTER SERVER s OPTIONS (SET port '3')")?;
    client.batch_execute("RESET fdw_guard.record_history; SELECT fdw_guard.prune_history('-1 day')")?;
    client.batch_execute("VACUUM fdw_guard.history_row")?;
    client.batch_execute("ALTER SERVER s OPTIONS (SET port '4')")?;
    same("history", recorded(&mut client)?, vec!["set 3 4".to_owned()])
}

/// Changes until one fails: how many were made, and why it ended.
fn fill(client: &mut Client) -> Result<(usize, String)> {
    for made in 0..30 {
        if let Err(error) = client.batch_execute(CHANGES) {
            let refusal = error.as_db_error().context("the connection broke")?;
            return Ok((made * 100, refusal.message().to_owned()));
        }
    }
    anyhow::bail!("the history has grown beyond the limit")
}
