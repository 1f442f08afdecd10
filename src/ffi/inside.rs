//! What stands inside a foreign table, a wrapper or a server without being an object that rules know.

use crate::ffi::scan::{CatalogScan, Row};
use crate::ffi::search_path::Pinned;
use crate::ffi::{catalog, scan, session, tuple, version};
use fdw_guard_policy::inside::{Constraint, Enabled, NOT_ENFORCED, NOT_NULL, Trigger, to_attribute};
use fdw_guard_policy::model::{Attribute, Attributes};
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};
use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::{iter, ptr};

/// pg_attrdef with its indexes by table and by oid, and pg_inherits with those by child and by parent, as pg_attrdef.h and
/// pg_inherits.h number them.
pub const DEFAULTS: Oid = Oid::from_u32(2604);
const DEFAULTS_BY_TABLE: Oid = Oid::from_u32(2656);
const DEFAULTS_BY_OID: Oid = Oid::from_u32(2657);
pub const INHERITANCE: Oid = Oid::from_u32(2611);
const INHERITANCE_BY_CHILD: Oid = Oid::from_u32(2680);
const INHERITANCE_BY_PARENT: Oid = Oid::from_u32(2187);
const TRIGGERS_BY_TABLE: Oid = Oid::from_u32(pg_sys::TriggerRelidNameIndexId);
const TRIGGERS_BY_OID: Oid = Oid::from_u32(pg_sys::TriggerOidIndexId);
/// pg_constraint's index by table, domain and name.
const CONSTRAINTS_BY_TABLE: Oid = Oid::from_u32(2665);

/// The constraints, triggers and parents of a foreign table.
pub fn of_table(table: Oid) -> Attributes {
    let _path = Pinned::new();
    let attributes = [
        (Attribute::Constraints, to_attribute(&constraints(table))),
        (Attribute::Triggers, to_attribute(&triggers(table))),
        (Attribute::Parents, to_attribute(&parents(table))),
    ];
    attributes.into_iter().filter_map(|(attribute, text)| Some((attribute, text?))).collect()
}

fn constraints(table: Oid) -> Vec<Constraint> {
    let mut constraints = Vec::new();
    // SAFETY: the index is that of pg_constraint's conrelid, contypid and conname.
    let mut scan = unsafe {
        CatalogScan::by_index(scan::CONSTRAINTS, CONSTRAINTS_BY_TABLE, [(c"conrelid", table)], ptr::null_mut())
    };
    scan.for_each_row(|row| {
        let name = row.name(c"conname");
        let definition = match row.letter(c"contype") {
            'c' => check_definition(row, table),
            'n' => not_null_definition(row, table),
            _ => None,
        };
        let validated = row.boolean(c"convalidated");
        constraints.extend(definition.map(|definition| Constraint { name, definition, validated }));
    });
    constraints.sort_by(|one, other| one.name.cmp(&other.name));
    constraints
}

fn check_definition(row: &Row, table: Oid) -> Option<String> {
    let expression = deparsed(row.datum(c"conbin")?, table)?;
    let not_enforced = if version::is_enforced(row) { "" } else { NOT_ENFORCED };
    Some(format!("CHECK ({expression}){}{not_enforced}", no_inherit(row)))
}

/// Its column is the only element of `conkey`.
fn not_null_definition(row: &Row, table: Oid) -> Option<String> {
    // SAFETY: conkey is of type int2[].
    let number = unsafe { tuple::small_integers(row.datum(c"conkey")?) }.first().copied()?;
    Some(format!("{NOT_NULL}{}{}", catalog::column_name(table, number)?, no_inherit(row)))
}

fn no_inherit(row: &Row) -> &'static str {
    if row.boolean(c"connoinherit") { " NO INHERIT" } else { "" }
}

/// An expression of the table's as SQL.
fn deparsed(expression: Datum, table: Oid) -> Option<String> {
    // SAFETY: pg_get_expr takes a pg_node_tree and an oid, and returns text or null.
    unsafe {
        let arguments = [Some(expression), Some(Datum::from(table))];
        pgrx::direct_function_call_as_datum(pg_sys::pg_get_expr, &arguments).map(|datum| tuple::text_of(datum))
    }
}

/// Without PostgreSQL's own, which no statement names.
fn triggers(table: Oid) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    // SAFETY: the index is that of pg_trigger's tgrelid and tgname.
    let mut scan = unsafe {
        CatalogScan::by_index(pg_sys::TriggerRelationId, TRIGGERS_BY_TABLE, [(c"tgrelid", table)], ptr::null_mut())
    };
    scan.for_each_row(|row| {
        if !row.boolean(c"tgisinternal") {
            triggers.push(Trigger {
                name: row.name(c"tgname"),
                definition: trigger_definition(row.oid(c"oid")),
                enabled: Enabled::from_catalog(row.letter(c"tgenabled")),
                inherited: row.oid(c"tgparentid") != Oid::INVALID,
            });
        }
    });
    triggers
}

fn trigger_definition(trigger: Oid) -> String {
    // SAFETY: pg_get_triggerdef takes an oid and returns text or null.
    let text = unsafe {
        pgrx::direct_function_call_as_datum(pg_sys::pg_get_triggerdef, &[Some(Datum::from(trigger))])
            .map(|datum| tuple::text_of(datum))
    };
    text.unwrap_or_default()
}

/// The tables that it inherits from, in their order, or the one that it is a partition of, with the bound.
fn parents(table: Oid) -> Vec<String> {
    // SAFETY: the index is that of pg_inherits' inhrelid and inhseqno.
    let parents = relations(
        unsafe { CatalogScan::by_index(INHERITANCE, INHERITANCE_BY_CHILD, [(c"inhrelid", table)], ptr::null_mut()) },
        c"inhparent",
    );
    match partition_bound(table) {
        Some(bound) => parents.iter().map(|parent| format!("{parent} {bound}")).collect(),
        None => parents,
    }
}

fn partition_bound(table: Oid) -> Option<String> {
    let found = tuple::CachedTuple::find(Cache::RELOID, &[table.into()])?;
    deparsed(found.attribute(pg_sys::Anum_pg_class_relpartbound)?, table)
}

/// The tables that inherit from it.
pub fn children(table: Oid) -> Vec<String> {
    // SAFETY: the index is that of pg_inherits' inhparent.
    let scan =
        unsafe { CatalogScan::by_index(INHERITANCE, INHERITANCE_BY_PARENT, [(c"inhparent", table)], ptr::null_mut()) };
    let mut children = relations(scan, c"inhrelid");
    children.sort();
    children
}

/// The foreign tables that stand below the table, at whatever depth.
pub fn foreign_heirs(table: Oid) -> impl Iterator<Item = Oid> {
    let (mut known, mut open) = (HashSet::from([table]), vec![table]);
    let generations = iter::from_fn(move || {
        let heirs: Vec<Oid> = heirs(open.pop()?).into_iter().filter(|heir| known.insert(*heir)).collect();
        open.extend(&heirs);
        Some(heirs)
    });
    generations.flatten().filter(|heir| catalog::is_foreign_table(*heir))
}

/// Whether the table has a trigger that came down to it from above that ancestor, or the table itself.
pub fn has_trigger_from_above(table: Oid, ancestor: Oid) -> bool {
    let mut triggers = Vec::new();
    // SAFETY: the index is that of pg_trigger's tgrelid and tgname.
    let mut scan = unsafe {
        CatalogScan::by_index(pg_sys::TriggerRelationId, TRIGGERS_BY_TABLE, [(c"tgrelid", table)], ptr::null_mut())
    };
    scan.for_each_row(|row| {
        if !row.boolean(c"tgisinternal") {
            triggers.push(row.oid(c"oid"));
        }
    });
    triggers.into_iter().any(|trigger| comes_from_above(trigger, ancestor))
}

fn comes_from_above(trigger: Oid, ancestor: Oid) -> bool {
    let mut next = Some(trigger);
    while let Some(trigger) = next.filter(|oid| *oid != Oid::INVALID) {
        let read = |row: &Row| (row.oid(c"tgrelid"), row.oid(c"tgparentid"));
        // SAFETY: the index is that of pg_trigger's oid.
        let found = unsafe { scan::row_of_oid(pg_sys::TriggerRelationId, TRIGGERS_BY_OID, trigger, read) };
        if let Some((table, parent)) = found
            && table == ancestor
        {
            return parent != Oid::INVALID;
        }
        next = found.map(|(_, parent)| parent);
    }
    false
}

fn heirs(table: Oid) -> Vec<Oid> {
    let mut found = Vec::new();
    // SAFETY: the index is that of pg_inherits' inhparent.
    let mut scan =
        unsafe { CatalogScan::by_index(INHERITANCE, INHERITANCE_BY_PARENT, [(c"inhparent", table)], ptr::null_mut()) };
    scan.for_each_row(|row| found.push(row.oid(c"inhrelid")));
    found
}

fn relations(mut scan: CatalogScan, column: &CStr) -> Vec<String> {
    let mut found = Vec::new();
    scan.for_each_row(|row| found.push(catalog::identity(pg_sys::RelationRelationId, row.oid(column))));
    found
}

/// What the columns of a table default to, by number.
pub fn defaults(table: Oid) -> HashMap<i16, String> {
    let _path = Pinned::new();
    let mut defaults = HashMap::new();
    // SAFETY: the index is that of pg_attrdef's adrelid and adnum.
    let mut scan =
        unsafe { CatalogScan::by_index(DEFAULTS, DEFAULTS_BY_TABLE, [(c"adrelid", table)], ptr::null_mut()) };
    scan.for_each_row(|row| {
        let expression = row.datum(c"adbin").and_then(|expression| deparsed(expression, table));
        defaults.extend(expression.map(|expression| (row.small_integer(c"adnum"), expression)));
    });
    defaults
}

/// The grants on a wrapper or a server, each right and each right to grant it for itself, with roles as SQL writes them.
pub fn grants(catalog: Oid, oid: Oid) -> Attributes {
    let text = granted_on(catalog, oid).and_then(|granted| to_attribute(&grants_of(&granted)));
    text.map(|text| (Attribute::Grants, text)).into_iter().collect()
}

/// In whose name PostgreSQL would give and take the current role's grants on a wrapper or a server.
pub fn grantor(catalog: Oid, oid: Oid) -> Option<Oid> {
    let granted = granted_on(catalog, oid)?;
    let (mut grantor, mut options) = (Oid::INVALID, pg_sys::AclMode::default());
    let (role, right) = (session::current_role(), pg_sys::ACL_USAGE as pg_sys::AclMode);
    // SAFETY: the list is an aclitem[] of our own.
    unsafe {
        pg_sys::select_best_grantor(role, right, granted.list, granted.owner, &raw mut grantor, &raw mut options);
    }
    Some(grantor)
}

/// What is granted on an object.
struct Granted {
    list: *mut pg_sys::Acl,
    owner: Oid,
}

fn granted_on(catalog: Oid, oid: Oid) -> Option<Granted> {
    if catalog == pg_sys::ForeignDataWrapperRelationId {
        let found = tuple::CachedTuple::find(Cache::FOREIGNDATAWRAPPEROID, &[oid.into()])?;
        // SAFETY: the cache is that of pg_foreign_data_wrapper.
        let owner = unsafe { found.form::<pg_sys::FormData_pg_foreign_data_wrapper>() }.fdwowner;
        let list = found.attribute(pg_sys::Anum_pg_foreign_data_wrapper_fdwacl);
        return Some(Granted::of(list, pg_sys::ObjectType::OBJECT_FDW, owner));
    }
    let found = tuple::CachedTuple::find(Cache::FOREIGNSERVEROID, &[oid.into()])?;
    // SAFETY: the cache is that of pg_foreign_server.
    let owner = unsafe { found.form::<pg_sys::FormData_pg_foreign_server>() }.srvowner;
    let list = found.attribute(pg_sys::Anum_pg_foreign_server_srvacl);
    Some(Granted::of(list, pg_sys::ObjectType::OBJECT_FOREIGN_SERVER, owner))
}

impl Granted {
    /// A list that is null stands for what the owner has by default.
    fn of(list: Option<Datum>, object_type: pg_sys::ObjectType::Type, owner: Oid) -> Self {
        // SAFETY: the datum is of type aclitem[]; both give a palloc'ed one.
        let list = unsafe {
            match list {
                Some(list) => pg_sys::pg_detoast_datum_copy(list.cast_mut_ptr()).cast(),
                None => pg_sys::acldefault(object_type, owner),
            }
        };
        Self { list, owner }
    }
}

fn grants_of(granted: &Granted) -> Vec<String> {
    // SAFETY: the list is an aclitem[] of our own.
    let items = unsafe { tuple::grant_items(Datum::from(granted.list)) };
    // No role can be called public.
    let role = |oid: Oid| match oid {
        Oid::INVALID => catalog::PUBLIC.to_owned(),
        _ => catalog::quoted(&catalog::role_name(oid).unwrap_or_default()),
    };
    let mut grants = Vec::new();
    for item in items {
        let (rights, options) = version::rights_of(&item);
        let (grantee, grantor) = (role(item.ai_grantee), role(item.ai_grantor));
        let of = |has: bool, mark: &str| has.then(|| format!("{grantee}=U{mark}/{grantor}"));
        grants.extend([of(rights, ""), of(options, "*")].into_iter().flatten());
    }
    grants
}

/// The table of a trigger, also of one that the running command has just made.
pub fn table_of_trigger(trigger: Oid) -> Option<Oid> {
    // SAFETY: the index is that of pg_trigger's oid.
    unsafe { scan::row_of_oid(pg_sys::TriggerRelationId, TRIGGERS_BY_OID, trigger, |row| row.oid(c"tgrelid")) }
}

/// The name of a trigger that the running command has made, if it shows already; None of one that is in the place of another,
/// which still shows instead.
pub fn name_of_new_trigger(trigger: Oid) -> Option<String> {
    let shown = |snapshot| {
        let read = |row: &Row| (row.place(), row.name(c"tgname"));
        // SAFETY: the index is that of pg_trigger's oid; neither snapshot is ever unregistered.
        unsafe { scan::row_as(pg_sys::TriggerRelationId, TRIGGERS_BY_OID, trigger, snapshot, read) }
    };
    let (place, name) = shown(&raw mut pg_sys::SnapshotSelfData)?;
    (shown(ptr::null_mut())?.0 == place).then_some(name)
}

/// The table of a default.
pub fn table_of_default(default: Oid) -> Option<Oid> {
    // SAFETY: the index is that of pg_attrdef's oid.
    unsafe { scan::row_of_oid(DEFAULTS, DEFAULTS_BY_OID, default, |row| row.oid(c"adrelid")) }
}
