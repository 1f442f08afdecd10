//! What all objects of a type on the same server have in common: the rules that can be about them, and mostly which of their
//! options are secret. It is found once, and then told by two addresses.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::entry::Entry;
use crate::evaluate::{Change, Difference};
use crate::form::Forms;
use crate::matcher::Matcher;
use crate::model::{ObjectState, ObjectType, Situation};
use crate::policy::Policy;
use crate::secret::Secrecy;

/// What is known of all objects of a type on the same server.
#[derive(Debug)]
pub(crate) struct Common {
    object_type: ObjectType,
    server: Rc<ObjectState>,
    wrapper: Rc<ObjectState>,
    pub rules: Rc<[Candidate]>,
    /// None within if a rule tells one from the other.
    pub secrecy: OnceCell<Option<Rc<Secrecy>>>,
}

impl Common {
    /// None if the object stands on no server.
    pub(crate) fn of(policy: &Policy, situation: &Situation) -> Option<Self> {
        let above = |object_type| situation.above.iter().find(|state| state.object_type == object_type).cloned();
        let (server, wrapper) = (above(ObjectType::Server)?, above(ObjectType::ForeignDataWrapper)?);
        let rules = policy.candidates([situation]).filter_map(|(position, entry)| {
            let may_differ = entry.matcher().is_some_and(Matcher::looks_below_server);
            let fits = !may_differ && entry.matches(situation);
            (may_differ || fits).then(|| Candidate { fits, ..Candidate::at(position) })
        });
        let object_type = situation.object.object_type;
        Some(Self { object_type, server, wrapper, rules: rules.collect(), secrecy: OnceCell::new() })
    }

    /// Whether the object stands on what is the same in memory, and so cannot differ.
    pub(crate) fn is_of(&self, situation: &Situation) -> bool {
        let stands_on = |wanted: &Rc<ObjectState>| situation.above.iter().any(|state| Rc::ptr_eq(state, wanted));
        situation.object.object_type == self.object_type && stands_on(&self.server) && stands_on(&self.wrapper)
    }
}

/// A rule that can be about an object.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its place in the policy.
    pub position: usize,
    /// Whether its patterns are known to fit; if not, they may.
    pub fits: bool,
    /// None until it is known.
    concern: Cell<Option<Concern>>,
}

impl Candidate {
    pub(crate) fn at(position: usize) -> Self {
        Self { position, fits: false, concern: Cell::new(None) }
    }

    /// Whether a change can concern the rule, as far as is known of both.
    pub(crate) fn minds(&self, change: Option<Concern>) -> bool {
        self.concern.get().zip(change).is_none_or(|(own, change)| own.meets(change))
    }

    pub(crate) fn is_known(&self) -> bool {
        self.concern.get().is_some()
    }

    /// If the rule has been held against an object by now, it is known.
    pub(crate) fn learn(&self, entry: &Entry) {
        if !self.is_known() {
            self.concern.set(entry.concern());
        }
    }
}

/// What a rule looks at, or what a change does not leave as it is: whether one meets the other is told by two numbers, mostly
/// right where it says yes, and certainly where it says no.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Concern {
    pub options: Marks,
    pub forms: Forms,
}

impl Concern {
    /// None if more than options differs.
    pub(crate) fn of_change(change: &Change, difference: &Difference<'_>) -> Option<Self> {
        let changed = difference.changed_options.as_ref()?;
        let options = changed.iter().copied().collect::<Marks>().with_any();
        Some(Self { options, forms: change.forms })
    }

    fn meets(self, other: Self) -> bool {
        self.options.0 & other.options.0 != 0 || !(self.forms & other.forms).is_empty()
    }
}

/// One bit for each name of an option, which others may share, and one for whatever name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks(u64);

impl Marks {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u64::MAX);
    /// Bits for names; the one above them is set in every change, whatever it is.
    const NAMES: u32 = u64::BITS - 1;

    fn with_any(self) -> Self {
        Self(self.0 | 1 << Self::NAMES)
    }
}

impl<'a> FromIterator<&'a str> for Marks {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let number = |name: &str| name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        Self(names.into_iter().fold(0, |marks, name| marks | 1 << (number(name) % Self::NAMES)))
    }
}
