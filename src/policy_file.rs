//! The policy file: rules for every database of the cluster, whether the extension is there or not.
//!
//! It is read and checked when the setting is, as pg_hba.conf is: a server does not start with a bad one, and a reload
//! with a bad one keeps the last good. A session that loads the library by itself and finds a bad one cannot end the
//! server; it refuses to change foreign objects.

use crate::error::Error;
use crate::ffi::checked_setting::No;
use crate::ffi::{raise, server};
use crate::history;
use crate::policy_in_force;
use crate::{report, settings};
use fdw_guard_policy::document::{Document, DocumentError};
use fdw_guard_policy::rule::{Rule, RuleError};
use serde_json::json;
use std::cell::RefCell;
use std::ffi::{CStr, CString, OsStr};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;
use thiserror::Error;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Bits of a file's mode that let others than its owner write it.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a policy file will not do. It names positions, never content.
#[derive(Debug, Error)]
pub enum PolicyFileError {
    #[error("The policy file cannot be read: {0}.")]
    Unreadable(#[from] io::Error),
    #[error("The policy file is not a regular file.")]
    NotAFile,
    #[error("The policy file must be owned by root or by the account that the server runs under.")]
    WrongOwner,
    #[error("The policy file must not be writable by group or others.")]
    WritableByOthers,
    #[error("The policy file is larger than {MAX_BYTES} bytes.")]
    TooLarge,
    #[error("The policy file is not UTF-8.")]
    NotUtf8,
    #[error("In the policy file, {0}.")]
    Invalid(#[from] DocumentError),
    #[error("In the policy file, rule {number}: {error}.")]
    Rule { number: usize, error: RuleError },
}

/// The rules of a file that has been checked.
struct Loaded {
    name: CString,
    rules: Rc<[Rule]>,
}

#[derive(Default)]
struct State {
    /// What the last check read; [`assign`] puts it in force.
    checked: Option<Loaded>,
    in_force: Option<Loaded>,
    /// Why there is none, of a library that was loaded with a bad one.
    fault: Option<String>,
    generation: u64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Reads and checks the file of that name; an empty name means none.
pub fn check(name: &CStr) -> Result<(), No> {
    let checked = if name.is_empty() { Ok(None) } else { load(name).map(Some) };
    match checked {
        Ok(checked) => {
            STATE.with_borrow_mut(|state| state.checked = checked);
            Ok(())
        }
        Err(error) if server::is_preloading() => Err(No::Fatal(Box::new(report::policy_file_at_start(&error)))),
        Err(error) => {
            // A file that was good before stays in force; of one that never was, everybody must hear.
            STATE.with_borrow_mut(|state| state.fault = state.generation.eq(&0).then(|| error.to_string()));
            Err(No::Refused(error.to_string()))
        }
    }
}

/// Puts what the last check read in force.
pub fn assign(name: &CStr) {
    let before = rules();
    STATE.with_borrow_mut(|state| {
        let checked = state.checked.take().filter(|loaded| *loaded.name == *name);
        let unchanged = checked.is_none() && state.in_force.as_ref().is_some_and(|loaded| *loaded.name == *name);
        if !unchanged {
            state.in_force = checked;
            state.generation += 1;
        }
    });
    // Each process of the server reads the file for itself; the one that stands for all says so, once.
    if server::is_preloading() {
        tell_start(&rules());
    } else if server::is_postmaster() && settings::record_history() {
        tell_changes(&before, &rules());
    }
}

/// Tells the server log which rules a server starts with: what has become of them meanwhile nobody has seen.
fn tell_start(rules: &[Rule]) {
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    if !names.is_empty() {
        raise::say(&[report::policy_file_in_force(&json!(names).to_string())]);
    }
}

/// Tells the server log what a new file changes, a line for each rule, with the fields that the history has of rules of the
/// table. A reload is part of no transaction and of no database, and nobody knows who wrote the file.
fn tell_changes(before: &[Rule], after: &[Rule]) {
    let named = |rules: &'_ [Rule], name: &str| rules.iter().find(|rule| rule.name == name).cloned();
    let dropped =
        before.iter().filter(|rule| named(after, &rule.name).is_none()).map(|rule| (Some(rule.clone()), None));
    let others = after.iter().map(|rule| (named(before, &rule.name), Some(rule.clone())));
    let reports = others.chain(dropped).filter(|(old, new)| old != new).filter_map(|(old, new)| {
        let name = &old.as_ref().or(new.as_ref())?.name;
        Some(report::policy_file_changed(name, &history::account_of_rule(old.as_ref(), new.as_ref())))
    });
    raise::say(&reports.collect::<Vec<_>>());
}

/// Whether the file that the setting names is in force, or there is none.
pub fn must_be_in_force() -> Result<(), Error> {
    let fault = STATE.with_borrow(|state| state.fault.clone());
    fault.map_or(Ok(()), |fault| Err(Error::PolicyFile { fault }))
}

fn load(name: &CStr) -> Result<Loaded, PolicyFileError> {
    Ok(Loaded { name: name.to_owned(), rules: read(Path::new(OsStr::from_bytes(name.to_bytes())))?.into() })
}

/// The rules in force from the file.
pub fn rules() -> Rc<[Rule]> {
    STATE.with_borrow(|state| state.in_force.as_ref().map(|loaded| Rc::clone(&loaded.rules)).unwrap_or_default())
}

/// Grows whenever the rules in force from the file may have changed.
pub fn generation() -> u64 {
    STATE.with_borrow(|state| state.generation)
}

fn read(name: &Path) -> Result<Vec<Rule>, PolicyFileError> {
    // Without O_NONBLOCK opening a named pipe would wait for a writer, and the server with it.
    let file = OpenOptions::new().read(true).custom_flags(server::O_NONBLOCK).open(name)?;
    check_file(&file)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PolicyFileError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| PolicyFileError::NotUtf8)?;
    let rules = Document::parse(&text)?.rules;
    for (number, rule) in (1..).zip(&rules) {
        let verdict = rule.check(&policy_in_force::catalogue());
        verdict.map_err(|error| PolicyFileError::Rule { number, error })?;
    }
    Ok(rules)
}

fn check_file(file: &File) -> Result<(), PolicyFileError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(PolicyFileError::NotAFile);
    }
    if metadata.uid() != 0 && metadata.uid() != server::account() {
        return Err(PolicyFileError::WrongOwner);
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(PolicyFileError::WritableByOthers);
    }
    if metadata.len() > MAX_BYTES {
        return Err(PolicyFileError::TooLarge);
    }
    Ok(())
}
