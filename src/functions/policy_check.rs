//! `policy_check`: rules that cannot do what they were written for.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::session::{self, Actor};
use crate::ffi::{catalog, names, server};
use crate::lookup;
use crate::policy_file;
use crate::policy_in_force;
use crate::walk::{Route, Walk};
use fdw_guard_policy::health::{Finding, Kind, literal_names};
use fdw_guard_policy::model::{ObjectType, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::rule::Rule;
use fdw_guard_policy::suggest::nearest;
use std::collections::{BTreeMap, BTreeSet};

/// A row a finding, in the order of the rules, the worst first.
pub fn policy_check(_call: &Call) -> Result<Answer<'_>, Error> {
    let policy = policy_in_force::policy()?;
    let actor = Actor::new(session::current_role());
    let mut findings = policy.health(&actor);
    for (position, rule) in policy.in_force(&actor) {
        findings.extend(unknown_roles(position, rule));
    }
    findings.extend(matching_nothing(&policy, &actor, &findings));
    let of_file = policy_file::rules().len();
    // The policy file is every database's; who writes a rule into this one's table means this one.
    let elsewhere = policy.elsewhere(&actor).into_iter().filter(|(position, _)| *position >= of_file);
    findings.extend(elsewhere.map(|(position, rule)| not_here(position, rule)));
    findings.sort_by_key(|finding| (finding.position, finding.kind));
    let rules: Vec<Rule> = policy.rules().cloned().collect();
    Ok(Answer::rows(findings.into_iter().filter_map(move |finding| {
        let source = if finding.position < of_file { "policy file" } else { "table" };
        Some(row(rules.get(finding.position)?, source, finding))
    })))
}

fn row(rule: &Rule, source: &'static str, finding: Finding) -> Vec<Value> {
    vec![
        rule.name.clone().into(),
        source.into(),
        finding.kind.severity().name().into(),
        finding.kind.name().into(),
        finding.detail.into(),
        finding.hint.into(),
    ]
}

/// Roles that the rule names and that do not exist: they have no members.
fn unknown_roles(position: usize, rule: &Rule) -> Vec<Finding> {
    let lists = [("roles", &rule.roles), ("except_roles", &rule.except_roles)];
    let named = lists.into_iter().flat_map(|(field, roles)| roles.iter().map(move |role| (field, role)));
    let unknown = named.filter(|(_, role)| *role != catalog::PUBLIC && names::role(role).is_none());
    unknown
        .map(|(field, role)| Finding {
            position,
            kind: Kind::UnknownRole,
            detail: format!("Role \"{}\" in \"{field}\" does not exist.", role.escape_debug()),
            hint: near("role", role, names::of_roles()),
        })
        .collect()
}

fn near(what: &str, name: &str, known: Vec<String>) -> Option<String> {
    let near = nearest(name, known.iter().map(String::as_str))?;
    Some(format!("Perhaps you meant the {what} \"{near}\"."))
}

/// A rule that is in force in no database, or in others only.
pub fn not_here(position: usize, rule: &Rule) -> Finding {
    let missing = lookup::none_is_there("database", &literal_names(rule, "database"), names::of_databases);
    let (missing, hint) = missing.unzip();
    let detail = missing.unwrap_or_else(|| "The patterns of \"database\" do not fit this database.".to_owned());
    Finding { position, kind: Kind::MatchesNothing, detail, hint: hint.flatten() }
}

/// The rules in force whose patterns fit no object that there is, or none with what they ask for. Of one that can fit none
/// that is known already.
fn matching_nothing(policy: &Policy, actor: &Actor, known: &[Finding]) -> Vec<Finding> {
    let hopeless: BTreeSet<usize> =
        known.iter().filter(|finding| finding.kind == Kind::NeverMatches).map(|finding| finding.position).collect();
    let in_force = policy.in_force(actor).into_iter().filter(|(position, _)| !hopeless.contains(position));
    unmatched(policy, actor, in_force.collect())
}

/// Those of the rules, all of them in force, whose patterns fit no object that there is, or only such as have no secret of
/// those whose past they ask for.
pub fn unmatched(policy: &Policy, actor: &Actor, rules: BTreeMap<usize, &Rule>) -> Vec<Finding> {
    let unmatched = left_over(&rules, |situation| policy.matching(situation, actor));
    let asking = rules.into_iter().filter(|(position, rule)| rule.remembers() && !unmatched.contains_key(position));
    let idle = left_over(&asking.collect(), |situation| policy.asking_of(situation, actor));
    let unmatched = unmatched.into_iter().map(|(position, rule)| matches_nothing(position, rule));
    unmatched.chain(idle.into_iter().map(|(position, rule)| no_secret(position, rule))).collect()
}

/// The rules of which `fitting` gives the place for no object that there is.
fn left_over<'r>(
    rules: &BTreeMap<usize, &'r Rule>,
    fitting: impl Fn(&Situation) -> Vec<usize>,
) -> BTreeMap<usize, &'r Rule> {
    let mut left = rules.clone();
    for object_type in ObjectType::ALL {
        take_fitting(object_type, &mut left, &fitting);
    }
    left
}

/// Takes out the rules that fit an object of that type, until there is none left to look for.
fn take_fitting(
    object_type: ObjectType,
    left: &mut BTreeMap<usize, &Rule>,
    fitting: &impl Fn(&Situation) -> Vec<usize>,
) {
    let is_wanted = |left: &BTreeMap<usize, &Rule>| left.values().any(|rule| rule.object_type == object_type);
    if !is_wanted(left) {
        return;
    }
    let route = Route { object_types: vec![object_type], server: None };
    let mut walk = Walk::new(route, "fdw_guard.policy_check");
    while let Some(found) = walk.step(|_, _| true, |_, situation| fitting(&situation)) {
        left.retain(|position, _| !found.contains(position));
        if !is_wanted(left) {
            return;
        }
        server::check_for_interrupts();
    }
}

fn no_secret(position: usize, rule: &Rule) -> Finding {
    let fields = [("max_age", rule.max_age.is_some()), ("reuse_history", rule.reuse_history.is_some())];
    let fields: Vec<String> =
        fields.iter().filter(|(_, is_set)| *is_set).map(|(field, _)| format!("\"{field}\"")).collect();
    let verb = if fields.len() == 1 { "is" } else { "are" };
    let (object_type, fields) = (rule.object_type, fields.join(" and "));
    let detail = format!("No {object_type} that its patterns fit has a secret that {fields} {verb} about.");
    let hint = "An option is a secret if fdw_guard.secret_options, a pack or a rule with \"writeOnly\" says so.";
    Finding { position, kind: Kind::NoSecret, detail, hint: Some(hint.to_owned()) }
}

fn matches_nothing(position: usize, rule: &Rule) -> Finding {
    let (missing, hint) = missing_name(rule).unzip();
    let detail = missing.unwrap_or_else(|| format!("There is no {} that its patterns fit.", rule.object_type));
    Finding { position, kind: Kind::MatchesNothing, detail, hint: hint.flatten() }
}

/// A field of patterns, what has the names, and all of those.
type Named = (&'static str, &'static str, fn() -> Vec<String>);

const NAMED: &[Named] = &[
    ("wrapper", "foreign-data wrapper", names::of_wrappers),
    ("server", "server", names::of_servers),
    ("role", "role", names::of_roles_and_public),
];

/// A name without wildcards that nothing has, and the one that may have been meant.
fn missing_name(rule: &Rule) -> Option<(String, Option<String>)> {
    NAMED.iter().find_map(|(field, what, known)| lookup::none_is_there(what, &literal_names(rule, field), *known))
}
