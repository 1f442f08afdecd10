//! Objects by the names that a caller gives, and the names that there are.

use crate::ffi::catalog;
use crate::ffi::delegates;
use crate::ffi::function::{self, Value};
use crate::ffi::scan::CatalogScan;
use crate::ffi::text;
use crate::ffi::tuple::{self, CachedTuple};
use pgrx::pg_sys::{self, Oid, SysCacheIdentifier as Cache};

/// The server of that name.
pub fn server(name: &str) -> Option<Oid> {
    // SAFETY: to_server_name gives a C string; with missing_ok an unknown server is InvalidOid.
    let oid = unsafe { pg_sys::get_foreign_server_oid(text::to_server_name(name), true) };
    (oid != Oid::INVALID).then_some(oid)
}

/// The wrapper of that name.
pub fn wrapper(name: &str) -> Option<Oid> {
    // SAFETY: to_server_name gives a C string; with missing_ok an unknown wrapper is InvalidOid.
    let oid = unsafe { pg_sys::get_foreign_data_wrapper_oid(text::to_server_name(name), true) };
    (oid != Oid::INVALID).then_some(oid)
}

/// The role of that name.
pub fn role(name: &str) -> Option<Oid> {
    // SAFETY: to_server_name gives a C string; with missing_ok an unknown role is InvalidOid.
    let oid = unsafe { pg_sys::get_role_oid(text::to_server_name(name), true) };
    (oid != Oid::INVALID).then_some(oid)
}

/// The user mapping of exactly that role on the server; an invalid role is PUBLIC.
pub fn user_mapping(role: Oid, server: Oid) -> Option<Oid> {
    let found = CachedTuple::find(Cache::USERMAPPINGUSERSERVER, &[role.into(), server.into()])?;
    // SAFETY: the cache is that of pg_user_mapping.
    Some(unsafe { found.form::<pg_sys::FormData_pg_user_mapping>() }.oid)
}

/// The number of the column of that name, dropped ones left out.
pub fn column(table: Oid, name: &str) -> Option<i16> {
    // SAFETY: to_server_name gives a C string; an unknown column is InvalidAttrNumber.
    let number = unsafe { pg_sys::get_attnum(table, text::to_server_name(name)) };
    (i32::from(number) != pg_sys::InvalidAttrNumber as i32).then_some(number)
}

/// The relation of that name in that schema.
pub fn relation(schema: &str, name: &str) -> Option<Oid> {
    // SAFETY: to_server_name gives C strings; with missing_ok an unknown schema is InvalidOid, and so is an unknown name.
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(text::to_server_name(schema), true);
        pg_sys::get_relname_relid(text::to_server_name(name), schema)
    };
    (oid != Oid::INVALID).then_some(oid)
}

/// The relation that a text names as in a statement, by its schema or by search_path; by its oid too, as `regclass` reads it.
pub fn relation_named(text: &str) -> Option<Oid> {
    if let Some(oid) = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())) {
        return Some(Oid::from_u32(oid));
    }
    let (name, _) = function::datum_of(&Value::from(text));
    // SAFETY: to_regclass takes a text, and gives null for what is not there.
    unsafe { pgrx::direct_function_call(pg_sys::to_regclass, &[Some(name)]) }
}

/// The names of a relation, quoted: without its schema, and as a statement has to say it.
pub fn to_say(relation: Oid) -> Option<[String; 2]> {
    // SAFETY: the answers of lsyscache.c are null or palloc'ed C strings, of which quote_identifier makes others.
    unsafe {
        let (name, schema) =
            (pg_sys::get_rel_name(relation), pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)));
        if name.is_null() || schema.is_null() {
            return None;
        }
        let qualified = pg_sys::quote_qualified_identifier(schema, name);
        let plain = pg_sys::quote_identifier(name);
        let said = if pg_sys::RelationIsVisible(relation) { plain } else { qualified.cast_const() };
        Some([plain, said].map(|text| text::from_server(text)))
    }
}

/// The name of a relation, without its schema.
pub fn of_relation(relation: Oid) -> Option<String> {
    // SAFETY: the answer is null or a palloc'ed C string.
    unsafe { text::from_server_opt(pg_sys::get_rel_name(relation)) }
}

/// The names by which wrappers are known: their own, and those of the delegates of guarded ones.
pub fn of_wrappers() -> Vec<String> {
    let wrappers = delegates::wrappers().into_iter();
    wrappers
        .flat_map(|wrapper| {
            let delegate = delegates::behind(wrapper.functions).map(|delegate| delegate.name);
            [Some(wrapper.name), delegate]
        })
        .flatten()
        .collect()
}

/// Every server's name.
pub fn of_servers() -> Vec<String> {
    let mut names = Vec::new();
    CatalogScan::of_catalog(pg_sys::ForeignServerRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_foreign_server.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_foreign_server>() };
        names.push(tuple::name(&form.srvname));
    });
    names
}

/// Every role's name, as everybody sees them in pg_roles.
pub fn of_roles() -> Vec<String> {
    let mut names = Vec::new();
    CatalogScan::of_catalog(pg_sys::AuthIdRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_authid.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_authid>() };
        names.push(tuple::name(&form.rolname));
    });
    names
}

/// The same, and the word that names all of them, which may stand wherever a mapping's role does.
pub fn of_roles_and_public() -> Vec<String> {
    of_roles().into_iter().chain([catalog::PUBLIC.to_owned()]).collect()
}

/// Every database's name.
pub fn of_databases() -> Vec<String> {
    let mut names = Vec::new();
    CatalogScan::of_catalog(pg_sys::DatabaseRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_database.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>() };
        names.push(tuple::name(&form.datname));
    });
    names
}
