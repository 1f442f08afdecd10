//! Scans of whole catalogs, for what stands below a wrapper or a server.

use crate::ffi::tuple;
use pgrx::pg_sys::{self, Datum, Oid};
use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

/// pg_constraint and its index by oid, as pg_constraint.h numbers them.
pub const CONSTRAINTS: Oid = Oid::from_u32(2606);
const CONSTRAINTS_BY_OID: Oid = Oid::from_u32(2667);

/// pg_depend and its indexes by what depends and by on what, as pg_depend.h numbers them.
const DEPENDENCIES: Oid = Oid::from_u32(2608);
const DEPENDENCIES_BY_DEPENDER: Oid = Oid::from_u32(2673);
const DEPENDENCIES_BY_REFERENCED: Oid = Oid::from_u32(2674);

/// A row of pg_depend (pgrx binds nothing of pg_depend.h).
#[repr(C)]
struct Dependency {
    class: Oid,
    object: Oid,
    sub_object: i32,
    referenced_class: Oid,
    referenced_object: Oid,
    referenced_sub_object: i32,
    kind: c_char,
}

/// A catalog opened for reading, closed when it goes out of scope.
pub struct CatalogScan {
    relation: pg_sys::Relation,
    scan: pg_sys::SysScanDesc,
    /// The snapshot to unregister at the end, or null.
    registered: pg_sys::Snapshot,
}

impl CatalogScan {
    /// Reads the catalog as a catalog look-up would see it now.
    pub fn of_catalog(catalog: Oid) -> Self {
        // SAFETY: a catalog is always there; a null snapshot asks for the catalog snapshot.
        unsafe {
            let relation = pg_sys::table_open(catalog, pg_sys::AccessShareLock as c_int);
            Self::begin(relation, ptr::null_mut())
        }
    }

    /// Reads a table as the latest committed state and the own transaction make it, whatever the isolation level; None if
    /// it is gone. The snapshot is taken when the lock has been granted: one from before would miss what those committed
    /// for whom we waited (TRUNCATE and new rows in one transaction).
    pub fn of_latest(table: Oid) -> Option<Self> {
        // SAFETY: called inside a transaction only; the snapshot is unregistered when the scan ends.
        unsafe {
            let relation = pg_sys::try_table_open(table, pg_sys::AccessShareLock as c_int);
            (!relation.is_null()).then(|| Self::begin(relation, pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot())))
        }
    }

    /// Reads a table as the running statement does; None if it is gone.
    pub fn of_statement(table: Oid) -> Option<Self> {
        // SAFETY: called while a statement runs, which has its snapshot; it is unregistered when the scan ends.
        unsafe {
            let relation = pg_sys::try_table_open(table, pg_sys::AccessShareLock as c_int);
            (!relation.is_null()).then(|| Self::begin(relation, pg_sys::RegisterSnapshot(pg_sys::GetActiveSnapshot())))
        }
    }

    /// # Safety
    /// The relation is open; the snapshot is null or registered.
    unsafe fn begin(relation: pg_sys::Relation, snapshot: pg_sys::Snapshot) -> Self {
        // SAFETY: the caller's promise.
        let scan = unsafe { pg_sys::systable_beginscan(relation, Oid::INVALID, false, snapshot, 0, ptr::null_mut()) };
        Self { relation, scan, registered: snapshot }
    }

    /// Reads the rows with those oids in those columns, by an index; with a null snapshot as a catalog look-up would see
    /// them.
    ///
    /// # Safety
    /// The index is one of the catalog's that begins with these columns; the snapshot is null or never unregistered.
    pub unsafe fn by_index<const N: usize>(
        catalog: Oid,
        index: Oid,
        oids: [(&CStr, Oid); N],
        snapshot: pg_sys::Snapshot,
    ) -> Self {
        let mut keys = [pg_sys::ScanKeyData::default(); N];
        // SAFETY: the caller's promise.
        unsafe {
            let relation = pg_sys::table_open(catalog, pg_sys::AccessShareLock as c_int);
            for (key, (column, oid)) in keys.iter_mut().zip(oids) {
                let number = pg_sys::SPI_fnumber((*relation).rd_att, column.as_ptr()) as pg_sys::AttrNumber;
                let strategy = pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber;
                pg_sys::ScanKeyInit(key, number, strategy, pg_sys::F_OIDEQ.into(), oid.into());
            }
            let scan = pg_sys::systable_beginscan(relation, index, true, snapshot, N as c_int, keys.as_mut_ptr());
            Self { relation, scan, registered: ptr::null_mut() }
        }
    }

    /// The rows of a table with those oids in those columns, as [`of_latest`](Self::of_latest) reads them; by the index if
    /// that is one of the table's that begins with these columns, else one by one.
    pub fn of_latest_by_index<const N: usize>(table: Oid, index: Oid, oids: [(&CStr, Oid); N]) -> Option<Self> {
        // SAFETY: called inside a transaction only; the snapshot is unregistered when the scan ends. Each column is one of
        // the table's, or there is no scan.
        unsafe {
            let relation = pg_sys::try_table_open(table, pg_sys::AccessShareLock as c_int);
            if relation.is_null() {
                return None;
            }
            let columns = oids.map(|(column, _)| pg_sys::SPI_fnumber((*relation).rd_att, column.as_ptr()));
            if columns.iter().any(|number| *number <= 0) {
                pg_sys::table_close(relation, pg_sys::AccessShareLock as c_int);
                return None;
            }
            let is_usable = index != Oid::INVALID && pg_sys::IndexGetRelation(index, true) == table;
            let mut keys = [pg_sys::ScanKeyData::default(); N];
            for ((key, (_, oid)), number) in keys.iter_mut().zip(oids).zip(columns) {
                let strategy = pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber;
                pg_sys::ScanKeyInit(key, number as pg_sys::AttrNumber, strategy, pg_sys::F_OIDEQ.into(), oid.into());
            }
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let scan = pg_sys::systable_beginscan(relation, index, is_usable, snapshot, N as c_int, keys.as_mut_ptr());
            Some(Self { relation, scan, registered: snapshot })
        }
    }

    /// The row type of the table.
    pub fn row_type(&self) -> pg_sys::TupleDesc {
        // SAFETY: the relation is open as long as self lives.
        unsafe { (*self.relation).rd_att }
    }

    /// Calls `visit` with each row.
    pub fn for_each_row(&mut self, mut visit: impl FnMut(&Row)) {
        let row_type = self.row_type();
        self.for_each(|tuple| visit(&Row { tuple, row_type }));
    }

    /// Calls `visit` with each tuple, valid for that call.
    pub fn for_each(&mut self, mut visit: impl FnMut(pg_sys::HeapTuple)) {
        loop {
            // SAFETY: the scan is open; a null tuple ends it.
            let tuple = unsafe { pg_sys::systable_getnext(self.scan) };
            if tuple.is_null() {
                return;
            }
            visit(tuple);
            crate::ffi::server::check_for_interrupts();
        }
    }
}

/// One row of a catalog, its columns by name: some have other numbers in other versions.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    row_type: pg_sys::TupleDesc,
}

impl Row {
    /// The column's value, None if it is null. The column must be there.
    pub fn datum(&self, column: &CStr) -> Option<Datum> {
        let mut is_null = false;
        // SAFETY: the tuple is of that row type; the name is a C string.
        let datum = unsafe {
            let number = pg_sys::SPI_fnumber(self.row_type, column.as_ptr());
            pg_sys::SPI_getbinval(self.tuple, self.row_type, number, &raw mut is_null)
        };
        (!is_null).then_some(datum)
    }

    /// Where this version of the row stands.
    pub fn tuple_id(&self) -> pg_sys::ItemPointerData {
        // SAFETY: the tuple is one of a table's.
        unsafe { (*self.tuple).t_self }
    }

    /// Where this version of the row stands: its block's number, in two halves, and its place there.
    pub fn place(&self) -> (u16, u16, u16) {
        // SAFETY: the tuple is one of a table's.
        let place = unsafe { (*self.tuple).t_self };
        (place.ip_blkid.bi_hi, place.ip_blkid.bi_lo, place.ip_posid)
    }

    pub fn oid(&self, column: &CStr) -> Oid {
        self.datum(column).map_or(Oid::INVALID, |datum| Oid::from(datum.value() as u32))
    }

    pub fn boolean(&self, column: &CStr) -> bool {
        self.datum(column).is_some_and(|datum| datum.value() as u8 != 0)
    }

    pub fn small_integer(&self, column: &CStr) -> i16 {
        self.datum(column).map_or(0, |datum| datum.value() as i16)
    }

    /// Of type `"char"`.
    pub fn letter(&self, column: &CStr) -> char {
        self.datum(column).map_or('\0', |datum| char::from(datum.value() as u8))
    }

    pub fn name(&self, column: &CStr) -> String {
        // SAFETY: the column is of type name.
        self.datum(column).map(|datum| tuple::name(unsafe { &*datum.cast_mut_ptr() })).unwrap_or_default()
    }
}

impl Drop for CatalogScan {
    fn drop(&mut self) {
        // SAFETY: each was opened by `open` and is closed once.
        unsafe {
            pg_sys::systable_endscan(self.scan);
            if !self.registered.is_null() {
                pg_sys::UnregisterSnapshot(self.registered);
            }
            pg_sys::table_close(self.relation, pg_sys::AccessShareLock as c_int);
        }
    }
}

/// Every wrapper.
pub fn wrappers() -> Vec<Oid> {
    let mut wrappers = Vec::new();
    CatalogScan::of_catalog(pg_sys::ForeignDataWrapperRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_foreign_data_wrapper.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_foreign_data_wrapper>() };
        wrappers.push(form.oid);
    });
    wrappers
}

/// Every server.
pub fn servers() -> Vec<Oid> {
    servers_where(|_| true)
}

/// The servers of a wrapper.
pub fn servers_of(wrapper: Oid) -> Vec<Oid> {
    servers_where(|server| server.srvfdw == wrapper)
}

fn servers_where(is_wanted: impl Fn(&pg_sys::FormData_pg_foreign_server) -> bool) -> Vec<Oid> {
    let mut servers = Vec::new();
    CatalogScan::of_catalog(pg_sys::ForeignServerRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_foreign_server.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_foreign_server>() };
        if is_wanted(form) {
            servers.push(form.oid);
        }
    });
    servers
}

/// The user mappings of those servers, each with its server.
pub fn user_mappings_of(servers: &HashSet<Oid>) -> Vec<(Oid, Oid)> {
    let mut mappings = Vec::new();
    CatalogScan::of_catalog(pg_sys::UserMappingRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_user_mapping.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_user_mapping>() };
        if servers.contains(&form.umserver) {
            mappings.push((form.oid, form.umserver));
        }
    });
    mappings
}

/// The user mappings of a role.
pub fn user_mappings_for(role: Oid) -> Vec<Oid> {
    user_mappings_where(|mapping| mapping.umuser == role)
}

/// Every user mapping.
pub fn user_mappings() -> Vec<Oid> {
    user_mappings_where(|_| true)
}

fn user_mappings_where(is_wanted: impl Fn(&pg_sys::FormData_pg_user_mapping) -> bool) -> Vec<Oid> {
    let mut mappings = Vec::new();
    CatalogScan::of_catalog(pg_sys::UserMappingRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_user_mapping.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_user_mapping>() };
        if is_wanted(form) {
            mappings.push(form.oid);
        }
    });
    mappings
}

/// Every foreign table.
pub fn foreign_tables() -> Vec<Oid> {
    let mut tables = Vec::new();
    CatalogScan::of_catalog(pg_sys::ForeignTableRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_foreign_table.
        tables.push(unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_foreign_table>() }.ftrelid);
    });
    tables
}

/// The foreign tables that a running CREATE FOREIGN TABLE has made as relations, and not yet as foreign tables.
pub fn unfinished_foreign_tables() -> Vec<Oid> {
    let finished: HashSet<Oid> = foreign_tables().into_iter().collect();
    let mut unfinished = Vec::new();
    CatalogScan::of_catalog(pg_sys::RelationRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_class.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>() };
        if form.relkind.cast_unsigned() == pg_sys::RELKIND_FOREIGN_TABLE && !finished.contains(&form.oid) {
            unfinished.push(form.oid);
        }
    });
    unfinished
}

/// The foreign tables of those servers, each with its server.
pub fn foreign_tables_of(servers: &HashSet<Oid>) -> Vec<(Oid, Oid)> {
    let mut tables = Vec::new();
    CatalogScan::of_catalog(pg_sys::ForeignTableRelationId).for_each(|tuple| {
        // SAFETY: a tuple of pg_foreign_table.
        let form = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_foreign_table>() };
        if servers.contains(&form.ftserver) {
            tables.push((form.ftrelid, form.ftserver));
        }
    });
    tables
}

/// The only row with that oid, also if the running command has just written it.
///
/// # Safety
/// The index is one of the catalog's over its oid column alone.
pub unsafe fn row_of_oid<T>(catalog: Oid, index: Oid, oid: Oid, read: impl Fn(&Row) -> T) -> Option<T> {
    // SAFETY: the caller's promise; SnapshotSelf is never unregistered.
    unsafe { row_as(catalog, index, oid, &raw mut pg_sys::SnapshotSelfData, read) }
}

/// The only row with that oid as a snapshot shows it; with a null one as a catalog look-up would see it.
///
/// # Safety
/// The index is one of the catalog's over its oid column alone; the snapshot is null or never unregistered.
pub unsafe fn row_as<T>(
    catalog: Oid,
    index: Oid,
    oid: Oid,
    snapshot: pg_sys::Snapshot,
    read: impl Fn(&Row) -> T,
) -> Option<T> {
    let mut found = None;
    // SAFETY: the caller's promise.
    let mut scan = unsafe { CatalogScan::by_index(catalog, index, [(c"oid", oid)], snapshot) };
    scan.for_each_row(|row| found = Some(read(row)));
    found
}

/// The relation of a constraint; invalid for a domain's.
pub fn relation_of_constraint(constraint: Oid) -> Option<Oid> {
    // SAFETY: the index is that of pg_constraint's oid.
    unsafe { row_of_oid(CONSTRAINTS, CONSTRAINTS_BY_OID, constraint, |row| row.oid(c"conrelid")) }
}

/// The sequence that an identity column draws its numbers from.
pub fn sequence_of(table: Oid, column: i16) -> Option<Oid> {
    let mut sequence = None;
    // SAFETY: the index is that of pg_depend's refclassid, refobjid and refobjsubid.
    let mut scan = unsafe {
        let referenced = [(c"refclassid", pg_sys::RelationRelationId), (c"refobjid", table)];
        CatalogScan::by_index(DEPENDENCIES, DEPENDENCIES_BY_REFERENCED, referenced, ptr::null_mut())
    };
    scan.for_each(|tuple| {
        // SAFETY: a tuple of pg_depend, none of whose columns is ever null.
        let row = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<Dependency>() };
        let is_internal = row.class == pg_sys::RelationRelationId && row.kind.cast_unsigned() == b'i';
        if is_internal && row.referenced_sub_object == i32::from(column) {
            sequence = Some(row.object);
        }
    });
    sequence
}

/// The function that a function depends on.
pub fn function_under(function: Oid) -> Option<Oid> {
    let mut under = None;
    // SAFETY: the index is that of pg_depend's classid, objid and objsubid.
    let mut scan = unsafe {
        let depender = [(c"classid", pg_sys::ProcedureRelationId), (c"objid", function)];
        CatalogScan::by_index(DEPENDENCIES, DEPENDENCIES_BY_DEPENDER, depender, ptr::null_mut())
    };
    scan.for_each(|tuple| {
        // SAFETY: a tuple of pg_depend, none of whose columns is ever null.
        let row = unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<Dependency>() };
        if row.referenced_class == pg_sys::ProcedureRelationId {
            under = Some(row.referenced_object);
        }
    });
    under
}
