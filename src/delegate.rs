//! The delegate of a guarded wrapper: which it is, and why it may not do.

use crate::error::Error;
use crate::ffi::delegates::{self, Functions};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// The handler to which each handler function of ours has led in this session. Plans and scans of the session hold
    /// pointers into the delegate's code, and another delegate would be handed the first one's data.
    static LED_TO: RefCell<HashMap<Oid, Oid>> = RefCell::default();
}

/// The delegate's handler, for the handler function that PostgreSQL calls.
pub fn for_handler(function: Oid) -> Result<Oid, Error> {
    let (name, delegate) = delegate(function)?;
    if delegate.handler == Oid::INVALID {
        return Err(Error::DelegateWithoutHandler { name });
    }
    let first = LED_TO.with_borrow_mut(|led_to| *led_to.entry(function).or_insert(delegate.handler));
    if first == delegate.handler { Ok(first) } else { Err(Error::DelegateChanged { name }) }
}

/// The delegate's validator, for the validator function that PostgreSQL calls; an invalid oid if it has none.
pub fn for_validator(function: Oid) -> Result<Oid, Error> {
    delegate(function).map(|(_, delegate)| delegate.validator)
}

fn delegate(function: Oid) -> Result<(String, Functions), Error> {
    let name = delegates::named_by(function).ok_or(Error::NoDelegate)?;
    match delegates::functions_of(&name) {
        None => Err(Error::DelegateMissing { name }),
        Some(functions) if functions.are_ours() => Err(Error::DelegateGuarded { name }),
        Some(functions) => Ok((name, functions)),
    }
}
