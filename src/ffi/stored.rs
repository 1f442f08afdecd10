//! What an object has already when its options are altered: its wrapper's validator is given that too, and may quote it.

use crate::error::Error;
use crate::ffi::statement::{self, Wording};
use crate::ffi::tuple::{self, CachedTuple};
use crate::ffi::{log, quiet, raise, raising};
use crate::redaction::{self, Stored};
use crate::settings;
use fdw_guard_policy::model::ObjectType;
use pgrx::pg_sys::{self, AlterTableType, Datum, Node, NodeTag, Oid, SysCacheIdentifier as Cache};
use std::ffi::{c_char, c_int};
use std::ptr;

// Declared here because pg_sys wraps it in a boundary that would lose fields of the error.
unsafe extern "C-unwind" {
    fn ReThrowError(error: *mut pg_sys::ErrorData) -> !;
}

/// Calls `body`, which runs the statement. If that alters options, the object's own secrets are hidden meanwhile in whatever
/// is said, and afterwards in the error that ends it.
///
/// # Safety
/// Every frame between the caller and PostgreSQL owns nothing, nor does `body`; the statement is the one that PostgreSQL gave
/// to the hook, and `text` null or the C string that came with it.
pub unsafe fn hidden_in(statement: *const pg_sys::PlannedStmt, text: *const c_char, body: impl FnOnce()) {
    // SAFETY: the caller's promise. What the error was copied to is the memory that was current before.
    unsafe {
        if !may_alter_options((*statement).utilityStmt) || !settings::redact() {
            return body();
        }
        let hides = raise::guarded_or_raise(|| find(statement, text).map(redaction::note_stored));
        if !hides {
            return body();
        }
        let context = pg_sys::CurrentMemoryContext;
        if raise::catches_error(body) {
            let error = raise::guarded(|| {
                let stored = redaction::take_stored();
                let error = raise::caught(context);
                if let Some(stored) = stored {
                    log::hide_stored(&mut *error, &stored);
                }
                error
            });
            ReThrowError(error);
        }
        drop(redaction::take_stored());
    }
}

/// # Safety
/// `tree` is the parse tree of a utility statement.
unsafe fn may_alter_options(tree: *const Node) -> bool {
    // SAFETY: the caller's promise; the tag says which struct a node is.
    unsafe {
        match (*tree).type_ {
            NodeTag::T_AlterUserMappingStmt | NodeTag::T_AlterForeignServerStmt | NodeTag::T_AlterFdwStmt => true,
            NodeTag::T_AlterTableStmt => {
                let commands = quiet::elements::<Node>((*tree.cast::<pg_sys::AlterTableStmt>()).cmds);
                let is_command = |node: &&*mut Node| (***node).type_ == NodeTag::T_AlterTableCmd;
                commands.iter().filter(is_command).any(|node| is_about_options(&*node.cast()))
            }
            _ => false,
        }
    }
}

/// The options that the object has.
///
/// # Safety
/// As for [`hidden_in`].
unsafe fn find(statement: *const pg_sys::PlannedStmt, text: *const c_char) -> Result<Stored, Error> {
    // SAFETY: the caller's promise; what tells the context of an error stands in a list. The lists of options are of type
    // text[], whose elements live as long as the tuples.
    unsafe {
        let altered = altered((*statement).utilityStmt);
        let lists =
            altered.iter().filter_map(|(object_type, tuple, column)| Some((*object_type, tuple.attribute(*column)?)));
        let mut options = Vec::new();
        for (object_type, list) in lists {
            let mut elements = Vec::new();
            tuple::texts_into(list, &mut elements);
            options.extend(elements.into_iter().map(|element| (object_type, tuple::bytes_of(element))));
        }
        let is_alone = pg_sys::error_context_stack.is_null();
        Ok(Stored::of(&options, Wording::of(statement, text).own_text(), is_alone)?)
    }
}

/// A list of options that a statement alters: whose, in which row, in which column of it.
type Altered = (ObjectType, CachedTuple, u32);

/// # Safety
/// As for [`may_alter_options`].
unsafe fn altered(tree: *const Node) -> Vec<Altered> {
    // SAFETY: the caller's promise; the tag says which struct the tree is, and the names in it are C strings.
    unsafe {
        let one = match (*tree).type_ {
            NodeTag::T_AlterUserMappingStmt => of_user_mapping(&*tree.cast()),
            NodeTag::T_AlterForeignServerStmt => {
                let name = (*tree.cast::<pg_sys::AlterForeignServerStmt>()).servername;
                CachedTuple::find(Cache::FOREIGNSERVERNAME, &[Datum::from(name)])
                    .map(|found| (ObjectType::Server, found, pg_sys::Anum_pg_foreign_server_srvoptions))
            }
            NodeTag::T_AlterFdwStmt => {
                let name = (*tree.cast::<pg_sys::AlterFdwStmt>()).fdwname;
                CachedTuple::find(Cache::FOREIGNDATAWRAPPERNAME, &[Datum::from(name)]).map(|found| {
                    (ObjectType::ForeignDataWrapper, found, pg_sys::Anum_pg_foreign_data_wrapper_fdwoptions)
                })
            }
            NodeTag::T_AlterTableStmt => return of_table(tree.cast()),
            _ => None,
        };
        one.into_iter().collect()
    }
}

/// # Safety
/// The statement is a valid parse tree.
unsafe fn of_user_mapping(statement: &pg_sys::AlterUserMappingStmt) -> Option<Altered> {
    // SAFETY: the caller's promise; what is not there is invalid.
    let (role, server) = unsafe {
        let is_public = (*statement.user).roletype == pg_sys::RoleSpecType::ROLESPEC_PUBLIC;
        let (role, server) = raising::under_one_boundary(|| {
            let role = if is_public { Oid::INVALID } else { raising::get_rolespec_oid(statement.user, true) };
            (role, raising::get_foreign_server_oid(statement.servername, true))
        });
        if role == Oid::INVALID && !is_public {
            return None;
        }
        (role, server)
    };
    let found = CachedTuple::find(Cache::USERMAPPINGUSERSERVER, &[role.into(), server.into()])?;
    Some((ObjectType::UserMapping, found, pg_sys::Anum_pg_user_mapping_umoptions))
}

/// # Safety
/// The statement is a valid parse tree.
unsafe fn of_table(statement: *const pg_sys::AlterTableStmt) -> Vec<Altered> {
    // SAFETY: the caller's promise; a command on a column has its name.
    unsafe {
        let mut commands = statement::commands(statement);
        commands.retain(|command| is_about_options(command));
        let (flags, nobody) = (pg_sys::RVROption::RVR_MISSING_OK, ptr::null_mut());
        let name = (*statement).relation;
        let table = raising::under_one_boundary(|| {
            raising::RangeVarGetRelidExtended(name, pg_sys::NoLock as c_int, flags, None, nobody)
        });
        let altered = |command: &pg_sys::AlterTableCmd| {
            let (object_type, found, column) = if command.subtype == AlterTableType::AT_GenericOptions {
                let found = CachedTuple::find(Cache::FOREIGNTABLEREL, &[table.into()]);
                (ObjectType::ForeignTable, found, pg_sys::Anum_pg_foreign_table_ftoptions)
            } else {
                let found = CachedTuple::find(Cache::ATTNAME, &[table.into(), Datum::from(command.name)]);
                (ObjectType::ForeignTableColumn, found, pg_sys::Anum_pg_attribute_attfdwoptions)
            };
            Some((object_type, found?, column))
        };
        commands.into_iter().filter_map(altered).collect()
    }
}

/// Whether that is all that the command does.
pub fn is_about_options(command: &pg_sys::AlterTableCmd) -> bool {
    matches!(command.subtype, AlterTableType::AT_GenericOptions | AlterTableType::AT_AlterColumnGenericOptions)
}
