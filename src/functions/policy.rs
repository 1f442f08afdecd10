//! `policy` and `policy_schema`: the rules in force, and what a rule may say.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::{catalog, rules as table};
use crate::functions::rules;
use crate::policy_file;
use fdw_guard_policy::document;

/// Every rule in force in this database, after where it comes from.
pub fn policy(_call: &Call) -> Result<Answer<'_>, Error> {
    let database = catalog::database_name();
    let file = policy_file::rules().to_vec();
    let table = table::table().map(table::read).transpose()?.unwrap_or_default();
    let sourced =
        file.into_iter().map(|rule| ("policy file", rule)).chain(table.into_iter().map(|rule| ("table", rule)));
    let in_force = sourced.filter(move |(_, rule)| rules::is_in_force(rule, &database));
    Ok(Answer::rows(in_force.map(|(source, rule)| {
        let mut row = vec![Value::from(source)];
        row.extend(rules::row(&rule));
        row
    })))
}

/// The JSON Schema of a policy document.
pub fn policy_schema(_call: &Call) -> Result<Answer<'_>, Error> {
    Ok(Answer::One(Value::Jsonb(document::document_schema().to_string())))
}
