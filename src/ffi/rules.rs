//! The table of rules: finding it, reading it, and hearing that it changed.

use crate::error::Error;
use crate::ffi::function::Call;
use crate::ffi::scan::CatalogScan;
use crate::ffi::{rights, text, tuple};
use fdw_guard_policy::interval::Interval;
use fdw_guard_policy::rule::Rule;
use pgrx::pg_sys::{self, Datum, HeapTuple, Oid, SysCacheIdentifier as Cache, TupleDesc};
use serde_json::Value;
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, c_int};

const SCHEMA: &CStr = c"fdw_guard";
const TABLE: &CStr = c"rule";
const EXTENSION: &CStr = c"fdw_guard";

/// The columns that a policy document has too, but for the schemas, which stay text.
const COLUMNS: [&str; 20] = [
    "name",
    "object_type",
    "database",
    "wrapper",
    "server",
    "role",
    "relation",
    "column_name",
    "forms",
    "mode",
    "roles",
    "except_roles",
    "strict",
    "at_use",
    "max_age",
    "reuse_history",
    "pack",
    "description",
    "message",
    "hint",
];

/// Those of type `text[]`.
const ARRAYS: [&str; 9] =
    ["database", "wrapper", "server", "role", "relation", "column_name", "forms", "roles", "except_roles"];

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    static WATCHED: Cell<Oid> = const { Cell::new(Oid::INVALID) };
    static NAME_CHANGES: Cell<u64> = const { Cell::new(0) };
    /// The changes of names after which the watched table was found.
    static FOUND_AFTER: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The caches by which the table is found.
const NAMES: [Cache::Type; 2] = [Cache::NAMESPACENAME, Cache::RELNAMENSP];

/// Asks PostgreSQL to say when a table's definition or its name changes. Called once, when the library is loaded.
pub fn watch() {
    // SAFETY: the callbacks live as long as the library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), Datum::null());
        for cache in NAMES {
            pg_sys::CacheRegisterSyscacheCallback(cache as c_int, Some(name_changed), Datum::null());
        }
    }
}

unsafe extern "C-unwind" fn name_changed(_argument: Datum, _cache: c_int, _hash: u32) {
    NAME_CHANGES.set(NAME_CHANGES.get().wrapping_add(1));
}

unsafe extern "C-unwind" fn relation_changed(_argument: Datum, relation: Oid) {
    if relation == Oid::INVALID || relation == WATCHED.get() {
        GENERATION.set(GENERATION.get().wrapping_add(1));
    }
}

/// Changes whenever a table or a schema may have got another name.
pub fn name_changes() -> u64 {
    NAME_CHANGES.get()
}

/// Changes whenever the rules of the table may have changed.
pub fn generation() -> u64 {
    GENERATION.get()
}

/// The table of rules in this database; None where the extension is not.
pub fn table() -> Option<Oid> {
    let changes = Some(NAME_CHANGES.get());
    if FOUND_AFTER.get() != changes {
        let table = find_table();
        if table != WATCHED.replace(table) {
            GENERATION.set(GENERATION.get().wrapping_add(1));
        }
        // What changed while it was looked up may have been seen or not.
        FOUND_AFTER.set(changes);
    }
    Some(WATCHED.get()).filter(|table| *table != Oid::INVALID)
}

fn find_table() -> Oid {
    find_by_name(TABLE)
}

/// The table of that name in our schema; invalid if there is none.
pub fn find_by_name(table: &CStr) -> Oid {
    // SAFETY: system cache look-ups by name; with missing_ok an unknown name is InvalidOid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(SCHEMA.as_ptr(), true);
        if schema == Oid::INVALID { schema } else { pg_sys::get_relname_relid(table.as_ptr(), schema) }
    }
}

/// Whether the table is the extension's own, and not somebody's who took its name where the extension is not.
pub fn is_ours(table: Oid) -> bool {
    let extension = extension();
    // SAFETY: a catalog look-up by oid.
    let of_table = || unsafe { pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, table) };
    extension.is_some_and(|extension| of_table() == extension)
}

/// The extension in this database.
pub fn extension() -> Option<Oid> {
    // SAFETY: a catalog look-up by name; with missing_ok an unknown name is InvalidOid.
    let extension = unsafe { pg_sys::get_extension_oid(EXTENSION.as_ptr(), true) };
    (extension != Oid::INVALID).then_some(extension)
}

/// All rules of the table, as the latest commit and the own transaction left them. A row that cannot be read, because
/// somebody switched the trigger off that checks it, is an error: a rule that is not understood must not be ignored.
pub fn read(table: Oid) -> Result<Vec<Rule>, Error> {
    let mut rules = Vec::new();
    if let Some(mut scan) = is_ours(table).then(|| CatalogScan::of_latest(table)).flatten() {
        let row_type = scan.row_type();
        // SAFETY: the scan gives tuples of the table whose row type this is.
        scan.for_each(|row| rules.push(unsafe { Row::of(row, row_type) }.rule()));
    }
    rules.into_iter().collect()
}

/// What the trigger on the table of rules is called for.
pub enum Event {
    /// A row is about to be written.
    Writing {
        row: Written,
        is_new: bool,
    },
    /// A row has been written, and other triggers have had their say.
    HasWritten {
        old: Option<Written>,
        new: Written,
    },
    /// A row is about to go.
    Removing(HeapTuple),
    HasRemoved(Written),
    /// All rows are about to go.
    Truncating,
}

/// A row that is written.
pub struct Written {
    tuple: HeapTuple,
    row_type: TupleDesc,
}

/// What the trigger on the table of rules is called for. Every session hears that the rules have changed.
pub fn event(call: &Call) -> Result<Event, Error> {
    let Some(trigger) = call.trigger() else { return Err(Error::NotATrigger) };
    // SAFETY: trigger comes from PostgreSQL; which tuples it holds follows from its event (trigger.h).
    unsafe {
        let table = (*trigger.tg_relation).rd_id;
        if Some(table) != self::table() {
            return Err(Error::NotATrigger);
        }
        pg_sys::CacheInvalidateRelcacheByRelid(table);
        let written = |tuple| Written { tuple, row_type: (*trigger.tg_relation).rd_att };
        let (before, row) = (pg_sys::TRIGGER_EVENT_BEFORE, pg_sys::TRIGGER_EVENT_ROW);
        let (operation, old, new) =
            (trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK, trigger.tg_trigtuple, trigger.tg_newtuple);
        check_right(table, operation)?;
        match (operation, trigger.tg_event & (before | row)) {
            (pg_sys::TRIGGER_EVENT_INSERT, when) if when == before | row => {
                Ok(Event::Writing { row: written(old), is_new: true })
            }
            (pg_sys::TRIGGER_EVENT_UPDATE, when) if when == before | row => {
                Ok(Event::Writing { row: written(new), is_new: false })
            }
            (pg_sys::TRIGGER_EVENT_INSERT, when) if when == row => {
                Ok(Event::HasWritten { old: None, new: written(old) })
            }
            (pg_sys::TRIGGER_EVENT_UPDATE, when) if when == row => {
                Ok(Event::HasWritten { old: Some(written(old)), new: written(new) })
            }
            (pg_sys::TRIGGER_EVENT_DELETE, when) if when == before | row => Ok(Event::Removing(old)),
            (pg_sys::TRIGGER_EVENT_DELETE, when) if when == row => Ok(Event::HasRemoved(written(old))),
            (pg_sys::TRIGGER_EVENT_TRUNCATE, when) if when == before => Ok(Event::Truncating),
            _ => Err(Error::NotATrigger),
        }
    }
}

/// Whether the caller may read the table of rules.
pub fn may_read() -> bool {
    table().is_some_and(rights::may_select)
}

/// Refuses whoever could not write a rule, and says whether the rules that the caller writes are trusted.
pub fn right_to_write() -> Result<bool, Error> {
    if let Some(table) = table() {
        check_right(table, pg_sys::TRIGGER_EVENT_INSERT)?;
    }
    Ok(is_superuser())
}

/// Refuses whoever has no grant on this very table: `pg_write_all_data` is not meant to write policy.
fn check_right(table: Oid, operation: u32) -> Result<(), Error> {
    let (right, verb) = match operation {
        pg_sys::TRIGGER_EVENT_INSERT => (pg_sys::ACL_INSERT, "INSERT"),
        pg_sys::TRIGGER_EVENT_UPDATE => (pg_sys::ACL_UPDATE, "UPDATE"),
        pg_sys::TRIGGER_EVENT_DELETE => (pg_sys::ACL_DELETE, "DELETE"),
        _ => (pg_sys::ACL_TRUNCATE, "TRUNCATE"),
    };
    let granted = rights::has_grant_on_table(table, right);
    let writes_all_data = || rights::is_member_of(Oid::from_u32(pg_sys::ROLE_PG_WRITE_ALL_DATA));
    if granted { Ok(()) } else { Err(Error::NoGrantOnRules { verb, writes_all_data: writes_all_data() }) }
}

impl Written {
    /// The rule that the row says. It is trusted if a superuser writes it and does not say otherwise.
    pub fn rule(&self) -> Result<Rule, Error> {
        let row = self.row();
        let trusted = row.boolean("trusted").unwrap_or(true) && is_superuser();
        Ok(Rule { trusted, ..row.rule()? })
    }

    /// The rule as it stands in the row; None if that cannot be read.
    pub fn standing(&self) -> Option<Rule> {
        self.row().rule().ok()
    }

    /// Whether the row says that its rule is trusted.
    pub fn says_trusted(&self) -> bool {
        self.row().boolean("trusted").unwrap_or_default()
    }

    fn row(&self) -> Row {
        // SAFETY: the row is one of the table of rules, as its type says.
        unsafe { Row::of(self.tuple, self.row_type) }
    }

    /// The row as it is.
    pub fn tuple(&self) -> HeapTuple {
        self.tuple
    }

    /// The row with its `trusted` set.
    pub fn with_trusted(&self, trusted: bool) -> HeapTuple {
        // SAFETY: the column exists, and the copy lives in the current memory context, as a trigger's answer does.
        unsafe {
            let mut column = pg_sys::SPI_fnumber(self.row_type, c"trusted".as_ptr());
            let (mut value, mut is_null) = (Datum::from(trusted), false);
            let (value, is_null) = (&raw mut value, &raw mut is_null);
            pg_sys::heap_modify_tuple_by_cols(self.tuple, self.row_type, 1, &raw mut column, value, is_null)
        }
    }
}

fn is_superuser() -> bool {
    // SAFETY: looks the current role up.
    unsafe { pg_sys::superuser() }
}

/// One row of the table of rules, by column name.
struct Row(HashMap<String, Datum>);

impl Row {
    /// # Safety
    /// `row` is a tuple of type `row_type`, with the columns of the table of rules.
    unsafe fn of(row: HeapTuple, row_type: TupleDesc) -> Self {
        // SAFETY: the caller's promise; heap_deform_tuple fills as many elements as the type has attributes.
        unsafe {
            let count = (*row_type).natts.max(0) as usize;
            let mut values = vec![Datum::null(); count];
            let mut nulls = vec![true; count];
            pg_sys::heap_deform_tuple(row, row_type, values.as_mut_ptr(), nulls.as_mut_ptr());
            let present = values.into_iter().zip(nulls).enumerate().filter(|(_, (_, is_null))| !is_null);
            Self(present.filter_map(|(place, (value, _))| Some((column_name(row_type, place)?, value))).collect())
        }
    }

    fn text(&self, column: &str) -> Option<String> {
        // SAFETY: only columns of type text or json are asked for so.
        self.0.get(column).map(|datum| unsafe { tuple::text_of(*datum) })
    }

    fn boolean(&self, column: &str) -> Option<bool> {
        self.0.get(column).map(|datum| datum.value() != 0)
    }

    fn elements(&self, column: &str) -> Option<Vec<Option<String>>> {
        // SAFETY: only columns of type text[] are asked for so.
        self.0.get(column).map(|datum| unsafe { tuple::text_array(*datum) })
    }

    fn interval(&self, column: &str) -> Option<Interval> {
        self.0.get(column).map(|datum| {
            // SAFETY: only a column of type interval is asked for so.
            let interval = unsafe { datum.cast_mut_ptr::<pg_sys::Interval>().read_unaligned() };
            Interval { months: interval.month, days: interval.day, microseconds: interval.time }
        })
    }

    /// The value of a column as a policy document would hold it; a null element of an array stays one, and is refused.
    fn value(&self, column: &str) -> Value {
        match column {
            "strict" => self.boolean(column).into(),
            "max_age" => self.interval(column).map(|interval| interval.to_string()).into(),
            "reuse_history" => self.0.get(column).map(|datum| datum.value() as i32).into(),
            column if ARRAYS.contains(&column) => self.elements(column).into(),
            _ => self.text(column).into(),
        }
    }

    fn rule(&self) -> Result<Rule, Error> {
        let name = self.text("name").unwrap_or_default();
        let fields = COLUMNS.iter().map(|column| ((*column).to_owned(), self.value(column))).collect();
        let rule = Rule::from_value(Value::Object(fields)).map_err(|fault| Error::InvalidRule { rule: name, fault })?;
        Ok(Rule {
            options: self.text("options"),
            condition: self.text("condition"),
            trusted: self.boolean("trusted").unwrap_or_default(),
            ..rule
        })
    }
}

/// The name of the column at that place, counted from 0.
///
/// # Safety
/// `row_type` is a valid row type.
unsafe fn column_name(row_type: TupleDesc, place: usize) -> Option<String> {
    let place = c_int::try_from(place).ok()?;
    // SAFETY: SPI_fname gives null for a number that is no column's, else a palloc'ed C string; it needs no SPI connection.
    unsafe { text::from_server_opt(pg_sys::SPI_fname(row_type, place + 1)) }
}
