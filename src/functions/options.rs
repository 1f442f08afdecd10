//! `visible_options`: what every view of options reads.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::{catalog, rights};
use crate::guard::{self, Class};
use crate::policy_in_force;
use fdw_guard_policy::model::Situation;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// The options of one object, secrets as `***`; no row for who may not see them, nor for an object that is not there.
pub fn visible_options(call: &Call) -> Result<Answer<'_>, Error> {
    let situation = call.oid(0).zip(call.oid(1)).zip(call.integer(2)).and_then(|((catalog, oid), column)| {
        let class = Class::of_catalog(catalog)?;
        if class == Class::UserMapping && !rights::may_see_user_mapping(oid) {
            return None;
        }
        situation(class, oid, i16::try_from(column).ok()?)
    });
    Ok(Answer::rows(situation.map(|situation| rows(&situation)).transpose()?.unwrap_or_default()))
}

fn situation(class: Class, oid: Oid, column: i16) -> Option<Situation> {
    let object = guard::scene_without_columns(class, oid)?;
    if column == 0 {
        return Some(object.situation);
    }
    let column = catalog::column(oid, column, &object.situation.object.identity)?;
    Some(object.column(&Rc::new(column)))
}

fn rows(situation: &Situation) -> Result<Vec<Vec<Value>>, Error> {
    let secrecy = policy_in_force::policy()?.secrecy(situation);
    let options = situation.object.options.iter();
    let row = |(option, value)| {
        vec![Value::from(option), secrecy.show(option, value).to_string().into(), secrecy.is_secret(option).into()]
    };
    Ok(options.map(row).collect())
}
