//! Violations, and the one report that tells of all that a statement raises.

use crate::model::ObjectType;
use crate::rule::Mode;

/// What a violation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViolationKind {
    /// The value of an option does not satisfy the rule.
    InvalidValue,
    /// The option may not be there.
    InvalidName,
    /// An option that must be there is not.
    MissingOption,
    /// The change is of a kind that the rule does not allow.
    GovernedForm,
}

/// One object that violates one rule. It has no field for the value of an option; whatever of one may be shown is
/// part of the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: String,
    pub mode: Mode,
    pub kind: ViolationKind,
    pub object_type: ObjectType,
    /// The object's identity, the new one if it has one.
    pub identity: String,
    pub schema: Option<String>,
    pub relation: Option<String>,
    pub column: Option<String>,
    pub option: Option<String>,
    /// The rule's own message, or the generated sentence.
    pub message: String,
    /// The generated sentence that names rule, object and option.
    pub sentence: String,
    /// What is wrong, as a sentence.
    pub detail: String,
    pub hint: Option<String>,
    /// Of an object as it stands: the statement that would mend it, where it can be computed.
    pub fix: Option<String>,
}

/// What one error or warning says of any number of violations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub kind: ViolationKind,
    pub message: String,
    pub detail: String,
    pub hint: Option<String>,
    /// The first violation's rule, for the error's constraint-name field.
    pub rule: String,
    pub schema: Option<String>,
    pub relation: Option<String>,
    pub column: Option<String>,
}

/// Violations that a report lists after the first.
const LISTED: usize = 20;

/// One report of all the violations, `None` when there are none.
pub fn report(violations: &[Violation]) -> Option<Report> {
    let (first, rest) = violations.split_first()?;
    Some(Report {
        kind: first.kind,
        message: first.message.clone(),
        detail: detail(first, rest),
        hint: first.hint.clone(),
        rule: first.rule.clone(),
        schema: first.schema.clone(),
        relation: first.relation.clone(),
        column: first.column.clone(),
    })
}

fn detail(first: &Violation, rest: &[Violation]) -> String {
    let mut lines = Vec::new();
    if first.message != first.sentence {
        lines.push(capitalised(&first.sentence) + ".");
    }
    lines.push(first.detail.clone());
    lines.extend(rest.iter().take(LISTED).map(line));
    match rest.len().saturating_sub(LISTED) {
        0 => {}
        1 => lines.push("And 1 more violation.".to_owned()),
        more => lines.push(format!("And {more} more violations.")),
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// One violation in one line. A line break in a rule's own message would look like another violation.
fn line(violation: &Violation) -> String {
    let own = if violation.message == violation.sentence { String::new() } else { format!(": {}", violation.message) };
    let sentence = capitalised(&violation.sentence) + &own + ".";
    let detail = if violation.detail.is_empty() { String::new() } else { format!(" {}", violation.detail) };
    crate::secret::escaped(&(sentence + &detail))
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(number: usize) -> Violation {
        let sentence = format!("option \"o{number}\" of server \"foo\" violates rule \"r\"");
        Violation {
            rule: "r".to_owned(),
            mode: Mode::Deny,
            kind: ViolationKind::InvalidValue,
            object_type: ObjectType::Server,
            identity: "foo".to_owned(),
            schema: None,
            relation: None,
            column: None,
            option: Some(format!("o{number}")),
            message: sentence.clone(),
            sentence,
            detail: format!("Fact {number}."),
            hint: None,
            fix: None,
        }
    }

    #[test]
    fn nothing_to_report() {
        assert_eq!(report(&[]), None);
    }

    #[test]
    fn the_first_is_the_message_and_the_rest_are_lines() {
        let report = report(&[violation(1), violation(2)]).unwrap();
        assert_eq!(report.message, "option \"o1\" of server \"foo\" violates rule \"r\"");
        assert_eq!(report.detail, "Fact 1.\nOption \"o2\" of server \"foo\" violates rule \"r\". Fact 2.");
    }

    #[test]
    fn a_rules_own_message_leaves_the_object_to_the_detail() {
        let own = Violation { message: "call the platform team".to_owned(), ..violation(1) };
        let report = report(&[own]).unwrap();
        assert_eq!(report.message, "call the platform team");
        assert_eq!(report.detail, "Option \"o1\" of server \"foo\" violates rule \"r\".\nFact 1.");
    }

    #[test]
    fn at_most_twenty_are_listed_after_the_first() {
        for (count, lines, last) in
            [(21, 21, "Fact 20."), (22, 22, "And 1 more violation."), (30, 22, "And 9 more violations.")]
        {
            let violations: Vec<Violation> = (0..count).map(violation).collect();
            let detail = report(&violations).unwrap().detail;
            assert_eq!(detail.lines().count(), lines);
            assert!(detail.ends_with(last), "{detail}");
        }
    }

    #[test]
    fn a_rules_message_cannot_forge_a_line() {
        let own = Violation { message: "x\nOption \"y\" is fine.".to_owned(), ..violation(2) };
        assert_eq!(report(&[violation(1), own]).unwrap().detail.lines().count(), 2);
    }
}
