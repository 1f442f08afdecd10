//! What is hidden, from whom, and for how long.
//!
//! The text of a client's message is looked at once, by whichever hook comes first, and is known from then on by its
//! address and the time of the message: `debug_query_string` and pg_stat_activity get it with `***` for each secret, other
//! extensions a copy of the same length, in which positions hold. A text from within (of a function, a script, a DO block)
//! is looked at where it is handed on. The secrets found are kept until the next message, so that an error which quotes
//! one can be told from others.
//!
//! Much of this runs while an error is reported: memory is asked for, and nothing here calls PostgreSQL.

use crate::ffi::{characters, rules, session};
use crate::policy_file;
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::redact::{Found, Kind, Names, Redactor, Secrets, Strings, parameters};
use fdw_guard_policy::secret::SecretOptions;
use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::ptr;
use std::rc::Rc;

pub use fdw_guard_policy::redact::{OutOfMemory, names_our_functions};

/// Which client text was looked at last, and what PostgreSQL has instead of it; for a quick answer.
#[derive(Clone, Copy)]
struct Known {
    address: *const c_char,
    message: i64,
    /// Null if there is nothing to hide in it.
    shown: *const c_char,
}

/// A text with its secrets hidden, each as a C string.
struct Hidden {
    /// `***` for each secret; for the client's text only.
    shown: Vec<u8>,
    /// As many bytes and characters, so that positions hold.
    level: Vec<u8>,
}

/// The last text from within that held secrets: scripts hand the same one to each of their statements.
struct Inner {
    original: Vec<u8>,
    kind: Kind,
    names: Version,
    hidden: Rc<Hidden>,
}

/// What names of options were learned from: rules of the table, of the policy file, and the setting.
type Version = (u64, u64, u64);

#[derive(Default)]
struct State {
    client: Option<Rc<Hidden>>,
    reported: bool,
    inner: Option<Inner>,
    /// The texts that other extensions have in hand now, which must live as long.
    handed: Vec<Rc<Hidden>>,
    /// Values that an error might quote: of the client's text, and of texts from within.
    of_client: Secrets,
    of_inner: Secrets,
}

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known { address: ptr::null(), message: 0, shown: ptr::null() }) };
    static STATE: RefCell<State> = RefCell::default();
    /// What the packs and the setting say of names.
    static GENERAL: RefCell<Option<Names>> = const { RefCell::new(None) };
    /// What the rules in force say too, and which rules these were.
    static OF_RULES: RefCell<Option<(Version, Names)>> = const { RefCell::new(None) };
    static SETTING: Cell<u64> = const { Cell::new(0) };
}

/// What came of a look at the client's text.
pub enum Seen {
    Harmless,
    /// PostgreSQL is to show this C string instead. It lives until the next message is looked at.
    Hidden(*const c_char),
}

/// The setting that names secret options has changed.
pub fn learn_setting(secret_options: &SecretOptions) {
    SETTING.set(SETTING.get() + 1);
    GENERAL.replace(Some(Names::of_packs(secret_options)));
}

/// The rules in force have been read.
pub fn learn_rules(policy: &Policy) {
    OF_RULES.replace(Some((version(), Names::of_policy(policy))));
}

/// Whether the names of options in force are known, those of the database's rules too.
pub fn knows_rules() -> bool {
    OF_RULES.with_borrow(|known| known.as_ref().is_some_and(|(learned, _)| *learned == version()))
}

fn version() -> Version {
    (rules::generation(), policy_file::generation(), SETTING.get())
}

fn find(text: &[u8], kind: Kind) -> Result<Found, OutOfMemory> {
    let strings = if session::strings_are_standard() { Strings::Standard } else { Strings::Escaping };
    let find = |names: &Names| Redactor { names, strings }.find(text, kind);
    OF_RULES.with_borrow(|of_rules| match of_rules {
        Some((learned, names)) if *learned == version() => find(names),
        _ => GENERAL.with_borrow(|general| match general {
            Some(names) => find(names),
            None => find(&Names::unknown()),
        }),
    })
}

/// Whether that is what we have put in the place of the client's text.
pub fn is_ours(address: *const c_char) -> bool {
    KNOWN.get().shown == address
}

/// Whether the text at that address has been looked at since the message came, and nothing is hidden in it.
pub fn is_harmless(address: *const c_char, message: i64) -> bool {
    let known = KNOWN.get();
    known.shown.is_null() && known.address == address && known.message == message
}

/// Looks at the client's text, which came with that message.
pub fn see_client_text(address: *const c_char, message: i64, text: &[u8], kind: Kind) -> Result<Seen, OutOfMemory> {
    let known = KNOWN.get();
    if known.message != message {
        forget_secrets();
    }
    let found = find(text, kind)?;
    let hidden = if found.is_empty() { None } else { Some(Rc::new(Hidden::of(text, &found, true)?)) };
    let shown = hidden.as_ref().map_or(ptr::null(), |hidden| hidden.shown.as_ptr().cast());
    KNOWN.set(Known { address, message, shown });
    STATE.with_borrow_mut(|state| {
        state.client = hidden;
        state.reported = false;
        state.of_client = found.into_secrets();
    });
    Ok(if shown.is_null() { Seen::Harmless } else { Seen::Hidden(shown) })
}

impl Hidden {
    fn of(text: &[u8], found: &Found, with_shown: bool) -> Result<Self, OutOfMemory> {
        let shown = if with_shown { c_text(found.with_stars(text)?)? } else { Vec::new() };
        Ok(Self { shown, level: c_text(found.keeping_length(text, &characters::of_database())?)? })
    }
}

fn c_text(mut text: Vec<u8>) -> Result<Vec<u8>, OutOfMemory> {
    text.try_reserve(1).map_err(|_| OutOfMemory)?;
    text.push(0);
    Ok(text)
}

fn forget_secrets() {
    STATE.with_borrow_mut(|state| {
        state.of_client.clear();
        state.of_inner.clear();
        state.inner = None;
        // What an error has kept from being taken back.
        state.handed.clear();
    });
}

/// Where the client's text was before something in it was hidden, of the same message.
pub fn client_address(message: i64) -> Option<*const c_char> {
    let known = KNOWN.get();
    (known.message == message && !known.shown.is_null()).then_some(known.address)
}

/// Whether pg_stat_activity must be told; it is taken for done.
pub fn must_be_reported() -> bool {
    let hides = !KNOWN.get().shown.is_null();
    hides && STATE.with_borrow_mut(|state| !std::mem::replace(&mut state.reported, true))
}

/// What other extensions are to be handed instead of a text, until [`take_back`]; None if it holds no secret.
pub fn hand_on(
    address: *const c_char,
    message: i64,
    text: &[u8],
    kind: Kind,
) -> Result<Option<*const c_char>, OutOfMemory> {
    let hidden = if client_address(message) == Some(address) {
        STATE.with_borrow(|state| state.client.clone())
    } else {
        hide_inner(text, kind)?
    };
    let level = hidden.as_ref().map(|hidden| hidden.level.as_ptr().cast());
    STATE.with_borrow_mut(|state| state.handed.extend(hidden));
    Ok(level)
}

/// The text that was handed on last is not needed any more.
pub fn take_back() {
    STATE.with_borrow_mut(|state| drop(state.handed.pop()));
}

fn hide_inner(text: &[u8], kind: Kind) -> Result<Option<Rc<Hidden>>, OutOfMemory> {
    let names = version();
    let same = |inner: &&Inner| inner.kind == kind && inner.names == names && inner.original == text;
    let known = STATE.with_borrow(|state| state.inner.as_ref().filter(same).map(|inner| Rc::clone(&inner.hidden)));
    if known.is_some() {
        return Ok(known);
    }
    let found = find(text, kind)?;
    if found.is_empty() {
        return Ok(None);
    }
    let hidden = Rc::new(Hidden::of(text, &found, false)?);
    let inner = Inner { original: copy_of(text)?, kind, names, hidden: Rc::clone(&hidden) };
    STATE.with_borrow_mut(|state| {
        state.inner = Some(inner);
        state.of_inner.extend(found.secrets())
    })?;
    Ok(Some(hidden))
}

fn copy_of(text: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(text.len()).map_err(|_| OutOfMemory)?;
    copy.extend_from_slice(text);
    Ok(copy)
}

/// The statement as it can be kept: `***` for each secret, whatever else is hidden or not.
pub fn with_stars(statement: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
    let found = find(statement, Kind::Statement)?;
    if found.is_empty() { Ok(None) } else { found.with_stars(statement).map(Some) }
}

/// A text of a log line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Message,
    /// DETAIL, HINT or CONTEXT.
    Aside,
    /// The statement within, in which the line tells a position.
    Query,
}

/// What must be known of a log line as a whole before a text of it can be shown.
pub struct Line<'a> {
    /// What the client sent and what is shown of it, where something in it is hidden.
    client: Option<(&'a [u8], &'a [u8])>,
    tells_parameters: bool,
    executes: bool,
}

impl<'a> Line<'a> {
    /// `statement` is the client's text, `shown` what is shown of it, if that differs.
    pub fn new(statement: &'a [u8], shown: Option<&'a [u8]>, message: &[u8], detail: &[u8]) -> Self {
        let executes = names_our_functions(detail);
        let tells_parameters = executes || names_our_functions(statement) || names_our_functions(message);
        Self { client: shown.map(|shown| (statement, shown)), tells_parameters, executes }
    }

    /// What is to be shown instead of one of its texts; None if that may be shown as it is.
    pub fn hide(&self, text: &[u8], field: Field) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let mut hidden = self.without_statements(text, field)?;
        STATE.with_borrow(|state| {
            for secrets in [&state.of_client, &state.of_inner] {
                let clean = secrets.hide_in(hidden.as_deref().unwrap_or(text))?;
                hidden = clean.or(hidden.take());
            }
            Ok(())
        })?;
        let rest = hidden.as_deref().unwrap_or(text);
        match parameters::start(rest).filter(|_| self.tells_parameters) {
            Some(start) => concat(rest.get(..start).unwrap_or_default(), b"***").map(Some),
            None => Ok(hidden),
        }
    }

    fn holds_secrets(&self) -> bool {
        self.client.is_some() || self.tells_parameters || STATE.with_borrow(|state| !state.of_inner.is_empty())
    }

    fn without_statements(&self, text: &[u8], field: Field) -> Result<Option<Vec<u8>>, OutOfMemory> {
        if field == Field::Aside && self.holds_secrets() && is_tree(text) {
            return copy_of(b"***").map(Some);
        }
        // The client's own text, at the end of what log_statement and its like say, has been read as what it is: SQL.
        if let Some((statement, shown)) = self.client
            && let Some(before) = text.strip_suffix(statement)
        {
            let before = self.without_statements(before, field)?.map_or_else(|| copy_of(before), Ok)?;
            return concat(&before, shown).map(Some);
        }
        let kind = match field {
            Field::Query => Kind::Statement,
            Field::Message if self.executes => Kind::Arguments,
            Field::Message | Field::Aside => Kind::Message,
        };
        let found = find(text, kind)?;
        if found.is_empty() {
            return Ok(None);
        }
        if field != Field::Query {
            let short = found.with_stars(text)?;
            if short.len() <= text.len() {
                return Ok(Some(short));
            }
        }
        found.keeping_length(text, &characters::of_database()).map(Some)
    }
}

/// Whether the text is what `debug_print_parse` and its like write, in which constants are lists of numbers.
fn is_tree(text: &[u8]) -> bool {
    [&b"{QUERY"[..], b"{PLANNEDSTMT"].iter().any(|root| memchr::memmem::find(text, root).is_some())
}

fn concat(before: &[u8], after: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut whole = Vec::new();
    whole.try_reserve_exact(before.len() + after.len()).map_err(|_| OutOfMemory)?;
    whole.extend_from_slice(before);
    whole.extend_from_slice(after);
    Ok(whole)
}
