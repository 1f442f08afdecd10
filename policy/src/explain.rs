//! The texts of violations. Whatever of a value stands in one has come through [`Secrecy::show`].
//!
//! [`Secrecy::show`]: crate::secret::Secrecy::show

use serde_json::Value;

use crate::ddl::{OptionAction, alter, clause_without_value, options_clause};
use crate::evaluate::Change;
use crate::fault::{Fault, FaultKind};
use crate::form::Form;
use crate::model::{Attribute, ObjectType, Situation};
use crate::rule::{Mode, Rule, RuleError};
use crate::schema::CompiledSchema;
use crate::secret::escaped;
use crate::survey::Annotation;
use crate::view::View;
use crate::violation::{Violation, ViolationKind};

/// The object as a message names it: `server "foo"`.
fn describe(situation: &Situation) -> String {
    let name = |object_type| situation.part(object_type).map(|part| escaped(part.name())).unwrap_or_default();
    let own = escaped(situation.object.name());
    match situation.object.object_type {
        ObjectType::UserMapping if own == "public" => {
            format!("user mapping for PUBLIC on server \"{}\"", name(ObjectType::Server))
        }
        ObjectType::UserMapping => format!("user mapping for \"{own}\" on server \"{}\"", name(ObjectType::Server)),
        ObjectType::ForeignTableColumn => {
            format!("column \"{own}\" of foreign table \"{}\"", name(ObjectType::ForeignTable))
        }
        object_type => format!("{object_type} \"{own}\""),
    }
}

/// A violation of which the text is still to be said.
fn violation(rule: &Rule, view: &View<'_>, kind: ViolationKind, sentence: String, detail: String) -> Violation {
    let situation = view.situation;
    let table = situation.part(ObjectType::ForeignTable);
    let is_column = situation.object.object_type == ObjectType::ForeignTableColumn;
    Violation {
        rule: rule.name.clone(),
        mode: rule.mode,
        kind,
        object_type: situation.object.object_type,
        identity: situation.object.identity().to_owned(),
        schema: table.and_then(|table| table.attribute(Attribute::Schema)).map(str::to_owned),
        relation: table.map(|table| table.name().to_owned()),
        column: is_column.then(|| situation.object.name().to_owned()),
        option: None,
        message: rule.message.clone().unwrap_or_else(|| sentence.clone()),
        sentence,
        detail,
        hint: rule.hint.clone().or_else(|| rule.description.clone()),
        fix: None,
    }
}

/// The rule forbids the change by itself.
pub(crate) fn governed_form(rule: &Rule, form: Form, view: &View<'_>) -> Violation {
    let sentence = format!("rule \"{}\" does not allow {form} on {}", rule.name, describe(view.situation));
    let detail = match form {
        Form::Other => {
            "OTHER is what no reference page of foreign data names: identity and generated columns, triggers that are \
             made, dropped or renamed, constraints that are renamed or altered."
        }
        _ => "",
    };
    violation(rule, view, ViolationKind::GovernedForm, sentence, detail.to_owned())
}

/// The object would get a name that the rule's patterns do not fit.
pub(crate) fn leaving(rule: &Rule, view: &View<'_>) -> Violation {
    let sentence = format!("rule \"{}\" would no longer bind {}", rule.name, describe(view.situation));
    let detail = "A rename must not take anything out of the patterns of a rule that binds it.".to_owned();
    violation(rule, view, ViolationKind::GovernedForm, sentence, detail)
}

/// The rule cannot be read, so that nobody knows what it would allow.
pub(crate) fn invalid_rule(rule: &Rule, error: &RuleError, view: &View<'_>) -> Violation {
    let sentence = format!("rule \"{}\" is not valid, so {} cannot be checked", rule.name, describe(view.situation));
    let detail = format!("The fault is in {error}.");
    let hint = Some("Mend the rule or switch it off.".to_owned());
    let message = sentence.clone();
    Violation { hint, message, ..violation(rule, view, ViolationKind::GovernedForm, sentence, detail) }
}

fn violates(rule: &Rule, view: &View<'_>, option: &str) -> String {
    format!("option \"{}\" of {} violates rule \"{}\"", escaped(option), describe(view.situation), rule.name)
}

/// The value of a secret, of which the detail tells no more than it may.
pub(crate) fn of_secret(rule: &Rule, view: &View<'_>, option: &str, detail: String) -> Violation {
    let violation = violation(rule, view, ViolationKind::InvalidValue, violates(rule, view, option), detail);
    Violation { option: Some(option.to_owned()), ..violation }
}

/// What the texts about one object and one rule are made of.
pub(crate) struct Explainer<'a> {
    pub rule: &'a Rule,
    pub schema: &'a CompiledSchema,
    pub change: &'a Change,
    pub view: &'a View<'a>,
}

impl Explainer<'_> {
    /// An option, or several together, do not satisfy the rule; `all` is everything that does not.
    pub(crate) fn fault(&self, fault: &Fault, all: &[Fault]) -> Violation {
        let kind = match fault.kind {
            FaultKind::Missing => ViolationKind::MissingOption,
            FaultKind::NotAllowed | FaultKind::Unexpected { .. } => ViolationKind::InvalidName,
            _ => ViolationKind::InvalidValue,
        };
        let violation = violation(self.rule, self.view, kind, self.sentence(fault), self.detail(fault));
        let fix = self.is_standing().then(|| self.fix(fault, all)).flatten();
        Violation { option: fault.option.clone(), hint: self.hint(fault), fix, ..violation }
    }

    /// Whether it is the object as it is that is asked about, and no change of it.
    fn is_standing(&self) -> bool {
        self.change.old.is_none() && self.change.forms.is_empty()
    }

    /// The option is set although it is deprecated.
    pub(crate) fn deprecated(&self, option: &str) -> Violation {
        let object = describe(self.view.situation);
        let sentence =
            format!("option \"{}\" of {object} is deprecated by rule \"{}\"", escaped(option), self.rule.name);
        let mode = if self.rule.mode == Mode::Deny { Mode::Warn } else { self.rule.mode };
        let message = sentence.clone();
        let violation = violation(self.rule, self.view, ViolationKind::InvalidName, sentence, String::new());
        let hint = self.rule.hint.clone().or_else(|| self.said_of(option)).or(violation.hint);
        Violation { mode, message, hint, option: Some(option.to_owned()), ..violation }
    }

    /// The option is changed or dropped although it may be set only once.
    pub(crate) fn read_only(&self, option: &str) -> Violation {
        let detail = "The option may be set once, and then neither changed nor dropped.".to_owned();
        let violation = violation(self.rule, self.view, ViolationKind::InvalidValue, self.violates(option), detail);
        Violation { option: Some(option.to_owned()), ..violation }
    }

    fn violates(&self, option: &str) -> String {
        violates(self.rule, self.view, option)
    }

    fn sentence(&self, fault: &Fault) -> String {
        let (object, rule) = (describe(self.view.situation), &self.rule.name);
        match (&fault.option, &fault.kind) {
            (Some(option), FaultKind::Missing) => {
                format!("{object} lacks option \"{}\", which rule \"{rule}\" requires", escaped(option))
            }
            (Some(option), _) => self.violates(option),
            (None, _) => format!("options of {object} violate rule \"{rule}\""),
        }
    }

    fn detail(&self, fault: &Fault) -> String {
        let Some(option) = fault.option.as_deref() else { return fault.of_secret() };
        if matches!(fault.kind, FaultKind::Missing) {
            // The sentence has said it.
            return String::new();
        }
        let value = self.view.situation.object.options.get(option);
        let shown = value.filter(|_| !self.change.unseen).map(|value| self.view.secrecy().show(option, value));
        match shown.as_ref().and_then(|shown| shown.text()) {
            Some(text) => fault.of_value(text),
            None => fault.of_secret(),
        }
    }

    fn hint(&self, fault: &Fault) -> Option<String> {
        let perhaps = match &fault.kind {
            FaultKind::Unexpected { perhaps: Some(name) } => Some(format!("Perhaps you meant the option \"{name}\".")),
            _ => None,
        };
        let about = || fault.option.as_deref().and_then(|option| self.said_of(option));
        let said = perhaps.or_else(about).or_else(|| self.rule.description.clone());
        let mend = || self.mend(fault).filter(|_| !self.is_standing());
        self.rule.hint.clone().or_else(|| two_sentences(said, mend()))
    }

    /// What the schema says of the option.
    fn said_of(&self, option: &str) -> Option<String> {
        self.schema.survey().annotations.get(option)?.description.as_deref().map(escaped)
    }

    /// The statement that would mend the fault, where it can be known. The statement at hand will be undone, so it is
    /// the old state that would be altered.
    fn mend(&self, fault: &Fault) -> Option<String> {
        let option = fault.option.as_deref()?;
        let existing = self.change.old.as_ref();
        let is_set = existing.is_some_and(|situation| situation.object.options.get(option).is_some());
        let value = self.value_that_satisfies(option);
        let action = match (&fault.kind, existing, value.as_deref()) {
            (FaultKind::NotAllowed | FaultKind::Unexpected { .. }, Some(_), _) if is_set => OptionAction::Drop,
            (FaultKind::NotAllowed | FaultKind::Unexpected { .. }, _, _) => return None,
            (_, None, Some(value)) => OptionAction::Give(value),
            (_, Some(_), Some(value)) if is_set => OptionAction::Set(value),
            (_, Some(_), Some(value)) => OptionAction::Add(value),
            (_, _, None) => return None,
        };
        let clause = options_clause(option, action);
        let statement = existing.map_or(Some(String::new()), |situation| Some(alter(situation)? + " "))?;
        Some(format!("Use {statement}{clause}."))
    }

    /// A value that the schema itself suggests and accepts.
    fn value_that_satisfies(&self, option: &str) -> Option<String> {
        if self.view.secrecy().is_secret(option) {
            return None;
        }
        let suggestions = self.schema.survey().annotations.get(option)?.suggestions.values();
        let satisfies = |value: &&String| {
            let mut options = self.view.options(self.rule.trusted).clone();
            if let Some(options) = options.as_object_mut() {
                options.insert(option.to_owned(), Value::from(value.as_str()));
            }
            self.schema.faults(&options).iter().all(|fault| fault.option.as_deref() != Some(option))
        };
        suggestions.into_iter().find(satisfies).cloned()
    }

    /// The statement that would mend one fault of an object as it stands. A secret's value is for its reader to put in.
    fn fix(&self, fault: &Fault, all: &[Fault]) -> Option<String> {
        let option = fault.option.as_deref()?;
        let is_set = self.view.situation.object.options.get(option).is_some();
        let clause = match fault.kind {
            FaultKind::NotAllowed | FaultKind::Unexpected { .. } if is_set && self.mends(option, None, all) => {
                options_clause(option, OptionAction::Drop)
            }
            FaultKind::NotAllowed | FaultKind::Unexpected { .. } => return None,
            _ if self.view.secrecy().is_secret(option) => clause_without_value(option, is_set),
            _ => {
                let value = self.values_for(fault, option).find(|value| self.mends(option, Some(value), all))?;
                options_clause(option, if is_set { OptionAction::Set(value) } else { OptionAction::Add(value) })
            }
        };
        let statement = format!("{} {clause}", alter(self.view.situation)?);
        // A name that cannot be shown as it is would be another one in the statement.
        (escaped(&statement) == statement).then_some(statement)
    }

    /// Values that may mend a fault: of a number out of bounds the nearest within, and what the schema leaves as the only
    /// value or says is the default. Examples are no more than that.
    fn values_for<'f>(&'f self, fault: &'f Fault, option: &str) -> impl Iterator<Item = &'f str> {
        let bound = match &fault.kind {
            FaultKind::LessThan(limit) | FaultKind::GreaterThan(limit) => Some(limit),
            _ => None,
        };
        let annotation = self.schema.survey().annotations.get(option);
        let said = annotation.into_iter().flat_map(|annotation| &annotation.suggestions);
        let meant = said.filter(|(rank, _)| **rank != Annotation::EXAMPLE).map(|(_, value)| value);
        bound.into_iter().chain(meant).map(String::as_str)
    }

    /// Whether the option with that value, or without one gone, violates the rule no longer, and nothing else does so
    /// that did not before.
    fn mends(&self, option: &str, value: Option<&str>, all: &[Fault]) -> bool {
        let mut options = self.view.options(self.rule.trusted).clone();
        if let Some(options) = options.as_object_mut() {
            match value {
                Some(value) => drop(options.insert(option.to_owned(), Value::from(value))),
                None => drop(options.remove(option)),
            }
        }
        let left = self.schema.faults(&options);
        left.iter().all(|fault| fault.option.as_deref() != Some(option) && all.contains(fault))
    }
}

fn two_sentences(first: Option<String>, second: Option<String>) -> Option<String> {
    let (Some(first), Some(second)) = (&first, &second) else { return first.or(second) };
    let end = if first.ends_with(['.', '!', '?']) { "" } else { "." };
    Some(format!("{first}{end} {second}"))
}
