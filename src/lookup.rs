//! What a caller names: the object, or an error that says what is not there and which name is near.

use crate::ffi::function::Named;
use crate::ffi::{catalog, delegates, names, scan};
use crate::scene::{self, Class};
use fdw_guard_policy::model::{ObjectState, ObjectType};
use fdw_guard_policy::suggest::nearest;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use thiserror::Error;

/// The role of the PUBLIC mapping, and the name that stands for it.
pub const PUBLIC: Oid = Oid::INVALID;

/// What is not there, in PostgreSQL's own words, with the name that may have been meant.
#[derive(Debug, Error)]
pub enum Missing {
    #[error("server \"{name}\" does not exist")]
    Server { name: String, near: Option<String> },
    #[error("role \"{name}\" does not exist")]
    Role { name: String, near: Option<String> },
    #[error("user mapping for \"{role}\" does not exist for server \"{server}\"")]
    UserMapping { role: String, server: String, instead: Instead },
    #[error("relation \"{name}\" does not exist")]
    Table { name: String, near: Option<String> },
    #[error("relation with OID {0} does not exist")]
    Relation(u32),
    #[error("\"{name}\" is not a foreign table")]
    NotAForeignTable { name: String },
    #[error("column \"{name}\" of relation \"{relation}\" does not exist")]
    Column { relation: String, name: String, near: Option<String> },
    /// What is named by its identity.
    #[error("{object_type} \"{identity}\" does not exist")]
    Object { object_type: ObjectType, identity: String, near: Option<String> },
    #[error("a {object_type} is created with its table")]
    Told { object_type: ObjectType },
}

/// What can be done where a user mapping is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instead {
    Nothing,
    /// There is one for PUBLIC.
    UsePublic,
    /// The function that is called makes one if it is told to.
    Create,
}

/// The server of that name.
pub fn server(name: &str) -> Result<Oid, Missing> {
    names::server(name).ok_or_else(|| Missing::Server { name: name.to_owned(), near: near(name, names::of_servers()) })
}

/// The wrapper of that name.
pub fn wrapper(name: &str) -> Result<Oid, Missing> {
    names::wrapper(name).ok_or_else(|| {
        let known = delegates::wrappers().into_iter().map(|wrapper| wrapper.name).collect();
        let object_type = ObjectType::ForeignDataWrapper;
        Missing::Object { object_type, identity: name.to_owned(), near: near(name, known) }
    })
}

/// The role of that name; [`PUBLIC`] for `public`.
pub fn role(name: &str) -> Result<Oid, Missing> {
    if name == catalog::PUBLIC {
        return Ok(PUBLIC);
    }
    names::role(name)
        .ok_or_else(|| Missing::Role { name: name.to_owned(), near: near(name, names::of_roles_and_public()) })
}

/// The user mapping that was made for exactly that role.
pub fn user_mapping(role_name: &str, server_name: &str) -> Result<Oid, Missing> {
    let server = server(server_name)?;
    names::user_mapping(role(role_name)?, server).ok_or_else(|| {
        let public_is_there = names::user_mapping(PUBLIC, server).is_some();
        let instead = if public_is_there { Instead::UsePublic } else { Instead::Nothing };
        Missing::UserMapping { role: role_name.to_owned(), server: server_name.to_owned(), instead }
    })
}

/// The foreign table that the caller names.
pub fn named_foreign_table(named: Option<Named>) -> Result<Oid, Missing> {
    match named {
        None => foreign_table(Oid::INVALID),
        Some(Named::Oid(oid)) => foreign_table(oid),
        Some(Named::Name(name)) => {
            let found = names::relation_named(&name);
            foreign_table(found.ok_or_else(|| Missing::Table { near: near_table(&name), name })?)
        }
    }
}

/// A foreign table of nearly that name, or of exactly that name in a schema that search_path does not find.
fn near_table(name: &str) -> Option<String> {
    let known: Vec<[String; 2]> = scan::foreign_tables().into_iter().filter_map(names::to_say).collect();
    let elsewhere = || known.iter().find(|[plain, _]| plain == name).map(|[_, said]| said.clone());
    let by_name = || nearest(name, known.iter().map(|[plain, _]| plain.as_str())).map(str::to_owned);
    let by_plain = |plain: String| known.iter().find(|[known, _]| *known == plain).map(|[_, said]| said.clone());
    let by_said = || nearest(name, known.iter().map(|[_, said]| said.as_str())).map(str::to_owned);
    elsewhere().or_else(by_said).or_else(|| by_name().and_then(by_plain))
}

/// The relation, if it is a foreign table.
pub fn foreign_table(relation: Oid) -> Result<Oid, Missing> {
    if catalog::is_foreign_table(relation) {
        return Ok(relation);
    }
    Err(names::of_relation(relation)
        .map_or(Missing::Relation(relation.to_u32()), |name| Missing::NotAForeignTable { name }))
}

/// The number of the column of that name.
pub fn column(table: Oid, name: &str) -> Result<i16, Missing> {
    names::column(table, name).ok_or_else(|| {
        let columns = catalog::columns(table, "", HashMap::new()).into_iter();
        let known = columns.map(|(_, column)| column.name().to_owned()).collect();
        let relation = names::of_relation(table).unwrap_or_default();
        Missing::Column { relation, name: name.to_owned(), near: near(name, known) }
    })
}

/// The object that has that identity (as `pg_identify_object` gives it), or else that name. Of a user mapping either is
/// `role on server name`.
pub fn object(object_type: ObjectType, identity: &str) -> Result<Oid, Missing> {
    let (class, all) = match object_type {
        ObjectType::ForeignDataWrapper => (Class::Wrapper, scan::wrappers()),
        ObjectType::Server => (Class::Server, scan::servers()),
        ObjectType::UserMapping => (Class::UserMapping, scan::user_mappings()),
        ObjectType::ForeignTable => (Class::Relation, scan::foreign_tables()),
        ObjectType::ForeignTableColumn => return Err(Missing::Told { object_type }),
    };
    let known = || all.iter().filter_map(|oid| Some((*oid, scene::state(class, *oid)?)));
    let called =
        |state: &ObjectState| if is_named(class) { state.name().to_owned() } else { state.identity().to_owned() };
    let by_identity = known().find(|(_, state)| state.identity() == identity);
    let found = by_identity.or_else(|| known().find(|(_, state)| called(state) == identity));
    found.map(|(oid, _)| oid).ok_or_else(|| {
        if let Some(name) = other_relation(object_type, identity) {
            return Missing::NotAForeignTable { name };
        }
        let of_that_name = known().find(|(_, state)| state.name() == identity).map(|(_, state)| called(&state));
        let near = of_that_name.or_else(|| near(identity, known().map(|(_, state)| called(&state)).collect()));
        Missing::Object { object_type, identity: identity.to_owned(), near }
    })
}

/// The name of a relation that is called so, and is none of the foreign tables that were asked for.
fn other_relation(object_type: ObjectType, identity: &str) -> Option<String> {
    let relation = (object_type == ObjectType::ForeignTable).then(|| names::relation_named(identity)).flatten()?;
    if catalog::is_foreign_table(relation) { None } else { names::of_relation(relation) }
}

/// Whether the name alone says which one is meant.
fn is_named(class: Class) -> bool {
    matches!(class, Class::Wrapper | Class::Server)
}

/// That nothing has any of the names, and the one that may have been meant.
pub fn none_is_there(what: &str, names: &[String], known: fn() -> Vec<String>) -> Option<(String, Option<String>)> {
    let first = names.first()?;
    let known = known();
    if names.iter().any(|name| known.contains(name)) {
        return None;
    }
    let near = near(first, known).map(|near| format!("Perhaps you meant the {what} \"{near}\"."));
    Some((format!("There is no {what} \"{}\".", first.escape_debug()), near))
}

fn near(name: &str, known: Vec<String>) -> Option<String> {
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}
