//! What statements would do: as rows, and as a text that reads like a diff.

use std::fmt;

use crate::change::{AttributeChange, Kind, ObjectChange};
use crate::model::ObjectType;
use crate::rule::Mode;
use crate::secret::escaped;
use crate::violation::Violation;

/// What a finding means for the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The statement would be refused.
    Deny,
    Warn,
    Audit,
    /// The object violated the rule before, and the statement leaves that as it is: nothing would be raised.
    Standing,
    /// PostgreSQL itself refuses the statement.
    Error,
}

impl Verdict {
    /// Its word in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Audit => "audit",
            Self::Standing => "standing",
            Self::Error => "error",
        }
    }
}

/// A violation and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub violation: Violation,
}

impl Finding {
    /// Of a violation that the statement raises; None of a rule that is off. `denies` is false where rules of mode deny
    /// only warn.
    pub fn raised(violation: Violation, denies: bool) -> Option<Self> {
        let verdict = match violation.mode {
            Mode::Deny if denies => Verdict::Deny,
            Mode::Deny | Mode::Warn => Verdict::Warn,
            Mode::Audit => Verdict::Audit,
            Mode::Off => return None,
        };
        Some(Self { verdict, violation })
    }

    /// Of one that was there before.
    pub fn standing(violation: Violation) -> Self {
        Self { verdict: Verdict::Standing, violation }
    }
}

/// One statement of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// PostgreSQL's name of the kind of statement, such as `ALTER SERVER`.
    pub command: String,
    pub objects: Vec<ObjectChange>,
    pub findings: Vec<Finding>,
}

/// An error, nearly always PostgreSQL's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The statement that fails, counted from one; None if the text cannot be read.
    pub seq: Option<i32>,
    /// What PostgreSQL calls such a statement.
    pub command: Option<String>,
    /// Its five characters.
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The character of the text at which the fault is, counted from one.
    pub position: Option<i32>,
    /// It is not PostgreSQL that refuses the statement: no plan can be made of it.
    pub is_plans_own: bool,
}

/// What would come of the statements of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Those that were tried and did not fail.
    pub statements: Vec<Statement>,
    /// How many the text has.
    pub count: usize,
    pub failure: Option<Failure>,
    /// What would be found before commit, where rules are checked then.
    pub at_commit: Vec<Finding>,
}

/// One row: a change, a finding or an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The statement, counted from one; None of what no statement can be blamed for.
    pub seq: Option<i32>,
    pub object: Option<(ObjectType, String)>,
    /// None of a change of the object as such.
    pub attribute: Option<String>,
    pub change: Option<&'static str>,
    pub old: Option<String>,
    pub new: Option<String>,
    pub verdict: Option<Verdict>,
    pub rule: Option<String>,
    /// Of an error its SQLSTATE, its place and its message; what else there is in further lines.
    pub detail: Option<String>,
}

impl Plan {
    /// Whether a rule refuses a statement.
    pub fn is_denied(&self) -> bool {
        self.findings().any(|finding| finding.verdict == Verdict::Deny)
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.statements.iter().flat_map(|statement| &statement.findings).chain(&self.at_commit)
    }

    /// Row by row, in the order in which things happen.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (seq, statement) in (1..).zip(&self.statements) {
            rows.extend(statement.objects.iter().flat_map(|object| rows_of_object(seq, object)));
            rows.extend(statement.findings.iter().map(|finding| row_of_finding(Some(seq), finding)));
        }
        rows.extend(self.failure.as_ref().map(row_of_failure));
        rows.extend(self.at_commit.iter().map(|finding| row_of_finding(None, finding)));
        rows
    }

    /// Line by line, as a diff; the last line is the verdict. A text without a statement has no line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Lines::default();
        for (number, statement) in (1..).zip(&self.statements) {
            self.head(&mut lines, number, &statement.command);
            statement.tell(&mut lines);
        }
        if !self.at_commit.is_empty() {
            lines.add(0, "before commit");
            self.at_commit.iter().for_each(|finding| finding.tell(&mut lines));
        }
        if let Some(failure) = &self.failure {
            failure.command.iter().for_each(|command| self.head(&mut lines, self.statements.len() + 1, command));
            failure.tell(&mut lines);
        }
        if self.count > 0 || self.failure.is_some() {
            lines.add(0, &self.verdict());
        }
        lines.0
    }

    fn head(&self, lines: &mut Lines, number: usize, command: &str) {
        let number = if self.count > 1 { format!("{number}. ") } else { String::new() };
        lines.add(0, &format!("{number}{command}"));
    }

    fn verdict(&self) -> String {
        let tried = self.statements.len();
        let rules: Vec<&str> = self
            .findings()
            .filter(|finding| finding.verdict == Verdict::Deny)
            .map(|finding| finding.violation.rule.as_str())
            .collect();
        if let Some(failure) = &self.failure {
            if failure.is_plans_own {
                let of = if self.count > 1 {
                    format!("statement {} of {}", tried + 1, self.count)
                } else {
                    "the statement".to_owned()
                };
                return format!("No plan can be made of {of}.{}", self.not_tried(tried + 1));
            }
            let what =
                failure.seq.map_or_else(|| "The text cannot be read".to_owned(), |_| self.which("fails", tried + 1));
            return format!("{what}: PostgreSQL refuses it ({}).{}", failure.sqlstate, self.not_tried(tried + 1));
        }
        match rules.as_slice() {
            [] => format!("{}{}", self.which_all(), self.noted()),
            _ if !self.at_commit.is_empty() => format!("The commit is refused by {}.", named(&rules)),
            rules => format!("{} by {}.{}", self.which("is refused", tried), named(rules), self.not_tried(tried)),
        }
    }

    fn which(&self, what: &str, number: usize) -> String {
        if self.count > 1 {
            format!("Statement {number} of {} {what}", self.count)
        } else {
            format!("The statement {what}")
        }
    }

    fn which_all(&self) -> String {
        if self.count > 1 { format!("All {} statements pass", self.count) } else { "The statement passes".to_owned() }
    }

    fn not_tried(&self, last: usize) -> String {
        if last < self.count { " What follows was not tried.".to_owned() } else { String::new() }
    }

    /// What is said although nothing is refused.
    fn noted(&self) -> String {
        let count = |verdict| self.findings().filter(|finding| finding.verdict == verdict).count();
        let kinds =
            [(Verdict::Warn, "warning"), (Verdict::Audit, "line in the log"), (Verdict::Standing, "old violation")];
        let told = kinds.into_iter().filter_map(|(verdict, what)| match count(verdict) {
            0 => None,
            1 => Some(format!("1 {what}")),
            more if verdict == Verdict::Audit => Some(format!("{more} lines in the log")),
            more => Some(format!("{more} {what}s")),
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() { ".".to_owned() } else { format!(", with {}.", told.join(", ")) }
    }
}

/// Rules as a sentence names them, each once.
fn named(rules: &[&str]) -> String {
    let mut known: Vec<String> = Vec::new();
    for rule in rules.iter().map(|rule| format!("\"{}\"", escaped(rule))) {
        if !known.contains(&rule) {
            known.push(rule);
        }
    }
    format!("{} {}", if known.len() == 1 { "rule" } else { "rules" }, known.join(", "))
}

/// Without what only follows from a column's type when it is made or dropped.
fn telling(change: &ObjectChange) -> impl Iterator<Item = &AttributeChange> {
    let follows = |attribute: &AttributeChange| match attribute.attribute.as_str() {
        "storage" => true,
        "collation" => {
            [&attribute.old, &attribute.new].into_iter().flatten().all(|value| value.text() == Some("default"))
        }
        _ => false,
    };
    change.attributes.iter().filter(move |attribute| change.kind == Kind::Set || !follows(attribute))
}

fn rows_of_object(seq: i32, change: &ObjectChange) -> Vec<Row> {
    let object = Some((change.object_type, change.identity.clone()));
    let own = Row { seq: Some(seq), object, ..Row::default() };
    let whole = match change.kind {
        Kind::Add => Some("create"),
        Kind::Drop => Some("drop"),
        Kind::Set => None,
    };
    let whole = whole.map(|word| Row { change: Some(word), ..own.clone() });
    let attributes = telling(change).map(|attribute| Row {
        attribute: Some(attribute.attribute.clone()),
        change: Some(attribute.kind.name()),
        old: attribute.old.as_ref().map(ToString::to_string),
        new: attribute.new.as_ref().map(ToString::to_string),
        ..own.clone()
    });
    whole.into_iter().chain(attributes).collect()
}

fn row_of_finding(seq: Option<i32>, finding: &Finding) -> Row {
    let violation = &finding.violation;
    Row {
        seq,
        object: Some((violation.object_type, violation.identity.clone())),
        attribute: violation.option.as_ref().map(|option| AttributeChange::name_of_option(option)),
        verdict: Some(finding.verdict),
        rule: Some(violation.rule.clone()),
        detail: Some(in_a_column(&finding.detail())),
        ..Row::default()
    }
}

fn row_of_failure(failure: &Failure) -> Row {
    Row {
        seq: failure.seq,
        verdict: Some(Verdict::Error),
        detail: Some(in_a_column(&failure.to_string())),
        ..Row::default()
    }
}

/// A message as psql shows one.
fn told(message: &str, detail: Option<&str>, hint: Option<&str>) -> String {
    let line = |head: &str, text: Option<&str>| {
        text.filter(|text| !text.is_empty()).map(|text| format!("\n{head}:  {text}")).unwrap_or_default()
    };
    format!("{message}{}{}", line("DETAIL", detail), line("HINT", hint))
}

/// Lines no longer than a terminal is wide.
#[derive(Default)]
struct Lines(Vec<String>);

/// Two less than psql's line in a terminal of 120 columns.
const WIDTH: usize = 116;

/// Of what stands in a column beside others.
const DETAIL_WIDTH: usize = 60;

impl Lines {
    /// Adds a text, indented that many times; lines that go on are indented further.
    fn add(&mut self, indent: usize, text: &str) {
        self.fold("  ".repeat(indent), &"  ".repeat(indent + 2), WIDTH, text);
    }

    fn fold(&mut self, start: String, further: &str, width: usize, text: &str) {
        for line in text.lines() {
            let (mut current, start) = (start.clone(), start.chars().count());
            for word in line.split(' ') {
                let length = current.chars().count();
                if length > start + 4 && length + 1 + word.chars().count() > width {
                    self.0.push(std::mem::replace(&mut current, further.to_owned()));
                } else if length > start {
                    current.push(' ');
                }
                current.push_str(word);
            }
            self.0.push(current);
        }
    }
}

/// The text in lines that leave room for other columns, broken between words.
fn in_a_column(text: &str) -> String {
    let mut lines = Lines::default();
    lines.fold(String::new(), "  ", DETAIL_WIDTH, text);
    lines.0.join("\n")
}

impl Statement {
    fn tell(&self, lines: &mut Lines) {
        if self.objects.is_empty() {
            lines.add(1, "changes nothing");
        }
        self.objects.iter().for_each(|object| tell_object(object, lines));
        self.findings.iter().for_each(|finding| finding.tell(lines));
    }
}

const fn sign(kind: Kind) -> char {
    match kind {
        Kind::Add => '+',
        Kind::Set => '~',
        Kind::Drop => '-',
    }
}

fn tell_object(change: &ObjectChange, lines: &mut Lines) {
    lines.add(1, &format!("{} {} {}", sign(change.kind), change.object_type, change.identity));
    for attribute in telling(change) {
        lines.add(2, &line_of(attribute));
    }
}

fn line_of(change: &AttributeChange) -> String {
    let value = match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{old} -> {new}"),
        (old, new) => old.iter().chain(new).map(ToString::to_string).collect(),
    };
    format!("{} {}: {value}", sign(change.kind), change.attribute)
}

impl Finding {
    /// What is wrong. Object, option and rule are told beside it, so that it begins with what they do not say.
    fn detail(&self) -> String {
        let violation = &self.violation;
        let fact = if violation.detail.is_empty() { &violation.sentence } else { &violation.detail };
        if violation.message == violation.sentence {
            told(fact, None, violation.hint.as_deref())
        } else {
            told(&violation.message, Some(fact), violation.hint.as_deref())
        }
    }

    fn tell(&self, lines: &mut Lines) {
        let violation = &self.violation;
        let option = violation.option.iter().map(|option| format!(", {}", AttributeChange::name_of_option(option)));
        let object = format!("{} {}{}", violation.object_type, violation.identity, option.collect::<String>());
        lines.add(1, &format!("! {} {}: {object}", self.verdict.name(), escaped(&violation.rule)));
        lines.add(2, &self.detail());
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.position.map(|position| format!(" at character {position}")).unwrap_or_default();
        let text = told(&self.message, self.detail.as_deref(), self.hint.as_deref());
        write!(f, "{}{place}: {text}", self.sqlstate)
    }
}

impl Failure {
    fn tell(&self, lines: &mut Lines) {
        let text = format!("! error {self}");
        let (first, others) = text.split_once('\n').unwrap_or((&text, ""));
        lines.add(1, first);
        lines.add(2, others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Shown;
    use crate::violation::ViolationKind;

    fn violation(rule: &str, mode: Mode) -> Violation {
        let sentence = format!("option \"host\" of server \"far\" violates rule \"{rule}\"");
        Violation {
            rule: rule.to_owned(),
            mode,
            kind: ViolationKind::InvalidValue,
            object_type: ObjectType::Server,
            identity: "far".to_owned(),
            schema: None,
            relation: None,
            column: None,
            option: Some("host".to_owned()),
            message: sentence.clone(),
            sentence,
            detail: "The value \"b\" is not \"a\".".to_owned(),
            hint: None,
            fix: None,
        }
    }

    fn set(attribute: &str, old: &str, new: &str) -> AttributeChange {
        let value = |text: &str| (!text.is_empty()).then(|| Shown::plain(text));
        let kind = if old.is_empty() {
            Kind::Add
        } else if new.is_empty() {
            Kind::Drop
        } else {
            Kind::Set
        };
        AttributeChange { attribute: attribute.to_owned(), kind, old: value(old), new: value(new) }
    }

    fn server(kind: Kind, attributes: Vec<AttributeChange>) -> ObjectChange {
        ObjectChange { object_type: ObjectType::Server, identity: "far".to_owned(), kind, attributes }
    }

    fn statement(objects: Vec<ObjectChange>, findings: Vec<Finding>) -> Statement {
        Statement { command: "ALTER SERVER".to_owned(), objects, findings }
    }

    fn of(statements: Vec<Statement>, count: usize) -> Plan {
        Plan { statements, count, ..Plan::default() }
    }

    fn raised(mode: Mode) -> Vec<Finding> {
        Finding::raised(violation("r", mode), true).into_iter().collect()
    }

    #[test]
    fn a_change_and_its_verdict_are_rows() {
        let changes = vec![set("option host", "a", "b"), set("owner", "", "joe")];
        let plan = of(vec![statement(vec![server(Kind::Set, changes)], raised(Mode::Deny))], 1);
        assert!(plan.is_denied());
        let rows = plan.rows();
        let cells = |row: &Row| (row.attribute.clone(), row.change, row.verdict.map(Verdict::name), row.rule.clone());
        let host = Some("option host".to_owned());
        assert_eq!(
            rows.iter().map(cells).collect::<Vec<_>>(),
            [
                (host.clone(), Some("set"), None, None),
                (Some("owner".to_owned()), Some("add"), None, None),
                (host, None, Some("deny"), Some("r".to_owned())),
            ]
        );
        assert_eq!(rows[2].detail.as_deref(), Some("The value \"b\" is not \"a\"."));
        assert!(rows.iter().all(|row| row.seq == Some(1)));
    }

    #[test]
    fn what_is_made_or_dropped_has_a_row_of_its_own() {
        for (kind, word) in [(Kind::Add, "create"), (Kind::Drop, "drop")] {
            let rows = of(vec![statement(vec![server(kind, Vec::new())], Vec::new())], 1).rows();
            assert_eq!((rows.len(), rows[0].change, &rows[0].attribute), (1, Some(word), &None));
        }
        assert_eq!(of(vec![statement(vec![server(Kind::Set, Vec::new())], Vec::new())], 1).rows(), []);
    }

    #[test]
    fn a_text_reads_like_a_diff() {
        let changes = vec![set("option host", "a", "b"), set("option port", "", "1"), set("version", "9", "")];
        let plan = of(vec![statement(vec![server(Kind::Set, changes)], raised(Mode::Deny))], 1);
        assert_eq!(
            plan.lines(),
            [
                "ALTER SERVER",
                "  ~ server far",
                "    ~ option host: a -> b",
                "    + option port: 1",
                "    - version: 9",
                "  ! deny r: server far, option host",
                "    The value \"b\" is not \"a\".",
                "The statement is refused by rule \"r\".",
            ]
        );
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let last = |plan: &Plan| plan.lines().pop().unwrap_or_default();
        let quiet = || statement(Vec::new(), Vec::new());
        assert_eq!(of(Vec::new(), 0).lines(), [""; 0]);
        assert_eq!(last(&of(vec![quiet()], 1)), "The statement passes.");
        let noted = [raised(Mode::Warn), raised(Mode::Audit), vec![Finding::standing(violation("s", Mode::Deny))]];
        let noted = of(vec![quiet(), statement(Vec::new(), noted.concat())], 2);
        assert_eq!(last(&noted), "All 2 statements pass, with 1 warning, 1 line in the log, 1 old violation.");
        assert!(!noted.is_denied());
        let denied = of(vec![quiet(), statement(Vec::new(), raised(Mode::Deny))], 3);
        assert_eq!(last(&denied), "Statement 2 of 3 is refused by rule \"r\". What follows was not tried.");
        let at_commit = Plan { at_commit: raised(Mode::Deny), ..of(vec![quiet()], 1) };
        assert_eq!(last(&at_commit), "The commit is refused by rule \"r\".");
        let failure = Failure {
            seq: Some(2),
            command: Some("DROP SERVER".to_owned()),
            sqlstate: "42704".to_owned(),
            message: "server \"x\" does not exist".to_owned(),
            detail: None,
            hint: None,
            position: Some(7),
            is_plans_own: false,
        };
        let failed = Plan { failure: Some(failure.clone()), ..of(vec![quiet()], 2) };
        assert_eq!(last(&failed), "Statement 2 of 2 fails: PostgreSQL refuses it (42704).");
        let shown = ["2. DROP SERVER", "  ! error 42704 at character 7: server \"x\" does not exist"];
        assert!(failed.lines().windows(2).any(|lines| lines == shown), "{:#?}", failed.lines());
        let own = Some(Failure { is_plans_own: true, ..failure.clone() });
        let refused = Plan { failure: own.clone(), ..of(vec![quiet()], 3) };
        assert_eq!(last(&refused), "No plan can be made of statement 2 of 3. What follows was not tried.");
        assert_eq!(last(&Plan { failure: own, ..of(Vec::new(), 1) }), "No plan can be made of the statement.");
        let unread = Plan { failure: Some(Failure { seq: None, command: None, ..failure }), ..Plan::default() };
        assert_eq!(last(&unread), "The text cannot be read: PostgreSQL refuses it (42704).");
    }

    #[test]
    fn enforcement_makes_a_denial_a_warning() {
        let verdict = |mode, denies| Finding::raised(violation("r", mode), denies).map(|finding| finding.verdict);
        assert_eq!(verdict(Mode::Deny, false), Some(Verdict::Warn));
        assert_eq!(verdict(Mode::Audit, false), Some(Verdict::Audit));
        assert_eq!(verdict(Mode::Off, true), None);
    }

    #[test]
    fn a_rules_own_message_comes_first_and_its_hint_last() {
        let own =
            Violation { message: "call us".to_owned(), hint: Some("Do.".to_owned()), ..violation("r", Mode::Deny) };
        let detail = |violation| Finding::standing(violation).detail();
        assert_eq!(detail(own.clone()), "call us\nDETAIL:  The value \"b\" is not \"a\".\nHINT:  Do.");
        let bare = Violation { detail: String::new(), ..own };
        assert_eq!(detail(bare.clone()), format!("call us\nDETAIL:  {}\nHINT:  Do.", bare.sentence));
        assert_eq!(detail(Violation { message: bare.sentence.clone(), hint: None, ..bare.clone() }), bare.sentence);
    }

    #[test]
    fn what_follows_from_a_columns_type_is_not_told_of_a_new_one() {
        let attributes = |collation| vec![set("collation", "", collation), set("storage", "", "PLAIN")];
        let rows = |kind, collation| {
            let change = ObjectChange { attributes: attributes(collation), ..server(kind, Vec::new()) };
            of(vec![statement(vec![change], Vec::new())], 1).rows().len()
        };
        assert_eq!((rows(Kind::Add, "default"), rows(Kind::Add, "C"), rows(Kind::Set, "default")), (1, 2, 2));
    }

    #[test]
    fn long_texts_are_folded() {
        let long = Violation { detail: "word ".repeat(60), ..violation("r", Mode::Deny) };
        let findings = vec![Finding::standing(long)];
        let lines = of(vec![statement(Vec::new(), findings)], 1).lines();
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        assert_eq!(lines.join(" ").matches("word").count(), 60);
        let long =
            Violation { detail: "word ".repeat(60), hint: Some("Do so.".to_owned()), ..violation("r", Mode::Deny) };
        let rows = of(vec![statement(Vec::new(), vec![Finding::standing(long)])], 1).rows();
        let detail = rows[0].detail.clone().unwrap();
        assert!(detail.lines().all(|line| line.chars().count() <= DETAIL_WIDTH), "{detail}");
        assert_eq!(detail.matches("word").count(), 60);
        assert!(detail.ends_with("\nHINT:  Do so."), "{detail}");
    }
}
