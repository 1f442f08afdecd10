//! What is hidden, from whom, and for how long.
//!
//! The text of a client's message is looked at once, by whichever hook comes first, and is known from then on by its
//! address and the time of the message: `debug_query_string` and pg_stat_activity get it with `***` for each secret, other
//! extensions a copy of the same length, in which positions hold. A text from within (of a function, a script, a DO block)
//! is looked at where it is handed on. The secrets found are kept until the next message, so that an error which quotes
//! one can be told from others.
//!
//! Much of this runs while an error is reported: memory is asked for, and nothing here calls PostgreSQL.

use crate::ffi::{characters, rules, server, session};
use crate::policy_file;
use fdw_guard_policy::model::ObjectType;
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::redact::{
    Found, Kind, Names, Place, Redactor, Secrets, StoredSecrets, Strings, executed, parameters,
};
use fdw_guard_policy::secret::SecretOptions;
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_char;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr};

pub use fdw_guard_policy::redact::{OutOfMemory, may_hold_secrets, names_our_functions};

/// Which client text was looked at last, and what PostgreSQL has instead of it. Every hook of every statement asks for it
/// before all else, so that it stands where it is found at once, and not among what each thread would have of its own.
struct Known {
    message: AtomicI64,
    /// Where the text stands if it was let go at a glance: there is nothing to hide in it, by whatever names of options. Else
    /// [`HELD`], or [`OF_NO_CLIENT`].
    let_go: AtomicPtr<c_char>,
    /// Where it stands if it was held.
    address: AtomicPtr<c_char>,
    /// Null if there is nothing to hide in it.
    shown: AtomicPtr<c_char>,
}

static KNOWN: Known = Known {
    message: AtomicI64::new(0),
    let_go: AtomicPtr::new(HELD),
    address: AtomicPtr::new(ptr::null_mut()),
    shown: AtomicPtr::new(ptr::null_mut()),
};

/// Addresses at which no text stands.
const HELD: *mut c_char = ptr::without_provenance_mut(usize::MAX);
const OF_NO_CLIENT: *mut c_char = ptr::without_provenance_mut(usize::MAX - 1);

impl Known {
    /// It was looked at closely, and that is shown of it.
    fn hold(&self, (address, message): (*const c_char, i64), shown: *const c_char, read: Read) {
        self.message.store(message, Relaxed);
        self.let_go.store(HELD, Relaxed);
        self.address.store(address.cast_mut(), Relaxed);
        self.shown.store(shown.cast_mut(), Relaxed);
        READ.set(read);
    }

    /// It was looked at, at a glance. Nothing was shown instead of the one before.
    #[inline]
    fn let_go(&self, text: *const c_char, message: i64) {
        debug_assert!(!self.hides());
        self.message.store(message, Relaxed);
        self.let_go.store(text.cast_mut(), Relaxed);
    }

    /// What was let go is held again.
    fn hold_again(&self) {
        let let_go = self.let_go.swap(HELD, Relaxed);
        if let_go != HELD {
            self.address.store(if let_go == OF_NO_CLIENT { ptr::null_mut() } else { let_go }, Relaxed);
            READ.set(Read::OVER);
        }
    }

    /// Whether it was let go, and stands there.
    #[inline]
    fn has_let_go(&self, text: *const c_char) -> bool {
        ptr::eq(self.let_go.load(Relaxed), text)
    }

    /// Whether it was held, and stands there.
    fn holds(&self, text: *const c_char) -> bool {
        self.has_let_go(HELD) && ptr::eq(self.address(), text)
    }

    fn address(&self) -> *const c_char {
        self.address.load(Relaxed)
    }

    /// Whether it came with that message.
    #[inline]
    fn is_of(&self, message: i64) -> bool {
        self.message.load(Relaxed) == message
    }

    fn shown(&self) -> *const c_char {
        self.shown.load(Relaxed)
    }

    /// Whether something is hidden in the last text.
    fn hides(&self) -> bool {
        !self.shown().is_null()
    }

    /// How it was read.
    fn read(&self) -> Read {
        if self.has_let_go(HELD) { READ.get() } else { Read::OVER }
    }
}

/// How the client text was read that was looked at last.
#[derive(Clone, Copy)]
struct Read {
    /// By which names of options; None if there is nothing to hide in it by any.
    names: Option<Version>,
    kind: Kind,
}

impl Read {
    /// At a glance.
    const OVER: Self = Self { names: None, kind: Kind::Statement };
}

/// A text with its secrets hidden, each as a C string.
struct Hidden {
    /// `***` for each secret; for the client's text only.
    shown: Vec<u8>,
    /// As many bytes and characters, so that positions hold. Where others have it in hand, more of it may be hidden yet.
    level: Vec<Cell<u8>>,
    found: Found,
}

/// The last text from within that held secrets: scripts hand the same one to each of their statements.
struct Inner {
    original: Vec<u8>,
    kind: Kind,
    names: Version,
    hidden: Rc<Hidden>,
}

/// What names of options were learned from: rules of the table, of the policy file, and the setting.
pub type Version = (u64, u64, u64);

#[derive(Default)]
struct State {
    client: Option<Rc<Hidden>>,
    reported: bool,
    inner: Option<Inner>,
    /// The texts that other extensions have in hand now, which must live as long.
    handed: Vec<Rc<Hidden>>,
    /// Values of texts from within, which an error might quote.
    of_inner: Secrets,
    /// The same of calls of our functions from within, which are in no text.
    of_calls: Secrets,
    /// What the running statement alters has already, and what those around it do.
    stored: Vec<Stored>,
    /// Where the client's text had one of them as a literal.
    covered: Vec<Place>,
    /// Some text from within puts statements together from pieces.
    inner_is_pieced: bool,
}

impl State {
    fn holds_nothing(&self) -> bool {
        let inner_holds_nothing = self.inner.is_none() && !self.knows_values() && !self.inner_is_pieced;
        let others = self.handed.is_empty() && self.covered.is_empty() && self.stored.is_empty();
        self.client.is_none() && others && inner_holds_nothing
    }

    fn knows_values(&self) -> bool {
        !self.of_inner.is_empty() || !self.of_calls.is_empty()
    }
}

thread_local! {
    static READ: Cell<Read> = const { Cell::new(Read::OVER) };
    static STATE: RefCell<State> = RefCell::default();
    /// What the packs and the setting say of names.
    static GENERAL: RefCell<Option<Names>> = const { RefCell::new(None) };
    /// What the rules in force say too, and which rules these were.
    static OF_RULES: RefCell<Option<(Version, Names)>> = const { RefCell::new(None) };
    static SETTING: Cell<u64> = const { Cell::new(0) };
    /// Whether this session has read a call of ours whose secret EXECUTE may have.
    static CALLS_TAKE_PARAMETERS: Cell<bool> = const { Cell::new(false) };
    /// Whether values of texts from within are known for which the client's text was not searched.
    static OWES_LOOK: Cell<bool> = const { Cell::new(false) };
    /// The message of which something has been run.
    static RUN: Cell<i64> = const { Cell::new(0) };
}

/// Whether something may be kept since it was found that nothing is, calls of ours take parameters, or texts are not a client's.
static MAY_KNOW: AtomicBool = AtomicBool::new(true);

/// Whether the client's text had a value that became known from within.
static COVERS: AtomicBool = AtomicBool::new(false);

/// What came of a look at the client's text.
pub enum Seen {
    Harmless,
    /// PostgreSQL is to show this C string instead. It lives until the next message is looked at.
    Hidden(*const c_char),
}

/// A secret that came as an argument of a function of ours, and is in no statement's text.
pub fn note_secret(value: &[u8]) -> Result<(), OutOfMemory> {
    OWES_LOOK.set(true);
    keep(|state| state.of_calls.add(value))
}

/// Hides the secrets among options that an object has, in whatever is said from now on until [`take_stored`]. Says whether
/// there are any options; if not, there is nothing to take.
pub fn note_stored(stored: Stored) -> bool {
    let hides = !stored.options.is_empty();
    if hides {
        keep(|state| state.stored.push(stored));
    }
    hides
}

/// What was noted last: the statement that alters the object has ended.
pub fn take_stored() -> Option<Stored> {
    keep(|state| state.stored.pop())
}

/// Options that an object has. Which of them are secrets is found when something is said, which is seldom.
pub struct Stored {
    options: Vec<(ObjectType, Vec<u8>)>,
    /// The statement that alters them.
    statement: Vec<u8>,
    strings: Strings,
    /// Nothing else of the session's is around it, of which a message would speak too.
    is_alone: bool,
    secrets: OnceCell<StoredSecrets>,
}

impl Stored {
    pub fn of(options: &[(ObjectType, &[u8])], statement: &[u8], is_alone: bool) -> Result<Self, OutOfMemory> {
        let mut copies = Vec::new();
        copies.try_reserve_exact(options.len()).map_err(|_| OutOfMemory)?;
        for (object_type, option) in options {
            copies.push((*object_type, copy_of(option)?));
        }
        let (statement, strings, secrets) = (copy_of(statement)?, strings(), OnceCell::new());
        Ok(Self { options: copies, statement, strings, is_alone, secrets })
    }

    /// What is to be shown of a text; None if nothing is to be hidden in it. What is around the statement, as CONTEXT tells
    /// it, was written by whoever may not be told that he has guessed.
    pub fn hide_in(&self, text: &[u8], field: Field) -> Result<Option<Vec<u8>>, OutOfMemory> {
        if !self.is_alone && matches!(field, Field::Context | Field::Query) {
            return Ok(None);
        }
        let secrets = match self.secrets.get() {
            Some(secrets) => secrets,
            None => {
                let redactor =
                    |names: &Names| Redactor::new(names, self.strings).stored(&self.options, &self.statement);
                let found = with_names(redactor)?;
                self.secrets.get_or_init(|| found)
            }
        };
        secrets.hide_in(text)
    }
}

/// Whether the client's text is to be searched for what has become known from within; it is taken for done.
pub fn owes_look() -> bool {
    OWES_LOOK.replace(false)
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

/// Changes whenever it may be said of other options that they are secrets.
pub fn version() -> Version {
    (rules::generation(), policy_file::generation(), SETTING.get())
}

fn strings() -> Strings {
    if session::strings_are_standard() { Strings::Standard } else { Strings::Escaping }
}

/// How a text is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    As(Kind),
    /// To its end, whoever waits.
    Patiently(Kind),
    /// PostgreSQL could not read it beyond that character, counted from 1.
    Broken(Kind, usize),
}

impl Reading {
    fn kind(self) -> Kind {
        match self {
            Self::As(kind) | Self::Patiently(kind) | Self::Broken(kind, _) => kind,
        }
    }
}

fn find(text: &[u8], reading: Reading) -> Result<Found, OutOfMemory> {
    let found = with_names(|names| {
        let redactor = Redactor { names, strings: strings(), must_stop: server::is_cancelled };
        match reading {
            Reading::As(kind) => redactor.find(text, kind),
            Reading::Patiently(kind) => Redactor::new(names, strings()).find(text, kind),
            Reading::Broken(kind, position) => redactor.find_broken(text, kind, position, &characters::of_database()),
        }
    })?;
    if found.takes_parameters() {
        CALLS_TAKE_PARAMETERS.set(true);
        MAY_KNOW.store(true, Relaxed);
    }
    Ok(found)
}

/// The names of options as far as they are known now.
fn with_names<T>(ask: impl FnOnce(&Names) -> T) -> T {
    OF_RULES.with_borrow(|of_rules| match of_rules {
        Some((learned, names)) if *learned == version() => ask(names),
        _ => GENERAL.with_borrow(|general| match general {
            Some(names) => ask(names),
            None => ask(&Names::unknown()),
        }),
    })
}

/// Whether an option of that name is a secret on some object of that type.
pub fn is_secret_somewhere(object_type: ObjectType, option: &str) -> bool {
    with_names(|names| names.is_secret(&[object_type], option.as_bytes()))
}

/// Whether a text may execute a prepared statement that calls our functions: `prepared_is_ours` tells it of a name.
pub fn executes_ours(text: &[u8], prepared_is_ours: impl Fn(&[u8]) -> bool) -> bool {
    CALLS_TAKE_PARAMETERS.get() && executed(text).any(prepared_is_ours)
}

/// Whether the message's text, at whatever address, has been looked at.
pub fn has_seen(message: i64) -> bool {
    KNOWN.is_of(message)
}

/// Whether nothing has been run of the message yet; now something is.
pub fn begins_run(message: i64) -> bool {
    RUN.replace(message) != message
}

/// As what the client's text was read, of the same message.
pub fn client_kind(message: i64) -> Kind {
    if KNOWN.is_of(message) { KNOWN.read().kind } else { Kind::Statement }
}

/// What is shown of a text that the client has sent, if not all of it is.
pub fn shown(text: &[u8], kind: Kind) -> Result<Option<Vec<u8>>, OutOfMemory> {
    let found = find(text, Reading::As(kind))?;
    if found.is_empty() { Ok(None) } else { c_text(found.with_stars(text)?).map(Some) }
}

/// The client's text with its secrets hidden, of the same length, as a C string; with the text's address.
pub fn level_of_client(message: i64) -> Option<(*const c_char, *const c_char)> {
    let address = client_address(message)?;
    let level = STATE.with_borrow(|state| state.client.as_ref().map(|client| client.level.as_ptr().cast()))?;
    Some((address, level))
}

/// Whether that is what we have put in the place of the client's text.
pub fn is_ours(address: *const c_char) -> bool {
    KNOWN.shown() == address
}

/// Whether the text at that address has been looked at since the message came, and nothing is hidden in it.
#[inline]
pub fn is_harmless(address: *const c_char, message: i64) -> bool {
    KNOWN.is_of(message) && (KNOWN.has_let_go(address) || KNOWN.holds(address) && !KNOWN.hides())
}

/// Whether the text that was looked at last stood at that address, and there is nothing to hide in it by whatever names of options.
#[inline]
pub fn has_let_go(address: *const c_char) -> bool {
    KNOWN.has_let_go(address)
}

/// A closer look is taken, or there is no text of the client's at which one could be taken.
pub fn holds_on() {
    KNOWN.hold_again();
}

/// Whether something is hidden in the client's text that was looked at last.
pub fn hides() -> bool {
    KNOWN.hides()
}

/// Lets a text go that holds nothing, at a glance and without asking for memory, as nearly every one; says whether it could.
#[inline]
pub fn lets_go(address: *const c_char, message: i64, text: &[u8], is_of_client: impl FnOnce() -> bool) -> bool {
    if may_hold_secrets(text) {
        return false;
    }
    if MAY_KNOW.load(Relaxed) {
        return lets_go_knowing(address, message, text, is_of_client());
    }
    // Where nothing is kept, nothing is shown instead of a text either.
    KNOWN.let_go(address, message);
    true
}

/// The same where something may be kept by which something is to be hidden in a text without a secret of its own.
#[inline(never)]
fn lets_go_knowing(address: *const c_char, message: i64, text: &[u8], is_of_client: bool) -> bool {
    let (holds_nothing, takes_parameters) = (STATE.with_borrow(State::holds_nothing), CALLS_TAKE_PARAMETERS.get());
    MAY_KNOW.store(!(holds_nothing && is_of_client) || takes_parameters, Relaxed);
    let goes = holds_nothing && !(takes_parameters && executed(text).next().is_some());
    if goes {
        KNOWN.let_go(if is_of_client { address } else { OF_NO_CLIENT }, message);
    }
    goes
}

/// Changes what is kept.
fn keep<T>(change: impl FnOnce(&mut State) -> T) -> T {
    MAY_KNOW.store(true, Relaxed);
    STATE.with_borrow_mut(change)
}

/// Looks at the client's text, which came with that message.
pub fn see_client_text(
    address: *const c_char,
    message: i64,
    text: &[u8],
    reading: Reading,
) -> Result<Seen, OutOfMemory> {
    let is_known = has_seen(message);
    if !is_known {
        forget_secrets();
    }
    let mut found = find(text, reading)?;
    hide_known(text, &mut found, is_known && (!hides() || covers()))?;
    let hidden = if found.is_empty() { None } else { Some(Rc::new(Hidden::of(text, found, true)?)) };
    let shown = hidden.as_ref().map_or(ptr::null(), |hidden| hidden.shown.as_ptr().cast());
    KNOWN.hold((address, message), shown, Read { names: Some(version()), kind: reading.kind() });
    keep(|state| {
        let before = std::mem::replace(&mut state.client, hidden).filter(|_| is_known);
        if let Some((before, now)) = before.zip(state.client.as_ref()) {
            before.level.iter().zip(&now.level).for_each(|(before, now)| before.set(now.get()));
        }
        state.reported = false;
    });
    Ok(if shown.is_null() { Seen::Harmless } else { Seen::Hidden(shown) })
}

/// The parser has told that there is nothing to hide in the client's text, which came with that message, and at which nobody
/// has looked.
pub fn see_told(address: *const c_char, message: i64) {
    forget_secrets();
    keep(|state| (state.client, state.reported) = (None, false));
    KNOWN.hold((address, message), ptr::null(), Read { names: Some(version()), kind: Kind::Statement });
}

/// Whether the value of an option may be shown, as far as names are known now, that stands on an object of one of these
/// types.
pub fn may_be_shown(on: &[ObjectType], option: &[u8]) -> bool {
    !with_names(|names| names.is_secret(on, option))
}

/// Hides in the client's text what has been covered, and literals that have become known from within. Where others have the
/// text as it is in hand, `in_place`, these are to be covered too, and what is hidden now stays so: it could not be found
/// again in a text of which something is covered.
fn hide_known(text: &[u8], found: &mut Found, in_place: bool) -> Result<(), OutOfMemory> {
    keep(|state| {
        let find = |secrets: &Secrets| with_names(|names| Redactor::new(names, strings()).find_known(text, secrets));
        found.hide_also(&state.covered)?;
        found.hide_also(&find(&state.of_inner)?)?;
        // Of a call that stands in the text itself, what is no secret in a text is none here.
        if !state.of_calls.is_empty() && !names_our_functions(text) {
            found.hide_also(&find(&state.of_calls)?)?;
        }
        if in_place && !found.is_empty() && state.knows_values() {
            let places = found.places();
            state.covered.clear();
            state.covered.try_reserve(places.len()).map_err(|_| OutOfMemory)?;
            state.covered.extend_from_slice(places);
            COVERS.store(true, Relaxed);
        }
        Ok(())
    })
}

/// Covers in the client's own text the literals that have turned out to be secrets.
pub fn cover(text: &mut [u8]) {
    STATE.with_borrow(|state| {
        let Some(client) = state.client.as_ref().filter(|client| !client.found.is_all()) else { return };
        for (start, end) in &state.covered {
            let level = client.level.get(*start..*end).unwrap_or_default();
            text.iter_mut().skip(*start).zip(level).for_each(|(byte, level)| *byte = level.get());
        }
    });
}

/// Whether a text is the client's as it was before something in it was covered.
pub fn was_client(text: &[u8], client: &[u8]) -> bool {
    STATE.with_borrow(|state| {
        let covers = |place: usize| state.covered.iter().any(|(start, end)| (*start..*end).contains(&place));
        let mut bytes = text.iter().zip(client).enumerate();
        text.len() == client.len() && bytes.all(|(place, (byte, covered))| byte == covered || covers(place))
    })
}

/// Whether there is something to cover.
pub fn covers() -> bool {
    COVERS.load(Relaxed)
}

impl Hidden {
    fn of(text: &[u8], found: Found, with_shown: bool) -> Result<Self, OutOfMemory> {
        let shown = if with_shown { c_text(found.with_stars(text)?)? } else { Vec::new() };
        let bytes = c_text(found.keeping_length(text, &characters::of_database())?)?;
        let mut level = Vec::new();
        level.try_reserve_exact(bytes.len()).map_err(|_| OutOfMemory)?;
        level.extend(bytes.into_iter().map(Cell::new));
        Ok(Self { shown, level, found })
    }

    fn is_level(&self, text: &[u8]) -> bool {
        self.level.len() == text.len() + 1 && self.level.iter().zip(text).all(|(level, byte)| level.get() == *byte)
    }

    /// What is shown in so much room: there is none for more stars than a short value has characters.
    fn shown_in(&self, room: usize) -> Result<Vec<u8>, OutOfMemory> {
        if self.shown.len() <= room {
            return copy_of(&self.shown);
        }
        let mut level = Vec::new();
        level.try_reserve_exact(self.level.len()).map_err(|_| OutOfMemory)?;
        level.extend(self.level.iter().map(Cell::get));
        Ok(level)
    }
}

fn c_text(mut text: Vec<u8>) -> Result<Vec<u8>, OutOfMemory> {
    text.try_reserve(1).map_err(|_| OutOfMemory)?;
    text.push(0);
    Ok(text)
}

fn forget_secrets() {
    OWES_LOOK.set(false);
    COVERS.store(false, Relaxed);
    keep(|state| {
        state.of_inner.clear();
        state.of_calls.clear();
        state.covered.clear();
        state.inner_is_pieced = false;
        state.inner = None;
        // What an error has kept from being taken back.
        state.handed.clear();
        state.stored.clear();
    });
}

/// Whether a look at the client's text has ended because nobody waited.
pub fn is_stopped() -> bool {
    hides() && STATE.with_borrow(|state| state.client.as_ref().is_some_and(|client| client.found.is_stopped()))
}

/// Where the client's text was before something in it was hidden, of the same message.
pub fn client_address(message: i64) -> Option<*const c_char> {
    (KNOWN.hides() && KNOWN.is_of(message)).then(|| KNOWN.address())
}

/// Whether something is hidden that pg_stat_activity has not been told of: only a log line was written yet.
pub fn is_unreported() -> bool {
    hides() && STATE.with_borrow(|state| !state.reported)
}

/// Whether pg_stat_activity must be told; it is taken for done.
pub fn must_be_reported() -> bool {
    hides() && keep(|state| !std::mem::replace(&mut state.reported, true))
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
    keep(|state| state.handed.extend(hidden));
    Ok(level)
}

/// The text that was handed on last is not needed any more.
pub fn take_back() {
    keep(|state| drop(state.handed.pop()));
}

fn hide_inner(text: &[u8], kind: Kind) -> Result<Option<Rc<Hidden>>, OutOfMemory> {
    // What we have handed on comes back: a statement within EXPLAIN has the text of the whole.
    let client = STATE.with_borrow(|state| state.client.clone());
    if client.as_ref().is_some_and(|client| client.is_level(text)) {
        return Ok(client);
    }
    let names = version();
    let same = |inner: &&Inner| inner.kind == kind && inner.names == names && inner.original == text;
    let known = STATE.with_borrow(|state| state.inner.as_ref().filter(same).map(|inner| Rc::clone(&inner.hidden)));
    if known.is_some() {
        return Ok(known);
    }
    let found = find(text, Reading::As(kind))?;
    if found.is_empty() {
        return Ok(None);
    }
    let hidden = Rc::new(Hidden::of(text, found, false)?);
    let inner = Inner { original: copy_of(text)?, kind, names, hidden: Rc::clone(&hidden) };
    keep(|state| {
        state.inner = Some(inner);
        state.inner_is_pieced |= hidden.found.is_pieced();
        state.of_inner.extend(hidden.found.secrets())
    })?;
    if !hidden.found.secrets().is_empty() {
        OWES_LOOK.set(true);
    }
    Ok(Some(hidden))
}

fn copy_of(text: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(text.len()).map_err(|_| OutOfMemory)?;
    copy.extend_from_slice(text);
    Ok(copy)
}

/// Whether the client's text has been looked at by the names of options that are known now, or none matters.
pub fn names_are_as_they_were() -> bool {
    KNOWN.read().names.is_none_or(|names| names == version())
}

/// The statement as it can be kept: `***` for each secret, whatever else is hidden or not.
pub fn with_stars(statement: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
    let found = find(statement, Reading::As(Kind::Statement))?;
    if found.is_empty() { Ok(None) } else { found.with_stars(statement).map(Some) }
}

/// A text of a log line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Message,
    /// DETAIL or HINT.
    Aside,
    /// Where it was raised, which quotes the statements around.
    Context,
    /// The statement within, in which the line tells a position.
    Query,
}

impl Field {
    /// Whether it says more about a message.
    pub fn is_aside(self) -> bool {
        matches!(self, Self::Aside | Self::Context)
    }
}

/// What must be known of a log line as a whole before a text of it can be shown.
pub struct Line<'a> {
    /// What the client sent.
    statement: &'a [u8],
    /// What is shown of it, where something in it is hidden.
    client: Option<Rc<Hidden>>,
    tells_parameters: bool,
    executes: bool,
    /// A literal of it may be a piece of a statement.
    may_be_pieced: bool,
    /// The character of the statement within at which that could not be read.
    broken_at: Option<usize>,
}

impl<'a> Line<'a> {
    /// `statement` is the client's text, and `hides` whether something in it is hidden.
    pub fn new(statement: &'a [u8], hides: bool, message: &[u8], detail: &[u8]) -> Self {
        let client = STATE.with_borrow(|state| state.client.clone()).filter(|_| hides);
        Self::about(statement, client, message, detail)
    }

    /// The same of an error that somebody caught; `text` is what he ran.
    pub fn within(text: &'a [u8], message: &[u8], detail: &[u8]) -> Result<Self, OutOfMemory> {
        let found = find(text, Reading::As(Kind::Statement))?;
        let hidden = if found.is_empty() { None } else { Some(Rc::new(Hidden::of(text, found, true)?)) };
        Ok(Self::about(text, hidden, message, detail))
    }

    fn about(statement: &'a [u8], client: Option<Rc<Hidden>>, message: &[u8], detail: &[u8]) -> Self {
        let executes = names_our_functions(detail);
        let tells_parameters = executes || names_our_functions(statement) || names_our_functions(message);
        let pieces = |hidden: &Rc<Hidden>| hidden.found.is_pieced();
        let may_be_pieced =
            is_tree(detail) || client.as_ref().is_some_and(pieces) || STATE.with_borrow(|state| state.inner_is_pieced);
        Self { statement, client, tells_parameters, executes, may_be_pieced, broken_at: None }
    }

    /// The same, where the statement within could not be read beyond that character.
    pub fn breaking_at(self, broken_at: Option<usize>) -> Self {
        Self { broken_at, ..self }
    }

    /// Whether a message says that it cannot read a token of the client's text, and this is hidden.
    pub fn names_hidden_token(&self, position: usize) -> bool {
        let hides = |hidden: &Rc<Hidden>| hides_token(&hidden.found, position, self.statement);
        self.client.as_ref().is_some_and(hides)
    }

    /// Whether the statement calls one of our functions that take secrets.
    pub fn calls_ours(&self) -> bool {
        self.tells_parameters
    }

    /// What is to be shown instead of one of its texts; None if that may be shown as it is.
    pub fn hide(&self, text: &[u8], field: Field) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let mut hidden = self.without_statements(text, field)?;
        let hidden = STATE.with_borrow(|state| {
            let of_client = self.client.as_ref().map(|client| client.found.secrets());
            for secrets in of_client.into_iter().chain([&state.of_inner, &state.of_calls]) {
                let clean = secrets.hide_in(hidden.as_deref().unwrap_or(text))?;
                hidden = clean.or(hidden.take());
            }
            for stored in &state.stored {
                let clean = stored.hide_in(hidden.as_deref().unwrap_or(text), field)?;
                hidden = clean.or(hidden.take());
            }
            Ok(hidden)
        })?;
        let rest = hidden.as_deref().unwrap_or(text);
        match parameters::start(rest).filter(|_| self.tells_parameters) {
            Some(start) => concat(rest.get(..start).unwrap_or_default(), b"***").map(Some),
            None => Ok(hidden),
        }
    }

    /// Whether something in the client's text is hidden, or in one from within.
    pub fn holds_secrets(&self) -> bool {
        self.client.is_some() || self.tells_parameters || STATE.with_borrow(State::knows_values)
    }

    fn without_statements(&self, text: &[u8], field: Field) -> Result<Option<Vec<u8>>, OutOfMemory> {
        if field.is_aside() && self.holds_secrets() && is_tree(text) {
            return copy_of(b"***").map(Some);
        }
        // The client's own text, at the end of what log_statement and its like say, has been read as what it is: SQL.
        if let Some(client) = &self.client
            && let Some(before) = text.strip_suffix(self.statement)
        {
            let before = self.without_statements(before, field)?.map_or_else(|| copy_of(before), Ok)?;
            let shown = client.shown_in(self.statement.len() + 1)?;
            return concat(&before, shown.strip_suffix(b"\0").unwrap_or_default()).map(Some);
        }
        let reading = match field {
            Field::Query => self
                .broken_at
                .map_or(Reading::As(Kind::Statement), |position| Reading::Broken(Kind::Statement, position)),
            Field::Message if self.executes => Reading::As(Kind::Arguments),
            _ if field.is_aside() && self.may_be_pieced => Reading::As(Kind::Arguments),
            Field::Message | Field::Aside | Field::Context => Reading::As(Kind::Message),
        };
        let found = find(text, reading)?;
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

/// Whether a message says that it cannot read a token of a text from within, and this is hidden.
pub fn hides_token_at(position: usize, text: &[u8]) -> Result<bool, OutOfMemory> {
    Ok(hides_token(&find(text, Reading::As(Kind::Statement))?, position, text))
}

fn hides_token(found: &Found, position: usize, text: &[u8]) -> bool {
    found.hides_token_at(position, text, strings(), &characters::of_database())
}

/// A message up to the first quotation mark, which in some languages is none of ASCII's.
pub fn without_quoted(message: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let end = message.iter().position(|byte| *byte == b'"' || !byte.is_ascii()).unwrap_or(0);
    concat(message.get(..end).unwrap_or_default(), b"***")
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
