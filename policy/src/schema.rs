//! Schemas of rules: JSON Schema 2020-12, held against the strict meta-schema, compiled, and applied to options that
//! are read by the types that the schema gives them.

use std::borrow::Cow;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use thiserror::Error;

use crate::check::check;
use crate::common::Marks;
use crate::context::{self, EFFECTIVE, OLD, OPTIONS, PARTS, SESSION, SESSION_FIELDS};
use crate::expression::LARGEST_EXPRESSION;
use crate::fault::{Fault, faults_of};
use crate::json::{self, LARGEST_SCHEMA};
use crate::model::{ObjectType, Options};
use crate::quick::Quick;
use crate::reading::{ValueType, read};
use crate::survey::{Annotation, Survey};

/// What a schema is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The options of one object, as one JSON object.
    Options,
    /// The context document.
    Context,
}

impl Shape {
    pub(crate) fn root(self) -> Node {
        match self {
            Self::Options => Node::Options,
            Self::Context => Node::Context,
        }
    }
}

/// What stands at a place of the document that a schema is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Options,
    OptionValue,
    Context,
    Old,
    Part(ObjectType),
    Session,
    /// A field of a part or of the session.
    Field(ValueType),
    /// The name of an option.
    Name,
}

impl Node {
    pub(crate) fn is_value(self) -> bool {
        matches!(self, Self::OptionValue | Self::Field(_) | Self::Name)
    }

    /// What stands below that key, `None` when there is no such key.
    pub(crate) fn child(self, key: &str) -> Option<Self> {
        match self {
            Self::Options => Some(Self::OptionValue),
            Self::Context if key == OLD => Some(Self::Old),
            Self::Context if key == SESSION => Some(Self::Session),
            Self::Context | Self::Old if key == EFFECTIVE => Some(Self::Options),
            Self::Context | Self::Old => context::part_of_key(key).map(Self::Part),
            Self::Part(_) if key == OPTIONS => Some(Self::Options),
            Self::Part(object_type) => {
                context::attribute_keys(object_type).any(|known| known == key).then_some(Self::Field(ValueType::String))
            }
            Self::Session => {
                let field = SESSION_FIELDS.iter().find(|(known, _, _)| *known == key);
                field.map(|(_, value_type, _)| Self::Field(*value_type))
            }
            Self::OptionValue | Self::Field(_) | Self::Name => None,
        }
    }

    /// The keys that there are, where they are known.
    pub(crate) fn keys(self) -> Vec<&'static str> {
        let parts = PARTS.iter().map(|(_, key)| *key);
        match self {
            Self::Context => parts.chain([EFFECTIVE, OLD, SESSION]).collect(),
            Self::Old => parts.chain([EFFECTIVE]).collect(),
            Self::Part(object_type) => context::attribute_keys(object_type).chain([OPTIONS]).collect(),
            Self::Session => SESSION_FIELDS.iter().map(|(key, _, _)| *key).collect(),
            Self::Options | Self::OptionValue | Self::Field(_) | Self::Name => Vec::new(),
        }
    }
}

/// What is wrong with a schema, and where. No value that the schema holds is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at \"{pointer}\": {message}")]
pub struct SchemaError {
    /// A JSON pointer into the schema, empty for its root.
    pub pointer: String,
    pub message: String,
}

impl SchemaError {
    pub(crate) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// A schema that has passed every check and is ready to be applied.
#[derive(Debug)]
pub struct CompiledSchema {
    validator: Validator,
    quick: Option<Quick>,
    shape: Shape,
    survey: Survey,
    /// The options that the schema names.
    options: Vec<String>,
    deprecated: Vec<String>,
    read_only: Vec<String>,
}

impl CompiledSchema {
    /// Compiles the text of a schema of at most [`LARGEST_SCHEMA`] bytes.
    pub fn compile(text: &str, shape: Shape) -> Result<Self, SchemaError> {
        let schema = json::parse(text, LARGEST_SCHEMA).map_err(|error| SchemaError::new("", error.to_string()))?;
        Self::from_value(&schema, shape)
    }

    pub(crate) fn from_value(schema: &Value, shape: Shape) -> Result<Self, SchemaError> {
        let survey = check(schema, shape)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(
                PatternOptions::regex().size_limit(LARGEST_EXPRESSION).dfa_size_limit(LARGEST_EXPRESSION),
            )
            .offline()
            .build(schema)
            // Its text would print values. What it refuses and we do not is a fault of ours, and stays refused.
            .map_err(|error| SchemaError::new(error.instance_path().as_str(), "not valid under draft 2020-12"))?;
        let quick = if shape == Shape::Options { Quick::new(schema) } else { None };
        let options = survey.named.keys().filter_map(|path| path.last().cloned()).collect();
        let annotated = |is_so: fn(&Annotation) -> bool| {
            let annotations = survey.annotations.iter().filter(|(_, annotation)| is_so(annotation));
            annotations.map(|(name, _)| name.clone()).collect()
        };
        let (deprecated, read_only) = (annotated(|it| it.deprecated), annotated(|it| it.read_only));
        Ok(Self { validator, quick, shape, survey, options, deprecated, read_only })
    }

    pub(crate) fn survey(&self) -> &Survey {
        &self.survey
    }

    /// The options that nobody should set any more, by name.
    pub(crate) fn deprecated(&self) -> &[String] {
        &self.deprecated
    }

    /// The options that may be set only once, by name.
    pub(crate) fn read_only(&self) -> &[String] {
        &self.read_only
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether the options satisfy the schema and that is told without a document of them. They may when they do not.
    pub(crate) fn accepts_at_once(&self, options: &Options) -> bool {
        self.quick.as_ref().is_some_and(|quick| quick.accepts(options))
    }

    /// Whether what the schema says of an object's options depends on any of these.
    pub(crate) fn looks_at_any(&self, options: &[&str]) -> bool {
        self.survey.looks_at_unnamed || self.options.iter().any(|name| options.contains(&name.as_str()))
    }

    /// The options on which it depends.
    pub(crate) fn marks(&self) -> Marks {
        if self.survey.looks_at_unnamed { Marks::ALL } else { self.options.iter().map(String::as_str).collect() }
    }

    /// Whether a document, in which options are still strings, satisfies the schema.
    pub(crate) fn is_satisfied_by(&self, document: &Value) -> bool {
        self.validator.is_valid(&self.read(document))
    }

    /// Everything in which a document, in which options are still strings, does not satisfy the schema.
    pub(crate) fn faults(&self, document: &Value) -> Vec<Fault> {
        let document = self.read(document);
        faults_of(self.validator.iter_errors(&document), &document, &self.survey)
    }

    /// The document with its options read by their types.
    fn read<'d>(&self, document: &'d Value) -> Cow<'d, Value> {
        let mut document = Cow::Borrowed(document);
        for (path, value_type) in &self.survey.types {
            let text = path.iter().try_fold(document.as_ref(), |value, key| value.get(key)).and_then(Value::as_str);
            if let (Some(text), true) = (text, *value_type != ValueType::String) {
                let value = read(text, *value_type);
                replace(document.to_mut(), path, value);
            }
        }
        document
    }
}

fn replace(document: &mut Value, path: &[String], value: Value) {
    if let Some(target) = path.iter().try_fold(document, |target, key| target.get_mut(key)) {
        *target = value;
    }
}
