//! What the guard keeps while a plan is made: what statements change and violate, instead of raising it.
//!
//! The statements of a plan run as any other, through the same hooks, and the frames of the plan's own statements are
//! closed here. What runs inside them (an event trigger) is refused by an error as ever, for so it would come; its
//! warnings are kept.

use crate::error::Error;
use crate::ffi::memory::Scratch;
use crate::ffi::{catalog, held, rights, server, session};
use crate::guard;
use crate::judge::{self, Verdicts};
use crate::policy_in_force;
use crate::scene::{self, Class, Scene};
use crate::settings::{self, Enforcement};
use crate::touched::{Key, Touched};
use fdw_guard_policy::change::{ObjectChange, Side};
use fdw_guard_policy::model::{Attributes, ObjectType, Situation};
use fdw_guard_policy::plan::Finding;
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::rule::Mode;
use fdw_guard_policy::violation::Violation;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashSet;
use std::mem;

/// What a statement of the plan has come to.
#[derive(Default)]
pub struct Kept {
    pub objects: Vec<ObjectChange>,
    pub findings: Vec<Finding>,
}

/// An object as it was before the statement, None if that makes it.
struct Seen {
    class: Class,
    oid: Oid,
    old: Option<Scene>,
    /// Whether the planner may not see its options.
    unseen: bool,
}

/// A plan that is being made.
struct Recording {
    planner: Oid,
    /// How many frames were open when it began.
    depth: usize,
    /// The options that the running statement writes, of a user mapping.
    written: Vec<String>,
    /// In the order of the first touch.
    seen: Vec<Seen>,
    known: HashSet<(Class, u32)>,
    kept: Kept,
    /// Those that statements of the plan have made.
    sequences: Vec<Oid>,
}

thread_local! {
    /// Never borrowed across a call into PostgreSQL.
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// While it lives a plan is made.
pub struct Recorder(());

impl Recorder {
    /// # Errors
    /// When a plan is being made already: an event trigger calls `plan`.
    pub fn begin() -> Result<Self, Error> {
        if is_on() {
            return Err(Error::PlanWithinPlan);
        }
        let recording = Recording {
            planner: session::current_role(),
            depth: guard::depth(),
            written: Vec::new(),
            seen: Vec::new(),
            known: HashSet::new(),
            kept: Kept::default(),
            sequences: Vec::new(),
        };
        RECORDING.replace(Some(recording));
        Ok(Self(()))
    }

    /// A statement is about to run that writes these options of a user mapping.
    pub fn expect(&self, written: Vec<String>) {
        with(|recording| {
            recording.written = written;
            recording.seen.clear();
            recording.known.clear();
            recording.kept = Kept::default();
        });
    }

    /// What the statement has come to.
    pub fn take(&self) -> Kept {
        with(|recording| mem::take(&mut recording.kept)).unwrap_or_default()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let ended = RECORDING.replace(None);
        ended.into_iter().flat_map(|recording| recording.sequences).for_each(held::free_sequence);
    }
}

fn with<T>(act: impl FnOnce(&mut Recording) -> T) -> Option<T> {
    RECORDING.with_borrow_mut(|recording| recording.as_mut().map(act))
}

/// Whether a plan is being made.
pub fn is_on() -> bool {
    RECORDING.with_borrow(Option::is_some)
}

/// Whether a frame that was opened at that depth is one of the plan's own statements.
pub fn owns_frame(depth: usize) -> bool {
    with(|recording| recording.depth == depth).unwrap_or_default()
}

/// A relation is made. What PostgreSQL makes for itself may be there to take the rows of another one: they would be read
/// and written, and whatever their expressions call would be called, for nothing; sequences would stay moved.
///
/// # Errors
/// When it is such a table, and one of the plan's own statements makes it.
pub fn note_new_relation(relation: Oid, by_itself: bool) -> Result<(), Error> {
    if by_itself {
        let is_own = guard::depth().checked_sub(1).is_some_and(owns_frame);
        return if is_own && catalog::is_new_table(relation) { Err(Error::PlanRewrites) } else { Ok(()) };
    }
    if catalog::is_new_sequence(relation) {
        with(|recording| recording.sequences.push(relation));
    }
    Ok(())
}

/// The running statement touches the object for the first time.
pub fn see(key: Key, old: Option<&Scene>) {
    let Some(planner) = with(|recording| recording.planner) else { return };
    let unseen = is_unseen(key.class, key.oid, planner);
    let seen = Seen { class: key.class, oid: key.oid, old: old.cloned(), unseen };
    with(|recording| {
        if recording.known.insert((seen.class, seen.oid.to_u32())) {
            recording.seen.push(seen);
        }
    });
}

/// Whether the object is there and the role would not see its options.
fn is_unseen(class: Class, oid: Oid, role: Oid) -> bool {
    class == Class::UserMapping && !rights::may_see_user_mapping_as(oid, role)
}

/// A statement of the plan has run, and its changes can be seen. `grants` is what was granted before it.
///
/// # Errors
/// When there is no policy: nobody knows what is a secret then.
pub fn note_changes(grants: &[(Class, Oid, Attributes)]) -> Result<(), Error> {
    let policy = policy_in_force::policy()?;
    let taken =
        with(|recording| (mem::take(&mut recording.seen), mem::take(&mut recording.written), recording.planner));
    let Some((seen, written, planner)) = taken else { return Ok(()) };
    let teller = Teller { policy: &policy, written: &written, planner };
    let mut objects: Vec<ObjectChange> = seen.iter().flat_map(|seen| teller.tell(seen)).collect();
    objects.extend(grants.iter().filter_map(|(class, oid, before)| teller.tell_grants(*class, *oid, before)));
    with(|recording| recording.kept.objects.extend(objects));
    Ok(())
}

/// Judges a statement of the plan, and keeps what it violates.
///
/// # Errors
/// As for [`note_changes`].
pub fn note_verdict(touched: &Touched) -> Result<(), Error> {
    let findings = findings(touched)?;
    with(|recording| recording.kept.findings.extend(findings));
    Ok(())
}

/// What a verdict on all of it would be now.
pub fn findings(touched: &Touched) -> Result<Vec<Finding>, Error> {
    let Verdicts { raised, standing } = judge::verdicts(touched)?;
    let raised = raised.into_iter().filter_map(|violation| Finding::raised(violation, denies()));
    // What was wrong with a user mapping shows what stands in it.
    let unseen = unseen_mappings(touched);
    let standing = standing.into_iter().filter(|violation| {
        violation.object_type != ObjectType::UserMapping || !unseen.contains(violation.identity.as_str())
    });
    Ok(raised.chain(standing.map(Finding::standing)).collect())
}

/// Identities of the touched user mappings that the planner may not see, as they were and as they are.
fn unseen_mappings(touched: &Touched) -> HashSet<String> {
    let Some(planner) = with(|recording| recording.planner) else { return HashSet::new() };
    let hidden = touched.iter().filter(|touch| is_unseen(touch.key.class, touch.key.oid, planner));
    let sides = hidden.flat_map(|touch| [touch.old.clone(), scene::scene_from_outside(touch.key.class, touch.key.oid)]);
    sides.flatten().map(|scene| scene.situation.object.identity().to_owned()).collect()
}

fn denies() -> bool {
    settings::enforcement() == Enforcement::On
}

/// Of what a statement inside one of the plan's raises: all of it where no plan is made, and else the errors.
pub fn keep_warnings(raised: Vec<Violation>) -> Vec<Violation> {
    if !is_on() {
        return raised;
    }
    let (denied, others): (Vec<_>, Vec<_>) =
        raised.into_iter().partition(|violation| violation.mode == Mode::Deny && denies());
    let others = others.into_iter().filter_map(|violation| Finding::raised(violation, denies()));
    with(|recording| recording.kept.findings.extend(others));
    denied
}

/// Tells what became of objects to the one who makes the plan.
struct Teller<'a> {
    policy: &'a Policy,
    written: &'a [String],
    planner: Oid,
}

impl Teller<'_> {
    /// The object, and the columns of a table.
    fn tell(&self, seen: &Seen) -> Vec<ObjectChange> {
        server::check_for_interrupts();
        let _scratch = Scratch::new();
        let now = scene::scene(seen.class, seen.oid);
        let (old, new) = (seen.old.as_ref(), now.as_ref());
        let unseen = seen.unseen && old.is_some() || new.is_some() && is_unseen(seen.class, seen.oid, self.planner);
        let side = |scene: Option<&Scene>| scene.map(|scene| (scene.situation.clone(), scene.inside.clone()));
        let object = self.between(side(old), side(new), unseen);
        object.into_iter().chain(self.columns(old, new)).collect()
    }

    fn columns(&self, old: Option<&Scene>, new: Option<&Scene>) -> Vec<ObjectChange> {
        let columns = judge::paired_columns(old, new);
        let differ = columns.values().filter(|(old, new)| old != new);
        let told = differ.filter_map(|(old_column, new_column)| {
            let side = |scene: Option<&Scene>, column: &judge::Column| {
                Some((scene?.column(column.as_ref()?), Attributes::new()))
            };
            self.between(side(old, old_column), side(new, new_column), false)
        });
        told.collect()
    }

    fn tell_grants(&self, class: Class, oid: Oid, before: &Attributes) -> Option<ObjectChange> {
        let scene = scene::scene_from_outside(class, oid)?;
        let now = guard::grants_on(Key { class, oid, actor: self.planner });
        self.between(Some((scene.situation.clone(), before.clone())), Some((scene.situation, now)), false)
    }

    fn between(
        &self,
        old: Option<(Situation, Attributes)>,
        new: Option<(Situation, Attributes)>,
        unseen: bool,
    ) -> Option<ObjectChange> {
        let secrecy =
            |side: &Option<(Situation, Attributes)>| side.as_ref().map(|(situation, _)| self.policy.secrecy(situation));
        let (of_old, of_new) = (secrecy(&old), secrecy(&new));
        let old =
            old.as_ref().zip(of_old.as_ref()).map(|((situation, inside), secrecy)| Side { situation, inside, secrecy });
        let new =
            new.as_ref().zip(of_new.as_ref()).map(|((situation, inside), secrecy)| Side { situation, inside, secrecy });
        ObjectChange::between(old, new, unseen.then_some(self.written))
    }
}
