//! The health of a policy: rules that cannot do what they were written for. Every finding is true; what cannot be decided is
//! not told.

use std::collections::BTreeSet;

use crate::context::PARTS;
use crate::contradiction::contradictions;
use crate::entry::Entry;
use crate::evaluate::Session;
use crate::json::{self, LARGEST_SCHEMA};
use crate::model::{ObjectType, Situation};
use crate::pattern::PatternList;
use crate::policy::Policy;
use crate::rule::{Mode, Rule};
use crate::secret::escaped;
use crate::shadow::{Body, Shadow};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The rule cannot do what it says.
    Error,
    /// Something of it is without effect, or not what its author meant.
    Warning,
    /// It is without effect as things are now.
    Info,
}

impl Severity {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What is found of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It would not be accepted now; whatever it could be about violates it.
    NotValid,
    /// It can be about no object at all.
    NeverMatches,
    /// No options satisfy it.
    NeverSatisfied,
    /// No value of one option satisfies it.
    OptionNeverSatisfied,
    /// Another rule says all that it says.
    Shadowed,
    /// Another rule says all that it says of objects as they stand.
    ShadowedAsThingsStand,
    /// It names an option that no pack of the wrapper knows.
    UnknownOption,
    /// It names a role that does not exist.
    UnknownRole,
    /// It is about no object that there is.
    MatchesNothing,
    /// It asks for the past of secrets, and no object that it is about has one.
    NoSecret,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotValid => "not valid",
            Self::NeverMatches => "never matches",
            Self::NeverSatisfied | Self::OptionNeverSatisfied => "never satisfied",
            Self::Shadowed | Self::ShadowedAsThingsStand => "shadowed",
            Self::UnknownOption => "unknown option",
            Self::UnknownRole => "unknown role",
            Self::MatchesNothing => "matches nothing",
            Self::NoSecret => "no secret",
        }
    }

    pub const fn severity(self) -> Severity {
        match self {
            Self::NotValid | Self::NeverMatches | Self::NeverSatisfied => Severity::Error,
            Self::OptionNeverSatisfied | Self::Shadowed | Self::UnknownOption | Self::UnknownRole => Severity::Warning,
            Self::ShadowedAsThingsStand | Self::MatchesNothing | Self::NoSecret => Severity::Info,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's place in the policy.
    pub position: usize,
    pub kind: Kind,
    /// A sentence.
    pub detail: String,
    pub hint: Option<String>,
}

impl Policy {
    /// What the rules in force in the session's database say of themselves.
    pub fn health(&self, session: &dyn Session) -> Vec<Finding> {
        let numbered = self.entries().iter().enumerate();
        let in_force: Vec<(usize, &Entry)> = numbered.filter(|(_, entry)| is_in_force(entry, session)).collect();
        let mut findings = Vec::new();
        for (position, entry) in &in_force {
            session.check_for_interrupts();
            let of_rule = self.of_rule(entry).into_iter();
            findings.extend(of_rule.map(|(kind, detail, hint)| Finding { position: *position, kind, detail, hint }));
        }
        findings.extend(shadows(&in_force, session));
        findings
    }

    /// The rules in force in the session's database whose patterns fit the object, by their places in the policy.
    pub fn matching(&self, situation: &Situation, session: &dyn Session) -> Vec<usize> {
        let fitting = self.candidates([situation]).filter(|(_, entry)| entry.matches(situation));
        fitting.filter(|(_, entry)| is_in_force(entry, session)).map(|(position, _)| position).collect()
    }

    /// Every rule in force in the session's database, with its place in the policy.
    pub fn in_force(&self, session: &dyn Session) -> Vec<(usize, &Rule)> {
        let numbered = self.entries().iter().enumerate();
        numbered
            .filter(|(_, entry)| is_in_force(entry, session))
            .map(|(position, entry)| (position, &entry.rule))
            .collect()
    }

    /// What the rule at that place says of itself, whether it is in force or not.
    pub fn health_of(&self, position: usize) -> Vec<Finding> {
        let said = self.entries().get(position).map(|entry| self.of_rule(entry)).unwrap_or_default();
        said.into_iter().map(|(kind, detail, hint)| Finding { position, kind, detail, hint }).collect()
    }

    /// Every rule that is not switched off but for other databases than the session's, with its place in the policy.
    pub fn elsewhere(&self, session: &dyn Session) -> Vec<(usize, &Rule)> {
        let numbered = self.entries().iter().enumerate();
        let is_elsewhere = |entry: &Entry| entry.rule.mode != Mode::Off && !entry.is_for_database(session.database());
        numbered.filter(|(_, entry)| is_elsewhere(entry)).map(|(position, entry)| (position, &entry.rule)).collect()
    }

    fn of_rule(&self, entry: &Entry) -> Vec<Said> {
        let rule = &entry.rule;
        let invalid = rule.check(self.catalogue()).err().or_else(|| entry.compiled().err().cloned());
        if let Some(fault) = invalid {
            let hint = Some("Mend the rule or switch it off: whatever it could be about violates it.".to_owned());
            return vec![(Kind::NotValid, format!("The fault is in {fault}."), hint)];
        }
        let mut said = never_matches(entry);
        said.extend(never_satisfied(rule));
        let compiled = entry.compiled().into_iter().flat_map(|compiled| [&compiled.condition, &compiled.options]);
        let unknown = compiled.flatten().flat_map(|schema| self.catalogue().unknown_options(rule, schema));
        said.extend(unknown.map(|notice| (Kind::UnknownOption, capitalised(&notice.message) + ".", notice.hint)));
        said
    }
}

/// A finding of a rule that is known already: what, the detail and the hint.
type Said = (Kind, String, Option<String>);

fn is_in_force(entry: &Entry, session: &dyn Session) -> bool {
    entry.rule.mode != Mode::Off && entry.is_for_database(session.database())
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn never_matches(entry: &Entry) -> Vec<Said> {
    let fields = entry.matcher().map(|matcher| matcher.fields_that_match_nothing()).unwrap_or_default();
    let of_patterns = fields.into_iter().map(|field| {
        let detail = format!("The patterns of \"{field}\" exclude every name that they include.");
        (Kind::NeverMatches, detail, None)
    });
    of_patterns.chain(never_applies(&entry.rule)).chain(binds_nobody(&entry.rule)).collect()
}

/// A rule of whose roles every member is excepted.
fn binds_nobody(rule: &Rule) -> Option<Said> {
    let is_excepted = |role: &String| rule.except_roles.contains(role);
    let why = if rule.except_roles.iter().any(|role| role == EVERYBODY) {
        "\"except_roles\" has \"public\", which is everybody"
    } else if !rule.roles.is_empty() && rule.roles.iter().all(is_excepted) {
        "every role of \"roles\" is in \"except_roles\" too"
    } else {
        return None;
    };
    let hint = Some("What violates it shows in violations(), and is never refused.".to_owned());
    Some((Kind::NeverMatches, format!("The rule binds nobody: {why}."), hint))
}

/// The role of which everybody is a member.
const EVERYBODY: &str = "public";

/// A condition that no object of the rule's type satisfies.
fn never_applies(rule: &Rule) -> Option<Said> {
    let absent = absent_parts(rule.object_type);
    let condition = json::parse(rule.condition.as_deref()?, LARGEST_SCHEMA).ok()?;
    let why = contradictions(&condition, &absent).whole?;
    let parts: Vec<&str> = absent.iter().copied().filter(|part| why.starts_with(&format!("\"{part}\""))).collect();
    let hint = parts.first().map(|part| format!("A condition on a {} sees no \"{part}\".", rule.object_type));
    Some((Kind::NeverMatches, format!("No object satisfies the condition: {}", escaped(&why)), hint))
}

/// The parts that the context document of such an object never has.
fn absent_parts(object_type: ObjectType) -> BTreeSet<&'static str> {
    let is_there = |part: ObjectType| part == object_type || (part < object_type && part != ObjectType::UserMapping);
    PARTS.iter().filter(|(part, _)| !is_there(*part)).map(|(_, key)| *key).collect()
}

fn never_satisfied(rule: &Rule) -> Vec<Said> {
    let options = rule.options.as_deref().and_then(|text| json::parse(text, LARGEST_SCHEMA).ok());
    let Some(found) = options.map(|options| contradictions(&options, &BTreeSet::new())) else { return Vec::new() };
    let whole = found.whole.map(|why| {
        let detail = format!("No options satisfy the rule: {}", escaped(&why));
        (Kind::NeverSatisfied, detail, Some("Whatever the rule matches violates it.".to_owned()))
    });
    let of_options = found.keys.into_iter().map(|(option, why)| {
        let detail = format!("No value of option \"{}\" satisfies the rule: {}", escaped(&option), escaped(&why));
        (Kind::OptionNeverSatisfied, detail, Some("To forbid the option, say false of it.".to_owned()))
    });
    whole.into_iter().chain(of_options).collect()
}

/// Each rule that stands in the shadow of another, and of which; of two that throw shadows on each other it is the later.
fn shadows(in_force: &[(usize, &Entry)], session: &dyn Session) -> Vec<Finding> {
    let bodies: Vec<(usize, Body<'_>)> =
        in_force.iter().filter_map(|(position, entry)| Some((*position, Body::of(entry)?))).collect();
    let mut findings = Vec::new();
    for (position, body) in &bodies {
        session.check_for_interrupts();
        let thrown = bodies.iter().filter(|(other, _)| other != position).filter_map(|(other, wide)| {
            let shadow = wide.shadow_on(body)?;
            let is_mutual = other > position && body.shadow_on(wide) == Some(shadow);
            (!is_mutual).then_some((shadow, wide.rule()))
        });
        if let Some((shadow, by)) = thrown.min_by_key(|(shadow, _)| *shadow) {
            findings.push(shadowed(*position, shadow, by));
        }
    }
    findings
}

fn shadowed(position: usize, shadow: Shadow, by: &Rule) -> Finding {
    let name = escaped(&by.name);
    let (kind, detail) = match shadow {
        Shadow::Whole => {
            (Kind::Shadowed, format!("Whatever violates it violates rule \"{name}\" too, whose mode is {}.", by.mode))
        }
        Shadow::OfStates => {
            let detail =
                format!("Every object that violates it violates rule \"{name}\" too, whose mode is {}.", by.mode);
            (Kind::ShadowedAsThingsStand, detail)
        }
    };
    Finding { position, kind, detail, hint: None }
}

/// The names without wildcards of which a rule's patterns of a field say that one must fit; none if others may.
pub fn literal_names(rule: &Rule, field: &str) -> Vec<String> {
    let patterns = PatternList::parse(rule.patterns(field)).ok();
    patterns.and_then(|patterns| patterns.literal_names()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::secret::SecretOptions;
    use crate::testing::{Ordinary, server};

    fn rule(fields: &Value) -> Rule {
        let mut rule = json!({"name": "r", "object_type": "server"});
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Rule { trusted: true, ..Rule::from_value(rule).unwrap() }
    }

    fn found(rules: &[Value]) -> Vec<(usize, &'static str, &'static str, String)> {
        let policy = Policy::new(rules.iter().map(rule).collect(), SecretOptions::default());
        let findings = policy.health(&Ordinary).into_iter();
        findings.map(|it| (it.position, it.kind.severity().name(), it.kind.name(), it.detail)).collect()
    }

    fn kinds(fields: Value) -> Vec<&'static str> {
        found(&[fields]).into_iter().map(|(_, _, kind, _)| kind).collect()
    }

    #[test]
    fn a_good_rule_gives_no_cause() {
        let good = json!({"options": {"required": ["sslmode"]}, "condition": {"required": ["wrapper", "server", "effective", "old"]}});
        assert!(kinds(good).is_empty());
        assert!(kinds(json!({"object_type": "foreign table column", "forms": ["DROP"], "condition": {"required": ["foreign_table", "column"]}})).is_empty());
    }

    #[test]
    fn a_rule_that_can_be_about_nothing_is_found() {
        assert_eq!(kinds(json!({"options": {"required": ["host"]}, "server": ["a*", "!a*"]})), ["never matches"]);
        let on_mappings = json!({"options": {"required": ["host"]}, "condition": {"required": ["user_mapping"]}});
        assert_eq!(kinds(on_mappings), ["never matches"]);
        let deeper = json!({"type": "object", "required": ["server"], "properties": {"server": {"required": ["name"], "properties": {"name": {"enum": ["x", "y"], "pattern": "z"}}}}});
        assert_eq!(kinds(json!({"options": {"required": ["host"]}, "condition": deeper})), ["never matches"]);
    }

    #[test]
    fn a_rule_that_binds_nobody_is_found() {
        let with = |roles: Value, except: Value| {
            kinds(json!({"options": {"required": ["host"]}, "roles": roles, "except_roles": except}))
        };
        assert_eq!(with(json!(["a"]), json!(["b", "a"])), ["never matches"]);
        assert_eq!(with(json!(null), json!(["public"])), ["never matches"]);
        assert!(with(json!(["a", "c"]), json!(["a"])).is_empty() && with(json!(null), json!(["a"])).is_empty());
    }

    #[test]
    fn a_rule_for_other_databases_is_known_to_be_elsewhere() {
        let fields = |database: &str, mode: &str| json!({"forms": ["DROP"], "database": [database], "mode": mode});
        let rules = [fields("other", "deny"), fields("other", "off"), fields("*", "deny")];
        let policy = Policy::new(rules.iter().map(rule).collect(), SecretOptions::default());
        let positions =
            |rules: Vec<(usize, &Rule)>| rules.into_iter().map(|(position, _)| position).collect::<Vec<_>>();
        assert_eq!(positions(policy.elsewhere(&Ordinary)), [0]);
        assert_eq!(positions(policy.in_force(&Ordinary)), [2]);
    }

    #[test]
    fn what_no_options_satisfy_is_found() {
        let options =
            json!({"required": ["port"], "properties": {"port": {"type": "integer", "minimum": 5, "maximum": 3}}});
        let wanted =
            "No options satisfy the rule: \"port\" is required, and no integer lies between minimum 5 and maximum 3.";
        assert_eq!(found(&[json!({"options": options})]), [(0, "error", "never satisfied", wanted.to_owned())]);
        let options = json!({"properties": {"port": {"minLength": 5, "maxLength": 3}}});
        let wanted = "No value of option \"port\" satisfies the rule: minLength 5 is more than maxLength 3.";
        assert_eq!(found(&[json!({"options": options})]), [(0, "warning", "never satisfied", wanted.to_owned())]);
    }

    #[test]
    fn of_two_that_say_the_same_the_later_is_found() {
        let one = json!({"name": "one", "options": {"required": ["host"]}});
        let two = json!({"name": "two", "options": {"required": ["host"]}});
        let wanted = "Whatever violates it violates rule \"one\" too, whose mode is deny.";
        assert_eq!(found(&[one, two]), [(1, "warning", "shadowed", wanted.to_owned())]);
        let narrow = json!({"name": "narrow", "server": ["x"], "options": {"required": ["host"]}});
        let wide = json!({"name": "wide", "options": {"required": ["host"]}});
        let wanted = "Every object that violates it violates rule \"wide\" too, whose mode is deny.";
        assert_eq!(found(&[narrow, wide]), [(0, "info", "shadowed", wanted.to_owned())]);
    }

    #[test]
    fn what_is_not_in_force_is_not_looked_at() {
        let bad = || json!({"options": {"required": ["host"]}, "server": ["!*"]});
        let with = |more: Value| {
            let mut rule = bad();
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        assert!(found(&[with(json!({"mode": "off"})), with(json!({"database": ["other"]}))]).is_empty());
        assert_eq!(found(&[bad()]).len(), 1);
    }

    #[test]
    fn slips_and_rules_that_are_no_longer_valid_are_found() {
        assert_eq!(kinds(json!({"options": {"required": ["sslmod"]}})), ["unknown option"]);
        let untrusted =
            Rule { trusted: false, ..rule(&json!({"options": {"properties": {"password": {"const": "x"}}}})) };
        let findings = Policy::new(vec![untrusted], SecretOptions::default()).health(&Ordinary);
        assert_eq!(findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::NotValid]);
    }

    #[test]
    fn a_rule_matches_by_its_patterns() {
        let rules = [json!({"server": ["foo"], "forms": ["DROP"]}), json!({"server": ["bar"], "forms": ["DROP"]})];
        let policy = Policy::new(rules.iter().map(rule).collect(), SecretOptions::default());
        assert_eq!(policy.matching(&server("foo", &[]), &Ordinary), [0]);
        assert_eq!(policy.in_force(&Ordinary).len(), 2);
        assert_eq!(literal_names(&rule(&rules[0]), "server"), ["foo"]);
        assert!(literal_names(&rule(&rules[0]), "wrapper").is_empty());
    }

    #[test]
    fn the_packs_are_in_good_health() {
        for major in [15, 18] {
            let rules = crate::packs::packs().iter().flat_map(|pack| pack.rules(major)).collect();
            assert_eq!(Policy::new(rules, SecretOptions::default()).health(&Ordinary), []);
        }
    }
}
