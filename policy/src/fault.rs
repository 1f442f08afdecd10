//! What of a document does not satisfy a schema: made from the kind of jsonschema's error and from where it stands,
//! never from its text, which prints values.

use std::collections::BTreeSet;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use crate::json::steps;
use crate::reading::ValueType;
use crate::secret::escaped;
use crate::suggest::{nearest, quoted_list};
use crate::survey::Survey;

/// Most faults that are told of one object and one rule.
const LISTED: usize = 100;

/// One thing that does not satisfy a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// The option that it is about, `None` when it is about several together.
    pub option: Option<String>,
    pub kind: FaultKind,
}

/// In which way, with what the schema says. Values of the document are not in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FaultKind {
    Missing,
    NotAllowed,
    /// The option is none of those that the schema names.
    Unexpected {
        perhaps: Option<String>,
    },
    Type(ValueType),
    NoneOf(Vec<String>),
    Pattern(String),
    Format(String),
    LessThan(String),
    NotGreaterThan(String),
    GreaterThan(String),
    NotLessThan(String),
    NotMultipleOf(String),
    ShorterThan(u64),
    LongerThan(u64),
    TooFewOptions(u64),
    TooManyOptions(u64),
    /// A combination of schemas: `anyOf`, `oneOf`, `not`.
    Combination(&'static str),
    /// The regular expression engine gave up. The value counts as not satisfying.
    Undecided,
}

/// The faults of a document of which the errors tell, each once. Where there is an error there is a fault.
pub(crate) fn faults_of<'e>(
    errors: impl Iterator<Item = ValidationError<'e>>,
    document: &Value,
    survey: &Survey,
) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let faults = errors.flat_map(|error| faults(&error, document, survey)).filter(|fault| seen.insert(fault.clone()));
    faults.take(LISTED).collect()
}

fn faults(error: &ValidationError<'_>, document: &Value, survey: &Survey) -> Vec<Fault> {
    let option = steps(error.instance_path().as_str()).into_iter().next();
    let told = match (error.kind(), &option) {
        (Kind::Required { property }, _) => vec![Fault { option: text_of(property), kind: FaultKind::Missing }],
        (Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected }, _) => {
            unexpected.iter().map(|name| unexpected_option(name, survey)).collect()
        }
        (Kind::FalseSchema, Some(name)) if refuses_others(error) => vec![unexpected_option(name, survey)],
        // Beside no other keyword it refuses every option, and jsonschema tells of one error without a name.
        (Kind::FalseSchema, None) if refuses_others(error) => {
            let names = document.as_object().into_iter().flatten();
            names.map(|(name, _)| unexpected_option(name, survey)).collect()
        }
        (Kind::PropertyNames { error }, _) => {
            vec![Fault { option: text_of(error.instance()), kind: FaultKind::NotAllowed }]
        }
        (Kind::Not { schema }, None) => vec![not(schema)],
        (Kind::FalseSchema, None) => vec![Fault { option: None, kind: FaultKind::Combination("not") }],
        (kind, _) => vec![Fault { option: option.clone(), kind: kind_of(kind) }],
    };
    if told.is_empty() { vec![Fault { option, kind: FaultKind::Undecided }] } else { told }
}

/// Whether what the error tells of is a schema for the options that nothing names.
fn refuses_others(error: &ValidationError<'_>) -> bool {
    let last = steps(error.schema_path().as_str()).pop();
    last.is_some_and(|keyword| matches!(keyword.as_str(), "additionalProperties" | "unevaluatedProperties"))
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn unexpected_option(name: &str, survey: &Survey) -> Fault {
    let known = survey.annotations.keys().map(String::as_str);
    let perhaps = nearest(name, known).map(str::to_owned);
    Fault { option: Some(name.to_owned()), kind: FaultKind::Unexpected { perhaps } }
}

/// `{"not": {"required": ["x"]}}` is how a schema says that an option may not be there.
fn not(schema: &Value) -> Fault {
    let only_keyword = schema.as_object().filter(|keywords| keywords.len() == 1);
    let names = only_keyword.and_then(|keywords| keywords.get("required")).and_then(Value::as_array);
    match names.map(Vec::as_slice) {
        Some([name]) => Fault { option: text_of(name), kind: FaultKind::NotAllowed },
        _ => Fault { option: None, kind: FaultKind::Combination("not") },
    }
}

fn kind_of(kind: &Kind) -> FaultKind {
    match kind {
        Kind::FalseSchema => FaultKind::NotAllowed,
        Kind::Type { kind } => FaultKind::Type(type_of(kind)),
        Kind::Enum { options } => FaultKind::NoneOf(options.as_array().into_iter().flatten().map(plain).collect()),
        Kind::Constant { expected_value } => FaultKind::NoneOf(vec![plain(expected_value)]),
        Kind::Pattern { pattern } => FaultKind::Pattern(escaped(pattern)),
        Kind::Format { format } => FaultKind::Format(format.clone()),
        Kind::Minimum { limit } => FaultKind::LessThan(plain(limit)),
        Kind::ExclusiveMinimum { limit } => FaultKind::NotGreaterThan(plain(limit)),
        Kind::Maximum { limit } => FaultKind::GreaterThan(plain(limit)),
        Kind::ExclusiveMaximum { limit } => FaultKind::NotLessThan(plain(limit)),
        Kind::MultipleOf { multiple_of } => FaultKind::NotMultipleOf(multiple_of.to_string()),
        Kind::MinLength { limit } => FaultKind::ShorterThan(*limit),
        Kind::MaxLength { limit } => FaultKind::LongerThan(*limit),
        Kind::MinProperties { limit } => FaultKind::TooFewOptions(*limit),
        Kind::MaxProperties { limit } => FaultKind::TooManyOptions(*limit),
        Kind::AnyOf { .. } => FaultKind::Combination("anyOf"),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => FaultKind::Combination("oneOf"),
        Kind::Not { .. } => FaultKind::Combination("not"),
        _ => FaultKind::Undecided,
    }
}

/// Bytes of a regular expression beyond which nobody is helped by reading it in an error message.
const READABLE_PATTERN: usize = 60;

fn type_of(kind: &TypeKind) -> ValueType {
    let TypeKind::Single(json_type) = kind else { return ValueType::String };
    ValueType::from_name(&json_type.to_string()).unwrap_or(ValueType::String)
}

/// A value of the schema as an option would hold it, fit to be shown.
fn plain(value: &Value) -> String {
    escaped(&text_of(value).unwrap_or_else(|| value.to_string()))
}

impl Fault {
    /// What is wrong, as a sentence, of a value that may be shown.
    pub(crate) fn of_value(&self, shown: &str) -> String {
        let value = format!("The value \"{shown}\"");
        match &self.kind {
            FaultKind::Type(value_type) => format!("{value} is not {}.", type_words(*value_type)),
            FaultKind::NoneOf(allowed) => {
                let one_of = if allowed.len() == 1 { "" } else { "one of " };
                format!("{value} is not {one_of}{}.", quoted_list(allowed.iter().map(String::as_str)))
            }
            FaultKind::Pattern(pattern) if pattern.len() <= READABLE_PATTERN => {
                format!("{value} does not match the regular expression {pattern}.")
            }
            FaultKind::Pattern(_) => format!("{value} is not in the form that the rule asks for."),
            FaultKind::Format(format) => format!("{value} is not in the format {format}."),
            FaultKind::LessThan(limit) => format!("{value} is less than {limit}."),
            FaultKind::NotGreaterThan(limit) => format!("{value} is not greater than {limit}."),
            FaultKind::GreaterThan(limit) => format!("{value} is greater than {limit}."),
            FaultKind::NotLessThan(limit) => format!("{value} is not less than {limit}."),
            FaultKind::NotMultipleOf(number) => format!("{value} is not a multiple of {number}."),
            _ => self.of_secret(),
        }
    }

    /// What is wrong, as a sentence in which neither the value nor what the schema compares it with occurs.
    pub(crate) fn of_secret(&self) -> String {
        match &self.kind {
            FaultKind::Missing => "The option is required.".to_owned(),
            FaultKind::NotAllowed => "The option is not allowed here.".to_owned(),
            FaultKind::Unexpected { .. } => "The rule allows no option of this name.".to_owned(),
            FaultKind::ShorterThan(limit) => format!("The value is shorter than {}.", counted(*limit, "character")),
            FaultKind::LongerThan(limit) => format!("The value is longer than {}.", counted(*limit, "character")),
            FaultKind::TooFewOptions(limit) => format!("There are fewer than {}.", counted(*limit, "option")),
            FaultKind::TooManyOptions(limit) => format!("There are more than {}.", counted(*limit, "option")),
            FaultKind::Combination(keyword) => self.combination(keyword),
            FaultKind::Undecided => "Whether the value satisfies the rule could not be decided.".to_owned(),
            _ => "The value does not satisfy the rule.".to_owned(),
        }
    }

    fn combination(&self, keyword: &str) -> String {
        let (what, does, do_not) = match self.option {
            Some(_) => ("The value", "satisfies", "does not satisfy"),
            None => ("The options together", "satisfy", "do not satisfy"),
        };
        match keyword {
            "anyOf" => format!("{what} {do_not} any of the alternatives of the rule."),
            "oneOf" => format!("{what} {do_not} exactly one of the alternatives of the rule."),
            _ => format!("{what} {does} what the rule excludes."),
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn type_words(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::String => "a string",
        ValueType::Integer => "an integer",
        ValueType::Number => "a number",
        ValueType::Boolean => "a Boolean value (true, false, on or off)",
    }
}
