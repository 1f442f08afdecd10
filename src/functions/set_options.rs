//! `set_server_options` and its like, which make options what they should be, and `rotate_secret`.

use crate::change::rotate::{self, Mapping, Rotated};
use crate::change::{self, Done, Target};
use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::names;
use crate::ffi::raise::Failure;
use crate::{lookup, report};
use fdw_guard_policy::diff::{Desired, OptionChange};
use fdw_guard_policy::pattern::PatternList;
use fdw_guard_policy::secret::Shown;
use fdw_guard_policy::suggest::nearest;
use pgrx::pg_sys::Oid;
use std::collections::HashSet;

pub fn set_server_options(call: &Call) -> Result<Answer<'_>, Failure> {
    let target = Target::Server { name: given(call.name(0), "server")? };
    set(&target, call.jsonb(1))
}

pub fn set_user_mapping_options(call: &Call) -> Result<Answer<'_>, Failure> {
    let target = Target::UserMapping {
        role: given(call.name(0), "role")?,
        server: given(call.name(1), "server")?,
        create: given(call.boolean(3), "create")?,
    };
    set(&target, call.jsonb(2))
}

pub fn set_foreign_table_options(call: &Call) -> Result<Answer<'_>, Failure> {
    let target = Target::Table { oid: table(call)? };
    set(&target, call.jsonb(1))
}

pub fn set_column_options(call: &Call) -> Result<Answer<'_>, Failure> {
    let target = Target::Column { table: table(call)?, name: given(call.name(1), "column_name")? };
    set(&target, call.jsonb(2))
}

fn table(call: &Call) -> Result<Oid, Error> {
    Ok(lookup::named_foreign_table(Some(given(call.relation(0), "relation")?))?)
}

/// Gives an option a new value in every matching user mapping that has it.
pub fn rotate_secret(call: &Call) -> Result<Answer<'_>, Failure> {
    let option = given(call.text(0), "option")?;
    let desired = Desired::one(&option, given(call.text(1), "value")?).map_err(Error::from)?;
    let servers = pattern(call, 2, "server_pattern")?;
    let roles = pattern(call, 3, "role_pattern")?;
    let mappings = rotate::mappings(&servers, &roles)?;
    let rotated = rotate::rotate(&mappings, &option, &desired)?;
    if rotated.is_empty() {
        call.notice(if mappings.is_empty() {
            report::no_mapping_matches(unknown_name(&servers, &roles))
        } else {
            report::nothing_to_rotate(&option, near(&option, &mappings))
        });
    }
    Ok(Answer::rows(rotated.into_iter().map(row_of_rotated)))
}

/// An argument that must not be null: a setter that does nothing for want of a name would look like one that had nothing to
/// do.
fn given<T>(argument: Option<T>, name: &'static str) -> Result<T, Error> {
    argument.ok_or(Error::NullArgument { name })
}

fn set(target: &Target, options: Option<String>) -> Result<Answer<'static>, Failure> {
    let desired = Desired::parse(&given(options, "options")?).map_err(Error::from)?;
    let Done { created, changes } = change::set_options(target, &desired)?;
    let created = created.then(|| vec![Value::Null, "create".into(), Value::Null, Value::Null]);
    Ok(Answer::rows(created.into_iter().chain(changes.into_iter().map(row))))
}

fn row(change: OptionChange) -> Vec<Value> {
    let text = |shown: Option<Shown>| Value::from(shown.map(|shown| shown.to_string()));
    vec![change.option.into(), change.action.name().into(), text(change.old), text(change.new)]
}

fn row_of_rotated(rotated: Rotated) -> Vec<Value> {
    vec![rotated.server.into(), rotated.role.into(), rotated.change.action.name().into()]
}

fn pattern(call: &Call, place: usize, argument: &'static str) -> Result<PatternList, Error> {
    let text = given(call.text(place), argument)?;
    PatternList::parse(&[text]).map_err(|fault| Error::Pattern { argument, fault })
}

/// A name without wildcards that no server or no role has.
fn unknown_name(servers: &PatternList, roles: &PatternList) -> Option<(String, Option<String>)> {
    let missing = |what, patterns: &PatternList, known| {
        lookup::none_is_there(what, &patterns.literal_names().unwrap_or_default(), known)
    };
    missing("server", servers, names::of_servers).or_else(|| missing("role", roles, names::of_roles_and_public))
}

/// The option that may have been meant, of those that the mappings have.
fn near(option: &str, mappings: &[Mapping]) -> Option<String> {
    let known: HashSet<String> = mappings.iter().flat_map(Mapping::options).collect();
    nearest(option, known.iter().map(String::as_str)).map(str::to_owned)
}
