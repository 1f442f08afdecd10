//! What statements touched: each object as it was before the first touch.

use crate::ffi::memory::Scratch;
use crate::ffi::session;
use crate::ffi::statement::NamedForm;
use crate::scene::{self, Class, Scene};
use fdw_guard_policy::model::Attributes;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::rc::Rc;

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
#[derive(Clone, Debug)]
pub struct Touch {
    pub key: Key,
    /// The object before the first touch; None if it was made by it.
    pub old: Option<Scene>,
    /// Whether `old` has what is inside it: that is not read where no rule looks at it.
    pub knows_inside: bool,
    /// The columns that were touched; 0 is the object itself.
    pub columns: TouchedColumns,
    /// The forms that the statement names, whether they change anything or not, and where it ran.
    pub named: Vec<(NamedForm, Subtransaction)>,
    /// Only something beside it was touched, by whose name it is known, or of which PostgreSQL alone knows why; if it is
    /// as it was, or gone, nobody has done anything to it.
    pub aside: bool,
    /// Of a wrapper or a server whose grants changed, what they were; no grant at all is something else than unknown ones.
    pub grants: Option<Attributes>,
    /// The forms that the first statement names of whatever table; None if it was touched outside any.
    pub said: Option<Rc<[NamedForm]>>,
    /// Where other statements have touched it.
    pub others: BTreeSet<Subtransaction>,
    /// The options that each statement gives a value, whether or not they had it already, and where it ran.
    pub written: Vec<(Rc<[String]>, Subtransaction)>,
    /// The transaction that wrote its options before, and those of each of its columns, where that matters; 0 is the object
    /// itself.
    pub writers: Vec<(i16, u32)>,
    /// Of what the statement does to it [`judge::FORETOLD`](crate::judge::FORETOLD) was judged before it ran.
    pub foretold: bool,
    /// The subtransaction of the first touch; if that is undone, so is the touch.
    pub subtransaction: Subtransaction,
}

/// How an object is touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    Made,
    /// It or the column with that number; 0 is the object itself.
    Changed(i16),
    /// Something else inside it.
    Inside,
    /// It has got that trigger.
    Trigger(Oid),
    /// Something beside it.
    Aside,
}

impl How {
    fn columns(self) -> TouchedColumns {
        let column = match self {
            Self::Made | Self::Trigger(_) | Self::Inside => 0,
            Self::Changed(column) => column,
            Self::Aside => return TouchedColumns::default(),
        };
        TouchedColumns(vec![(column, session::subtransaction())])
    }
}

/// Columns by number, each with the subtransaction in which it was touched first; most often one.
#[derive(Clone, Default, Debug)]
pub struct TouchedColumns(Vec<(i16, Subtransaction)>);

impl TouchedColumns {
    pub fn contains(&self, column: i16) -> bool {
        self.place(column).is_ok()
    }

    fn place(&self, column: i16) -> Result<usize, usize> {
        self.0.binary_search_by_key(&column, |(number, _)| *number)
    }

    fn extend(&mut self, others: Self) {
        for (column, subtransaction) in others.0 {
            if let Err(place) = self.place(column) {
                self.0.insert(place, (column, subtransaction));
            }
        }
    }

    fn places_mut(&mut self) -> impl Iterator<Item = &mut Subtransaction> {
        self.0.iter_mut().map(|(_, place)| place)
    }
}

impl Touch {
    /// Something inside it is about to change after all: this is what was not read before.
    pub fn look_inside(&mut self, seen: Option<Scene>) {
        if let Some((old, seen)) = self.old.as_mut().zip(seen) {
            (old.columns, old.inside) = (seen.columns, seen.inside);
            self.knows_inside = true;
        }
    }

    /// The transaction that wrote the options of the column before, where that matters and is known.
    pub fn writer(&self, column: i16) -> Option<u32> {
        self.writers.iter().find(|(number, _)| *number == column).map(|(_, writer)| *writer)
    }

    /// A touch of the object itself, now.
    pub fn of(key: Key, old: Option<Scene>) -> Self {
        Self::by(key, old, How::Changed(0))
    }

    /// A touch of that kind, now.
    pub fn by(key: Key, old: Option<Scene>, how: How) -> Self {
        let (subtransaction, columns) = (session::subtransaction(), how.columns());
        let (knows_inside, named, grants, foretold) = (false, Vec::new(), None, false);
        let (said, others) = (None, BTreeSet::new());
        let (written, writers) = (Vec::new(), Vec::new());
        Self {
            key,
            old,
            knows_inside,
            columns,
            named,
            aside: how == How::Aside,
            grants,
            said,
            others,
            written,
            writers,
            foretold,
            subtransaction,
        }
    }

    /// The running statement names these forms.
    pub fn name(&mut self, forms: Vec<NamedForm>) {
        let here = session::subtransaction();
        self.named.extend(forms.into_iter().map(|form| (form, here)));
    }

    /// The forms that statements name.
    pub fn named(&self) -> impl Iterator<Item = &NamedForm> {
        self.named.iter().map(|(form, _)| form)
    }

    /// The options that each of the statements gives a value.
    pub fn written(&self) -> impl Iterator<Item = &Rc<[String]>> {
        self.written.iter().map(|(options, _)| options)
    }

    /// The forms that the statement names of whatever table, of which those that reach down to partitions and heirs are
    /// this one's too; None if it was touched by more than one statement, or by none.
    pub fn said(&self) -> Option<&[NamedForm]> {
        self.said.as_deref().filter(|_| self.others.is_empty())
    }

    /// The same statement again, as in a loop, writes nothing else.
    fn write(&mut self, written: (Rc<[String]>, Subtransaction)) {
        if self.written.last() != Some(&written) {
            self.written.push(written);
        }
    }

    /// The subtransaction that has ended was part of that one.
    fn pass_on(&mut self, ended: Subtransaction, heir: Subtransaction) {
        let places = self.columns.places_mut().chain(self.written.iter_mut().map(|(_, place)| place));
        let places = places.chain(self.named.iter_mut().map(|(_, place)| place));
        places.chain([&mut self.subtransaction]).filter(|place| **place == ended).for_each(|place| *place = heir);
        if self.others.remove(&ended) {
            self.others.insert(heir);
        }
    }

    /// What was done in the subtransaction, after the first touch, is undone.
    fn undo(&mut self, ended: Subtransaction) {
        self.columns.0.retain(|(_, place)| *place != ended);
        self.named.retain(|(_, place)| *place != ended);
        self.written.retain(|(_, place)| *place != ended);
        self.others.remove(&ended);
    }
}

/// Everything that was touched, in the order of the first touch.
#[derive(Clone, Default, Debug)]
pub struct Touched {
    touches: Vec<Touch>,
    /// Where each stands, by class, object and actor, if they are not [`FEW`].
    places: BTreeMap<(Class, u32, u32), usize>,
    seen: Seen,
}

/// What few objects have become.
#[derive(Default, Debug)]
struct Seen(RefCell<Vec<Sight>>);

#[derive(Debug)]
struct Sight {
    class: Class,
    oid: Oid,
    with_inside: bool,
    now: Option<Rc<Scene>>,
}

/// What is seen of one collection is nothing that another knows.
impl Clone for Seen {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Objects that are found without an index, and seen once for all who look; of more the memory would be missed, and what
/// looking leaves behind.
const FEW: usize = 8;

impl Touched {
    pub const fn nothing() -> Self {
        Self { touches: Vec::new(), places: BTreeMap::new(), seen: Seen(RefCell::new(Vec::new())) }
    }

    /// What a touched object has become. To be asked when the statement has run.
    pub fn now(&self, touch: &Touch, with_inside: bool) -> Option<Rc<Scene>> {
        let Key { class, oid, .. } = touch.key;
        let is_it = |sight: &&Sight| (sight.class, sight.oid, sight.with_inside) == (class, oid, with_inside);
        let known = self.seen.0.borrow().iter().find(is_it).map(|sight| sight.now.clone());
        known.unwrap_or_else(|| {
            let now = scene::scene_after(class, oid, touch.old.as_ref(), with_inside).map(Rc::new);
            let mut seen = self.seen.0.borrow_mut();
            if seen.len() < FEW {
                seen.push(Sight { class, oid, with_inside, now: now.clone() });
            }
            now
        })
    }

    /// Memory for a look at one of them, or inside one; where there are few, of which little is looked at, the statement's
    /// own will do.
    pub fn scratch(&self, with_inside: bool) -> Option<Scratch> {
        self.wants_scratch(with_inside).then(Scratch::new)
    }

    pub fn wants_scratch(&self, with_inside: bool) -> bool {
        self.touches.len() > FEW || with_inside
    }

    /// Notes one more touch of an object that is there already; says whether it is.
    pub fn note_again(&mut self, key: Key, how: How) -> bool {
        let Some(touch) = self.find(key) else { return false };
        touch.columns.extend(how.columns());
        touch.aside &= how == How::Aside;
        true
    }

    pub fn add(&mut self, touch: Touch) {
        if let Some(known) = self.find(touch.key) {
            known.columns.extend(touch.columns);
            known.named.extend(touch.named);
            touch.written.into_iter().for_each(|written| known.write(written));
            known.aside &= touch.aside;
            known.grants = known.grants.take().or(touch.grants);
            known.others.insert(touch.subtransaction);
            known.others.extend(touch.others);
        } else {
            self.touches.push(touch);
            if self.touches.len() > FEW {
                let numbered = self.touches.iter().enumerate().skip(self.places.len());
                self.places.extend(numbered.map(|(place, touch)| (touch.key.order(), place)));
            }
        }
    }

    pub fn find(&mut self, key: Key) -> Option<&mut Touch> {
        if self.touches.len() <= FEW {
            return self.touches.iter_mut().find(|touch| touch.key.order() == key.order());
        }
        self.places.get(&key.order()).and_then(|place| self.touches.get_mut(*place))
    }

    /// A subtransaction has ended: its touches are its parent's now, or undone.
    pub fn end_subtransaction(&mut self, ended: Subtransaction, heir: Option<Subtransaction>) {
        match heir {
            Some(heir) => self.touches.iter_mut().for_each(|touch| touch.pass_on(ended, heir)),
            None => {
                let kept = mem::take(self).touches.into_iter().filter(|touch| touch.subtransaction != ended);
                kept.for_each(|mut touch| {
                    touch.undo(ended);
                    self.add(touch);
                });
            }
        }
    }

    /// All of it comes from a statement that names these forms.
    pub fn say(&mut self, forms: &[NamedForm]) {
        if !self.is_empty() {
            let said: Rc<[NamedForm]> = forms.into();
            self.touches.iter_mut().for_each(|touch| touch.said = Some(Rc::clone(&said)));
        }
    }

    /// What of it was altered in that class comes from a statement that names these forms.
    pub fn name(&mut self, class: Class, forms: &[NamedForm]) {
        self.altered().filter(|touch| touch.key.class == class).for_each(|touch| touch.name(forms.to_vec()));
    }

    /// All of it comes from a statement that gives these options a value.
    pub fn write(&mut self, options: Vec<String>) {
        if !options.is_empty() {
            let (options, here): (Rc<[String]>, _) = (options.into(), session::subtransaction());
            self.altered().for_each(|touch| touch.write((Rc::clone(&options), here)));
        }
    }

    fn altered(&mut self) -> impl Iterator<Item = &mut Touch> {
        self.touches.iter_mut().filter(|touch| !touch.aside && touch.columns.contains(0))
    }

    pub fn absorb(&mut self, later: Self) {
        later.touches.into_iter().for_each(|touch| self.add(touch));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Touch> {
        self.touches.iter()
    }

    pub fn contains(&self, class: Class, oid: Oid) -> bool {
        if self.touches.len() <= FEW {
            return self.touches.iter().any(|touch| (touch.key.class, touch.key.oid) == (class, oid));
        }
        let oid = oid.to_u32();
        self.places.range((class, oid, u32::MIN)..=(class, oid, u32::MAX)).next().is_some()
    }

    pub fn is_empty(&self) -> bool {
        self.touches.is_empty()
    }
}
