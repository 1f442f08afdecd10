//! Statements on their way to other extensions: each is handed a text in which secrets are hidden, and PostgreSQL's own
//! copies of the client's text are hidden at the first of our hooks that a message reaches.

use crate::error::Error;
use crate::ffi::next::{Next, put_in};
use crate::ffi::{client_text, raise, text};
use crate::policy_in_force;
use crate::redaction::{self, Reading};
use crate::settings::{self, Enforcement};
use fdw_guard_policy::redact::Kind;
use pgrx::pg_sys::{self, Node};
use std::ffi::{c_char, c_int};
use std::ptr;

static NEXT_ANALYZE: Next<Analyze> = Next::new(post_parse_analyze_alone);
static NEXT_EXECUTOR_START: Next<ExecutorStart> = Next::new(standard_ExecutorStart);
static NEXT_EXECUTOR_RUN: Next<ExecutorRun> = Next::new(standard_ExecutorRun);

type Analyze = unsafe extern "C-unwind" fn(*mut pg_sys::ParseState, *mut pg_sys::Query, *mut pg_sys::JumbleState);
type ExecutorStart = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, c_int);
#[cfg(not(feature = "pg18"))]
type ExecutorRun = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, pg_sys::ScanDirection::Type, u64, bool);
#[cfg(feature = "pg18")]
type ExecutorRun = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, pg_sys::ScanDirection::Type, u64);

// Declared here because pg_sys wraps them in a boundary that would lose fields of the errors that pass through. Since 18
// ExecutorRun is not told whether it is called once only.
unsafe extern "C-unwind" {
    fn ProcessInterrupts();
    fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
    #[cfg(not(feature = "pg18"))]
    fn standard_ExecutorRun(
        query: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
        execute_once: bool,
    );
    #[cfg(feature = "pg18")]
    fn standard_ExecutorRun(query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type, count: u64);
}

/// Puts our hooks in front of those that are there.
pub fn install() {
    // SAFETY: the hook variables belong to this single-threaded process.
    unsafe {
        match put_in(&raw mut pg_sys::post_parse_analyze_hook, post_parse_analyze) {
            Some(next) => NEXT_ANALYZE.set(next),
            None => pg_sys::post_parse_analyze_hook = Some(post_parse_analyze_alone),
        }
        let next = put_in(&raw mut pg_sys::ExecutorStart_hook, executor_start);
        NEXT_EXECUTOR_START.set(next.unwrap_or(standard_ExecutorStart));
        let next = put_in(&raw mut pg_sys::ExecutorRun_hook, executor_run);
        NEXT_EXECUTOR_RUN.set(next.unwrap_or(standard_ExecutorRun));
    }
}

/// The first hook that sees a statement of the simple protocol, and the text of every other.
unsafe extern "C-unwind" fn post_parse_analyze(
    state: *mut pg_sys::ParseState,
    query: *mut pg_sys::Query,
    jumbled: *mut pg_sys::JumbleState,
) {
    // SAFETY: this frame owns nothing and passes PostgreSQL's own arguments on.
    unsafe {
        look_at_parsed(state, query);
        let (text, tree) = ((*state).p_sourcetext, (*query).utilityStmt);
        with_text(text, tree, |shown| {
            (*state).p_sourcetext = shown;
            NEXT_ANALYZE.get()(state, query, jumbled);
            (*state).p_sourcetext = text;
        });
    }
}

/// The same where nobody stands behind it.
unsafe extern "C-unwind" fn post_parse_analyze_alone(
    state: *mut pg_sys::ParseState,
    query: *mut pg_sys::Query,
    _jumbled: *mut pg_sys::JumbleState,
) {
    // SAFETY: this frame owns nothing.
    unsafe { look_at_parsed(state, query) }
}

/// Hides what is secret in the client's text, of which a statement has been parsed.
///
/// # Safety
/// As for [`with_text`].
#[inline]
unsafe fn look_at_parsed(state: *const pg_sys::ParseState, query: *const pg_sys::Query) {
    // SAFETY: the caller's promise.
    unsafe {
        let tree = (*query).utilityStmt;
        if client_text::may_be_told(tree) { look_at_told(state, query) } else { look(tree) }
    }
}

/// # Safety
/// [`client_text::may_be_told`] holds for the statement, and as for [`with_text`].
#[inline(never)]
unsafe fn look_at_told(state: *const pg_sys::ParseState, query: *const pg_sys::Query) {
    if client_text::is_done_with() {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        look_closer((*query).utilityStmt, || client_text::look_at_parsed(&*query, (*state).p_sourcetext));
    }
}

/// In a parallel worker the first hook of all; in the extended protocol the first of a Bind. The text that it leaves in the
/// query goes to parallel workers too.
unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // SAFETY: as above; a query's text is null or a C string, and lives as long as the query, as what is put there does.
    unsafe {
        look(ptr::null_mut());
        let text = (*query).sourceText;
        if must_look_at(text) {
            (*query).sourceText = raise::guarded_or_raise(|| lasting(text)).0;
        }
        NEXT_EXECUTOR_START.get()(query, flags);
    }
}

/// In the extended protocol the first hook of an Execute.
#[cfg(not(feature = "pg18"))]
unsafe extern "C-unwind" fn executor_run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    execute_once: bool,
) {
    // SAFETY: as above.
    unsafe {
        look(ptr::null_mut());
        let next = NEXT_EXECUTOR_RUN.get();
        relieving_portal(|| next(query, direction, count, execute_once));
    }
}

/// In the extended protocol the first hook of an Execute.
#[cfg(feature = "pg18")]
unsafe extern "C-unwind" fn executor_run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
) {
    // SAFETY: as above.
    unsafe {
        look(ptr::null_mut());
        let next = NEXT_EXECUTOR_RUN.get();
        relieving_portal(|| next(query, direction, count));
    }
}

/// Hides what is secret in the client's text, if nobody has looked at it yet. `tree` is a utility statement or null.
///
/// # Safety
/// As for [`with_text`].
pub unsafe fn look(tree: *const Node) {
    // SAFETY: the caller's promise.
    unsafe { if client_text::may_execute(tree) { look_at_executing(tree) } else { look_over() } }
}

/// # Safety
/// [`client_text::may_execute`] holds for the statement, and as for [`with_text`].
#[inline(never)]
unsafe fn look_at_executing(tree: *const Node) {
    // Often that is all there is to be done about the text, unless it is to be read in another way.
    client_text::lets_go_or_is_done_with();
    // SAFETY: the caller's promise.
    unsafe { look_closer(tree, client_text::look) }
}

/// The same of a statement that executes nothing prepared. Nearly every call finds that there is nothing to do.
///
/// # Safety
/// As for [`with_text`].
#[inline(never)]
unsafe fn look_over() {
    if !client_text::lets_go_or_is_done_with() {
        // SAFETY: the caller's promise.
        unsafe { look_closer(ptr::null(), client_text::look) };
    }
}

/// The same of a text that may hold something, or in which something is hidden, or that executes what was prepared.
///
/// # Safety
/// As for [`with_text`].
#[inline(never)]
unsafe fn look_closer(tree: *const Node, first_look: impl FnOnce()) {
    redaction::holds_on();
    // SAFETY: the caller's promise.
    unsafe {
        if !settings::redact() {
            return;
        }
        if client_text::is_news() {
            raise::guarded(first_look);
        }
        if kind_of(tree) == Kind::Arguments && client_text::kind() != Kind::Arguments {
            raise::guarded(|| client_text::look_again(Reading::As(Kind::Arguments)));
        }
        if redaction::is_stopped() {
            // The cancel for which the look ended. If it cannot be done now, the statement goes on.
            ProcessInterrupts();
            raise::guarded(|| client_text::look_again(Reading::Patiently(client_text::kind())));
        }
    }
    client_text::report();
}

/// Hides in the client's text what has become known from within.
pub fn look_for_inner() {
    if settings::redact() && redaction::owes_look() {
        client_text::look_for_inner();
    }
}

/// Runs what a portal is to run, and then hides what is secret in the portal's own text.
///
/// # Safety
/// As for [`with_text`].
pub unsafe fn relieving_portal(run: impl FnOnce()) {
    if client_text::is_done_with() {
        run();
        if redaction::covers() {
            // SAFETY: the caller's promise.
            unsafe { raise::guarded(client_text::cover_portal) };
        }
        return;
    }
    let begins = client_text::begins_run() && settings::redact();
    run();
    // SAFETY: the caller's promise.
    unsafe {
        if begins {
            raise::guarded(client_text::relieve_portal);
        } else if redaction::covers() {
            raise::guarded(client_text::cover_portal);
        }
    }
}

/// Reads the rules if they may say of an option in the client's text whether it is a secret.
pub fn learn_names() {
    let is_told = || client_text::is_hidden() || client_text::may_hold_options();
    let must_learn = settings::redact() && !redaction::knows_rules() && is_told();
    if must_learn && settings::enforcement() != Enforcement::Off && policy_in_force::policy().is_ok() {
        client_text::look_again(Reading::As(client_text::kind()));
        client_text::report();
    }
}

/// Hides what is secret in a message of which no hook has seen a statement. To be called when the transaction ends.
///
/// # Safety
/// Every frame between the caller and PostgreSQL owns nothing.
pub unsafe fn look_at_unseen() {
    if settings::redact() && client_text::may_be_unseen() {
        // SAFETY: the caller's promise.
        unsafe { raise::guarded(client_text::look_at_unseen) };
    }
}

/// Calls `body`, which runs code of PostgreSQL or of another extension, with what may be shown of `text`.
///
/// # Safety
/// Every frame between the caller and PostgreSQL owns nothing, nor does `body`; `text` is null or a C string that lives
/// until it returns, `tree` null or a valid parse tree.
pub unsafe fn with_text(text: *const c_char, tree: *const Node, body: impl FnOnce(*const c_char)) {
    // SAFETY: the caller's promise.
    unsafe {
        if !must_look_at(text) {
            return body(text);
        }
        let shown = raise::guarded_or_raise(|| hand_on(text, kind_of(tree)));
        if shown.0.is_null() {
            return body(text);
        }
        let failed = raise::catches_error(|| body(shown.0));
        redaction::take_back();
        if failed {
            raise::rethrow();
        }
    }
}

/// Whether a text could hold secrets, as far as that is known without a look. If not, nothing is hidden in the client's
/// text either.
pub fn must_look_at(text: *const c_char) -> bool {
    !text.is_null() && !client_text::is_harmless(text) && settings::redact()
}

/// What may be shown of a text, in the current memory context; itself, if that is all of it.
///
/// # Safety
/// `text` is a C string.
unsafe fn lasting(text: *const c_char) -> Result<Shown, Error> {
    // SAFETY: the caller's promise.
    unsafe {
        let shown = hand_on(text, Kind::Statement)?.0;
        if shown.is_null() {
            return Ok(Shown(text));
        }
        let copy = client_text::with_bytes(shown, text::copied);
        redaction::take_back();
        Ok(Shown(copy))
    }
}

/// A C string, or null.
#[derive(Clone, Copy)]
struct Shown(*const c_char);

impl Default for Shown {
    fn default() -> Self {
        Self(ptr::null())
    }
}

/// # Safety
/// `text` is a C string that lives until it has been taken back.
unsafe fn hand_on(text: *const c_char, kind: Kind) -> Result<Shown, Error> {
    // SAFETY: the caller's promise.
    let shown = unsafe {
        let known = client_text::known_address(text);
        client_text::with_bytes(text, |bytes| redaction::hand_on(known, client_text::message_time(), bytes, kind))
    }?;
    look_for_inner();
    Ok(Shown(shown.unwrap_or(ptr::null())))
}

/// How the text of that statement is to be read.
///
/// # Safety
/// `tree` is null or a valid parse tree.
unsafe fn kind_of(tree: *const Node) -> Kind {
    // SAFETY: the caller's promise; the text of a prepared statement is a C string.
    unsafe {
        let prepared = client_text::prepared_text(tree);
        let is_ours = !prepared.is_null() && client_text::with_bytes(prepared, redaction::names_our_functions);
        if is_ours { Kind::Arguments } else { Kind::Statement }
    }
}
