//! Making a plan: the statements of a text are run, watched, and rolled back.

use crate::error::Error;
use crate::ffi::function::Source;
use crate::ffi::plannable::Reach;
use crate::ffi::server;
use crate::ffi::trial::{self, Caught, Ended, Trial};
use crate::guard;
use crate::planning::Recorder;
use fdw_guard_policy::plan::{Failure, Plan, Statement};

/// What the statements of the text would do, up to the first that fails or is refused. A lock that is not granted within
/// that many milliseconds makes a statement fail.
///
/// # Errors
/// When one of them is no matter for a plan, before any runs; and when the session is interrupted.
pub fn plan(text: Source<'_>, lock_timeout: Option<i32>) -> Result<Plan, Error> {
    if server::is_in_parallel_mode() {
        return Err(Error::PlanInParallel);
    }
    if server::stands_aside() {
        return Err(Error::PlanAside);
    }
    let recorder = Recorder::begin()?;
    let mut trial = Trial::begin(text, lock_timeout);
    let mut plan = Plan::default();
    match run(&mut trial, &recorder, &mut plan) {
        Ok(()) => Ok(plan),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Ended(place, ended)) => {
            let command = place.map(|place| trial.command(place));
            let failure = failure(place, trial.end(ended))?;
            Ok(Plan { failure: Some(Failure { command, is_plans_own: recorder.refused(), ..failure }), ..plan })
        }
    }
}

/// What ends a trial early.
enum Stop {
    /// An error of ours.
    Error(Error),
    /// One of PostgreSQL's, and the place of its statement.
    Ended(Option<usize>, Ended),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn run(trial: &mut Trial<'_>, recorder: &Recorder, plan: &mut Plan) -> Result<(), Stop> {
    plan.count = trial.read().map_err(|ended| Stop::Ended(None, ended))?;
    refuse(trial, plan.count)?;
    for place in 0..plan.count {
        server::check_for_interrupts();
        recorder.expect(trial.written(place));
        trial.run(place).map_err(|ended| Stop::Ended(Some(place), ended))?;
        let kept = recorder.take();
        let command = trial.command(place);
        plan.statements.push(Statement { command, objects: kept.objects, findings: kept.findings });
        if plan.is_denied() {
            return Ok(());
        }
    }
    plan.at_commit = guard::planned_commit()?;
    Ok(())
}

/// Refuses the whole text if a plan cannot be made of one of its statements.
fn refuse(trial: &Trial<'_>, count: usize) -> Result<(), Stop> {
    let mut reach = Reach::default();
    for place in 0..count {
        let refusal = trial.refusal(place, &mut reach).map_err(|ended| Stop::Ended(Some(place), ended))?;
        if let Some(refusal) = refusal {
            let command = trial.command(place);
            return Err(Error::NotPlannable { command, refusal, number: place + 1, count }.into());
        }
    }
    Ok(())
}

/// Whatever a client or an administrator ends is not for a plan to keep.
fn failure(place: Option<usize>, caught: Caught) -> Result<Failure, Error> {
    let sqlstate = trial::sqlstate(caught.code);
    if sqlstate.starts_with(OPERATOR_INTERVENTION) {
        return Err(Error::Interrupted(caught));
    }
    let Caught { message, detail, hint, position, .. } = caught;
    let seq = place.and_then(|place| i32::try_from(place + 1).ok());
    Ok(Failure { seq, command: None, sqlstate, message, detail, hint, position, is_plans_own: false })
}

/// The class of errors by which a session is interrupted.
const OPERATOR_INTERVENTION: &str = "57";
