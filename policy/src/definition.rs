//! The statements that would create an object again: what `get_ddl` tells.
//!
//! Names of other objects, types and expressions come from PostgreSQL's own functions, written for the search path
//! `pg_catalog`. What is not told is a comment in its place.

mod grants;
mod table;
#[cfg(test)]
mod tests;

use serde::Deserialize;

use crate::ddl::{quote_identifier, quote_literal, quote_role};
use crate::model::{Attribute, ObjectType, Situation};
use crate::secret::{Secrecy, escaped};
use grants::Grant;
pub use table::{Table, foreign_table};

/// An object with its options, as far as they may be told.
pub struct Known<'a> {
    pub situation: &'a Situation,
    pub secrecy: &'a Secrecy,
    /// Whether the caller may see the values, secrets aside.
    pub are_visible: bool,
}

/// What the catalogs say of a wrapper or a server, and of a table in the first place.
#[derive(Debug, Deserialize)]
pub struct Object {
    owner: String,
    comment: Option<String>,
    /// The extension that makes it.
    extension: Option<String>,
    /// Of a wrapper, with their schemas.
    handler: Option<String>,
    validator: Option<String>,
    /// None if they are those that the owner has by default.
    grants: Option<Vec<Grant>>,
    default_grants: Option<Vec<Grant>>,
    labels: Option<Vec<Label>>,
}

#[derive(Debug, Deserialize)]
struct Label {
    provider: String,
    label: String,
}

/// The wrapper that a guarded wrapper stands in front of.
pub struct Guarded {
    pub delegate: String,
    pub is_in_place: bool,
}

/// Statements, one after the other.
struct Script(Vec<String>);

impl Script {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a statement, without its semicolon.
    fn add(&mut self, statement: impl AsRef<str>) {
        self.0.push(format!("{};", statement.as_ref()));
    }

    fn remark(&mut self, remark: impl AsRef<str>) {
        self.0.push(format!("-- {}", remark.as_ref()));
    }

    fn comment(&mut self, on: &str, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.add(format!("COMMENT ON {on} IS {}", quote_literal(comment)));
        }
    }

    fn labels(&mut self, on: &str, labels: Option<&[Label]>) {
        for Label { provider, label } in labels.unwrap_or_default() {
            let (provider, label) = (quote_identifier(provider), quote_literal(label));
            self.add(format!("SECURITY LABEL FOR {provider} ON {on} IS {label}"));
        }
    }

    /// What comes after an object of that kind: the owner last of what needs to own it, then what he has granted.
    fn rest(&mut self, kind: &str, grant_kind: &str, name: &str, object: &Object) {
        self.comment(&format!("{kind} {name}"), object.comment.as_deref());
        self.labels(&format!("{kind} {name}"), object.labels.as_deref());
        self.add(format!("ALTER {} {name} OWNER TO {}", kind, quote_identifier(&object.owner)));
        let default = object.default_grants.as_deref().unwrap_or_default();
        if let Some(present) = &object.grants {
            let on = format!("{grant_kind} {name}");
            self.0.extend(grants::statements(&on, None, &object.owner, default, present));
        }
    }

    fn of_extension(&mut self, extension: Option<&str>) {
        if let Some(extension) = extension {
            let extension = escaped(&quote_identifier(extension));
            self.remark(format!("It comes with an extension: CREATE EXTENSION {extension};"));
        }
    }

    fn text(self) -> String {
        self.0.join("\n")
    }
}

/// A list of options as CREATE has it, and what is left out.
struct OptionsClause {
    given: Vec<String>,
    remarks: Vec<String>,
}

impl OptionsClause {
    fn of(known: &Known<'_>) -> Self {
        if !known.are_visible {
            return Self { given: Vec::new(), remarks: vec!["-- its options are hidden from you".to_owned()] };
        }
        let (mut given, mut remarks) = (Vec::new(), Vec::new());
        for (option, value) in known.situation.object.options.iter() {
            let name = quote_identifier(option);
            if known.secrecy.is_secret(option) {
                remarks.push(format!("-- {}{} is a secret, and left out", escaped(&name), of_column(known.situation)));
            } else {
                given.push(format!("{name} {}", quote_literal(value.expose())));
            }
        }
        Self { given, remarks }
    }

    /// On lines of their own, after the rest of the statement.
    fn lines(&self) -> String {
        let lines = |lines: Vec<String>| lines.iter().map(|line| format!("\n    {line}")).collect::<String>();
        let remarks = lines(self.remarks.clone());
        match (self.given.is_empty(), remarks.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("{remarks}\n"),
            _ => format!(" OPTIONS ({}{remarks}\n)", lines(with_commas(&self.given))),
        }
    }

    /// `OPTIONS (a 'b', …)`, or nothing.
    fn clause(&self) -> Option<String> {
        (!self.given.is_empty()).then(|| format!("OPTIONS ({})", self.given.join(", ")))
    }
}

/// ` of column c`, where the option is that of a column.
fn of_column(situation: &Situation) -> String {
    let is_column = situation.object.object_type == ObjectType::ForeignTableColumn;
    let name = || escaped(&quote_identifier(situation.object.name()));
    if is_column { format!(" of column {}", name()) } else { String::new() }
}

/// A comma after each but the last.
fn with_commas(elements: &[String]) -> Vec<String> {
    let last = elements.len().saturating_sub(1);
    let comma = |place: usize| if place < last { "," } else { "" };
    elements.iter().enumerate().map(|(place, element)| format!("{element}{}", comma(place))).collect()
}

/// The statements that create a foreign-data wrapper.
pub fn wrapper(known: &Known<'_>, object: &Object, guarded: Option<&Guarded>) -> String {
    let name = quote_identifier(known.situation.object.name());
    let mut script = Script::new();
    script.of_extension(object.extension.as_deref());
    if let Some(guarded) = guarded {
        script.remark(escaped(&remark_on_guard(known.situation.object.name(), guarded)));
    }
    let handler = object.handler.as_ref().map(|function| format!(" HANDLER {function}")).unwrap_or_default();
    let validator = object.validator.as_ref().map(|function| format!(" VALIDATOR {function}")).unwrap_or_default();
    let options = OptionsClause::of(known).lines();
    script.add(format!("CREATE FOREIGN DATA WRAPPER {name}{handler}{validator}{options}"));
    script.rest("FOREIGN DATA WRAPPER", "FOREIGN DATA WRAPPER", &name, object);
    script.text()
}

fn remark_on_guard(name: &str, guarded: &Guarded) -> String {
    let (wrapper, delegate) = (quote_literal(name), quote_literal(&guarded.delegate));
    if guarded.is_in_place {
        format!("It is guarded in place. Its functions are made by SELECT fdw_guard.guard_wrapper({wrapper});")
    } else {
        format!(
            "It is a guarded wrapper. Its functions and itself are made by SELECT fdw_guard.create_wrapper({wrapper}, {delegate});"
        )
    }
}

/// The statements that create a server.
pub fn server(known: &Known<'_>, object: &Object) -> String {
    let state = &known.situation.object;
    let name = quote_identifier(state.name());
    let wrapper = known.situation.part(ObjectType::ForeignDataWrapper).map(|wrapper| wrapper.name());
    let text = |word, attribute| {
        state.attribute(attribute).map(|text| format!(" {word} {}", quote_literal(text))).unwrap_or_default()
    };
    let mut script = Script::new();
    script.of_extension(object.extension.as_deref());
    script.add(format!(
        "CREATE SERVER {name}{}{} FOREIGN DATA WRAPPER {}{}",
        text("TYPE", Attribute::Type),
        text("VERSION", Attribute::Version),
        quote_identifier(wrapper.unwrap_or_default()),
        OptionsClause::of(known).lines()
    ));
    script.rest("SERVER", "FOREIGN SERVER", &name, object);
    script.text()
}

/// The statement that creates a user mapping.
pub fn user_mapping(known: &Known<'_>) -> String {
    let role = quote_role(known.situation.object.name());
    let server = known.situation.part(ObjectType::Server).map(|server| server.name()).unwrap_or_default();
    let mut script = Script::new();
    let options = OptionsClause::of(known).lines();
    script.add(format!("CREATE USER MAPPING FOR {role} SERVER {}{options}", quote_identifier(server)));
    script.text()
}
