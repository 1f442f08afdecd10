//! Whether a schema can be satisfied at all. Only what is certain is said: what is not understood counts as satisfiable.
//!
//! Schemas that all apply to one place are looked at together. Of an object that is: what must be there against what may not
//! be, and the schemas of each key; of a value, the values that are left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::expression::Expressions;
use crate::suggest::quoted_list;

/// Steps after which nothing more is looked for.
const PATIENCE: usize = 20_000;

/// Integers up to which every one has a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What cannot be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contradictions {
    /// Why no document satisfies the schema.
    pub whole: Option<String>,
    /// Keys that a document may do without, and why it cannot have them. Those that are plainly forbidden are not here.
    pub keys: BTreeMap<String, String>,
}

/// What of a schema contradicts itself. `absent` are keys that no document has.
pub(crate) fn contradictions(root: &Value, absent: &BTreeSet<&str>) -> Contradictions {
    let mut search = Search { definitions: root.get("$defs").and_then(Value::as_object), left: PATIENCE };
    let mut object = search.object(&[root], absent);
    let whole = object.whole.take().or_else(|| search.branches(&[root], absent));
    let keys = if whole.is_some() { BTreeMap::new() } else { object.keys };
    Contradictions { whole, keys }
}

struct Search<'s> {
    definitions: Option<&'s Map<String, Value>>,
    left: usize,
}

/// Why something cannot be satisfied; None where it can, or nobody knows.
type Why = Option<String>;

/// Schemas that all apply to one place.
type All<'s> = Vec<&'s Value>;

impl<'s> Search<'s> {
    /// The schemas, and those that `allOf` and `$ref` add to them.
    fn flattened(&mut self, schemas: &[&'s Value]) -> All<'s> {
        let mut flat = Vec::new();
        let mut open: All<'s> = schemas.iter().rev().copied().collect();
        while let Some(schema) = open.pop().filter(|_| self.has_patience()) {
            flat.push(schema);
            open.extend(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
            let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
            open.extend(name.and_then(|name| self.definitions?.get(name)));
        }
        flat
    }

    fn has_patience(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// Why no object satisfies all the schemas, and keys that it cannot have; alternatives are not looked at.
    fn object(&mut self, schemas: &[&'s Value], absent: &BTreeSet<&str>) -> Contradictions {
        let all = self.flattened(schemas);
        let required = required(&all);
        let mut found = Contradictions { whole: counts(&all, &required), keys: BTreeMap::new() };
        for key in named(&all).union(&required) {
            let Some(why) = self.key(&all, key, absent) else { continue };
            match (required.contains(key), why) {
                (true, None) => {
                    found.whole = Some(format!("\"{key}\" is required, and cannot be there."));
                    return found;
                }
                (true, Some(why)) => {
                    found.whole = Some(format!("\"{key}\" is required, and {why}"));
                    return found;
                }
                (false, Some(why)) => drop(found.keys.insert((*key).to_owned(), why)),
                (false, None) => {}
            }
        }
        found
    }

    /// Whether the key cannot be there, and why if it is not plainly forbidden.
    fn key(&mut self, all: &[&'s Value], key: &'s str, absent: &BTreeSet<&str>) -> Option<Why> {
        let schemas = of_key(all, key);
        let is_forbidden = all.iter().any(|schema| excludes_key(schema, key)) || absent.contains(key);
        if is_forbidden || self.flattened(&schemas).iter().any(|schema| schema.as_bool() == Some(false)) {
            return Some(None);
        }
        if !all.iter().all(|schema| allows_name(schema, key)) {
            return Some(None);
        }
        let whole = self.object(&schemas, &BTreeSet::new()).whole;
        whole.or_else(|| self.value(&schemas)).or_else(|| self.branches(&schemas, &BTreeSet::new())).map(Some)
    }

    /// Why none of the alternatives can be satisfied together with the rest.
    fn branches(&mut self, schemas: &[&'s Value], absent: &BTreeSet<&str>) -> Why {
        let all = self.flattened(schemas);
        let alternatives = all.iter().flat_map(|schema| ["anyOf", "oneOf"].map(|keyword| schema.get(keyword)));
        let alternatives: Vec<&'s Vec<Value>> = alternatives.flatten().filter_map(Value::as_array).collect();
        let none = alternatives.into_iter().any(|branches| {
            let mut cannot = |branch: &'s Value| {
                let together: All<'s> = all.iter().copied().chain([branch]).collect();
                branch.as_bool() == Some(false)
                    || self.object(&together, absent).whole.is_some()
                    || self.value(&together).is_some()
            };
            branches.iter().all(&mut cannot) && self.left > 0
        });
        none.then(|| "none of the alternatives can be satisfied.".to_owned())
    }

    /// Why no value satisfies all the schemas.
    fn value(&mut self, schemas: &[&'s Value]) -> Why {
        let all = self.flattened(schemas);
        if all.iter().any(|schema| schema.as_bool() == Some(false)) {
            return Some("no value is allowed.".to_owned());
        }
        match candidates(&all) {
            Some(candidates) => {
                let fits = |value: &Value| all.iter().all(|schema| accepts(schema, value));
                (!candidates.iter().any(fits))
                    .then(|| "no value that the rule names satisfies the rest of it.".to_owned())
            }
            None => lengths(&all).or_else(|| bounds(&all)),
        }
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The keys that must be there, because they are named or others bring them along.
fn required<'s>(all: &[&'s Value]) -> BTreeSet<&'s str> {
    let mut required: BTreeSet<&str> = all.iter().flat_map(|schema| strings(schema.get("required"))).collect();
    let dependent = |key: &str| -> Vec<&'s str> {
        all.iter()
            .flat_map(|schema| strings(schema.get("dependentRequired").and_then(|names| names.get(key))))
            .collect()
    };
    let mut open: Vec<&str> = required.iter().copied().collect();
    while let Some(key) = open.pop() {
        open.extend(dependent(key).into_iter().filter(|name| required.insert(name)));
    }
    required
}

/// The keys that have a schema of their own.
fn named<'s>(all: &[&'s Value]) -> BTreeSet<&'s str> {
    let properties = all.iter().filter_map(|schema| schema.get("properties")?.as_object());
    properties.flat_map(Map::keys).map(String::as_str).collect()
}

/// The schemas that apply to the value of a key.
fn of_key<'s>(all: &[&'s Value], key: &str) -> All<'s> {
    let mut schemas = Vec::new();
    for schema in all {
        let named = schema.get("properties").and_then(|properties| properties.get(key));
        let patterns = schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
        let fitting: All<'s> = patterns.filter(|(pattern, _)| fits(pattern, key)).map(|(_, schema)| schema).collect();
        if named.is_none() && fitting.is_empty() {
            schemas.extend(schema.get("additionalProperties"));
        }
        schemas.extend(named.into_iter().chain(fitting));
    }
    schemas
}

/// Whether the text matches; an expression that does not compile would have been refused.
fn fits(pattern: &str, text: &str) -> bool {
    Expressions::default().compile(pattern).map_or(true, |expression| expression.is_match(text))
}

/// `{"not": {"required": ["x"]}}`.
fn excludes_key(schema: &Value, key: &str) -> bool {
    let not = schema.get("not").and_then(Value::as_object).filter(|not| not.len() == 1);
    let names: Vec<&str> = strings(not.and_then(|not| not.get("required"))).collect();
    names == [key]
}

fn allows_name(schema: &Value, key: &str) -> bool {
    schema.get("propertyNames").is_none_or(|names| accepts(names, &Value::from(key)))
}

/// Why the number of keys cannot be right.
fn counts(all: &[&Value], required: &BTreeSet<&str>) -> Why {
    let limit = |keyword: &'static str| all.iter().filter_map(move |schema| schema.get(keyword)?.as_u64());
    let (least, most) = (limit("minProperties").max(), limit("maxProperties").min()?);
    if let Some(least) = least.filter(|least| *least > most) {
        return Some(format!("minProperties {least} is more than maxProperties {most}."));
    }
    let names = quoted_list(required.iter().copied());
    let verb = if required.len() == 1 { "is" } else { "are" };
    (required.len() as u64 > most).then(|| format!("{names} {verb} required, and maxProperties is {most}."))
}

/// The only values that `const`, `enum` or the type leave.
fn candidates(all: &[&Value]) -> Option<Vec<Value>> {
    let lists = all.iter().filter_map(|schema| {
        let constant = schema.get("const").map(|value| vec![value.clone()]);
        constant.or_else(|| schema.get("enum")?.as_array().cloned())
    });
    let is_boolean = all.iter().any(|schema| schema.get("type").and_then(Value::as_str) == Some("boolean"));
    lists.min_by_key(Vec::len).or_else(|| is_boolean.then(|| vec![Value::from(true), Value::from(false)]))
}

/// Whether the value may satisfy the schema, as far as its own keywords are understood.
fn accepts(schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool() != Some(false) };
    keywords.iter().all(|(keyword, limit)| match keyword.as_str() {
        "const" => same(limit, value),
        "enum" => limit.as_array().is_none_or(|values| values.iter().any(|one| same(one, value))),
        "pattern" => limit.as_str().zip(value.as_str()).is_none_or(|(pattern, text)| fits(pattern, text)),
        "minLength" => measured(limit, value).is_none_or(|(limit, length)| length >= limit),
        "maxLength" => measured(limit, value).is_none_or(|(limit, length)| length <= limit),
        "minimum" => compared(limit, value).is_none_or(|(limit, number)| number >= limit),
        "maximum" => compared(limit, value).is_none_or(|(limit, number)| number <= limit),
        "exclusiveMinimum" => compared(limit, value).is_none_or(|(limit, number)| number > limit),
        "exclusiveMaximum" => compared(limit, value).is_none_or(|(limit, number)| number < limit),
        "not" => !certainly_is(limit, value),
        _ => true,
    })
}

/// Whether a schema of nothing but `const` or `enum` accepts the value.
fn certainly_is(schema: &Value, value: &Value) -> bool {
    let only = schema.as_object().filter(|keywords| keywords.len() == 1);
    let constant = only.and_then(|keywords| keywords.get("const"));
    let values = only.and_then(|keywords| keywords.get("enum")).and_then(Value::as_array);
    // Of numbers only what is written alike is certain.
    constant == Some(value) || values.is_some_and(|values| values.contains(value))
}

/// Whether two values may be the same: numbers are if no double tells them apart.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn measured(limit: &Value, value: &Value) -> Option<(u64, u64)> {
    Some((limit.as_u64()?, value.as_str()?.chars().count() as u64))
}

/// Both numbers, if doubles hold them as they stand.
pub(crate) fn compared(limit: &Value, value: &Value) -> Option<(f64, f64)> {
    Some((exact(limit)?, exact(value)?))
}

/// The number, if a double holds it as it stands.
fn exact(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.abs() < EXACT)
}

fn lengths(all: &[&Value]) -> Why {
    let limit = |keyword: &'static str| all.iter().filter_map(move |schema| schema.get(keyword)?.as_u64());
    let (least, most) = (limit("minLength").max()?, limit("maxLength").min()?);
    (least > most).then(|| format!("minLength {least} is more than maxLength {most}."))
}

/// A limit of numbers, and whether it is itself excluded.
type Bound = (f64, bool);

fn bounds(all: &[&Value]) -> Why {
    let numbers = |keyword: &'static str| all.iter().filter_map(move |schema| exact(schema.get(keyword)?));
    let of = |inclusive, exclusive| -> Vec<Bound> {
        numbers(inclusive).map(|limit| (limit, false)).chain(numbers(exclusive).map(|limit| (limit, true))).collect()
    };
    let is_integer = all.iter().any(|schema| schema.get("type").and_then(Value::as_str) == Some("integer"));
    let (lower, upper) = (of("minimum", "exclusiveMinimum"), of("maximum", "exclusiveMaximum"));
    lower.iter().find_map(|lower| upper.iter().find_map(|upper| gap(*lower, *upper, is_integer)))
}

/// Why no number lies between the two.
fn gap(lower: Bound, upper: Bound, is_integer: bool) -> Why {
    let is_empty = lower.0 > upper.0
        || (lower.0 == upper.0 && (lower.1 || upper.1))
        || (is_integer && {
            let first = if lower.1 { lower.0.floor() + 1.0 } else { lower.0.ceil() };
            let last = if upper.1 { upper.0.ceil() - 1.0 } else { upper.0.floor() };
            first > last
        });
    let number = if is_integer { "integer" } else { "number" };
    let name = |bound: Bound, inclusive, exclusive| if bound.1 { exclusive } else { inclusive };
    is_empty.then(|| {
        let (lower_name, upper_name) =
            (name(lower, "minimum", "exclusiveMinimum"), name(upper, "maximum", "exclusiveMaximum"));
        format!("no {number} lies between {lower_name} {} and {upper_name} {}.", lower.0, upper.0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::{CompiledSchema, Shape};

    fn found(schema: &Value) -> Contradictions {
        assert!(CompiledSchema::from_value(schema, Shape::Options).is_ok(), "{schema}");
        contradictions(schema, &BTreeSet::new())
    }

    #[test]
    fn what_contradicts_itself_is_found() {
        let required = |schema: Value| json!({"required": ["a"], "properties": {"a": schema}});
        let cases = [
            (required(json!(false)), "\"a\" is required, and cannot be there."),
            (json!({"required": ["a"], "not": {"required": ["a"]}}), "\"a\" is required, and cannot be there."),
            (json!({"required": ["a"], "additionalProperties": false}), "\"a\" is required, and cannot be there."),
            (
                json!({"required": ["ab"], "patternProperties": {"^a": false}}),
                "\"ab\" is required, and cannot be there.",
            ),
            (json!({"required": ["a"], "propertyNames": {"enum": ["b"]}}), "\"a\" is required, and cannot be there."),
            (
                json!({"required": ["a"], "dependentRequired": {"a": ["b"]}, "properties": {"b": false}}),
                "\"b\" is required, and cannot be there.",
            ),
            (json!({"required": ["a", "b"], "maxProperties": 1}), "\"a\", \"b\" are required, and maxProperties is 1."),
            (json!({"minProperties": 2, "maxProperties": 1}), "minProperties 2 is more than maxProperties 1."),
            (
                required(json!({"minLength": 3, "maxLength": 2})),
                "\"a\" is required, and minLength 3 is more than maxLength 2.",
            ),
            (
                required(json!({"type": "integer", "minimum": 5, "maximum": 3})),
                "\"a\" is required, and no integer lies between minimum 5 and maximum 3.",
            ),
            (
                required(json!({"type": "integer", "minimum": 1.2, "maximum": 1.8})),
                "\"a\" is required, and no integer lies between minimum 1.2 and maximum 1.8.",
            ),
            (
                required(json!({"type": "number", "minimum": 1, "exclusiveMaximum": 1})),
                "\"a\" is required, and no number lies between minimum 1 and exclusiveMaximum 1.",
            ),
            (
                required(json!({"const": "x", "enum": ["y"]})),
                "\"a\" is required, and no value that the rule names satisfies the rest of it.",
            ),
            (
                required(json!({"enum": ["x", "y"], "pattern": "^z"})),
                "\"a\" is required, and no value that the rule names satisfies the rest of it.",
            ),
            (
                required(json!({"const": "x", "not": {"const": "x"}})),
                "\"a\" is required, and no value that the rule names satisfies the rest of it.",
            ),
            (
                required(json!({"allOf": [{"const": "x"}, {"const": "y"}]})),
                "\"a\" is required, and no value that the rule names satisfies the rest of it.",
            ),
            (
                required(json!({"anyOf": [{"const": "x"}, {"const": "y"}], "minLength": 2})),
                "\"a\" is required, and none of the alternatives can be satisfied.",
            ),
            (
                json!({"required": ["a"], "oneOf": [{"properties": {"a": false}}, {"properties": {"a": {"minLength": 2, "maxLength": 1}}}]}),
                "none of the alternatives can be satisfied.",
            ),
            (
                json!({"allOf": [{"$ref": "#/$defs/x"}], "properties": {"a": false}, "$defs": {"x": {"required": ["a"]}}}),
                "\"a\" is required, and cannot be there.",
            ),
        ];
        for (schema, wanted) in cases {
            assert_eq!(found(&schema).whole.as_deref(), Some(wanted), "{schema}");
        }
    }

    #[test]
    fn an_option_that_no_value_satisfies_is_found_unless_it_is_forbidden() {
        let schema = json!({"properties": {"a": {"minLength": 3, "maxLength": 2}, "b": false, "c": {"minLength": 2}}});
        let found = found(&schema);
        assert_eq!(found.whole, None);
        assert_eq!(found.keys, [("a".to_owned(), "minLength 3 is more than maxLength 2.".to_owned())].into());
    }

    #[test]
    fn a_key_that_no_document_has_cannot_be_required() {
        let schema = json!({"required": ["user_mapping"]});
        assert!(contradictions(&schema, &BTreeSet::from(["user_mapping"])).whole.is_some());
        assert!(contradictions(&schema, &BTreeSet::from(["server"])).whole.is_none());
    }

    #[test]
    fn a_large_schema_takes_no_time() {
        let deep = (0..60).fold(json!({"required": ["a"]}), |inner, _| json!({"anyOf": [inner, {"required": ["b"]}]}));
        let wide = json!({"allOf": vec![deep; 50]});
        assert_eq!(contradictions(&wide, &BTreeSet::new()).whole, None);
    }

    fn value_schema() -> impl Strategy<Value = Value> {
        let text = prop::sample::select(vec![
            json!(false),
            json!(true),
            json!({"const": "x"}),
            json!({"enum": ["x", "yy"]}),
            json!({"minLength": 2}),
            json!({"maxLength": 1}),
            json!({"pattern": "^y"}),
            json!({"not": {"const": "x"}}),
        ]);
        let all = |schemas: Vec<Value>| json!({"allOf": schemas});
        let any = |schemas: Vec<Value>| json!({"anyOf": schemas});
        let texts = || prop::collection::vec(text.clone(), 1..4);
        let numbers = prop::collection::vec(
            prop::sample::select(vec![
                ("minimum", 1),
                ("maximum", 2),
                ("exclusiveMinimum", 1),
                ("exclusiveMaximum", 2),
                ("const", 1),
                ("minimum", 7),
            ]),
            1..4,
        );
        let number = numbers.prop_map(|limits| {
            let mut schema = json!({"type": "integer"});
            for (keyword, limit) in limits {
                schema[keyword] = json!(limit);
            }
            schema
        });
        prop_oneof![texts().prop_map(all), texts().prop_map(any), number]
    }

    fn schema() -> impl Strategy<Value = Value> {
        let names = || prop::collection::btree_set("[a-c]", 0..3);
        let object =
            (prop::collection::btree_map("[a-c]", value_schema(), 0..3), names(), names(), 0_u64..4, any::<bool>())
                .prop_map(|(properties, required, dependent, most, closed)| {
                    let mut schema =
                        json!({"properties": properties, "required": required, "dependentRequired": {"a": dependent}});
                    if closed {
                        schema["additionalProperties"] = json!(false);
                    }
                    if most < 3 {
                        schema["maxProperties"] = json!(most);
                    }
                    schema
                });
        let forbidding =
            prop::sample::select(vec!["a", "b", "c"]).prop_map(|name| json!({"not": {"required": [name]}}));
        let (object, forbidding) = (object.boxed(), forbidding.boxed());
        let one = || prop_oneof![3 => object.clone(), 1 => forbidding.clone()];
        (one(), one(), one(), any::<bool>())
            .prop_map(|(base, first, second, all)| {
                let keyword = if all { "allOf" } else { "oneOf" };
                json!({"allOf": [base], keyword: [first, second]})
            })
            .prop_filter("a key given twice", |schema| CompiledSchema::from_value(schema, Shape::Options).is_ok())
    }

    fn options() -> impl Strategy<Value = Value> {
        let value = prop::sample::select(vec!["x", "y", "yy", "", "1", "2", "7", "z"]);
        prop::collection::btree_map("[a-d]", value, 0..4).prop_map(|options| json!(options))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn nothing_satisfies_what_is_said_to_contradict_itself(schema in schema(), all in prop::collection::vec(options(), 8)) {
            let found = contradictions(&schema, &BTreeSet::new());
            let compiled = CompiledSchema::from_value(&schema, Shape::Options).unwrap();
            for options in all {
                let satisfied = compiled.faults(&options).is_empty();
                prop_assert!(!(satisfied && found.whole.is_some()), "{schema} {options} {found:?}");
                let has = found.keys.keys().any(|key| options.get(key).is_some());
                prop_assert!(!(satisfied && has), "{schema} {options} {found:?}");
            }
        }
    }
}
