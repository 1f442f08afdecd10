//! SQL functions: arguments in, values or rows out, errors raised with every field.
//!
//! `#[pg_extern]` would do most of this, but it takes every text for UTF-8 and shows a panic's text.

use crate::ffi::memory::Scratch;
use crate::ffi::option_rows::{self, MaskOf};
use crate::ffi::raise::{self, Failure, Report};
use crate::ffi::{text, tuple};
use fdw_guard_policy::interval::Interval;
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::RefCell;
use std::ffi::{c_char, c_int};
use std::marker::PhantomData;
use std::ptr;

/// One call of a function: its arguments, and what it has to say beside its answer.
pub struct Call {
    info: pg_sys::FunctionCallInfo,
    notices: RefCell<Vec<Report>>,
}

/// How a caller says which relation is meant.
pub enum Named {
    Oid(Oid),
    Name(String),
}

/// SQL in the database's encoding.
#[derive(Clone, Copy)]
pub struct Source<'call> {
    text: *const c_char,
    call: PhantomData<&'call Call>,
}

impl Source<'_> {
    /// A C string that lives as long as the call.
    pub fn as_ptr(&self) -> *const c_char {
        self.text
    }
}

/// A value on its way to PostgreSQL.
pub enum Value {
    Null,
    Boolean(bool),
    SmallInteger(i16),
    Integer(i32),
    BigInteger(i64),
    Oid(Oid),
    /// `text` or `json`, which are stored alike.
    Text(String),
    /// `text` that is SQL to be run: an opaque byte is that byte again.
    Statement(String),
    TextArray(Vec<String>),
    /// The text of a `jsonb`.
    Jsonb(String),
    Interval(Interval),
}

impl Value {
    /// A function as `regprocedure`, null if there is none.
    pub fn function(oid: Oid) -> Self {
        if oid == Oid::INVALID { Self::Null } else { Self::Oid(oid) }
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::TextArray(texts)
    }
}

/// What a function returns.
pub enum Answer<'a> {
    One(Value),
    Rows(Box<dyn Iterator<Item = Vec<Value>> + 'a>),
    /// Of `SETOF` a type that is no row type.
    Column(Box<dyn Iterator<Item = Value> + 'a>),
}

impl<'a> Answer<'a> {
    pub fn rows(rows: impl IntoIterator<Item = Vec<Value>> + 'a) -> Self {
        Self::Rows(Box::new(rows.into_iter()))
    }

    pub fn column(values: impl IntoIterator<Item = Value> + 'a) -> Self {
        Self::Column(Box::new(values.into_iter()))
    }
}

impl Call {
    /// A call that PostgreSQL makes, and that lives as long as what comes of this.
    pub fn of(info: pg_sys::FunctionCallInfo) -> Self {
        Self { info, notices: RefCell::default() }
    }

    /// The `text` argument at that place, None if it is null.
    pub fn text(&self, place: usize) -> Option<String> {
        // SAFETY: the SQL declaration says that the argument is of type text; every caller names such a place.
        self.datum(place).map(|datum| unsafe { tuple::text_of(datum) })
    }

    /// The `text` argument at that place as PostgreSQL's parser reads it, None if it is null.
    pub fn source(&self, place: usize) -> Option<Source<'_>> {
        // SAFETY: the SQL declaration says that the argument is of type text; every caller names such a place. The copy lives
        // as long as the call's memory context.
        let text = self.datum(place).map(|datum| unsafe { pg_sys::text_to_cstring(datum.cast_mut_ptr()) })?;
        Some(Source { text, call: PhantomData })
    }

    /// The `interval` argument at that place in milliseconds, a month being thirty days as in `lock_timeout`; None if it is
    /// null.
    pub fn milliseconds(&self, place: usize) -> Option<i64> {
        // SAFETY: the SQL declaration says that the argument is of type interval; every caller names such a place.
        let interval = self.datum(place).map(|datum| unsafe { *datum.cast_mut_ptr::<pg_sys::Interval>() })?;
        let days = i64::from(interval.month).saturating_mul(30).saturating_add(interval.day.into());
        // Less than a millisecond is not nothing.
        let milliseconds = interval.time / 1000 + i64::from(interval.time % 1000 > 0);
        Some(days.saturating_mul(86_400_000).saturating_add(milliseconds))
    }

    /// The `name` argument at that place, None if it is null.
    pub fn name(&self, place: usize) -> Option<String> {
        // SAFETY: the SQL declaration says that the argument is of type name; every caller names such a place.
        self.datum(place).map(|datum| unsafe { tuple::name(&*datum.cast_mut_ptr::<pg_sys::NameData>()) })
    }

    /// The `oid`, `regclass` or `regprocedure` argument at that place, None if it is null.
    pub fn oid(&self, place: usize) -> Option<Oid> {
        self.datum(place).map(|datum| Oid::from(datum.value() as u32))
    }

    /// The relation that the argument at that place names: a `regclass`, or a `text` that has not been looked up yet.
    pub fn relation(&self, place: usize) -> Option<Named> {
        if self.is_of_type(place, pg_sys::TEXTOID) {
            self.text(place).map(Named::Name)
        } else {
            self.oid(place).map(Named::Oid)
        }
    }

    /// Whether the function is declared with an argument of that type at that place.
    fn is_of_type(&self, place: usize, wanted: Oid) -> bool {
        // SAFETY: PostgreSQL calls a function of pg_proc, whose arguments get_func_signature copies.
        unsafe {
            let (mut types, mut count) = (ptr::null_mut(), 0);
            pg_sys::get_func_signature((*(*self.info).flinfo).fn_oid, &raw mut types, &raw mut count);
            let types = std::slice::from_raw_parts(types, usize::try_from(count).unwrap_or_default());
            types.get(place).is_some_and(|declared| *declared == wanted)
        }
    }

    /// The `integer` argument at that place, None if it is null.
    pub fn integer(&self, place: usize) -> Option<i32> {
        self.datum(place).map(|datum| datum.value() as i32)
    }

    /// The `smallint` argument at that place, None if it is null.
    pub fn small_integer(&self, place: usize) -> Option<i16> {
        self.datum(place).map(|datum| datum.value() as i16)
    }

    /// The `bigint` argument at that place, None if it is null.
    pub fn big_integer(&self, place: usize) -> Option<i64> {
        self.datum(place).map(|datum| datum.value() as i64)
    }

    /// The argument of a type that is passed by reference and that Rust does not know, None if it is null.
    pub fn reference(&self, place: usize) -> Option<Datum> {
        self.datum(place)
    }

    /// The `boolean` argument at that place, None if it is null.
    pub fn boolean(&self, place: usize) -> Option<bool> {
        self.datum(place).map(|datum| datum.value() as u8 != 0)
    }

    /// The text of the `jsonb` argument at that place, None if it is null.
    pub fn jsonb(&self, place: usize) -> Option<String> {
        // SAFETY: the SQL declaration says that the argument is of type jsonb, of which jsonb_out gives a C string.
        unsafe {
            let text = pgrx::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(self.datum(place)?)])?;
            Some(text::from_server(text.cast_mut_ptr()))
        }
    }

    /// Raises `notice` when the function has ended.
    pub fn notice(&self, notice: Report) {
        self.notices.borrow_mut().push(notice);
    }

    /// The trigger that calls the function, None if it was called by hand.
    pub fn trigger(&self) -> Option<&pg_sys::TriggerData> {
        // SAFETY: info is a valid call; a context tagged T_TriggerData is a TriggerData (CALLED_AS_TRIGGER).
        unsafe {
            let context = (*self.info).context;
            let is_trigger = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData;
            is_trigger.then(|| &*context.cast::<pg_sys::TriggerData>())
        }
    }

    fn datum(&self, place: usize) -> Option<Datum> {
        // SAFETY: info has `nargs` arguments behind it, as fmgr.h lays them out.
        unsafe {
            let count = usize::try_from((*self.info).nargs).unwrap_or_default();
            let arguments = (*self.info).args.as_slice(count);
            arguments.get(place).filter(|argument| !argument.isnull).map(|argument| argument.value)
        }
    }
}

/// Calls `body` for PostgreSQL.
///
/// # Safety
/// `info` is the call that PostgreSQL makes, and the calling frame owns nothing.
pub unsafe fn call<E: Into<Failure>>(
    info: pg_sys::FunctionCallInfo,
    body: impl FnOnce(&Call) -> Result<Answer<'_>, E>,
) -> Datum {
    // SAFETY: the caller's promise.
    unsafe { run(info, |call| body(call).map(|answer| give(info, answer))) }
}

/// Calls a trigger function for PostgreSQL; the body returns the row that goes on.
///
/// # Safety
/// As for [`call`].
pub unsafe fn call_trigger<E: Into<Failure>>(
    info: pg_sys::FunctionCallInfo,
    body: impl FnOnce(&Call) -> Result<pg_sys::HeapTuple, E>,
) -> Datum {
    // SAFETY: the caller's promise.
    unsafe { run(info, |call| body(call).map(Datum::from)) }
}

/// Calls a function that shows the options of an OPTIONS list.
///
/// # Safety
/// As for [`crate::ffi::option_rows::call`].
pub unsafe fn call_options(info: pg_sys::FunctionCallInfo, mask_of: MaskOf) -> Datum {
    // SAFETY: the caller's promise.
    unsafe { option_rows::call(info, mask_of) }
}

/// Calls a plain function that passes the call on.
///
/// # Safety
/// As for [`call`].
pub unsafe fn pass(info: pg_sys::FunctionCallInfo, body: unsafe fn(pg_sys::FunctionCallInfo) -> Datum) -> Datum {
    // SAFETY: the caller's promise.
    unsafe { body(info) }
}

/// # Safety
/// As for [`call`].
unsafe fn run<E: Into<Failure>>(info: pg_sys::FunctionCallInfo, body: impl FnOnce(&Call) -> Result<Datum, E>) -> Datum {
    // SAFETY: the caller's promise.
    unsafe {
        let (outcome, reports) = raise::guarded(|| {
            let call = Call::of(info);
            let outcome = body(&call).map_err(Into::into);
            let mut reports = call.notices.take();
            let outcome = outcome.or_else(|failure| match failure {
                Failure::Raised(report) => {
                    reports.push(*report);
                    Ok(Datum::null())
                }
                Failure::Pending => {
                    reports.clear();
                    Err(())
                }
            });
            (outcome, raise::in_postgres_memory(&reports))
        });
        raise::raise(reports);
        outcome.unwrap_or_else(|()| raise::rethrow())
    }
}

/// # Safety
/// `info` is the running call.
unsafe fn give(info: pg_sys::FunctionCallInfo, answer: Answer<'_>) -> Datum {
    match answer {
        Answer::One(value) => {
            let (datum, is_null) = datum_of(&value);
            // SAFETY: the caller's promise.
            unsafe { (*info).isnull = is_null };
            datum
        }
        // SAFETY: the caller's promise.
        Answer::Rows(rows) => unsafe { give_rows(info, 0, rows) },
        // SAFETY: as above; a type that is no row type has no description but the one that the caller expects.
        Answer::Column(values) => unsafe {
            give_rows(info, pg_sys::MAT_SRF_USE_EXPECTED_DESC, values.map(|value| vec![value]))
        },
    }
}

/// # Safety
/// As for [`give`].
unsafe fn give_rows(info: pg_sys::FunctionCallInfo, flags: u32, rows: impl Iterator<Item = Vec<Value>>) -> Datum {
    // SAFETY: the caller's promise; InitMaterializedSRF sets up resultinfo's tuple store and row type.
    unsafe {
        pg_sys::InitMaterializedSRF(info, flags);
        let result = (*info).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        rows.for_each(|row| put_row(result, &row));
    }
    Datum::null()
}

/// # Safety
/// `result` has a tuple store, and a row type of as many columns as `row` has values.
unsafe fn put_row(result: *mut pg_sys::ReturnSetInfo, row: &[Value]) {
    // The tuple store copies what it takes; a hundred thousand rows would leave as much behind.
    let _scratch = Scratch::new();
    let (mut datums, mut nulls): (Vec<Datum>, Vec<bool>) = row.iter().map(datum_of).unzip();
    // SAFETY: the caller's promise; both arrays have as many elements as the row type has columns.
    unsafe {
        pg_sys::tuplestore_putvalues((*result).setResult, (*result).setDesc, datums.as_mut_ptr(), nulls.as_mut_ptr());
    }
    crate::ffi::server::check_for_interrupts();
}

/// The value in the current memory context, and whether it is null.
pub fn datum_of(value: &Value) -> (Datum, bool) {
    match value {
        Value::Null => (Datum::null(), true),
        Value::Boolean(boolean) => (Datum::from(*boolean), false),
        Value::SmallInteger(integer) => (Datum::from(*integer), false),
        Value::Integer(integer) => (Datum::from(*integer), false),
        Value::BigInteger(integer) => (Datum::from(*integer), false),
        Value::Oid(oid) => (Datum::from(*oid), false),
        Value::Text(text) => (text_datum(text), false),
        Value::Statement(text) => (text_datum_of(text::to_server_name(text)), false),
        Value::TextArray(texts) => (text_array_datum(texts), false),
        Value::Jsonb(text) => (jsonb_datum(text), false),
        Value::Interval(interval) => (interval_datum(*interval), false),
    }
}

/// An `interval` in the current memory context.
pub fn interval_datum(interval: Interval) -> Datum {
    // SAFETY: the allocation is as large as an interval, or an error is raised.
    unsafe {
        let datum = pg_sys::palloc(size_of::<pg_sys::Interval>()).cast::<pg_sys::Interval>();
        datum.write(pg_sys::Interval { time: interval.microseconds, day: interval.days, month: interval.months });
        Datum::from(datum)
    }
}

fn text_datum(text: &str) -> Datum {
    let bytes = text::to_server_bytes(text);
    // SAFETY: that many bytes are copied; no text is longer than an int says.
    unsafe { Datum::from(pg_sys::cstring_to_text_with_len(bytes.as_ptr().cast(), bytes.len() as c_int)) }
}

fn text_datum_of(text: *const c_char) -> Datum {
    // SAFETY: cstring_to_text copies a C string, as every caller gives one.
    unsafe { Datum::from(pg_sys::cstring_to_text(text)) }
}

fn text_array_datum(texts: &[String]) -> Datum {
    let mut elements: Vec<Datum> = texts.iter().map(|text| text_datum(text)).collect();
    // SAFETY: the array copies its elements, which are of type text.
    unsafe {
        let count = i32::try_from(elements.len()).unwrap_or(i32::MAX);
        Datum::from(pg_sys::construct_array_builtin(elements.as_mut_ptr(), count, pg_sys::TEXTOID))
    }
}

fn jsonb_datum(text: &str) -> Datum {
    // SAFETY: jsonb_in takes a C string and gives a jsonb, or raises an error.
    unsafe {
        let text = Datum::from(text::to_server_json(text).cast_mut());
        pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text)]).unwrap_or(Datum::null())
    }
}

/// Makes functions of the library known to PostgreSQL under their own names, as PG_FUNCTION_INFO_V1 does in C: how it is
/// called, its symbol, the symbol of its info record, its body. Symbols are those of the whole server process, hence the
/// prefix.
macro_rules! sql_functions {
    ($($caller:ident: $name:ident, $info:ident => $body:path;)*) => {
        /// The symbols, for the test that holds them against the SQL script.
        #[cfg(any(test, feature = "pg_test"))]
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[unsafe(no_mangle)]
            #[doc(hidden)]
            pub extern "C" fn $info() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
                const RECORD: ::pgrx::pg_sys::Pg_finfo_record = ::pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
                &RECORD
            }

            #[unsafe(no_mangle)]
            #[doc(hidden)]
            pub unsafe extern "C-unwind" fn $name(info: ::pgrx::pg_sys::FunctionCallInfo) -> ::pgrx::pg_sys::Datum {
                // SAFETY: PostgreSQL makes the call, and this frame owns nothing.
                unsafe { $crate::ffi::function::$caller(info, $body) }
            }
        )*
    };
}
pub(crate) use sql_functions;
