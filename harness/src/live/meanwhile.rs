//! Two sessions of which one waits for the other.

use std::cell::RefCell;
use std::thread;

use anyhow::{Context, Result, anyhow};
use postgres::{Client, SimpleQueryMessage};

use crate::cluster::wait_until;
use crate::database::Database;
use crate::fields::DbFields;

/// What a query gives while another session has a change open, which ends in that way (`COMMIT`, `ROLLBACK`) as soon as the
/// query waits for it: the first column of its rows, or its error.
pub fn while_open(
    database: &Database<'_>,
    change: &str,
    end: &str,
    query: &str,
) -> Result<Result<Vec<String>, DbFields>> {
    let (mut changing, mut watching) = (database.connect()?, database.connect()?);
    let mut waiting = database.connect()?;
    let pid: i32 = waiting.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    changing.batch_execute(&format!("BEGIN; {change}"))?;
    let answer = thread::scope(|scope| {
        let thread = scope.spawn(move || waiting.simple_query(query));
        let ended = wait_for_lock(&mut watching, pid).and_then(|()| Ok(changing.batch_execute(end)?));
        let answer = thread.join().map_err(|_| anyhow!("the waiting session panicked"));
        ended.and(answer)
    })?;
    match answer {
        Ok(messages) => Ok(Ok(messages.iter().filter_map(first_value).collect())),
        Err(error) => Ok(Err(error.as_db_error().map(DbFields::from).context("the connection broke")?)),
    }
}

fn first_value(message: &SimpleQueryMessage) -> Option<String> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    row.get(0).map(str::to_owned)
}

pub fn wait_for_lock(client: &mut Client, pid: i32) -> Result<()> {
    let client = RefCell::new(client);
    let waits = || {
        let query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1";
        let row = client.borrow_mut().query_one(query, &[&pid]);
        row.is_ok_and(|row| row.get::<_, Option<bool>>(0) == Some(true))
    };
    wait_until("make the session wait", waits)
}
