//! Rule packs: which there are, and the rules of one.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::server;
use crate::functions::rules;
use fdw_guard_policy::packs;

pub fn pack_list(_call: &Call) -> Result<Answer<'_>, Error> {
    Ok(Answer::rows(packs::packs().iter().map(|pack| {
        vec![
            Value::from(pack.name.as_str()),
            Value::from(pack.description.as_str()),
            Value::from(pack.wrappers.clone()),
            Value::Integer(i32::try_from(pack.rules(server::MAJOR).len()).unwrap_or(i32::MAX)),
        ]
    })))
}

/// The rules of the pack of that name, as this server's version needs them.
pub fn pack_rules(call: &Call) -> Result<Answer<'_>, Error> {
    let name = call.text(0).unwrap_or_default();
    match packs::packs().iter().find(|pack| pack.name.as_str() == name) {
        Some(pack) => Ok(Answer::rows(pack.rules(server::MAJOR).into_iter().map(|rule| rules::row(&rule)))),
        None => {
            let known: Vec<&str> = packs::packs().iter().map(|pack| pack.name.as_str()).collect();
            Err(Error::UnknownPack { name, known: known.join(", ") })
        }
    }
}
