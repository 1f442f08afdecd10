//! The options of one object: `visible_options`, which every view of options reads, and a function for each type of
//! object.

mod masks;

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::{catalog, rights};
use crate::lookup;
use crate::policy_in_force;
use crate::scene::{self, Class};
use fdw_guard_policy::model::Situation;
use fdw_guard_policy::secret::Shown;
use pgrx::pg_sys::Oid;
use serde_json::{Map, Value as Json};
use std::rc::Rc;

pub use masks::Mask;

/// The options of one object, secrets as `***`; no row for who may not see them, nor for an object that is not there.
pub fn visible_options(call: &Call) -> Result<Answer<'_>, Error> {
    let situation = call.oid(0).zip(call.oid(1)).zip(call.integer(2)).and_then(|((catalog, oid), column)| {
        visible_situation(Class::of_catalog(catalog)?, oid, i16::try_from(column).ok()?)
    });
    let shown = situation.map(|situation| shown(&situation)).transpose()?.unwrap_or_default();
    Ok(Answer::rows(shown.into_iter().map(|(option, value)| {
        let is_secret = value.is_hidden();
        vec![option.into(), value.to_string().into(), is_secret.into()]
    })))
}

/// How the options that a view has read from the catalog are shown: those of the object that the other arguments name.
pub fn mask_of(call: &Call) -> Result<Option<Rc<Mask>>, Error> {
    let (catalog, oid) = (call.oid(1).unwrap_or(Oid::INVALID), call.oid(2).unwrap_or(Oid::INVALID));
    let column = i16::try_from(call.integer(3).unwrap_or_default()).unwrap_or_default();
    let Some(class) = Class::of_catalog(catalog) else { return Ok(None) };
    masks::of_object(class, oid, column, call.oid(4).unwrap_or(Oid::INVALID))
}

pub fn server_options(call: &Call) -> Result<Answer<'_>, Error> {
    let server = lookup::server(&call.name(0).unwrap_or_default())?;
    object(Class::Server, server, 0)
}

pub fn user_mapping_options(call: &Call) -> Result<Answer<'_>, Error> {
    let (role, server) = (call.name(0).unwrap_or_default(), call.name(1).unwrap_or_default());
    object(Class::UserMapping, lookup::user_mapping(&role, &server)?, 0)
}

pub fn foreign_table_options(call: &Call) -> Result<Answer<'_>, Error> {
    object(Class::Relation, lookup::named_foreign_table(call.relation(0))?, 0)
}

pub fn column_options(call: &Call) -> Result<Answer<'_>, Error> {
    let table = lookup::named_foreign_table(call.relation(0))?;
    let column = lookup::column(table, &call.name(1).unwrap_or_default())?;
    object(Class::Relation, table, column)
}

/// The options as one JSON object; null for who may not see them.
fn object(class: Class, oid: Oid, column: i16) -> Result<Answer<'static>, Error> {
    let Some(situation) = visible_situation(class, oid, column) else { return Ok(Answer::One(Value::Null)) };
    let text = |(option, value): (String, Shown)| (option, Json::from(value.to_string()));
    let options: Map<String, Json> = shown(&situation)?.into_iter().map(text).collect();
    Ok(Answer::One(Value::Jsonb(Json::Object(options).to_string())))
}

/// The object, if its options are the caller's to see.
pub fn visible_situation(class: Class, oid: Oid, column: i16) -> Option<Situation> {
    if class == Class::UserMapping && !rights::may_see_user_mapping(oid) {
        return None;
    }
    let object = scene::scene_from_outside(class, oid)?;
    if column == 0 {
        return Some(object.situation);
    }
    let column = catalog::column(oid, column, object.situation.object.identity(), None)?;
    Some(object.column(&Rc::new(column)))
}

fn shown(situation: &Situation) -> Result<Vec<(String, Shown)>, Error> {
    let secrecy = policy_in_force::policy()?.secrecy(situation);
    let options = situation.object.options.iter();
    Ok(options.map(|(option, value)| (option.to_owned(), secrecy.show_whole(option, value))).collect())
}
