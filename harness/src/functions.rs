//! The `#[pg_test]` functions: they run inside the server, in schema `tests` of the extension's test build.
//!
//! A test that expects an error catches it itself: pgrx's `#[pg_test(error = …)]` is checked by pgrx's own runner only.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use postgres::Client;

use crate::cluster::Cluster;
use crate::database::quote_ident;
use crate::fields::DbFields;
use crate::tally::Tally;

const DISCOVER: &str = "SELECT proname::text FROM pg_proc \
                        WHERE pronamespace = to_regnamespace('tests') AND pronargs = 0 AND prokind = 'f' ORDER BY proname";

/// Runs each function whose name contains `filter`, in a transaction that is rolled back.
///
/// # Errors
/// When the extension cannot be created, or has no such functions.
pub fn run(tally: &mut Tally, cluster: &Cluster, filter: &str) -> Result<()> {
    let database = cluster.guarded_database("pg_test")?;
    let names: Vec<String> = database.connect()?.query(DISCOVER, &[])?.iter().map(|row| row.get(0)).collect();
    ensure!(!names.is_empty(), "the extension has no functions in schema tests");
    for name in names.iter().filter(|name| name.contains(filter)) {
        let start = Instant::now();
        let outcome = database.connect().and_then(|mut client| call(&mut client, name));
        tally.note(name, start, outcome);
    }
    Ok(())
}

fn call(client: &mut Client, name: &str) -> Result<()> {
    let mut transaction = client.transaction()?;
    let called = transaction.batch_execute(&format!("SELECT tests.{}()", quote_ident(name)));
    called.map_err(|error| match error.as_db_error() {
        Some(raised) => anyhow!("{}", DbFields::from(raised)),
        None => anyhow!("the connection broke: {error}"),
    })?;
    Ok(transaction.rollback()?)
}
