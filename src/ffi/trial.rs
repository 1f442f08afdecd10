//! Statements on trial: they run in a subtransaction that is always rolled back, and an error of PostgreSQL's comes back as
//! a value with every field.

use crate::ffi::function::Source;
use crate::ffi::plannable::Reach;
use crate::ffi::{log, plannable, quiet, raise, server, text, utility};
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

// Declared here because pg_sys wraps it in a boundary that would lose fields of the errors that pass through.
unsafe extern "C-unwind" {
    fn pg_parse_query(query_string: *const c_char) -> *mut pg_sys::List;
}

/// A subtransaction that is rolled back when it goes out of scope, however that comes; then memory context and resource
/// owner are again what they were.
struct Subtransaction {
    context: pg_sys::MemoryContext,
    owner: pg_sys::ResourceOwner,
}

impl Subtransaction {
    fn begin() -> Self {
        // SAFETY: inside a transaction; this is what plpgsql does for a block with EXCEPTION (pl_exec.c). What is allocated
        // afterwards must outlive the subtransaction, hence the outer context.
        unsafe {
            let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
            pg_sys::BeginInternalSubTransaction(ptr::null());
            pg_sys::CurrentMemoryContext = context;
            Self { context, owner }
        }
    }
}

impl Drop for Subtransaction {
    fn drop(&mut self) {
        // SAFETY: `begin` opened it, and whoever opens another inside closes that one.
        unsafe {
            pg_sys::CurrentMemoryContext = self.context;
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::CurrentMemoryContext = self.context;
            pg_sys::CurrentResourceOwner = self.owner;
        }
    }
}

/// The statements of a text in a subtransaction.
pub struct Trial<'call> {
    _subtransaction: Subtransaction,
    text: Source<'call>,
    statements: *mut pg_sys::List,
}

/// A trial that PostgreSQL has ended by an error, of which nobody may read more before the subtransaction is rolled back.
pub struct Ended(*mut pg_sys::ErrorData);

/// An error of PostgreSQL's.
#[derive(Debug)]
pub struct Caught {
    pub code: c_int,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The character of the text, counted from one.
    pub position: Option<i32>,
}

impl<'call> Trial<'call> {
    /// Opens the subtransaction. A lock that is not granted within that many milliseconds is an error; 0 waits without end,
    /// None as long as the session does.
    pub fn begin(text: Source<'call>, lock_timeout: Option<i32>) -> Self {
        let subtransaction = Subtransaction::begin();
        if let Some(milliseconds) = lock_timeout {
            limit_locks(milliseconds);
        }
        Self { _subtransaction: subtransaction, text, statements: ptr::null_mut() }
    }

    /// Reads the text; gives how many statements it has.
    ///
    /// # Errors
    /// When it is no SQL.
    pub fn read(&mut self) -> Result<usize, Ended> {
        let (text, mut statements) = (self.text.as_ptr(), ptr::null_mut());
        // SAFETY: the closure owns nothing, and the parser takes a C string, which lives as long as the call.
        unsafe { self.attempt(|| statements = pg_parse_query(text))? };
        self.statements = statements;
        // SAFETY: the parser gives null for an empty list.
        let count = if statements.is_null() { 0 } else { unsafe { (*statements).length } };
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Why the statement at that place is no matter for a plan, those before it having run; None if it is.
    ///
    /// # Errors
    /// When PostgreSQL refuses to look a name up.
    pub fn refusal(&self, place: usize, reach: &mut Reach) -> Result<Option<plannable::Refusal>, Ended> {
        let tree = self.tree(place);
        let mut refusal = None;
        // SAFETY: the tree is of the parsed list; the closure owns nothing when an error passes.
        unsafe {
            self.attempt(|| {
                refusal = raise::guarded(|| {
                    let refusal = reach.refusal(tree);
                    reach.note(tree);
                    refusal
                });
            })?;
        }
        Ok(refusal)
    }

    /// What PostgreSQL calls such a statement.
    pub fn command(&self, place: usize) -> String {
        // SAFETY: the tree is of the parsed list; the name is a constant of PostgreSQL's.
        unsafe { text::from_server(quiet::GetCommandTagName(quiet::CreateCommandTag(self.tree(place)))) }
    }

    /// The options that the statement writes, if it is about a user mapping.
    pub fn written(&self, place: usize) -> Vec<String> {
        // SAFETY: the tree is of the parsed list.
        unsafe { plannable::written(self.tree(place)) }
    }

    /// Runs the statement as a function would.
    ///
    /// # Errors
    /// When PostgreSQL refuses it.
    pub fn run(&self, place: usize) -> Result<(), Ended> {
        // SAFETY: each statement of the list is a RawStmt; guarded calls own nothing when an error passes.
        unsafe {
            let raw = pg_sys::list_nth(self.statements, place as c_int).cast::<pg_sys::RawStmt>();
            let (statement, text) = (planned(raw), self.text.as_ptr());
            self.attempt(|| {
                raise::guarded(|| pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()));
                utility::run(statement, text);
                raise::guarded(|| {
                    pg_sys::PopActiveSnapshot();
                    server::command_counter_increment();
                });
            })
        }
    }

    /// Rolls back, and gives the error.
    pub fn end(self, ended: Ended) -> Caught {
        drop(self);
        // SAFETY: the error was copied into memory that outlives the subtransaction.
        unsafe { Caught::of(&*ended.0) }
    }

    /// Runs `body`, which an error of PostgreSQL's may leave.
    ///
    /// # Safety
    /// As for [`raise::catches_error`]: whatever `body` calls owns nothing when an error passes.
    unsafe fn attempt(&self, body: impl FnOnce()) -> Result<(), Ended> {
        // SAFETY: the caller's promise; the text is a C string, and those of the copy are its own.
        unsafe {
            let context = pg_sys::CurrentMemoryContext;
            if !raise::catches_error(body) {
                return Ok(());
            }
            let error = raise::caught(context);
            log::hide_in_caught(&mut *error, CStr::from_ptr(self.text.as_ptr()));
            Err(Ended(error))
        }
    }

    fn tree(&self, place: usize) -> *mut pg_sys::Node {
        // SAFETY: each statement of the list is a RawStmt.
        unsafe { (*pg_sys::list_nth(self.statements, place as c_int).cast::<pg_sys::RawStmt>()).stmt }
    }
}

/// Undone with the subtransaction, in which it is set.
fn limit_locks(milliseconds: i32) {
    // SAFETY: name and value are C strings; an action that is local ends with the subtransaction.
    unsafe {
        pg_sys::set_config_option(
            c"lock_timeout".as_ptr(),
            text::to_server(&milliseconds.to_string()),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

/// A utility statement as the planner hands it on (pg_plan_queries).
///
/// # Safety
/// `raw` is a parsed statement.
unsafe fn planned(raw: *const pg_sys::RawStmt) -> *mut pg_sys::PlannedStmt {
    // SAFETY: palloc0 gives memory for exactly one PlannedStmt, whose other fields are null or zero.
    unsafe {
        let statement = pg_sys::palloc0(size_of::<pg_sys::PlannedStmt>()).cast::<pg_sys::PlannedStmt>();
        (*statement).type_ = NodeTag::T_PlannedStmt;
        (*statement).commandType = pg_sys::CmdType::CMD_UTILITY;
        (*statement).canSetTag = true;
        (*statement).utilityStmt = (*raw).stmt;
        (*statement).stmt_location = (*raw).stmt_location;
        (*statement).stmt_len = (*raw).stmt_len;
        statement
    }
}

impl Caught {
    /// # Safety
    /// The error is one that CopyErrorData gave.
    unsafe fn of(error: &pg_sys::ErrorData) -> Self {
        // SAFETY: each text is null or a C string.
        unsafe {
            Self {
                code: error.sqlerrcode,
                message: text::from_server_opt(error.message).unwrap_or_default(),
                detail: text::from_server_opt(error.detail),
                hint: text::from_server_opt(error.hint),
                position: (error.cursorpos > 0).then_some(error.cursorpos),
            }
        }
    }
}

/// The five characters of an error's code (MAKE_SQLSTATE in elog.h).
pub fn sqlstate(code: c_int) -> String {
    (0..5).filter_map(|place| char::from_u32((code >> (6 * place)) as u32 % 64 + u32::from(b'0'))).collect()
}
