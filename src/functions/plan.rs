//! `plan` and `explain_plan`: what statements would do, without doing it.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::plan;
use fdw_guard_policy::plan::{Plan, Row, Verdict};

/// A row for each change, each finding and the error of a plan; none for an empty text.
pub fn plan(call: &Call) -> Result<Answer<'_>, Error> {
    Ok(Answer::rows(planned(call)?.rows().into_iter().map(row)))
}

/// The plan as a text that reads like a diff, line by line.
pub fn explain_plan(call: &Call) -> Result<Answer<'_>, Error> {
    Ok(Answer::column(planned(call)?.lines().into_iter().map(Value::from)))
}

fn planned(call: &Call) -> Result<Plan, Error> {
    let lock_timeout = call.milliseconds(1).map(lock_timeout).transpose()?;
    plan::plan(call.source(0).ok_or(Error::NullArgument { name: "sql" })?, lock_timeout)
}

/// As PostgreSQL's setting of that name takes it.
fn lock_timeout(milliseconds: i64) -> Result<i32, Error> {
    i32::try_from(milliseconds).ok().filter(|milliseconds| *milliseconds >= 0).ok_or(Error::LockTimeout)
}

fn row(row: Row) -> Vec<Value> {
    let (object_type, identity) = row.object.unzip();
    vec![
        row.seq.map(Value::Integer).into(),
        object_type.map(|object_type| object_type.name()).into(),
        identity.into(),
        row.attribute.into(),
        row.change.into(),
        row.old.into(),
        row.new.into(),
        row.verdict.map(Verdict::name).into(),
        row.rule.into(),
        row.detail.into(),
    ]
}
