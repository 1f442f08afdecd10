//! The context document: what the conditions of rules see of an object, of what is above it, and of the session.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::evaluate::Session;
use crate::form::ATTRIBUTES;
use crate::merge::Merge;
use crate::model::{ObjectState, ObjectType, Situation};
use crate::reading::ValueType;
use crate::secret::Secrecy;

/// Keys of the document beside those of [`PARTS`].
pub(crate) const OPTIONS: &str = "options";
pub(crate) const EFFECTIVE: &str = "effective";
pub(crate) const OLD: &str = "old";
pub(crate) const SESSION: &str = "session";

/// The objects of the document.
pub(crate) const PARTS: &[(ObjectType, &str)] = &[
    (ObjectType::ForeignDataWrapper, "wrapper"),
    (ObjectType::Server, "server"),
    (ObjectType::UserMapping, "user_mapping"),
    (ObjectType::ForeignTable, "foreign_table"),
    (ObjectType::ForeignTableColumn, "column"),
];

type OfSession = fn(&dyn Session) -> Value;

/// What the document says of the session.
pub(crate) const SESSION_FIELDS: &[(&str, ValueType, OfSession)] = &[
    ("current_role", ValueType::String, |session| session.current_role().into()),
    ("session_role", ValueType::String, |session| session.session_role().into()),
    ("is_superuser", ValueType::Boolean, |session| session.is_superuser().into()),
    ("client_addr", ValueType::String, |session| session.client_addr().map_or(Value::Null, Value::from)),
    ("application_name", ValueType::String, |session| session.application_name().into()),
    ("database", ValueType::String, |session| session.database().into()),
];

/// Keys under which the attributes of such an object stand in its part.
pub(crate) fn attribute_keys(object_type: ObjectType) -> impl Iterator<Item = &'static str> {
    ATTRIBUTES.iter().filter_map(move |row| (row.key)(object_type))
}

/// The object type of the part with that key.
pub(crate) fn part_of_key(key: &str) -> Option<ObjectType> {
    PARTS.iter().find(|(_, part)| *part == key).map(|(object_type, _)| *object_type)
}

/// How the options of each part are shown in a document: as they are, or with secrets masked.
pub(crate) enum Sight<'a> {
    Everything,
    Masked(&'a dyn Fn(ObjectType) -> Option<Rc<Secrecy>>),
}

impl Sight<'_> {
    /// The options of one object as one JSON object.
    pub(crate) fn options(&self, state: &ObjectState) -> Map<String, Value> {
        let secrecy = match self {
            Self::Everything => None,
            Self::Masked(secrecy_of) => secrecy_of(state.object_type),
        };
        let shown = |(name, value): (&str, crate::model::OptionValue<'_>)| {
            let text = secrecy.as_ref().map_or_else(|| value.expose().to_owned(), |known| known.masked(name, value));
            (name.to_owned(), Value::from(text))
        };
        state.options.iter().map(shown).collect()
    }
}

/// The parts of a situation and its effective options.
pub(crate) fn parts(situation: &Situation, sight: &Sight<'_>) -> Map<String, Value> {
    let states = PARTS.iter().filter_map(|(object_type, key)| Some((*key, situation.part(*object_type)?)));
    let shown: Vec<ShownPart<'_>> = states.map(|(key, state)| (key, state, sight.options(state))).collect();
    let effective = effective(situation, &shown);
    let mut document: Map<String, Value> =
        shown.into_iter().map(|(key, state, options)| (key.to_owned(), Value::Object(part(state, options)))).collect();
    document.insert(EFFECTIVE.to_owned(), Value::Object(effective));
    document
}

/// The key of a part, the object, and its options as they are shown.
type ShownPart<'a> = (&'static str, &'a ObjectState, Map<String, Value>);

/// The options of all parts, merged as the wrapper merges them.
fn effective(situation: &Situation, shown: &[ShownPart<'_>]) -> Map<String, Value> {
    let merge = Merge::of(situation.part(ObjectType::ForeignDataWrapper));
    let states: Vec<&ObjectState> = shown.iter().map(|(_, state, _)| *state).collect();
    let value = |option: &str, bearer: &ObjectState| {
        let (_, _, options) = shown.iter().find(|(_, state, _)| std::ptr::eq(*state, bearer))?;
        options.get(option).cloned()
    };
    merge.options(&states).filter_map(|(option, bearer)| Some((option.to_owned(), value(option, bearer)?))).collect()
}

/// A document of a wrapper alone, without its options.
pub(crate) fn wrapper_document(wrapper: &ObjectState) -> Value {
    serde_json::json!({ "wrapper": part(wrapper, Map::new()) })
}

fn part(state: &ObjectState, options: Map<String, Value>) -> Map<String, Value> {
    let attribute = |row: &crate::form::AttributeRow| {
        let key = (row.key)(state.object_type)?;
        Some((key.to_owned(), Value::from(state.attribute(row.attribute)?)))
    };
    let mut part: Map<String, Value> = ATTRIBUTES.iter().filter_map(attribute).collect();
    part.insert(OPTIONS.to_owned(), Value::Object(options));
    part
}

/// What the document says of the session. What is not known of it is left out.
pub(crate) fn session(session: &dyn Session) -> Value {
    let fields = SESSION_FIELDS.iter().map(|(key, _, value)| ((*key).to_owned(), value(session)));
    Value::Object(fields.filter(|(_, value)| !value.is_null()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretOptions;
    use crate::testing::{Ordinary, column, mapping};
    use serde_json::json;

    #[test]
    fn a_mapping_is_seen_with_its_server_and_its_wrapper() {
        let document = parts(&mapping("bob", "foo", &[("user", "b"), ("host", "mine")]), &Sight::Everything);
        let wanted = json!({
            "wrapper": {
                "name": "postgres_fdw", "handler": "postgres_fdw_handler", "validator": "postgres_fdw_validator",
                "delegate": "postgres_fdw", "options": {}
            },
            "server": {"name": "foo", "options": {"host": "db.example"}},
            "user_mapping": {"role": "bob", "options": {"user": "b", "host": "mine"}},
            "effective": {"host": "mine", "user": "b"}
        });
        assert_eq!(Value::Object(document), wanted);
    }

    #[test]
    fn secrets_are_masked_in_their_part_and_in_the_effective_options() {
        let secrecy = |object_type| Some(Rc::new(Secrecy::new(object_type, Rc::new(SecretOptions::default()))));
        let document = parts(&mapping("bob", "foo", &[("password", "hunter2")]), &Sight::Masked(&secrecy));
        assert_eq!(document["effective"], json!({"host": "db.example", "password": "*******"}));
        assert!(!Value::Object(document).to_string().contains("hunter2"));
    }

    #[test]
    fn the_effective_options_are_those_that_the_wrapper_uses() {
        let seen =
            |options: &[(&str, &str)]| parts(&mapping("bob", "foo", options), &Sight::Everything)[EFFECTIVE].clone();
        assert_eq!(seen(&[("host", "")]), json!({"host": "db.example"}));
        assert_eq!(seen(&[("user", "")]), json!({"host": "db.example"}));
    }

    #[test]
    fn a_column_is_seen_with_its_table() {
        let document = parts(&column("c", &[("column_name", "x")]), &Sight::Everything);
        assert_eq!(document["foreign_table"], json!({"name": "t", "schema": "public", "options": {}}));
        assert_eq!(document["column"], json!({"name": "c", "options": {"column_name": "x"}}));
    }

    #[test]
    fn the_session_is_seen() {
        let wanted = json!({
            "current_role": "alice", "session_role": "alice", "is_superuser": false, "client_addr": "10.0.0.1",
            "application_name": "psql", "database": "app"
        });
        assert_eq!(session(&Ordinary), wanted);
    }
}
