//! A quick yes for the schemas that most rules have: constraints of single options, and which options must be there.
//!
//! It makes no document and no error. It says yes only where the validator would, and where it does not say yes the
//! validator decides, so that every fault is found and told in one way.

use serde_json::{Map, Value};

use crate::expression::Frequent;
use crate::model::Options;
use crate::reading::{ValueType, read};

/// Integers up to which every one has a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A schema of options that says nothing but what stands here.
#[derive(Debug)]
pub(crate) struct Quick {
    required: Vec<String>,
    /// If the first is there, so are the others.
    dependent: Vec<(String, Vec<String>)>,
    properties: Vec<Property>,
}

#[derive(Debug)]
struct Property {
    name: String,
    value_type: ValueType,
    tests: Vec<Test>,
}

/// What a value is held against: its text, and what that is read as unless it is a string.
#[derive(Debug)]
enum Test {
    Never,
    OneOf(Vec<Value>),
    NoneOf(Vec<Value>),
    AtLeast(f64),
    AtMost(f64),
    MoreThan(f64),
    LessThan(f64),
    NoShorterThan(usize),
    NoLongerThan(usize),
    Matches(Box<Frequent>),
}

impl Quick {
    /// `None` for a schema that says more. The schema has passed every check.
    pub(crate) fn new(schema: &Value) -> Option<Self> {
        let mut quick = Self { required: Vec::new(), dependent: Vec::new(), properties: Vec::new() };
        for (keyword, value) in schema.as_object()? {
            match keyword.as_str() {
                "required" => quick.required = names(value)?,
                "dependentRequired" => quick.dependent = dependent(value)?,
                "properties" => quick.properties = properties(value.as_object()?)?,
                "type" | "$schema" | "$comment" | "title" | "description" | "default" | "examples" => {}
                _ => return None,
            }
        }
        Some(quick)
    }

    /// Whether the options certainly satisfy the schema.
    pub(crate) fn accepts(&self, options: &Options) -> bool {
        let has = |name: &String| options.get(name).is_some();
        self.required.iter().all(has)
            && self.dependent.iter().all(|(name, others)| !has(name) || others.iter().all(has))
            && self
                .properties
                .iter()
                .all(|property| options.get(&property.name).is_none_or(|value| property.accepts(value.expose())))
    }
}

impl Property {
    fn new(name: &str, schema: &Value) -> Option<Self> {
        let of_type = |value_type, tests| Some(Self { name: name.to_owned(), value_type, tests });
        let keywords = match schema {
            Value::Bool(allowed) => {
                return of_type(ValueType::String, if *allowed { Vec::new() } else { vec![Test::Never] });
            }
            _ => schema.as_object()?,
        };
        let named = keywords.get("type").and_then(Value::as_str);
        let value_type = named.map_or(Some(ValueType::String), ValueType::from_name)?;
        of_type(value_type, tests(keywords, value_type)?)
    }

    fn accepts(&self, text: &str) -> bool {
        let value = (self.value_type != ValueType::String).then(|| read(text, self.value_type));
        value.as_ref().is_none_or(|value| self.value_type.holds(value))
            && self.tests.iter().all(|test| test.passes(text, value.as_ref()))
    }
}

impl Test {
    fn passes(&self, text: &str, value: Option<&Value>) -> bool {
        let is = |wanted: &Value| value.map_or_else(|| wanted.as_str() == Some(text), |value| value == wanted);
        let number = || value.and_then(Value::as_f64);
        match self {
            Self::Never => false,
            Self::OneOf(values) => values.iter().any(is),
            Self::NoneOf(values) => !values.iter().any(is),
            Self::AtLeast(limit) => number().is_some_and(|number| number >= *limit),
            Self::AtMost(limit) => number().is_some_and(|number| number <= *limit),
            Self::MoreThan(limit) => number().is_some_and(|number| number > *limit),
            Self::LessThan(limit) => number().is_some_and(|number| number < *limit),
            Self::NoShorterThan(length) => text.chars().nth(length.saturating_sub(1)).is_some() || *length == 0,
            Self::NoLongerThan(length) => text.chars().nth(*length).is_none(),
            Self::Matches(expression) => expression.is_match(text),
        }
    }
}

fn properties(schemas: &Map<String, Value>) -> Option<Vec<Property>> {
    schemas.iter().map(|(name, schema)| Property::new(name, schema)).collect()
}

fn tests(keywords: &Map<String, Value>, value_type: ValueType) -> Option<Vec<Test>> {
    let mut tests = Vec::new();
    for (keyword, value) in keywords {
        tests.push(match keyword.as_str() {
            "type" | "$comment" | "title" | "description" | "default" | "examples" => continue,
            "deprecated" | "readOnly" | "writeOnly" => continue,
            "enum" => Test::OneOf(value.as_array()?.clone()),
            "const" => Test::OneOf(vec![value.clone()]),
            // Of numbers, two that differ as JSON can be the same.
            "not" if value_type == ValueType::String => Test::NoneOf(excluded(value)?),
            "minimum" => Test::AtLeast(limit(value)?),
            "maximum" => Test::AtMost(limit(value)?),
            "exclusiveMinimum" => Test::MoreThan(limit(value)?),
            "exclusiveMaximum" => Test::LessThan(limit(value)?),
            "minLength" => Test::NoShorterThan(value.as_u64()?.try_into().ok()?),
            "maxLength" => Test::NoLongerThan(value.as_u64()?.try_into().ok()?),
            "pattern" => Test::Matches(Box::new(Frequent::new(value.as_str()?)?)),
            _ => return None,
        });
    }
    Some(tests)
}

/// The values of a schema that is one `const` or one `enum`.
fn excluded(schema: &Value) -> Option<Vec<Value>> {
    let keywords = schema.as_object().filter(|keywords| keywords.len() == 1)?;
    let constant = keywords.get("const").map(|value| vec![value.clone()]);
    constant.or_else(|| keywords.get("enum")?.as_array().cloned())
}

/// A limit that a double holds as it stands.
fn limit(value: &Value) -> Option<f64> {
    value.as_f64().filter(|limit| value.is_f64() || limit.abs() < EXACT)
}

fn names(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn dependent(value: &Value) -> Option<Vec<(String, Vec<String>)>> {
    value.as_object()?.iter().map(|(name, others)| Some((name.clone(), names(others)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Sight;
    use crate::model::ObjectType;
    use crate::schema::{CompiledSchema, Shape};
    use crate::testing::state;
    use proptest::prelude::*;
    use serde_json::json;

    /// Schemas of which quick and validator agree on every value.
    fn schemas() -> Vec<Value> {
        vec![
            json!({"required": ["a"]}),
            json!({"dependentRequired": {"a": ["b"], "b": []}}),
            json!({"properties": {"a": false, "b": true}}),
            json!({"properties": {"a": {"enum": ["on", "x", ""]}, "b": {"const": "12"}}}),
            json!({"properties": {"a": {"not": {"const": "on"}}, "b": {"not": {"enum": ["x", "12"]}}}}),
            json!({"properties": {"a": {"type": "boolean", "const": true}, "b": {"type": "boolean"}}}),
            json!({"properties": {"a": {"type": "integer", "minimum": 2, "maximum": 12.5}}}),
            json!({"properties": {"a": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 12}}}),
            json!({"properties": {"a": {"minLength": 2, "maxLength": 2}, "b": {"minLength": 0, "maxLength": 0}}}),
            json!({"properties": {"a": {"pattern": "^o"}, "b": {"type": "string", "pattern": "\\d$", "readOnly": true}}}),
        ]
    }

    fn value() -> impl Strategy<Value = Option<String>> {
        let known = ["", "on", "TRUE", "off", "x", "é", "éé", "12", "0x0c", "12.0", "12.5", "-1", "1e999", "2\n"];
        prop::option::of(prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), ".{0,3}"])
    }

    proptest! {
        #[test]
        fn quick_says_what_the_validator_says(a in value(), b in value()) {
            let given: Vec<(&str, &str)> =
                [("a", &a), ("b", &b)].into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            let server = state(ObjectType::Server, "s", &given);
            let document = Value::Object(Sight::Everything.options(&server));
            for schema in schemas() {
                let compiled = CompiledSchema::from_value(&schema, Shape::Options).unwrap();
                let quick = Quick::new(&schema).unwrap();
                prop_assert_eq!(quick.accepts(&server.options), compiled.faults(&document).is_empty(), "{}", schema);
            }
        }
    }

    #[test]
    fn what_says_more_is_left_to_the_validator() {
        let others = [
            json!(true),
            json!({"allOf": [{"required": ["a"]}]}),
            json!({"additionalProperties": false}),
            json!({"properties": {"a": {"format": "ipv4"}}}),
            json!({"properties": {"a": {"type": "integer", "multipleOf": 2}}}),
            json!({"properties": {"a": {"type": "integer", "not": {"const": 1}}}}),
            json!({"properties": {"a": {"not": {"pattern": "x"}}}}),
            json!({"properties": {"a": {"type": "number", "maximum": 9_007_199_254_740_993_u64}}}),
        ];
        for schema in others {
            assert!(Quick::new(&schema).is_none(), "{schema}");
        }
    }
}
