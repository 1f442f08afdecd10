//! Rules: one row of the policy, and everything that can be wrong with one.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::catalogue::Catalogue;
use crate::field::{self, FIELDS, FieldKind};
use crate::form::{FORMS, Form};
use crate::matcher::Matcher;
use crate::model::ObjectType;
use crate::schema::{CompiledSchema, SchemaError, Shape};
use crate::secret::escaped;
use crate::suggest::{perhaps, quoted_list, unknown};

/// What a violation of a rule does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Mode {
    /// An ERROR: the statement is undone.
    #[default]
    Deny,
    /// A WARNING.
    Warn,
    /// It is recorded and logged only.
    Audit,
    /// The rule is not in force.
    Off,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Deny, Self::Warn, Self::Audit, Self::Off];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Audit => "audit",
            Self::Off => "off",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(unknown("mode", &name, Self::ALL.map(Self::name))))
    }
}

impl<'de> Deserialize<'de> for ObjectType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(unknown("object type", &name, Self::ALL.map(Self::name))))
    }
}

/// One rule, as a row of the table of rules or an element of a document holds it. What the fields mean stands in
/// the table of fields, from which documents are described.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    pub object_type: ObjectType,
    #[serde(default = "every_name")]
    pub database: Vec<String>,
    #[serde(default = "every_name")]
    pub wrapper: Vec<String>,
    #[serde(default = "every_name")]
    pub server: Vec<String>,
    #[serde(default = "every_name")]
    pub role: Vec<String>,
    #[serde(default = "every_name")]
    pub relation: Vec<String>,
    #[serde(default = "every_name")]
    pub column_name: Vec<String>,
    /// The text of a JSON Schema; in a document it stands there itself.
    #[serde(default, deserialize_with = "schema_text")]
    pub options: Option<String>,
    /// The text of a JSON Schema; in a document it stands there itself.
    #[serde(default, deserialize_with = "schema_text")]
    pub condition: Option<String>,
    #[serde(default)]
    pub forms: Vec<Form>,
    #[serde(default)]
    pub mode: Mode,
    /// Empty for everybody.
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub except_roles: Vec<String>,
    #[serde(default)]
    pub strict: bool,
    #[serde(default = "off")]
    pub at_use: String,
    #[serde(default)]
    pub max_age: Option<String>,
    #[serde(default)]
    pub reuse_history: Option<i32>,
    #[serde(default)]
    pub pack: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub hint: Option<String>,
    /// Whether it may look at the values of secrets: a superuser wrote it, or it stands in the policy file or in an
    /// embedded pack.
    #[serde(skip)]
    pub trusted: bool,
}

fn every_name() -> Vec<String> {
    vec!["*".to_owned()]
}

fn off() -> String {
    "off".to_owned()
}

fn schema_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.map(|raw| raw.get().to_owned()))
}

/// What is wrong with a rule. No value that a schema holds is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct RuleError {
    pub field: &'static str,
    /// Where in the field's schema, as a JSON pointer.
    pub pointer: Option<String>,
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        if let Some(pointer) = self.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
            write!(f, ", at {pointer}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl RuleError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, pointer: None, message: message.into() }
    }

    pub(crate) fn of_schema(field: &'static str, error: SchemaError) -> Self {
        Self { field, pointer: Some(error.pointer), message: error.message }
    }
}

/// Something that the author of a rule should know although the rule is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub message: String,
    pub hint: Option<String>,
}

impl Rule {
    /// A rule on every object of a type, with nothing to say yet.
    pub fn new(name: impl Into<String>, object_type: ObjectType) -> Self {
        Self {
            name: name.into(),
            object_type,
            database: every_name(),
            wrapper: every_name(),
            server: every_name(),
            role: every_name(),
            relation: every_name(),
            column_name: every_name(),
            options: None,
            condition: None,
            forms: Vec::new(),
            mode: Mode::Deny,
            roles: Vec::new(),
            except_roles: Vec::new(),
            strict: false,
            at_use: off(),
            max_age: None,
            reuse_history: None,
            pack: None,
            description: None,
            message: None,
            hint: None,
            trusted: false,
        }
    }

    /// Reads a rule from a JSON object whose fields are the rule's. A null is a field left out.
    pub fn from_value(value: Value) -> Result<Self, RuleError> {
        let Value::Object(mut fields) = value else {
            return Err(RuleError::new("name", "a rule is a JSON object"));
        };
        fields.retain(|_, value| !value.is_null());
        for (name, value) in &fields {
            check_field(name, value)?;
        }
        if let Some(missing) = FIELDS.iter().find(|row| row.required && !fields.contains_key(row.name)) {
            return Err(RuleError::new(missing.name, "the field is required"));
        }
        // The table has been through every field, so what serde could still complain of would be a fault of ours.
        serde_json::from_value(Value::Object(fields)).map_err(|_| RuleError::new("name", "the rule cannot be read"))
    }

    /// Holds the rule against everything that is required of one.
    ///
    /// # Errors
    /// The first fault: its field, for a schema the JSON pointer, and what was expected.
    pub fn check(&self, knowledge: &Catalogue) -> Result<Vec<Notice>, RuleError> {
        self.check_name()?;
        Matcher::new(self)?;
        self.check_pattern_fields()?;
        self.check_forms()?;
        self.check_unsupported()?;
        let condition = self.compile_condition()?;
        let options = self.compile_options()?;
        if options.is_none() && self.forms.is_empty() {
            return Err(RuleError::new("options", "a rule without options and forms would do nothing"));
        }
        let mut notices = Vec::new();
        for (field, schema) in [("condition", &condition), ("options", &options)] {
            if let Some(schema) = schema {
                if !self.trusted {
                    knowledge.check_secrets(self, field, schema)?;
                }
                notices.extend(knowledge.notices(self, schema));
            }
        }
        Ok(notices)
    }

    pub(crate) fn compile_options(&self) -> Result<Option<CompiledSchema>, RuleError> {
        compile("options", self.options.as_deref(), Shape::Options)
    }

    pub(crate) fn compile_condition(&self) -> Result<Option<CompiledSchema>, RuleError> {
        compile("condition", self.condition.as_deref(), Shape::Context)
    }

    /// The patterns of a field that has them.
    pub(crate) fn patterns(&self, field: &str) -> &[String] {
        match field {
            "database" => &self.database,
            "wrapper" => &self.wrapper,
            "server" => &self.server,
            "role" => &self.role,
            "relation" => &self.relation,
            "column_name" => &self.column_name,
            _ => &[],
        }
    }

    fn check_name(&self) -> Result<(), RuleError> {
        // It goes into the constraint-name field and into log lines.
        let fault = if self.name.trim().is_empty() {
            "the name is empty"
        } else if self.name.chars().count() > 200 {
            "the name is longer than 200 characters"
        } else if self.name.chars().any(char::is_control) {
            "the name has a control character"
        } else {
            return Ok(());
        };
        Err(RuleError::new("name", fault))
    }

    fn check_pattern_fields(&self) -> Result<(), RuleError> {
        for row in FIELDS {
            let FieldKind::Patterns(object_types) = row.kind else { continue };
            if !object_types.contains(&self.object_type) && self.patterns(row.name) != every_name().as_slice() {
                let message =
                    format!("the field says nothing about a {}; it is for {}", self.object_type, names(object_types));
                return Err(RuleError::new(row.name, message));
            }
        }
        Ok(())
    }

    fn check_forms(&self) -> Result<(), RuleError> {
        let Some(form) = self.forms.iter().find(|form| !form.applies_to(self.object_type)) else {
            return Ok(());
        };
        let possible = FORMS.iter().filter(|row| row.form.applies_to(self.object_type)).map(|row| row.name);
        let message = format!("{form} is no form of a {}; it has {}", self.object_type, quoted_list(possible));
        Err(RuleError::new("forms", message))
    }

    fn check_unsupported(&self) -> Result<(), RuleError> {
        let unsupported = [
            ("at_use", self.at_use != "off"),
            ("max_age", self.max_age.is_some()),
            ("reuse_history", self.reuse_history.is_some()),
        ];
        match unsupported.into_iter().find(|(_, set)| *set) {
            Some((field, _)) => Err(RuleError::new(field, "not supported yet")),
            None => Ok(()),
        }
    }
}

fn names(object_types: &[ObjectType]) -> String {
    quoted_list(object_types.iter().map(|object_type| object_type.name()))
}

fn compile(field: &'static str, text: Option<&str>, shape: Shape) -> Result<Option<CompiledSchema>, RuleError> {
    let compiled = text.map(|text| CompiledSchema::compile(text, shape)).transpose();
    compiled.map_err(|error| RuleError::of_schema(field, error))
}

fn check_field(name: &str, value: &Value) -> Result<(), RuleError> {
    let Some(row) = field::find(name) else {
        return Err(RuleError::new("name", unknown_field(name)));
    };
    if let Some(expected) = row.kind.mismatch(value) {
        return Err(RuleError::new(row.name, format!("expected {expected}")));
    }
    let words: Vec<&str> = match value {
        Value::Array(elements) => elements.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    };
    let fault = words.into_iter().find_map(|word| unknown_word(row.kind, word));
    fault.map_or(Ok(()), |message| Err(RuleError::new(row.name, message)))
}

fn unknown_field(name: &str) -> String {
    let near = perhaps(name, FIELDS.iter().map(|row| row.name));
    format!("a rule has no field \"{}\"{near}", escaped(name))
}

fn unknown_word(kind: FieldKind, word: &str) -> Option<String> {
    match kind {
        FieldKind::ObjectType if ObjectType::from_name(word).is_none() => {
            Some(unknown("object type", word, ObjectType::ALL.map(ObjectType::name)))
        }
        FieldKind::Mode if Mode::from_name(word).is_none() => Some(unknown("mode", word, Mode::ALL.map(Mode::name))),
        FieldKind::Forms if Form::from_name(word).is_none() => {
            Some(unknown("form", word, FORMS.iter().map(|row| row.name)))
        }
        _ => None,
    }
}
