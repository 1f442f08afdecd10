//! The policy file: a JSON document with the element `rules`, and the JSON Schema that describes it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::field::{FIELDS, FieldKind, FieldRow};
use crate::form::FORMS;
use crate::json::{self, JsonError};
use crate::keyword::{KEYWORDS, Takes};
use crate::model::ObjectType;
use crate::rule::{Mode, Rule, RuleError};

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
        FieldKind::Count => json!({"type": "integer", "minimum": 0, "maximum": i32::MAX}),
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
