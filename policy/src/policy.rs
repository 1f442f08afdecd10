//! All rules in force, and their verdict on a change.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::catalogue::Catalogue;
use crate::common::{Candidate, Common, Concern};
use crate::context::{self, Sight};
use crate::entry::{Compiled, Entry};
use crate::evaluate::{Change, Difference, Session, Sides, evaluate_rule};
use crate::form::{Form, Forms};
use crate::index::Index;
use crate::model::{ObjectType, Situation};
use crate::rule::{Mode, Rule};
use crate::secret::{Secrecy, SecretOptions};
use crate::survey::Survey;
use crate::view::View;
use crate::violation::Violation;

/// All rules in force. It is made once for a backend, and compiles a rule when an object first matches it.
#[derive(Debug)]
pub struct Policy {
    entries: Vec<Entry>,
    index: Index,
    catalogue: Catalogue,
    looks_inside: bool,
    /// The types of object on which a rule in force asks for the past of secrets.
    remembering: BTreeSet<ObjectType>,
    /// What was found that many objects have in common.
    common: RefCell<Vec<Rc<Common>>>,
}

/// Of how many types of object, each on one server, that is kept.
const MOST_COMMON: usize = 48;

impl Policy {
    /// Takes rules that were checked when they were stored. One that is no longer valid is not left out: whatever it
    /// could be about violates it.
    pub fn new(rules: Vec<Rule>, secret_options: SecretOptions) -> Self {
        let mut policy = Self {
            looks_inside: rules.iter().any(Rule::looks_inside),
            entries: Vec::with_capacity(rules.len()),
            index: Index::default(),
            catalogue: Catalogue::new(secret_options),
            remembering: BTreeSet::new(),
            common: RefCell::default(),
        };
        for rule in rules {
            let is_in_force = rule.mode != Mode::Off;
            policy.enter(rule, is_in_force);
        }
        policy
    }

    /// The same with one more rule, the last, which is tried whatever its mode. What the others say is a secret stays one.
    pub fn with_trial(rules: Vec<Rule>, trial: Rule, secret_options: SecretOptions) -> Self {
        let mut policy = Self::new(rules, secret_options);
        policy.enter(trial, true);
        policy
    }

    fn enter(&mut self, rule: Rule, is_in_force: bool) {
        let entry = Entry::new(rule);
        if is_in_force {
            self.index.insert(self.entries.len(), entry.rule.object_type, entry.matcher());
            self.remembering.extend(entry.rule.remembers().then_some(entry.rule.object_type));
        }
        self.entries.push(entry);
    }

    /// Every rule, those that are switched off included.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.entries.iter().map(|entry| &entry.rule)
    }

    /// The violations that the change introduces, and of strict rules the old ones as well, in the order of the rules.
    pub fn evaluate(&self, change: &Change, session: &dyn Session) -> Vec<Violation> {
        let mut violations = Vec::new();
        session.check_for_interrupts();
        let Some(now) = change.new.as_ref().or(change.old.as_ref()) else { return violations };
        let difference = Difference::of(change);
        let now = View::new(self, session, now, change.old.as_ref());
        let before = change.old.as_ref().map(|old| View::new(self, session, old, None));
        let sides = Sides { now: &now, before: before.as_ref(), difference: &difference };
        let changed = Concern::of_change(change, &difference);
        for candidate in self.rules_about(change, &difference).iter().filter(|candidate| candidate.minds(changed)) {
            let Some(entry) = self.entries.get(candidate.position) else { continue };
            let may_mind = change.touched || entry.looks_above();
            let is_unconcerned = !candidate.is_known() && entry.is_unconcerned(change, &difference);
            if may_mind && !is_unconcerned && entry.binds(session) {
                session.check_for_interrupts();
                evaluate_rule(candidate.fits, entry, change, sides, &mut violations);
            }
            candidate.learn(entry);
        }
        violations
    }

    /// What the object violated before the change and violates still, beside what the change raises.
    pub fn still_standing(&self, change: &Change, raised: &[Violation], session: &dyn Session) -> Vec<Violation> {
        let Some(new) = change.new.as_ref().filter(|_| change.old.is_some()) else { return Vec::new() };
        let is_raised =
            |found: &Violation| raised.iter().any(|other| other.rule == found.rule && other.option == found.option);
        let (new, forms) = (Some(new.clone()), Forms::empty());
        let as_it_is = Change { old: None, new, forms, touched: true, written: Vec::new(), unseen: change.unseen };
        self.evaluate(&as_it_is, session).into_iter().filter(|found| !is_raised(found)).collect()
    }

    /// Whether any rule on that type of object depends on the state of what stands above it.
    pub fn looks_above(&self, object_type: ObjectType, above: ObjectType) -> bool {
        self.index
            .all(object_type)
            .any(|position| self.entries.get(position).is_some_and(|entry| entry.looks_at(above)))
    }

    /// Whether any rule depends on what is inside foreign tables. Without one nobody has to read that.
    pub fn looks_inside(&self) -> bool {
        self.looks_inside
    }

    /// Whether any rule is on that type of object.
    pub fn is_about(&self, object_type: ObjectType) -> bool {
        self.index.all(object_type).next().is_some()
    }

    /// Whether any rule forbids one of those forms.
    pub fn governs(&self, forms: &[Form]) -> bool {
        self.rules().any(|rule| rule.mode != Mode::Off && rule.forms.iter().any(|form| forms.contains(form)))
    }

    /// What is known of the secrecy of the object's options.
    ///
    /// A rule says that an option is secret wherever its patterns fit. Its condition counts only when the rule is
    /// trusted: otherwise what is shown would tell what the condition found.
    pub fn secrecy(&self, situation: &Situation) -> Secrecy {
        let mut secrecy = self.catalogue.secrecy(situation);
        let view = Lazy { situation, document: std::cell::OnceCell::new() };
        for (_, entry) in self.candidates([situation]).filter(|(_, entry)| entry.matches(situation)) {
            match entry.compiled() {
                Ok(compiled) => say(entry, compiled, &view, &mut secrecy),
                Err(_) => secrecy.hide_everything(),
            }
        }
        secrecy
    }

    /// The same, found once for all objects of the type on the same server if no rule tells one from the other.
    pub fn shared_secrecy(&self, situation: &Situation) -> Rc<Secrecy> {
        self.common_secrecy(situation).unwrap_or_else(|| Rc::new(self.secrecy(situation)))
    }

    /// The same for whatever object of the type stands on the same server; None where a rule tells one from the other.
    pub fn common_secrecy(&self, situation: &Situation) -> Option<Rc<Secrecy>> {
        let find = || {
            let is_told_apart = self.candidates([situation]).any(|(_, entry)| entry.tells_apart());
            (!is_told_apart).then(|| Rc::new(self.secrecy(situation)))
        };
        self.common(situation)?.secrecy.get_or_init(find).clone()
    }

    /// What is known of all objects of the type on the same server; None for what stands on none.
    fn common(&self, situation: &Situation) -> Option<Rc<Common>> {
        if let Some(known) = self.common.borrow().iter().find(|known| known.is_of(situation)) {
            return Some(Rc::clone(known));
        }
        let found = Rc::new(Common::of(self, situation)?);
        let mut common = self.common.borrow_mut();
        if common.len() >= MOST_COMMON {
            common.clear();
        }
        common.push(Rc::clone(&found));
        Some(found)
    }

    /// The rules that can be about the object that changes, as it is or as it was, in the order of the policy.
    fn rules_about(&self, change: &Change, difference: &Difference<'_>) -> Rc<[Candidate]> {
        match (&change.old, &change.new) {
            (Some(old), Some(new)) if difference.changed_options.is_none() => {
                self.index.candidates([new, old]).into_iter().map(Candidate::at).collect()
            }
            // An object that goes by the same names is found by them once.
            (_, Some(one)) | (Some(one), None) => self.rules_on(one),
            (None, None) => Rc::default(),
        }
    }

    /// The rules that can be about the object, in the order of the policy.
    pub(crate) fn rules_on(&self, situation: &Situation) -> Rc<[Candidate]> {
        let seek = || self.index.candidates([situation]).into_iter().map(Candidate::at).collect();
        self.common(situation).map_or_else(seek, |common| Rc::clone(&common.rules))
    }

    /// Which options are secret by their names.
    pub(crate) fn secret_options(&self) -> &SecretOptions {
        self.catalogue.secret_options()
    }

    /// Tells `tell` what each rule in force says of the secrecy of options, whatever its patterns, and whether it may say
    /// that one is public; of a rule that is not valid, nothing.
    pub(crate) fn each_survey(&self, mut tell: impl FnMut(ObjectType, Option<&Survey>, bool)) {
        let in_force = self.entries.iter().filter(|entry| entry.rule.mode != Mode::Off);
        for entry in in_force.filter(|entry| entry.rule.may_tell_of_secrecy()) {
            let may_publish = entry.rule.trusted && entry.is_in_force_everywhere();
            match entry.compiled().map(|compiled| compiled.options.as_ref()) {
                Ok(Some(options)) => tell(entry.rule.object_type, Some(options.survey()), may_publish),
                Ok(None) => {}
                Err(_) => tell(entry.rule.object_type, None, may_publish),
            }
        }
    }

    /// The parts of the situation as somebody sees them who may not know secrets.
    pub(crate) fn masked_parts(&self, situation: &Situation) -> Map<String, Value> {
        let secrecy_of = |object_type: ObjectType| {
            let part = situation.with_part(object_type)?;
            Some(Rc::new(self.secrecy(&part)))
        };
        context::parts(situation, &Sight::Masked(&secrecy_of))
    }

    /// The rules that can be about any of the situations, each with its place in the policy.
    pub(crate) fn candidates<'a>(
        &self,
        situations: impl IntoIterator<Item = &'a Situation>,
    ) -> impl Iterator<Item = (usize, &Entry)> {
        self.numbered(self.index.candidates(situations))
    }

    /// The rules in force on that type of object, each with its place in the policy.
    pub(crate) fn entries_on(&self, object_type: ObjectType) -> impl Iterator<Item = (usize, &Entry)> {
        self.numbered(self.index.all(object_type))
    }

    pub(crate) fn remembering(&self) -> &BTreeSet<ObjectType> {
        &self.remembering
    }

    /// What is known of options before any rule says anything.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Every rule, those that are switched off included.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn numbered(&self, positions: impl IntoIterator<Item = usize>) -> impl Iterator<Item = (usize, &Entry)> {
        positions.into_iter().filter_map(|position| Some((position, self.entries.get(position)?)))
    }
}

/// A situation whose context document trusted conditions may need.
struct Lazy<'a> {
    situation: &'a Situation,
    document: std::cell::OnceCell<Value>,
}

impl Lazy<'_> {
    fn document(&self) -> &Value {
        self.document.get_or_init(|| Value::Object(context::parts(self.situation, &Sight::Everything)))
    }
}

fn say(entry: &Entry, compiled: &Compiled, view: &Lazy<'_>, secrecy: &mut Secrecy) {
    let Some(survey) = compiled.survey_of_secrecy() else { return };
    let condition = compiled.condition.as_ref().filter(|_| entry.rule.trusted);
    if condition.is_some_and(|condition| !condition.is_satisfied_by(view.document())) {
        return;
    }
    let may_publish = entry.rule.trusted && entry.is_in_force_everywhere();
    for (name, annotation) in &survey.annotations {
        match annotation.write_only {
            Some(true) => secrecy.add_secret(name),
            Some(false) if may_publish => secrecy.add_public(name),
            _ => {}
        }
    }
    for names in &survey.secret_patterns {
        secrecy.add_secret_pattern(names.clone());
    }
}

#[cfg(test)]
mod tests;
