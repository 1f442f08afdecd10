//! What is asked of the policy (a change, and the session that makes it), and what one rule answers.

use std::collections::BTreeSet;

use crate::entry::{Compiled, Entry};
use crate::explain::{self, Explainer};
use crate::fault::Fault;
use crate::form::Form;
use crate::model::{OptionValue, Situation};
use crate::rule::Rule;
use crate::schema::CompiledSchema;
use crate::view::View;
use crate::violation::Violation;

/// What rules may know of the session.
pub trait Session {
    fn database(&self) -> &str;
    fn current_role(&self) -> &str;
    fn session_role(&self) -> &str;
    /// Whether the current role is a superuser.
    fn is_superuser(&self) -> bool;
    /// `None` for a Unix socket.
    fn client_addr(&self) -> Option<&str>;
    fn application_name(&self) -> &str;
    /// Whether the current role is a member of the role, not counting what a superuser is a member of by being one.
    /// A role that does not exist has no members.
    fn is_member_of(&self, role: &str) -> bool;
    /// Called between rules.
    fn check_for_interrupts(&self);
}

/// One object before and after.
#[derive(Debug, Clone)]
pub struct Change {
    /// `None` when it was created.
    pub old: Option<Situation>,
    /// `None` when it was dropped.
    pub new: Option<Situation>,
    pub forms: BTreeSet<Form>,
    /// False when only something above the object changed.
    pub touched: bool,
}

/// Adds the violations of one rule that binds the session. `now` is the new state, or the last one of a dropped
/// object; `before` is the old one.
pub(crate) fn evaluate_rule(
    entry: &Entry,
    change: &Change,
    now: &View<'_>,
    before: Option<&View<'_>>,
    violations: &mut Vec<Violation>,
) {
    let matches = |view: &View<'_>| entry.matches(view.situation);
    if !(matches(now) || before.is_some_and(matches)) || !(change.touched || entry.looks_above()) {
        return;
    }
    let judge = match entry.compiled() {
        Ok(compiled) => Judge { entry, compiled, change, now, before },
        Err(error) => {
            // Of a dependent nobody said anything; the rule will be heard of when the object itself is touched.
            violations.extend(change.touched.then(|| explain::invalid_rule(&entry.rule, error, now)));
            return;
        }
    };
    judge.forms(violations);
    judge.options(violations);
}

/// One rule and one change.
struct Judge<'a> {
    entry: &'a Entry,
    compiled: &'a Compiled,
    change: &'a Change,
    now: &'a View<'a>,
    before: Option<&'a View<'a>>,
}

impl Judge<'_> {
    fn rule(&self) -> &Rule {
        &self.entry.rule
    }

    fn governs(&self, view: &View<'_>) -> bool {
        view.is_governed_by(self.entry, self.compiled)
    }

    /// Whether the rule is about the object as it is or as it was: nobody leaves a rule by the change that it forbids.
    fn governs_either(&self) -> bool {
        self.governs(self.now) || self.before.is_some_and(|before| self.governs(before))
    }

    fn forms(&self, violations: &mut Vec<Violation>) {
        let mut governed = self.change.forms.iter().filter(|form| self.rule().forms.contains(form)).peekable();
        if self.change.touched && governed.peek().is_some() && self.governs_either() {
            // The statement will be undone, so that it is the old name under which the object is known.
            let known = self.before.unwrap_or(self.now);
            violations.extend(governed.map(|form| explain::governed_form(self.rule(), *form, known)));
        }
    }

    fn options(&self, violations: &mut Vec<Violation>) {
        let Some(schema) = &self.compiled.options else { return };
        if self.change.new.is_none() {
            return;
        }
        let explainer = Explainer { rule: self.rule(), schema, change: self.change, view: self.now };
        if self.governs(self.now) {
            violations.extend(self.raised(schema).iter().map(|fault| explainer.fault(fault)));
            violations.extend(self.deprecated(schema).map(|option| explainer.deprecated(option)));
        }
        let mut frozen = self.changed_read_only(schema).peekable();
        if frozen.peek().is_some() && self.governs_either() {
            violations.extend(frozen.map(|option| explainer.read_only(option)));
        }
    }

    /// The faults of the new state that the rule raises.
    fn raised(&self, schema: &CompiledSchema) -> Vec<Fault> {
        let mut faults = schema.faults(self.now.options(self.rule().trusted));
        let all = self.rule().strict && self.change.touched;
        if !all && !faults.is_empty() {
            let old = self.faulty_before(schema);
            faults.retain(|fault| !old.contains(&fault.option) || self.changes(fault));
        }
        faults
    }

    /// Whether the change sets the faulty option itself. Whoever does so is not about other business, so that what he
    /// writes must do, whatever was there before.
    fn changes(&self, fault: &Fault) -> bool {
        let Some(option) = &fault.option else { return false };
        let new = Self::option_of(self.change.new.as_ref(), option);
        new.is_some() && new != Self::option_of(self.change.old.as_ref(), option)
    }

    /// The options that violated the rule before, when it was about the object then.
    fn faulty_before(&self, schema: &CompiledSchema) -> BTreeSet<Option<String>> {
        let before = self.before.filter(|before| self.governs(before));
        let faults = before.map(|before| schema.faults(before.options(self.rule().trusted)));
        faults.into_iter().flatten().map(|fault| fault.option).collect()
    }

    fn option_of(situation: Option<&Situation>, name: &str) -> Option<OptionValue> {
        situation.and_then(|situation| situation.object.options.get(name)).cloned()
    }

    /// Options that the change adds or sets although they are deprecated.
    fn deprecated<'s>(&'s self, schema: &'s CompiledSchema) -> impl Iterator<Item = &'s str> {
        let changes = !self.change.forms.is_empty();
        let annotations = schema.survey().annotations.iter();
        annotations.filter(move |(_, annotation)| changes && annotation.deprecated).filter_map(|(name, _)| {
            let new = Self::option_of(self.change.new.as_ref(), name);
            (new.is_some() && new != Self::option_of(self.change.old.as_ref(), name)).then_some(name.as_str())
        })
    }

    /// Options that were set, may be set only once, and are changed or dropped.
    fn changed_read_only<'s>(&'s self, schema: &'s CompiledSchema) -> impl Iterator<Item = &'s str> {
        let annotations = schema.survey().annotations.iter().filter(|(_, annotation)| annotation.read_only);
        annotations.filter_map(|(name, _)| {
            let old = Self::option_of(self.change.old.as_ref(), name);
            (old.is_some() && old != Self::option_of(self.change.new.as_ref(), name)).then_some(name.as_str())
        })
    }
}
