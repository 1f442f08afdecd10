//! What the guard keeps while a plan is made: what statements change and violate, instead of raising it.
//!
//! The statements of a plan run as any other, through the same hooks, and the frames of the plan's own statements are
//! closed here. What runs inside them (an event trigger) is refused by an error as ever, for so it would come; its
//! warnings are kept.

use crate::error::Error;
use crate::ffi::{catalog, held, session};
use crate::guard;
use crate::judge::{self, Verdicts};
use crate::policy_in_force;
use crate::scene;
use crate::settings::{self, Enforcement};
use crate::telling::{Teller, Unseen};
use crate::touched::{Key, Touch, Touched};
use fdw_guard_policy::change::ObjectChange;
use fdw_guard_policy::model::ObjectType;
use fdw_guard_policy::plan::Finding;
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

/// A plan that is being made.
struct Recording {
    planner: Oid,
    /// How many frames were open when it began.
    depth: usize,
    /// What the running statement touches, whoever it is for whom one of those inside it acts.
    touched: Touched,
    /// Of what it touches.
    unseen: Unseen,
    kept: Kept,
    /// Those that statements of the plan have made.
    sequences: Vec<Oid>,
    /// Whether the running statement was stopped because a plan cannot go on with it.
    refused: bool,
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
            touched: Touched::default(),
            unseen: Unseen::default(),
            kept: Kept::default(),
            sequences: Vec::new(),
            refused: false,
        };
        RECORDING.replace(Some(recording));
        Ok(Self(()))
    }

    /// A statement is about to run that writes these options of a user mapping.
    pub fn expect(&self, written: Vec<String>) {
        with(|recording| {
            recording.touched = Touched::default();
            recording.unseen = Unseen { written, ..Unseen::default() };
            recording.kept = Kept::default();
        });
    }

    /// Whether it is the plan that stopped the statement, and not PostgreSQL.
    pub fn refused(&self) -> bool {
        with(|recording| recording.refused).unwrap_or_default()
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
        if !is_own || !catalog::is_new_table(relation) {
            return Ok(());
        }
        with(|recording| recording.refused = true);
        return Err(Error::PlanRewrites);
    }
    if catalog::is_new_sequence(relation) {
        with(|recording| recording.sequences.push(relation));
    }
    Ok(())
}

/// The running statement touches the object for the first time.
pub fn see(touch: &Touch) {
    let Some(planner) = with(|recording| recording.planner) else { return };
    let touch = for_planner(touch, planner);
    let is_unseen = touch.old.is_some() && judge::is_unseen(touch.key);
    with(|recording| {
        if is_unseen {
            recording.unseen.mappings.insert(touch.key.oid);
        }
        recording.touched.add(touch);
    });
}

/// The same touch, told to the planner as one of his own, also if the object is gone when all is done.
fn for_planner(touch: &Touch, planner: Oid) -> Touch {
    Touch { key: Key { actor: planner, ..touch.key }, aside: false, ..touch.clone() }
}

/// A statement of the plan has run, and its changes can be seen.
///
/// # Errors
/// When there is no policy: nobody knows what is a secret then.
pub fn note_changes(by_statement: &Touched) -> Result<(), Error> {
    let policy = policy_in_force::policy()?;
    let taken =
        with(|recording| (mem::take(&mut recording.touched), mem::take(&mut recording.unseen), recording.planner));
    let Some((mut touched, mut unseen, planner)) = taken else { return Ok(()) };
    let granted = by_statement.iter().filter(|touch| touch.grants.is_some());
    granted.for_each(|touch| touched.add(for_planner(touch, planner)));
    let is_there = |key: Key| scene::state(key.class, key.oid).is_some();
    let hidden = touched.iter().map(|touch| touch.key).filter(|key| judge::is_unseen(*key) && is_there(*key));
    unseen.mappings.extend(hidden.map(|key| key.oid));
    let teller = Teller::to(&policy, unseen);
    let objects: Vec<ObjectChange> =
        touched.iter().flat_map(|touch| teller.tell(&touched, touch)).map(|told| told.change).collect();
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
    let hidden = touched.iter().filter(|touch| judge::is_unseen(Key { actor: planner, ..touch.key }));
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
