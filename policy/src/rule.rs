//! Rules: one row of the policy, and everything that can be wrong with one.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::catalogue::Catalogue;
use crate::document::LARGEST_DOCUMENT;
use crate::field::{self, FIELDS, FieldKind};
use crate::form::{FORMS, Form};
use crate::interval::{self, Interval};
use crate::json;
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
    /// A span of time as [`Interval`] reads it.
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

/// Each of them is compared in turn, which takes milliseconds.
pub(crate) const MOST_FORMER_VALUES: usize = 100;

/// What is wrong with a rule. No value that a schema holds is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct RuleError {
    /// Empty where it is wrong as a whole.
    pub field: &'static str,
    /// Where in the field's schema, as a JSON pointer.
    pub pointer: Option<String>,
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return f.write_str(&self.message);
        }
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

    /// Of the rule itself, and of none of its fields.
    fn of_whole(message: impl Into<String>) -> Self {
        Self::new("", message)
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

    /// Reads a rule from the text of a JSON object, an element of a policy file or a row of the table of rules. Whether it
    /// is trusted is not for the text to say.
    ///
    /// # Errors
    /// The name that the text gives the rule, if it does, and the first fault.
    pub fn parse(text: &str) -> Result<Self, (String, RuleError)> {
        let parsed = json::parse(text, LARGEST_DOCUMENT);
        let mut value = parsed.map_err(|error| (String::new(), RuleError::new("rule", error.to_string())))?;
        let name = value.get("name").and_then(Value::as_str).map(escaped).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("trusted");
        }
        Self::from_value(value).map_err(|fault| (name, fault))
    }

    /// Reads a rule from a JSON object whose fields are the rule's. A null is a field left out.
    pub fn from_value(value: Value) -> Result<Self, RuleError> {
        let Value::Object(mut fields) = value else {
            return Err(RuleError::of_whole("a rule is a JSON object"));
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
        self.check_past()?;
        let condition = self.compile_condition()?;
        let options = self.compile_options()?;
        if options.is_none() && self.forms.is_empty() && !self.remembers() {
            return Err(RuleError::new(
                "options",
                "a rule without options, forms, max_age and reuse_history would do nothing",
            ));
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

    /// Whether the rule may say of options whether they are secrets.
    pub(crate) fn may_tell_of_secrecy(&self) -> bool {
        // A keyword can be written with escapes too.
        self.options.as_ref().is_some_and(|options| options.contains("writeOnly") || options.contains("\\u"))
    }

    /// Whether the rule is about columns or about what only shows inside a table; forms of a column are forms of its table
    /// too.
    pub(crate) fn looks_inside(&self) -> bool {
        let is_about = match self.object_type {
            ObjectType::ForeignTableColumn => true,
            ObjectType::ForeignTable => !self.forms.is_empty(),
            ObjectType::ForeignDataWrapper | ObjectType::Server | ObjectType::UserMapping => false,
        };
        is_about && self.mode != Mode::Off
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
        if self.at_use == "off" { Ok(()) } else { Err(RuleError::new("at_use", "not supported yet")) }
    }

    fn check_past(&self) -> Result<(), RuleError> {
        if self.max_age.is_some() && self.longest_age().is_none() {
            return Err(RuleError::new("max_age", interval::EXPECTED));
        }
        if self.reuse_history.is_some() && self.former_values().is_none() {
            let message = format!("expected a whole number from 1 to {MOST_FORMER_VALUES}");
            return Err(RuleError::new("reuse_history", message));
        }
        Ok(())
    }

    /// How long a secret may stay as it is.
    pub(crate) fn longest_age(&self) -> Option<Interval> {
        self.max_age.as_deref().and_then(Interval::parse)
    }

    /// How many former values a secret may not take again.
    pub(crate) fn former_values(&self) -> Option<usize> {
        let count = usize::try_from(self.reuse_history?).ok();
        count.filter(|count| (1..=MOST_FORMER_VALUES).contains(count))
    }

    /// Whether the rule asks for the past of secrets.
    pub fn remembers(&self) -> bool {
        self.max_age.is_some() || self.reuse_history.is_some()
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
        return Err(RuleError::of_whole(unknown_field(name)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretOptions;
    use serde_json::json;

    fn check(value: Value) -> Result<Vec<Notice>, RuleError> {
        Rule::from_value(value)?.check(&Catalogue::new(SecretOptions::default()))
    }

    fn with(fields: Value) -> Value {
        let mut rule = json!({"name": "r", "object_type": "server", "options": {"required": ["sslmode"]}});
        rule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        rule
    }

    #[test]
    fn a_rule_reads_with_its_defaults() {
        let rule = Rule::from_value(with(json!({"mode": null}))).unwrap();
        let mut wanted = Rule::new("r", ObjectType::Server);
        wanted.options = Some("{\"required\":[\"sslmode\"]}".to_owned());
        assert_eq!(rule, wanted);
        assert_eq!(check(with(json!({}))), Ok(vec![]));
    }

    #[test]
    fn a_row_of_the_table_reads_like_an_element_of_a_policy_file() {
        let element = with(json!({"mode": "off"}));
        let mut row = element.clone();
        row.as_object_mut().unwrap().extend([("trusted".to_owned(), json!(true)), ("hint".to_owned(), Value::Null)]);
        assert_eq!(Rule::parse(&row.to_string()).unwrap(), Rule::from_value(element).unwrap());
        let fault = |text: &str| Rule::parse(text).map_err(|(name, fault)| (name, fault.to_string())).unwrap_err();
        assert_eq!(fault("{\"a\": 1, \"a\": 1}").1, "rule: duplicate key at line 1, column 12");
        assert_eq!(fault("[]").1, "a rule is a JSON object");
        assert_eq!(fault("{\"name\": \"x\"}"), ("x".to_owned(), "object_type: the field is required".to_owned()));
    }

    #[test]
    fn serde_reads_what_from_value_reads() {
        let text = with(json!({"mode": "warn", "forms": ["OWNER TO"], "server": ["!x"], "strict": true})).to_string();
        let rule: Rule = serde_json::from_str(&text).unwrap();
        assert_eq!(Rule::from_value(serde_json::from_str(&text).unwrap()), Ok(rule));
        assert!(serde_json::from_str::<Rule>("{\"name\": \"r\", \"object_type\": \"server\", \"x\": 1}").is_err());
    }

    #[test]
    fn every_field_of_the_struct_stands_in_the_table() {
        let all: serde_json::Map<String, Value> = FIELDS
            .iter()
            .map(|row| {
                let value = match row.kind {
                    FieldKind::Text | FieldKind::AtUse => json!("off"),
                    FieldKind::ObjectType => json!("server"),
                    FieldKind::Mode => json!("audit"),
                    FieldKind::Boolean => json!(true),
                    FieldKind::Count => json!(1),
                    FieldKind::Patterns(_) | FieldKind::Names => json!(["x"]),
                    FieldKind::Forms => json!(["DROP"]),
                    FieldKind::Schema => json!({}),
                };
                (row.name.to_owned(), value)
            })
            .collect();
        let rule = Rule::from_value(Value::Object(all)).unwrap();
        // What serde would leave at its default is not read by the name in the table.
        let debug = format!("{rule:?}");
        assert!(!debug.contains("None") && !debug.contains("\"*\""), "{debug}");
    }

    #[test]
    fn each_fault_names_its_field() {
        let cases = [
            (json!([]), "", "JSON object"),
            (json!({"object_type": "server"}), "name", "required"),
            (json!({"name": "r"}), "object_type", "required"),
            (with(json!({"name": " "})), "name", "empty"),
            (with(json!({"name": "a\nb"})), "name", "control"),
            (with(json!({"name": 5})), "name", "a string"),
            (with(json!({"object_type": "servr"})), "object_type", "perhaps you meant \"server\""),
            (with(json!({"mode": "denny"})), "mode", "perhaps you meant \"deny\""),
            (with(json!({"optoins": {}})), "", "perhaps you meant \"options\""),
            (with(json!({"server": "foo"})), "server", "array of strings"),
            (with(json!({"server": []})), "server", "{*}"),
            (with(json!({"server": ["a.b"]})), "server", "dot"),
            (with(json!({"wrapper": ["(x)"]})), "wrapper", "double quotes"),
            (with(json!({"role": ["bob"]})), "role", "says nothing about a server"),
            (with(json!({"forms": ["SET SCHEMA"]})), "forms", "\"OWNER TO\""),
            (with(json!({"forms": ["OWNERTO"]})), "forms", "perhaps you meant \"OWNER TO\""),
            (with(json!({"options": {}, "at_use": "deny"})), "at_use", "not supported yet"),
            (with(json!({"max_age": "90 tage"})), "max_age", "90 days"),
            (with(json!({"max_age": "0 days"})), "max_age", "longer than none"),
            (with(json!({"max_age": 90})), "max_age", "a string"),
            (with(json!({"reuse_history": 0})), "reuse_history", "from 1 to 100"),
            (with(json!({"reuse_history": 101})), "reuse_history", "from 1 to 100"),
            (with(json!({"reuse_history": -5})), "reuse_history", "whole number"),
            (with(json!({"strict": "yes"})), "strict", "true or false"),
            (with(json!({"options": null})), "options", "do nothing"),
            (with(json!({"options": "x"})), "options", "JSON Schema"),
            (with(json!({"options": {"requird": []}})), "options", "perhaps you meant \"required\""),
            (with(json!({"condition": {"required": ["severs"]}})), "condition", "perhaps you meant \"server\""),
        ];
        for (rule, field, word) in cases {
            let error = check(rule.clone()).unwrap_err();
            assert_eq!(error.field, field, "{rule}: {error}");
            assert!(error.message.contains(word), "{rule}: {error}");
        }
        let error = check(with(json!({"options": {"properties": {"a": {"enumm": []}}}}))).unwrap_err();
        let wanted = "options, at /properties/a/enumm: \"enumm\" is not a keyword that rules can use, perhaps you meant \"enum\"";
        assert_eq!(error.to_string(), wanted);
    }

    #[test]
    fn forms_alone_make_a_rule() {
        assert_eq!(check(with(json!({"options": null, "forms": ["DROP"]}))), Ok(vec![]));
    }

    #[test]
    fn what_is_asked_of_the_past_alone_makes_a_rule() {
        assert_eq!(check(with(json!({"options": null, "max_age": "90 days"}))), Ok(vec![]));
        assert_eq!(check(with(json!({"options": null, "reuse_history": 100}))), Ok(vec![]));
    }

    #[test]
    fn a_secret_may_be_asked_for_presence_and_length_only() {
        let mapping = |options: Value| json!({"name": "r", "object_type": "user mapping", "options": options});
        let property = |schema: Value| mapping(json!({"properties": {"password": schema}, "required": ["password"]}));
        for allowed in [
            json!({"minLength": 12, "maxLength": 99}),
            json!({"readOnly": true}),
            json!({"type": "string"}),
            json!(false),
        ] {
            assert_eq!(check(property(allowed.clone())), Ok(vec![]), "{allowed}");
        }
        let refused = [
            json!({"const": "x"}),
            json!({"enum": ["x"]}),
            json!({"pattern": "x"}),
            json!({"format": "uuid"}),
            json!({"type": "integer"}),
            json!({"not": {"const": "x"}}),
        ];
        for schema in refused {
            let error = check(property(schema.clone())).unwrap_err();
            assert!(error.message.contains("secret"), "{schema}: {error}");
            let trusted = Rule { trusted: true, ..Rule::from_value(property(schema)).unwrap() };
            assert!(trusted.check(&Catalogue::new(SecretOptions::default())).is_ok());
        }
        let own = json!({"properties": {"pin": {"pattern": "x", "writeOnly": true}}, "required": ["pin"]});
        assert!(check(with(json!({"options": own}))).unwrap_err().message.contains("secret"));
        let path =
            json!({"properties": {"user_mapping": {"properties": {"options": {"properties": {"x": {"const": "y"}}}}}}});
        assert!(check(with(json!({"condition": path}))).unwrap_err().message.contains("secret"));
        let user = mapping(json!({"properties": {"user": {"pattern": "^app_"}}, "required": ["user"]}));
        assert_eq!(check(user), Ok(vec![]), "a pack says that it is public");
    }

    #[test]
    fn the_author_is_told_that_absence_passes_and_of_slips() {
        let notices = check(with(json!({"options": {"properties": {"sslmod": {"const": "require"}}}}))).unwrap();
        let texts: Vec<&str> = notices.iter().map(|notice| notice.message.as_str()).collect();
        let wanted = [
            "an object without the option \"sslmod\" satisfies the rule",
            "no rule pack knows the option \"sslmod\" of a server",
        ];
        assert_eq!(texts, wanted);
        assert_eq!(notices[1].hint.as_deref(), Some("Perhaps you meant the option \"sslmode\"."));
        let unknown = json!({"properties": {"zzzzzzzz": true}});
        assert_eq!(check(with(json!({"options": unknown}))), Ok(vec![]), "it may be another wrapper's");
        assert_eq!(check(with(json!({"options": unknown, "wrapper": ["postgres_fdw"]}))).unwrap().len(), 1);
    }
}
