//! Whether a rule says nothing that another does not say as well. Only what is certain is said.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::contradiction::compared;
use crate::entry::{Compiled, Entry};
use crate::matcher::Matcher;
use crate::reading::ValueType;
use crate::rule::Rule;
use crate::schema::CompiledSchema;
use crate::survey::Survey;

/// How much of a rule another says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shadow {
    /// Whatever raises a violation of it raises one of the other too.
    Whole,
    /// Whatever object violates it violates the other too. That a change brings an object to it, by a name or by a
    /// condition, only it says.
    OfStates,
}

/// A rule that may throw a shadow or stand in one, with its schemas taken apart.
pub(crate) struct Body<'e> {
    entry: &'e Entry,
    matcher: &'e Matcher,
    compiled: &'e Compiled,
    condition: Value,
    options: Value,
    demands: Option<BTreeSet<String>>,
}

impl<'e> Body<'e> {
    /// None for a rule that is not valid.
    pub(crate) fn of(entry: &'e Entry) -> Option<Self> {
        let schema = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let options = schema(&entry.rule.options).unwrap_or(Value::Null);
        Some(Self {
            entry,
            matcher: entry.matcher()?,
            compiled: entry.compiled().ok()?,
            condition: schema(&entry.rule.condition).unwrap_or(Value::Null),
            demands: demands(&options),
            options: plain(&options),
        })
    }

    pub(crate) fn rule(&self) -> &'e Rule {
        &self.entry.rule
    }

    /// The shadow that the rule throws on another one.
    pub(crate) fn shadow_on(&self, other: &Self) -> Option<Shadow> {
        if !other.says_anything() || !self.weighs_as_much_as(other) || !self.matcher.covers(other.matcher) {
            return None;
        }
        let same_condition = self.condition == other.condition;
        let same_options = self.options == other.options;
        let same_matches = same_condition && other.matcher.covers(self.matcher);
        let has_all_forms = other.entry.rule.forms.iter().all(|form| self.entry.rule.forms.contains(form));
        if same_matches && same_options && has_all_forms {
            return Some(Shadow::Whole);
        }
        let covers = self.condition.is_null() || same_condition;
        let says = same_options || self.implies(other);
        (covers && says && other.is_about_states_only()).then_some(Shadow::OfStates)
    }

    /// A rule of a pack may have nothing to say in one version.
    fn says_anything(&self) -> bool {
        !self.entry.rule.forms.is_empty() || self.demands.as_ref().is_none_or(|demands| !demands.is_empty())
    }

    /// Whether it binds whomever the other binds, as hard, and is as much trusted.
    fn weighs_as_much_as(&self, other: &Self) -> bool {
        let (own, others) = (&self.entry.rule, &other.entry.rule);
        own.object_type == others.object_type
            && asks_as_much(own.max_age.as_ref(), others.max_age.as_ref())
            && asks_as_much(own.reuse_history.as_ref(), others.reuse_history.as_ref())
            && own.trusted == others.trusted
            && own.mode <= others.mode
            && (own.strict || !others.strict)
            && includes_roles(&own.roles, &others.roles)
            && own.except_roles.iter().all(|role| others.except_roles.contains(role))
    }

    /// Whether options that satisfy it satisfy the other too: because the other's single demands are among its own, and both
    /// read the options alike.
    fn implies(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (&self.compiled.options, &other.compiled.options) else { return false };
        let (own, others) = (own.survey(), others.survey());
        let type_of = |survey: &Survey, path| survey.types.get(path).copied().unwrap_or(ValueType::String);
        let reads_alike = if others.looks_at_unnamed {
            own.types == others.types
        } else {
            others.named.keys().all(|path| type_of(own, path) == type_of(others, path))
        };
        let demands = self.demands.as_ref().zip(other.demands.as_ref());
        reads_alike
            && demands
                .is_some_and(|(own, others)| others.iter().all(|demand| own.contains(demand) || follows(demand, own)))
    }

    /// Whether only what an object is can violate it, and no change of it.
    fn is_about_states_only(&self) -> bool {
        let survey = self.compiled.options.as_ref().map(CompiledSchema::survey);
        let says_of_changes =
            |survey: &Survey| survey.annotations.values().any(|said| said.read_only || said.deprecated);
        let rule = &self.entry.rule;
        rule.forms.is_empty() && !rule.remembers() && survey.is_some_and(|survey| !says_of_changes(survey))
    }
}

/// Whether it asks the same of the past of secrets, or the other asks nothing.
fn asks_as_much<T: PartialEq>(own: Option<&T>, others: Option<&T>) -> bool {
    others.is_none() || own == others
}

/// No role in the list means every role.
fn includes_roles(wide: &[String], narrow: &[String]) -> bool {
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|role| wide.contains(role)))
}

/// Keywords that say nothing of what satisfies a schema, nor of changes.
const WORDS: [&str; 6] = ["$schema", "$comment", "title", "description", "default", "examples"];

/// The schema without its words.
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => {
            let said = keywords.iter().filter(|(keyword, _)| !WORDS.contains(&keyword.as_str()));
            Value::Object(said.map(|(keyword, value)| (keyword.clone(), plain_keyword(keyword, value))).collect())
        }
        other => other.clone(),
    }
}

/// Of the keywords that hold schemas by name, the names are not keywords.
fn plain_keyword(keyword: &str, value: &Value) -> Value {
    match (keyword, value) {
        ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
            Value::Object(schemas.iter().map(|(name, schema)| (name.clone(), plain(schema))).collect())
        }
        (_, value) => value.clone(),
    }
}

/// The single demands of a schema, all of which must be met; None for one that refers to definitions.
fn demands(schema: &Value) -> Option<BTreeSet<String>> {
    let keywords = schema.as_object().filter(|keywords| !keywords.contains_key("$defs"))?;
    let mut demands = BTreeSet::new();
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("required", Value::Array(names)) => {
                demands.extend(names.iter().map(|name| json!(["required", name]).to_string()));
            }
            ("properties", Value::Object(schemas)) => {
                demands.extend(schemas.iter().flat_map(|(name, schema)| demands_on(name, schema)));
            }
            ("type", _) => {}
            (keyword, _) if WORDS.contains(&keyword) => {}
            // What these say depends on what stands beside them.
            ("additionalProperties" | "unevaluatedProperties" | "if" | "then" | "else", _) => {
                demands.insert(plain(schema).to_string());
            }
            _ => drop(demands.insert(json!([keyword, value]).to_string())),
        }
    }
    Some(demands)
}

fn demands_on(name: &str, schema: &Value) -> Vec<String> {
    let Value::Object(keywords) = plain(schema) else { return vec![json!(["properties", name, schema]).to_string()] };
    let (alternatives, others): (Map<String, Value>, Map<String, Value>) =
        keywords.into_iter().partition(|(keyword, _)| ["if", "then", "else"].contains(&keyword.as_str()));
    // A value of any other type has another meaning, and every value is a string.
    let said = others.iter().filter(|(keyword, value)| !(*keyword == "type" && *value == "string"));
    let mut demands: Vec<String> =
        said.map(|(keyword, value)| json!(["properties", name, keyword, value]).to_string()).collect();
    demands.extend((!alternatives.is_empty()).then(|| json!(["properties", name, alternatives]).to_string()));
    demands
}

/// Whether a demand on one option's value follows from a stricter one on the same: a nearer limit, or fewer values.
fn follows(demand: &str, from: &BTreeSet<String>) -> bool {
    let Some((option, keyword, value)) = demand_on_value(demand) else { return false };
    from.iter().filter_map(|own| demand_on_value(own)).any(|(of, stricter, own)| {
        of == option
            && match (keyword.as_str(), stricter.as_str()) {
                ("maximum" | "exclusiveMaximum", "exclusiveMaximum") | ("maximum", "maximum") => {
                    compared(&own, &value).is_some_and(|(own, value)| own <= value)
                }
                ("exclusiveMaximum", "maximum") => compared(&own, &value).is_some_and(|(own, value)| own < value),
                ("minimum" | "exclusiveMinimum", "exclusiveMinimum") | ("minimum", "minimum") => {
                    compared(&own, &value).is_some_and(|(own, value)| own >= value)
                }
                ("exclusiveMinimum", "minimum") => compared(&own, &value).is_some_and(|(own, value)| own > value),
                ("maxLength", "maxLength") => own.as_u64().zip(value.as_u64()).is_some_and(|(own, value)| own <= value),
                ("minLength", "minLength") => own.as_u64().zip(value.as_u64()).is_some_and(|(own, value)| own >= value),
                ("enum", "enum") => value
                    .as_array()
                    .zip(own.as_array())
                    .is_some_and(|(all, few)| few.iter().all(|one| all.contains(one))),
                ("enum", "const") => value.as_array().is_some_and(|all| all.contains(&own)),
                _ => false,
            }
    })
}

/// The option, the keyword and its value.
fn demand_on_value(demand: &str) -> Option<(String, String, Value)> {
    let (kind, option, keyword, value): (String, String, String, Value) = serde_json::from_str(demand).ok()?;
    (kind == "properties").then_some((option, keyword, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::Change;
    use crate::form::forms_between;
    use crate::model::Situation;
    use crate::policy::Policy;
    use crate::secret::SecretOptions;
    use crate::standing::Asked;
    use crate::testing::{Ordinary, server};

    fn entry(fields: &Value) -> Entry {
        let mut rule = json!({"name": "r", "object_type": "server"});
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Entry::new(Rule { trusted: true, ..Rule::from_value(rule).unwrap() })
    }

    fn between(wide: &Value, narrow: &Value) -> Option<Shadow> {
        shadow(&entry(wide), &entry(narrow))
    }

    fn shadow(wide: &Entry, narrow: &Entry) -> Option<Shadow> {
        Body::of(wide).unwrap().shadow_on(&Body::of(narrow).unwrap())
    }

    #[test]
    fn the_same_or_a_wider_rule_throws_a_shadow() {
        let tls = || json!({"options": {"required": ["sslmode"]}});
        let with = |more: Value| {
            let mut rule = tls();
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        let number = |data_type: &str, keyword: &str, limit: u64| json!({"options": {"properties": {"a": {"type": data_type, keyword: limit}}}});
        let values = |values: &[&str]| json!({"options": {"properties": {"a": {"enum": values}}}});
        let whole = Some(Shadow::Whole);
        let states = Some(Shadow::OfStates);
        let cases = [
            (tls(), tls(), whole),
            (tls(), with(json!({"options": {"required": ["sslmode"], "description": "x"}})), whole),
            (tls(), with(json!({"mode": "warn"})), whole),
            (with(json!({"mode": "warn"})), tls(), None),
            (tls(), with(json!({"server": ["a*"]})), states),
            (with(json!({"server": ["a*"]})), tls(), None),
            (with(json!({"server": ["!a"]})), with(json!({"server": ["b", "!a*"]})), states),
            (tls(), with(json!({"server": ["a*"], "forms": ["DROP"]})), None),
            (with(json!({"forms": ["DROP"]})), with(json!({"forms": ["DROP"]})), whole),
            (tls(), with(json!({"condition": {"required": ["server"]}})), states),
            (with(json!({"condition": {"required": ["server"]}})), tls(), None),
            (tls(), with(json!({"roles": ["x"]})), whole),
            (with(json!({"roles": ["x"]})), tls(), None),
            (with(json!({"except_roles": ["x"]})), tls(), None),
            (tls(), with(json!({"strict": true})), None),
            (json!({"options": {"required": ["a", "b"]}}), json!({"options": {"required": ["a"]}}), states),
            (json!({"options": {"required": ["a"]}}), json!({"options": {"required": ["a", "b"]}}), None),
            (
                json!({"options": {"properties": {"a": {"minLength": 2, "maxLength": 3}}}}),
                json!({"options": {"properties": {"a": {"type": "string", "maxLength": 3}}}}),
                states,
            ),
            (
                json!({"options": {"properties": {"a": {"type": "integer", "minimum": 2}}}}),
                json!({"options": {"properties": {"a": {"type": "number", "minimum": 2}}}}),
                None,
            ),
            (number("integer", "maximum", 10), number("integer", "maximum", 20), states),
            (number("integer", "maximum", 20), number("integer", "maximum", 10), None),
            (number("integer", "maximum", 10), number("number", "maximum", 20), None),
            (number("number", "exclusiveMinimum", 3), number("number", "minimum", 3), states),
            (number("number", "minimum", 3), number("number", "exclusiveMinimum", 3), None),
            (number("number", "minimum", 4), number("number", "exclusiveMinimum", 3), states),
            (number("number", "minimum", 4), number("number", "maximum", 5), None),
            (number("string", "maxLength", 3), number("string", "maxLength", 4), states),
            (number("string", "minLength", 3), number("string", "minLength", 4), None),
            (values(&["x", "y"]), values(&["x", "y", "z"]), states),
            (values(&["x", "y", "z"]), values(&["x", "y"]), None),
            (json!({"options": {"properties": {"a": {"const": "x"}}}}), values(&["x", "y"]), states),
            (json!({"options": {"properties": {"b": {"const": "x"}}}}), values(&["x", "y"]), None),
            (
                json!({"options": {"properties": {"a": true}, "additionalProperties": false}}),
                json!({"options": {"additionalProperties": false}}),
                None,
            ),
            (
                json!({"options": {"properties": {"a": {"readOnly": true}}, "required": ["a"]}}),
                json!({"options": {"properties": {"a": {"readOnly": true}}}}),
                None,
            ),
        ];
        for (wide, narrow, wanted) in cases {
            assert_eq!(between(&wide, &narrow), wanted, "{wide} {narrow}");
        }
    }

    #[test]
    fn what_a_role_may_not_know_is_another_matter() {
        let rule = json!({"options": {"required": ["password"]}});
        let (trusted, mut other) = (entry(&rule), entry(&rule));
        other.rule.trusted = false;
        assert_eq!(shadow(&trusted, &other), None);
    }

    fn a_rule() -> impl Strategy<Value = Value> {
        let options = prop::sample::select(vec![
            json!({"required": ["a"]}),
            json!({"required": ["a", "b"]}),
            json!({"properties": {"a": {"enum": ["x", "y"]}}}),
            json!({"properties": {"a": {"enum": ["x", "y"], "minLength": 1}}, "required": ["b"]}),
            json!({"properties": {"a": {"type": "integer"}}}),
            json!({"properties": {"a": {"enum": ["x"]}}}),
            json!({"properties": {"a": {"const": "y"}}}),
            json!({"properties": {"a": {"type": "integer", "maximum": 12}}}),
            json!({"properties": {"a": {"type": "integer", "maximum": 11}}}),
            json!({"properties": {"a": {"type": "integer", "exclusiveMaximum": 12}}}),
            json!({"properties": {"a": {"type": "integer", "minimum": 12, "maximum": 13}}}),
            json!({"properties": {"a": {"type": "integer", "exclusiveMinimum": 12}}}),
            json!({"properties": {"a": {"maxLength": 1}}}),
            json!({"properties": {"a": {"maxLength": 0}}}),
            json!({"properties": {"a": {"readOnly": true}}}),
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"dependentRequired": {"a": ["b"]}, "required": ["b"]}),
            json!({"properties": {"a": true}, "additionalProperties": false}),
            json!({"maxProperties": 1}),
        ]);
        let server = prop::sample::select(vec!["*", "s*", "s1", "!s1"]);
        let condition = prop::sample::select(vec![
            Value::Null,
            json!({"properties": {"server": {"properties": {"name": {"const": "s1"}}}}}),
        ]);
        let forms = prop::sample::select(vec![json!([]), json!(["OPTIONS"]), json!(["OPTIONS", "RENAME TO"])]);
        let mode = prop::sample::select(vec!["deny", "warn"]);
        let roles = prop::sample::select(vec![json!([]), json!(["dba"]), json!(["other"])]);
        (options, server, condition, forms, mode, roles, any::<bool>()).prop_map(
            |(options, server, condition, forms, mode, roles, strict)| {
                json!({"options": options, "server": [server], "condition": condition, "forms": forms, "mode": mode, "roles": roles, "strict": strict})
            },
        )
    }

    fn a_server() -> impl Strategy<Value = Situation> {
        let value = || prop::option::of(prop::sample::select(vec!["x", "y", "12", ""]));
        (prop::sample::select(vec!["s1", "s2", "t"]), value(), value()).prop_map(|(name, a, b)| {
            let given: Vec<(&str, &str)> =
                [("a", a), ("b", b)].into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            server(name, &given)
        })
    }

    fn policy_of(rule: &Value) -> Policy {
        Policy::new(vec![entry(rule).rule], SecretOptions::default())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn what_is_shadowed_says_nothing_alone(wide in a_rule(), narrow in a_rule(), same: bool, old in a_server(), new in a_server()) {
            let mut narrow = narrow;
            if same {
                // Else rules that are alike would be rare.
                for field in ["options", "condition", "server"] {
                    narrow[field] = wide[field].clone();
                }
            }
            let Some(shadow) = between(&wide, &narrow) else { return Ok(()) };
            let (wide, narrow) = (policy_of(&wide), policy_of(&narrow));
            let stands = |policy: &Policy| policy.standing(Asked::All, &new, &Ordinary).len();
            prop_assert!(stands(&narrow) == 0 || stands(&wide) > 0);
            if shadow == Shadow::Whole {
                let forms = forms_between(Some(&old.object), Some(&new.object));
                let (old, new) = (Some(old.clone()), Some(new.clone()));
                let change = Change { old, new, forms, touched: true, written: Vec::new(), unseen: false };
                let (of_narrow, of_wide) = (narrow.evaluate(&change, &Ordinary), wide.evaluate(&change, &Ordinary));
                let worst = |found: &[crate::violation::Violation]| found.iter().map(|violation| violation.mode).min();
                prop_assert!(of_narrow.is_empty() || worst(&of_wide) <= worst(&of_narrow) && !of_wide.is_empty());
            }
        }
    }
}
