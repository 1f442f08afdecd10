//! The policy file: a JSON document with the element `rules`, and the JSON Schema that describes it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::field::{FIELDS, FieldKind, FieldRow};
use crate::form::FORMS;
use crate::json::{self, JsonError};
use crate::keyword::{KEYWORDS, Takes};
use crate::model::ObjectType;
use crate::rule::{MOST_FORMER_VALUES, Mode, Rule, RuleError};

/// Most bytes that a policy file may have.
pub const LARGEST_DOCUMENT: usize = 1024 * 1024;

/// Rules as a policy file holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub rules: Vec<Rule>,
}

/// What is wrong with a document. It names a place: whoever points the setting at a file of another kind learns
/// nothing of what is in it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DocumentError {
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("the document must be a JSON object with the element \"rules\", an array, and no other")]
    Shape,
    #[error("rule {number} must be a JSON object with the fields of a rule{suggestion}")]
    UnknownField { number: usize, suggestion: String },
    #[error("rule {number}: {error}")]
    Rule { number: usize, error: RuleError },
    #[error("rule {number}: name: an earlier rule has the same name")]
    SameName { number: usize },
}

impl Document {
    /// Parses a policy file of at most [`LARGEST_DOCUMENT`] bytes. The rules are read, and still to be checked.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let elements = elements(json::parse(text, LARGEST_DOCUMENT)?)?;
        let rules = (1..).zip(elements).map(|(number, element)| rule(number, element));
        let document = Self { rules: rules.collect::<Result<_, _>>()? };
        document.check_names()?;
        Ok(document)
    }

    fn check_names(&self) -> Result<(), DocumentError> {
        let mut seen = BTreeSet::new();
        match self.rules.iter().position(|rule| !seen.insert(&rule.name)) {
            Some(index) => Err(DocumentError::SameName { number: index + 1 }),
            None => Ok(()),
        }
    }
}

fn elements(document: Value) -> Result<Vec<Value>, DocumentError> {
    let Value::Object(mut document) = document else { return Err(DocumentError::Shape) };
    // Editors look for the schema that describes the document under this name.
    document.remove("$schema");
    match (document.remove("rules"), document.is_empty()) {
        (Some(Value::Array(rules)), true) => Ok(rules),
        _ => Err(DocumentError::Shape),
    }
}

fn rule(number: usize, element: Value) -> Result<Rule, DocumentError> {
    let mut fields = element.as_object().into_iter().flat_map(Map::keys);
    if let Some(unknown) = fields.find(|field| crate::field::find(field).is_none()) {
        let suggestion = crate::suggest::perhaps(unknown, FIELDS.iter().map(|row| row.name));
        return Err(DocumentError::UnknownField { number, suggestion });
    }
    match Rule::from_value(element) {
        Ok(rule) => Ok(Rule { trusted: true, ..rule }),
        Err(error) => Err(DocumentError::Rule { number, error }),
    }
}

/// The JSON Schema of a policy file, made from the tables by which one is read.
pub fn document_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy file of fdw_guard",
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}}
        },
        "required": ["rules"],
        "additionalProperties": false,
        "$defs": {"rule": rule_schema(), "schema": keywords_schema()}
    })
}

fn rule_schema() -> Value {
    let properties: Map<String, Value> = FIELDS.iter().map(|row| (row.name.to_owned(), field_schema(row))).collect();
    let required: Vec<&str> = FIELDS.iter().filter(|row| row.required).map(|row| row.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn field_schema(row: &FieldRow) -> Value {
    let mut schema = match row.kind {
        FieldKind::Text => json!({"type": "string"}),
        FieldKind::ObjectType => json!({"type": "string", "enum": ObjectType::ALL.map(ObjectType::name)}),
        FieldKind::Mode => json!({"type": "string", "enum": Mode::ALL.map(Mode::name), "default": "deny"}),
        FieldKind::AtUse => json!({"type": "string", "enum": ["off"], "default": "off"}),
        FieldKind::Boolean => json!({"type": "boolean", "default": false}),
        FieldKind::Count => json!({"type": "integer", "minimum": 1, "maximum": MOST_FORMER_VALUES}),
        FieldKind::Patterns(_) => {
            json!({"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "default": ["*"]})
        }
        FieldKind::Names => json!({"type": "array", "items": {"type": "string"}, "default": []}),
        FieldKind::Forms => {
            let names: Vec<&str> = FORMS.iter().map(|row| row.name).collect();
            json!({"type": "array", "items": {"enum": names}, "default": []})
        }
        FieldKind::Schema => json!({"type": "object", "$ref": "#/$defs/schema"}),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), Value::from(row.description));
    }
    schema
}

fn keywords_schema() -> Value {
    let properties: Map<String, Value> =
        KEYWORDS.iter().map(|row| (row.name.to_owned(), takes_schema(row.takes))).collect();
    json!({"type": ["object", "boolean"], "properties": properties, "additionalProperties": false})
}

fn takes_schema(takes: Takes) -> Value {
    let schema = json!({"$ref": "#/$defs/schema"});
    let names = json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true});
    match takes {
        Takes::Text | Takes::Pattern => json!({"type": "string"}),
        Takes::Draft => json!({"const": crate::keyword::DRAFT}),
        Takes::Reference => json!({"type": "string", "pattern": "^#/\\$defs/"}),
        Takes::Anything => json!(true),
        Takes::Boolean => json!({"type": "boolean"}),
        Takes::TypeName => json!({"enum": ["object", "string", "integer", "number", "boolean"]}),
        Takes::Values => json!({"type": "array", "minItems": 1, "uniqueItems": true}),
        Takes::Examples => json!({"type": "array"}),
        Takes::Number => json!({"type": "number"}),
        Takes::PositiveNumber => json!({"type": "number", "exclusiveMinimum": 0}),
        Takes::Count => json!({"type": "integer", "minimum": 0}),
        Takes::Format => json!({"enum": crate::keyword::FORMATS}),
        Takes::Schema(_) | Takes::OtherProperties | Takes::PropertyNames => schema,
        Takes::Schemas(_) => json!({"type": "array", "minItems": 1, "items": schema}),
        Takes::Properties | Takes::PatternProperties | Takes::DependentSchemas | Takes::Definitions => {
            json!({"type": "object", "additionalProperties": schema})
        }
        Takes::Names => names,
        Takes::NamesByName => json!({"type": "object", "additionalProperties": names}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::packs;

    #[test]
    fn a_document_holds_trusted_rules() {
        let text = r#"{"$schema": "x", "rules": [{"name": "a", "object_type": "server", "forms": ["DROP"]}]}"#;
        let document = Document::parse(text).unwrap();
        assert_eq!(document.rules.len(), 1);
        assert!(document.rules[0].trusted);
        assert!(Document::parse("{\"rules\": []}").unwrap().rules.is_empty());
    }

    #[test]
    fn errors_name_a_position_and_never_content() {
        let rule =
            |fields: &str| format!("{{\"rules\": [{{\"name\": \"a\", \"object_type\": \"server\", {fields}}}]}}");
        let cases = [
            ("root:x:0:0:root:/root:/bin/bash".to_owned(), "invalid JSON at line 1, column 1"),
            ("{\"rules\": [\n{\"hunter2\": hunter2}]}".to_owned(), "invalid JSON at line 2, column 13"),
            ("{\"hunter2\": 1, \"hunter2\": 2}".to_owned(), "duplicate key at line 1, column 24"),
            ("{\"rules\": [".to_owned(), "the text ends before the JSON value does"),
            ("[\"hunter2\"]".to_owned(), "the document must be a JSON object with the element \"rules\""),
            ("{\"rules\": [], \"hunter2\": 1}".to_owned(), "the document must be a JSON object"),
            ("{\"rules\": [\"hunter2\"]}".to_owned(), "rule 1: a rule is a JSON object"),
            (rule("\"hunter2\": 1"), "rule 1 must be a JSON object with the fields of a rule"),
            (rule("\"optoins\": 1"), "perhaps you meant \"options\""),
            (rule("\"options\": \"hunter2\""), "rule 1: options: expected a JSON Schema"),
            (rule("\"mode\": 5"), "rule 1: mode: expected a string"),
        ];
        for (text, wanted) in cases {
            let error = Document::parse(&text).unwrap_err().to_string();
            assert!(error.contains(wanted) && !error.contains("hunter2"), "{text}: {error}");
        }
        assert!(matches!(Document::parse(&" ".repeat(LARGEST_DOCUMENT + 1)), Err(DocumentError::Json(_))));
    }

    #[test]
    fn names_are_unique() {
        let rule = r#"{"name": "a", "object_type": "server", "forms": ["DROP"]}"#;
        let error = Document::parse(&format!("{{\"rules\": [{rule}, {rule}]}}")).unwrap_err();
        assert_eq!(error, DocumentError::SameName { number: 2 });
    }

    #[test]
    fn the_schema_is_a_schema_and_accepts_what_the_packs_hold() {
        let schema = document_schema();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for pack in packs() {
            for rule in pack.rules(18) {
                let fields = json!({
                    "name": rule.name, "object_type": rule.object_type.name(), "mode": rule.mode.name(),
                    "options": serde_json::from_str::<Value>(rule.options.as_deref().unwrap_or("{}")).unwrap(),
                    "condition": serde_json::from_str::<Value>(rule.condition.as_deref().unwrap_or("{}")).unwrap(),
                });
                let document = json!({"rules": [fields]});
                let faults: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
                assert!(faults.is_empty(), "{}: {faults:?}", rule.name);
                assert!(Document::parse(&document.to_string()).is_ok());
            }
        }
    }

    #[test]
    fn the_schema_refuses_what_is_refused_when_read() {
        let validator = jsonschema::draft202012::new(&document_schema()).unwrap();
        let bad = [
            json!({}),
            json!({"rules": [{}]}),
            json!({"rules": [{"name": "a", "object_type": "table"}]}),
            json!({"rules": [{"name": "a", "object_type": "server", "optoins": {}}]}),
            json!({"rules": [{"name": "a", "object_type": "server", "options": {"enumm": []}}]}),
            json!({"rules": [{"name": "a", "object_type": "server", "forms": ["RENAME"]}]}),
            json!({"rules": [{"name": "a", "object_type": "server", "server": []}]}),
        ];
        for document in bad {
            assert!(!validator.is_valid(&document), "{document}");
        }
    }
}
