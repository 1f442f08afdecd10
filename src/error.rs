//! What can go wrong in a function of the extension. How PostgreSQL hears of it is said in [`crate::report`].

use fdw_guard_policy::rule::RuleError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    /// A rule that is not valid, when it is written or, if its check was switched off then, when it is needed.
    #[error("rule \"{rule}\" is not valid")]
    InvalidRule { rule: String, fault: RuleError },
    /// The trigger function was called by hand, or by a trigger on another table.
    #[error("fdw_guard.check_rule() is the trigger function of table fdw_guard.rule and of nothing else")]
    NotATrigger,
    #[error("rule pack \"{name}\" does not exist")]
    UnknownPack { name: String, known: String },
}
