//! What keeps the past of secrets from whoever would write it, and makes it shorter.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::history::{Writing, writing};
use crate::ffi::server;
use crate::secrets;
use pgrx::pg_sys::{self, HeapTuple};
use std::ptr;

/// The triggers on the table behind it. What logical replication brings from another server is passed over, and everything
/// else is refused, a superuser's COPY too: no dump holds such rows.
pub fn keep_secrets(call: &Call) -> Result<HeapTuple, Error> {
    let Some(trigger) = call.trigger() else { return Err(Error::NotASecretsTrigger) };
    let is_truncate = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_TRUNCATE;
    match writing() {
        Writing::Replication if !is_truncate => Ok(ptr::null_mut()),
        Writing::Replication | Writing::Restore | Writing::Other => Err(Error::SecretsAreKept),
    }
}

/// Removes what no rule in force asks for, and says of how many secrets that was.
pub fn prune_secrets(_call: &Call) -> Result<Answer<'_>, Error> {
    server::must_be_writable(c"prune_secrets()");
    Ok(Answer::One(Value::BigInteger(secrets::prune()?)))
}
