//! What the SQL of guarded wrappers asks of the library: who stands behind a wrapper, and what no statement can do.

use crate::error::Error;
use crate::ffi::delegates::{self, Wrapper};
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::server;
use crate::lookup;
use std::collections::HashSet;

/// The delegate of one wrapper: name, whether it was guarded in place, handler, validator; no row if it is not guarded.
pub fn delegate_of(call: &Call) -> Result<Answer<'_>, Error> {
    let delegate = call.oid(0).and_then(delegates::wrapper).and_then(|wrapper| delegates::behind(wrapper.functions));
    Ok(Answer::rows(delegate.map(|delegate| {
        vec![
            Value::from(delegate.name),
            delegate.is_in_place.into(),
            Value::function(delegate.functions.handler),
            Value::function(delegate.functions.validator),
        ]
    })))
}

/// The wrapper of that name.
pub fn wrapper_oid(call: &Call) -> Result<Answer<'_>, Error> {
    Ok(Answer::One(Value::Oid(lookup::wrapper(&call.name(0).unwrap_or_default())?)))
}

/// Makes a function of ours depend on the function that it calls.
pub fn link_delegate(call: &Call) -> Result<Answer<'_>, Error> {
    if let Some((ours, theirs)) = call.oid(0).zip(call.oid(1)).filter(|(ours, _)| delegates::is_ours(*ours)) {
        delegates::link(ours, theirs);
    }
    Ok(Answer::One(Value::Null))
}

/// Makes every session ask the handler of a wrapper anew.
pub fn renew_tables(call: &Call) -> Result<Answer<'_>, Error> {
    if let Some(wrapper) = call.oid(0) {
        server::must_be_writable(c"renew_tables()");
        delegates::renew_tables(wrapper);
    }
    Ok(Answer::One(Value::Null))
}

/// Names of the wrappers that are guarded in place, and of those that once were: a restore leaves the functions of such a
/// guard behind if the wrapper belongs to an extension.
pub fn in_place() -> (Vec<String>, Vec<String>) {
    let wrappers = delegates::wrappers();
    let is_guarded =
        |wrapper: &&Wrapper| delegates::behind(wrapper.functions).is_some_and(|delegate| delegate.is_in_place);
    let guarded = wrappers.iter().filter(is_guarded).map(|wrapper| wrapper.name.clone()).collect();
    let used: HashSet<_> = wrappers.iter().map(|wrapper| wrapper.functions.validator).collect();
    let unused = delegates::validators().into_iter().filter(|function| !used.contains(function));
    let lost = unused.filter_map(delegates::named_by).filter(|named| named.former.is_some());
    (guarded, lost.map(|named| named.wrapper).collect())
}
