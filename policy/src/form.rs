//! The forms: kinds of change, in the words of PostgreSQL's reference pages, and the one table that says by which
//! change of which catalog attribute each is known.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

use crate::model::{Attribute, ObjectState, ObjectType};
use crate::suggest::unknown;

/// One kind of change. Its words stand in [`FORMS`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Form {
    Create,
    Drop,
    Options,
    OwnerTo,
    RenameTo,
    RenameColumn,
    SetSchema,
    Version,
    Handler,
    NoHandler,
    Validator,
    NoValidator,
    AddColumn,
    DropColumn,
    SetDataType,
    SetNotNull,
    DropNotNull,
    SetStatistics,
    SetAttributeOption,
    ResetAttributeOption,
    SetStorage,
}

/// One row of [`FORMS`].
#[derive(Debug)]
pub struct FormRow {
    pub form: Form,
    /// The words of the reference pages.
    pub name: &'static str,
    /// The object types whose rules can name the form.
    pub object_types: &'static [ObjectType],
}

use ObjectType::{ForeignDataWrapper, ForeignTable, ForeignTableColumn, Server};

const EVERYTHING: &[ObjectType] = &ObjectType::ALL;
const OWNED: &[ObjectType] = &[ForeignDataWrapper, Server, ForeignTable];
const WRAPPERS: &[ObjectType] = &[ForeignDataWrapper];
const SERVERS: &[ObjectType] = &[Server];
const TABLES: &[ObjectType] = &[ForeignTable];
/// What is done to a column is done to its table as well.
const COLUMNS: &[ObjectType] = &[ForeignTable, ForeignTableColumn];

const fn row(form: Form, name: &'static str, object_types: &'static [ObjectType]) -> FormRow {
    FormRow { form, name, object_types }
}

/// Every form, in the order of [`Form`].
pub const FORMS: &[FormRow] = &[
    row(Form::Create, "CREATE", EVERYTHING),
    row(Form::Drop, "DROP", EVERYTHING),
    row(Form::Options, "OPTIONS", EVERYTHING),
    row(Form::OwnerTo, "OWNER TO", OWNED),
    row(Form::RenameTo, "RENAME TO", OWNED),
    row(Form::RenameColumn, "RENAME COLUMN", COLUMNS),
    row(Form::SetSchema, "SET SCHEMA", TABLES),
    row(Form::Version, "VERSION", SERVERS),
    row(Form::Handler, "HANDLER", WRAPPERS),
    row(Form::NoHandler, "NO HANDLER", WRAPPERS),
    row(Form::Validator, "VALIDATOR", WRAPPERS),
    row(Form::NoValidator, "NO VALIDATOR", WRAPPERS),
    row(Form::AddColumn, "ADD COLUMN", TABLES),
    row(Form::DropColumn, "DROP COLUMN", TABLES),
    row(Form::SetDataType, "SET DATA TYPE", COLUMNS),
    row(Form::SetNotNull, "SET NOT NULL", COLUMNS),
    row(Form::DropNotNull, "DROP NOT NULL", COLUMNS),
    row(Form::SetStatistics, "SET STATISTICS", COLUMNS),
    row(Form::SetAttributeOption, "SET (attribute_option)", COLUMNS),
    row(Form::ResetAttributeOption, "RESET (attribute_option)", COLUMNS),
    row(Form::SetStorage, "SET STORAGE", COLUMNS),
];

impl Form {
    /// The words of PostgreSQL's reference pages.
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// The form that these words name, exactly as the pages spell it.
    pub fn from_name(name: &str) -> Option<Self> {
        FORMS.iter().find(|row| row.name == name).map(|row| row.form)
    }

    /// Whether a rule on this type of object can name the form.
    pub fn applies_to(self, object_type: ObjectType) -> bool {
        self.row().is_some_and(|row| row.object_types.contains(&object_type))
    }

    fn row(self) -> Option<&'static FormRow> {
        FORMS.iter().find(|row| row.form == self)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| Error::custom(unknown("form", &name, FORMS.iter().map(|row| row.name))))
    }
}

/// The form that the change of an attribute is, `None` when no ALTER makes such a change.
pub type FormOfChange = fn(ObjectType, Option<&str>, Option<&str>) -> Option<Form>;

/// One row of [`ATTRIBUTES`].
#[derive(Debug)]
pub struct AttributeRow {
    pub attribute: Attribute,
    /// The key under which the context document shows the attribute, given the object's type.
    pub key: fn(ObjectType) -> Option<&'static str>,
    pub form: FormOfChange,
}

/// Every attribute: where rules see it and which form its change is.
pub const ATTRIBUTES: &[AttributeRow] = &[
    AttributeRow { attribute: Attribute::Name, key: name_key, form: renaming },
    AttributeRow {
        attribute: Attribute::Schema,
        key: |t| on(t, ForeignTable, "schema"),
        form: |_, _, _| Some(Form::SetSchema),
    },
    AttributeRow { attribute: Attribute::Owner, key: owner_key, form: |_, _, _| Some(Form::OwnerTo) },
    AttributeRow {
        attribute: Attribute::Handler,
        key: |t| on(t, ForeignDataWrapper, "handler"),
        form: |_, _, new| Some(set_or_not(new, Form::Handler, Form::NoHandler)),
    },
    AttributeRow {
        attribute: Attribute::Validator,
        key: |t| on(t, ForeignDataWrapper, "validator"),
        form: |_, _, new| Some(set_or_not(new, Form::Validator, Form::NoValidator)),
    },
    AttributeRow {
        attribute: Attribute::Delegate,
        key: |t| on(t, ForeignDataWrapper, "delegate"),
        form: |_, _, _| None,
    },
    // Under the keys of a plain wrapper's own: rules and packs ask which functions do the work.
    AttributeRow {
        attribute: Attribute::DelegateHandler,
        key: |t| on(t, ForeignDataWrapper, "handler"),
        form: |_, _, _| None,
    },
    AttributeRow {
        attribute: Attribute::DelegateValidator,
        key: |t| on(t, ForeignDataWrapper, "validator"),
        form: |_, _, _| None,
    },
    AttributeRow { attribute: Attribute::Type, key: type_key, form: |_, _, _| Some(Form::SetDataType) },
    AttributeRow {
        attribute: Attribute::Version,
        key: |t| on(t, Server, "version"),
        form: |_, _, _| Some(Form::Version),
    },
    AttributeRow { attribute: Attribute::Collation, key: |_| None, form: |_, _, _| Some(Form::SetDataType) },
    AttributeRow {
        attribute: Attribute::NotNull,
        key: |_| None,
        form: |_, _, new| Some(set_or_not(new, Form::SetNotNull, Form::DropNotNull)),
    },
    AttributeRow { attribute: Attribute::Statistics, key: |_| None, form: |_, _, _| Some(Form::SetStatistics) },
    AttributeRow { attribute: Attribute::AttributeOptions, key: |_| None, form: attribute_options },
    AttributeRow { attribute: Attribute::Storage, key: |_| None, form: |_, _, _| Some(Form::SetStorage) },
];

fn on(object_type: ObjectType, wanted: ObjectType, key: &'static str) -> Option<&'static str> {
    (object_type == wanted).then_some(key)
}

fn name_key(object_type: ObjectType) -> Option<&'static str> {
    Some(if object_type == ObjectType::UserMapping { "role" } else { "name" })
}

fn owner_key(object_type: ObjectType) -> Option<&'static str> {
    matches!(object_type, Server | ForeignTable).then_some("owner")
}

fn type_key(object_type: ObjectType) -> Option<&'static str> {
    matches!(object_type, Server | ForeignTableColumn).then_some("type")
}

fn renaming(object_type: ObjectType, _: Option<&str>, _: Option<&str>) -> Option<Form> {
    Some(if object_type == ForeignTableColumn { Form::RenameColumn } else { Form::RenameTo })
}

fn set_or_not(new: Option<&str>, set: Form, not: Form) -> Form {
    if new.is_some() { set } else { not }
}

/// RESET only takes entries away; whatever adds or changes one is SET.
fn attribute_options(_: ObjectType, old: Option<&str>, new: Option<&str>) -> Option<Form> {
    let entries = |text: Option<&str>| -> BTreeSet<String> {
        text.unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let added = !entries(new).is_subset(&entries(old));
    Some(if added { Form::SetAttributeOption } else { Form::ResetAttributeOption })
}

/// The forms by which one state of an object became the other. A creation is CREATE and a drop DROP, whatever else
/// differs; an object that never was gives none.
pub fn forms_between(old: Option<&ObjectState>, new: Option<&ObjectState>) -> BTreeSet<Form> {
    match (old, new) {
        (None, None) => BTreeSet::new(),
        (None, Some(_)) => BTreeSet::from([Form::Create]),
        (Some(_), None) => BTreeSet::from([Form::Drop]),
        (Some(old), Some(new)) => changes(old, new),
    }
}

fn changes(old: &ObjectState, new: &ObjectState) -> BTreeSet<Form> {
    let object_type = new.object_type;
    let differing: &[AttributeRow] = if old.description == new.description { &[] } else { ATTRIBUTES };
    let attributes = differing.iter().filter_map(|row| {
        let (old, new) = (old.attribute(row.attribute), new.attribute(row.attribute));
        if old == new { None } else { (row.form)(object_type, old, new) }
    });
    let options = (old.options != new.options).then_some(Form::Options);
    attributes.chain(options).filter(|form| form.applies_to(object_type)).collect()
}

/// What a column's change is for its table: its forms, save that OPTIONS of a column are not the table's.
pub fn table_forms_of_column(old: Option<&ObjectState>, new: Option<&ObjectState>) -> BTreeSet<Form> {
    forms_between(old, new)
        .into_iter()
        .filter_map(|form| match form {
            Form::Create => Some(Form::AddColumn),
            Form::Drop => Some(Form::DropColumn),
            Form::Options => None,
            other => Some(other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state;

    fn column(attributes: &[(Attribute, &str)]) -> ObjectState {
        state(ForeignTableColumn, "c", &[]).with(attributes)
    }

    #[test]
    fn every_form_has_one_row_and_its_words_lead_back_to_it() {
        for row in FORMS {
            assert_eq!(FORMS.iter().filter(|other| other.form == row.form).count(), 1, "{}", row.name);
            assert_eq!(Form::from_name(row.name), Some(row.form));
            assert_eq!(row.form.name(), row.name);
        }
        assert_eq!(FORMS.len(), Form::SetStorage as usize + 1);
    }

    #[test]
    fn every_attribute_has_one_row() {
        assert_eq!(ATTRIBUTES.len(), Attribute::Storage as usize + 1);
        let distinct: BTreeSet<Attribute> = ATTRIBUTES.iter().map(|row| row.attribute).collect();
        assert_eq!(distinct.len(), ATTRIBUTES.len());
    }

    #[test]
    fn an_attribute_that_changes_is_its_form() {
        use Attribute::*;
        let cases: &[(Attribute, Option<&str>, Option<&str>, Form)] = &[
            (Name, Some("a"), Some("b"), Form::RenameColumn),
            (Type, Some("text"), Some("integer"), Form::SetDataType),
            (Collation, None, Some("C"), Form::SetDataType),
            (NotNull, None, Some("true"), Form::SetNotNull),
            (NotNull, Some("true"), None, Form::DropNotNull),
            (Statistics, Some("100"), Some("10"), Form::SetStatistics),
            (Storage, Some("plain"), Some("main"), Form::SetStorage),
            (AttributeOptions, None, Some("n_distinct=5"), Form::SetAttributeOption),
            (AttributeOptions, Some("n_distinct=5"), Some("n_distinct=6"), Form::SetAttributeOption),
            (AttributeOptions, Some("a=1, b=2"), Some("b=2"), Form::ResetAttributeOption),
            (AttributeOptions, Some("a=1"), None, Form::ResetAttributeOption),
        ];
        for &(attribute, old, new, form) in cases {
            let mut before = column(&[(Name, "c")]);
            let mut after = before.clone();
            before.attributes_mut().remove(&attribute);
            after.attributes_mut().remove(&attribute);
            before.attributes_mut().extend(old.map(|value| (attribute, value.to_owned())));
            after.attributes_mut().extend(new.map(|value| (attribute, value.to_owned())));
            assert_eq!(
                forms_between(Some(&before), Some(&after)),
                BTreeSet::from([form]),
                "{attribute:?} {old:?} {new:?}"
            );
            assert_eq!(table_forms_of_column(Some(&before), Some(&after)), BTreeSet::from([form]));
        }
    }

    #[test]
    fn a_wrapper_loses_its_handler_and_gains_a_validator() {
        let old = state(ForeignDataWrapper, "w", &[]).with(&[(Attribute::Handler, "h")]);
        let new = state(ForeignDataWrapper, "w", &[]).with(&[(Attribute::Validator, "v")]);
        assert_eq!(forms_between(Some(&old), Some(&new)), BTreeSet::from([Form::NoHandler, Form::Validator]));
    }

    #[test]
    fn columns_come_and_go_for_their_table() {
        let column = column(&[]);
        assert_eq!(forms_between(None, Some(&column)), BTreeSet::from([Form::Create]));
        assert_eq!(table_forms_of_column(None, Some(&column)), BTreeSet::from([Form::AddColumn]));
        assert_eq!(table_forms_of_column(Some(&column), None), BTreeSet::from([Form::DropColumn]));
        assert_eq!(table_forms_of_column(None, None), BTreeSet::new());
        let with_option = state(ForeignTableColumn, "c", &[("column_name", "x")]);
        assert_eq!(forms_between(Some(&column), Some(&with_option)), BTreeSet::from([Form::Options]));
        assert_eq!(table_forms_of_column(Some(&column), Some(&with_option)), BTreeSet::new());
    }

    #[test]
    fn the_type_of_a_server_cannot_be_altered_so_its_change_is_no_form() {
        let old = state(Server, "s", &[]).with(&[(Attribute::Type, "a")]);
        let new = state(Server, "s", &[]).with(&[(Attribute::Type, "b")]);
        assert_eq!(forms_between(Some(&old), Some(&new)), BTreeSet::new());
    }
}
