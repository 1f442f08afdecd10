//! What is asked of the policy (a change, and the session that makes it), and what one rule answers.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::entry::{Compiled, Entry};
use crate::explain::{self, Explainer};
use crate::fault::Fault;
use crate::form::Forms;
use crate::model::{ObjectType, Situation};
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
    /// Called for each object, and before each rule that is held against it.
    fn check_for_interrupts(&self);
}

/// One object before and after.
#[derive(Debug, Clone)]
pub struct Change {
    /// `None` when it was created.
    pub old: Option<Situation>,
    /// `None` when it was dropped.
    pub new: Option<Situation>,
    pub forms: Forms,
    /// False when only something above the object changed.
    pub touched: bool,
    /// The options that each of the statements gives a value, whether or not they had it already.
    pub written: Vec<Rc<[String]>>,
    /// Whether he who makes it may not see the options that were there, so that no value is told. What he writes counts as
    /// changed, whether it is or not: else a verdict would tell him of a value that he tries whether it is the right one.
    pub unseen: bool,
}

impl Change {
    /// Whether the statements give the option a value.
    pub(crate) fn writes(&self, option: &str) -> bool {
        self.written().any(|other| other == option)
    }

    fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().flat_map(|options| options.iter()).map(String::as_str)
    }

    /// The options that are given the value that they have, each as often as statements do so.
    pub fn rewritten(&self) -> impl Iterator<Item = &str> {
        let both = self.old.iter().zip(&self.new);
        both.flat_map(|(old, new)| {
            let (old, new) = (&old.object.options, &new.object.options);
            self.written().filter(|option| new.agree(old, option))
        })
    }

    /// Whether the option has another value than before, or counts as if it had.
    fn alters(&self, option: &str) -> bool {
        let [old, new] = [&self.old, &self.new].map(|side| side.as_ref()?.object.options.get(option));
        old != new || self.unseen && self.rewritten().any(|other| other == option)
    }

    /// Whether the object of that type, or the one above it, gets another name.
    fn renames(&self, object_type: ObjectType) -> bool {
        let name = |situation: &Situation| situation.part(object_type).map(|part| part.name().to_owned());
        self.old.as_ref().zip(self.new.as_ref()).is_some_and(|(old, new)| name(old) != name(new))
    }
}

/// What a change leaves as it is.
pub(crate) struct Difference<'a> {
    /// The options that it changes, if it changes nothing else of the object or above it.
    pub changed_options: Option<Vec<&'a str>>,
}

impl<'a> Difference<'a> {
    pub(crate) fn of(change: &'a Change) -> Self {
        let both = change.old.as_ref().zip(change.new.as_ref());
        let same = both.filter(|(old, new)| old.differs_in_options_only(new));
        let mut changed = same.map(|(old, new)| new.object.options.changed(&old.object.options));
        if let Some(changed) = changed.as_mut().filter(|_| change.unseen) {
            changed.extend(change.rewritten());
        }
        Self { changed_options: changed }
    }
}

/// The object on both sides of a change: `now` is the new state, or the last one of a dropped object; `before` is the
/// old one.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub now: &'a View<'a>,
    pub before: Option<&'a View<'a>>,
    pub difference: &'a Difference<'a>,
}

impl Sides<'_> {
    /// Whether the rule's patterns fit the object now, which may be known, and whether they did before.
    fn fit(&self, is_known_to_fit: bool, entry: &Entry) -> (bool, bool) {
        let now = is_known_to_fit || entry.matches(self.now.situation);
        if self.difference.changed_options.is_some() {
            return (now, now);
        }
        (now, self.before.is_some_and(|before| entry.matches(before.situation)))
    }
}

/// Adds the violations of one rule that binds the session. Its patterns may be known to fit the object now.
pub(crate) fn evaluate_rule(
    is_known_to_fit: bool,
    entry: &Entry,
    change: &Change,
    sides: Sides<'_>,
    violations: &mut Vec<Violation>,
) {
    let (fits_now, fitted_before) = sides.fit(is_known_to_fit, entry);
    if !(fits_now || fitted_before) {
        return;
    }
    let judge = match entry.compiled() {
        Ok(compiled) => Judge { entry, compiled, change, sides, fits_now, fitted_before },
        Err(error) => {
            // Of a dependent nobody said anything; the rule will be heard of when the object itself is touched.
            violations.extend(change.touched.then(|| explain::invalid_rule(&entry.rule, error, sides.now)));
            return;
        }
    };
    judge.forms(violations);
    judge.leaving(violations);
    judge.options(violations);
}

/// One rule and one change.
struct Judge<'a> {
    entry: &'a Entry,
    compiled: &'a Compiled,
    change: &'a Change,
    sides: Sides<'a>,
    fits_now: bool,
    fitted_before: bool,
}

impl Judge<'_> {
    fn rule(&self) -> &Rule {
        &self.entry.rule
    }

    fn governs_now(&self) -> bool {
        self.fits_now && self.sides.now.satisfies_condition(self.entry, self.compiled)
    }

    /// The object as it was, if the rule was about it.
    fn governed_before(&self) -> Option<&View<'_>> {
        let before = self.sides.before.filter(|_| self.fitted_before);
        before.filter(|before| before.satisfies_condition(self.entry, self.compiled))
    }

    /// Whether the rule is about the object as it is or as it was: nobody leaves a rule by the change that it forbids.
    fn governs_either(&self) -> bool {
        self.governs_now() || self.governed_before().is_some()
    }

    fn forms(&self, violations: &mut Vec<Violation>) {
        let governed = self.entry.governed(self.change.forms);
        if self.change.touched && !governed.is_empty() && self.governs_either() {
            // The statement will be undone, so that it is the old name under which the object is known.
            let known = self.sides.before.unwrap_or(self.sides.now);
            violations.extend(governed.iter().map(|form| explain::governed_form(self.rule(), form, known)));
        }
    }

    /// Whoever may not change something may not take it out of the rule's patterns either, to change it there. Of a server
    /// or a wrapper every rule minds that, as its name stands for all that is below it.
    fn leaving(&self, violations: &mut Vec<Violation>) {
        let both = self.change.old.is_some() && self.change.new.is_some();
        if !both || self.fits_now || !self.entry.governed(self.change.forms).is_empty() {
            return;
        }
        let binds = !self.rule().forms.is_empty()
            || self.compiled.options.as_ref().is_some_and(|schema| !schema.read_only().is_empty())
            || self.change.renames(ObjectType::Server)
            || self.change.renames(ObjectType::ForeignDataWrapper);
        if let Some(before) = self.governed_before().filter(|_| binds) {
            violations.push(explain::leaving(self.rule(), before));
        }
    }

    fn options(&self, violations: &mut Vec<Violation>) {
        let Some(schema) = &self.compiled.options else { return };
        let same = self.compiled.sees_no_difference(self.rule(), self.change, self.sides.difference);
        if self.change.new.is_none() || same {
            return;
        }
        let explainer = Explainer { rule: self.rule(), schema, change: self.change, view: self.sides.now };
        // Where all is well nobody asks for the condition, and so for the document that it looks at.
        let accepted = self.rule().trusted && schema.accepts_at_once(&self.sides.now.situation.object.options);
        let is_silent = accepted && self.deprecated(schema).next().is_none();
        if !is_silent && self.governs_now() {
            let raised = if accepted { Vec::new() } else { self.raised(schema) };
            violations.extend(raised.iter().map(|fault| explainer.fault(fault, &raised)));
            violations.extend(self.deprecated(schema).map(|option| explainer.deprecated(option)));
        }
        let mut frozen = self.changed_read_only(schema).peekable();
        if frozen.peek().is_some() && self.governs_either() {
            violations.extend(frozen.map(|option| explainer.read_only(option)));
        }
    }

    /// The faults of the new state that the rule raises.
    fn raised(&self, schema: &CompiledSchema) -> Vec<Fault> {
        let mut faults = schema.faults(self.sides.now.options(self.rule().trusted));
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
        fault.option.as_deref().is_some_and(|option| self.sets(option))
    }

    /// The options that violated the rule before, when it was about the object then.
    fn faulty_before(&self, schema: &CompiledSchema) -> BTreeSet<Option<String>> {
        let faults = self.governed_before().map(|before| schema.faults(before.options(self.rule().trusted)));
        faults.into_iter().flatten().map(|fault| fault.option).collect()
    }

    /// Whether the change adds or sets the option.
    fn sets(&self, option: &str) -> bool {
        Self::has(self.change.new.as_ref(), option) && self.change.alters(option)
    }

    fn has(situation: Option<&Situation>, option: &str) -> bool {
        situation.is_some_and(|situation| situation.object.options.get(option).is_some())
    }

    /// Options that the change adds or sets although they are deprecated.
    fn deprecated<'s>(&'s self, schema: &'s CompiledSchema) -> impl Iterator<Item = &'s str> {
        let options = if self.change.forms.is_empty() { &[] } else { schema.deprecated() };
        options.iter().map(String::as_str).filter(|option| self.sets(option))
    }

    /// Options that were set, may be set only once, and are changed or dropped.
    fn changed_read_only<'s>(&'s self, schema: &'s CompiledSchema) -> impl Iterator<Item = &'s str> {
        let changes = |option: &&str| Self::has(self.change.old.as_ref(), option) && self.change.alters(option);
        schema.read_only().iter().map(String::as_str).filter(changes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::form::{Form, forms_between};
    use crate::policy::Policy;
    use crate::secret::SecretOptions;
    use crate::testing::{Ordinary, mapping, server, state};

    /// Rules that look at some options, at all, or at what is above.
    fn policy(trusted: bool, strict: bool) -> Policy {
        let schemas = [
            json!({"required": ["a"]}),
            json!({"properties": {"a": {"const": "x"}}}),
            json!({"properties": {"b": {"enum": ["x", "y"], "readOnly": true}}}),
            json!({"properties": {"c": {"deprecated": true}}}),
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"if": {"required": ["a"]}, "then": {"properties": {"b": {"minLength": 2}}}}),
            json!({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"properties": {"a": {"type": "integer"}}}}}),
            json!({"properties": {"a": true}, "additionalProperties": false}),
            json!({"patternProperties": {"^[bc]$": {"maxLength": 1}}}),
            json!({"maxProperties": 1}),
            json!({"propertyNames": {"enum": ["a", "b"]}}),
            // It names nothing, and nothing satisfies it.
            json!({"not": {}}),
            json!({"if": {"required": ["c"]}, "then": false}),
        ];
        let rule = |(number, schema): (usize, &serde_json::Value)| {
            let field = json!({
                "name": format!("r{number}"), "object_type": "user mapping", "options": schema, "strict": strict,
                "condition": (number % 3 == 0).then(|| json!({"required": ["effective"]})),
                "forms": if number % 4 == 1 { vec!["OPTIONS"] } else { Vec::new() },
                "role": if number % 5 == 4 { vec!["bob"] } else { vec!["*"] },
                "server": if number % 2 == 0 { vec!["f*"] } else { vec!["foo"] }
            });
            Rule { trusted, ..Rule::from_value(field).unwrap() }
        };
        Policy::new(schemas.iter().enumerate().map(rule).collect(), SecretOptions::default())
    }

    fn options() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
        let value = || prop::option::of(prop::sample::select(vec!["x", "y", "12", ""]));
        (value(), value(), value()).prop_map(|(a, b, c)| {
            [("a", a), ("b", b), ("c", c)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
        })
    }

    fn change(old: Situation, new: Situation) -> Change {
        let forms = forms_between(Some(&old.object), Some(&new.object));
        Change { old: Some(old), new: Some(new), forms, touched: true, written: Vec::new(), unseen: false }
    }

    /// The same where the wrapper above differs in something that no rule looks at.
    fn on_another_wrapper(situation: Situation) -> Situation {
        let wrapper = state(ObjectType::ForeignDataWrapper, "postgres_fdw", &[("other", "1")]);
        let above = situation.above.iter().map(|part| match part.object_type {
            ObjectType::ForeignDataWrapper => Rc::new(wrapper.clone()),
            _ => Rc::clone(part),
        });
        Situation { above: above.collect(), ..situation }
    }

    proptest! {
        #[test]
        fn leaving_out_rules_that_see_no_difference_changes_no_verdict(
            old in options(), new in options(), trusted: bool, strict: bool
        ) {
            let policy = policy(trusted, strict);
            let (old, new) = (mapping("bob", "foo", &old), mapping("bob", "foo", &new));
            let all = change(on_another_wrapper(old.clone()), new.clone());
            prop_assert!(Difference::of(&all).changed_options.is_none());
            let some = change(old, new);
            prop_assert!(Difference::of(&some).changed_options.is_some());
            let before_they_are_compiled = policy.evaluate(&some, &Ordinary);
            let of_all = policy.evaluate(&all, &Ordinary);
            prop_assert_eq!(&before_they_are_compiled, &of_all);
            prop_assert_eq!(policy.evaluate(&some, &Ordinary), of_all);
        }
    }

    proptest! {
        #[test]
        fn what_is_known_of_rules_changes_no_verdict(
            all in prop::collection::vec((options(), options()), 1..4), trusted: bool, strict: bool, turn in 0_usize..2
        ) {
            let known = policy(trusted, strict);
            let floor = mapping("bob", "foo", &[]).above;
            let on_floor = |role: &str, options: &[(&str, &str)]| {
                Situation { above: floor.clone(), ..mapping(role, "foo", options) }
            };
            for (number, (old, new)) in all.iter().enumerate() {
                let role = if (number + turn) % 2 == 0 { "bob" } else { "eve" };
                let (old, new) = (on_floor(role, old), on_floor(role, new));
                let created = |new: &Situation| {
                    let forms = forms_between(None, Some(&new.object));
                    let new = Some(new.clone());
                    Change { old: None, new, forms, touched: true, written: Vec::new(), unseen: false }
                };
                let dropped = |old: &Situation| {
                    let forms = forms_between(Some(&old.object), None);
                    let old = Some(old.clone());
                    Change { old, new: None, forms, touched: true, written: Vec::new(), unseen: false }
                };
                let renamed = change(old.clone(), on_floor("ann", &[]));
                let aside = Change { touched: false, ..change(old.clone(), new.clone()) };
                for change in [created(&old), change(old.clone(), new.clone()), renamed, aside, dropped(&new)] {
                    // Somebody who has seen nothing yet.
                    let anew = policy(trusted, strict).evaluate(&change, &Ordinary);
                    prop_assert_eq!(known.evaluate(&change, &Ordinary), anew);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_verdict_tells_nobody_whether_he_writes_what_he_may_not_see(
            old in options(), other in prop::sample::select(vec!["x", "y", "12", ""]), trusted: bool, strict: bool
        ) {
            let policy = policy(trusted, strict);
            for (name, value) in &old {
                let verdict = |before: &str| {
                    let known = old.iter().map(|&(other, known)| (other, if other == *name { before } else { known }));
                    let (old, new) = (mapping("bob", "foo", &known.collect::<Vec<_>>()), mapping("bob", "foo", &old));
                    let named = Forms::only(Form::Options);
                    let written = vec![Rc::from([(*name).to_owned()])];
                    policy.evaluate(&Change { forms: named, written, unseen: true, ..change(old, new) }, &Ordinary)
                };
                let own = |found: Vec<Violation>| {
                    found.into_iter().filter(|found| found.option.as_deref() == Some(name)).collect::<Vec<_>>()
                };
                prop_assert_eq!(own(verdict(value)), own(verdict(other)), "{}", name);
            }
        }
    }

    #[test]
    fn options_that_are_added_set_or_dropped_are_changed() {
        let (old, new) = (
            server("foo", &[("a", "1"), ("b", "1"), ("c", "1")]),
            server("foo", &[("d", "1"), ("b", "2"), ("c", "1")]),
        );
        assert_eq!(Difference::of(&change(old.clone(), new)).changed_options, Some(vec!["d", "b", "a"]));
        assert_eq!(Difference::of(&change(old, server("bar", &[]))).changed_options, None);
    }
}
