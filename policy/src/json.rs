//! JSON text to a value, refusing what other readers let pass: a duplicate key, of which one would silently win.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Most bytes that a schema may have.
pub const LARGEST_SCHEMA: usize = 64 * 1024;

/// What is wrong with a JSON text. It names a place and never what stands there.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum JsonError {
    #[error("the text is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("duplicate key at line {line}, column {column}")]
    DuplicateKey { line: usize, column: usize },
    #[error("nested too deep at line {line}, column {column}")]
    TooDeep { line: usize, column: usize },
    #[error("invalid JSON at line {line}, column {column}")]
    Syntax { line: usize, column: usize },
    #[error("the text ends before the JSON value does")]
    Incomplete,
}

/// Parses a text of at most `limit` bytes.
pub fn parse(text: &str, limit: usize) -> Result<Value, JsonError> {
    if text.len() > limit {
        return Err(JsonError::TooLarge { limit });
    }
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| explain(&error))
}

/// The word by which our own complaint is told from serde_json's, whose kinds are not public.
const DUPLICATE: &str = "duplicate key";

fn explain(error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => JsonError::Incomplete,
        serde_json::error::Category::Data if error.to_string().starts_with(DUPLICATE) => {
            JsonError::DuplicateKey { line, column }
        }
        _ if error.to_string().starts_with("recursion limit") => JsonError::TooDeep { line, column },
        _ => JsonError::Syntax { line, column },
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> DeserializeSeed<'de> for StrictVisitor {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(StrictVisitor)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(DUPLICATE));
            }
            let value = entries.next_value_seed(StrictVisitor)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A JSON pointer one step longer.
pub(crate) fn step(pointer: &str, segment: &str) -> String {
    format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"))
}

/// The steps of a JSON pointer.
pub(crate) fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> JsonError {
        parse(text, LARGEST_SCHEMA).unwrap_err()
    }

    #[test]
    fn errors_name_a_place_and_no_content() {
        assert_eq!(refused("{\"a\": 1,\n \"b\": 2, \"a\": 3}").to_string(), "duplicate key at line 2, column 12");
        assert_eq!(refused("[hunter2]"), JsonError::Syntax { line: 1, column: 2 });
        assert_eq!(refused("{\"a\": "), JsonError::Incomplete);
        assert_eq!(refused(""), JsonError::Incomplete);
        assert_eq!(refused("1 2"), JsonError::Syntax { line: 1, column: 3 });
        assert!(matches!(refused("{\"x\": {\"hunter2\": 1, \"hunter2\": 1}}"), JsonError::DuplicateKey { .. }));
    }

    #[test]
    fn large_and_deep_texts_are_refused_at_once() {
        assert_eq!(refused(&" ".repeat(LARGEST_SCHEMA + 1)), JsonError::TooLarge { limit: LARGEST_SCHEMA });
        assert!(matches!(refused(&"[".repeat(60_000)), JsonError::TooDeep { .. }));
        assert!(parse(&format!("{}{}", "[".repeat(100), "]".repeat(100)), LARGEST_SCHEMA).is_ok());
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_as_it_reads_it(text in "[\\[\\]{}\",:0-9a-c. -]{0,30}") {
            if let Ok(value) = parse(&text, LARGEST_SCHEMA) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }

        #[test]
        fn pointers_come_apart_as_they_were_put_together(path in prop::collection::vec("[a~/01]{0,4}", 0..4)) {
            let pointer = path.iter().fold(String::new(), |pointer, segment| step(&pointer, segment));
            prop_assert_eq!(steps(&pointer), path);
        }
    }
}
