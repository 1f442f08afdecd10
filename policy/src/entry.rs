//! One rule of the policy, compiled when it is first needed.

use std::cell::OnceCell;

use crate::common::{Concern, Marks};
use crate::context::{EFFECTIVE, OLD, PARTS};
use crate::evaluate::{Change, Difference, Session};
use crate::form::Forms;
use crate::matcher::Matcher;
use crate::model::{ObjectType, Situation};
use crate::rule::{Rule, RuleError};
use crate::schema::CompiledSchema;
use crate::survey::Survey;

/// A rule and what has been made of it. A rule that is not valid matches whatever it could be about.
#[derive(Debug)]
pub(crate) struct Entry {
    pub rule: Rule,
    matcher: Result<Matcher, RuleError>,
    compiled: OnceCell<Result<Compiled, RuleError>>,
    looks_above: OnceCell<bool>,
    forms: Forms,
}

/// The schemas of a rule.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub options: Option<CompiledSchema>,
    pub condition: Option<CompiledSchema>,
}

impl Entry {
    pub(crate) fn new(rule: Rule) -> Self {
        let (matcher, forms) = (Matcher::new(&rule), rule.forms.iter().copied().collect());
        Self { matcher, rule, compiled: OnceCell::new(), looks_above: OnceCell::new(), forms }
    }

    pub(crate) fn matcher(&self) -> Option<&Matcher> {
        self.matcher.as_ref().ok()
    }

    pub(crate) fn binds(&self, session: &dyn Session) -> bool {
        self.matcher().is_none_or(|matcher| matcher.binds(session))
    }

    /// Those of the forms that the rule forbids.
    pub(crate) fn governed(&self, forms: Forms) -> Forms {
        self.forms & forms
    }

    /// Whether the rule is in force in that database, for whomever.
    pub(crate) fn is_for_database(&self, database: &str) -> bool {
        self.matcher().is_none_or(|matcher| matcher.is_for_database(database))
    }

    /// Whether an object can violate the rule by what it is. A rule that is not valid could be about anything.
    pub(crate) fn is_about_states(&self) -> bool {
        self.rule.options.is_some() || self.rule.max_age.is_some() || self.matcher.is_err()
    }

    /// Whether the rule is in force whatever the database and the role.
    pub(crate) fn is_in_force_everywhere(&self) -> bool {
        self.matcher().is_some_and(Matcher::is_for_every_database)
    }

    /// Whether the rule's patterns fit; the condition is another matter.
    pub(crate) fn matches(&self, situation: &Situation) -> bool {
        self.matcher().map_or(situation.object.object_type == self.rule.object_type, |it| it.matches(situation))
    }

    /// The rule's schemas, or what is wrong with the rule.
    pub(crate) fn compiled(&self) -> Result<&Compiled, &RuleError> {
        self.matcher.as_ref()?;
        self.compiled.get_or_init(|| self.compile()).as_ref()
    }

    /// Whether the change cannot concern the rule, whatever its patterns. Of a rule that nothing has matched yet, and that
    /// is not compiled therefore, nobody knows.
    pub(crate) fn is_unconcerned(&self, change: &Change, difference: &Difference<'_>) -> bool {
        let compiled = self.compiled.get().and_then(|compiled| compiled.as_ref().ok());
        compiled.is_some_and(|compiled| compiled.sees_no_difference(&self.rule, change, difference))
            && self.governed(change.forms).is_empty()
    }

    /// What the rule minds. Of one that nothing has matched yet, and that is not compiled therefore, nobody knows.
    pub(crate) fn concern(&self) -> Option<Concern> {
        let concern = match self.compiled.get()? {
            Ok(compiled) if !self.rule.strict && compiled.condition.is_none() => {
                let options = compiled.options.as_ref().map_or(Marks::NONE, CompiledSchema::marks);
                Concern { options, forms: self.forms }
            }
            _ => Concern { options: Marks::ALL, forms: self.forms },
        };
        Some(concern)
    }

    /// Whether what the rule says of the secrecy of options can differ between objects on the same server.
    pub(crate) fn tells_apart(&self) -> bool {
        let looks_at_object = self.matcher().is_some_and(Matcher::looks_below_server);
        match self.compiled() {
            Ok(compiled) if compiled.survey_of_secrecy().is_none() => false,
            Ok(compiled) => looks_at_object || (self.rule.trusted && compiled.condition.is_some()),
            Err(_) => looks_at_object,
        }
    }

    fn compile(&self) -> Result<Compiled, RuleError> {
        Ok(Compiled { options: self.rule.compile_options()?, condition: self.rule.compile_condition()? })
    }

    /// Whether the rule depends on the state of what is above its object.
    pub(crate) fn looks_at(&self, above: ObjectType) -> bool {
        let (Some(matcher), Ok(compiled)) = (self.matcher(), self.compiled()) else { return true };
        if self.rule.object_type <= above {
            return false;
        }
        let condition = compiled.condition.as_ref().map(|condition| &condition.survey().parts);
        matcher.looks_at_name_of(above)
            || condition.is_some_and(|parts| {
                let key = PARTS.iter().find(|(object_type, _)| *object_type == above).map(|(_, key)| *key);
                [key, Some(EFFECTIVE), Some(OLD)].iter().flatten().any(|key| parts.contains(*key))
            })
    }

    /// Whether the rule depends on anything above its object.
    pub(crate) fn looks_above(&self) -> bool {
        *self.looks_above.get_or_init(|| ObjectType::ALL.into_iter().any(|above| self.looks_at(above)))
    }
}

impl Compiled {
    /// What the rule says of options, if it says of any whether it is a secret.
    pub(crate) fn survey_of_secrecy(&self) -> Option<&Survey> {
        let survey = self.options.as_ref()?.survey();
        let says = survey.annotations.values().any(|annotation| annotation.write_only.is_some());
        (says || !survey.secret_patterns.is_empty()).then_some(survey)
    }

    /// Whether nothing differs that the schemas look at, so that they are violated now if and only if they were before.
    pub(crate) fn sees_no_difference(&self, rule: &Rule, change: &Change, difference: &Difference<'_>) -> bool {
        let all = rule.strict && change.touched;
        let looks_at_any =
            |changed: &Vec<&str>| self.options.as_ref().is_some_and(|schema| schema.looks_at_any(changed));
        !all && self.condition.is_none() && difference.changed_options.as_ref().is_some_and(|it| !looks_at_any(it))
    }
}
