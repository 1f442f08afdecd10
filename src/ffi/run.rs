//! Runs a statement as PostgreSQL would run it from a function in another language, every hook and trigger included.

use crate::error::Error;
use crate::ffi::memory::Scratch;
use crate::ffi::raise::{self, Failure};
use crate::ffi::{handing, server, text, utility};
use crate::redaction;
use fdw_guard_policy::diff::Statement;
use pgrx::pg_sys::{self, NodeTag};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

// Declared here because pg_sys wraps each in a boundary that would lose fields of the errors that pass through.
unsafe extern "C-unwind" {
    fn set_errcontext_domain(domain: *const c_char) -> c_int;
    fn errcontext_msg(fmt: *const c_char, ...) -> c_int;
    fn geterrposition() -> c_int;
    fn errposition(position: c_int) -> c_int;
    fn internalerrposition(position: c_int) -> c_int;
    fn internalerrquery(query: *const c_char) -> c_int;
}

/// Runs the statement, with the caller's own rights. Whoever is told its text, from the parser on, is told it with `***` in
/// the place of secrets; they are put into the parse tree when it has been analysed.
pub fn run(statement: &Statement) -> Result<(), Failure> {
    let _scratch = Scratch::new();
    let text = text::to_server_name(&statement.text);
    let planned = planned(text);
    // SAFETY: the tree is ours, and lives as long as the scratch memory. The frame that an error jumps over, which is the
    // closure's, owns nothing.
    unsafe {
        put_secrets((*planned).utilityStmt, statement)?;
        server::command_counter_increment();
        pg_sys::PushCopiedSnapshot(pg_sys::GetTransactionSnapshot());
        pg_sys::UpdateActiveSnapshotCommandId();
        raise::pending(|| process(planned, text))?;
        pg_sys::PopActiveSnapshot();
    }
    server::command_counter_increment();
    Ok(())
}

/// The only statement of the text.
fn planned(text: *const c_char) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the text is a C string that one utility statement fills, of which each step makes a list of one.
    unsafe {
        let raw = pg_sys::list_nth(pg_sys::raw_parser(text, pg_sys::RawParseMode::RAW_PARSE_DEFAULT), 0);
        let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(raw.cast(), text, ptr::null(), 0, ptr::null_mut());
        pg_sys::list_nth(pg_sys::pg_plan_queries(queries, text, 0, ptr::null_mut()), 0).cast()
    }
}

/// # Safety
/// The tree is that of a statement whose text [`fdw_guard_policy::diff`] wrote.
unsafe fn put_secrets(tree: *mut pg_sys::Node, statement: &Statement) -> Result<(), Error> {
    // SAFETY: the caller's promise: the list has an element at each place.
    unsafe {
        let options = options_of(tree);
        for (place, value) in statement.secrets() {
            let value = text::to_server_name(value);
            // A validator may quote it.
            redaction::note_secret(CStr::from_ptr(value).to_bytes())?;
            let option = pg_sys::list_nth(options, place as c_int).cast::<pg_sys::DefElem>();
            (*option).arg = pg_sys::makeString(value.cast_mut()).cast();
        }
    }
    handing::look_for_inner();
    Ok(())
}

/// # Safety
/// As for [`put_secrets`].
unsafe fn options_of(tree: *mut pg_sys::Node) -> *mut pg_sys::List {
    // SAFETY: the tag says which struct the tree is; the only command of an ALTER FOREIGN TABLE is OPTIONS.
    unsafe {
        match (*tree).type_ {
            NodeTag::T_CreateUserMappingStmt => (*tree.cast::<pg_sys::CreateUserMappingStmt>()).options,
            NodeTag::T_AlterUserMappingStmt => (*tree.cast::<pg_sys::AlterUserMappingStmt>()).options,
            NodeTag::T_AlterForeignServerStmt => (*tree.cast::<pg_sys::AlterForeignServerStmt>()).options,
            NodeTag::T_AlterTableStmt => {
                let commands = (*tree.cast::<pg_sys::AlterTableStmt>()).cmds;
                (*pg_sys::list_nth(commands, 0).cast::<pg_sys::AlterTableCmd>()).def.cast()
            }
            _ => ptr::null_mut(),
        }
    }
}

/// # Safety
/// The calling frame owns nothing.
unsafe fn process(planned: *mut pg_sys::PlannedStmt, text: *const c_char) {
    // SAFETY: the callback lives in this frame and is taken off the stack with it; on an error whoever catches it puts the
    // stack back.
    unsafe {
        let mut callback = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(tell_context),
            arg: text.cast_mut().cast(),
        };
        pg_sys::error_context_stack = &raw mut callback;
        utility::run(planned, text);
        pg_sys::error_context_stack = callback.previous;
    }
}

/// Adds to an error which statement it is of, as SPI does (`_SPI_error_callback`).
unsafe extern "C-unwind" fn tell_context(text: *mut c_void) {
    // SAFETY: called by elog.c while an error is being raised; the text is a C string that outlives the statement.
    unsafe {
        let position = geterrposition();
        if position > 0 {
            errposition(0);
            internalerrposition(position);
            internalerrquery(text.cast());
        } else {
            set_errcontext_domain(ptr::null());
            errcontext_msg(c"SQL statement \"%s\"".as_ptr(), text.cast::<c_char>());
        }
    }
}
