//! The policy in force: the rules of the cluster's policy file and of the database's table, kept from statement to
//! statement until one of them changes.

use crate::error::Error;
use crate::ffi::memory::Scratch;
use crate::ffi::{rules, server};
use crate::{policy_file, redaction, settings};
use fdw_guard_policy::catalogue::Catalogue;
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::rule::Rule;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

/// What a policy was made from; while this stays the same, so does the policy.
#[derive(PartialEq, Eq)]
struct Origin {
    table: Option<Oid>,
    version: redaction::Version,
}

impl Origin {
    fn now() -> Self {
        Self { table: rules::table(), version: redaction::version() }
    }
}

thread_local! {
    static KEPT: RefCell<Option<(Origin, Rc<Policy>)>> = const { RefCell::new(None) };
}

/// The policy in force for this session's next verdict. Rules that another session has committed are in it, whatever the
/// isolation level.
pub fn policy() -> Result<Rc<Policy>, Error> {
    policy_file::must_be_in_force()?;
    server::accept_invalidation_messages();
    let origin = Origin::now();
    kept_of(&origin).map_or_else(|| read(origin), Ok)
}

/// The policy in force as far as the session knows without a look at the rules.
pub fn kept() -> Option<Rc<Policy>> {
    kept_of(&Origin::now())
}

fn kept_of(origin: &Origin) -> Option<Rc<Policy>> {
    KEPT.with_borrow(|kept| kept.as_ref().filter(|(kept, _)| kept == origin).map(|(_, policy)| Rc::clone(policy)))
}

/// The policy in force together with a rule that is tried.
pub fn policy_with_trial(trial: Rule) -> Result<Rc<Policy>, Error> {
    policy_file::must_be_in_force()?;
    server::accept_invalidation_messages();
    Ok(Rc::new(Policy::with_trial(all_rules(rules::table())?, trial, settings::secret_options())))
}

fn read(origin: Origin) -> Result<Rc<Policy>, Error> {
    let policy = Rc::new(Policy::new(all_rules(origin.table)?, settings::secret_options()));
    if origin == Origin::now() {
        redaction::learn_rules(&policy);
    }
    KEPT.replace(Some((origin, Rc::clone(&policy))));
    Ok(policy)
}

/// The rules of the cluster and those of the table.
fn all_rules(table: Option<Oid>) -> Result<Vec<Rule>, Error> {
    let _scratch = Scratch::new();
    let mut all = policy_file::rules().to_vec();
    if let Some(table) = table {
        all.extend(rules::read(table)?);
    }
    Ok(all)
}

/// What is known of the options of wrappers, for a rule that is being written.
pub fn catalogue() -> Catalogue {
    Catalogue::new(settings::secret_options())
}
