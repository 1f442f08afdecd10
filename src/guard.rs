//! From a statement to its verdict: what it touched, how that was before, how it is now, and what the policy says.
//!
//! A statement has a frame. The first touch of an object takes its state as it was; when the statement has run, the state
//! as it is is read, and the policy judges the difference. Touches outside any frame (another extension's C code, a
//! library loaded mid-statement) and those of `check_mode = deferred` wait for the end of the transaction.

use crate::ffi::hooks::{Access, Catalog};
use crate::ffi::memory::Scratch;
use crate::ffi::raise::Report;
use crate::ffi::{catalog, server, session};
use crate::judge;
use crate::policy_in_force;
use crate::settings::{self, CheckMode, Enforcement};
use fdw_guard_policy::model::ObjectState;
use fdw_guard_policy::model::Situation;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::rc::Rc;

/// The kinds of object that are touched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    Wrapper,
    Server,
    UserMapping,
    /// A relation; it counts only if it is a foreign table.
    Relation,
}

impl Class {
    /// The kind of object whose main row stands in that catalog.
    pub fn of_catalog(catalog: Oid) -> Option<Self> {
        match Catalog::of(catalog)? {
            Catalog::Wrapper => Some(Self::Wrapper),
            Catalog::Server => Some(Self::Server),
            Catalog::UserMapping => Some(Self::UserMapping),
            Catalog::Relation => Some(Self::Relation),
            Catalog::Constraint => None,
        }
    }
}

/// An object with all that is above it and, of a foreign table, its columns by number.
#[derive(Clone, Debug)]
pub struct Scene {
    pub situation: Situation,
    pub columns: Vec<(i16, Rc<ObjectState>)>,
}

/// Which object was touched, and by whom: one who sets a role for a while does not lend it his changes.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub class: Class,
    pub oid: Oid,
    pub actor: Oid,
}

impl Key {
    fn order(self) -> (Class, u32, u32) {
        (self.class, self.oid.to_u32(), self.actor.to_u32())
    }
}

/// PostgreSQL's number of a subtransaction; the transaction itself has one too.
pub type Subtransaction = u32;

/// One touched object.
#[derive(Debug)]
pub struct Touch {
    pub key: Key,
    /// The object before the first touch; None if it was made by it.
    pub old: Option<Scene>,
    /// Whether `old` has the columns of a table: they are not read where no rule looks at them.
    pub knows_columns: bool,
    /// The columns that were touched; 0 is the object itself.
    pub columns: BTreeSet<i16>,
    /// The subtransaction of the first touch; if that is undone, so is the touch.
    subtransaction: Subtransaction,
}

/// Everything that was touched, in the order of the first touch.
#[derive(Default, Debug)]
pub struct Touched {
    touches: Vec<Touch>,
    /// Where each stands, by class, object and actor.
    places: BTreeMap<(Class, u32, u32), usize>,
}

impl Touched {
    /// Notes one more column of an object that is there already; says whether it is.
    fn note_again(&mut self, key: Key, column: i16) -> bool {
        self.find(key).map(|touch| touch.columns.insert(column)).is_some()
    }

    fn add(&mut self, touch: Touch) {
        if let Some(known) = self.find(touch.key) {
            known.columns.extend(touch.columns);
        } else {
            self.places.insert(touch.key.order(), self.touches.len());
            self.touches.push(touch);
        }
    }

    fn find(&mut self, key: Key) -> Option<&mut Touch> {
        self.places.get(&key.order()).and_then(|place| self.touches.get_mut(*place))
    }

    /// A subtransaction has ended: its touches are its parent's now, or undone.
    fn end_subtransaction(&mut self, ended: Subtransaction, heir: Option<Subtransaction>) {
        match heir {
            Some(heir) => {
                let theirs = self.touches.iter_mut().filter(|touch| touch.subtransaction == ended);
                theirs.for_each(|touch| touch.subtransaction = heir);
            }
            None => {
                let kept = mem::take(self).touches.into_iter().filter(|touch| touch.subtransaction != ended);
                kept.for_each(|touch| self.add(touch));
            }
        }
    }

    fn absorb(&mut self, later: Self) {
        later.touches.into_iter().for_each(|touch| self.add(touch));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Touch> {
        self.touches.iter()
    }

    pub fn contains(&self, class: Class, oid: Oid) -> bool {
        let oid = oid.to_u32();
        self.places.range((class, oid, u32::MIN)..=(class, oid, u32::MAX)).next().is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.touches.is_empty()
    }
}

/// The frames of the statements that run now, outermost first, and what waits for the end of the transaction.
#[derive(Default)]
struct Open {
    frames: Vec<Touched>,
    waiting: Touched,
}

impl Open {
    fn innermost(&mut self) -> &mut Touched {
        self.frames.last_mut().unwrap_or(&mut self.waiting)
    }
}

thread_local! {
    /// Never borrowed across a call into PostgreSQL, which may leave by an error and never give it back.
    static OPEN: RefCell<Open> = RefCell::default();
}

fn with_open<T>(act: impl FnOnce(&mut Open) -> T) -> T {
    OPEN.with_borrow_mut(act)
}

/// A watched statement begins.
pub fn open_frame() {
    with_open(|open| open.frames.push(Touched::default()));
}

/// The statement has failed: PostgreSQL undoes what it touched.
pub fn abandon_frame() {
    with_open(|open| drop(open.frames.pop()));
}

/// The statement has run: the reports to raise for it, warnings first.
pub fn close_frame() -> Vec<Report> {
    let touched = with_open(|open| open.frames.pop()).unwrap_or_default();
    if touched.is_empty() {
        return Vec::new();
    }
    match settings::check_mode() {
        CheckMode::Immediate => verdict(&touched),
        CheckMode::Deferred => {
            with_open(|open| open.waiting.absorb(touched));
            Vec::new()
        }
    }
}

/// The transaction is about to commit: the reports for all that has not been judged yet. Frames are open here when the
/// commit comes from within a statement (CALL of a procedure that commits); they stay open, empty.
pub fn before_commit() -> Vec<Report> {
    let touched = with_open(|open| {
        let mut touched = mem::take(&mut open.waiting);
        open.frames.iter_mut().for_each(|frame| touched.absorb(mem::take(frame)));
        touched
    });
    if touched.is_empty() { Vec::new() } else { verdict(&touched) }
}

/// Whether nothing has been touched in this transaction, as in almost every one.
pub fn has_noted_nothing() -> bool {
    with_open(|open| open.waiting.is_empty() && open.frames.iter().all(Touched::is_empty))
}

/// The transaction has ended. Frames stay: a procedure that rolls back goes on in the next transaction.
pub fn forget_transaction() {
    with_open(|open| {
        open.waiting = Touched::default();
        open.frames.iter_mut().for_each(|frame| *frame = Touched::default());
    });
}

/// A subtransaction has ended; `heir` is its parent if it was released, None if it was rolled back.
pub fn end_subtransaction(ended: Subtransaction, heir: Option<Subtransaction>) {
    with_open(|open| {
        let all = open.frames.iter_mut().chain([&mut open.waiting]);
        all.filter(|touched| !touched.is_empty()).for_each(|touched| touched.end_subtransaction(ended, heir));
    });
}

/// How many statements run now, one inside the other.
#[cfg(any(test, feature = "pg_test"))]
pub fn depth() -> usize {
    with_open(|open| open.frames.len())
}

fn verdict(touched: &Touched) -> Vec<Report> {
    server::command_counter_increment();
    judge::judge(touched)
}

/// The running statement touches a row of a catalog: on the first touch of the object that the row belongs to, its state
/// is taken as it was.
pub fn note_touch(catalog: Catalog, row: Oid, sub_object: i32, access: Access) {
    if settings::enforcement() == Enforcement::Off {
        return;
    }
    let Some((class, oid)) = owner_of(catalog, row) else { return };
    let column = i16::try_from(sub_object).unwrap_or_default();
    let is_new = access == Access::Create && column == 0 && catalog != Catalog::Constraint;
    let key = Key { class, oid, actor: session::current_role() };
    if with_open(|open| open.innermost().note_again(key, column)) || !concerns(class, oid, is_new) {
        return;
    }
    let _scratch = Scratch::new();
    let knows_columns = is_new || columns_count(class);
    let read = if knows_columns { scene } else { scene_without_columns };
    let old = if is_new { None } else { read(class, oid) };
    let columns = BTreeSet::from([column]);
    let touch = Touch { key, old, knows_columns, columns, subtransaction: session::subtransaction() };
    with_open(|open| open.innermost().add(touch));
}

/// Whether a rule that judges the running statement may look at columns. It will be one of those known now, unless the
/// verdict waits: another session's rule binds this one from its next statement.
fn columns_count(class: Class) -> bool {
    let waits = settings::check_mode() == CheckMode::Deferred || with_open(|open| open.frames.is_empty());
    class == Class::Relation && (waits || policy_in_force::kept().is_none_or(|policy| policy.looks_at_columns()))
}

/// The object that a row of that catalog belongs to.
fn owner_of(catalog: Catalog, row: Oid) -> Option<(Class, Oid)> {
    match catalog {
        Catalog::Wrapper => Some((Class::Wrapper, row)),
        Catalog::Server => Some((Class::Server, row)),
        Catalog::UserMapping => Some((Class::UserMapping, row)),
        Catalog::Relation => Some((Class::Relation, row)),
        Catalog::Constraint => Some((Class::Relation, catalog::relation_of_constraint(row)?)),
    }
}

fn concerns(class: Class, oid: Oid, is_new: bool) -> bool {
    match class {
        Class::Relation if is_new => catalog::is_new_foreign_table(oid),
        Class::Relation => catalog::is_foreign_table(oid),
        Class::Wrapper | Class::Server | Class::UserMapping => true,
    }
}

/// The object as the catalogs show it now, with what is above it and, of a table, its columns.
pub fn scene(class: Class, oid: Oid) -> Option<Scene> {
    let scene = scene_without_columns(class, oid)?;
    let columns = match class {
        Class::Relation => catalog::columns(oid, scene.situation.object.identity()),
        Class::Wrapper | Class::Server | Class::UserMapping => Vec::new(),
    };
    Some(Scene { columns: columns.into_iter().map(|(number, column)| (number, Rc::new(column))).collect(), ..scene })
}

/// The object as the catalogs show it now, with what is above it.
pub fn scene_without_columns(class: Class, oid: Oid) -> Option<Scene> {
    let (state, above) = match class {
        Class::Wrapper => (catalog::wrapper(oid)?.state, Vec::new()),
        Class::Server => {
            let server = catalog::server(oid)?;
            (server.state, wrapper_above(server.above))
        }
        Class::UserMapping => {
            let mapping = catalog::user_mapping(oid)?;
            (mapping.state, server_above(mapping.above))
        }
        Class::Relation => {
            let table = catalog::foreign_table(oid)?;
            (table.state, server_above(table.above))
        }
    };
    Some(Scene { situation: Situation { object: Rc::new(state), above }, columns: Vec::new() })
}

impl Scene {
    /// The same object, without its columns, with other things above it.
    pub fn on(&self, above: &[Rc<ObjectState>]) -> Self {
        let situation = Situation { object: Rc::clone(&self.situation.object), above: above.to_vec() };
        Self { situation, columns: Vec::new() }
    }

    /// One column of the table with the table and what is above that.
    pub fn column(&self, column: &Rc<ObjectState>) -> Situation {
        let mut above = self.situation.above.clone();
        above.push(Rc::clone(&self.situation.object));
        Situation { object: Rc::clone(column), above }
    }
}

fn wrapper_above(wrapper: Oid) -> Vec<Rc<ObjectState>> {
    catalog::wrapper_above(wrapper).into_iter().collect()
}

/// A server and its wrapper.
pub fn server_above(server: Oid) -> Vec<Rc<ObjectState>> {
    let Some((server, wrapper)) = catalog::server_above(server) else { return Vec::new() };
    match catalog::wrapper_above(wrapper) {
        Some(wrapper) => vec![wrapper, server],
        None => vec![server],
    }
}
