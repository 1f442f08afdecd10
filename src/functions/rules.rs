//! Rules on their way into the table, and on their way out as rows.

use crate::error::Error;
use crate::ffi::function::{Call, Value};
use crate::ffi::history::{self as table, Writing};
use crate::ffi::rules::{self, Event, event};
use crate::history;
use crate::policy_in_force;
use crate::report;
use fdw_guard_policy::interval::Interval;
use fdw_guard_policy::pattern::PatternList;
use fdw_guard_policy::rule::{Mode, Notice, Rule};
use pgrx::pg_sys::HeapTuple;
use std::ptr;

/// The trigger on the table of rules: refuses what is not valid, before a row is written and, because another trigger may
/// have changed it meanwhile, after.
pub fn check_rule(call: &Call) -> Result<HeapTuple, Error> {
    match event(call)? {
        Event::Removing(row) => Ok(row),
        Event::HasRemoved(row) => {
            history::record_rules(&[(row.standing(), None)], "DELETE")?;
            Ok(row.tuple())
        }
        Event::Truncating => {
            // Rules that cannot be read are no reason to keep them.
            let rules = rules::table().and_then(|table| rules::read(table).ok()).unwrap_or_default();
            let removed: Vec<_> = rules.into_iter().map(|rule| (Some(rule), None)).collect();
            history::record_rules(&removed, "TRUNCATE TABLE")?;
            Ok(ptr::null_mut())
        }
        Event::Writing { row, is_new } => {
            let rule = row.rule()?;
            // Another server's rule of that name would end the subscription: this server keeps its own.
            if is_new && table::writing() == Writing::Replication && is_known(&rule.name) {
                return Ok(ptr::null_mut());
            }
            check(&rule)?.iter().for_each(|notice| call.notice(report::notice_on_rule(&rule.name, notice)));
            Ok(row.with_trusted(rule.trusted))
        }
        Event::HasWritten { old, new: row } => {
            let rule = row.rule()?;
            check(&rule)?;
            if row.says_trusted() != rule.trusted {
                return Err(Error::NotTrusted { rule: rule.name });
            }
            let tag = if old.is_some() { "UPDATE" } else { "INSERT" };
            history::record_rules(&[(old.and_then(|old| old.standing()), Some(rule))], tag)?;
            Ok(row.tuple())
        }
    }
}

fn is_known(name: &str) -> bool {
    let known = rules::table().and_then(|table| rules::read(table).ok()).unwrap_or_default();
    known.iter().any(|rule| rule.name == name)
}

/// Holds a rule against everything that is required of one; gives what its author should know.
pub fn check(rule: &Rule) -> Result<Vec<Notice>, Error> {
    let verdict = rule.check(&policy_in_force::catalogue());
    verdict.map_err(|fault| Error::InvalidRule { rule: rule.name.clone(), fault })
}

/// A rule as a row of `fdw_guard.rule`, in the order of its columns.
pub fn row(rule: &Rule) -> Vec<Value> {
    vec![
        rule.name.clone().into(),
        rule.object_type.name().into(),
        rule.database.clone().into(),
        rule.wrapper.clone().into(),
        rule.server.clone().into(),
        rule.role.clone().into(),
        rule.relation.clone().into(),
        rule.column_name.clone().into(),
        rule.options.clone().into(),
        rule.condition.clone().into(),
        rule.forms.iter().map(|form| form.name().to_owned()).collect::<Vec<_>>().into(),
        rule.mode.name().into(),
        if_any(&rule.roles),
        if_any(&rule.except_roles),
        rule.strict.into(),
        "off".into(),
        rule.max_age.as_deref().and_then(Interval::parse).map(Value::Interval).into(),
        rule.reuse_history.map(Value::Integer).into(),
        rule.pack.clone().into(),
        rule.description.clone().into(),
        rule.message.clone().into(),
        rule.hint.clone().into(),
        rule.trusted.into(),
    ]
}

fn if_any(names: &[String]) -> Value {
    (!names.is_empty()).then(|| names.to_vec()).into()
}

/// Whether the rule is in force in that database.
pub fn is_in_force(rule: &Rule, database: &str) -> bool {
    // A list that does not parse belongs to a rule that denies everything it could be about.
    rule.mode != Mode::Off && PatternList::parse(&rule.database).map_or(true, |patterns| patterns.matches(&[database]))
}
