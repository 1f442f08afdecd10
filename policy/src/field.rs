//! The fields of a rule: one table from which documents are read, checked and described.

use serde_json::Value;

use crate::model::ObjectType;

/// What a field's JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Text,
    ObjectType,
    Mode,
    AtUse,
    Boolean,
    Count,
    /// An array of patterns, for the object types of which the field says something.
    Patterns(&'static [ObjectType]),
    /// An array of names of roles.
    Names,
    Forms,
    Schema,
}

/// One row of [`FIELDS`].
#[derive(Debug)]
pub(crate) struct FieldRow {
    pub name: &'static str,
    pub kind: FieldKind,
    pub required: bool,
    pub description: &'static str,
}

const fn row(name: &'static str, kind: FieldKind, description: &'static str) -> FieldRow {
    FieldRow { name, kind, required: false, description }
}

const fn required(name: &'static str, kind: FieldKind, description: &'static str) -> FieldRow {
    FieldRow { name, kind, required: true, description }
}

use FieldKind::{AtUse, Boolean, Count, Forms, Mode, Names, Patterns, Schema, Text};
use ObjectType::{ForeignTable, ForeignTableColumn, Server, UserMapping};

/// Every field of a rule.
pub(crate) const FIELDS: &[FieldRow] = &[
    required("name", Text, "Unique name of the rule, shown in every message."),
    required("object_type", FieldKind::ObjectType, "The type of object that the rule is about."),
    row("database", Patterns(&ObjectType::ALL), "Databases in which the rule is in force."),
    row("wrapper", Patterns(&ObjectType::ALL), "Foreign-data wrappers, by their own name or their delegate's."),
    row("server", Patterns(&[Server, UserMapping, ForeignTable, ForeignTableColumn]), "Foreign servers."),
    row("role", Patterns(&[UserMapping]), "Roles whose user mappings are meant; public is the mapping for PUBLIC."),
    row("relation", Patterns(&[ForeignTable, ForeignTableColumn]), "Foreign tables, as table or schema.table."),
    row("column_name", Patterns(&[ForeignTableColumn]), "Columns of foreign tables."),
    row("options", Schema, "JSON Schema that the object's options, taken as one JSON object, must satisfy."),
    row("condition", Schema, "JSON Schema of the context document; the rule applies only where it is satisfied."),
    row("forms", Forms, "Kinds of change that violate the rule by themselves."),
    row("mode", Mode, "What a violation does."),
    row("roles", Names, "Roles whose members the rule binds; empty for everybody."),
    row("except_roles", Names, "Roles whose members the rule does not bind."),
    row("strict", Boolean, "Whether violations that were there before the change are raised as well."),
    row("at_use", AtUse, "What the rule does when the object is used."),
    row("max_age", Text, "Longest time that a secret may stay unchanged, such as 90 days or P90D."),
    row("reuse_history", Count, "How many former values a secret may not take again, at most 100."),
    row("pack", Text, "The rule pack that the rule came from."),
    row("description", Text, "What the rule is for; the hint of a violation when there is no other."),
    row("message", Text, "The message of a violation."),
    row("hint", Text, "The hint of a violation."),
];

/// The row of the field of that name.
pub(crate) fn find(name: &str) -> Option<&'static FieldRow> {
    FIELDS.iter().find(|row| row.name == name)
}

impl FieldKind {
    /// What a value of the field must be, when this one is of another kind. What the words in it mean is not looked at.
    pub(crate) fn mismatch(self, value: &Value) -> Option<&'static str> {
        let (fits, expected) = match self {
            Text | Self::ObjectType | Mode | AtUse => (value.is_string(), "a string"),
            Boolean => (value.is_boolean(), "true or false"),
            Count => {
                (value.as_i64().is_some_and(|n| (0..=i64::from(i32::MAX)).contains(&n)), "a whole number, not negative")
            }
            Patterns(_) | Names | Forms => (is_array_of_strings(value), "an array of strings"),
            Schema => (value.is_object(), "a JSON Schema, which is an object"),
        };
        (!fits).then_some(expected)
    }
}

fn is_array_of_strings(value: &Value) -> bool {
    value.as_array().is_some_and(|elements| elements.iter().all(Value::is_string))
}
