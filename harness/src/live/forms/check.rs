//! What is held of each row.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::carrier::Carrier;
use super::row::{COLUMN, OBJECT_TYPES, Row, TABLE, Way};
use super::stage::{Outcome, Stage, Trial};
use crate::database::quote_literal;
use crate::fields::DbFields;
use crate::forms::Forms;
use crate::live::same;

/// A property that every row must have.
pub struct Check {
    /// The heading of its column in the matrix.
    pub name: &'static str,
    /// Tries the row and says of each trial what came of it.
    pub run: fn(&mut Tester<'_>, &Row) -> Vec<Result<()>>,
}

/// All but "without rules", which compares two servers, and "audit", which reads a log.
pub const CHECKS: &[Check] = &[
    Check { name: "deny", run: |tester, row| tester.by_every_way(row, Tester::denies) },
    Check { name: "warn", run: |tester, row| tester.by_first_way(row, Tester::warns) },
    Check { name: "other forms", run: other_forms },
    Check { name: "roles", run: roles },
    Check { name: "condition", run: conditions },
    Check { name: "patterns", run: patterns },
    Check { name: "carriers", run: carriers },
    Check { name: "table_state", run: table_state },
    Check { name: "deferred", run: |tester, row| tester.by_first_way(row, Tester::denies_before_commit) },
];

/// The rule's name in all checks but that of the log.
const RULE: &str = "governing";

/// Goes the ways of rows under rules.
pub struct Tester<'a> {
    pub stage: Stage<'a>,
    pub major: u32,
    /// The forms that rules can name.
    pub forms: Forms,
    /// The state before each way and what comes of it under no rule, by what must be there and statement.
    unruled: BTreeMap<(String, String), (String, Outcome)>,
}

/// A rule that names the row's form, with values for further fields as SQL writes them.
pub fn governing(row: &Row, name: &str, fields: &[(&str, String)]) -> String {
    rule(name, row.object_type, &[row.form.to_owned()], fields)
}

fn rule(name: &str, object_type: &str, forms: &[String], fields: &[(&str, String)]) -> String {
    let columns: String = fields.iter().map(|(field, _)| format!(", {field}")).collect();
    let values: String = fields.iter().map(|(_, value)| format!(", {value}")).collect();
    let forms = array(forms);
    format!(
        "INSERT INTO fdw_guard.rule (name, object_type, forms{columns}) \
         VALUES ('{name}', '{object_type}', {forms}{values})"
    )
}

fn array(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote_literal(text)).collect();
    format!("ARRAY[{}]::text[]", quoted.join(", "))
}

fn under(rule: String) -> Trial {
    Trial { under: rule, ..Trial::default() }
}

impl<'a> Tester<'a> {
    pub fn new(stage: Stage<'a>, major: u32, forms: Forms) -> Self {
        Self { stage, major, forms, unruled: BTreeMap::new() }
    }

    /// Whether rules can name the row's form; `every_form_has_a_row` fails if not.
    pub fn can_be_named(&self, row: &Row) -> bool {
        self.forms.iter().any(|(form, object_type)| form == row.form && object_type == row.object_type)
    }

    /// The ways that this version of PostgreSQL knows.
    pub fn ways<'row>(&self, row: &'row Row) -> impl Iterator<Item = &'row Way> + use<'row> {
        let major = self.major;
        row.ways.iter().filter(move |way| way.majors.contains(&major))
    }

    fn by_every_way(&mut self, row: &Row, check: fn(&mut Self, &Row, &Way) -> Result<()>) -> Vec<Result<()>> {
        self.ways(row).map(|way| check(self, row, way).with_context(|| way.statement.clone())).collect()
    }

    /// What does not depend on the way.
    fn by_first_way(&mut self, row: &Row, check: impl Fn(&mut Self, &Row, &Way) -> Result<()>) -> Vec<Result<()>> {
        row.ways.iter().take(1).map(|way| check(self, row, way).with_context(|| way.statement.clone())).collect()
    }

    fn denies(&mut self, row: &Row, way: &Way) -> Result<()> {
        self.denies_under(row, way, under(governing(row, RULE, &[])))
    }

    fn denies_under(&mut self, row: &Row, way: &Way, trial: Trial) -> Result<()> {
        let outcome = self.stage.try_out(way, &trial)?;
        let Some(error) = outcome.error else { bail!("was let through under {}", trial.under) };
        check_said(&error, RULE, row, way)?;
        same("state after the refusal", &outcome.state, &self.unruled(way)?.0)
    }

    /// Rules that are checked before commit know what was done all the same.
    fn denies_before_commit(&mut self, row: &Row, way: &Way) -> Result<()> {
        let error = self.stage.try_deferred(way, &governing(row, RULE, &[]))?;
        check_said(&error.context("was let through")?, RULE, row, way)
    }

    fn warns(&mut self, row: &Row, way: &Way) -> Result<()> {
        let (_, expected) = self.unruled(way)?;
        let trial = under(governing(row, RULE, &[("mode", "'warn'".to_owned())]));
        let mut found = self.stage.try_out(way, &trial)?;
        let (ours, others): (Vec<_>, Vec<_>) =
            found.notices.into_iter().partition(|notice| notice.constraint.as_deref() == Some(RULE));
        found.notices = others;
        found.check(expected)?;
        ensure!(ours.iter().all(|warning| warning.severity == "WARNING"), "{ours:?}");
        let about = about(RULE, row, way);
        let warning = ours.iter().find(|warning| warning.message.contains(&about));
        check_said(warning.with_context(|| format!("no warning that r{about}, but {ours:?}"))?, RULE, row, way)
    }

    /// Nothing but the server's log tells of the row's first way.
    ///
    /// # Errors
    /// When anything else does.
    pub fn audits(&mut self, row: &Row, name: &str) -> Result<()> {
        let way = row.ways.first().context("the row has no way")?;
        let (_, expected) = self.unruled(way)?;
        let trial = under(governing(row, name, &[("mode", "'audit'".to_owned())]));
        self.stage.try_out(way, &trial)?.check(expected)
    }

    fn lets_other_forms_be(&mut self, row: &Row, way: &Way) -> Result<()> {
        let has = |form: &str| form == row.form || way.also.contains(&form);
        let all = self.forms.iter().filter(|(_, object_type)| object_type == row.object_type);
        let others: Vec<String> = all.map(|(form, _)| form).filter(|form| !has(form)).cloned().collect();
        self.passes(way, under(rule(RULE, row.object_type, &others, &[])))
    }

    fn passes(&mut self, way: &Way, trial: Trial) -> Result<()> {
        let (_, expected) = self.unruled(way)?;
        self.stage.try_out(way, &trial)?.check(expected).with_context(|| trial.under)
    }

    /// The state before, and what PostgreSQL does by itself, which must be what the way is there for.
    fn unruled(&mut self, way: &Way) -> Result<(String, Outcome)> {
        let key = (way.before.clone(), way.statement.clone());
        if let Some(known) = self.unruled.get(&key) {
            return Ok(known.clone());
        }
        let before = self.stage.state_before(way)?;
        let outcome = self.stage.try_out(way, &Trial::default())?;
        if let Some(error) = &outcome.error {
            bail!("fails by itself: {error}");
        }
        ensure!((before != outcome.state) == way.changes, "changes something, or not, against what the row says");
        self.unruled.insert(key, (before.clone(), outcome.clone()));
        Ok((before, outcome))
    }

    /// Under a rule with `field` set to `binding` the row's first way is refused, and with `other` it passes.
    fn turns_on(&mut self, row: &Row, field: &'static str, binding: &str, other: &str) -> Result<()> {
        let way = row.ways.first().context("the row has no way")?;
        self.denies_under(row, way, under(governing(row, RULE, &[(field, binding.to_owned())])))?;
        self.passes(way, under(governing(row, RULE, &[(field, other.to_owned())])))
            .with_context(|| format!("{field}: {other}"))
    }
}

/// Whether a message is the rule's, about the row's form of the way's object.
fn check_said(said: &DbFields, rule: &str, row: &Row, way: &Way) -> Result<()> {
    let about = about(rule, row, way);
    ensure!(said.sqlstate == "42501" && said.constraint.as_deref() == Some(rule), "{said}");
    ensure!(
        said.message.contains(&about) || said.detail.iter().any(|detail| detail.contains(&about)),
        "{about}: {said}"
    );
    let is_relation = matches!(row.object_type, TABLE | COLUMN);
    ensure!(said.table.is_some() == is_relation && said.schema.is_some() == is_relation, "{said}");
    ensure!(said.column.is_some() == (row.object_type == COLUMN), "{said}");
    Ok(())
}

/// The part of every message that names rule, form and object, without its first letter: DETAIL begins with a capital.
pub fn about(rule: &str, row: &Row, way: &Way) -> String {
    format!("ule \"{rule}\" does not allow {} on {}", row.form, way.object(row.object_type))
}

fn other_forms(tester: &mut Tester<'_>, row: &Row) -> Vec<Result<()>> {
    let mut outcomes = tester.by_every_way(row, Tester::lets_other_forms_be);
    outcomes.extend(row.lookalikes.iter().map(|way| tester.passes(way, under(governing(row, RULE, &[])))));
    outcomes
}

fn roles(tester: &mut Tester<'_>, row: &Row) -> Vec<Result<()>> {
    let [us, somebody] = ["ARRAY['postgres']", "ARRAY['forms_stranger']"];
    vec![tester.turns_on(row, "roles", us, somebody), tester.turns_on(row, "except_roles", somebody, us)]
}

/// One condition looks at the wrapper, the other at the session.
fn conditions(tester: &mut Tester<'_>, row: &Row) -> Vec<Result<()>> {
    let where_ = |part: &str, field: &str, texts: &str| {
        quote_literal(&format!(
            r#"{{"required": ["{part}"], "properties": {{"{part}": {{"required": ["{field}"], "properties": {{"{field}": {{"type": "string", "enum": [{texts}]}}}}}}}}}}"#
        ))
    };
    let ours = r#""w", "w2", "made", "gone", "postgres_fdw""#;
    vec![
        tester.turns_on(
            row,
            "condition",
            &where_("wrapper", "name", ours),
            &where_("wrapper", "name", r#""elsewhere""#),
        ),
        tester.turns_on(
            row,
            "condition",
            &where_("session", "current_role", r#""postgres""#),
            &where_("session", "current_role", r#""forms_stranger""#),
        ),
    ]
}

fn patterns(tester: &mut Tester<'_>, row: &Row) -> Vec<Result<()>> {
    let mut outcomes: Vec<Result<()>> = row
        .patterns
        .iter()
        .map(|(field, pattern)| found_by(tester, row, field, pattern).with_context(|| format!("{field}: {pattern}")))
        .collect();
    outcomes.extend(row.left.map(|(field, pattern)| leaving(tester, row, field, pattern)));
    outcomes
}

fn found_by(tester: &mut Tester<'_>, row: &Row, field: &'static str, pattern: &str) -> Result<()> {
    tester.turns_on(row, field, &format!("ARRAY['{pattern}']"), "ARRAY['no_such*']")?;
    if row.left.is_some() {
        // The object is found by its other name, or has another place.
        return Ok(());
    }
    let way = row.ways.first().context("the row has no way")?;
    tester.passes(way, under(governing(row, RULE, &[(field, format!("ARRAY['*', '!{pattern}']"))])))
}

/// What takes an object out of a rule's patterns is refused, whatever forms the rule names; so it is where the rule finds
/// other objects by the name of this one.
fn leaving(tester: &mut Tester<'_>, row: &Row, field: &str, pattern: &str) -> Result<()> {
    let way = row.ways.first().context("the row has no way")?;
    for object_type in found_through(row.object_type, field) {
        let dropping = |pattern: &str| {
            under(rule(RULE, object_type, &["DROP".to_owned()], &[(field, format!("ARRAY['{pattern}']"))]))
        };
        let outcome = tester.stage.try_out(way, &dropping(pattern))?;
        let error =
            outcome.error.with_context(|| format!("{object_type}: left {field} {pattern} of a rule on DROP"))?;
        ensure!(error.constraint.as_deref() == Some(RULE), "{error}");
        tester.passes(way, dropping("*"))?;
    }
    Ok(())
}

/// The types of object that rules find by this field of an object of that type.
fn found_through(object_type: &str, field: &str) -> Vec<&'static str> {
    let from = OBJECT_TYPES.into_iter().skip_while(|known| *known != object_type);
    from.filter(|known| field != "relation" || matches!(*known, TABLE | COLUMN)).collect()
}

fn carriers(tester: &mut Tester<'_>, row: &Row) -> Vec<Result<()>> {
    let Some(way) = row.ways.first() else { return Vec::new() };
    let major = tester.major;
    let existing = Carrier::OTHERS.into_iter().filter(|carrier| carrier.exists_in(major));
    existing
        .map(|carrier| {
            let trial = Trial { carrier, ..under(governing(row, RULE, &[])) };
            tester.denies_under(row, way, trial).with_context(|| format!("{carrier:?}"))
        })
        .collect()
}

/// What a form changes of a foreign table, its description shows.
fn table_state(tester: &mut Tester<'_>, row: &Row) -> Vec<Result<()>> {
    let ways: Vec<&Way> = tester.ways(row).filter(|_| matches!(row.object_type, TABLE | COLUMN)).collect();
    let descriptions =
        ways.iter().filter_map(|way| tester.stage.descriptions(way).transpose().map(|found| (way, found)));
    descriptions
        .map(|(way, found)| {
            let (before, after) = found?;
            ensure!((before != after) == way.changes, "{}: {before} became {after}", way.statement);
            Ok(())
        })
        .collect()
}
