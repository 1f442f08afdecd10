//! The statements that undo one recorded change of an object as it is now, or why there are none.

use thiserror::Error;

use crate::ddl::{self, OptionAction, options_clause, quote_identifier, quote_literal};
use crate::model::{Attribute, ObjectType, Situation};
use crate::sequence;

/// A recorded change, as a row of the history has it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// None for the object as a whole.
    pub attribute: Option<String>,
    /// `create`, `add`, `set` or `drop`.
    pub change: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// Why a change cannot be undone. PostgreSQL's own reasons come when the statement runs.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum UndoError {
    #[error("values of secrets are not kept")]
    Secret,
    #[error("it has been changed since")]
    ChangedSince,
    #[error("what was dropped is gone, with its secrets")]
    Dropped,
    #[error("the text that was there cannot be told from the escapes that the history shows")]
    Escaped,
    #[error("the schema of the function that was there is not recorded")]
    Function,
    #[error("PostgreSQL cannot take the validation of a constraint back")]
    Validated,
    #[error("its options do not show to you")]
    Unseen,
    #[error("no ALTER changes it")]
    NoStatement,
    #[error("grants are given and taken by GRANT and REVOKE")]
    Grant,
}

/// What is hidden from everybody.
const HIDDEN: &str = "***";

impl Recorded {
    /// The statements that undo it. `present` are the values that the attribute has now: none, one, or of parents
    /// any number.
    ///
    /// # Errors
    /// When it cannot be undone, or no longer.
    pub fn undo(&self, object: &Situation, present: &[String]) -> Result<Vec<String>, UndoError> {
        let Some(attribute) = &self.attribute else { return self.undo_creation(object) };
        if attribute == "grant" {
            return Err(UndoError::Grant);
        }
        if [&self.old, &self.new].into_iter().flatten().any(|value| value == HIDDEN) {
            return Err(UndoError::Secret);
        }
        let is_as_left =
            self.new.as_ref().map_or(present.is_empty() || attribute == "parent", |new| present.contains(new));
        let is_back = self.new.is_none() && self.old.as_ref().is_some_and(|old| present.contains(old));
        if !is_as_left || is_back {
            return Err(UndoError::ChangedSince);
        }
        if self.old.as_deref().is_some_and(may_be_escaped) {
            return Err(UndoError::Escaped);
        }
        let part = Part { object, old: self.old.as_deref(), new: self.new.as_deref() };
        match attribute.split_once(' ') {
            Some((kind, name)) => part.named(kind, name),
            None => part.plain(attribute),
        }
    }

    fn undo_creation(&self, object: &Situation) -> Result<Vec<String>, UndoError> {
        if self.change != "create" {
            return Err(UndoError::Dropped);
        }
        let alter = ddl::alter(object).ok_or(UndoError::NoStatement)?;
        let statement = match object.object.object_type {
            ObjectType::ForeignTableColumn => alter.replacen(" ALTER COLUMN ", " DROP COLUMN ", 1),
            _ => alter.replacen("ALTER ", "DROP ", 1),
        };
        Ok(vec![statement])
    }
}

/// Whether what looks like an escape may be one.
fn may_be_escaped(text: &str) -> bool {
    ["\\n", "\\r", "\\t", "\\u{"].iter().any(|escape| text.contains(escape))
}

/// An attribute and the object that it is of.
struct Part<'a> {
    object: &'a Situation,
    old: Option<&'a str>,
    new: Option<&'a str>,
}

impl Part<'_> {
    /// The beginning of ALTER with the rest of it.
    fn alter(&self, rest: &str) -> Result<Vec<String>, UndoError> {
        let alter = ddl::alter(self.object).ok_or(UndoError::NoStatement)?;
        Ok(vec![format!("{alter} {rest}")])
    }

    fn named(&self, kind: &str, name: &str) -> Result<Vec<String>, UndoError> {
        match kind {
            "option" => self.option(name),
            "constraint" => self.constraint(&quote_identifier(name)),
            "trigger" => self.trigger(&quote_identifier(name)),
            _ => Err(UndoError::NoStatement),
        }
    }

    fn option(&self, name: &str) -> Result<Vec<String>, UndoError> {
        let action = match (self.old, self.new) {
            (Some(old), Some(_)) => OptionAction::Set(old),
            (Some(old), None) => OptionAction::Add(old),
            (None, _) => OptionAction::Drop,
        };
        self.alter(&options_clause(name, action))
    }

    fn constraint(&self, name: &str) -> Result<Vec<String>, UndoError> {
        match (self.old, self.new) {
            (None, _) => self.alter(&format!("DROP CONSTRAINT {name}")),
            (Some(old), None) => self.alter(&format!("ADD CONSTRAINT {name} {old}")),
            (Some(old), Some(new)) if old.strip_suffix(" NOT VALID") == Some(new) => Err(UndoError::Validated),
            (Some(old), Some(_)) => self.alter(&format!("DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {old}")),
        }
    }

    fn trigger(&self, name: &str) -> Result<Vec<String>, UndoError> {
        let Some(old) = self.old else {
            let alter = ddl::alter(self.object).ok_or(UndoError::NoStatement)?;
            let table = alter.strip_prefix("ALTER FOREIGN TABLE ").ok_or(UndoError::NoStatement)?;
            return Ok(vec![format!("DROP TRIGGER {name} ON {table}")]);
        };
        let (definition, enable) = fires(old);
        let mut statements = Vec::new();
        match self.new.map(fires) {
            Some((now, _)) if now == definition => {}
            Some(_) => statements.push(definition.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)),
            None => statements.push(definition.to_owned()),
        }
        if self.new.is_some() || enable != ENABLED {
            statements.extend(self.alter(&format!("{enable} {name}"))?);
        }
        Ok(statements)
    }

    fn plain(&self, attribute: &str) -> Result<Vec<String>, UndoError> {
        let old = self.old;
        match attribute {
            "owner" => self.alter(&format!("OWNER TO {}", identifier(old)?)),
            "name" => self.rename(&identifier(old)?),
            "schema" => self.alter(&format!("SET SCHEMA {}", identifier(old)?)),
            "version" => self.alter(&format!("VERSION {}", old.map_or_else(|| "NULL".to_owned(), quote_literal))),
            "handler" if old.is_none() => self.alter("NO HANDLER"),
            "validator" if old.is_none() => self.alter("NO VALIDATOR"),
            "handler" | "validator" => Err(UndoError::Function),
            "parent" => self.alter(&match (old, self.new) {
                (Some(parent), _) => format!("INHERIT {parent}"),
                (None, parent) => format!("NO INHERIT {}", parent.unwrap_or_default()),
            }),
            _ if self.object.object.object_type == ObjectType::ForeignTableColumn => self.column(attribute),
            _ => Err(UndoError::NoStatement),
        }
    }

    fn rename(&self, name: &str) -> Result<Vec<String>, UndoError> {
        match self.object.object.object_type {
            ObjectType::UserMapping => Err(UndoError::NoStatement),
            ObjectType::ForeignTableColumn => {
                let alter = ddl::alter(self.object).ok_or(UndoError::NoStatement)?;
                Ok(vec![format!("{} TO {name}", alter.replacen(" ALTER COLUMN ", " RENAME COLUMN ", 1))])
            }
            _ => self.alter(&format!("RENAME TO {name}")),
        }
    }

    fn column(&self, attribute: &str) -> Result<Vec<String>, UndoError> {
        let data_type = || self.object.object.attribute(Attribute::Type).ok_or(UndoError::NoStatement);
        let rest = match (attribute, self.old) {
            ("type", Some(old)) => format!("SET DATA TYPE {old}"),
            ("collation", Some(old)) => format!("SET DATA TYPE {} COLLATE {}", data_type()?, quote_identifier(old)),
            ("collation", None) => format!("SET DATA TYPE {}", data_type()?),
            ("not_null", Some(_)) => "SET NOT NULL".to_owned(),
            ("not_null", None) => "DROP NOT NULL".to_owned(),
            ("statistics", old) => format!("SET STATISTICS {}", old.unwrap_or("-1")),
            ("storage", Some(old)) => format!("SET STORAGE {old}"),
            ("default", Some(old)) => format!("SET DEFAULT {old}"),
            ("default", None) => "DROP DEFAULT".to_owned(),
            ("identity", None) => "DROP IDENTITY".to_owned(),
            ("identity", Some(old)) => match self.new {
                Some(new) => sequence::set(old, new),
                None => format!("ADD GENERATED {}", sequence::add(old)),
            },
            ("attribute_options", _) => return self.attribute_options(),
            _ => return Err(UndoError::NoStatement),
        };
        self.alter(&rest)
    }

    /// Both commands in one statement.
    fn attribute_options(&self) -> Result<Vec<String>, UndoError> {
        let entries = |text: Option<&str>| -> Vec<String> {
            let entries = text.unwrap_or_default().split(", ").filter(|entry| !entry.is_empty());
            entries.map(str::to_owned).collect()
        };
        let name = |entry: &String| entry.split_once('=').map_or_else(|| entry.clone(), |(name, _)| name.to_owned());
        let (old, new) = (entries(self.old), entries(self.new));
        let before: Vec<String> = old.iter().map(name).collect();
        let added: Vec<String> = new.iter().map(name).filter(|name| !before.contains(name)).collect();
        let changed: Vec<&str> = old.iter().filter(|entry| !new.contains(entry)).map(String::as_str).collect();
        let alter = ddl::alter(self.object).ok_or(UndoError::NoStatement)?;
        let (table, column) = alter.split_once(" ALTER COLUMN ").ok_or(UndoError::NoStatement)?;
        let reset = (!added.is_empty()).then(|| format!("ALTER COLUMN {column} RESET ({})", added.join(", ")));
        let set = (!changed.is_empty()).then(|| format!("ALTER COLUMN {column} SET ({})", changed.join(", ")));
        let commands: Vec<String> = reset.into_iter().chain(set).collect();
        Ok(vec![format!("{table} {}", commands.join(", "))])
    }
}

fn identifier(name: Option<&str>) -> Result<String, UndoError> {
    name.map(quote_identifier).ok_or(UndoError::NoStatement)
}

const ENABLED: &str = "ENABLE TRIGGER";

/// A trigger's definition, and the command by which it fires as it does.
fn fires(trigger: &str) -> (&str, &'static str) {
    const COMMANDS: [(&str, &str); 3] = [
        (" DISABLE", "DISABLE TRIGGER"),
        (" ENABLE REPLICA", "ENABLE REPLICA TRIGGER"),
        (" ENABLE ALWAYS", "ENABLE ALWAYS TRIGGER"),
    ];
    let found = COMMANDS.iter().find_map(|(suffix, command)| Some((trigger.strip_suffix(suffix)?, *command)));
    found.unwrap_or((trigger, ENABLED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{column, mapping, server, table};

    fn undo(object: &Situation, row: (&str, Option<&str>, Option<&str>)) -> Result<String, UndoError> {
        undo_when(object, row, &row.2.into_iter().collect::<Vec<_>>())
    }

    fn undo_when(
        object: &Situation,
        (attribute, old, new): (&str, Option<&str>, Option<&str>),
        present: &[&str],
    ) -> Result<String, UndoError> {
        let (old, new) = (old.map(str::to_owned), new.map(str::to_owned));
        let recorded = Recorded { attribute: Some(attribute.to_owned()), change: String::new(), old, new };
        let present: Vec<String> = present.iter().map(|value| (*value).to_owned()).collect();
        recorded.undo(object, &present).map(|statements| statements.join("; "))
    }

    #[test]
    fn options_go_back() {
        let server = server("s", &[]);
        let cases = [
            (Some("a"), Some("b"), "ALTER SERVER s OPTIONS (SET host 'a')"),
            (None, Some("b"), "ALTER SERVER s OPTIONS (DROP host)"),
            (Some("a"), None, "ALTER SERVER s OPTIONS (ADD host 'a')"),
        ];
        for (old, new, statement) in cases {
            assert_eq!(undo(&server, ("option host", old, new)).unwrap(), statement);
        }
        let odd = undo(&mapping("Bob", "s", &[]), ("option Odd Name", None, Some("b")));
        assert_eq!(odd.unwrap(), "ALTER USER MAPPING FOR \"Bob\" SERVER s OPTIONS (DROP \"Odd Name\")");
    }

    #[test]
    fn what_was_changed_since_stays() {
        let server = server("s", &[]);
        let row = ("option host", Some("a"), Some("b"));
        assert_eq!(undo_when(&server, row, &["c"]), Err(UndoError::ChangedSince));
        assert_eq!(undo_when(&server, row, &[]), Err(UndoError::ChangedSince));
        assert_eq!(undo_when(&server, ("option host", Some("a"), None), &["a"]), Err(UndoError::ChangedSince));
        assert_eq!(undo_when(&server, ("option host", Some("a"), None), &["c"]), Err(UndoError::ChangedSince));
    }

    #[test]
    fn what_cannot_be_undone_has_a_reason() {
        let (server, table) = (server("s", &[]), table("t", &[]));
        let cases = [
            (&server, ("option password", Some("***"), Some("***")), UndoError::Secret),
            (&server, ("option a", Some("x\\ny"), Some("b")), UndoError::Escaped),
            (&server, ("wrapper", None, Some("w")), UndoError::NoStatement),
            (&server, ("grant", None, Some("a=U/b")), UndoError::Grant),
            (&table, ("constraint c", Some("CHECK (a) NOT VALID"), Some("CHECK (a)")), UndoError::Validated),
        ];
        for (object, row, reason) in cases {
            assert_eq!(undo(object, row), Err(reason), "{row:?}");
        }
        let dropped = Recorded { attribute: None, change: "drop".to_owned(), old: None, new: None };
        assert_eq!(dropped.undo(&server, &[]), Err(UndoError::Dropped));
    }

    #[test]
    fn what_was_made_is_dropped() {
        let made = |object| {
            let recorded = Recorded { attribute: None, change: "create".to_owned(), old: None, new: None };
            recorded.undo(&object, &[]).unwrap().join("; ")
        };
        assert_eq!(made(server("s", &[])), "DROP SERVER s");
        assert_eq!(made(mapping("public", "s", &[])), "DROP USER MAPPING FOR PUBLIC SERVER s");
        assert_eq!(made(table("t", &[])), "DROP FOREIGN TABLE public.t");
        assert_eq!(made(column("c", &[])), "ALTER FOREIGN TABLE public.t DROP COLUMN c");
    }

    #[test]
    fn other_attributes_go_back() {
        let (server, table, column) = (server("s", &[]), table("t", &[]), column("c", &[]));
        let definition = "CREATE TRIGGER g BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION f()";
        let (disabled, always) = (format!("{definition} DISABLE"), format!("{definition} ENABLE ALWAYS"));
        let cases = [
            (&server, ("name", Some("r"), Some("s")), "ALTER SERVER s RENAME TO r"),
            (&server, ("version", None, Some("2")), "ALTER SERVER s VERSION NULL"),
            (&server, ("owner", Some("A"), Some("b")), "ALTER SERVER s OWNER TO \"A\""),
            (&table, ("schema", Some("x"), Some("public")), "ALTER FOREIGN TABLE public.t SET SCHEMA x"),
            (&table, ("parent", None, Some("public.p")), "ALTER FOREIGN TABLE public.t NO INHERIT public.p"),
            (&table, ("parent", Some("public.p"), None), "ALTER FOREIGN TABLE public.t INHERIT public.p"),
            (
                &table,
                ("constraint k", Some("CHECK (a) NOT VALID"), None),
                "ALTER FOREIGN TABLE public.t ADD CONSTRAINT k CHECK (a) NOT VALID",
            ),
            (&table, ("trigger g", Some(definition), Some(&disabled)), "ALTER FOREIGN TABLE public.t ENABLE TRIGGER g"),
            (&table, ("trigger g", None, Some(definition)), "DROP TRIGGER g ON public.t"),
            (
                &table,
                ("trigger g", Some(&always), None),
                &format!("{definition}; ALTER FOREIGN TABLE public.t ENABLE ALWAYS TRIGGER g"),
            ),
            (&column, ("name", Some("b"), Some("c")), "ALTER FOREIGN TABLE public.t RENAME COLUMN c TO b"),
            (&column, ("default", Some("1"), None), "ALTER FOREIGN TABLE public.t ALTER COLUMN c SET DEFAULT 1"),
            (&column, ("not_null", None, Some("true")), "ALTER FOREIGN TABLE public.t ALTER COLUMN c DROP NOT NULL"),
            (&column, ("statistics", None, Some("9")), "ALTER FOREIGN TABLE public.t ALTER COLUMN c SET STATISTICS -1"),
            (
                &column,
                ("attribute_options", Some("a=1, b=2"), Some("b=3, c=4")),
                "ALTER FOREIGN TABLE public.t ALTER COLUMN c RESET (c), ALTER COLUMN c SET (a=1, b=2)",
            ),
        ];
        for (object, row, statement) in cases {
            assert_eq!(undo(object, row).as_deref(), Ok(statement), "{row:?}");
        }
    }
}
