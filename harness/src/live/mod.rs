//! Tests over real connections: what needs more than one session, another cluster, or every field of an error.
//!
//! A test is a function over a running cluster with fdw_guard preloaded; it makes databases (and further clusters) of
//! its own and is listed in its file's `TESTS`. To add a file, name it here twice.

mod bad_input;
mod changed_delegates;
mod effective;
mod effects;
mod encodings;
mod forms;
mod frames;
mod get_ddl;
mod guarded;
mod history;
mod load_order;
mod loading;
mod locked_out;
mod mappings;
mod meanwhile;
mod mysql_fdw;
mod packs;
mod passthrough;
mod plan;
mod policy_file;
mod readme;
mod redaction;
mod rejected_alter;
mod rights;
mod secrets;
mod set_options;
mod side_by_side;
mod standing_aside;
mod violations;

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};

use crate::cluster::Cluster;
use crate::settings::Settings;
use crate::tally::Tally;

/// How long a test may take: long enough for a busy machine, since it only ends what hangs.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A test over real connections.
#[derive(Debug, Clone, Copy)]
pub struct LiveTest {
    /// Says what holds.
    pub name: &'static str,
    /// Fails if it does not.
    pub run: fn(&Cluster) -> Result<()>,
}

/// The tests of each file, those that take longest first: a lane takes one file after the other.
const FILES: [&[LiveTest]; 28] = [
    redaction::TESTS,
    forms::TESTS,
    policy_file::TESTS,
    bad_input::TESTS,
    changed_delegates::TESTS,
    effective::TESTS,
    effects::TESTS,
    encodings::TESTS,
    frames::TESTS,
    get_ddl::TESTS,
    guarded::TESTS,
    history::TESTS,
    load_order::TESTS,
    loading::TESTS,
    locked_out::TESTS,
    mappings::TESTS,
    mysql_fdw::TESTS,
    packs::TESTS,
    passthrough::TESTS,
    plan::TESTS,
    readme::TESTS,
    rejected_alter::TESTS,
    rights::TESTS,
    secrets::TESTS,
    set_options::TESTS,
    side_by_side::TESTS,
    standing_aside::TESTS,
    violations::TESTS,
];

/// Lanes in which tests run at the same time: a test is mostly one session and its server process, which wait for each
/// other, or for something that takes its time.
const LANES: usize = 3;

/// Runs each test whose name contains `filter`, in lanes, each with a cluster of its own. The tests of one file share
/// files, and run in one lane.
///
/// # Errors
/// When a cluster does not start, or a server that a test left hanging cannot be restarted.
pub fn run(tally: &mut Tally, cluster: &Arc<Cluster>, filter: &str) -> Result<()> {
    let files: VecDeque<Vec<LiveTest>> =
        FILES.iter().map(|file| file.iter().filter(|test| test.name.contains(filter)).copied().collect()).collect();
    let files: VecDeque<_> = files.into_iter().filter(|file: &Vec<LiveTest>| !file.is_empty()).collect();
    let mut clusters = vec![Arc::clone(cluster)];
    for lane in 1..files.len().min(LANES) {
        clusters.push(Arc::new(cluster.another(&format!("test-{lane}"), &Settings::preloaded().loopback())?));
    }
    let queue = Mutex::new(files);
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let lanes: Vec<_> = clusters
            .iter()
            .map(|cluster| {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || run_lane(queue, cluster, &sender))
            })
            .collect();
        drop(sender);
        receiver.iter().for_each(|Done { name, start, outcome }| tally.note(name, start, outcome));
        lanes.into_iter().try_for_each(|lane| lane.join().map_err(|_| anyhow!("a lane panicked"))?)
    })
}

/// What came of a test.
struct Done {
    name: &'static str,
    start: Instant,
    outcome: Result<()>,
}

/// Runs the tests of one file after the other, until none is left.
fn run_lane(queue: &Mutex<VecDeque<Vec<LiveTest>>>, cluster: &Arc<Cluster>, done: &Sender<Done>) -> Result<()> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(file) = next() {
        for test in file {
            let start = Instant::now();
            let outcome = run_one(test, Arc::clone(cluster));
            let hung = outcome.is_none();
            let outcome = outcome.unwrap_or_else(|| Err(anyhow!("still running after {TIMEOUT:?}")));
            done.send(Done { name: test.name, start, outcome })?;
            if hung {
                cluster.restart()?;
            }
        }
    }
    Ok(())
}

/// The test's outcome, or nothing if it does not end in time.
fn run_one(test: LiveTest, cluster: Arc<Cluster>) -> Option<Result<()>> {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        let outcome = (test.run)(&cluster);
        // Nobody listens any more if the time was over.
        let _ = sender.send(outcome);
    });
    match receiver.recv_timeout(TIMEOUT) {
        Ok(outcome) => Some(outcome),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Err(panicked(thread.join()))),
    }
}

fn panicked(ended: thread::Result<()>) -> anyhow::Error {
    let payload = ended.err();
    let text = payload.as_ref().and_then(|payload| {
        payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied())
    });
    anyhow!("the test panicked: {}", text.unwrap_or("without a text"))
}

/// Fails unless `found` is `expected`; `what` says what they are.
///
/// # Errors
/// When they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    ensure!(found == expected, "{what}: found {found:?}, expected {expected:?}");
    Ok(())
}

/// Fails unless `text` contains `part`.
///
/// # Errors
/// When it does not.
pub fn contains(text: &str, part: &str) -> Result<()> {
    if !text.contains(part) {
        bail!("{part:?} is not in {text:?}");
    }
    Ok(())
}
