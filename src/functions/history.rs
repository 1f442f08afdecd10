//! What keeps the history, shows it and makes it shorter.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::history::{self as table, History, HistoryError, Writing};
use crate::ffi::server;
use crate::history;
use fdw_guard_policy::model::ObjectType;
use fdw_guard_policy::secret::HIDDEN;
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

/// A value of the history, or `***` if it is a secret by what is known now.
pub fn history_value(call: &Call) -> Result<Answer<'_>, Error> {
    let value = call.text(5);
    let (Some(_), Some(attribute), Some(name)) = (&value, call.text(4), call.text(0)) else {
        return Ok(Answer::One(value.into()));
    };
    let is_secret = ObjectType::from_name(&name).is_some_and(|object_type| {
        let system_identifier = call.big_integer(1).unwrap_or_default();
        let column = call.small_integer(3).unwrap_or_default();
        let place = history::Place { object_type, system_identifier, object: call.oid(2), column };
        history::is_secret_now(&place, &attribute)
    });
    Ok(Answer::One(if is_secret { HIDDEN.into() } else { value.into() }))
}

/// A statement of the history with `***` for each secret that is one by what is known now.
pub fn history_statement(call: &Call) -> Result<Answer<'_>, Error> {
    Ok(Answer::One(call.text(0).map(history::without_secrets).into()))
}

/// Removes what is older than an interval, and says how many rows that were.
pub fn prune_history(call: &Call) -> Result<Answer<'_>, Error> {
    server::must_be_writable(c"prune_history()");
    let Some(interval) = call.reference(0) else { return Ok(Answer::One(Value::Null)) };
    let History::Table(history) = table::find() else { return Err(HistoryError::NoTable.into()) };
    let removed = table::remove_before(history, table::moment_before(interval))?;
    Ok(Answer::One(Value::BigInteger(removed)))
}
