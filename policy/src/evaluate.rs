//! What is asked of the policy: a change, and the session that makes it.

use std::collections::BTreeSet;

use crate::form::Form;
use crate::model::Situation;

/// What rules may know of the session.
pub trait Session {
    fn database(&self) -> &str;
    fn current_role(&self) -> &str;
    fn session_role(&self) -> &str;
    /// Whether the current role is a superuser.
    fn is_superuser(&self) -> bool;
    /// `None` for a Unix socket.
    fn client_addr(&self) -> Option<&str>;
    fn application_name(&self) -> &str;
    /// Whether the current role is a member of the role, not counting what a superuser is a member of by being one.
    /// A role that does not exist has no members.
    fn is_member_of(&self, role: &str) -> bool;
    /// Called between rules.
    fn check_for_interrupts(&self);
}

/// One object before and after.
#[derive(Debug, Clone)]
pub struct Change {
    /// `None` when it was created.
    pub old: Option<Situation>,
    /// `None` when it was dropped.
    pub new: Option<Situation>,
    pub forms: BTreeSet<Form>,
    /// False when only something above the object changed.
    pub touched: bool,
}
