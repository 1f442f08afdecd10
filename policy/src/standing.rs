//! Standing violations: what violates the policy as it is, whoever made it so and whenever.
//!
//! A rule's `roles` and `except_roles` say who may change something. What has been changed violates the rule whoever looks
//! at it, so that they play no part here; nor do forms, which are changes. A condition on the session is about the session
//! that asks.

use crate::entry::Entry;
use crate::evaluate::{Change, Difference, Session, Sides, evaluate_rule};
use crate::form::Forms;
use crate::model::{ObjectType, Situation};
use crate::policy::Policy;
use crate::view::View;
use crate::violation::Violation;

/// The rules whose violations are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    All,
    /// All that have that name, for the policy file and the table may have one each.
    Named(&'a str),
    /// The one that is tried; see [`Policy::with_trial`].
    Trial,
}

impl Policy {
    /// The violations of an object as it stands, in the order of the rules.
    pub fn standing(&self, asked: Asked<'_>, situation: &Situation, session: &dyn Session) -> Vec<Violation> {
        let (new, forms) = (Some(situation.clone()), Forms::empty());
        let change = Change { old: None, new, forms, touched: true, written: Vec::new(), unseen: false };
        let difference = Difference::of(&change);
        let now = View::new(self, session, situation, None);
        let sides = Sides { now: &now, before: None, difference: &difference };
        let mut violations = Vec::new();
        for candidate in self.rules_on(situation).iter() {
            let Some(entry) = self.entries().get(candidate.position) else { continue };
            session.check_for_interrupts();
            if self.is_asked(asked, candidate.position, entry) && entry.is_for_database(session.database()) {
                evaluate_rule(candidate.fits, entry, &change, sides, &mut violations);
            }
        }
        violations
    }

    /// Whether an object of that type can violate any of the rules.
    pub fn may_be_violated_by(&self, asked: Asked<'_>, object_type: ObjectType) -> bool {
        self.entries_on(object_type).any(|(position, entry)| self.is_asked(asked, position, entry))
    }

    /// Whether any rule has that name.
    pub fn knows(&self, name: &str) -> bool {
        self.rules().any(|rule| rule.name == name)
    }

    pub(crate) fn is_asked(&self, asked: Asked<'_>, position: usize, entry: &Entry) -> bool {
        entry.is_about_states()
            && match asked {
                Asked::All => true,
                Asked::Named(name) => entry.rule.name == name,
                Asked::Trial => position + 1 == self.entries().len(),
            }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::rule::Rule;
    use crate::secret::SecretOptions;
    use crate::testing::{Ordinary, mapping, server};

    fn rule(fields: Value) -> Rule {
        Rule { trusted: true, ..Rule::from_value(fields).unwrap() }
    }

    fn on_servers(options: &Value) -> Rule {
        rule(json!({"name": "r", "object_type": "server", "options": options}))
    }

    fn policy(rules: Vec<Rule>) -> Policy {
        Policy::new(rules, SecretOptions::default())
    }

    fn fixes(policy: &Policy, situation: &Situation) -> Vec<Option<String>> {
        let found = policy.standing(Asked::All, situation, &Ordinary);
        found.into_iter().map(|violation| violation.fix).collect()
    }

    #[test]
    fn a_fault_is_mended_where_only_one_value_is_right_or_the_nearest_is_known() {
        let property = |schema: Value| json!({"properties": {"a": schema}});
        let required = |schema: Value| json!({"properties": {"a": schema}, "required": ["a"]});
        let cases = [
            (required(json!({"const": "x"})), None, Some("ADD a 'x'")),
            (required(json!({"enum": ["x"]})), None, Some("ADD a 'x'")),
            (required(json!({"default": "x"})), None, Some("ADD a 'x'")),
            (required(json!({"enum": ["x", "y"]})), None, None),
            (required(json!({"examples": ["x"]})), None, None),
            (required(json!({"type": "integer", "minimum": 5})), None, None),
            (property(json!(false)), Some("x"), Some("DROP a")),
            (json!({"additionalProperties": false}), Some("x"), Some("DROP a")),
            (json!({"not": {"required": ["a"]}}), Some("x"), Some("DROP a")),
            (required(json!(false)), Some("x"), None),
            (property(json!({"const": "x"})), Some("y"), Some("SET a 'x'")),
            (property(json!({"type": "integer", "minimum": 5})), Some("1"), Some("SET a '5'")),
            (property(json!({"type": "integer", "maximum": 5, "default": 3})), Some("9"), Some("SET a '5'")),
            (property(json!({"type": "integer", "maximum": 5, "default": 3})), Some("x"), Some("SET a '3'")),
            (property(json!({"type": "integer", "maximum": 5, "multipleOf": 2})), Some("9"), None),
            (property(json!({"pattern": "^x"})), Some("y"), None),
            (
                json!({"properties": {"a": {"const": "x"}}, "dependentRequired": {"a": ["b"]}}),
                Some("y"),
                Some("SET a 'x'"),
            ),
            (
                json!({"properties": {"a": {"const": "x"}}, "anyOf": [{"required": ["b"]}, {"properties": {"a": {"const": "y"}}}]}),
                Some("y"),
                None,
            ),
        ];
        for (options, value, wanted) in cases {
            let given: Vec<(&str, &str)> = value.map(|value| ("a", value)).into_iter().collect();
            let fixes = fixes(&policy(vec![on_servers(&options)]), &server("foo", &given));
            let wanted = wanted.map(|clause| format!("ALTER SERVER foo OPTIONS ({clause})"));
            assert_eq!(fixes.into_iter().flatten().next(), wanted, "{options}");
        }
    }

    #[test]
    fn a_secret_is_left_out_of_the_statement() {
        let options =
            json!({"required": ["password"], "properties": {"password": {"const": "hunter2", "minLength": 3}}});
        let secret = || policy(vec![rule(json!({"name": "r", "object_type": "user mapping", "options": options}))]);
        for (given, verb) in [(None, "ADD"), (Some(("password", "x")), "SET")] {
            let given: Vec<(&str, &str)> = given.into_iter().collect();
            let found = secret().standing(Asked::All, &mapping("bob", "foo", &given), &Ordinary);
            let wanted = format!(
                "ALTER USER MAPPING FOR bob SERVER foo OPTIONS ({verb} password /* secret: its value goes here */)"
            );
            assert_eq!(found[0].fix.as_deref(), Some(wanted.as_str()));
            assert!(!format!("{found:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_name_that_cannot_be_shown_gets_no_statement() {
        let policy = policy(vec![on_servers(&json!({"properties": {"a": false}}))]);
        assert_eq!(fixes(&policy, &server("fo\no", &[("a", "x")])), [None]);
    }

    #[test]
    fn whom_a_rule_binds_and_what_forms_it_governs_is_about_changes() {
        let fields = |more: Value| {
            let mut fields = json!({"name": "r", "object_type": "server", "options": {"required": ["a"]}});
            fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            policy(vec![rule(fields)])
        };
        let count = |policy: &Policy| policy.standing(Asked::All, &server("foo", &[]), &Ordinary).len();
        assert_eq!(count(&fields(json!({"roles": ["nobody"]}))), 1);
        assert_eq!(count(&fields(json!({"except_roles": ["public"]}))), 1);
        assert_eq!(count(&fields(json!({"database": ["other"]}))), 0);
        assert_eq!(count(&fields(json!({"mode": "off"}))), 0);
        let condition =
            |role: &str| json!({"properties": {"session": {"properties": {"current_role": {"const": role}}}}});
        assert_eq!(count(&fields(json!({"condition": condition("alice")}))), 1);
        assert_eq!(count(&fields(json!({"condition": condition("bob")}))), 0);
        assert_eq!(count(&fields(json!({"options": null, "forms": ["CREATE"]}))), 0);
    }

    #[test]
    fn a_rule_is_tried_beside_those_in_force_which_still_say_what_is_secret() {
        let hides = on_servers(&json!({"required": ["b"], "properties": {"pin": {"writeOnly": true}}}));
        let trial = rule(json!({
            "name": "t", "object_type": "server", "mode": "off", "options": {"properties": {"pin": {"const": "1"}}}
        }));
        let policy = Policy::with_trial(vec![hides], Rule { trusted: false, ..trial }, SecretOptions::default());
        let found = |asked| policy.standing(asked, &server("foo", &[("pin", "hunter2")]), &Ordinary);
        assert_eq!(found(Asked::Trial).iter().map(|found| found.rule.as_str()).collect::<Vec<_>>(), ["t"]);
        assert_eq!(found(Asked::Named("r")).len(), 1);
        assert_eq!(found(Asked::All).len(), 2);
        assert!(!format!("{:?}", found(Asked::All)).contains("hunter2"));
        assert!(policy.may_be_violated_by(Asked::Trial, ObjectType::Server));
        assert!(!policy.may_be_violated_by(Asked::All, ObjectType::UserMapping));
        assert!(policy.knows("r") && !policy.knows("x"));
    }

    /// The options after the statement has run.
    fn altered(options: &[(String, String)], fix: &str) -> Vec<(String, String)> {
        let clause = fix.split_once("OPTIONS (").unwrap().1.strip_suffix(')').unwrap();
        let words: Vec<&str> = clause.splitn(3, ' ').collect();
        let mut altered: Vec<_> = options.iter().filter(|(name, _)| name != words[1]).cloned().collect();
        let was_there = altered.len() < options.len();
        assert_eq!(was_there, words[0] != "ADD", "{fix}");
        if words[0] != "DROP" {
            altered.push((words[1].to_owned(), words[2].trim_matches('\'').to_owned()));
        }
        altered
    }

    fn options() -> impl Strategy<Value = Vec<(String, String)>> {
        let value = prop::sample::select(vec!["x", "y", "1", "7", "-3", "on", ""]).prop_map(str::to_owned);
        prop::collection::btree_map("[a-c]", value, 0..3).prop_map(|options| options.into_iter().collect())
    }

    fn schema() -> impl Strategy<Value = Value> {
        let property = prop::sample::select(vec![
            json!(false),
            json!({"const": "x"}),
            json!({"enum": ["y"]}),
            json!({"enum": ["x", "y"], "default": "x"}),
            json!({"type": "integer", "minimum": 2, "maximum": 5}),
            json!({"type": "integer", "minimum": 2, "not": {"const": 2}}),
            json!({"type": "boolean", "default": true}),
            json!({"minLength": 2, "default": "x"}),
        ]);
        let properties = prop::collection::btree_map("[a-c]", property, 0..3);
        let names = || prop::collection::btree_set("[a-c]", 0..3);
        (properties, names(), names(), prop::option::of(0_u64..3)).prop_map(
            |(properties, required, dependent, most)| {
                let mut schema = json!({"properties": properties, "required": required});
                schema["dependentRequired"] = json!({"a": dependent});
                if let Some(most) = most {
                    schema["maxProperties"] = json!(most);
                }
                schema
            },
        )
    }

    proptest! {
        #[test]
        fn a_fix_mends_its_violation_and_brings_no_other(schema in schema(), options in options()) {
            let policy = policy(vec![on_servers(&schema)]);
            let of = |options: &[(String, String)]| {
                let given: Vec<(&str, &str)> = options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                policy.standing(Asked::All, &server("foo", &given), &Ordinary)
            };
            let before = of(&options);
            for violation in &before {
                let Some(fix) = &violation.fix else { continue };
                let after = of(&altered(&options, fix));
                prop_assert!(after.iter().all(|left| left.option != violation.option), "{fix}: {after:?}");
                prop_assert!(after.len() < before.len(), "{fix}: {after:?}");
            }
        }
    }
}
