//! What the policy says of changes, by example.

use std::collections::BTreeSet;

use serde_json::json;

use crate::evaluate::Change;
use crate::form::{Form, Forms, forms_between};
use crate::model::{Attribute, ObjectType, OptionValue, Situation};
use crate::policy::Policy;
use crate::rule::{Mode, Rule};
use crate::secret::SecretOptions;
use crate::standing::Asked;
use crate::testing::{Ordinary, column, mapping, server, table};
use crate::violation::{Violation, ViolationKind, report};

fn rule(rule: serde_json::Value) -> Rule {
    Rule::from_value(rule).unwrap_or_else(|error| panic!("{error}"))
}

fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    Policy::new(rules.into_iter().collect(), SecretOptions::default())
}

fn change(old: Option<Situation>, new: Option<Situation>) -> Change {
    let forms = forms_between(old.as_ref().map(|s| &*s.object), new.as_ref().map(|s| &*s.object));
    Change { old, new, forms, touched: true, written: Vec::new(), unseen: false }
}

fn violations(policy: &Policy, old: Option<Situation>, new: Option<Situation>) -> Vec<Violation> {
    policy.evaluate(&change(old, new), &Ordinary)
}

fn options(violations: &[Violation]) -> Vec<&str> {
    violations.iter().map(|violation| violation.option.as_deref().unwrap_or("")).collect()
}

fn tls() -> Rule {
    rule(json!({
        "name": "tls_required",
        "object_type": "server",
        "options": {
            "properties": {"sslmode": {"enum": ["verify-ca", "verify-full"], "default": "verify-full"}},
            "required": ["sslmode"]
        }
    }))
}

#[test]
fn a_bad_value_is_told_with_what_would_mend_it() {
    let old = server("foo", &[("sslmode", "verify-full")]);
    let found = violations(&policy([tls()]), Some(old), Some(server("foo", &[("sslmode", "disable")])));
    let report = report(&found).unwrap();
    assert_eq!(report.message, "option \"sslmode\" of server \"foo\" violates rule \"tls_required\"");
    assert_eq!(report.detail, "The value \"disable\" is not one of \"verify-ca\", \"verify-full\".");
    assert_eq!(report.hint.as_deref(), Some("Use ALTER SERVER foo OPTIONS (SET sslmode 'verify-full')."));
    assert_eq!((report.kind, report.rule.as_str()), (ViolationKind::InvalidValue, "tls_required"));
}

#[test]
fn a_missing_option_is_told_too() {
    let policy = policy([tls()]);
    let created = report(&violations(&policy, None, Some(server("foo", &[])))).unwrap();
    assert_eq!(created.message, "server \"foo\" lacks option \"sslmode\", which rule \"tls_required\" requires");
    assert_eq!(created.detail, "");
    assert_eq!(created.hint.as_deref(), Some("Use OPTIONS (sslmode 'verify-full')."));
    let standing = policy.standing(Asked::All, &server("foo", &[]), &Ordinary);
    assert_eq!(standing[0].fix.as_deref(), Some("ALTER SERVER foo OPTIONS (ADD sslmode 'verify-full')"));
    assert_eq!(standing[0].hint, None, "the statement is not said twice");
}

#[test]
fn each_kind_of_fault_is_told_as_a_fact() {
    let server_rule =
        |options: serde_json::Value| rule(json!({"name": "r", "object_type": "server", "options": options}));
    let property = |schema: serde_json::Value| json!({"properties": {"a": schema}});
    let cases = [
        (property(json!({"type": "integer"})), "x", "The value \"x\" is not an integer."),
        (
            property(json!({"type": "boolean"})),
            "yes",
            "The value \"yes\" is not a Boolean value (true, false, on or off).",
        ),
        (property(json!({"type": "integer", "minimum": 5})), "4", "The value \"4\" is less than 5."),
        (property(json!({"type": "integer", "exclusiveMinimum": 5})), "5", "The value \"5\" is not greater than 5."),
        (property(json!({"type": "integer", "maximum": 5})), "0x10", "The value \"0x10\" is greater than 5."),
        (
            property(json!({"type": "number", "exclusiveMaximum": 0.5})),
            "0.5",
            "The value \"0.5\" is not less than 0.5.",
        ),
        (property(json!({"type": "integer", "multipleOf": 5})), "7", "The value \"7\" is not a multiple of 5."),
        (property(json!({"minLength": 1})), "", "The value is shorter than 1 character."),
        (property(json!({"maxLength": 2})), "abc", "The value is longer than 2 characters."),
        (property(json!({"pattern": "^a$"})), "b", "The value \"b\" does not match the regular expression ^a$."),
        (property(json!({"format": "ipv4"})), "b", "The value \"b\" is not in the format ipv4."),
        (property(json!({"const": "c"})), "b", "The value \"b\" is not \"c\"."),
        (
            property(json!({"anyOf": [{"const": "c"}]})),
            "b",
            "The value does not satisfy any of the alternatives of the rule.",
        ),
        (
            property(json!({"oneOf": [{}, {}]})),
            "b",
            "The value does not satisfy exactly one of the alternatives of the rule.",
        ),
        (property(json!({"not": {"const": "b"}})), "b", "The value satisfies what the rule excludes."),
        (property(json!(false)), "b", "The option is not allowed here."),
        (json!({"not": {"required": ["a"]}}), "b", "The option is not allowed here."),
        (json!({"propertyNames": {"const": "b"}}), "b", "The option is not allowed here."),
        (json!({"propertyNames": false}), "b", "The options together satisfy what the rule excludes."),
        (json!({"additionalProperties": {"const": "c"}}), "b", "The value \"b\" is not \"c\"."),
        (
            json!({"allOf": [{"properties": {"b": {}}, "additionalProperties": false}]}),
            "b",
            "The rule allows no option of this name.",
        ),
        (json!({"additionalProperties": false}), "b", "The rule allows no option of this name."),
        (json!({"unevaluatedProperties": false}), "b", "The rule allows no option of this name."),
        (json!({"maxProperties": 0}), "b", "There are more than 0 options."),
        (json!({"minProperties": 2}), "b", "There are fewer than 2 options."),
        (json!({"not": {"maxProperties": 1}}), "b", "The options together satisfy what the rule excludes."),
    ];
    for (schema, value, detail) in cases {
        let found = violations(&policy([server_rule(schema.clone())]), None, Some(server("foo", &[("a", value)])));
        assert_eq!(found.len(), 1, "{schema}: {found:?}");
        assert_eq!(found[0].detail, detail, "{schema}");
    }
}

#[test]
fn an_unknown_option_is_told_with_the_nearest_that_is_known() {
    let only_host = rule(json!({
        "name": "r", "object_type": "server",
        "options": {"properties": {"host": {}}, "additionalProperties": false}
    }));
    let found = violations(&policy([only_host]), None, Some(server("foo", &[("hots", "x")])));
    assert_eq!(found[0].kind, ViolationKind::InvalidName);
    assert_eq!(found[0].hint.as_deref(), Some("Perhaps you meant the option \"host\"."));
}

#[test]
fn objects_are_named_as_postgresql_names_them() {
    let forbid =
        |object_type: &str| rule(json!({"name": "r", "object_type": object_type, "options": {"maxProperties": 0}}));
    let cases = [
        (forbid("user mapping"), mapping("bob", "foo", &[("a", "b")]), "user mapping for \"bob\" on server \"foo\""),
        (forbid("user mapping"), mapping("public", "foo", &[("a", "b")]), "user mapping for PUBLIC on server \"foo\""),
        (forbid("foreign table"), table("t", &[("a", "b")]), "foreign table \"t\""),
        (forbid("foreign table column"), column("c", &[("a", "b")]), "column \"c\" of foreign table \"t\""),
        (forbid("server"), server("x\ny", &[("a", "b")]), "server \"x\\ny\""),
    ];
    for (rule, situation, name) in cases {
        let found = violations(&policy([rule]), None, Some(situation));
        assert_eq!(found[0].message, format!("options of {name} violate rule \"r\""));
    }
    let found = violations(&policy([forbid("foreign table column")]), None, Some(column("c", &[("a", "b")])));
    let place = (found[0].schema.as_deref(), found[0].relation.as_deref(), found[0].column.as_deref());
    assert_eq!(place, (Some("public"), Some("t"), Some("c")));
}

#[test]
fn only_what_a_change_introduces_is_raised_unless_the_rule_is_strict() {
    let two = |strict: bool| {
        let options = json!({"properties": {"a": {"const": "x"}, "b": {"const": "x"}}, "required": ["a", "b"]});
        policy([rule(json!({"name": "r", "object_type": "server", "options": options, "strict": strict}))])
    };
    let bad = server("foo", &[("a", "bad"), ("b", "x")]);
    let unrelated = server("foo", &[("a", "bad"), ("b", "x"), ("c", "new")]);
    let worse = server("foo", &[("a", "bad"), ("b", "bad")]);
    let mended = server("foo", &[("a", "x"), ("b", "x")]);
    assert!(violations(&two(false), Some(bad.clone()), Some(unrelated.clone())).is_empty());
    assert_eq!(options(&violations(&two(false), Some(bad.clone()), Some(worse.clone()))), ["b"]);
    assert!(violations(&two(false), Some(worse.clone()), Some(bad.clone())).is_empty(), "one of two faults is mended");
    assert_eq!(options(&violations(&two(true), Some(bad.clone()), Some(unrelated.clone()))), ["a"]);
    assert!(violations(&two(true), Some(bad.clone()), Some(mended)).is_empty());
    let dependent = Change { touched: false, ..change(Some(bad), Some(unrelated)) };
    assert!(two(true).evaluate(&dependent, &Ordinary).is_empty());
}

#[test]
fn a_violation_under_another_condition_was_none() {
    let production = policy([rule(json!({
        "name": "r", "object_type": "server", "server": ["prod*"], "options": {"required": ["sslmode"]}
    }))]);
    let found = violations(&production, Some(server("dev", &[])), Some(server("prod1", &[])));
    assert_eq!(options(&found), ["sslmode"], "the rename brings the server under the rule");
    let left = violations(&production, Some(server("prod1", &[])), Some(server("dev", &[])));
    assert_eq!(left[0].sentence, "rule \"r\" would no longer bind server \"prod1\"");
    assert!(violations(&production, Some(server("prod1", &[])), Some(server("prod2", &[]))).is_empty());
}

#[test]
fn a_hint_says_what_the_schema_says_of_the_option_and_how_to_mend_it() {
    let described = json!({"properties": {"port": {"type": "integer", "maximum": 65535, "default": 5432,
        "description": "The port of the remote server"}}});
    let policy = policy([rule(json!({"name": "port", "object_type": "server", "options": described}))]);
    let found = violations(&policy, Some(server("s", &[])), Some(server("s", &[("port", "70000")])));
    let hint = "The port of the remote server. Use ALTER SERVER s OPTIONS (ADD port '5432').";
    assert_eq!(found[0].hint.as_deref(), Some(hint));
}

#[test]
fn forms_bind_by_the_old_and_by_the_new_identity() {
    let frozen = policy([rule(json!({
        "name": "frozen", "object_type": "server", "server": ["prod"], "forms": ["RENAME TO", "DROP", "OWNER TO"]
    }))]);
    let found = violations(&frozen, Some(server("prod", &[])), Some(server("x", &[])));
    assert_eq!(found[0].message, "rule \"frozen\" does not allow RENAME TO on server \"prod\"");
    assert_eq!(violations(&frozen, Some(server("x", &[])), Some(server("prod", &[]))).len(), 1);
    assert_eq!(
        violations(&frozen, Some(server("prod", &[])), None)[0].message,
        "rule \"frozen\" does not allow DROP on server \"prod\""
    );
    assert!(violations(&frozen, Some(server("x", &[])), Some(server("y", &[]))).is_empty());
    assert!(violations(&frozen, None, Some(server("prod", &[]))).is_empty(), "CREATE is not governed");
    let mut owned = server("prod", &[]);
    owned.object = std::rc::Rc::new((*owned.object).clone().with(&[(Attribute::Owner, "eve")]));
    assert_eq!(violations(&frozen, Some(server("prod", &[])), Some(owned)).len(), 1);
}

#[test]
fn a_drop_violates_no_options() {
    assert!(violations(&policy([tls()]), Some(server("foo", &[])), None).is_empty());
    let read_only =
        rule(json!({"name": "r", "object_type": "server", "options": {"properties": {"a": {"readOnly": true}}}}));
    assert!(violations(&policy([read_only]), Some(server("foo", &[("a", "1")])), None).is_empty());
}

#[test]
fn a_read_only_option_is_set_once() {
    let policy = policy([rule(json!({
        "name": "r", "object_type": "server", "options": {"properties": {"host": {"readOnly": true}}}
    }))]);
    let with = |value: &str| Some(server("foo", &[("host", value)]));
    let without = || Some(server("foo", &[]));
    assert!(violations(&policy, None, with("a")).is_empty());
    assert!(violations(&policy, without(), with("a")).is_empty());
    assert!(violations(&policy, with("a"), with("a")).is_empty());
    assert_eq!(options(&violations(&policy, with("a"), with("b"))), ["host"]);
    assert_eq!(options(&violations(&policy, with("a"), without())), ["host"]);
}

#[test]
fn nobody_escapes_a_read_only_option_by_leaving_the_condition() {
    let policy = policy([rule(json!({
        "name": "r", "object_type": "server", "options": {"properties": {"host": {"readOnly": true}}},
        "condition": {"properties": {"server": {"properties": {"options": {"required": ["tier"]}}}}}
    }))]);
    let old = server("foo", &[("host", "a"), ("tier", "1")]);
    assert_eq!(options(&violations(&policy, Some(old), Some(server("foo", &[("host", "b")])))), ["host"]);
}

#[test]
fn a_deprecated_option_warns_when_it_is_added_or_set() {
    let deprecating = |mode: &str| {
        let options = json!({"properties": {"a": {"deprecated": true}}});
        policy([rule(json!({"name": "r", "object_type": "server", "options": options, "mode": mode}))])
    };
    let with = |value: &str| Some(server("foo", &[("a", value)]));
    let found = violations(&deprecating("deny"), None, with("1"));
    assert_eq!((found[0].mode, options(&found)), (Mode::Warn, vec!["a"]));
    assert_eq!(violations(&deprecating("audit"), with("1"), with("2"))[0].mode, Mode::Audit);
    assert!(violations(&deprecating("deny"), with("1"), with("1")).is_empty());
    assert!(violations(&deprecating("deny"), with("1"), Some(server("foo", &[]))).is_empty());
    assert!(deprecating("deny").standing(Asked::All, &with("1").unwrap(), &Ordinary).is_empty());
}

#[test]
fn rules_that_are_off_or_bind_others_say_nothing() {
    for change in [
        json!({"mode": "off"}),
        json!({"roles": ["other"]}),
        json!({"except_roles": ["dba"]}),
        json!({"database": ["x"]}),
    ] {
        let mut fields = json!({"name": "r", "object_type": "server", "options": {"required": ["a"]}});
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert!(violations(&policy([rule(fields)]), None, Some(server("foo", &[]))).is_empty(), "{change}");
    }
}

#[test]
fn conditions_see_the_old_state_the_session_and_the_effective_options() {
    let with = |condition: serde_json::Value| {
        let rule = rule(json!({
            "name": "r", "object_type": "user mapping", "options": {"required": ["a"]}, "condition": condition
        }));
        policy([Rule { trusted: true, ..rule }])
    };
    let bob = || Some(mapping("bob", "foo", &[("user", "b")]));
    let is = |key: &str, value: &str| json!({"properties": {key: {"const": value}}, "required": [key]});
    let created = |condition| !violations(&with(condition), None, bob()).is_empty();
    assert!(created(json!({"properties": {"session": is("current_role", "alice")}})));
    assert!(!created(json!({"properties": {"session": is("current_role", "bob")}})));
    assert!(created(json!({"properties": {"effective": is("host", "db.example")}})));
    assert!(created(json!({"properties": {"user_mapping": {"properties": {"options": is("user", "b")}}}})));
    assert!(!created(json!({"required": ["old"]})));
    let transition = with(json!({"required": ["old"]}));
    assert_eq!(
        violations(&transition, bob(), bob()).len(),
        1,
        "a rule about changes was not violated before the change"
    );
}

#[test]
fn who_may_not_see_an_object_is_told_no_value_of_it() {
    let rule = json!({"name": "r", "object_type": "user mapping", "strict": true, "options": {
        "properties": {"user": {"type": "string", "enum": ["writer"], "writeOnly": false}}}});
    let policy = policy(vec![Rule { trusted: true, ..Rule::from_value(rule).unwrap() }]);
    let at = |user| mapping("bob", "foo", &[("user", user)]);
    let detail = |unseen| {
        let change = Change { unseen, ..change(Some(at("reader")), Some(at("reader"))) };
        policy.evaluate(&change, &Ordinary).pop().unwrap().detail
    };
    assert!(detail(false).contains("\"reader\""), "{}", detail(false));
    assert!(!detail(true).contains("reader") && !detail(true).is_empty(), "{}", detail(true));
}

#[test]
fn dependents_are_judged_by_rules_that_look_above() {
    let rules = || {
        [
            rule(json!({"name": "plain", "object_type": "user mapping", "options": {"required": ["a"]}})),
            rule(
                json!({"name": "named", "object_type": "user mapping", "server": ["prod"], "options": {"required": ["a"]}}),
            ),
        ]
    };
    let dependent = |old: &str, new: &str| Change {
        touched: false,
        forms: Forms::empty(),
        ..change(Some(mapping("bob", old, &[])), Some(mapping("bob", new, &[])))
    };
    let found = policy(rules()).evaluate(&dependent("dev", "prod"), &Ordinary);
    assert_eq!(found.iter().map(|violation| violation.rule.as_str()).collect::<Vec<_>>(), ["named"]);
    assert!(policy(rules()).evaluate(&dependent("prod", "prod"), &Ordinary).is_empty());
}

#[test]
fn it_is_known_which_rules_look_above() {
    use ObjectType::*;
    let looks = |fields: serde_json::Value| {
        let mut rule_fields = json!({"name": "r", "object_type": "user mapping", "options": {"required": ["a"]}});
        rule_fields.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let policy = policy([rule(rule_fields)]);
        [ForeignDataWrapper, Server, ForeignTable].map(|above| policy.looks_above(UserMapping, above))
    };
    assert_eq!(looks(json!({})), [false, false, false]);
    assert_eq!(looks(json!({"server": ["x"]})), [false, true, false]);
    assert_eq!(looks(json!({"server": ["!x"], "wrapper": ["y"]})), [true, true, false]);
    assert_eq!(looks(json!({"condition": {"required": ["wrapper"]}})), [true, false, false]);
    assert_eq!(looks(json!({"condition": {"properties": {"effective": {}}}})), [true, true, false]);
    assert_eq!(looks(json!({"condition": {"not": {"properties": {"old": {}}}}})), [true, true, false]);
    assert_eq!(looks(json!({"mode": "off", "server": ["x"]})), [false, false, false]);
}

#[test]
fn a_stored_rule_that_is_no_longer_valid_fails_closed() {
    let mut broken = tls();
    broken.options = Some("{\"enumm\": []}".to_owned());
    let found = violations(&policy([broken]), None, Some(server("foo", &[("host", "x")])));
    assert_eq!(found[0].message, "rule \"tls_required\" is not valid, so server \"foo\" cannot be checked");
    assert!(found[0].detail.contains("/enumm"), "{}", found[0].detail);
    let mut pattern = tls();
    pattern.server = vec!["(".to_owned()];
    assert_eq!(violations(&policy([pattern]), None, Some(server("foo", &[]))).len(), 1);
    let mut condition = tls();
    condition.condition = Some("{".to_owned());
    let policy = policy([condition]);
    assert_eq!(violations(&policy, Some(server("foo", &[])), None).len(), 1);
    assert!(policy.secrecy(&server("foo", &[])).is_secret("host"), "nobody knows what the rule would hide");
}

#[test]
fn rules_and_packs_make_secrets_and_publish() {
    let write_only = |value: bool, trusted: bool| Rule {
        trusted,
        ..rule(json!({
            "name": "r", "object_type": "user mapping", "options": {"properties": {"x": {"writeOnly": value}}}
        }))
    };
    let bob = mapping("bob", "foo", &[]);
    assert!(policy([]).secrecy(&bob).is_secret("x"));
    assert!(!policy([]).secrecy(&bob).is_secret("user"), "a pack says so");
    assert!(policy([write_only(false, false)]).secrecy(&bob).is_secret("x"), "only a superuser can publish");
    assert!(!policy([write_only(false, true)]).secrecy(&bob).is_secret("x"));
    assert!(policy([write_only(false, true), write_only(true, false)]).secrecy(&bob).is_secret("x"));
    let by_pattern = rule(json!({
        "name": "r", "object_type": "server", "options": {"patternProperties": {"^k_": {"writeOnly": true}}}
    }));
    let foo = policy([by_pattern]).secrecy(&server("foo", &[]));
    assert!(foo.is_secret("k_1") && !foo.is_secret("host"));
}

#[test]
fn a_secret_is_no_oracle_for_whoever_may_not_know_it() {
    let guess = |trusted: bool, guess: &str| {
        let probe = rule(json!({
            "name": "r", "object_type": "user mapping",
            "condition": {"properties": {"user_mapping": {"properties": {"options": {"properties": {"password": {"const": guess}}}}}}},
            "forms": ["CREATE"]
        }));
        let options = json!({"name": "o", "object_type": "user mapping", "options": {"properties": {"password": {"const": guess}}}});
        let rules = [probe, rule(options)].map(|rule| Rule { trusted, ..rule });
        violations(&policy(rules), None, Some(mapping("bob", "foo", &[("password", "hunter2")])))
    };
    assert_eq!(guess(false, "hunter2"), guess(false, "hunter3"), "right and wrong guesses look the same");
    assert_eq!(guess(true, "hunter2").len(), 1);
    assert_eq!(options(&guess(true, "hunter3")), ["password"]);
    for violation in guess(true, "hunter3") {
        assert!(!format!("{violation:?}").contains("hunter"), "{violation:?}");
    }
}

#[test]
fn an_evaluation_leaves_the_debug_text_of_options_empty() {
    let text = format!("{:?}", change(None, Some(server("foo", &[("password", "hunter2"), ("host", "hunter2")]))));
    assert!(!text.contains("hunter2"));
}

#[test]
fn the_packs_refuse_a_bad_option_and_let_a_good_one_pass() {
    let pack = crate::packs::packs().iter().find(|pack| pack.name == "postgres_fdw").unwrap();
    for major in 15..=18 {
        let policy = policy(pack.rules(major));
        let alter =
            |options: &[(&str, &str)]| violations(&policy, Some(server("foo", &[])), Some(server("foo", options)));
        assert!(alter(&[("sslmode", "verify-full"), ("port", "5432"), ("fetch_size", "100")]).is_empty());
        assert_eq!(options(&alter(&[("sslmode", "bogus"), ("port", "notaport")])).len(), 2);
    }
}

mod properties {
    use super::*;
    use crate::schema::{CompiledSchema, Shape};
    use proptest::prelude::*;

    const NAMES: [&str; 4] = ["a", "b", "password", "x_token"];

    fn some_options() -> impl Strategy<Value = Vec<(&'static str, String)>> {
        prop::collection::btree_map(prop::sample::select(&NAMES[..]), "[xyz]{0,2}", 0..4)
            .prop_map(|options| options.into_iter().collect())
    }

    fn situation(object_type: usize, options: &[(&'static str, String)]) -> Situation {
        let options: Vec<(&str, &str)> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match object_type {
            0 => server("foo", &options),
            1 => mapping("bob", "foo", &options),
            2 => table("t", &options),
            _ => column("c", &options),
        }
    }

    fn constraint() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            Just(json!(false)),
            Just(json!({"type": "integer", "minimum": 3})),
            Just(json!({"type": "boolean"})),
            Just(json!({"pattern": "^z+$"})),
            Just(json!({"enum": ["x", "yy"], "default": "x"})),
            Just(json!({"const": "zz"})),
            Just(json!({"minLength": 2, "maxLength": 5})),
            Just(json!({"format": "ipv4"})),
            Just(json!({"readOnly": true})),
            Just(json!({"deprecated": true, "writeOnly": true})),
            Just(json!({"not": {"const": "x"}})),
            Just(json!({"anyOf": [{"const": "x"}, {"pattern": "y"}]})),
            Just(json!({"oneOf": [{"minLength": 1}, {"pattern": "y"}]})),
        ]
    }

    fn schema() -> impl Strategy<Value = serde_json::Value> {
        let properties = prop::collection::btree_map(prop::sample::select(&NAMES[..]), constraint(), 0..4);
        let required = prop::collection::btree_set(prop::sample::select(&NAMES[..]), 0..3);
        let more = prop_oneof![
            Just(json!({})),
            Just(json!({"additionalProperties": false})),
            Just(json!({"patternProperties": {"p": false}, "unevaluatedProperties": false})),
            Just(json!({"allOf": [{"additionalProperties": false}, {"not": {"minProperties": 2}}]})),
            Just(json!({"if": {"required": ["a"]}, "then": false})),
            Just(json!({"propertyNames": false})),
            Just(json!({"propertyNames": {"maxLength": 3}})),
            Just(json!({"maxProperties": 1})),
            Just(json!({"not": {"required": ["password"]}})),
            Just(json!({"dependentRequired": {"a": ["b"]}})),
        ];
        (properties, required, more).prop_map(|(properties, required, mut schema)| {
            schema["properties"] = json!(properties);
            schema["required"] = json!(required);
            schema
        })
    }

    fn of_type(object_type: usize) -> ObjectType {
        [ObjectType::Server, ObjectType::UserMapping, ObjectType::ForeignTable, ObjectType::ForeignTableColumn]
            [object_type]
    }

    /// A value that occurs in nothing but the value itself.
    const SECRET: &str = "QJXKVW";

    proptest! {
        #[test]
        fn no_value_of_a_secret_is_in_any_text(
            schema in schema(),
            old in some_options(),
            new in some_options(),
            object_type in 0usize..4,
            trusted: bool,
            own_texts: bool,
        ) {
            let text = schema.to_string();
            let mut rule = Rule::new("r", of_type(object_type));
            rule.options = Some(text);
            rule.trusted = trusted;
            rule.forms = vec![Form::Create, Form::Options, Form::Drop];
            rule.message = own_texts.then(|| "not so".to_owned());
            let policy = policy([rule]);
            let marked = |options: Vec<(&'static str, String)>| -> Vec<(&'static str, String)> {
                options.into_iter().map(|(name, value)| (name, format!("{SECRET}{value}"))).collect()
            };
            let (old, new) = (situation(object_type, &marked(old)), situation(object_type, &marked(new)));
            let secrecy = policy.secrecy(&new);
            let found = violations(&policy, Some(old.clone()), Some(new.clone()));
            for violation in &found {
                let is_secret = violation.option.as_deref().is_none_or(|option| secrecy.is_secret(option));
                prop_assert!(!is_secret || !format!("{violation:?}").contains(SECRET), "{violation:?}");
            }
            let secrets: Vec<_> = found.into_iter().filter(|violation| {
                violation.option.as_deref().is_none_or(|option| secrecy.is_secret(option))
            }).collect();
            let report = format!("{:?}", report(&secrets));
            prop_assert!(!report.contains(SECRET), "{report}");
            for (name, value) in new.object.options.iter().filter(|(name, _)| secrecy.is_secret(name)) {
                prop_assert_eq!(secrecy.show(name, value).to_string(), "***");
            }
        }

        #[test]
        fn whatever_does_not_satisfy_a_schema_has_a_fault(schema in schema(), options in some_options()) {
            let compiled = CompiledSchema::compile(&schema.to_string(), Shape::Options).unwrap();
            let document: serde_json::Map<String, serde_json::Value> =
                options.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let document = serde_json::Value::Object(document);
            prop_assert_eq!(compiled.is_satisfied_by(&document), compiled.faults(&document).is_empty());
        }

        /// Of the schema too: a superuser's rule may compare a secret with constants.
        #[test]
        fn no_constant_that_a_secret_is_compared_with_is_in_any_text(value in "[xyz]{0,3}", object_type in 0usize..4) {
            let constraints = [
                json!({"const": SECRET, "default": SECRET}),
                json!({"enum": [SECRET], "examples": [SECRET]}),
                json!({"pattern": SECRET}),
                json!({"not": {"const": value}, "default": SECRET}),
                json!({"anyOf": [{"const": SECRET}]}),
            ];
            for constraint in constraints {
                let mut rule = Rule::new("r", of_type(object_type));
                rule.options = Some(json!({"properties": {"password": constraint}}).to_string());
                rule.trusted = true;
                let found = violations(&policy([rule]), None, Some(situation(object_type, &[("password", value.clone())])));
                prop_assert_eq!(found.len(), 1);
                prop_assert!(!format!("{found:?}").contains(SECRET), "{:?}", found);
            }
        }

        /// Against a model: each option alone is bad or not, before and after; one that is set anew must be good.
        #[test]
        fn what_is_introduced_is_bad_now_and_was_not_bad_before_or_is_set_anew(
            allowed in prop::collection::btree_map(prop::sample::select(&NAMES[..2]), "[xyz]{0,1}", 0..3),
            required in prop::collection::btree_set(prop::sample::select(&NAMES[..2]), 0..3),
            old in prop::option::of(some_options()),
            new in some_options(),
            strict: bool,
            trusted: bool,
        ) {
            let mut rule = Rule::new("r", ObjectType::Server);
            let properties: serde_json::Map<String, serde_json::Value> =
                allowed.iter().map(|(name, value)| ((*name).to_owned(), json!({"const": value}))).collect();
            rule.options = Some(json!({"properties": properties, "required": required}).to_string());
            rule.strict = strict;
            rule.trusted = trusted;
            let is_bad = |options: &[(&str, String)], name: &str| {
                let value = options.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
                match value {
                    Some(value) => allowed.get(name).is_some_and(|allowed| allowed != value),
                    None => required.contains(name),
                }
            };
            let value_in = |options: &[(&str, String)], name: &str| {
                options.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
            };
            let is_set_anew = |name: &str| {
                let value = value_in(&new, name);
                value.is_some() && value != old.as_ref().and_then(|old| value_in(old, name))
            };
            let wanted: BTreeSet<&str> = NAMES[..2]
                .iter()
                .copied()
                .filter(|name| is_bad(&new, name))
                .filter(|name| {
                    strict || is_set_anew(name) || !old.as_ref().is_some_and(|old| is_bad(old, name))
                })
                .collect();
            let old = old.as_ref().map(|old| situation(0, old));
            let found = violations(&policy([rule]), old, Some(situation(0, &new)));
            prop_assert_eq!(options(&found).into_iter().collect::<BTreeSet<_>>(), wanted);
        }

        /// What one may not know changes nothing but by its length.
        #[test]
        fn values_of_the_same_length_look_the_same_to_rules_that_may_not_know_them(
            schema in schema(),
            values in "[xyz]{0,4}".prop_flat_map(|value| {
                let length = value.chars().count();
                (Just(value), prop::string::string_regex(&format!("[0-9a-z]{{{length}}}")).unwrap())
            }),
            object_type in 0usize..4,
        ) {
            let mut rule = Rule::new("r", of_type(object_type));
            rule.options = Some(schema.to_string());
            let policy = policy([rule]);
            let with = |value: &str| {
                violations(&policy, None, Some(situation(object_type, &[("password", value.to_owned())])))
            };
            prop_assert_eq!(with(&values.0), with(&values.1));
        }
    }

    #[test]
    fn an_option_value_prints_nothing() {
        assert_eq!(format!("{:?}", OptionValue::from(SECRET)), "***");
    }
}

#[test]
fn a_rename_takes_no_server_out_of_a_rule_that_binds_it() {
    let named = |name: &str| server(name, &[("host", "h")]);
    let message = |rule: Rule, old: &str, new: &str| {
        let found = violations(&policy([rule]), Some(named(old)), Some(named(new)));
        found.into_iter().map(|violation| violation.message).collect::<Vec<_>>()
    };
    let on = |more: serde_json::Value| {
        let mut fields = json!({"name": "r", "object_type": "server", "server": ["prod*"]});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule(fields)
    };
    let forms = || on(json!({"forms": ["VERSION"]}));
    let read_only = || on(json!({"options": {"properties": {"host": {"type": "string", "readOnly": true}}}}));
    let values = || on(json!({"options": {"properties": {"host": {"type": "string"}}}}));
    let left = ["rule \"r\" would no longer bind server \"prod1\""];
    assert_eq!(message(forms(), "prod1", "test"), left);
    assert_eq!(message(read_only(), "prod1", "test"), left);
    assert_eq!(message(values(), "prod1", "test"), left);
    for (rule, old, new) in [
        (values(), "prod1", "prod2"),
        (forms(), "prod1", "prod2"),
        (forms(), "test", "prod1"),
        (on(json!({"forms": ["VERSION"], "condition": {"required": ["user_mapping"]}})), "prod1", "test"),
    ] {
        assert_eq!(message(rule, old, new), Vec::<String>::new());
    }
    assert_eq!(message(on(json!({"forms": ["RENAME TO"]})), "prod1", "test").len(), 1);
}

#[test]
fn what_is_secret_is_common_unless_a_rule_on_secrecy_tells_objects_apart() {
    let of = |fields: serde_json::Value| {
        let mut whole = json!({"name": "r", "object_type": "foreign table"});
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        rule(whole)
    };
    let (secret, other) = (json!({"properties": {"pin": {"writeOnly": true}}}), json!({"required": ["pin"]}));
    let condition = json!({"properties": {"foreign_table": {"required": ["name"]}}});
    let common = [
        of(json!({"options": secret})),
        of(json!({"options": secret, "server": ["f*"], "wrapper": ["postgres_fdw"]})),
        of(json!({"options": other, "relation": ["t"]})),
        of(json!({"options": secret, "relation": ["t"], "mode": "off"})),
        of(json!({"options": secret, "condition": condition})),
        of(json!({"options": secret, "object_type": "user mapping", "role": ["bob"]})),
        Rule { trusted: true, ..of(json!({"options": other, "condition": condition})) },
    ];
    for rule in common {
        let (text, policy) = (format!("{rule:?}"), policy([rule]));
        let found = policy.common_secrecy(&table("t", &[])).unwrap_or_else(|| panic!("{text}"));
        for name in ["t", "u"] {
            let own = policy.secrecy(&table(name, &[]));
            assert_eq!(found.is_secret("pin"), own.is_secret("pin"), "{text}");
        }
    }
    let apart = [
        of(json!({"options": secret, "relation": ["t"]})),
        of(json!({"options": {"patternProperties": {"^p": {"writeOnly": true}}}, "relation": ["!u"]})),
        Rule { trusted: true, ..of(json!({"options": secret, "condition": condition})) },
    ];
    for rule in apart {
        assert!(policy([rule.clone()]).common_secrecy(&table("t", &[])).is_none(), "{rule:?}");
    }
}
