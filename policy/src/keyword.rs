//! The keywords of JSON Schema that rules may use: one table that says what each takes, where it may stand, for which
//! types, and whether it may be used on a secret by somebody who may not know its value.

/// The one draft that rules are written in.
pub const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The formats that are known, all of which are asserted.
pub const FORMATS: &[&str] = &[
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Whether what a subschema says always holds, or only in some case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Always,
    Sometimes,
}

/// What a keyword takes as its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Text,
    Anything,
    Boolean,
    Draft,
    Reference,
    TypeName,
    /// `enum`: at least one value of the property's type.
    Values,
    Examples,
    Number,
    PositiveNumber,
    Count,
    Pattern,
    Format,
    Schema(Reach),
    Schemas(Reach),
    Properties,
    PatternProperties,
    /// A schema for the options that nothing names.
    OtherProperties,
    /// A schema for the names of options.
    PropertyNames,
    DependentSchemas,
    Definitions,
    Names,
    NamesByName,
}

/// Where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Root,
    Everywhere,
    /// About an object: the options, the context document or a part of it.
    Objects,
    /// About an object whose keys are options. Of every other the keys are known, so naming them is better.
    Options,
    /// About a value.
    Values,
    /// About an option of the object itself, where it always applies.
    OwnOptions,
}

/// For values of which types a keyword says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    All,
    Numeric,
    Text,
}

/// One row of [`KEYWORDS`].
#[derive(Debug)]
pub struct KeywordRow {
    pub name: &'static str,
    pub takes: Takes,
    pub place: Place,
    pub types: Types,
    /// Whether it tells no more of a value than that it is there and how long it is.
    pub on_secrets: bool,
    /// Whether it can be violated.
    pub constrains: bool,
}

const fn annotation(name: &'static str, takes: Takes, place: Place) -> KeywordRow {
    KeywordRow { name, takes, place, types: Types::All, on_secrets: true, constrains: false }
}

const fn applicator(name: &'static str, takes: Takes, place: Place) -> KeywordRow {
    KeywordRow { name, takes, place, types: Types::All, on_secrets: true, constrains: true }
}

const fn assertion(name: &'static str, takes: Takes, types: Types) -> KeywordRow {
    KeywordRow { name, takes, place: Place::Values, types, on_secrets: false, constrains: true }
}

const fn length(name: &'static str) -> KeywordRow {
    KeywordRow {
        name,
        takes: Takes::Count,
        place: Place::Values,
        types: Types::Text,
        on_secrets: true,
        constrains: true,
    }
}

use Reach::{Always, Sometimes};

/// Every keyword that a rule may use.
pub const KEYWORDS: &[KeywordRow] = &[
    annotation("$schema", Takes::Draft, Place::Root),
    annotation("$defs", Takes::Definitions, Place::Root),
    applicator("$ref", Takes::Reference, Place::Everywhere),
    annotation("$comment", Takes::Text, Place::Everywhere),
    annotation("title", Takes::Text, Place::Everywhere),
    annotation("description", Takes::Text, Place::Everywhere),
    annotation("default", Takes::Anything, Place::Everywhere),
    annotation("examples", Takes::Examples, Place::Everywhere),
    annotation("deprecated", Takes::Boolean, Place::OwnOptions),
    annotation("readOnly", Takes::Boolean, Place::OwnOptions),
    annotation("writeOnly", Takes::Boolean, Place::OwnOptions),
    // Whether a type other than string may be asked of a secret is seen from the type itself.
    applicator("type", Takes::TypeName, Place::Everywhere),
    assertion("enum", Takes::Values, Types::All),
    assertion("const", Takes::Anything, Types::All),
    assertion("minimum", Takes::Number, Types::Numeric),
    assertion("maximum", Takes::Number, Types::Numeric),
    assertion("exclusiveMinimum", Takes::Number, Types::Numeric),
    assertion("exclusiveMaximum", Takes::Number, Types::Numeric),
    assertion("multipleOf", Takes::PositiveNumber, Types::Numeric),
    length("minLength"),
    length("maxLength"),
    assertion("pattern", Takes::Pattern, Types::Text),
    assertion("format", Takes::Format, Types::Text),
    applicator("properties", Takes::Properties, Place::Objects),
    applicator("patternProperties", Takes::PatternProperties, Place::Options),
    applicator("additionalProperties", Takes::OtherProperties, Place::Options),
    applicator("unevaluatedProperties", Takes::OtherProperties, Place::Options),
    applicator("propertyNames", Takes::PropertyNames, Place::Options),
    applicator("required", Takes::Names, Place::Objects),
    applicator("dependentRequired", Takes::NamesByName, Place::Objects),
    applicator("dependentSchemas", Takes::DependentSchemas, Place::Objects),
    applicator("minProperties", Takes::Count, Place::Options),
    applicator("maxProperties", Takes::Count, Place::Options),
    applicator("allOf", Takes::Schemas(Always), Place::Everywhere),
    applicator("anyOf", Takes::Schemas(Sometimes), Place::Everywhere),
    applicator("oneOf", Takes::Schemas(Sometimes), Place::Everywhere),
    applicator("not", Takes::Schema(Sometimes), Place::Everywhere),
    applicator("if", Takes::Schema(Sometimes), Place::Everywhere),
    applicator("then", Takes::Schema(Sometimes), Place::Everywhere),
    applicator("else", Takes::Schema(Sometimes), Place::Everywhere),
];

/// The row of the keyword of that name.
pub fn find(name: &str) -> Option<&'static KeywordRow> {
    KEYWORDS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_has_one_row() {
        for row in KEYWORDS {
            assert_eq!(KEYWORDS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn the_validator_knows_every_format() {
        let options = jsonschema::options();
        for format in FORMATS {
            assert!(options.is_known_format(jsonschema::Draft::Draft202012, format), "{format}");
        }
    }
}
