//! One state of an object as rules see it, each document made once and only when a rule asks for it.

use std::cell::OnceCell;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::context::{self, OLD, SESSION, Sight};
use crate::entry::{Compiled, Entry};
use crate::evaluate::Session;
use crate::model::{ObjectType, Situation};
use crate::policy::Policy;
use crate::secret::Secrecy;

/// A situation, what it was before, and the documents made of it.
pub(crate) struct View<'a> {
    policy: &'a Policy,
    session: &'a dyn Session,
    pub situation: &'a Situation,
    old: Option<&'a Situation>,
    plain: OnceCell<Value>,
    masked: OnceCell<Value>,
    plain_options: OnceCell<Value>,
    masked_options: OnceCell<Value>,
    secrecy: OnceCell<Rc<Secrecy>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(
        policy: &'a Policy,
        session: &'a dyn Session,
        situation: &'a Situation,
        old: Option<&'a Situation>,
    ) -> Self {
        Self {
            policy,
            session,
            situation,
            old,
            plain: OnceCell::new(),
            masked: OnceCell::new(),
            plain_options: OnceCell::new(),
            masked_options: OnceCell::new(),
            secrecy: OnceCell::new(),
        }
    }

    /// Whether the rule's condition is satisfied in this state; its patterns are another matter.
    pub(crate) fn satisfies_condition(&self, entry: &Entry, compiled: &Compiled) -> bool {
        let condition = compiled.condition.as_ref();
        condition.is_none_or(|condition| condition.is_satisfied_by(self.document(entry.rule.trusted)))
    }

    pub(crate) fn secrecy(&self) -> &Secrecy {
        self.secrecy.get_or_init(|| self.policy.shared_secrecy(self.situation))
    }

    /// The object's options as one JSON object, secrets masked unless the rule is trusted.
    pub(crate) fn options(&self, trusted: bool) -> &Value {
        let object = &self.situation.object;
        if trusted {
            self.plain_options.get_or_init(|| Value::Object(Sight::Everything.options(object)))
        } else {
            self.masked_options.get_or_init(|| {
                self.secrecy();
                let of_object = |_: ObjectType| self.secrecy.get().cloned();
                Value::Object(Sight::Masked(&of_object).options(object))
            })
        }
    }

    /// The context document, secrets masked unless the rule is trusted.
    fn document(&self, trusted: bool) -> &Value {
        if trusted {
            self.plain.get_or_init(|| self.build(|situation| context::parts(situation, &Sight::Everything)))
        } else {
            self.masked.get_or_init(|| self.build(|situation| self.policy.masked_parts(situation)))
        }
    }

    fn build(&self, parts: impl Fn(&Situation) -> Map<String, Value>) -> Value {
        let mut document = parts(self.situation);
        if let Some(old) = self.old {
            document.insert(OLD.to_owned(), Value::Object(parts(old)));
        }
        document.insert(SESSION.to_owned(), context::session(self.session));
        Value::Object(document)
    }
}
