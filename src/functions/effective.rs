//! `effective_options`: what a query on a foreign table would really use.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::{catalog, names, rights, session};
use crate::lookup::{self, PUBLIC};
use crate::scene::{self, Class};
use crate::{policy_in_force, report};
use fdw_guard_policy::effective::{Effective, EffectiveOption, Origin, Query, Sourced};
use fdw_guard_policy::model::Situation;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// The options that count for a role, each with where it stands and what it overrides.
pub fn effective_options(call: &Call) -> Result<Answer<'_>, Error> {
    let table = lookup::named_foreign_table(call.relation(0))?;
    let role = role(&call.name(1).unwrap_or_default())?;
    let effective = effective(table, role)?;
    if let Some(origin) = &effective.hidden {
        call.notice(report::hidden_mapping(origin));
    }
    let hidden = effective.hidden.into_iter().map(row_of_hidden);
    Ok(Answer::rows(effective.options.into_iter().map(row).chain(hidden)))
}

/// The role, if the caller may know what it uses.
fn role(name: &str) -> Result<Oid, Error> {
    let role = lookup::role(name)?;
    if role == PUBLIC || rights::is_member_of(role) {
        Ok(role)
    } else {
        Err(Error::NotMember { role: name.to_owned() })
    }
}

fn effective(table: Oid, role: Oid) -> Result<Effective, Error> {
    let Some(found) = catalog::foreign_table(table) else { return Ok(Effective::default()) };
    let mapping = mapping_of(role, found.above);
    let situation = Situation { object: Rc::new(found.state), above: scene::server_above(found.above) };
    let mapping_situation = mapping.and_then(|mapping| scene::scene_from_outside(Class::UserMapping, mapping));
    let query = Query {
        table: &situation,
        mapping: mapping_situation.as_ref().map(|scene| &scene.situation),
        may_see_mapping: mapping.is_some_and(rights::may_see_user_mapping),
        setting: &session::setting,
    };
    Ok(policy_in_force::policy()?.effective(&query))
}

/// The mapping that a query by the role uses: its own, or the PUBLIC one (`GetUserMapping` in foreign.c).
fn mapping_of(role: Oid, server: Oid) -> Option<Oid> {
    names::user_mapping(role, server).or_else(|| names::user_mapping(PUBLIC, server))
}

fn row(option: EffectiveOption) -> Vec<Value> {
    let overrides: Vec<String> = option.overridden.iter().map(of_origin).collect();
    let Sourced { value, origin } = option.value;
    vec![
        option.name.into(),
        value.to_string().into(),
        value.is_hidden().into(),
        origin.object_type.into(),
        origin.identity.into(),
        (!overrides.is_empty()).then(|| overrides.join(", ")).into(),
    ]
}

fn of_origin(sourced: &Sourced) -> String {
    format!("{} of {} {}", sourced.value, sourced.origin.object_type, sourced.origin.identity)
}

/// A mapping of which the caller may know only that it counts.
fn row_of_hidden(origin: Origin) -> Vec<Value> {
    vec![Value::Null, Value::Null, Value::Null, origin.object_type.into(), origin.identity.into(), Value::Null]
}
