//! What rules ask of a secret's past: that a new value is none of its former ones, and that it is not too old.
//!
//! Nothing of a value is kept or compared here: who asks brings a [`Memory`] with him, and is told by [`Fate`]s what there
//! is to keep.

use std::collections::{BTreeMap, BTreeSet};

use crate::ddl::{alter, clause_without_value};
use crate::entry::{Compiled, Entry};
use crate::evaluate::{Change, Session};
use crate::explain;
use crate::interval::Interval;
use crate::model::{ObjectType, OptionValue, Options, Situation};
use crate::policy::Policy;
use crate::rule::Rule;
use crate::secret::{Secrecy, escaped};
use crate::standing::Asked;
use crate::view::View;
use crate::violation::Violation;

/// What is known of the past of one object's secrets.
pub trait Memory {
    /// Whether the value is one of the last so many that the option had before the one that it has.
    fn had(&self, option: &str, value: &str, last: usize) -> bool;
    /// Whether the value that the option has is known to have been set longer ago.
    fn is_older(&self, option: &str, age: Interval) -> bool;
}

/// What a change has done to a secret that rules ask about.
#[derive(Debug)]
pub struct Fate<'a> {
    pub option: &'a str,
    old: Option<OptionValue<'a>>,
    new: Option<OptionValue<'a>>,
    /// How many former values the rules ask for.
    pub former: usize,
}

impl Fate<'_> {
    /// What `make` makes of the value that the option has no longer.
    pub fn of_replaced<T>(&self, make: impl FnOnce(&str) -> T) -> Option<T> {
        self.old.filter(|_| self.is_changed()).map(|value| make(value.expose()))
    }

    /// Whether the option has another value than before, or has one no longer.
    pub fn is_changed(&self) -> bool {
        self.old != self.new
    }

    /// Whether the option is there.
    pub fn is_set(&self) -> bool {
        self.new.is_some()
    }
}

impl Policy {
    /// The violations of rules with `reuse_history` by a change.
    pub fn reused(&self, change: &Change, session: &dyn Session, memory: &dyn Memory) -> Vec<Violation> {
        let Some(new) = change.new.as_ref().filter(|_| change.touched && self.remembers()) else { return Vec::new() };
        let view = View::new(self, session, new, change.old.as_ref());
        let mut violations = Vec::new();
        for (_, entry) in self.candidates([new]) {
            let Some(last) = entry.rule.former_values() else { continue };
            session.check_for_interrupts();
            if !entry.matches(new) || !entry.binds(session) {
                continue;
            }
            // Of a rule that is not valid everything is a violation already.
            let Ok(compiled) = entry.compiled() else { continue };
            if !view.satisfies_condition(entry, compiled) {
                continue;
            }
            for option in secrets(compiled, names(&new.object.options), view.secrecy()) {
                let detail = reuse(change, option, last, memory);
                violations.extend(detail.map(|detail| explain::of_secret(&entry.rule, &view, option, detail)));
            }
        }
        violations
    }

    /// The violations of rules with `max_age` by an object as it stands, of those rules that are asked about.
    pub fn too_old(
        &self,
        asked: Asked<'_>,
        situation: &Situation,
        session: &dyn Session,
        memory: &dyn Memory,
    ) -> Vec<Violation> {
        let mut violations = Vec::new();
        if !self.remembers() {
            return violations;
        }
        let view = View::new(self, session, situation, None);
        for (position, entry) in self.candidates([situation]) {
            let Some(age) = entry.rule.longest_age() else { continue };
            session.check_for_interrupts();
            if !self.is_asked(asked, position, entry)
                || !entry.is_for_database(session.database())
                || !entry.matches(situation)
            {
                continue;
            }
            let Ok(compiled) = entry.compiled() else { continue };
            if view.satisfies_condition(entry, compiled) {
                let secrets = secrets(compiled, names(&situation.object.options), view.secrecy());
                let old = secrets.into_iter().filter(|option| memory.is_older(option, age));
                violations.extend(old.map(|option| aged(&entry.rule, &view, option, age)));
            }
        }
        violations
    }

    /// Whether any rule in force asks for the past of a secret.
    pub fn remembers(&self) -> bool {
        !self.remembering().is_empty()
    }

    /// Whether any rule in force asks for the past of a secret of such an object.
    pub fn remembers_of(&self, object_type: ObjectType) -> bool {
        self.remembering().contains(&object_type)
    }

    /// What has become of the secrets whose past the rules ask for, those among them of which something is `known` although
    /// they are not there. Whom a rule binds and its condition are about who changes them and when; what was had was had,
    /// whoever changed it.
    pub fn fates<'a>(
        &self,
        old: Option<&'a Situation>,
        new: Option<&'a Situation>,
        known: &[&'a str],
        session: &dyn Session,
    ) -> Vec<Fate<'a>> {
        let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
        for situation in old.into_iter().chain(new) {
            for (option, former) in self.asked_of(situation, known, session) {
                let most = asked.entry(option).or_default();
                *most = former.max(*most);
            }
        }
        let value = |situation: Option<&'a Situation>, option| situation.and_then(|it| it.object.options.get(option));
        let fates = asked.into_iter();
        fates
            .map(|(option, former)| Fate { option, old: value(old, option), new: value(new, option), former })
            .collect()
    }

    /// The secrets of an object whose past the rules ask for, and for how many former values of each; those that it might
    /// have are `known` by name.
    pub fn asked_of<'a>(
        &self,
        situation: &'a Situation,
        known: &[&'a str],
        session: &dyn Session,
    ) -> Vec<(&'a str, usize)> {
        let fitting = self.remembering_of(situation, session);
        if fitting.is_empty() {
            return Vec::new();
        }
        let secrecy = self.secrecy(situation);
        let of_entry = |(_, entry): (usize, &Entry)| {
            let former = entry.rule.former_values().unwrap_or_default();
            let compiled = entry.compiled().ok();
            let names = names(&situation.object.options).chain(known.iter().copied());
            let secrets = compiled.map(|compiled| secrets(compiled, names, &secrecy));
            secrets.into_iter().flatten().map(move |option| (option, former)).collect::<Vec<_>>()
        };
        fitting.into_iter().flat_map(of_entry).collect()
    }

    /// The rules that ask for the past of a secret which the object has, by their places in the policy.
    pub fn asking_of(&self, situation: &Situation, session: &dyn Session) -> Vec<usize> {
        let fitting = self.remembering_of(situation, session);
        if fitting.is_empty() {
            return Vec::new();
        }
        let secrecy = self.secrecy(situation);
        let has_one = |entry: &Entry| {
            let compiled = entry.compiled().ok();
            compiled.is_some_and(|compiled| !secrets(compiled, names(&situation.object.options), &secrecy).is_empty())
        };
        fitting.into_iter().filter(|(_, entry)| has_one(entry)).map(|(position, _)| position).collect()
    }

    /// The rules that ask for the past of secrets and whose patterns fit the object.
    fn remembering_of(&self, situation: &Situation, session: &dyn Session) -> Vec<(usize, &Entry)> {
        let remembering = self.candidates([situation]).filter(|(_, entry)| entry.rule.remembers());
        remembering.filter(|(_, entry)| entry.is_for_database(session.database()) && entry.matches(situation)).collect()
    }
}

fn names(options: &Options) -> impl Iterator<Item = &str> {
    options.iter().map(|(option, _)| option)
}

/// The secrets among the options that the rule is about: those that its schema names or, if it names none, all of them.
fn secrets<'o>(compiled: &Compiled, options: impl Iterator<Item = &'o str>, secrecy: &Secrecy) -> Vec<&'o str> {
    let survey = compiled.options.as_ref().map(|schema| schema.survey());
    let named = survey.into_iter().flat_map(|survey| survey.named.keys().filter_map(|path| path.last()));
    let named: BTreeSet<&str> = named.map(String::as_str).filter(|option| secrecy.is_secret(option)).collect();
    let all = options.filter(|option| secrecy.is_secret(option));
    all.filter(|option| named.is_empty() || named.contains(option)).collect()
}

/// What is wrong with the value that the option gets, if it had it before.
fn reuse(change: &Change, option: &str, last: usize, memory: &dyn Memory) -> Option<String> {
    let new = change.new.as_ref()?.object.options.get(option)?;
    let is_same = change.old.as_ref().is_some_and(|old| old.object.options.get(option) == Some(new));
    if is_same {
        return change.writes(option).then(|| "The value is the one that the option has.".to_owned());
    }
    memory.had(option, new.expose(), last).then(|| match last {
        1 => "The value is the last one that the option had.".to_owned(),
        _ => format!("The value is one of the last {last} that the option had."),
    })
}

fn aged(rule: &Rule, view: &View<'_>, option: &str, age: Interval) -> Violation {
    let violation = explain::of_secret(rule, view, option, format!("The value is older than {age}."));
    let statement = alter(view.situation).map(|start| format!("{start} {}", clause_without_value(option, true)));
    // A name that cannot be shown as it is would be another one in the statement.
    Violation { fix: statement.filter(|statement| escaped(statement) == *statement), ..violation }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::{Value, json};

    use super::*;
    use crate::form::forms_between;
    use crate::secret::SecretOptions;
    use crate::testing::{Ordinary, mapping, server};
    use crate::violation::ViolationKind;

    /// Former values of the option `password`, the last first, and its age in days.
    #[derive(Default)]
    struct Known {
        former: Vec<&'static str>,
        days: Option<i32>,
        asked: Cell<usize>,
    }

    impl Memory for Known {
        fn had(&self, option: &str, value: &str, last: usize) -> bool {
            self.asked.set(self.asked.get() + 1);
            option == "password" && self.former.iter().take(last).any(|former| *former == value)
        }

        fn is_older(&self, option: &str, age: Interval) -> bool {
            option == "password" && self.days.is_some_and(|days| days > age.days)
        }
    }

    fn policy(fields: Value) -> Policy {
        let mut rule = json!({"name": "r", "object_type": "user mapping"});
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Policy::new(vec![Rule::from_value(rule).unwrap()], SecretOptions::default())
    }

    fn change(old: Option<&[(&str, &str)]>, new: &[(&str, &str)]) -> Change {
        let of = |options: &[(&str, &str)]| mapping("bob", "foo", options);
        let (old, new) = (old.map(of), Some(of(new)));
        let forms = forms_between(old.as_ref().map(|it| &*it.object), new.as_ref().map(|it| &*it.object));
        Change { old, new, forms, touched: true, written: Vec::new(), unseen: false }
    }

    fn details(policy: &Policy, change: &Change, written: &[&str], memory: &Known) -> Vec<String> {
        let written = vec![written.iter().map(|option| (*option).to_owned()).collect()];
        let found = policy.reused(&Change { written, ..change.clone() }, &Ordinary, memory);
        assert!(found.iter().all(|violation| violation.kind == ViolationKind::InvalidValue));
        found.into_iter().map(|violation| violation.detail).collect()
    }

    const ONE_OF_TWO: &str = "The value is one of the last 2 that the option had.";

    #[test]
    fn a_former_value_is_refused_as_long_as_it_is_one_of_the_last() {
        let policy = policy(json!({"reuse_history": 2}));
        let memory = Known { former: vec!["c", "b", "a"], ..Known::default() };
        let to = |value| details(&policy, &change(Some(&[("password", "d")]), &[("password", value)]), &[], &memory);
        assert_eq!(to("c"), [ONE_OF_TWO]);
        assert_eq!(to("b"), [ONE_OF_TWO]);
        assert!(to("a").is_empty() && to("e").is_empty() && to("d").is_empty());
        let created = details(&policy, &change(None, &[("password", "c")]), &[], &memory);
        assert_eq!(created, [ONE_OF_TWO]);
    }

    #[test]
    fn the_value_that_it_has_is_refused_where_the_statement_writes_it() {
        let policy = policy(json!({"reuse_history": 1}));
        let same = change(Some(&[("password", "d")]), &[("password", "d")]);
        let memory = Known::default();
        assert_eq!(details(&policy, &same, &["password"], &memory), ["The value is the one that the option has."]);
        assert!(details(&policy, &same, &["user"], &memory).is_empty());
        assert_eq!(memory.asked.get(), 0);
    }

    #[test]
    fn only_secrets_that_the_schema_names_are_asked_about_or_all_of_them() {
        let memory = Known { former: vec!["c"], ..Known::default() };
        let both = change(Some(&[]), &[("password", "c"), ("pin", "c"), ("user", "c")]);
        let asked = |options: Value| {
            memory.asked.set(0);
            details(&policy(json!({"reuse_history": 1, "options": options})), &both, &[], &memory);
            memory.asked.get()
        };
        assert_eq!(asked(json!({"required": ["password"]})), 1);
        assert_eq!(asked(json!({"properties": {"password": {"minLength": 8}, "user": {}}})), 1);
        assert_eq!(asked(json!({"properties": {"user": {}}})), 2);
        assert_eq!(asked(Value::Null), 2);
    }

    #[test]
    fn who_is_not_bound_and_what_does_not_fit_is_not_asked_about() {
        let memory = Known { former: vec!["c"], ..Known::default() };
        let change = change(Some(&[]), &[("password", "c")]);
        for (fields, count) in [
            (json!({}), 1),
            (json!({"mode": "off"}), 0),
            (json!({"role": ["alice"]}), 0),
            (json!({"roles": ["nobody"]}), 0),
            (json!({"database": ["other"]}), 0),
            (json!({"condition": {"required": ["foreign_table"]}}), 0),
        ] {
            let mut all = json!({"reuse_history": 1});
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let policy = policy(all);
            assert_eq!(details(&policy, &change, &[], &memory).len(), count, "{fields}");
            // What was had was had, whoever changed it.
            let kept = policy.fates(change.old.as_ref(), change.new.as_ref(), &[], &Ordinary).len();
            assert_eq!(
                kept == 0,
                ["mode", "role", "database"].iter().any(|field| fields.get(field).is_some()),
                "{fields}"
            );
        }
    }

    #[test]
    fn fates_tell_what_there_is_to_keep() {
        let rules = [json!({"reuse_history": 2}), json!({"reuse_history": 5, "options": {"required": ["password"]}})];
        let rules = rules.into_iter().enumerate().map(|(number, mut fields)| {
            fields["name"] = json!(format!("r{number}"));
            fields["object_type"] = json!("user mapping");
            Rule::from_value(fields).unwrap()
        });
        let policy = Policy::new(rules.collect(), SecretOptions::default());
        let old = mapping("bob", "foo", &[("password", "a"), ("pin", "1"), ("token", "x"), ("user", "u")]);
        let new = mapping("bob", "foo", &[("password", "b"), ("pin", "1"), ("sslpassword", "y"), ("user", "v")]);
        let fates = policy.fates(Some(&old), Some(&new), &["secret", "user"], &Ordinary);
        let told: Vec<_> = fates
            .iter()
            .map(|fate| (fate.option, fate.former, fate.of_replaced(str::to_owned), fate.is_changed(), fate.is_set()))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("password", 5, text("a"), true, true),
                ("pin", 2, None, false, true),
                ("secret", 2, None, false, false),
                ("sslpassword", 2, None, true, true),
                ("token", 2, text("x"), true, false),
            ]
        );
        assert!(!format!("{fates:?}").contains('x'), "{fates:?}");
    }

    #[test]
    fn a_secret_is_too_old_if_its_age_is_known() {
        let policy = policy(json!({"max_age": "90 days", "roles": ["nobody"]}));
        let bob = mapping("bob", "foo", &[("password", "hunter2"), ("user", "u")]);
        let found = |days| policy.too_old(Asked::All, &bob, &Ordinary, &Known { days, ..Known::default() });
        assert!(found(None).is_empty() && found(Some(90)).is_empty());
        let [violation] = found(Some(91)).try_into().unwrap();
        assert_eq!(violation.detail, "The value is older than 90 days.");
        let fix = "ALTER USER MAPPING FOR bob SERVER foo OPTIONS (SET password /* secret: its value goes here */)";
        assert_eq!(violation.fix.as_deref(), Some(fix));
        assert!(policy.may_be_violated_by(Asked::All, ObjectType::UserMapping));
        assert!(policy.standing(Asked::All, &bob, &Ordinary).is_empty());
        assert!(details(&policy, &change(Some(&[]), &[("password", "c")]), &[], &Known::default()).is_empty());
    }

    #[test]
    fn a_rule_asks_of_those_objects_that_have_a_secret_it_is_about() {
        let asks = |options: Value, has: &str| {
            let policy = policy(json!({"max_age": "1 day", "object_type": "server", "options": options}));
            policy.asking_of(&server("foo", &[(has, "x")]), &Ordinary) == [0]
        };
        assert!(asks(Value::Null, "password") && !asks(Value::Null, "host"));
        assert!(asks(json!({"required": ["password"]}), "password"));
        assert!(!asks(json!({"required": ["password"]}), "sslpassword"));
        assert!(asks(json!({"required": ["host"]}), "sslpassword"));
        assert!(asks(json!({"properties": {"host": {"writeOnly": true}}}), "host"));
        let others = policy(json!({"options": {"required": ["host"]}, "object_type": "server"}));
        assert!(others.asking_of(&server("foo", &[("password", "x")]), &Ordinary).is_empty());
    }

    #[test]
    fn a_policy_that_asks_for_nothing_remembers_nothing() {
        let fates = |policy: &Policy| {
            let bob = mapping("bob", "foo", &[("password", "a")]);
            policy.fates(None, Some(&bob), &[], &Ordinary).len()
        };
        let forgetful = policy(json!({"options": {"required": ["user"]}}));
        assert!(!forgetful.remembers() && fates(&forgetful) == 0);
        let off = policy(json!({"reuse_history": 3, "mode": "off"}));
        assert!(!off.remembers() && fates(&off) == 0);
        let on = policy(json!({"max_age": "1 day"}));
        assert!(on.remembers_of(ObjectType::UserMapping) && !on.remembers_of(ObjectType::Server) && fates(&on) == 1);
        assert!(on.asked_of(&server("foo", &[("password", "a")]), &["password"], &Ordinary).is_empty());
    }
}
