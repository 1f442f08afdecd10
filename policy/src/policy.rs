//! All rules in force, and their verdict on a change.

use crate::evaluate::{Change, Session};
use crate::model::{ObjectType, Situation};
use crate::rule::Rule;
use crate::secret::{Secrecy, SecretOptions};
use crate::violation::Violation;
use std::rc::Rc;

/// All rules in force. It is made once for a backend and compiles a rule when an object first matches it.
pub struct Policy {
    rules: Vec<Rule>,
    secret_options: Rc<SecretOptions>,
}

impl Policy {
    pub fn new(rules: Vec<Rule>, secret_options: SecretOptions) -> Self {
        Self { rules, secret_options: Rc::new(secret_options) }
    }
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
    pub fn evaluate(&self, _change: &Change, _session: &dyn Session) -> Vec<Violation> {
        Vec::new()
    }
    pub fn standing(&self, _situation: &Situation, _session: &dyn Session) -> Vec<Violation> {
        Vec::new()
    }
    pub fn looks_above(&self, _object_type: ObjectType, _above: ObjectType) -> bool {
        true
    }
    pub fn secrecy(&self, situation: &Situation) -> Secrecy {
        Secrecy::new(situation.object.object_type, self.secret_options.clone())
    }
}
