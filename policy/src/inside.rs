//! What stands inside an object without being an object that rules know: the constraints, triggers and parents of a
//! foreign table, the grants on a wrapper or a server. Each kind is one attribute whose text is a JSON array.

use std::collections::{BTreeSet, HashMap};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::form::Form;
use crate::model::{Attribute, Attributes};

/// A constraint of a foreign table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Constraint {
    pub name: String,
    /// `CHECK (…)` or `NOT NULL column`.
    pub definition: String,
    /// False of one that was made NOT VALID.
    pub validated: bool,
}

/// A trigger of a foreign table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trigger {
    pub name: String,
    /// As `pg_get_triggerdef` gives it.
    pub definition: String,
    pub enabled: Enabled,
    /// It came from the table that this one is a partition of.
    pub inherited: bool,
}

/// When a trigger fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enabled {
    /// Unless `session_replication_role` is `replica`.
    Origin,
    /// Only if it is.
    Replica,
    Always,
    Disabled,
}

impl Enabled {
    /// By `tgenabled` of pg_trigger.
    pub fn from_catalog(letter: char) -> Self {
        match letter {
            'D' => Self::Disabled,
            'R' => Self::Replica,
            'A' => Self::Always,
            _ => Self::Origin,
        }
    }

    fn form(self) -> Form {
        match self {
            Self::Origin => Form::EnableTrigger,
            Self::Replica => Form::EnableReplicaTrigger,
            Self::Always => Form::EnableAlwaysTrigger,
            Self::Disabled => Form::DisableTrigger,
        }
    }
}

/// Elements as the text of an attribute, None for none.
pub fn to_attribute<T: Serialize>(elements: &[T]) -> Option<String> {
    if elements.is_empty() { None } else { serde_json::to_string(elements).ok() }
}

/// The triggers without those that come and go with a parent.
pub(crate) fn own_triggers(triggers: Option<&str>) -> Option<String> {
    let own: Vec<Trigger> = elements(triggers).into_iter().filter(|trigger: &Trigger| !trigger.inherited).collect();
    to_attribute(&own)
}

/// The attributes as they were before that trigger was made.
pub fn without_trigger(mut attributes: Attributes, name: &str) -> Attributes {
    let triggers: Vec<Trigger> = elements(attributes.get(&Attribute::Triggers).map(String::as_str));
    let others: Vec<Trigger> = triggers.into_iter().filter(|trigger| trigger.name != name).collect();
    attributes.remove(&Attribute::Triggers);
    attributes.extend(to_attribute(&others).map(|text| (Attribute::Triggers, text)));
    attributes
}

fn elements<T: DeserializeOwned>(attribute: Option<&str>) -> Vec<T> {
    attribute.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What constraints and triggers have in common.
trait Part: DeserializeOwned + Serialize {
    fn name(&self) -> &str;
    fn definition(&self) -> &str;
    fn redefine(&mut self, definition: &str);
    /// The form by which one of the same name became this one.
    fn forms_since(&self, old: &Self) -> Vec<Form>;
    fn form_of_adding(&self) -> Option<Form>;
    fn form_of_dropping(&self) -> Option<Form>;
}

impl Constraint {
    fn adds_to_its_column(&self) -> bool {
        self.definition.starts_with(NOT_NULL)
    }
}

/// How the definition of a NOT NULL constraint begins.
pub const NOT_NULL: &str = "NOT NULL ";

/// How the definition of a constraint ends that is there to be known only.
pub const NOT_ENFORCED: &str = " NOT ENFORCED";

impl Part for Constraint {
    fn name(&self) -> &str {
        &self.name
    }

    fn definition(&self) -> &str {
        &self.definition
    }

    fn redefine(&mut self, definition: &str) {
        definition.clone_into(&mut self.definition);
    }

    fn forms_since(&self, old: &Self) -> Vec<Form> {
        if self.definition != old.definition || (old.validated && !self.validated) {
            return old.form_of_dropping().into_iter().chain(self.form_of_adding()).collect();
        }
        if self.validated == old.validated { Vec::new() } else { vec![Form::ValidateConstraint] }
    }

    fn form_of_adding(&self) -> Option<Form> {
        (!self.adds_to_its_column()).then_some(Form::AddConstraint)
    }

    fn form_of_dropping(&self) -> Option<Form> {
        (!self.adds_to_its_column()).then_some(Form::DropConstraint)
    }
}

impl Part for Trigger {
    fn name(&self) -> &str {
        &self.name
    }

    fn definition(&self) -> &str {
        &self.definition
    }

    fn redefine(&mut self, definition: &str) {
        definition.clone_into(&mut self.definition);
    }

    fn forms_since(&self, old: &Self) -> Vec<Form> {
        let enabled = (self.enabled != old.enabled).then(|| self.enabled.form());
        let replaced = (self.definition != old.definition).then_some(Form::Other);
        enabled.into_iter().chain(replaced).collect()
    }

    fn form_of_adding(&self) -> Option<Form> {
        Some(Form::Other)
    }

    fn form_of_dropping(&self) -> Option<Form> {
        Some(Form::Other)
    }
}

pub(crate) fn constraint_forms(old: Option<&str>, new: Option<&str>) -> Vec<Form> {
    part_forms::<Constraint>(old, new)
}

pub(crate) fn trigger_forms(old: Option<&str>, new: Option<&str>) -> Vec<Form> {
    part_forms::<Trigger>(old, new)
}

/// What was inside a table as it would be told now, given what is inside it: where columns, tables or schemas were renamed,
/// or types changed, PostgreSQL tells what is still the same in other words.
pub fn retold(old: &Attributes, new: &Attributes) -> Attributes {
    let pair = |attribute| (old.get(&attribute).map(String::as_str), new.get(&attribute).map(String::as_str));
    let (constraints, triggers) = (pair(Attribute::Constraints), pair(Attribute::Triggers));
    let told = [
        (Attribute::Constraints, retold_parts::<Constraint>(constraints.0, constraints.1)),
        (Attribute::Triggers, retold_parts::<Trigger>(triggers.0, triggers.1)),
    ];
    let told = told.into_iter().filter_map(|(attribute, text)| Some((attribute, text?)));
    old.clone().into_iter().chain(told).collect()
}

fn retold_parts<P: Part>(old: Option<&str>, new: Option<&str>) -> Option<String> {
    let (mut old, new) = (elements::<P>(old), elements::<P>(new));
    let definitions: HashMap<&str, &str> = new.iter().map(|part| (part.name(), part.definition())).collect();
    for part in &mut old {
        if let Some(definition) = definitions.get(part.name()) {
            part.redefine(definition);
        }
    }
    to_attribute(&old)
}

/// Parts belong together by name; of what is left, an old and a new one of the same definition are one that was renamed.
fn part_forms<P: Part>(old: Option<&str>, new: Option<&str>) -> Vec<Form> {
    if old == new {
        return Vec::new();
    }
    let (old, new) = (elements::<P>(old), elements::<P>(new));
    let (before, now) = (by_name(&old), by_name(&new));
    let mut gone: Vec<&P> = old.iter().filter(|part| !now.contains_key(part.name())).collect();
    let mut forms = Vec::new();
    for part in &new {
        if let Some(before) = before.get(part.name()) {
            forms.extend(part.forms_since(before));
        } else if let Some(renamed) = gone.iter().position(|before| before.definition() == part.definition()) {
            gone.remove(renamed);
            forms.push(Form::Other);
        } else {
            forms.extend(part.form_of_adding());
        }
    }
    forms.extend(gone.iter().filter_map(|part| part.form_of_dropping()));
    forms
}

fn by_name<P: Part>(parts: &[P]) -> HashMap<&str, &P> {
    parts.iter().map(|part| (part.name(), part)).collect()
}

pub(crate) fn parent_forms(old: Option<&str>, new: Option<&str>) -> Vec<Form> {
    gained_and_lost(old, new, Form::Inherit, Form::NoInherit)
}

pub(crate) fn grant_forms(old: Option<&str>, new: Option<&str>) -> Vec<Form> {
    gained_and_lost(old, new, Form::Grant, Form::Revoke)
}

fn gained_and_lost(old: Option<&str>, new: Option<&str>, gained: Form, lost: Form) -> Vec<Form> {
    let set = |text| elements::<String>(text).into_iter().collect::<BTreeSet<_>>();
    let (old, new) = (set(old), set(new));
    let forms = [(!new.is_subset(&old)).then_some(gained), (!old.is_subset(&new)).then_some(lost)];
    forms.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(name: &str, definition: &str, validated: bool) -> Constraint {
        Constraint { name: name.to_owned(), definition: definition.to_owned(), validated }
    }

    fn forms(old: &[&Constraint], new: &[&Constraint]) -> Vec<Form> {
        constraint_forms(to_attribute(old).as_deref(), to_attribute(new).as_deref())
    }

    #[test]
    fn constraints_are_added_validated_renamed_and_dropped() {
        let (valid, not_valid) = (constraint("a", "CHECK (x > 0)", true), constraint("a", "CHECK (x > 0)", false));
        let renamed = constraint("b", "CHECK (x > 0)", true);
        let other = constraint("a", "CHECK (x > 1)", true);
        assert_eq!(forms(&[], &[&valid]), [Form::AddConstraint]);
        assert_eq!(forms(&[&valid], &[&valid]), [] as [Form; 0]);
        assert_eq!(forms(&[&not_valid], &[&valid]), [Form::ValidateConstraint]);
        assert_eq!(forms(&[&valid], &[&not_valid]), [Form::DropConstraint, Form::AddConstraint]);
        assert_eq!(forms(&[&valid], &[&other]), [Form::DropConstraint, Form::AddConstraint]);
        assert_eq!(forms(&[&valid], &[&renamed]), [Form::Other]);
        assert_eq!(forms(&[&valid, &renamed], &[&renamed]), [Form::DropConstraint]);
        assert_eq!(forms(&[&valid], &[]), [Form::DropConstraint]);
    }

    #[test]
    fn what_is_told_in_other_words_is_the_same() {
        let inside = |constraints: &[Constraint], enabled| {
            let definition = format!("{enabled:?}");
            let trigger = Trigger { name: "t".to_owned(), definition, enabled, inherited: false };
            [(Attribute::Constraints, to_attribute(constraints)), (Attribute::Triggers, to_attribute(&[trigger]))]
                .into_iter()
                .filter_map(|(attribute, text)| Some((attribute, text?)))
                .collect::<Attributes>()
        };
        let forms = |old: &Attributes, new: &Attributes| {
            let told = retold(old, new);
            let of = |attribute, forms: fn(Option<&str>, Option<&str>) -> Vec<Form>| {
                forms(told.get(&attribute).map(String::as_str), new.get(&attribute).map(String::as_str))
            };
            [of(Attribute::Constraints, constraint_forms), of(Attribute::Triggers, trigger_forms)].concat()
        };
        let (old, told) = (constraint("a", "CHECK (x > 0)", false), constraint("a", "CHECK (y > 0)", false));
        let (validated, other) = (constraint("a", "CHECK (y > 0)", true), constraint("b", "CHECK (y > 1)", true));
        let before = inside(&[old], Enabled::Origin);
        assert_eq!(forms(&before, &inside(&[told], Enabled::Origin)), [] as [Form; 0]);
        let after = inside(&[validated, other], Enabled::Always);
        assert_eq!(forms(&before, &after), [Form::ValidateConstraint, Form::AddConstraint, Form::EnableAlwaysTrigger]);
        assert_eq!(forms(&before, &inside(&[], Enabled::Origin)), [Form::DropConstraint]);
    }

    #[test]
    fn a_not_null_constraint_comes_and_goes_with_its_column() {
        let (valid, not_valid) = (constraint("n", "NOT NULL x", true), constraint("n", "NOT NULL x", false));
        assert_eq!(forms(&[], &[&valid]), [] as [Form; 0]);
        assert_eq!(forms(&[&not_valid], &[&valid]), [Form::ValidateConstraint]);
        assert_eq!(forms(&[&valid], &[]), [] as [Form; 0]);
    }

    #[test]
    fn a_trigger_is_enabled_in_four_ways() {
        let trigger = |name: &str, enabled| Trigger {
            name: name.to_owned(),
            definition: "d".to_owned(),
            enabled,
            inherited: name == "i",
        };
        let all = [
            ('O', Enabled::Origin, Form::EnableTrigger),
            ('D', Enabled::Disabled, Form::DisableTrigger),
            ('R', Enabled::Replica, Form::EnableReplicaTrigger),
            ('A', Enabled::Always, Form::EnableAlwaysTrigger),
        ];
        let between = |old: &[Trigger], new: &[Trigger]| {
            trigger_forms(to_attribute(old).as_deref(), to_attribute(new).as_deref())
        };
        for (_, before, _) in all {
            for (letter, after, form) in all {
                assert_eq!(Enabled::from_catalog(letter), after);
                let expected = if before == after { vec![] } else { vec![form] };
                assert_eq!(between(&[trigger("t", before)], &[trigger("t", after)]), expected);
            }
        }
        assert_eq!(between(&[], &[trigger("t", Enabled::Origin)]), [Form::Other]);
        assert_eq!(between(&[trigger("t", Enabled::Origin)], &[trigger("u", Enabled::Origin)]), [Form::Other]);
        assert_eq!(between(&[trigger("t", Enabled::Origin)], &[]), [Form::Other]);
        let both = to_attribute(&[trigger("t", Enabled::Origin), trigger("i", Enabled::Origin)]);
        let own = to_attribute(&[trigger("t", Enabled::Origin)]);
        assert_eq!(own_triggers(both.as_deref()), own);
        let attributes: Attributes = both.map(|text| (Attribute::Triggers, text)).into_iter().collect();
        assert_eq!(without_trigger(attributes.clone(), "i").remove(&Attribute::Triggers), own);
        let none = without_trigger(without_trigger(attributes, "i"), "t");
        assert!(none.is_empty());
    }

    #[test]
    fn parents_and_grants_come_and_go() {
        let some = |names: &[&str]| to_attribute(names);
        assert_eq!(parent_forms(None, some(&["p"]).as_deref()), [Form::Inherit]);
        assert_eq!(parent_forms(some(&["p", "q"]).as_deref(), some(&["q"]).as_deref()), [Form::NoInherit]);
        assert_eq!(parent_forms(some(&["p"]).as_deref(), some(&["q"]).as_deref()), [Form::Inherit, Form::NoInherit]);
        assert_eq!(grant_forms(some(&["a=U/o"]).as_deref(), some(&["a=U/o", "a=U*/o"]).as_deref()), [Form::Grant]);
        assert_eq!(grant_forms(some(&["a=U/o"]).as_deref(), None), [Form::Revoke]);
    }
}
