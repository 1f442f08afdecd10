//! The forms: kinds of change, in the words of PostgreSQL's reference pages, and the one table that says by which
//! change of which catalog attribute each is known.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use enumset::{EnumSet, EnumSetType};
use serde::de::{Deserialize, Deserializer, Error};

use crate::inside;
use crate::model::{Attribute, Attributes, ObjectState, ObjectType};
use crate::suggest::unknown;

/// One kind of change. Its words stand in [`FORMS`].
#[derive(EnumSetType, PartialOrd, Ord, Hash, Debug)]
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
    SetDefault,
    DropDefault,
    AddConstraint,
    ValidateConstraint,
    DropConstraint,
    DisableTrigger,
    EnableTrigger,
    EnableReplicaTrigger,
    EnableAlwaysTrigger,
    SetWithoutOids,
    Inherit,
    NoInherit,
    ImportForeignSchema,
    Grant,
    Revoke,
    Other,
}

/// Some of the forms.
pub type Forms = EnumSet<Form>;

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
const GRANTED: &[ObjectType] = &[ForeignDataWrapper, Server];
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
    row(Form::SetDefault, "SET DEFAULT", COLUMNS),
    row(Form::DropDefault, "DROP DEFAULT", COLUMNS),
    row(Form::AddConstraint, "ADD table_constraint", TABLES),
    row(Form::ValidateConstraint, "VALIDATE CONSTRAINT", TABLES),
    row(Form::DropConstraint, "DROP CONSTRAINT", TABLES),
    row(Form::DisableTrigger, "DISABLE TRIGGER", TABLES),
    row(Form::EnableTrigger, "ENABLE TRIGGER", TABLES),
    row(Form::EnableReplicaTrigger, "ENABLE REPLICA TRIGGER", TABLES),
    row(Form::EnableAlwaysTrigger, "ENABLE ALWAYS TRIGGER", TABLES),
    row(Form::SetWithoutOids, "SET WITHOUT OIDS", TABLES),
    row(Form::Inherit, "INHERIT", TABLES),
    row(Form::NoInherit, "NO INHERIT", TABLES),
    row(Form::ImportForeignSchema, "IMPORT FOREIGN SCHEMA", SERVERS),
    row(Form::Grant, "GRANT", GRANTED),
    row(Form::Revoke, "REVOKE", GRANTED),
    // What no page names: identity and generated columns; triggers made, dropped or renamed; constraints renamed.
    row(Form::Other, "OTHER", COLUMNS),
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

    /// Whether a statement that names the form does just that, if it does anything by it: of others the catalogs know
    /// better.
    pub fn is_what_it_says(self) -> bool {
        use Form::{Handler, NoHandler, NoValidator, Options, OwnerTo, SetSchema, SetWithoutOids, Validator, Version};
        matches!(
            self,
            Options | OwnerTo | SetSchema | Version | Handler | NoHandler | Validator | NoValidator | SetWithoutOids
        )
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

/// The forms that the change of an attribute is; none when no ALTER makes such a change.
pub type FormsOfChange = fn(ObjectType, Option<&str>, Option<&str>) -> Vec<Form>;

/// One row of [`ATTRIBUTES`].
#[derive(Debug)]
pub struct AttributeRow {
    pub attribute: Attribute,
    /// The key under which `table_state` shows the attribute.
    pub state_key: &'static str,
    /// The key under which the context document shows the attribute, given the object's type.
    pub key: fn(ObjectType) -> Option<&'static str>,
    pub forms: FormsOfChange,
}

const fn attribute(
    attribute: Attribute,
    state_key: &'static str,
    key: fn(ObjectType) -> Option<&'static str>,
    forms: FormsOfChange,
) -> AttributeRow {
    AttributeRow { attribute, state_key, key, forms }
}

/// Every attribute: where rules see it and which forms its change is.
pub const ATTRIBUTES: &[AttributeRow] = &[
    attribute(Attribute::Name, "name", name_key, renaming),
    attribute(Attribute::Schema, "schema", |t| on(t, ForeignTable, "schema"), |_, _, _| vec![Form::SetSchema]),
    attribute(Attribute::Owner, "owner", owner_key, |_, _, _| vec![Form::OwnerTo]),
    attribute(Attribute::Handler, "handler", no_key, |_, _, new| vec![set_or_not(new, Form::Handler, Form::NoHandler)]),
    attribute(Attribute::Validator, "validator", no_key, |_, _, new| {
        vec![set_or_not(new, Form::Validator, Form::NoValidator)]
    }),
    attribute(Attribute::HandlerName, "handler_name", |t| on(t, ForeignDataWrapper, "handler"), no_form),
    attribute(Attribute::ValidatorName, "validator_name", |t| on(t, ForeignDataWrapper, "validator"), no_form),
    attribute(Attribute::Delegate, "delegate", |t| on(t, ForeignDataWrapper, "delegate"), no_form),
    // Under the keys of a plain wrapper's own: rules and packs ask which functions do the work.
    attribute(Attribute::DelegateHandler, "delegate_handler", |t| on(t, ForeignDataWrapper, "handler"), no_form),
    attribute(Attribute::DelegateValidator, "delegate_validator", |t| on(t, ForeignDataWrapper, "validator"), no_form),
    attribute(Attribute::Type, "type", type_key, |_, _, _| vec![Form::SetDataType]),
    attribute(Attribute::Version, "version", |t| on(t, Server, "version"), |_, _, _| vec![Form::Version]),
    attribute(Attribute::Collation, "collation", no_key, |_, _, _| vec![Form::SetDataType]),
    attribute(Attribute::NotNull, "not_null", no_key, |_, _, new| {
        vec![set_or_not(new, Form::SetNotNull, Form::DropNotNull)]
    }),
    attribute(Attribute::Statistics, "statistics", no_key, |_, _, _| vec![Form::SetStatistics]),
    attribute(Attribute::AttributeOptions, "attribute_options", no_key, attribute_options),
    attribute(Attribute::Storage, "storage", no_key, |_, _, _| vec![Form::SetStorage]),
    attribute(Attribute::Default, "default", no_key, |_, _, new| {
        vec![set_or_not(new, Form::SetDefault, Form::DropDefault)]
    }),
    attribute(Attribute::Identity, "identity", no_key, |_, _, _| vec![Form::Other]),
    attribute(Attribute::Generated, "generated", no_key, |_, _, _| vec![Form::Other]),
    attribute(Attribute::Constraints, "constraints", no_key, |_, old, new| inside::constraint_forms(old, new)),
    attribute(Attribute::Triggers, "triggers", no_key, |_, old, new| inside::trigger_forms(old, new)),
    attribute(Attribute::Parents, "parents", no_key, |_, old, new| inside::parent_forms(old, new)),
    attribute(Attribute::Grants, "grants", no_key, |_, old, new| inside::grant_forms(old, new)),
];

fn no_key(_: ObjectType) -> Option<&'static str> {
    None
}

fn no_form(_: ObjectType, _: Option<&str>, _: Option<&str>) -> Vec<Form> {
    Vec::new()
}

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

fn renaming(object_type: ObjectType, _: Option<&str>, _: Option<&str>) -> Vec<Form> {
    vec![if object_type == ForeignTableColumn { Form::RenameColumn } else { Form::RenameTo }]
}

fn set_or_not(new: Option<&str>, set: Form, not: Form) -> Form {
    if new.is_some() { set } else { not }
}

/// RESET only takes entries away; whatever adds or changes one is SET.
fn attribute_options(_: ObjectType, old: Option<&str>, new: Option<&str>) -> Vec<Form> {
    let entries = |text: Option<&str>| -> BTreeSet<String> {
        text.unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let added = !entries(new).is_subset(&entries(old));
    vec![if added { Form::SetAttributeOption } else { Form::ResetAttributeOption }]
}

/// The forms by which one state of an object became the other. A creation is CREATE and a drop DROP, whatever else
/// differs; an object that never was gives none.
pub fn forms_between(old: Option<&ObjectState>, new: Option<&ObjectState>) -> Forms {
    match (old, new) {
        (None, None) => Forms::empty(),
        (None, Some(_)) => Forms::only(Form::Create),
        (Some(_), None) => Forms::only(Form::Drop),
        (Some(old), Some(new)) => changes(old, new),
    }
}

fn changes(old: &ObjectState, new: &ObjectState) -> Forms {
    let object_type = new.object_type;
    let options = (old.options != new.options).then_some(Form::Options).filter(|form| form.applies_to(object_type));
    let mut forms = if Rc::ptr_eq(&old.description, &new.description) {
        Forms::empty()
    } else {
        forms_of_attributes(object_type, &old.description.attributes, &new.description.attributes)
    };
    forms.extend(options);
    forms
}

/// The forms by which some attributes of an object became others.
pub fn forms_of_attributes(object_type: ObjectType, old: &Attributes, new: &Attributes) -> Forms {
    if old == new {
        return Forms::empty();
    }
    // A parent's triggers come with it, and go with it.
    let has_other_parents = old.get(&Attribute::Parents) != new.get(&Attribute::Parents);
    let counted = |attribute: Attribute, text: Option<&String>| match attribute {
        Attribute::Triggers if has_other_parents => inside::own_triggers(text.map(String::as_str)),
        _ => text.cloned(),
    };
    let of_row = |row: &AttributeRow| {
        let (old, new) = (old.get(&row.attribute), new.get(&row.attribute));
        if old == new {
            return Vec::new();
        }
        let (old, new) = (counted(row.attribute, old), counted(row.attribute, new));
        (row.forms)(object_type, old.as_deref(), new.as_deref())
    };
    ATTRIBUTES.iter().flat_map(of_row).filter(|form| form.applies_to(object_type)).collect()
}

/// Forms that expressions inside a table show although nobody has touched them: they name columns, tables and schemas.
pub const RENAMING: &[Form] = &[Form::RenameColumn, Form::RenameTo, Form::SetSchema];

/// The forms of a column that another form, of the column itself or of its table, has brought with it.
fn brought_by(form: Form) -> &'static [Form] {
    match form {
        // Another type has its own storage, and gives the default, or what generates the column, another cast.
        Form::SetDataType => &[Form::SetStorage, Form::SetDefault, Form::Other],
        renaming if RENAMING.contains(&renaming) => &[Form::SetDefault, Form::Other],
        _ => &[],
    }
}

/// Leaves out the forms that one of the others, or one of its table, has brought with it, unless the statement names them.
pub fn without_consequences(forms: Forms, of_table: Forms, names: impl Fn(Form) -> bool) -> Forms {
    let renaming = of_table.iter().filter(|form| RENAMING.contains(form));
    let brought: Forms = forms.iter().chain(renaming).flat_map(brought_by).copied().collect();
    forms.iter().filter(|form| !brought.contains(*form) || names(*form)).collect()
}

/// What a column's forms are for its table: the same, save that OPTIONS of a column are not the table's.
pub fn for_table(of_column: Forms) -> Forms {
    let for_table = |form: Form| match form {
        Form::Create => Some(Form::AddColumn),
        Form::Drop => Some(Form::DropColumn),
        Form::Options => None,
        other => Some(other),
    };
    of_column.iter().filter_map(for_table).collect()
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
        assert_eq!(FORMS.len(), Form::Other as usize + 1);
    }

    #[test]
    fn every_attribute_has_one_row() {
        assert_eq!(ATTRIBUTES.len(), Attribute::Grants as usize + 1);
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
            (Default, None, Some("1"), Form::SetDefault),
            (Default, Some("1"), Some("2"), Form::SetDefault),
            (Default, Some("1"), None, Form::DropDefault),
            (Identity, None, Some("ALWAYS"), Form::Other),
            (Generated, Some("(a + 1)"), None, Form::Other),
        ];
        for &(attribute, old, new, form) in cases {
            let mut before = column(&[(Name, "c")]);
            let mut after = before.clone();
            before.attributes_mut().remove(&attribute);
            after.attributes_mut().remove(&attribute);
            before.attributes_mut().extend(old.map(|value| (attribute, value.to_owned())));
            after.attributes_mut().extend(new.map(|value| (attribute, value.to_owned())));
            assert_eq!(forms_between(Some(&before), Some(&after)), Forms::only(form), "{attribute:?} {old:?} {new:?}");
            assert_eq!(for_table(forms_between(Some(&before), Some(&after))), Forms::only(form));
        }
    }

    #[test]
    fn what_another_form_brings_with_it_counts_only_if_it_is_named() {
        use Form::*;
        let set = |forms: &[Form]| forms.iter().copied().collect::<Forms>();
        let left = |forms: &[Form], of_table: &[Form], named: &[Form]| {
            without_consequences(set(forms), set(of_table), |form| named.contains(&form))
        };
        let type_and_more = [SetDataType, SetStorage, SetDefault, Other, SetNotNull];
        assert_eq!(left(&type_and_more, &[], &[]), set(&[SetDataType, SetNotNull]));
        assert_eq!(left(&type_and_more, &[], &[SetDefault]), set(&[SetDataType, SetDefault, SetNotNull]));
        assert_eq!(left(&[SetStorage, SetDefault], &[SetDataType], &[]), set(&[SetStorage, SetDefault]));
        for renaming in [RenameColumn, RenameTo, SetSchema] {
            assert_eq!(left(&[SetStorage, SetDefault, Other], &[renaming], &[]), set(&[SetStorage]));
        }
    }

    #[test]
    fn a_wrapper_loses_its_handler_and_gains_a_validator() {
        let old = state(ForeignDataWrapper, "w", &[]).with(&[(Attribute::Handler, "h")]);
        let new = state(ForeignDataWrapper, "w", &[]).with(&[(Attribute::Validator, "v")]);
        assert_eq!(forms_between(Some(&old), Some(&new)), Form::NoHandler | Form::Validator);
    }

    #[test]
    fn columns_come_and_go_for_their_table() {
        let column = column(&[]);
        assert_eq!(forms_between(None, Some(&column)), Forms::only(Form::Create));
        assert_eq!(for_table(forms_between(None, Some(&column))), Forms::only(Form::AddColumn));
        assert_eq!(for_table(forms_between(Some(&column), None)), Forms::only(Form::DropColumn));
        let with_option = state(ForeignTableColumn, "c", &[("column_name", "x")]);
        assert_eq!(forms_between(Some(&column), Some(&with_option)), Forms::only(Form::Options));
        assert_eq!(for_table(forms_between(Some(&column), Some(&with_option))), Forms::empty());
    }

    #[test]
    fn the_type_of_a_server_cannot_be_altered_so_its_change_is_no_form() {
        let old = state(Server, "s", &[]).with(&[(Attribute::Type, "a")]);
        let new = state(Server, "s", &[]).with(&[(Attribute::Type, "b")]);
        assert_eq!(forms_between(Some(&old), Some(&new)), Forms::empty());
    }
}
