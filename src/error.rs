//! What can go wrong in a function of the extension. How PostgreSQL hears of it is said in [`crate::report`].

use crate::ffi::history::HistoryError;
use crate::ffi::plannable::Refusal;
use crate::ffi::secrets::SecretsError;
use crate::ffi::trial::Caught;
use crate::lookup::Missing;
use fdw_guard_policy::diff::DesiredError;
use fdw_guard_policy::model::ObjectType;
use fdw_guard_policy::pattern::PatternError;
use fdw_guard_policy::redact::OutOfMemory;
use fdw_guard_policy::rule::RuleError;
use fdw_guard_policy::undo::UndoError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    /// A rule that is not valid, when it is written or, if its check was switched off then, when it is needed.
    #[error("{} is not valid", if rule.is_empty() { "a rule without a name".to_owned() } else { format!("rule \"{rule}\"") })]
    InvalidRule { rule: String, fault: RuleError },
    /// The trigger function was called by hand, or by a trigger on another table.
    #[error("fdw_guard.check_rule() is the trigger function of table fdw_guard.rule and of nothing else")]
    NotATrigger,
    /// The right to write comes from a predefined role only.
    #[error("permission denied for table fdw_guard.rule")]
    NoGrantOnRules { verb: &'static str, writes_all_data: bool },
    /// Another trigger has changed the row after it was checked.
    #[error("rule \"{rule}\" says that it is trusted, and no superuser writes it")]
    NotTrusted { rule: String },
    /// The library was loaded in this session with a policy file that will not do.
    #[error("the policy file is not in force, so that foreign objects cannot be changed")]
    PolicyFile { fault: String },
    /// A handler or validator of ours without the setting that a guarded wrapper's functions have.
    #[error("the function of a guarded wrapper must name a delegate")]
    NoDelegate,
    #[error("foreign-data wrapper \"{name}\", the delegate of a guarded wrapper, does not exist")]
    DelegateMissing { name: String },
    #[error("foreign-data wrapper \"{name}\", the delegate of a guarded wrapper, is itself guarded")]
    DelegateGuarded { name: String },
    /// Of a wrapper that was guarded in place.
    #[error("function {name}, which a guarded wrapper had before it was guarded, does not exist")]
    DelegateFunctionMissing { name: String },
    #[error("foreign-data wrapper \"{name}\", the delegate of a guarded wrapper, has no handler")]
    DelegateWithoutHandler { name: String },
    #[error("foreign-data wrapper \"{name}\", the delegate of a guarded wrapper, has got another handler")]
    DelegateChanged { name: String },
    #[error("rule pack \"{name}\" does not exist")]
    UnknownPack { name: String, known: String },
    /// A statement that a rollback does not undo, or that is none of ours.
    #[error("plan() does not take {command}")]
    NotPlannable { command: String, refusal: Refusal, number: usize, count: usize },
    /// A function that a statement of a plan calls asks for another.
    #[error("plan() cannot be called while a plan is made")]
    PlanWithinPlan,
    /// A statement of a plan reaches a table with rows of its own.
    #[error("plan() does not rewrite tables")]
    PlanRewrites,
    #[error("plan() cannot be called during a parallel operation")]
    PlanInParallel,
    /// Where hooks let everything pass, nobody sees what statements do.
    #[error("plan() cannot be called in single-user mode or during pg_upgrade")]
    PlanAside,
    #[error("lock_timeout is out of range")]
    LockTimeout,
    /// What a client or an administrator ended while a plan was made, in PostgreSQL's own words.
    #[error("{}", .0.message)]
    Interrupted(Caught),
    /// An object that the caller names.
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("fdw_guard.keep_history() is the trigger function of table fdw_guard.history_row and of nothing else")]
    NotAHistoryTrigger,
    /// The history is written by the library only.
    #[error("only fdw_guard itself writes its history")]
    HistoryIsKept,
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error("fdw_guard.keep_secrets() is the trigger function of table fdw_guard.secret_row and of nothing else")]
    NotASecretsTrigger,
    /// What is known of secrets is written by the library only.
    #[error("only fdw_guard itself writes what it knows of secrets")]
    SecretsAreKept,
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A row of the history.
    #[error("this change of {object_type} \"{identity}\" cannot be reverted: {reason}")]
    CannotRevert { object_type: String, identity: String, reason: UndoError },
    #[error("only superusers are told which secrets are the same")]
    SecretsAreCompared,
    #[error("{object_type} \"{identity}\" does not exist any more")]
    RevertedIsGone { object_type: String, identity: String },
    /// A text of the user's is larger than what memory is left.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    #[error("rule \"{name}\" does not exist")]
    UnknownRule { name: String, near: Option<String> },
    #[error("object type \"{name}\" does not exist")]
    UnknownObjectType { name: String, known: Vec<&'static str> },
    /// A rule that is tried is the only one that is asked about.
    #[error("a rule to try and the name of a rule exclude each other")]
    TrialAndName,
    /// The caller asks what another role would use.
    #[error("permission denied to see what role \"{role}\" would use")]
    NotMember { role: String },
    /// Options that a function is to set.
    #[error(transparent)]
    Desired(#[from] DesiredError),
    #[error("argument \"{argument}\" is no pattern")]
    Pattern { argument: &'static str, fault: PatternError },
    #[error("argument \"{name}\" must not be null")]
    NullArgument { name: &'static str },
    /// In PostgreSQL's own words.
    #[error("must be owner of {of} {name}")]
    NotOwner {
        of: &'static str,
        name: String,
        owner: String,
        /// Of whom nobody is made a member for this.
        owner_is_superuser: bool,
        caller: String,
        /// The role of the user mapping that is to be changed.
        mapping_of: Option<String>,
    },
    /// In PostgreSQL's own words.
    #[error("permission denied for foreign server {server}")]
    NoUsage { server: String, caller: String },
    /// Another session renamed or dropped the object between our look at it and the ALTER.
    #[error("{object_type} \"{name}\" was renamed or dropped meanwhile")]
    ChangedMeanwhile { object_type: ObjectType, name: String },
    /// Another session changed the object after the transaction had taken its only snapshot.
    #[error("{object_type} \"{identity}\" was changed after this transaction began")]
    ChangedSinceBegin { object_type: ObjectType, identity: String },
    /// A query of ours over the catalogs gives what nobody expects.
    #[error("the catalogs cannot be read as they should")]
    Untold,
}
