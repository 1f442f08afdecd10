//! The delegate of a guarded wrapper: which it is, and why it may not do.

use crate::error::Error;
use crate::ffi::delegates::{self, Kind, Named};
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
    let (name, handler) = delegate(function, Kind::Handler)?;
    if handler == Oid::INVALID {
        return Err(Error::DelegateWithoutHandler { name });
    }
    let first = LED_TO.with_borrow_mut(|led_to| *led_to.entry(function).or_insert(handler));
    if first == handler { Ok(first) } else { Err(Error::DelegateChanged { name }) }
}

/// The delegate's validator, for the validator function that PostgreSQL calls; an invalid oid if it has none.
pub fn for_validator(function: Oid) -> Result<Oid, Error> {
    delegate(function, Kind::Validator).map(|(_, validator)| validator)
}

/// The delegate's name, and that function of it.
fn delegate(function: Oid, kind: Kind) -> Result<(String, Oid), Error> {
    let Named { wrapper: name, former } = delegates::named_by(function).ok_or(Error::NoDelegate)?;
    if let Some(former) = former {
        let missing = || Error::DelegateFunctionMissing { name: former.name(kind).to_owned() };
        return former.function(kind, function).ok_or_else(missing).map(|theirs| (name, theirs));
    }
    let Some(wrapper) = delegates::wrapper_of_name(&name) else { return Err(Error::DelegateMissing { name }) };
    match delegates::at_work(wrapper.functions) {
        Some(functions) => Ok((name, functions.get(kind))),
        None => Err(Error::DelegateGuarded { name }),
    }
}
