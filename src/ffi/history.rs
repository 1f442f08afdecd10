//! The table behind the history: finding it, writing to it, removing from it.
//!
//! Rows are written as the executor writes them, indexes and all, but without rights and triggers: whoever changes a
//! foreign object has no right to write its history, and nobody else writes at all.

use crate::ffi::function::Value;
use crate::ffi::row_values::RowValues;
use crate::ffi::scan::CatalogScan;
use crate::ffi::{quiet, raising, rights, rules, session, text, version};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::rc::Rc;
use thiserror::Error;

const TABLE: &CStr = c"history_row";

/// What can be wrong with the table.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum HistoryError {
    #[error("the change cannot be recorded: table fdw_guard.history_row does not exist")]
    NoTable,
    #[error("the change cannot be recorded: table fdw_guard.history_row has been altered")]
    Altered,
}

/// Where the history of this database is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum History {
    /// The extension is not in this database, or not yet.
    Nowhere,
    /// The extension is there, and its table is not.
    Lost,
    Table(Oid),
}

thread_local! {
    /// What was found, and after how many changes of names.
    static FOUND: Cell<Option<(u64, History)>> = const { Cell::new(None) };
}

/// Where changes are recorded. Kept until a table or a schema gets another name.
pub fn find() -> History {
    let changes = rules::name_changes();
    if let Some((_, known)) = FOUND.get().filter(|(after, _)| *after == changes) {
        return known;
    }
    let found = look();
    // A table that is lost may be given back, or come with the rest of a script, without another word.
    let is_settled = matches!(found, History::Table(_)) || rules::extension().is_none();
    FOUND.set(is_settled.then_some((changes, found)));
    found
}

fn look() -> History {
    let table = rules::find_by_name(TABLE);
    if table != Oid::INVALID && rules::is_ours(table) {
        return History::Table(table);
    }
    let extension = rules::extension().filter(|extension| !is_being_made(*extension));
    extension.map_or(History::Nowhere, |_| History::Lost)
}

/// Whether the extension's own script runs, of CREATE EXTENSION or ALTER EXTENSION … UPDATE.
pub fn is_being_made(extension: Oid) -> bool {
    // SAFETY: reads variables of the backend.
    unsafe { pg_sys::creating_extension && pg_sys::CurrentExtensionObject == extension }
}

/// The columns, in the order of [`Row`] after those that every row of a statement shares.
const COLUMNS: [(&CStr, Oid); 22] = [
    (c"id", pg_sys::UUIDOID),
    (c"at", pg_sys::TIMESTAMPTZOID),
    (c"transaction_id", pg_sys::XID8OID),
    (c"client_addr", pg_sys::INETOID),
    (c"system_identifier", pg_sys::INT8OID),
    (c"session_role", pg_sys::TEXTOID),
    (c"application_name", pg_sys::TEXTOID),
    (c"ord", pg_sys::INT4OID),
    (c"acting_role", pg_sys::TEXTOID),
    (c"tag", pg_sys::TEXTOID),
    (c"form", pg_sys::TEXTOID),
    (c"object_type", pg_sys::TEXTOID),
    (c"identity", pg_sys::TEXTOID),
    (c"object", pg_sys::OIDOID),
    (c"column_number", pg_sys::INT2OID),
    (c"attribute", pg_sys::TEXTOID),
    (c"change", pg_sys::TEXTOID),
    (c"old", pg_sys::TEXTOID),
    (c"new", pg_sys::TEXTOID),
    (c"overridden_rule", pg_sys::TEXTOID),
    (c"override_reason", pg_sys::TEXTOID),
    (c"statement", pg_sys::TEXTOID),
];

/// The values of a row from `ord` on.
pub type Row = [Value; OWN];

const OWN: usize = 15;

/// The names of those columns.
pub fn own_columns() -> impl Iterator<Item = String> {
    COLUMNS.into_iter().skip(COLUMNS.len() - OWN).map(|(name, _)| name.to_string_lossy().into_owned())
}

/// What all rows that are written at once have in common; the rest of it is the server's own to say.
pub struct Common {
    pub session_role: String,
    pub application_name: String,
}

/// Writes rows.
///
/// # Errors
/// When the table is not what the extension made.
pub fn write(table: Oid, common: &Common, rows: &[Row]) -> Result<(), HistoryError> {
    let mut writer = Writer::open(table, &COLUMNS)?;
    let names = RowValues::of(&[common.session_role.as_str().into(), common.application_name.as_str().into()]);
    let circumstances = circumstances();
    for row in rows {
        let (id, own) = (unique_id(), RowValues::of(row));
        let id = [(Datum::from(id.as_ptr()), false)].into_iter();
        writer.insert(id.chain(circumstances).chain(names.iter()).chain(own.iter()));
    }
    Ok(())
}

/// The columns between `id` and `session_role`.
fn circumstances() -> [(Datum, bool); 4] {
    // SAFETY: reads the clock and the state of the transaction, which has changed a catalog already.
    let (at, transaction) = unsafe {
        let transaction = raising::under_one_boundary(|| raising::GetTopFullTransactionId());
        (quiet::GetCurrentTimestamp(), transaction.value.cast_signed())
    };
    let address = session::client_address();
    [
        (Datum::from(at), false),
        (Datum::from(transaction), false),
        (address.unwrap_or(Datum::null()), address.is_none()),
        (Datum::from(system_identifier()), false),
    ]
}

/// The running transaction, None before it has changed anything.
pub fn transaction() -> Option<i64> {
    // SAFETY: reads the state of the transaction.
    let transaction = unsafe { pg_sys::GetTopFullTransactionIdIfAny() }.value;
    (transaction != 0).then(|| transaction.cast_signed())
}

/// The time, as PostgreSQL's log has it.
pub fn now_as_text() -> String {
    // SAFETY: reads the clock; the answer is a C string that stays until the next call.
    unsafe { text::from_server(pg_sys::timestamptz_to_str(quiet::GetCurrentTimestamp())) }
}

/// By which pg_control tells clusters apart; oids of objects mean something in their own one only.
pub fn system_identifier() -> i64 {
    // SAFETY: reads what every server process knows of its cluster.
    unsafe { quiet::GetSystemIdentifier() }.cast_signed()
}

const UUID_LENGTH: usize = 16;

thread_local! {
    /// The random part of the last id, counted on from where chance has begun.
    static LAST: Cell<Option<(u32, u128)>> = const { Cell::new(None) };
}

/// A UUID of version 7 (RFC 9562, monotonic random): it begins with the time, so that rows of the same time stand together
/// in the index, and ends in a number that starts at random in each process and then counts.
fn unique_id() -> [u8; UUID_LENGTH] {
    // SAFETY: reads the clock, which counts microseconds, and a variable of this process.
    let (now, process) = unsafe { (quiet::GetCurrentTimestamp(), pg_sys::MyProcPid.cast_unsigned()) };
    let last = LAST.get().filter(|(of, _)| *of == process).map(|(_, last)| last);
    let number = last.map_or_else(random, |last| last.wrapping_add(1));
    LAST.set(Some((process, number)));
    let milliseconds = (now / 1000).saturating_add(FROM_UNIX_TO_POSTGRES);
    uuid(milliseconds.cast_unsigned(), number).to_be_bytes()
}

/// 48 bits of time, the version, 12 bits, the variant, 62 bits.
const fn uuid(milliseconds: u64, number: u128) -> u128 {
    let time = (milliseconds as u128 & 0xffff_ffff_ffff) << 80;
    let high = (number >> 62) & 0x0fff;
    let low = number & 0x3fff_ffff_ffff_ffff;
    time | 0x7 << 76 | high << 64 | 0b10 << 62 | low
}

/// What a random UUID holds.
fn random() -> u128 {
    // SAFETY: gen_random_uuid takes no argument and gives sixteen bytes, or raises an error.
    unsafe {
        let random = pgrx::direct_function_call_as_datum(pg_sys::gen_random_uuid, &[]).unwrap_or(Datum::null());
        u128::from_be_bytes(*random.cast_mut_ptr::<[u8; UUID_LENGTH]>())
    }
}

/// Milliseconds from 1970 to 2000.
const FROM_UNIX_TO_POSTGRES: i64 = 946_684_800_000;

/// The table with its indexes, open for writing; its lock stays to the end of the transaction.
pub struct Writer {
    relation: pg_sys::Relation,
    state: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// Where each column stands.
    places: Rc<[usize]>,
    _snapshot: Snapshot,
}

impl Writer {
    /// Opens the table, if it has columns of those names and types.
    pub fn open(table: Oid, columns: &[(&CStr, Oid)]) -> Result<Self, HistoryError> {
        // SAFETY: inside a transaction; what is opened is closed by Drop or, after an error, by PostgreSQL.
        unsafe {
            let lock = pg_sys::RowExclusiveLock as c_int;
            let relation = raising::under_one_boundary(|| raising::try_table_open(table, lock));
            if relation.is_null() {
                return Err(HistoryError::NoTable);
            }
            let places = places_of(relation, columns);
            let Some(places) = places.filter(|_| (*(*relation).rd_rel).relkind == pg_sys::RELKIND_RELATION as c_char)
            else {
                pg_sys::table_close(relation, pg_sys::NoLock as c_int);
                return Err(HistoryError::Altered);
            };
            let (state, result, slot) = raising::under_one_boundary(|| {
                let state = raising::CreateExecutorState();
                let result = raising::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
                (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
                raising::InitResultRelInfo(result, relation, 0, ptr::null_mut(), 0);
                raising::ExecOpenIndices(result, false);
                (state, result, raising::table_slot_create(relation, ptr::null_mut()))
            });
            Ok(Self { relation, state, result, slot, places, _snapshot: Snapshot::new() })
        }
    }

    /// Writes one row, its values in the order of the columns; others become null.
    pub fn insert(&mut self, values: impl Iterator<Item = (Datum, bool)>) {
        // SAFETY: a slot has as many values as the table has columns, of which `places` are some.
        unsafe {
            let count = usize::try_from((*(*self.relation).rd_att).natts).unwrap_or_default();
            pg_sys::ExecClearTuple(self.slot);
            let nulls = std::slice::from_raw_parts_mut((*self.slot).tts_isnull, count);
            let datums = std::slice::from_raw_parts_mut((*self.slot).tts_values, count);
            nulls.fill(true);
            for (place, (value, is_null)) in self.places.iter().zip(values) {
                if let (Some(datum), Some(null)) = (datums.get_mut(*place), nulls.get_mut(*place)) {
                    (*datum, *null) = (value, is_null);
                }
            }
            let Self { relation, slot, result, state, .. } = *self;
            raising::under_one_boundary(|| {
                raising::ExecStoreVirtualTuple(slot);
                raising::simple_table_tuple_insert(relation, slot);
                if (*result).ri_NumIndices > 0 {
                    version::insert_index_tuples(result, slot, state);
                }
            });
        }
    }
}

impl Writer {
    /// Removes the row that stands there. It is one that nobody else updates or removes meanwhile.
    pub fn delete(&mut self, mut place: pg_sys::ItemPointerData) {
        // SAFETY: the table is open, and a snapshot is active as long as self lives.
        unsafe { pg_sys::simple_table_tuple_delete(self.relation, &raw mut place, pg_sys::GetActiveSnapshot()) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: `open` opened each, and it is closed once.
        unsafe {
            let Self { relation, slot, result, state, .. } = *self;
            raising::under_one_boundary(|| {
                raising::ExecCloseIndices(result);
                raising::ExecDropSingleTupleTableSlot(slot);
                raising::FreeExecutorState(state);
                raising::table_close(relation, pg_sys::NoLock as c_int);
            });
        }
    }
}

thread_local! {
    /// Where the columns of a table were found last: they are looked for again only if they are not there any more.
    static PLACES: RefCell<HashMap<Oid, Rc<[usize]>>> = RefCell::default();
}

/// Where the columns stand, None if one is missing or has another type.
///
/// # Safety
/// The relation is open.
unsafe fn places_of(relation: pg_sys::Relation, columns: &[(&CStr, Oid)]) -> Option<Rc<[usize]>> {
    // SAFETY: the caller's promise.
    unsafe {
        let known = PLACES.with_borrow(|places| places.get(&(*relation).rd_id).map(Rc::clone));
        if let Some(places) = known.filter(|places| stand_there((*relation).rd_att, columns, places)) {
            return Some(places);
        }
        let places: Rc<[usize]> = places(relation, columns)?.into();
        PLACES.with_borrow_mut(|known| known.insert((*relation).rd_id, Rc::clone(&places)));
        Some(places)
    }
}

/// Whether the table has columns of those names and types in those places.
///
/// # Safety
/// The descriptor is that of an open relation.
unsafe fn stand_there(descriptor: pg_sys::TupleDesc, columns: &[(&CStr, Oid)], places: &[usize]) -> bool {
    // SAFETY: the caller's promise.
    let stood = unsafe { version::columns_of(descriptor) };
    let stands = |((name, wanted), place): (&(&CStr, Oid), &usize)| {
        stood.get(*place).is_some_and(|column| {
            // SAFETY: a name ends in a NUL.
            let is_named = unsafe { CStr::from_ptr(column.attname.data.as_ptr()) } == *name;
            column.atttypid == *wanted && !column.attisdropped && is_named
        })
    };
    places.len() == columns.len() && columns.iter().zip(places).all(stands)
}

/// # Safety
/// The relation is open.
unsafe fn places(relation: pg_sys::Relation, columns: &[(&CStr, Oid)]) -> Option<Vec<usize>> {
    let place = |(name, wanted): &(&CStr, Oid)| {
        // SAFETY: the caller's promise; an unknown name has a number that is not positive.
        unsafe {
            let number = pg_sys::SPI_fnumber((*relation).rd_att, name.as_ptr());
            let place = usize::try_from(number - 1).ok()?;
            (pg_sys::SPI_gettypeid((*relation).rd_att, number) == *wanted).then_some(place)
        }
    };
    columns.iter().map(place).collect()
}

/// A snapshot for what reads while rows are written (expressions of an index that somebody made); at commit there may be
/// none.
struct Snapshot {
    is_ours: bool,
}

impl Snapshot {
    fn new() -> Self {
        // SAFETY: inside a transaction; Drop pops what was pushed.
        unsafe {
            let is_ours = !quiet::ActiveSnapshotSet();
            if is_ours {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            }
            Self { is_ours }
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.is_ours {
            // SAFETY: `new` pushed it.
            unsafe { pg_sys::PopActiveSnapshot() }
        }
    }
}

/// Removes the rows from before that moment, in microseconds since 2000, and says how many.
///
/// # Errors
/// When the table is not what the extension made.
pub fn remove_before(table: Oid, moment: i64) -> Result<i64, HistoryError> {
    // SAFETY: inside a transaction; the lock, which two that remove do not have at once, stays to its end. Each row is one
    // that the snapshot shows, and nobody else updates or removes any.
    unsafe {
        pg_sys::LockRelationOid(table, pg_sys::ShareUpdateExclusiveLock as c_int);
        let relation = pg_sys::try_table_open(table, pg_sys::RowExclusiveLock as c_int);
        if relation.is_null() {
            return Err(HistoryError::NoTable);
        }
        let mut removed = 0;
        let mut scan = CatalogScan::of_latest(table).ok_or(HistoryError::NoTable)?;
        scan.for_each_row(|row| {
            if row.datum(c"at").is_some_and(|at| (at.value() as i64) < moment) {
                let mut place = row.tuple_id();
                pg_sys::simple_table_tuple_delete(relation, &raw mut place, pg_sys::GetActiveSnapshot());
                removed += 1;
            }
        });
        drop(scan);
        pg_sys::table_close(relation, pg_sys::NoLock as c_int);
        Ok(removed)
    }
}

/// Whether rows about the object have been committed that the running statement does not see.
pub fn has_unseen(table: Oid, object: Oid) -> bool {
    let count = |scan: Option<CatalogScan>| {
        let mut count = 0;
        if let Some(mut scan) = scan {
            scan.for_each_row(|row| count += i32::from(row.oid(c"object") == object));
        }
        count
    };
    count(CatalogScan::of_latest(table)) != count(CatalogScan::of_statement(table))
}

/// The moment that lies an interval before now, in microseconds since 2000.
pub fn moment_before(interval: Datum) -> i64 {
    // SAFETY: the caller's datum is an interval; the function gives a timestamptz, or raises an error.
    unsafe {
        let now = Datum::from(quiet::GetCurrentTimestamp());
        let moment = pgrx::direct_function_call_as_datum(pg_sys::timestamptz_mi_interval, &[Some(now), Some(interval)]);
        moment.map_or(i64::MIN, |moment| moment.value() as i64)
    }
}

/// Who writes to the table by an ordinary statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writing {
    /// Logical replication, which brings the history of another server.
    Replication,
    /// COPY of a superuser: a dump is restored.
    Restore,
    Other,
}

/// Who is writing.
pub fn writing() -> Writing {
    // SAFETY: reads variables of this process; the statements of an active portal are planned statements.
    unsafe {
        if pg_sys::IsLogicalWorker() {
            Writing::Replication
        } else if rights::is_superuser(session::current_role()) && copies() {
            Writing::Restore
        } else {
            Writing::Other
        }
    }
}

/// Whether the statement that the client sent is COPY. No hook tells: the library may have been loaded by this very COPY.
///
/// # Safety
/// Reads variables of this single-threaded process.
unsafe fn copies() -> bool {
    // SAFETY: the active portal is null or valid, and runs one of its statements.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if portal.is_null() || (*portal).stmts.is_null() {
            return false;
        }
        let statement = pg_sys::list_nth((*portal).stmts, 0).cast::<pg_sys::PlannedStmt>();
        let tree = (*statement).utilityStmt;
        !tree.is_null() && (*tree).type_ == pg_sys::NodeTag::T_CopyStmt
    }
}

/// The row with no oid of an object, which means nothing here.
pub fn without_object(trigger: &pg_sys::TriggerData) -> pg_sys::HeapTuple {
    // SAFETY: relation and row are the trigger's own while it runs; a column that is not there is left alone.
    unsafe {
        let row_type = (*trigger.tg_relation).rd_att;
        let mut column = pg_sys::SPI_fnumber(row_type, c"object".as_ptr());
        let (mut value, mut is_null) = (Datum::null(), true);
        if column <= 0 {
            return trigger.tg_trigtuple;
        }
        let (value, is_null) = (&raw mut value, &raw mut is_null);
        pg_sys::heap_modify_tuple_by_cols(trigger.tg_trigtuple, row_type, 1, &raw mut column, value, is_null)
    }
}
