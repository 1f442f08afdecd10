//! The whole state of a foreign table as one JSON document, attribute by attribute of [`crate::form::ATTRIBUTES`].

use serde_json::{Map, Value};

use crate::form::ATTRIBUTES;
use crate::model::{Attribute, Attributes, ObjectType, Situation};
use crate::policy::Policy;

/// The attributes of a foreign table, beside its options.
const OF_TABLE: &[Attribute] = &[
    Attribute::Schema,
    Attribute::Name,
    Attribute::Owner,
    Attribute::Constraints,
    Attribute::Triggers,
    Attribute::Parents,
];

const OF_COLUMN: &[Attribute] = &[
    Attribute::Name,
    Attribute::Type,
    Attribute::Collation,
    Attribute::Default,
    Attribute::Identity,
    Attribute::Generated,
    Attribute::NotNull,
    Attribute::Statistics,
    Attribute::AttributeOptions,
    Attribute::Storage,
];

/// What is known of a foreign table.
pub struct Table<'a> {
    pub table: &'a Situation,
    /// In their order.
    pub columns: &'a [Situation],
    pub inside: &'a Attributes,
    /// Identities of the tables that inherit from it.
    pub children: Vec<String>,
}

impl Policy {
    /// Everything that a form can change, secrets hidden.
    pub fn table_state(&self, known: &Table<'_>) -> Value {
        let mut attributes = known.table.object.description.attributes.clone();
        attributes.extend(known.inside.clone());
        let mut state = shown(&attributes, OF_TABLE);
        let name_of = |part: Option<&crate::model::ObjectState>| part.map(|part| Value::from(part.name()));
        let above = [("wrapper", ObjectType::ForeignDataWrapper), ("server", ObjectType::Server)];
        state.extend(above.map(|(key, part)| (key.to_owned(), name_of(known.table.part(part)).unwrap_or_default())));
        state.insert("options".to_owned(), self.shown_options(known.table));
        let columns = known.columns.iter().map(|column| {
            let mut state = shown(&column.object.description.attributes, OF_COLUMN);
            state.insert("options".to_owned(), self.shown_options(column));
            Value::Object(state)
        });
        state.insert("columns".to_owned(), columns.collect());
        state.insert("children".to_owned(), known.children.clone().into());
        Value::Object(state)
    }

    fn shown_options(&self, situation: &Situation) -> Value {
        let secrecy = self.secrecy(situation);
        let shown = |(option, value)| (str::to_owned(option), secrecy.show_whole(option, value).to_string().into());
        Value::Object(situation.object.options.iter().map(shown).collect())
    }
}

fn shown(attributes: &Attributes, wanted: &[Attribute]) -> Map<String, Value> {
    let rows = ATTRIBUTES.iter().filter(|row| wanted.contains(&row.attribute));
    rows.map(|row| (row.state_key.to_owned(), value(row.attribute, attributes.get(&row.attribute)))).collect()
}

fn value(attribute: Attribute, text: Option<&String>) -> Value {
    let parsed = || text.and_then(|text| serde_json::from_str(text).ok());
    match attribute {
        Attribute::NotNull => text.is_some().into(),
        Attribute::Statistics => parsed().unwrap_or_default(),
        Attribute::Constraints | Attribute::Triggers | Attribute::Parents => {
            parsed().unwrap_or_else(|| Value::Array(Vec::new()))
        }
        _ => text.map(String::as_str).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::{Constraint, to_attribute};
    use crate::secret::SecretOptions;
    use crate::testing::{postgres_fdw, state};
    use serde_json::json;
    use std::rc::Rc;

    #[test]
    fn everything_is_shown_but_secrets() {
        let server = Rc::new(state(ObjectType::Server, "far", &[]));
        let table = Rc::new(state(ObjectType::ForeignTable, "public.t", &[("password", "hunter2")]));
        let column = state(ObjectType::ForeignTableColumn, "c", &[("column_name", "x")]).with(&[
            (Attribute::Type, "integer"),
            (Attribute::Statistics, "10"),
            (Attribute::Default, "1"),
        ]);
        let table = Situation { object: table, above: vec![postgres_fdw(), server] };
        let constraint = Constraint { name: "k".into(), definition: "CHECK ((c > 0))".into(), validated: false };
        let inside = to_attribute(&[constraint]).map(|text| (Attribute::Constraints, text)).into_iter().collect();
        let columns = [Situation { object: Rc::new(column), above: Vec::new() }];
        let policy = Policy::new(Vec::new(), SecretOptions::default());
        let known = Table { table: &table, columns: &columns, inside: &inside, children: vec!["public.kid".into()] };
        let state = policy.table_state(&known);
        assert_eq!(state["options"], json!({"password": "***"}));
        assert_eq!((&state["wrapper"], &state["server"]), (&json!("postgres_fdw"), &json!("far")));
        let constraints = json!([{"name": "k", "definition": "CHECK ((c > 0))", "validated": false}]);
        assert_eq!((&state["constraints"], &state["triggers"]), (&constraints, &json!([])));
        assert_eq!(state["children"], json!(["public.kid"]));
        assert_eq!(
            state["columns"][0],
            json!({
                "name": "c", "type": "integer", "collation": null, "default": "1", "identity": null, "generated": null,
                "not_null": false, "statistics": 10, "attribute_options": null, "storage": null,
                "options": {"column_name": "x"}
            })
        );
    }
}
