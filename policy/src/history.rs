//! What a history keeps of a change: a row for the object if it was made or dropped, and one for each attribute.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::change::{AttributeChange, Kind, ObjectChange};
use crate::form::{ATTRIBUTES, Form};
use crate::inside::NOT_NULL;
use crate::model::ObjectType;
use crate::secret::Shown;

/// One row. A secret's value has no place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// None for what no form names: a consequence of another change.
    pub form: Option<Form>,
    pub object_type: ObjectType,
    /// As it was known before the change.
    pub identity: String,
    /// As [`AttributeChange::attribute`] has it; None for the object as a whole.
    pub attribute: Option<String>,
    /// `create` or `drop` of an object, `add`, `set` or `drop` of an attribute.
    pub change: &'static str,
    pub old: Option<Shown>,
    pub new: Option<Shown>,
}

/// The rows for one object, given the forms by which it changed.
pub fn entries(change: &ObjectChange, forms: &BTreeSet<Form>) -> Vec<Entry> {
    let entry = |form, attribute, word, old, new| Entry {
        form,
        object_type: change.object_type,
        identity: change.identity.clone(),
        attribute,
        change: word,
        old,
        new,
    };
    let (whole, form_of_all) = match change.kind {
        Kind::Add => (Some("create"), made(forms, Form::Create)),
        Kind::Drop => (Some("drop"), made(forms, Form::Drop)),
        Kind::Set => (None, None),
    };
    let whole = whole.map(|word| entry(form_of_all, None, word, None, None));
    let attributes = change.attributes.iter().filter(|part| !is_told_by_column(part)).map(|part| {
        let form = form_of_all.or_else(|| form_of(change.object_type, part, forms));
        entry(form, Some(part.attribute.clone()), part.kind.name(), part.old.clone(), part.new.clone())
    });
    whole.into_iter().chain(attributes).collect()
}

/// From 18 on NOT NULL is a constraint too, which comes and goes with what its column says.
fn is_told_by_column(part: &AttributeChange) -> bool {
    let text = part.new.as_ref().or(part.old.as_ref()).and_then(Shown::text).unwrap_or_default();
    part.kind != Kind::Set && part.attribute.starts_with("constraint ") && text.starts_with(NOT_NULL)
}

/// A column may come with its table or be added to it.
fn made(forms: &BTreeSet<Form>, otherwise: Form) -> Option<Form> {
    let of_column = [Form::AddColumn, Form::DropColumn].into_iter().find(|form| forms.contains(form));
    Some(of_column.unwrap_or(otherwise))
}

/// The form that the change of one attribute is.
fn form_of(object_type: ObjectType, part: &AttributeChange, forms: &BTreeSet<Form>) -> Option<Form> {
    let kind = part.attribute.split_once(' ').map_or(part.attribute.as_str(), |(kind, _)| kind);
    match kind {
        "option" => Some(Form::Options),
        "parent" => Some(if part.kind == Kind::Add { Form::Inherit } else { Form::NoInherit }),
        "grant" => Some(if part.kind == Kind::Add { Form::Grant } else { Form::Revoke }),
        "constraint" => Some(form_of_constraint(part, forms)),
        "trigger" => TRIGGER.iter().copied().find(|form| forms.contains(form)),
        key => {
            let row = ATTRIBUTES.iter().find(|row| row.state_key == key)?;
            let text = |shown: &Option<Shown>| shown.as_ref().map(Shown::to_string);
            (row.forms)(object_type, text(&part.old).as_deref(), text(&part.new).as_deref()).first().copied()
        }
    }
}

/// The forms of which a trigger's change may be one.
const TRIGGER: [Form; 5] = [
    Form::DisableTrigger,
    Form::EnableTrigger,
    Form::EnableReplicaTrigger,
    Form::EnableAlwaysTrigger,
    Form::Other,
];

fn form_of_constraint(part: &AttributeChange, forms: &BTreeSet<Form>) -> Form {
    match part.kind {
        Kind::Add => Form::AddConstraint,
        Kind::Drop => Form::DropConstraint,
        Kind::Set if forms.contains(&Form::ValidateConstraint) => Form::ValidateConstraint,
        Kind::Set => Form::Other,
    }
}

impl Entry {
    /// The same as JSON, for a log line.
    pub fn to_json(&self) -> Value {
        let shown = |value: &Option<Shown>| value.as_ref().map(Shown::to_string);
        json!({
            "form": self.form.map(Form::name),
            "object_type": self.object_type.name(),
            "identity": self.identity,
            "attribute": self.attribute,
            "change": self.change,
            "old": shown(&self.old),
            "new": shown(&self.new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind, attributes: &[(&str, Kind, Option<&str>, Option<&str>)]) -> ObjectChange {
        let shown = |text: Option<&str>| text.map(|text| Shown::plain(text.to_owned()));
        let attributes = attributes.iter().map(|(attribute, kind, old, new)| AttributeChange {
            attribute: (*attribute).to_owned(),
            kind: *kind,
            old: shown(*old),
            new: shown(*new),
        });
        ObjectChange {
            object_type: ObjectType::ForeignTable,
            identity: "public.t".to_owned(),
            kind,
            attributes: attributes.collect(),
        }
    }

    fn told(change: &ObjectChange, forms: &[Form]) -> Vec<(Option<Form>, &'static str)> {
        let entries = entries(change, &forms.iter().copied().collect());
        entries.into_iter().map(|entry| (entry.form, entry.change)).collect()
    }

    #[test]
    fn what_is_made_or_dropped_is_a_row_of_its_own() {
        let option = ("option a", Kind::Add, None, Some("1"));
        let made = told(&change(Kind::Add, &[option]), &[Form::Create]);
        assert_eq!(made, [(Some(Form::Create), "create"), (Some(Form::Create), "add")]);
        let column = told(&change(Kind::Drop, &[]), &[Form::DropColumn]);
        assert_eq!(column, [(Some(Form::DropColumn), "drop")]);
    }

    #[test]
    fn what_is_not_null_is_told_by_its_column() {
        let came = ("constraint c", Kind::Add, None, Some("NOT NULL a"));
        let went = ("constraint c", Kind::Drop, Some("NOT NULL a"), None);
        assert_eq!(told(&change(Kind::Set, &[came, went]), &[]), []);
    }

    #[test]
    fn each_attribute_has_its_form() {
        let cases: &[(&str, Kind, Option<&str>, Option<&str>, &[Form], Option<Form>)] = &[
            ("option a", Kind::Set, Some("1"), Some("2"), &[], Some(Form::Options)),
            ("owner", Kind::Set, Some("a"), Some("b"), &[], Some(Form::OwnerTo)),
            ("schema", Kind::Set, Some("a"), Some("b"), &[], Some(Form::SetSchema)),
            ("name", Kind::Set, Some("a"), Some("b"), &[], Some(Form::RenameTo)),
            ("parent", Kind::Drop, Some("p"), None, &[], Some(Form::NoInherit)),
            ("grant", Kind::Add, None, Some("a=U/b"), &[], Some(Form::Grant)),
            ("constraint c", Kind::Add, None, Some("CHECK (a)"), &[], Some(Form::AddConstraint)),
            (
                "constraint c",
                Kind::Set,
                Some("CHECK (a) NOT VALID"),
                Some("CHECK (a)"),
                &[Form::ValidateConstraint],
                Some(Form::ValidateConstraint),
            ),
            ("trigger t", Kind::Set, Some("x"), Some("x DISABLE"), &[Form::DisableTrigger], Some(Form::DisableTrigger)),
            ("delegate", Kind::Set, Some("a"), Some("b"), &[], None),
        ];
        for (attribute, kind, old, new, forms, form) in cases {
            let told = told(&change(Kind::Set, &[(attribute, *kind, *old, *new)]), forms);
            assert_eq!(told, [(*form, kind.name())], "{attribute}");
        }
    }
}
