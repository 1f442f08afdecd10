//! What a history keeps of a change: a row for the object if it was made or dropped, and one for each attribute.

use serde_json::{Value, json};

use crate::change::{AttributeChange, Kind, ObjectChange};
use crate::form::{ATTRIBUTES, Form, Forms};
use crate::inside::NOT_NULL;
use crate::model::ObjectType;
use crate::rule::Rule;
use crate::secret::{Shown, escaped};

/// One row. A secret's value has no place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// None for what no form names: a consequence of another change.
    pub form: Option<Form>,
    /// PostgreSQL's own name of it, or [`RULE`].
    pub object_type: &'static str,
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
pub fn entries(change: &ObjectChange, forms: Forms) -> Vec<Entry> {
    let entry = |form, attribute, word, old, new| Entry {
        form,
        object_type: change.object_type.name(),
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
    let attributes = change.attributes.iter().filter(|part| !is_told_by_column(part, change)).map(|part| {
        let form = form_of_all.or_else(|| form_of(change.object_type, part, forms));
        entry(form, Some(part.attribute.clone()), part.kind.name(), part.old.clone(), part.new.clone())
    });
    whole.into_iter().chain(attributes).collect()
}

/// From 18 on NOT NULL is a constraint too, which comes and goes with what its column says, unless it gets another name.
fn is_told_by_column(part: &AttributeChange, change: &ObjectChange) -> bool {
    let Some(text) = not_null_of(part) else { return false };
    !change.attributes.iter().any(|other| other.kind != part.kind && not_null_of(other) == Some(text))
}

/// What a NOT NULL constraint says that comes or goes.
fn not_null_of(part: &AttributeChange) -> Option<&str> {
    let text = part.new.as_ref().or(part.old.as_ref()).and_then(Shown::text)?;
    let is_constraint = part.kind != Kind::Set && part.attribute.starts_with("constraint ");
    (is_constraint && text.starts_with(NOT_NULL)).then_some(text)
}

/// A column may come with its table or be added to it.
fn made(forms: Forms, otherwise: Form) -> Option<Form> {
    let of_column = [Form::AddColumn, Form::DropColumn].into_iter().find(|form| forms.contains(*form));
    Some(of_column.unwrap_or(otherwise))
}

/// The form that the change of one attribute is.
fn form_of(object_type: ObjectType, part: &AttributeChange, forms: Forms) -> Option<Form> {
    let kind = part.attribute.split_once(' ').map_or(part.attribute.as_str(), |(kind, _)| kind);
    match kind {
        "option" => Some(Form::Options),
        "parent" => Some(if part.kind == Kind::Add { Form::Inherit } else { Form::NoInherit }),
        "grant" => Some(if part.kind == Kind::Add { Form::Grant } else { Form::Revoke }),
        "constraint" => Some(form_of_constraint(part, forms)),
        "trigger" => TRIGGER.iter().copied().find(|form| forms.contains(*form)),
        key => {
            let row = ATTRIBUTES.iter().find(|row| row.state_key == key)?;
            let text = |shown: &Option<Shown>| shown.as_ref().map(Shown::to_string);
            (row.forms)(object_type, text(&part.old).as_deref(), text(&part.new).as_deref()).first().copied()
        }
    }
}

/// The forms of which a trigger's change may be one.
const TRIGGER: [Form; 5] =
    [Form::DisableTrigger, Form::EnableTrigger, Form::EnableReplicaTrigger, Form::EnableAlwaysTrigger, Form::Other];

fn form_of_constraint(part: &AttributeChange, forms: Forms) -> Form {
    match part.kind {
        Kind::Add => Form::AddConstraint,
        Kind::Drop => Form::DropConstraint,
        Kind::Set if forms.contains(Form::ValidateConstraint) => Form::ValidateConstraint,
        Kind::Set => Form::Other,
    }
}

/// What the history calls a rule.
pub const RULE: &str = "rule";

/// The rows for one rule of the table: for each field that differs, of one that is made or removed those that say
/// something. Schemas that may name the value of a secret are hidden.
pub fn rule_entries(old: Option<&Rule>, new: Option<&Rule>, hides: impl Fn(&Rule) -> bool) -> Vec<Entry> {
    let Some(known) = old.or(new) else { return Vec::new() };
    let entry = |attribute: Option<&str>, change, old, new| Entry {
        form: None,
        object_type: RULE,
        identity: escaped(&known.name),
        attribute: attribute.map(str::to_owned),
        change,
        old,
        new,
    };
    let whole = match (old, new) {
        (None, _) => Some(entry(None, "create", None, None)),
        (_, None) => Some(entry(None, "drop", None, None)),
        _ => None,
    };
    let silent = Rule::new("", known.object_type);
    let (before, after) = (old.unwrap_or(&silent), new.unwrap_or(&silent));
    let hidden = [before, after].map(hides);
    let shown =
        |text: Option<String>, hidden| text.map(|text| if hidden { Shown::hidden() } else { Shown::plain(&text) });
    let fields = fields(before).into_iter().zip(fields(after)).filter(|((_, old), (_, new))| old != new);
    let changed = fields.map(|((field, before), (_, after))| {
        let is_schema = matches!(field, "options" | "condition");
        let [hides_old, hides_new] = hidden.map(|hidden| hidden && is_schema);
        let before = shown(before.filter(|_| old.is_some()), hides_old);
        let after = shown(after.filter(|_| new.is_some()), hides_new);
        let kind = match (&before, &after) {
            (None, _) => Kind::Add,
            (_, None) => Kind::Drop,
            _ => Kind::Set,
        };
        entry(Some(field), kind.name(), before, after)
    });
    whole.into_iter().chain(changed).collect()
}

/// The fields of a rule as text, in the order of the table's columns; None for what says nothing.
fn fields(rule: &Rule) -> Vec<(&'static str, Option<String>)> {
    let list = |names: &[String]| (!names.is_empty()).then(|| names.join(", "));
    let forms: Vec<String> = rule.forms.iter().map(|form| form.name().to_owned()).collect();
    vec![
        ("name", Some(rule.name.clone()).filter(|name| !name.is_empty())),
        ("object_type", Some(rule.object_type.name().to_owned())),
        ("database", list(&rule.database)),
        ("wrapper", list(&rule.wrapper)),
        ("server", list(&rule.server)),
        ("role", list(&rule.role)),
        ("relation", list(&rule.relation)),
        ("column_name", list(&rule.column_name)),
        ("options", rule.options.clone()),
        ("condition", rule.condition.clone()),
        ("forms", list(&forms)),
        ("mode", Some(rule.mode.name().to_owned())),
        ("roles", list(&rule.roles)),
        ("except_roles", list(&rule.except_roles)),
        ("strict", Some(rule.strict.to_string())),
        ("at_use", Some(rule.at_use.clone())),
        ("max_age", rule.max_age.clone()),
        ("reuse_history", rule.reuse_history.map(|count| count.to_string())),
        ("pack", rule.pack.clone()),
        ("description", rule.description.clone()),
        ("message", rule.message.clone()),
        ("hint", rule.hint.clone()),
        ("trusted", Some(rule.trusted.to_string())),
    ]
}

impl Entry {
    /// The same as JSON, for a log line.
    pub fn to_json(&self) -> Value {
        let shown = |value: &Option<Shown>| value.as_ref().map(Shown::kept);
        json!({
            "form": self.form.map(Form::name),
            "object_type": self.object_type,
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
        let shown = |text: Option<&str>| text.map(Shown::plain);
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
        let entries = entries(change, forms.iter().copied().collect());
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
    fn of_a_rule_the_fields_that_say_something_are_told() {
        let rule = Rule { options: Some("{}".to_owned()), ..Rule::new("r", ObjectType::Server) };
        let other = Rule { mode: crate::rule::Mode::Warn, options: Some("true".to_owned()), ..rule.clone() };
        let told = |old: Option<&Rule>, new: Option<&Rule>, hides: bool| -> Vec<String> {
            let text = |value: &Option<Shown>| value.as_ref().map_or_else(|| "-".to_owned(), Shown::to_string);
            let entries = rule_entries(old, new, |_| hides);
            let line = |entry: &Entry| {
                let attribute = entry.attribute.as_deref().unwrap_or("-");
                format!("{} {attribute} {} {}", entry.change, text(&entry.old), text(&entry.new))
            };
            entries.iter().map(line).collect()
        };
        assert_eq!(told(None, Some(&rule), false), ["create - - -", "add name - r", "add options - {}"]);
        assert_eq!(told(Some(&rule), Some(&other), false), ["set options {} true", "set mode deny warn"]);
        assert_eq!(told(Some(&rule), Some(&other), true), ["set options *** ***", "set mode deny warn"]);
        assert_eq!(told(Some(&rule), None, false), ["drop - - -", "drop name r -", "drop options {} -"]);
        assert!(told(Some(&rule), Some(&rule), false).is_empty());
    }

    #[test]
    fn what_is_not_null_is_told_by_its_column() {
        let came = ("constraint c", Kind::Add, None, Some("NOT NULL a"));
        let went = ("constraint d", Kind::Drop, Some("NOT NULL b"), None);
        assert_eq!(told(&change(Kind::Set, &[came, went]), &[]), []);
    }

    #[test]
    fn what_is_not_null_under_another_name_is_told() {
        let came = ("constraint d", Kind::Add, None, Some("NOT NULL a"));
        let went = ("constraint c", Kind::Drop, Some("NOT NULL a"), None);
        assert_eq!(told(&change(Kind::Set, &[came, went]), &[]).len(), 2);
    }

    type Case = (&'static str, Kind, Option<&'static str>, Option<&'static str>, &'static [Form], Option<Form>);

    #[test]
    fn each_attribute_has_its_form() {
        let cases: &[Case] = &[
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
