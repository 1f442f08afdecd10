//! What keeps the history, shows it and makes it shorter.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::history::{self as table, History, HistoryError, Writing};
use crate::ffi::server;
use crate::history;
use pgrx::pg_sys::{self, HeapTuple};
use std::ptr;

/// The triggers on the table behind the history. What logical replication does to its rows on another server is passed over,
/// those that a superuser's COPY restores from a dump belong to no object that an oid could name, and everything else is
/// refused.
pub fn keep_history(call: &Call) -> Result<HeapTuple, Error> {
    let Some(trigger) = call.trigger() else { return Err(Error::NotAHistoryTrigger) };
    let is_insert = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_INSERT;
    // No trigger can pass it over.
    let is_truncate = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_TRUNCATE;
    let is_for_row = trigger.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0;
    match table::writing() {
        Writing::Replication if !is_truncate => Ok(ptr::null_mut()),
        Writing::Restore if is_insert && is_for_row => Ok(table::without_object(trigger)),
        Writing::Restore if is_insert => Ok(ptr::null_mut()),
        Writing::Replication | Writing::Restore | Writing::Other => Err(Error::HistoryIsKept),
    }
}

pub fn may_see_history(call: &Call) -> Result<Answer<'_>, Error> {
    let object_type = call.text(0).unwrap_or_default();
    let may_see = history::may_see(&object_type, call.big_integer(1).unwrap_or_default(), call.oid(2));
    Ok(Answer::One(Value::Boolean(may_see)))
}

/// Removes what is older than an interval, and says how many rows that were.
pub fn prune_history(call: &Call) -> Result<Answer<'_>, Error> {
    server::must_be_writable(c"prune_history()");
    let Some(interval) = call.reference(0) else { return Ok(Answer::One(Value::Null)) };
    let History::Table(history) = table::find() else { return Err(HistoryError::NoTable.into()) };
    let removed = table::remove_before(history, table::moment_before(interval))?;
    Ok(Answer::One(Value::BigInteger(removed)))
}
