//! The past of secrets, kept for the rules that ask for it: since when each has its value, and verifiers of those that it had.
//! Of the value that a secret has nothing is kept.
//!
//! It is kept whatever is enforced and recorded, whoever changes the secret: what was had was had.

use crate::error::Error;
use crate::ffi::function::interval_datum;
use crate::ffi::memory::Scratch;
pub use crate::ffi::secrets::Place;
use crate::ffi::secrets::{self as table, Known};
use crate::ffi::session::{self, Actor};
use crate::ffi::{history, server, verifier};
use crate::policy_in_force;
use crate::scene::{self, Class, Scene};
use crate::touched::{Touch, Touched};
use fdw_guard_policy::interval::Interval;
use fdw_guard_policy::model::{ObjectType, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::remember::{Fate, Memory};
use pgrx::pg_sys::Oid;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the secrets of one object, read when a rule asks.
pub struct Memories {
    place: Place,
    /// Who had written the options of which is asked; see [`Place::writer`].
    writer: Option<u32>,
    known: OnceCell<Vec<Known>>,
    /// What has been compared already: of which option the how manieth former value, and whether it is the new one.
    compared: RefCell<BTreeMap<(String, usize), bool>>,
}

impl Memories {
    pub fn of(place: Place, writer: Option<u32>) -> Self {
        Self { place, writer, known: OnceCell::new(), compared: RefCell::default() }
    }

    fn known(&self, option: &str) -> Option<&Known> {
        // Where the table is lost nothing is known; the change itself is refused then.
        let read = || table::find().ok().flatten().map(|table| table::of(table, self.place)).unwrap_or_default();
        self.known.get_or_init(read).iter().find(|known| known.option == option)
    }

    fn is_former(&self, known: &Known, number: usize, verifier: &str, value: &str) -> bool {
        let key = (known.option.clone(), number);
        if let Some(compared) = self.compared.borrow().get(&key) {
            return *compared;
        }
        server::check_for_interrupts();
        let is_same = verifier::is_of(verifier, value);
        self.compared.borrow_mut().insert(key, is_same);
        is_same
    }
}

impl Memory for Memories {
    fn had(&self, option: &str, value: &str, last: usize) -> bool {
        let Some(known) = self.known(option) else { return false };
        let mut former = known.verifiers.iter().take(last).enumerate();
        former.any(|(number, verifier)| self.is_former(known, number, verifier, value))
    }

    fn is_older(&self, option: &str, age: Interval) -> bool {
        let Some((known, set_at)) = self.known(option).and_then(|known| Some((known, known.set_at?))) else {
            return false;
        };
        // Somebody else's change of the options was seen by nobody, and may have been one of this.
        self.writer == Some(known.writer) && set_at < history::moment_before(interval_datum(age))
    }
}

/// Whether there is anything to keep in this database, as far as the session knows without a look at the rules.
pub fn may_be_kept() -> bool {
    policy_in_force::kept().is_none_or(|policy| policy.remembers()) && !matches!(table::find(), Ok(None))
}

/// Who wrote the options of the object and of those of its columns that were looked at, where that matters; 0 is the object
/// itself.
pub fn writers(class: Class, oid: Oid, scene: &Scene) -> Vec<(i16, u32)> {
    if !may_be_kept() {
        return Vec::new();
    }
    let columns = [0].into_iter().chain(scene.columns.iter().map(|(number, _)| *number));
    columns.filter_map(|column| Some((column, Place { class, oid, column }.writer()?))).collect()
}

/// Keeps what has become of the secrets that were touched, as far as rules ask for it.
///
/// # Errors
/// When the table is not what the extension made.
pub fn keep(touched: &Touched) -> Result<(), Error> {
    if touched.is_empty() {
        return Ok(());
    }
    // Where the rules cannot be read, nothing passes unless nothing is enforced; then nobody knows what to keep.
    let policy = policy_in_force::kept().map_or_else(policy_in_force::policy, Ok);
    let Some(policy) = policy.ok().filter(|policy| policy.remembers()) else { return Ok(()) };
    let Some(table) = find(&policy, touched)? else { return Ok(()) };
    server::command_counter_increment();
    let keeper = Keeper { policy: &policy, table, actor: Actor::new(session::current_role()) };
    let mut seen = BTreeSet::new();
    for touch in touched.iter() {
        if seen.insert((touch.key.class, touch.key.oid.to_u32())) {
            server::check_for_interrupts();
            keeper.touch(touch)?;
        }
    }
    Ok(())
}

/// The table, if anything was touched whose secrets rules ask about.
fn find(policy: &Policy, touched: &Touched) -> Result<Option<Oid>, Error> {
    if touched.iter().any(|touch| types_of(touch.key.class).iter().any(|it| policy.remembers_of(*it))) {
        Ok(table::find()?)
    } else {
        Ok(None)
    }
}

fn types_of(class: Class) -> &'static [ObjectType] {
    match class {
        Class::Wrapper => &[ObjectType::ForeignDataWrapper],
        Class::Server => &[ObjectType::Server],
        Class::UserMapping => &[ObjectType::UserMapping],
        Class::Relation => &[ObjectType::ForeignTable, ObjectType::ForeignTableColumn],
    }
}

struct Keeper<'a> {
    policy: &'a Policy,
    table: Oid,
    actor: Actor,
}

impl Keeper<'_> {
    fn touch(&self, touch: &Touch) -> Result<(), Error> {
        if !types_of(touch.key.class).iter().any(|it| self.policy.remembers_of(*it)) {
            return Ok(());
        }
        let _scratch = Scratch::new();
        let place = |column| Place { class: touch.key.class, oid: touch.key.oid, column };
        let old = touch.old.as_ref();
        let Some(new) = scene::scene_below(touch.key.class, touch.key.oid) else {
            return Ok(table::forget(self.table, place(0))?);
        };
        if old.is_none() {
            table::forget(self.table, place(0))?;
        }
        self.object(place(0), old.map(|old| &old.situation), Some(&new.situation), touch)?;
        if touch.knows_inside && self.policy.remembers_of(ObjectType::ForeignTableColumn) {
            self.columns(place, touch, &new)?;
        }
        Ok(())
    }

    fn columns(&self, place: impl Fn(i16) -> Place, touch: &Touch, new: &Scene) -> Result<(), Error> {
        let old = touch.old.as_ref();
        for (number, (before, after)) in crate::judge::paired_columns(old, Some(new)) {
            let before = old.zip(before.as_ref()).map(|(scene, column)| scene.column(column));
            let after = after.as_ref().map(|column| new.column(column));
            self.object(place(number), before.as_ref(), after.as_ref(), touch)?;
        }
        Ok(())
    }

    fn object(
        &self,
        place: Place,
        old: Option<&Situation>,
        new: Option<&Situation>,
        touch: &Touch,
    ) -> Result<(), Error> {
        let before = table::of(self.table, place);
        let known: Vec<&str> = before.iter().map(|known| known.option.as_str()).collect();
        let fates = self.policy.fates(old, new, &known, &self.actor);
        let writer_before = touch.writer(place.column);
        let now = Now { writer: place.writer().unwrap_or_default(), writer_before, at: table::now() };
        let kept: Vec<Known> = fates.iter().filter_map(|fate| now.keep(fate, &before)).collect();
        Ok(table::replace(self.table, place, &kept)?)
    }
}

/// When and by whom an object was changed.
struct Now {
    writer: u32,
    /// Who had written the object's options before, if that is known.
    writer_before: Option<u32>,
    at: i64,
}

impl Now {
    /// What is known of a secret after what has become of it; None if nothing is.
    fn keep(&self, fate: &Fate<'_>, before: &[Known]) -> Option<Known> {
        let known = before.iter().find(|known| known.option == fate.option);
        let mut verifiers = known.map(|known| known.verifiers.clone()).unwrap_or_default();
        if fate.former > 0 {
            verifiers.splice(0..0, fate.of_replaced(verifier::of));
        }
        verifiers.truncate(fate.former);
        let set_at = match (fate.is_set(), fate.is_changed()) {
            (false, _) => None,
            (true, true) => Some(self.at),
            (true, false) => known.filter(|known| self.has_seen(known)).and_then(|known| known.set_at),
        };
        let is_known = set_at.is_some() || !verifiers.is_empty();
        is_known.then(|| Known { option: fate.option.to_owned(), set_at, writer: self.writer, verifiers })
    }
}

impl Now {
    /// Whether nobody has changed the options unseen since.
    fn has_seen(&self, known: &Known) -> bool {
        known.writer == self.writer || Some(known.writer) == self.writer_before
    }
}

/// Removes what no rule in force asks for, and says of how many secrets that was.
///
/// # Errors
/// When there is no policy to judge by, or the table is not what the extension made.
pub fn prune() -> Result<i64, Error> {
    let policy = policy_in_force::policy()?;
    let Some(table) = table::find()? else { return Ok(0) };
    let actor = Actor::new(session::current_role());
    let pruned = table::prune(table, |place, option| {
        let _scratch = Scratch::new();
        let situation = situation(place)?;
        let asked = policy.asked_of(&situation, &[option], &actor);
        asked.into_iter().filter(|(name, _)| *name == option).map(|(_, former)| former).max()
    });
    Ok(pruned?)
}

/// The object or the column at that place.
pub fn situation(place: Place) -> Option<Situation> {
    let scene = scene::scene_below(place.class, place.oid)?;
    if place.column == 0 {
        return Some(scene.situation);
    }
    let (_, column) = scene.columns.iter().find(|(number, _)| *number == place.column)?;
    Some(scene.column(column))
}
