//! `get_ddl`: the statements that would create an object again.

use crate::error::Error;
use crate::ffi::delegates;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::{catalog, query, rights};
use crate::lookup;
use crate::policy_in_force;
use crate::scene::{self, Class, Scene};
use fdw_guard_policy::definition::{self, Guarded, Known};
use fdw_guard_policy::model::{ObjectType, Situation};
use fdw_guard_policy::secret::Secrecy;
use pgrx::pg_sys::Oid;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

const WRAPPER: &str = include_str!("../queries/wrapper.sql");
const SERVER: &str = include_str!("../queries/server.sql");
const FOREIGN_TABLE: &str = include_str!("../queries/foreign_table.sql");

/// A column is made by its table's statement.
const TYPES: [ObjectType; 4] =
    [ObjectType::ForeignDataWrapper, ObjectType::Server, ObjectType::UserMapping, ObjectType::ForeignTable];

/// Of the object of that type and identity.
pub fn get_ddl(call: &Call) -> Result<Answer<'_>, Error> {
    let (object_type, identity) = (call.text(0).unwrap_or_default(), call.text(1).unwrap_or_default());
    let object_type = ObjectType::from_name(&object_type)
        .ok_or_else(|| Error::UnknownObjectType { name: object_type, known: TYPES.map(ObjectType::name).to_vec() })?;
    let oid = lookup::object(object_type, &identity)?;
    answer(match object_type {
        ObjectType::ForeignDataWrapper => of_wrapper(oid),
        ObjectType::Server => of_server(oid),
        ObjectType::UserMapping => of_user_mapping(oid),
        ObjectType::ForeignTable | ObjectType::ForeignTableColumn => of_foreign_table(oid),
    })
}

/// Of a foreign table.
pub fn get_ddl_of_relation(call: &Call) -> Result<Answer<'_>, Error> {
    answer(of_foreign_table(lookup::named_foreign_table(call.relation(0))?))
}

/// Null for what was dropped meanwhile.
fn answer(ddl: Result<Option<String>, Error>) -> Result<Answer<'static>, Error> {
    Ok(Answer::One(ddl?.map(Value::Statement).unwrap_or(Value::Null)))
}

fn of_wrapper(oid: Oid) -> Result<Option<String>, Error> {
    let Some((scene, told)) = scene_and_told(Class::Wrapper, oid, WRAPPER)? else { return Ok(None) };
    let behind = delegates::wrapper(oid).and_then(|wrapper| delegates::behind(wrapper.functions));
    let guarded = behind.map(|behind| Guarded { delegate: behind.name, is_in_place: behind.is_in_place });
    let secrecy = secrecy(&scene.situation)?;
    Ok(Some(definition::wrapper(&known(&scene.situation, &secrecy), &told, guarded.as_ref())))
}

fn of_server(oid: Oid) -> Result<Option<String>, Error> {
    let Some((scene, told)) = scene_and_told(Class::Server, oid, SERVER)? else { return Ok(None) };
    let secrecy = secrecy(&scene.situation)?;
    Ok(Some(definition::server(&known(&scene.situation, &secrecy), &told)))
}

fn of_user_mapping(oid: Oid) -> Result<Option<String>, Error> {
    let Some(scene) = scene::scene_from_outside(Class::UserMapping, oid) else { return Ok(None) };
    let secrecy = secrecy(&scene.situation)?;
    let known = Known { are_visible: rights::may_see_user_mapping(oid), ..known(&scene.situation, &secrecy) };
    Ok(Some(definition::user_mapping(&known)))
}

fn of_foreign_table(oid: Oid) -> Result<Option<String>, Error> {
    let Some((scene, told)) = scene_and_told(Class::Relation, oid, FOREIGN_TABLE)? else { return Ok(None) };
    let columns = catalog::columns(oid, scene.situation.object.identity(), HashMap::new()).into_iter();
    let columns: Vec<(i16, Situation)> =
        columns.map(|(number, column)| (number, scene.column(&column.into()))).collect();
    let secrecies: Vec<Secrecy> = columns.iter().map(|(_, column)| secrecy(column)).collect::<Result<_, _>>()?;
    let columns = columns.iter().zip(&secrecies);
    let columns: Vec<(i16, Known<'_>)> =
        columns.map(|((number, column), secrecy)| (*number, known(column, secrecy))).collect();
    let secrecy = secrecy(&scene.situation)?;
    Ok(Some(definition::foreign_table(&known(&scene.situation, &secrecy), &columns, &told)))
}

/// The object, and what a query tells of it.
fn scene_and_told<T: DeserializeOwned>(
    class: Class,
    oid: Oid,
    query: &'static str,
) -> Result<Option<(Scene, T)>, Error> {
    let Some((scene, told)) = scene::scene_from_outside(class, oid).zip(query::answer(query, oid)) else {
        return Ok(None);
    };
    let told = serde_json::from_str(&told).map_err(|_| Error::Untold)?;
    Ok(Some((scene, told)))
}

fn secrecy(situation: &Situation) -> Result<Secrecy, Error> {
    Ok(policy_in_force::policy()?.secrecy(situation))
}

fn known<'a>(situation: &'a Situation, secrecy: &'a Secrecy) -> Known<'a> {
    Known { situation, secrecy, are_visible: true }
}
