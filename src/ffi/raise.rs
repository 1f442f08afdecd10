//! Raising errors and warnings with every field, and keeping longjmp away from Rust frames that own something.
//!
//! PostgreSQL leaves an error by `siglongjmp`, which runs no destructor, and pgrx's own report cannot set the
//! constraint, schema, table and column fields. So a guarded function, which may own what it likes, returns a
//! [`RawReport`] in PostgreSQL's memory, and a plain frame that owns nothing raises it.

use crate::ffi::text;
use crate::ffi::through::through;
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

// Declared here, and not taken from pg_sys, because pg_sys wraps every function in a boundary that turns an error into
// a Rust panic, whereas these are called from frames that PostgreSQL may jump over.
unsafe extern "C-unwind" {
    fn errstart(elevel: c_int, domain: *const c_char) -> bool;
    fn errcode(sqlerrcode: c_int) -> c_int;
    fn errmsg_internal(fmt: *const c_char, ...) -> c_int;
    fn errdetail_internal(fmt: *const c_char, ...) -> c_int;
    fn errhint(fmt: *const c_char, ...) -> c_int;
    fn err_generic_string(field: c_int, str: *const c_char) -> c_int;
    fn errfinish(filename: *const c_char, lineno: c_int, funcname: *const c_char);
    fn pg_re_throw() -> !;
}

/// By which a message of ours is known: its texts show no secret, and quote what others must not.
pub const DOMAIN: &CStr = c"fdw_guard";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Ends the process; in the postmaster, the start of the server.
    Fatal,
    Error,
    Warning,
    Notice,
    /// The server log only.
    Log,
}

/// One message with the fields of PostgreSQL's protocol.
#[derive(Clone, Debug)]
pub struct Report {
    pub level: Level,
    pub sqlstate: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
}

/// A [`Report`] in PostgreSQL's memory and encoding; a list, warnings first.
#[derive(Clone, Copy)]
pub struct RawReport {
    elevel: c_int,
    sqlstate: c_int,
    message: *const c_char,
    detail: *const c_char,
    hint: *const c_char,
    schema: *const c_char,
    table: *const c_char,
    column: *const c_char,
    constraint: *const c_char,
    next: *const RawReport,
}

/// Copies `reports` into the current memory context; null for none.
pub fn in_postgres_memory(reports: &[Report]) -> *const RawReport {
    reports.iter().rev().fold(ptr::null(), |next, report| {
        let raw = RawReport {
            elevel: elevel(report.level),
            sqlstate: report.sqlstate as c_int,
            message: text::to_server(&report.message),
            detail: optional(report.detail.as_deref()),
            hint: optional(report.hint.as_deref()),
            schema: optional(report.schema.as_deref()),
            table: optional(report.table.as_deref()),
            column: optional(report.column.as_deref()),
            constraint: optional(report.constraint.as_deref()),
            next,
        };
        // SAFETY: palloc returns memory for exactly one RawReport or raises an error.
        unsafe {
            let place = pg_sys::palloc(size_of::<RawReport>()).cast::<RawReport>();
            place.write(raw);
            place
        }
    })
}

fn optional(text: Option<&str>) -> *const c_char {
    text.map_or(ptr::null(), text::to_server)
}

fn elevel(level: Level) -> c_int {
    let elevel = match level {
        Level::Fatal => PgLogLevel::FATAL,
        Level::Error => PgLogLevel::ERROR,
        Level::Warning => PgLogLevel::WARNING,
        Level::Notice => PgLogLevel::NOTICE,
        Level::Log => PgLogLevel::LOG_SERVER_ONLY,
    };
    elevel as c_int
}

/// Raises each report of the list; does not return if one is an error.
///
/// # Safety
/// Every frame between the caller and PostgreSQL owns nothing; `report` is null or comes from [`in_postgres_memory`].
pub unsafe fn raise(mut report: *const RawReport) {
    // SAFETY: the list lives in a memory context that outlives the statement; the error fields are copied by elog.c.
    unsafe {
        while !report.is_null() {
            raise_one(&*report);
            report = (*report).next;
        }
    }
}

/// Raises warnings and lesser reports.
pub fn say(reports: &[Report]) {
    let reports = in_postgres_memory(reports);
    // SAFETY: none of them is an error, so that no frame is left.
    unsafe { raise(reports) }
}

/// # Safety
/// As for [`raise`].
unsafe fn raise_one(report: &RawReport) {
    const TEXT: *const c_char = c"%s".as_ptr();
    // SAFETY: this is ereport()'s own expansion: errstart opens an error frame that the calls fill and errfinish ends. A
    // place in the source would tell a DBA nothing, and is left out.
    unsafe {
        if !errstart(report.elevel, DOMAIN.as_ptr()) {
            return;
        }
        errcode(report.sqlstate);
        errmsg_internal(TEXT, report.message);
        if !report.detail.is_null() {
            errdetail_internal(TEXT, report.detail);
        }
        if !report.hint.is_null() {
            errhint(TEXT, report.hint);
        }
        set_field(pg_sys::PG_DIAG_SCHEMA_NAME, report.schema);
        set_field(pg_sys::PG_DIAG_TABLE_NAME, report.table);
        set_field(pg_sys::PG_DIAG_COLUMN_NAME, report.column);
        set_field(pg_sys::PG_DIAG_CONSTRAINT_NAME, report.constraint);
        errfinish(ptr::null(), 0, ptr::null());
    }
}

/// # Safety
/// Between errstart and errfinish.
unsafe fn set_field(field: u8, value: *const c_char) {
    if !value.is_null() {
        // SAFETY: the field is one of those that err_generic_string knows.
        unsafe { err_generic_string(c_int::from(field), value) };
    }
}

/// Calls `body`, which may be left by a PostgreSQL error; says whether it was. The error stays pending, as inside
/// PG_CATCH, until [`rethrow`].
///
/// # Safety
/// `body` calls PostgreSQL code directly and neither it nor the caller's frame owns anything.
pub unsafe fn catches_error(body: impl FnOnce()) -> bool {
    let mut body = Some(body);
    // SAFETY: the caller's promise.
    unsafe {
        catches_error_of(&mut || {
            if let Some(body) = body.take() {
                body();
            }
        })
    }
}

/// # Safety
/// As for [`catches_error`].
#[inline(never)]
unsafe fn catches_error_of(body: &mut dyn FnMut()) -> bool {
    // SAFETY: this is PG_TRY: the exception stack points to a jump buffer that lives as long as the callback, and both
    // stacks are put back on either path.
    unsafe {
        let exception_stack = pg_sys::PG_exception_stack;
        let context_stack = pg_sys::error_context_stack;
        let jumped = cee_scape::call_with_sigsetjmp(false, |buffer| {
            pg_sys::PG_exception_stack = ptr::from_ref(buffer).cast_mut().cast();
            body();
            0
        });
        pg_sys::PG_exception_stack = exception_stack;
        pg_sys::error_context_stack = context_stack;
        jumped != 0
    }
}

/// Takes the error that [`catches_error`] caught out of PostgreSQL's stack, as a copy of its own in that context.
///
/// # Safety
/// An error is pending, and the context is one that outlives its frame: the one that was current before.
pub unsafe fn caught(context: pg_sys::MemoryContext) -> *mut pg_sys::ErrorData {
    // SAFETY: the caller's promise; CopyErrorData wants to be in another context than that of errors.
    unsafe {
        pg_sys::CurrentMemoryContext = context;
        let error = pg_sys::CopyErrorData();
        pg_sys::FlushErrorState();
        error
    }
}

/// An error of PostgreSQL's that waits, as inside PG_CATCH, until the plain frame that PostgreSQL entered raises it again:
/// meanwhile Rust frames end as they do after any error of their own.
#[must_use]
#[derive(Debug)]
pub struct Pending(());

/// Calls `body` as [`catches_error`] does.
///
/// # Safety
/// As for [`catches_error`], but that the caller's frame may own what it likes; what it is given must reach
/// [`crate::ffi::function::call`], and nothing that can raise an error may be called on the way.
pub unsafe fn pending(body: impl FnOnce()) -> Result<(), Pending> {
    // SAFETY: the caller's promise; the jump ends within catches_error.
    if unsafe { catches_error(body) } { Err(Pending(())) } else { Ok(()) }
}

/// Why a function gives no answer.
pub enum Failure {
    /// It has an error of its own to raise.
    Raised(Box<Report>),
    /// One of PostgreSQL's is to go on.
    Pending,
}

impl<E: Into<Report>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Raised(Box::new(error.into()))
    }
}

impl From<Pending> for Failure {
    fn from(_: Pending) -> Self {
        Self::Pending
    }
}

/// Continues the error that [`catches_error`] caught, with all its fields.
///
/// # Safety
/// An error is pending and no frame up to PostgreSQL owns anything.
pub unsafe fn rethrow() -> ! {
    // SAFETY: the caller's promise.
    unsafe { pg_re_throw() }
}

/// Runs `body` for PostgreSQL: an error of PostgreSQL's inside continues as one, and a panic becomes an error whose text
/// is fixed, because a panic's own text could hold an option's value.
///
/// # Safety
/// Every frame between the caller and PostgreSQL owns nothing.
pub unsafe fn guarded<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise; it is called once, or an error is raised.
    unsafe { through(run_guarded, body) }
}

/// # Safety
/// As for [`guarded`].
#[inline(never)]
unsafe fn run_guarded(body: &mut dyn FnMut()) {
    // SAFETY: the caller's promise is what pgrx_extern_c_guard asks for.
    unsafe { pg_sys::panic::pgrx_extern_c_guard(|| shielded(body)) }
}

/// Runs `body` as [`guarded`] does and raises its error with all fields.
///
/// # Safety
/// As for [`guarded`].
pub unsafe fn guarded_or_raise<T: Copy + Default, E: Into<Report>>(body: impl FnOnce() -> Result<T, E>) -> T {
    // SAFETY: the caller's promise; what crosses the frame is copied.
    unsafe {
        let (value, report) = guarded(|| match body() {
            Ok(value) => (value, ptr::null()),
            Err(error) => (T::default(), in_postgres_memory(&[error.into()])),
        });
        raise(report);
        value
    }
}

/// Replaces the text of a panic inside `body`; for functions that pgrx guards itself.
pub fn shielded<T>(body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        if payload.is::<CaughtError>() || payload.is::<ErrorReportWithLevel>() || payload.is::<ErrorReport>() {
            resume_unwind(payload);
        }
        // The SQLSTATE that PostgreSQL gives its own elog().
        let code = PgSqlErrorCode::ERRCODE_INTERNAL_ERROR;
        resume_unwind(Box::new(ErrorReport::new(code, "fdw_guard failed unexpectedly", "fdw_guard")))
    })
}

/// Keeps panics quiet: no text on standard error, and no backtrace in an error's DETAIL, where pgrx would put one if
/// RUST_BACKTRACE is set.
pub fn hide_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}
