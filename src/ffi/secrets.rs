//! The table of what is known of secrets: since when each has its value, and the verifiers of the values that it had.
//!
//! It is written as the history is, in the transaction of the change, and a row is of one secret in one database: what a
//! clone or another cluster holds under the same oid is another one.

use crate::ffi::function::Value;
use crate::ffi::history::{HistoryError, Writer, is_being_made, system_identifier};
use crate::ffi::quiet;
use crate::ffi::row_values::RowValues;
use crate::ffi::rules;
use crate::ffi::scan::{CatalogScan, Row};
use crate::ffi::tuple::{self, CachedTuple};
use crate::scene::Class;
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};
use std::cell::Cell;
use std::ffi::{CStr, c_int};
use thiserror::Error;

const TABLE: &CStr = c"secret_row";
const INDEX: &CStr = c"secret_row_pkey";

/// What can be wrong with the table.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum SecretsError {
    #[error("the change of a secret cannot be noted: table fdw_guard.secret_row does not exist")]
    NoTable,
    #[error("the change of a secret cannot be noted: table fdw_guard.secret_row has been altered")]
    Altered,
}

impl From<HistoryError> for SecretsError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NoTable => Self::NoTable,
            HistoryError::Altered => Self::Altered,
        }
    }
}

thread_local! {
    /// The table, and after how many changes of names it was found.
    static FOUND: Cell<Option<(u64, Oid)>> = const { Cell::new(None) };
}

/// The table in this database; None where the extension is not. Kept until a table or a schema gets another name.
///
/// # Errors
/// When the extension is there and its table is not.
pub fn find() -> Result<Option<Oid>, SecretsError> {
    let changes = rules::name_changes();
    if let Some((_, known)) = FOUND.get().filter(|(after, _)| *after == changes) {
        return Ok(Some(known));
    }
    let table = rules::find_by_name(TABLE);
    if table != Oid::INVALID && rules::is_ours(table) {
        FOUND.set(Some((changes, table)));
        return Ok(Some(table));
    }
    let extension = rules::extension().filter(|extension| !is_being_made(*extension));
    extension.map_or(Ok(None), |_| Err(SecretsError::NoTable))
}

/// The object that has secrets: a column by its number, everything else by 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub class: Class,
    pub oid: Oid,
    pub column: i16,
}

impl Place {
    /// The transaction that wrote the row of the catalog which holds the options, as long as they are these; None if there
    /// is no such row.
    pub fn writer(self) -> Option<u32> {
        let found = match self.class {
            Class::Wrapper => CachedTuple::find(Cache::FOREIGNDATAWRAPPEROID, &[self.oid.into()]),
            Class::Server => CachedTuple::find(Cache::FOREIGNSERVEROID, &[self.oid.into()]),
            Class::UserMapping => CachedTuple::find(Cache::USERMAPPINGOID, &[self.oid.into()]),
            Class::Relation if self.column == 0 => CachedTuple::find(Cache::FOREIGNTABLEREL, &[self.oid.into()]),
            Class::Relation => CachedTuple::find(Cache::ATTNUM, &[self.oid.into(), Datum::from(self.column)]),
        };
        found.map(|row| row.writer())
    }

    /// Whether the object is there.
    fn exists(self) -> bool {
        self.writer().is_some()
    }
}

/// What is known of one secret.
#[derive(Clone, Debug)]
pub struct Known {
    pub option: String,
    /// When it got its value, in microseconds since 2000; None if that is not known, or it has none.
    pub set_at: Option<i64>,
    /// Who had written the options when it was last looked at; see [`Place::writer`].
    pub writer: u32,
    /// Of the values that it had, the last first.
    pub verifiers: Vec<String>,
}

/// A row, with where it stands.
struct Found {
    place: Option<Place>,
    is_of_here: bool,
    known: Known,
    tuple: pg_sys::ItemPointerData,
}

impl Found {
    fn of(row: &Row) -> Self {
        let class = Class::of_catalog(row.oid(c"catalog"));
        let (oid, column) = (row.oid(c"object"), row.small_integer(c"column_number"));
        let number = |name| row.datum(name).map_or(0, |datum| datum.value() as i64);
        // SAFETY: reads a variable of the backend; the columns are of type text and text[].
        unsafe {
            let texts = |datum| tuple::text_array(datum).into_iter().flatten().collect();
            Self {
                place: class.map(|class| Place { class, oid, column }),
                is_of_here: number(c"system_identifier") == system_identifier()
                    && row.oid(c"database") == pg_sys::MyDatabaseId,
                known: Known {
                    option: row.datum(c"option").map(|datum| tuple::text_of(datum)).unwrap_or_default(),
                    set_at: row.datum(c"set_at").map(|datum| datum.value() as i64),
                    writer: row.datum(c"writer").map_or(0, |datum| datum.value() as u32),
                    verifiers: row.datum(c"verifiers").map(texts).unwrap_or_default(),
                },
                tuple: row.tuple_id(),
            }
        }
    }
}

/// What is known of the secrets of an object, as the latest commit and the own transaction left it.
pub fn of(table: Oid, place: Place) -> Vec<Known> {
    let rows = rows_of(table, place).into_iter();
    rows.filter(|row| row.is_of_here && row.place == Some(place)).map(|row| row.known).collect()
}

/// The rows of the object, its columns and what else has its oid.
fn rows_of(table: Oid, place: Place) -> Vec<Found> {
    let index = rules::find_by_name(INDEX);
    let mut rows = Vec::new();
    let keys = [(c"catalog", place.class.catalog()), (c"object", place.oid)];
    if let Some(mut scan) = CatalogScan::of_latest_by_index(table, index, keys) {
        scan.for_each_row(|row| rows.push(Found::of(row)));
    }
    rows
}

/// Makes what is known of an object's secrets this and nothing else; rows of its columns stay.
///
/// # Errors
/// When the table is not what the extension made.
pub fn replace(table: Oid, place: Place, known: &[Known]) -> Result<(), SecretsError> {
    let old = rows_of(table, place).into_iter().filter(|row| row.place == Some(place)).map(|row| row.tuple);
    let old: Vec<_> = old.collect();
    if old.is_empty() && known.is_empty() {
        return Ok(());
    }
    let mut writer = Writer::open(table, &COLUMNS)?;
    old.into_iter().for_each(|tuple| writer.delete(tuple));
    for secret in known {
        let values = row(place, secret);
        writer.insert(RowValues::of(&values).iter());
    }
    Ok(())
}

/// Forgets everything of an object that is gone, or new under its oid, and of its columns.
///
/// # Errors
/// As for [`replace`].
pub fn forget(table: Oid, place: Place) -> Result<(), SecretsError> {
    let rows = rows_of(table, place);
    if !rows.is_empty() {
        let mut writer = Writer::open(table, &COLUMNS)?;
        rows.into_iter().for_each(|row| writer.delete(row.tuple));
    }
    Ok(())
}

/// Holds every row against `wanted`, which says of a secret how many former values are to be kept, or None if nothing is;
/// says how many rows were removed or made shorter.
///
/// # Errors
/// As for [`replace`].
pub fn prune(table: Oid, wanted: impl Fn(Place, &str) -> Option<usize>) -> Result<i64, SecretsError> {
    // SAFETY: inside a transaction; two that remove rows do not have the lock at once.
    unsafe { pg_sys::LockRelationOid(table, pg_sys::ShareRowExclusiveLock as c_int) };
    let mut rows = Vec::new();
    if let Some(mut scan) = CatalogScan::of_latest(table) {
        scan.for_each_row(|row| rows.push(Found::of(row)));
    }
    let mut writer = Writer::open(table, &COLUMNS)?;
    let mut changed = 0;
    for found in rows {
        let place = found.place.filter(|place| found.is_of_here && place.exists());
        let former = place.and_then(|place| wanted(place, &found.known.option));
        if former.is_some_and(|former| found.known.verifiers.len() <= former) {
            continue;
        }
        changed += 1;
        writer.delete(found.tuple);
        if let Some((place, former)) = place.zip(former) {
            let mut known = found.known;
            known.verifiers.truncate(former);
            writer.insert(RowValues::of(&row(place, &known)).iter());
        }
    }
    Ok(changed)
}

const COLUMNS: [(&CStr, Oid); 9] = [
    (c"catalog", pg_sys::OIDOID),
    (c"object", pg_sys::OIDOID),
    (c"column_number", pg_sys::INT2OID),
    (c"option", pg_sys::TEXTOID),
    (c"system_identifier", pg_sys::INT8OID),
    (c"database", pg_sys::OIDOID),
    (c"writer", pg_sys::XIDOID),
    (c"set_at", pg_sys::TIMESTAMPTZOID),
    (c"verifiers", pg_sys::TEXTARRAYOID),
];

fn row(place: Place, known: &Known) -> [Value; 9] {
    [
        Value::Oid(place.class.catalog()),
        Value::Oid(place.oid),
        Value::SmallInteger(place.column),
        Value::Statement(known.option.clone()),
        Value::BigInteger(system_identifier()),
        // SAFETY: reads a variable of the backend.
        Value::Oid(unsafe { pg_sys::MyDatabaseId }),
        // Laid out as an oid is.
        Value::Oid(Oid::from_u32(known.writer)),
        known.set_at.map(Value::BigInteger).into(),
        known.verifiers.clone().into(),
    ]
}

/// Now, in microseconds since 2000.
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { quiet::GetCurrentTimestamp() }
}
