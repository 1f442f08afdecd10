//! The hooks: where PostgreSQL calls us and we call whoever was there before.
//!
//! The functions that PostgreSQL enters are plain frames that own nothing, because an error leaves them by siglongjmp.
//! Whatever owns memory happens in the functions of [`crate::guard`], each inside [`raise::guarded`].

use crate::ffi::next::{Next, put_in};
use crate::ffi::raise::Report;
use crate::ffi::statement::{Said, Wording};
use crate::ffi::utility::standard_ProcessUtility;
use crate::ffi::{client_text, handing, inside, log, raise, scan, server, statement, stored};
use crate::{guard, pending, planning};
use pgrx::pg_sys::{self, Oid};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

static NEXT_PROCESS_UTILITY: Next<ProcessUtility> = Next::new(standard_ProcessUtility);
static NEXT_OBJECT_ACCESS: Next<Option<ObjectAccess>> = Next::new(None);

/// Puts our hooks in front of those that are there. Called once, when the library is loaded.
pub fn install() {
    // SAFETY: the hook variables belong to this single-threaded backend; pg_init runs once in its life.
    unsafe {
        let next = put_in(&raw mut pg_sys::ProcessUtility_hook, process_utility);
        NEXT_PROCESS_UTILITY.set(next.unwrap_or(standard_ProcessUtility));
        NEXT_OBJECT_ACCESS.set(put_in(&raw mut pg_sys::object_access_hook, object_access));
        handing::install();
        log::install();
        pg_sys::RegisterXactCallback(Some(transaction_event), ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_event), ptr::null_mut());
    }
}

/// Whether another extension's hook runs before ours (it was loaded after fdw_guard and sees statements first).
pub fn is_first_hook() -> bool {
    // SAFETY: reads a hook variable of this backend.
    unsafe { pg_sys::ProcessUtility_hook }.is_some_and(|hook| ptr::fn_addr_eq(hook, process_utility as ProcessUtility))
}

type ProcessUtility = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannedStmt,
    *const c_char,
    bool,
    pg_sys::ProcessUtilityContext::Type,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
    *mut pg_sys::DestReceiver,
    *mut pg_sys::QueryCompletion,
);

type ObjectAccess = unsafe extern "C-unwind" fn(pg_sys::ObjectAccessType::Type, Oid, Oid, c_int, *mut c_void);

/// Lets a statement of every day go its way, if it comes from a text in which nothing is to be hidden. Whatever else is attended
/// to. Nothing is called before that is told, so that PostgreSQL's arguments stay where they are.
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query_string: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    query_environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: this frame owns nothing, and passes PostgreSQL's own arguments on.
    unsafe {
        let goes_its_way = client_text::has_let_go(query_string) && statement::is_everyday((*statement).utilityStmt);
        let run = if goes_its_way { NEXT_PROCESS_UTILITY.get() } else { attend };
        run(statement, query_string, read_only_tree, context, params, query_environment, destination, completion);
    }
}

/// Opens a frame, runs the statement, and closes the frame with a verdict or, after an error, without one.
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
unsafe extern "C-unwind" fn attend(
    statement: *mut pg_sys::PlannedStmt,
    query_string: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    query_environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: this frame owns nothing, passes PostgreSQL's own arguments on, and calls only guarded functions and the
    // next hook, which is what this hook stands in front of.
    unsafe {
        let next = NEXT_PROCESS_UTILITY.get();
        let tree = (*statement).utilityStmt;
        if client_text::has_let_go(query_string) && statement::concerns_no_object(tree) {
            return next(
                statement,
                query_string,
                read_only_tree,
                context,
                params,
                query_environment,
                destination,
                completion,
            );
        }
        handing::look(tree);
        let pass_on = |text| {
            stored::hidden_in(statement, query_string, || {
                next(statement, text, read_only_tree, context, params, query_environment, destination, completion);
            });
        };
        let run = || handing::relieving_portal(|| handing::with_text(query_string, tree, pass_on));
        if !statement::is_watched(statement, context) || server::stands_aside() {
            return if handing::must_look_at(query_string) { run() } else { pass_on(query_string) };
        }
        // Rules that were committed before the statement begins bind it, whatever locks it holds already.
        raise::guarded(|| {
            server::accept_invalidation_messages();
            handing::learn_names();
        });
        let wording = Wording::of(statement, query_string);
        if statement::must_be_foretold(tree) {
            let reports = raise::guarded(|| reports_for_postgres(guard::foretell(statement::foretold(tree), wording)));
            raise::raise(reports);
        }
        if statement::says_more(tree) {
            raise::guarded(|| guard::open_frame(statement::said(tree), wording));
        } else {
            guard::open_frame(Said::default(), wording);
        }
        if raise::catches_error(run) {
            guard::abandon_frame();
            raise::rethrow();
        }
        let reports = raise::guarded(|| reports_for_postgres(guard::close_frame()));
        raise::raise(reports);
    }
}

fn reports_for_postgres(reports: Vec<Report>) -> *const raise::RawReport {
    raise::in_postgres_memory(&reports)
}

/// Notes what the running statement touches. It is called for every function call and name look-up too, so it looks at
/// the kind of access and the catalog before anything else.
unsafe extern "C-unwind" fn object_access(
    access: pg_sys::ObjectAccessType::Type,
    catalog: Oid,
    object: Oid,
    sub_object: c_int,
    argument: *mut c_void,
) {
    // SAFETY: this frame owns nothing and passes PostgreSQL's own arguments on.
    unsafe {
        if let Some(next) = NEXT_OBJECT_ACCESS.get() {
            next(access, catalog, object, sub_object, argument);
        }
        let by_itself = is_by_itself(access, argument);
        let Some(access) = Access::of(access, argument) else { return };
        let Some(catalog) = Catalog::of(catalog) else { return };
        if access == Access::Create && catalog == Catalog::Relation && sub_object == 0 && planning::is_on() {
            raise::guarded_or_raise(|| planning::note_new_relation(object, by_itself));
        }
        if !server::stands_aside() {
            raise::guarded(|| guard::note_touch(catalog, object, sub_object, access));
        }
    }
}

/// The catalogs whose rows make up what rules govern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Catalog {
    Wrapper,
    Server,
    UserMapping,
    /// pg_class, with a column's number for pg_attribute, and pg_foreign_table.
    Relation,
    /// From 18 on, NOT NULL is a constraint, and setting it touches nothing else.
    Constraint,
    Trigger,
    /// pg_attrdef; of a default that is made, PostgreSQL names the column, of one that is dropped, its row.
    Default,
    /// pg_inherits, of which PostgreSQL names the child.
    Inheritance,
    /// Rules find tables by the names of their schemas, and user mappings by those of roles.
    Schema,
    Role,
}

impl Catalog {
    pub const WRAPPERS: Oid = pg_sys::ForeignDataWrapperRelationId;
    pub const SERVERS: Oid = pg_sys::ForeignServerRelationId;
    pub const USER_MAPPINGS: Oid = pg_sys::UserMappingRelationId;
    pub const RELATIONS: Oid = pg_sys::RelationRelationId;
    pub const FOREIGN_TABLES: Oid = pg_sys::ForeignTableRelationId;

    pub fn of(catalog: Oid) -> Option<Self> {
        match catalog {
            pg_sys::RelationRelationId | pg_sys::ForeignTableRelationId => Some(Self::Relation),
            scan::CONSTRAINTS => Some(Self::Constraint),
            pg_sys::TriggerRelationId => Some(Self::Trigger),
            inside::DEFAULTS => Some(Self::Default),
            inside::INHERITANCE => Some(Self::Inheritance),
            pg_sys::NamespaceRelationId => Some(Self::Schema),
            pg_sys::AuthIdRelationId => Some(Self::Role),
            Self::WRAPPERS => Some(Self::Wrapper),
            Self::SERVERS => Some(Self::Server),
            pg_sys::UserMappingRelationId => Some(Self::UserMapping),
            _ => None,
        }
    }
}

/// What happens to an object, of the kinds of access that change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Create,
    Alter,
    Drop,
    /// PostgreSQL itself drops it, in the course of something else: a default that gets another expression, a temporary
    /// table at the end of its session, which no rule may deny.
    DropAside,
}

impl Access {
    /// None for what changes nothing.
    ///
    /// # Safety
    /// `argument` is what PostgreSQL gave to the hook for this kind of access.
    unsafe fn of(access: pg_sys::ObjectAccessType::Type, argument: *const c_void) -> Option<Self> {
        match access {
            pg_sys::ObjectAccessType::OAT_POST_CREATE => Some(Self::Create),
            pg_sys::ObjectAccessType::OAT_POST_ALTER => Some(Self::Alter),
            pg_sys::ObjectAccessType::OAT_DROP => {
                // SAFETY: for OAT_DROP the argument is an ObjectAccessDrop (objectaccess.h).
                let flags = unsafe { (*argument.cast::<pg_sys::ObjectAccessDrop>()).dropflags };
                let by_itself = flags & pg_sys::PERFORM_DELETION_INTERNAL as c_int != 0;
                Some(if by_itself { Self::DropAside } else { Self::Drop })
            }
            _ => None,
        }
    }
}

/// Whether PostgreSQL makes the object for itself, in the course of something else.
///
/// # Safety
/// As for [`Access::of`].
unsafe fn is_by_itself(access: pg_sys::ObjectAccessType::Type, argument: *const c_void) -> bool {
    // SAFETY: for OAT_POST_CREATE the argument is an ObjectAccessPostCreate or null (objectaccess.h).
    access == pg_sys::ObjectAccessType::OAT_POST_CREATE
        && !argument.is_null()
        && unsafe { (*argument.cast::<pg_sys::ObjectAccessPostCreate>()).is_internal }
}

/// Most transactions end with nothing to be done, which is told by a few numbers.
unsafe extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    // SAFETY: this frame owns nothing.
    unsafe {
        if pending::may_be() {
            attend_to_end(event);
        } else if event == pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT && !client_text::is_let_go() {
            look_at_unseen();
        }
    }
}

/// Judges what is still open before a transaction commits, and forgets everything when it has ended.
///
/// # Safety
/// To be called by PostgreSQL for that event, by frames that own nothing.
#[inline(never)]
unsafe fn attend_to_end(event: pg_sys::XactEvent::Type) {
    // SAFETY: this frame owns nothing; at PRE_COMMIT and PRE_PREPARE the transaction still runs, so that catalogs can be
    // read and an error rolls it back.
    unsafe {
        if event == pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT {
            look_at_unseen();
        }
        match event {
            _ if guard::has_noted_nothing() => {}
            pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT | pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE => {
                let reports = raise::guarded(|| reports_for_postgres(guard::before_commit()));
                raise::raise(reports);
            }
            pg_sys::XactEvent::XACT_EVENT_COMMIT
            | pg_sys::XactEvent::XACT_EVENT_PREPARE
            | pg_sys::XactEvent::XACT_EVENT_ABORT => guard::forget_transaction(),
            _ => {}
        }
    }
}

/// Hides what is secret in the client's text, if no hook has seen it.
///
/// # Safety
/// As for [`attend_to_end`].
#[inline(never)]
unsafe fn look_at_unseen() {
    if !client_text::lets_go_or_is_done_with() {
        // SAFETY: the caller's promise.
        unsafe { handing::look_at_unseen() };
    }
}

/// Hands the touches of a released subtransaction to its parent, and forgets those of one that is rolled back.
unsafe extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => guard::end_subtransaction(subtransaction, Some(parent)),
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => guard::end_subtransaction(subtransaction, None),
        _ => {}
    }
}
