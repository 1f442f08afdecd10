//! `table_state`: the whole state of a foreign table.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::inside;
use crate::lookup;
use crate::policy_in_force;
use crate::scene::{self, Class};
use fdw_guard_policy::model::Situation;
use fdw_guard_policy::state::Table;

pub fn table_state(call: &Call) -> Result<Answer<'_>, Error> {
    let oid = lookup::named_foreign_table(call.relation(0))?;
    let Some(scene) = scene::scene(Class::Relation, oid) else { return Ok(Answer::One(Value::Null)) };
    let columns: Vec<Situation> = scene.columns.iter().map(|(_, column)| scene.column(column)).collect();
    let children = inside::children(oid);
    let known = Table { table: &scene.situation, columns: &columns, inside: &scene.inside, children };
    let state = policy_in_force::policy()?.table_state(&known);
    Ok(Answer::One(Value::Jsonb(state.to_string())))
}
