//! `violations`: everything that violates the policy as it stands, and what a rule that is tried would find.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::raise::Report;
use crate::ffi::rights;
use crate::ffi::rules as table;
use crate::ffi::secrets::Place;
use crate::ffi::session::{self, Actor};
use crate::functions::{policy_check, rules};
use crate::lookup;
use crate::policy_in_force;
use crate::report;
use crate::scene::Class;
use crate::secrets::Memories;
use crate::walk::{Route, Walk};
use fdw_guard_policy::health::{Finding, Kind};
use fdw_guard_policy::model::{ObjectType, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::rule::{Mode, Rule};
use fdw_guard_policy::standing::Asked;
use fdw_guard_policy::suggest::nearest;
use fdw_guard_policy::violation::{self, Violation};
use std::rc::Rc;

/// What the caller asks.
struct Question {
    policy: Rc<Policy>,
    is_trial: bool,
    rule_name: Option<String>,
}

/// A row a violation, as far as the caller sees the options of what violates. Rows are made while the objects are read.
pub fn violations(call: &Call) -> Result<Answer<'_>, Error> {
    let question = Question::of(call)?;
    let server = call.name(3).map(|name| lookup::server(&name)).transpose()?;
    let object_types = question.object_types(call.text(2).as_deref())?;
    let mut walk = Walk::new(Route { object_types, server }, "fdw_guard.violations");
    let actor = Actor::new(session::current_role());
    question.why_nothing(&actor).into_iter().for_each(|notice| call.notice(notice));
    let mut hidden = 0;
    let next = move || {
        let step = walk.step(
            |class, oid| {
                let is_seen = class != Class::UserMapping || rights::may_see_user_mapping(oid);
                hidden += usize::from(!is_seen);
                is_seen
            },
            |place, situation| question.violations(place, &situation, &actor),
        );
        if step.is_none() && hidden > 0 {
            call.notice(report::hidden_mappings(hidden));
        }
        step
    };
    Ok(Answer::rows(std::iter::from_fn(next).flatten().map(|violation| row(&violation))))
}

impl Question {
    fn of(call: &Call) -> Result<Self, Error> {
        let rule_name = call.text(1);
        let Some(text) = call.text(0) else { return Self::about_rules_in_force(rule_name) };
        if rule_name.is_some() {
            return Err(Error::TrialAndName);
        }
        let policy = policy_in_force::policy_with_trial(trial(call, &text)?)?;
        Ok(Self { policy, is_trial: true, rule_name })
    }

    fn about_rules_in_force(rule_name: Option<String>) -> Result<Self, Error> {
        let policy = policy_in_force::policy()?;
        if let Some(name) = rule_name.as_ref().filter(|name| !policy.knows(name)) {
            // Who may not read the rules is not told what there is.
            let known = policy.rules().map(|rule| rule.name.as_str()).filter(|_| table::may_read());
            let near = nearest(name, known).map(str::to_owned);
            return Err(Error::UnknownRule { name: name.clone(), near });
        }
        Ok(Self { policy, is_trial: false, rule_name })
    }

    /// What the object violates as it stands, and which of its secrets are too old.
    fn violations(&self, place: Place, situation: &Situation, actor: &Actor) -> Vec<Violation> {
        let mut violations = self.policy.standing(self.asked(), situation, actor);
        if self.policy.remembers_of(situation.object.object_type) {
            violations.extend(self.policy.too_old(
                self.asked(),
                situation,
                actor,
                &Memories::of(place, place.writer()),
            ));
        }
        violations
    }

    /// Why no violation may be found of the one rule that is asked about, although all is not well.
    fn why_nothing(&self, actor: &Actor) -> Vec<Report> {
        let of_trial = self.is_trial.then(|| self.policy.rules().count().saturating_sub(1));
        let asked = |position: usize, rule: &Rule| match &self.rule_name {
            Some(name) => rule.name == *name,
            None => Some(position) == of_trial,
        };
        let about = self.policy.rules().enumerate().filter(|(position, rule)| asked(*position, rule));
        let mut reasons = Vec::new();
        for (position, rule) in about {
            reasons.extend(self.why_nothing_of(position, rule, actor));
        }
        reasons
    }

    fn why_nothing_of(&self, position: usize, rule: &Rule, actor: &Actor) -> Vec<Report> {
        if rule.mode == Mode::Off && !self.is_trial {
            return vec![report::nothing_violates(&rule.name, "is off")];
        }
        if self.policy.elsewhere(actor).iter().any(|(other, _)| *other == position) {
            return vec![report::finding_on_trial(&rule.name, &policy_check::not_here(position, rule))];
        }
        if rule.options.is_none() && rule.max_age.is_none() {
            return vec![report::nothing_violates(&rule.name, "is about changes, which do not stand")];
        }
        if !self.is_trial {
            return Vec::new();
        }
        let said = self.policy.health_of(position).into_iter();
        let mut findings: Vec<Finding> =
            said.filter(|finding| [Kind::NeverMatches, Kind::NeverSatisfied].contains(&finding.kind)).collect();
        if findings.is_empty() && rule.mode != Mode::Off {
            findings.extend(policy_check::unmatched(&self.policy, actor, [(position, rule)].into()));
        }
        findings.iter().map(|finding| report::finding_on_trial(&rule.name, finding)).collect()
    }

    fn asked(&self) -> Asked<'_> {
        match &self.rule_name {
            _ if self.is_trial => Asked::Trial,
            Some(name) => Asked::Named(name),
            None => Asked::All,
        }
    }

    /// The types of object that have to be looked at: those asked for on which there is a rule.
    fn object_types(&self, only: Option<&str>) -> Result<Vec<ObjectType>, Error> {
        let wanted = match only {
            Some(name) => {
                let found = ObjectType::from_name(name);
                vec![found.ok_or_else(|| Error::UnknownObjectType {
                    name: name.to_owned(),
                    known: ObjectType::ALL.map(ObjectType::name).to_vec(),
                })?]
            }
            None => ObjectType::ALL.to_vec(),
        };
        let asked = self.asked();
        Ok(wanted.into_iter().filter(|object_type| self.policy.may_be_violated_by(asked, *object_type)).collect())
    }
}

/// A rule of the caller's, held against the same as one that is written.
fn trial(call: &Call, text: &str) -> Result<Rule, Error> {
    let trusted = table::right_to_write()?;
    let rule = Rule::parse(text).map_err(|(name, fault)| Error::InvalidRule { rule: name, fault })?;
    let rule = Rule { trusted, ..rule };
    rules::check(&rule)?.iter().for_each(|notice| call.notice(report::notice_on_rule(&rule.name, notice)));
    Ok(rule)
}

fn row(violation: &Violation) -> Vec<Value> {
    let told = violation::report(std::slice::from_ref(violation));
    let (message, detail) = told.map(|told| (told.message, told.detail)).unwrap_or_default();
    vec![
        violation.rule.clone().into(),
        violation.mode.name().into(),
        violation.object_type.name().into(),
        violation.identity.clone().into(),
        violation.option.clone().into(),
        message.into(),
        Some(detail).filter(|detail| !detail.is_empty()).into(),
        violation.hint.clone().into(),
        violation.fix.clone().into(),
    ]
}
