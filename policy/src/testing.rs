//! Small builders for the unit tests.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::evaluate::Session;
use crate::model::{Attribute, Description, ObjectState, ObjectType, Situation};

pub(crate) fn state(object_type: ObjectType, name: &str, options: &[(&str, &str)]) -> ObjectState {
    ObjectState {
        object_type,
        description: Rc::new(Description {
            identity: name.to_owned(),
            attributes: [(Attribute::Name, name.to_owned())].into(),
        }),
        options: options.iter().map(|(name, value)| format!("{name}={value}")).collect(),
    }
}

impl ObjectState {
    pub(crate) fn with(mut self, attributes: &[(Attribute, &str)]) -> Self {
        let owned = attributes.iter().map(|(attribute, value)| (*attribute, (*value).to_owned()));
        self.attributes_mut().extend(owned);
        self
    }

    pub(crate) fn attributes_mut(&mut self) -> &mut BTreeMap<Attribute, String> {
        &mut Rc::make_mut(&mut self.description).attributes
    }
}

/// A wrapper made by `CREATE EXTENSION postgres_fdw`.
pub(crate) fn postgres_fdw() -> Rc<ObjectState> {
    let wrapper = state(ObjectType::ForeignDataWrapper, "postgres_fdw", &[]);
    Rc::new(wrapper.with(&[
        (Attribute::HandlerName, "postgres_fdw_handler"),
        (Attribute::ValidatorName, "postgres_fdw_validator"),
        (Attribute::Delegate, "postgres_fdw"),
    ]))
}

pub(crate) fn server(name: &str, options: &[(&str, &str)]) -> Situation {
    Situation { object: Rc::new(state(ObjectType::Server, name, options)), above: vec![postgres_fdw()] }
}

pub(crate) fn mapping(role: &str, server_name: &str, options: &[(&str, &str)]) -> Situation {
    let above = server(server_name, &[("host", "db.example")]);
    let object = Rc::new(state(ObjectType::UserMapping, role, options));
    Situation { object, above: vec![postgres_fdw(), above.object] }
}

pub(crate) fn table(name: &str, options: &[(&str, &str)]) -> Situation {
    let above = server("foo", &[]);
    let object = state(ObjectType::ForeignTable, name, options).with(&[(Attribute::Schema, "public")]);
    Situation { object: Rc::new(object), above: vec![postgres_fdw(), above.object] }
}

pub(crate) fn column(name: &str, options: &[(&str, &str)]) -> Situation {
    let table = table("t", &[]);
    let mut above = table.above;
    above.push(table.object);
    Situation { object: Rc::new(state(ObjectType::ForeignTableColumn, name, options)), above }
}

/// A session of an ordinary role.
pub(crate) struct Ordinary;

impl Session for Ordinary {
    fn database(&self) -> &str {
        "app"
    }
    fn current_role(&self) -> &str {
        "alice"
    }
    fn session_role(&self) -> &str {
        "alice"
    }
    fn is_superuser(&self) -> bool {
        false
    }
    fn client_addr(&self) -> Option<&str> {
        Some("10.0.0.1")
    }
    fn application_name(&self) -> &str {
        "psql"
    }
    fn is_member_of(&self, role: &str) -> bool {
        matches!(role, "alice" | "dba")
    }
    fn check_for_interrupts(&self) {}
}
