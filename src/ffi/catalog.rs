//! What the catalogs say of one object, as the policy's owned values.

use crate::ffi::delegates::{self, Functions};
use crate::ffi::search_path::Pinned;
use crate::ffi::tuple::{self, CachedTuple, RowPlace};
use crate::ffi::{kept, raising, scan, text};
use fdw_guard_policy::model::{Attribute, Description, ObjectState, ObjectType, Options};
use fdw_guard_policy::sequence::Sequence;
use pgrx::pg_sys::{self, Oid, SysCacheIdentifier as Cache};
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_char;
use std::rc::Rc;

/// The role name by which rules and messages know the PUBLIC mapping.
pub const PUBLIC: &str = "public";

/// An object's state, and the oid of the object directly above it.
pub struct Found {
    pub state: ObjectState,
    pub above: Oid,
    /// Where the row with its options stands.
    pub row: RowPlace,
}

/// The row with an object's options: by the place where it stood before this transaction changed it, if that is known and
/// helps, or else as the system cache shows it now.
fn row_of(cache: Cache::Type, catalog: Oid, oid: Oid, before: Option<RowPlace>) -> Option<CachedTuple> {
    let changed = before.and_then(|before| CachedTuple::successor(cache, catalog, oid, before));
    changed.or_else(|| CachedTuple::find(cache, &[oid.into()]))
}

/// The foreign-data wrapper as the system cache shows it now. It has nothing above it.
pub fn wrapper(oid: Oid) -> Option<Found> {
    wrapper_after(oid, None)
}

/// The same of one that stood there before.
pub fn wrapper_after(oid: Oid, before: Option<RowPlace>) -> Option<Found> {
    let found = row_of(Cache::FOREIGNDATAWRAPPEROID, pg_sys::ForeignDataWrapperRelationId, oid, before)?;
    // SAFETY: the cache is that of pg_foreign_data_wrapper.
    let form = unsafe { found.form::<pg_sys::FormData_pg_foreign_data_wrapper>() };
    let functions = Functions { handler: form.fdwhandler, validator: form.fdwvalidator };
    let delegate = delegates::behind(functions);
    let attributes = attributes([
        (Attribute::Name, Some(tuple::name(&form.fdwname))),
        (Attribute::Owner, role_name(form.fdwowner)),
        (Attribute::Handler, qualified_function(functions.handler)),
        (Attribute::Validator, qualified_function(functions.validator)),
        (Attribute::HandlerName, function_name(functions.handler)),
        (Attribute::ValidatorName, function_name(functions.validator)),
        (Attribute::Delegate, delegate.as_ref().map(|delegate| delegate.name.clone())),
        (Attribute::DelegateHandler, delegate.as_ref().and_then(|theirs| function_name(theirs.functions.handler))),
        (Attribute::DelegateValidator, delegate.as_ref().and_then(|theirs| function_name(theirs.functions.validator))),
    ]);
    let options = options(found.attribute(pg_sys::Anum_pg_foreign_data_wrapper_fdwoptions));
    Some(Found {
        state: state(ObjectType::ForeignDataWrapper, pg_sys::ForeignDataWrapperRelationId, oid, attributes, options),
        above: Oid::INVALID,
        row: found.place(),
    })
}

/// The server as the system cache shows it now; above it is its wrapper.
pub fn server(oid: Oid) -> Option<Found> {
    server_after(oid, None)
}

/// The same of one that stood there before.
pub fn server_after(oid: Oid, before: Option<RowPlace>) -> Option<Found> {
    let found = row_of(Cache::FOREIGNSERVEROID, pg_sys::ForeignServerRelationId, oid, before)?;
    // SAFETY: the cache is that of pg_foreign_server.
    let form = unsafe { found.form::<pg_sys::FormData_pg_foreign_server>() };
    let text_attribute = |number| {
        // SAFETY: srvtype and srvversion are of type text.
        found.attribute(number).map(|datum| unsafe { tuple::text_of(datum) })
    };
    let attributes = attributes([
        (Attribute::Name, Some(tuple::name(&form.srvname))),
        (Attribute::Owner, role_name(form.srvowner)),
        (Attribute::Type, text_attribute(pg_sys::Anum_pg_foreign_server_srvtype)),
        (Attribute::Version, text_attribute(pg_sys::Anum_pg_foreign_server_srvversion)),
    ]);
    let options = options(found.attribute(pg_sys::Anum_pg_foreign_server_srvoptions));
    let state = state(ObjectType::Server, pg_sys::ForeignServerRelationId, oid, attributes, options);
    Some(Found { state, above: form.srvfdw, row: found.place() })
}

/// The wrapper, for whatever stands on it: kept while it does not change.
pub fn wrapper_above(oid: Oid) -> Option<Rc<ObjectState>> {
    let read = || wrapper(oid).map(|found| (Rc::new(found.state), found.above));
    kept::find(&kept::WRAPPERS, oid.to_u32(), read).map(|(wrapper, _)| wrapper)
}

/// The server and the oid of its wrapper, for whatever stands on it: kept while it does not change.
pub fn server_above(oid: Oid) -> Option<(Rc<ObjectState>, Oid)> {
    kept::find(&kept::SERVERS, oid.to_u32(), || server(oid).map(|found| (Rc::new(found.state), found.above)))
}

/// The user mapping as the system cache shows it now; above it is its server.
pub fn user_mapping(oid: Oid) -> Option<Found> {
    user_mapping_after(oid, None)
}

/// The same of one that stood there before.
pub fn user_mapping_after(oid: Oid, before: Option<RowPlace>) -> Option<Found> {
    let found = row_of(Cache::USERMAPPINGOID, pg_sys::UserMappingRelationId, oid, before)?;
    // SAFETY: the cache is that of pg_user_mapping.
    let form = unsafe { found.form::<pg_sys::FormData_pg_user_mapping>() };
    let key = (form.umuser.to_u32(), form.umserver.to_u32());
    let read = || Some(Rc::new(user_mapping_description(oid, form)));
    let description = kept::find(&kept::USER_MAPPINGS, key, read)?;
    let options = options(found.attribute(pg_sys::Anum_pg_user_mapping_umoptions));
    Some(Found {
        state: ObjectState { object_type: ObjectType::UserMapping, description, options },
        above: form.umserver,
        row: found.place(),
    })
}

fn user_mapping_description(oid: Oid, form: &pg_sys::FormData_pg_user_mapping) -> Description {
    let role = if form.umuser == Oid::INVALID { Some(PUBLIC.to_owned()) } else { role_name(form.umuser) };
    Description {
        identity: user_mapping_identity(oid, role.as_deref(), form.umserver),
        attributes: attributes([(Attribute::Name, role)]),
    }
}

/// What `getObjectIdentity` (objectaddress.c) makes of the same names, which are known here already.
fn user_mapping_identity(oid: Oid, role: Option<&str>, server: Oid) -> String {
    match (role, server_above(server)) {
        (Some(role), Some((server, _))) => {
            // SAFETY: to_server_name gives a C string; quote_identifier returns it or a palloc'ed one.
            let role = unsafe { text::from_server(pg_sys::quote_identifier(text::to_server_name(role))) };
            escape_control(format!("{role} on server {}", server.name()))
        }
        _ => identity(pg_sys::UserMappingRelationId, oid),
    }
}

/// The role that a user mapping is for; invalid for PUBLIC.
pub fn user_mapping_role(oid: Oid) -> Option<Oid> {
    let found = CachedTuple::find(Cache::USERMAPPINGOID, &[oid.into()])?;
    // SAFETY: the cache is that of pg_user_mapping.
    Some(unsafe { found.form::<pg_sys::FormData_pg_user_mapping>() }.umuser)
}

/// The owner of a server.
pub fn server_owner(oid: Oid) -> Option<Oid> {
    let found = CachedTuple::find(Cache::FOREIGNSERVEROID, &[oid.into()])?;
    // SAFETY: the cache is that of pg_foreign_server.
    Some(unsafe { found.form::<pg_sys::FormData_pg_foreign_server>() }.srvowner)
}

/// The foreign table, without its columns, as the system cache shows it now; above it is its server.
pub fn foreign_table(oid: Oid) -> Option<Found> {
    foreign_table_after(oid, None)
}

/// The same of one whose options stood there before.
pub fn foreign_table_after(oid: Oid, before: Option<RowPlace>) -> Option<Found> {
    let relation = CachedTuple::find(Cache::RELOID, &[oid.into()])?;
    let table = row_of(Cache::FOREIGNTABLEREL, pg_sys::ForeignTableRelationId, oid, before)?;
    // SAFETY: the caches are those of pg_class and pg_foreign_table.
    let (class, form) =
        unsafe { (relation.form::<pg_sys::FormData_pg_class>(), table.form::<pg_sys::FormData_pg_foreign_table>()) };
    let name = class.relname.data.map(|byte| byte as u8);
    let key = (class.relnamespace.to_u32(), class.relowner.to_u32(), name);
    let description = kept::find(&kept::FOREIGN_TABLES, key, || Some(Rc::new(foreign_table_description(oid, class))))?;
    let options = options(table.attribute(pg_sys::Anum_pg_foreign_table_ftoptions));
    Some(Found {
        state: ObjectState { object_type: ObjectType::ForeignTable, description, options },
        above: form.ftserver,
        row: table.place(),
    })
}

fn foreign_table_description(oid: Oid, class: &pg_sys::FormData_pg_class) -> Description {
    let schema = namespace_name(class.relnamespace);
    Description {
        identity: foreign_table_identity(oid, schema.as_deref(), &class.relname),
        attributes: attributes([
            (Attribute::Name, Some(tuple::name(&class.relname))),
            (Attribute::Schema, schema),
            (Attribute::Owner, role_name(class.relowner)),
        ]),
    }
}

/// What `getObjectIdentity` makes of the same names, but for a temporary schema, which has another one there.
fn foreign_table_identity(oid: Oid, schema: Option<&str>, name: &pg_sys::NameData) -> String {
    match schema.filter(|schema| !schema.starts_with("pg_temp")) {
        Some(schema) => {
            // SAFETY: to_server_name gives a C string; quote_identifier returns it or a palloc'ed one.
            let schema = unsafe { text::from_server(pg_sys::quote_identifier(text::to_server_name(schema))) };
            format!("{}.{}", escape_control(schema), quoted_name(name))
        }
        None => identity(pg_sys::RelationRelationId, oid),
    }
}

/// The columns of a foreign table by number, dropped ones left out. `defaults` are those of [`crate::ffi::inside::defaults`], where
/// they matter.
pub fn columns(table: Oid, table_identity: &str, mut defaults: HashMap<i16, String>) -> Vec<(i16, ObjectState)> {
    let Some(relation) = CachedTuple::find(Cache::RELOID, &[table.into()]) else { return Vec::new() };
    // SAFETY: the cache is that of pg_class.
    let count = unsafe { relation.form::<pg_sys::FormData_pg_class>() }.relnatts;
    let _path = Pinned::new();
    let mut column = |number| column(table, number, table_identity, defaults.remove(&number));
    (1..=count).filter_map(|number| Some((number, column(number)?))).collect()
}

/// One column of a foreign table; None if there is no such column, or no longer. `default` is the expression of its
/// default or, of a generated column, what generates it.
pub fn column(table: Oid, number: i16, table_identity: &str, default: Option<String>) -> Option<ObjectState> {
    let found = CachedTuple::find(Cache::ATTNUM, &[table.into(), number.into()])?;
    // SAFETY: the cache is that of pg_attribute.
    let form = unsafe { found.form::<pg_sys::FormData_pg_attribute>() };
    if form.attisdropped {
        return None;
    }
    let attributes = attributes([
        (Attribute::Name, Some(tuple::name(&form.attname))),
        (Attribute::Type, type_name(form.atttypid, form.atttypmod)),
        (Attribute::Collation, collation_name(form.attcollation)),
        (Attribute::NotNull, form.attnotnull.then(|| "true".to_owned())),
        (Attribute::Statistics, statistics_target(&found)),
        (Attribute::AttributeOptions, attribute_options(found.attribute(pg_sys::Anum_pg_attribute_attoptions))),
        (Attribute::Storage, Some(storage(form.attstorage).to_owned())),
        (Attribute::Default, default.clone().filter(|_| form.attgenerated == 0)),
        (Attribute::Generated, default.filter(|_| form.attgenerated != 0)),
        (Attribute::Identity, identity_kind(form.attidentity).map(|kind| identity_column(table, number, kind))),
    ]);
    let identity = format!("{table_identity}.{}", quoted_name(&form.attname));
    Some(ObjectState {
        object_type: ObjectType::ForeignTableColumn,
        description: Rc::new(Description { identity, attributes }),
        options: options(found.attribute(pg_sys::Anum_pg_attribute_attfdwoptions)),
    })
}

/// The name of a column, quoted where need be.
pub fn column_name(table: Oid, number: i16) -> Option<String> {
    let found = CachedTuple::find(Cache::ATTNUM, &[table.into(), number.into()])?;
    // SAFETY: the cache is that of pg_attribute.
    Some(quoted_name(&unsafe { found.form::<pg_sys::FormData_pg_attribute>() }.attname))
}

/// The schema of a relation.
pub fn schema_of(relation: Oid) -> Option<Oid> {
    let found = CachedTuple::find(Cache::RELOID, &[relation.into()])?;
    // SAFETY: the cache is that of pg_class.
    Some(unsafe { found.form::<pg_sys::FormData_pg_class>() }.relnamespace)
}

/// The owner of a relation.
pub fn owner_of(relation: Oid) -> Option<Oid> {
    let found = CachedTuple::find(Cache::RELOID, &[relation.into()])?;
    // SAFETY: the cache is that of pg_class.
    Some(unsafe { found.form::<pg_sys::FormData_pg_class>() }.relowner)
}

/// Whether the relation that the system cache shows is a foreign table.
pub fn is_foreign_table(relation: Oid) -> bool {
    CachedTuple::find(Cache::RELOID, &[relation.into()]).is_some_and(|found| {
        // SAFETY: the cache is that of pg_class.
        unsafe { found.form::<pg_sys::FormData_pg_class>() }.relkind == pg_sys::RELKIND_FOREIGN_TABLE as c_char
    })
}

/// Whether the relation, just created by the running statement and so not yet in the system cache, is a foreign table.
pub fn is_new_foreign_table(relation: Oid) -> bool {
    kind_of_new(relation) == Some(pg_sys::RELKIND_FOREIGN_TABLE)
}

/// Whether it is one with rows of its own.
pub fn is_new_table(relation: Oid) -> bool {
    matches!(kind_of_new(relation), Some(pg_sys::RELKIND_RELATION | pg_sys::RELKIND_MATVIEW))
}

/// Whether it is a sequence.
pub fn is_new_sequence(relation: Oid) -> bool {
    kind_of_new(relation) == Some(pg_sys::RELKIND_SEQUENCE)
}

fn kind_of_new(relation: Oid) -> Option<u8> {
    // SAFETY: the relation cache has an entry for a relation from the moment heap_create makes it; it is closed at once.
    unsafe {
        let opened = pg_sys::RelationIdGetRelation(relation);
        if opened.is_null() {
            return None;
        }
        let kind = (*(*opened).rd_rel).relkind;
        pg_sys::RelationClose(opened);
        Some(kind as u8)
    }
}

fn state(
    object_type: ObjectType,
    catalog: Oid,
    oid: Oid,
    attributes: BTreeMap<Attribute, String>,
    options: Options,
) -> ObjectState {
    let description = Rc::new(Description { identity: identity(catalog, oid), attributes });
    ObjectState { object_type, description, options }
}

/// `pg_identify_object`'s identity, with control characters escaped so that it stays on its line in a log.
pub fn identity(catalog: Oid, oid: Oid) -> String {
    let address = pg_sys::ObjectAddress { classId: catalog, objectId: oid, objectSubId: 0 };
    // SAFETY: the address is a valid one; with missing_ok the answer may be null.
    unsafe {
        let identity = pg_sys::getObjectIdentity(&raw const address, true);
        text::from_server_opt(identity).map(escape_control).unwrap_or_default()
    }
}

fn quoted_name(name: &pg_sys::NameData) -> String {
    // SAFETY: quote_identifier returns its argument or a palloc'ed C string.
    let quoted = unsafe { text::from_server(pg_sys::quote_identifier(name.data.as_ptr())) };
    escape_control(quoted)
}

fn escape_control(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
    } else {
        text
    }
}

fn attributes<const N: usize>(attributes: [(Attribute, Option<String>); N]) -> BTreeMap<Attribute, String> {
    attributes.into_iter().filter_map(|(attribute, value)| Some((attribute, value?))).collect()
}

/// An OPTIONS list, stored as an array of `name=value`.
fn options(datum: Option<pg_sys::Datum>) -> Options {
    let Some(datum) = datum else { return Options::default() };
    // SAFETY: the option columns are of type text[], and the tuple lives as long as this takes.
    let elements: Vec<_> = unsafe { tuple::texts(datum) }.collect();
    let room = text::room_for(elements.iter().map(|element| element.len()).sum());
    Options::in_room(room, elements)
}

/// A column's attribute options, without the one that Debian's PostgreSQL 15 writes into every column by itself.
fn attribute_options(datum: Option<pg_sys::Datum>) -> Option<String> {
    // SAFETY: attoptions is of type text[].
    let elements = unsafe { tuple::text_array(datum?) };
    let kept: Vec<String> = elements.into_iter().flatten().filter(|option| !option.starts_with("pg_attver=")).collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

/// In the words of ALTER FOREIGN TABLE.
fn storage(letter: c_char) -> &'static str {
    match letter as u8 {
        b'e' => "EXTERNAL",
        b'm' => "MAIN",
        b'x' => "EXTENDED",
        _ => "PLAIN",
    }
}

/// How an identity column is generated, in the words of CREATE TABLE.
fn identity_kind(letter: c_char) -> Option<&'static str> {
    match letter as u8 {
        b'a' => Some("ALWAYS"),
        b'd' => Some("BY DEFAULT"),
        _ => None,
    }
}

/// An identity column with the parameters of its sequence.
fn identity_column(table: Oid, number: i16, kind: &str) -> String {
    match scan::sequence_of(table, number).and_then(sequence) {
        Some(sequence) => sequence.describe(kind),
        None => kind.to_owned(),
    }
}

fn sequence(oid: Oid) -> Option<Sequence> {
    let found = CachedTuple::find(Cache::SEQRELID, &[oid.into()])?;
    // The columns of pg_sequence, as pg_sequence.h numbers them; pgrx binds nothing of it. None is ever null.
    let number = |column: u32| found.attribute(column).map(|datum| datum.value() as i64);
    let largest = match Oid::from(u32::try_from(number(2)?).ok()?) {
        pg_sys::INT2OID => i16::MAX.into(),
        pg_sys::INT4OID => i32::MAX.into(),
        _ => i64::MAX,
    };
    let (start, increment, maximum, minimum) = (number(3)?, number(4)?, number(5)?, number(6)?);
    Some(Sequence { start, increment, minimum, maximum, cache: number(7)?, cycle: number(8)? & 0xff != 0, largest })
}

/// The foreign table with the identity column that a relation is the sequence of.
pub fn table_of_sequence(relation: Oid) -> Option<Oid> {
    let (mut table, mut column) = (Oid::INVALID, 0);
    // SAFETY: both functions look the catalogs up; what is no relation has no kind, and both places are our own.
    let is_internal = unsafe {
        let kind = raising::under_one_boundary(|| raising::get_rel_relkind(relation));
        kind.cast_unsigned() == pg_sys::RELKIND_SEQUENCE
            && pg_sys::sequenceIsOwned(relation, b'i' as c_char, &raw mut table, &raw mut column)
    };
    is_internal.then_some(table)
}

/// The statistics target, absent when it is the system's default: until 16 stored as -1, from 17 on as null.
fn statistics_target(found: &CachedTuple) -> Option<String> {
    let target = found.attribute(pg_sys::Anum_pg_attribute_attstattarget)?.value() as i16;
    (target >= 0).then(|| target.to_string())
}

/// A role's name, None if there is no such role any more.
pub fn role_name(role: Oid) -> Option<String> {
    // SAFETY: with noerr the answer may be null.
    let read = || unsafe { text::from_server_opt(pg_sys::GetUserNameFromId(role, true)) };
    kept::find(&kept::ROLE_NAMES, role.to_u32(), read)
}

fn namespace_name(namespace: Oid) -> Option<String> {
    // SAFETY: the answer is null or a palloc'ed C string.
    unsafe { text::from_server_opt(pg_sys::get_namespace_name(namespace)) }
}

fn function_name(function: Oid) -> Option<String> {
    // SAFETY: the answer is null (as for InvalidOid) or a palloc'ed C string.
    unsafe { text::from_server_opt(pg_sys::get_func_name(function)) }
}

/// The function with its schema, as SQL writes it.
fn qualified_function(function: Oid) -> Option<String> {
    let found = CachedTuple::find(Cache::PROCOID, &[function.into()])?;
    // SAFETY: the cache is that of pg_proc.
    let form = unsafe { found.form::<pg_sys::FormData_pg_proc>() };
    Some(format!("{}.{}", quoted(&namespace_name(form.pronamespace)?), quoted(&tuple::name(&form.proname))))
}

/// The name of a collation of `pg_catalog`, and of any other with its schema, as SQL writes it with its name in quotes.
fn collation_name(collation: Oid) -> Option<String> {
    let found = CachedTuple::find(Cache::COLLOID, &[collation.into()])?;
    // SAFETY: the cache is that of pg_collation.
    let form = unsafe { found.form::<pg_sys::FormData_pg_collation>() };
    let name = tuple::name(&form.collname);
    if form.collnamespace == PG_CATALOG {
        return Some(name);
    }
    Some(format!("{}.\"{}\"", quoted(&namespace_name(form.collnamespace)?), name.replace('"', "\"\"")))
}

/// As pg_namespace.dat numbers it.
const PG_CATALOG: Oid = Oid::from_u32(pg_sys::PG_CATALOG_NAMESPACE);

/// The name as an identifier of SQL.
pub fn quoted(name: &str) -> String {
    // SAFETY: to_server_name gives a C string; quote_identifier returns it or a palloc'ed one.
    unsafe { text::from_server(pg_sys::quote_identifier(text::to_server_name(name))) }
}

fn type_name(type_oid: Oid, modifier: i32) -> Option<String> {
    // SAFETY: format_type_extended returns a palloc'ed C string, or null where FORMAT_TYPE_INVALID_AS_NULL asks for it.
    unsafe {
        let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_INVALID_AS_NULL;
        text::from_server_opt(pg_sys::format_type_extended(type_oid, modifier, flags as u16))
    }
}

/// The name of the database of this session.
pub fn database_name() -> String {
    // SAFETY: MyDatabaseId is set in every session that can run a statement; the answer is null or a C string.
    unsafe { text::from_server_opt(pg_sys::get_database_name(pg_sys::MyDatabaseId)).unwrap_or_default() }
}
