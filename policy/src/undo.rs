//! The statements that undo one recorded change of an object as it is now, or why there are none.

use std::fmt;

use thiserror::Error;

use crate::ddl::{self, OptionAction, options_clause, quote_identifier, quote_literal};
use crate::model::{Attribute, ObjectType, Situation};
use crate::secret::{HIDDEN, kept, original};
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

/// The object that it was of, as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    pub object: &'a Situation,
    /// The values that the attribute has, as a history keeps them: none, one, or of parents and grants any number.
    pub present: &'a [String],
    /// Of a wrapper or a server, in whose name PostgreSQL would give and take the caller's grants.
    pub grantor: Option<&'a str>,
    /// Whether the history knows of later changes of the attribute, or of the object where it is about that.
    pub is_changed: bool,
}

/// Why a change cannot be undone. PostgreSQL's own reasons come when the statement runs.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum UndoError {
    #[error("values of secrets are not kept")]
    Secret,
    #[error("it has been changed since")]
    ChangedSince,
    #[error("what was dropped is gone, with its secrets")]
    Dropped,
    #[error("PostgreSQL cannot take the validation of a constraint back")]
    Validated,
    #[error("its options do not show to you")]
    Unseen,
    #[error("no ALTER changes it")]
    NoStatement,
    #[error("only role {0} can give and take what it has granted")]
    Grantor(String),
    #[error("the right goes together with the right to grant it")]
    GrantOption,
    #[error("the history does not tell what it was")]
    Unreadable,
}

impl Recorded {
    /// The statements that undo it.
    ///
    /// # Errors
    /// When it cannot be undone, or no longer.
    pub fn undo(&self, now: Now<'_>) -> Result<Vec<String>, UndoError> {
        let Some(attribute) = &self.attribute else { return self.undo_creation(now) };
        if self.old.as_deref() == Some(HIDDEN) {
            return Err(UndoError::Secret);
        }
        let is_one_of_many = matches!(attribute.as_str(), "parent" | "grant");
        let is_as_left =
            self.new.as_ref().map_or(is_one_of_many || now.present.is_empty(), |new| now.present.contains(new));
        let is_back = self.new.is_none() && self.old.as_ref().is_some_and(|old| now.present.contains(old));
        // Of a secret only the history can tell.
        let is_changed = now.is_changed && self.new.as_deref() == Some(HIDDEN);
        if !is_as_left || is_back || is_changed {
            return Err(UndoError::ChangedSince);
        }
        let (old, new) = (read(self.old.as_deref())?, read(self.new.as_deref())?);
        let part = Part { now, object: now.object, old: old.as_deref(), new: new.as_deref() };
        match attribute.split_once(' ') {
            Some((kind, name)) => part.named(kind, &original(name).ok_or(UndoError::Unreadable)?),
            None => part.plain(attribute),
        }
    }

    fn undo_creation(&self, now: Now<'_>) -> Result<Vec<String>, UndoError> {
        if self.change != "create" {
            return Err(UndoError::Dropped);
        }
        if now.is_changed {
            return Err(UndoError::ChangedSince);
        }
        let alter = ddl::alter(now.object).ok_or(UndoError::NoStatement)?;
        let statement = match now.object.object.object_type {
            ObjectType::ForeignTableColumn => alter.replacen(" ALTER COLUMN ", " DROP COLUMN ", 1),
            _ => alter.replacen("ALTER ", "DROP ", 1),
        };
        Ok(vec![statement])
    }
}

fn read(kept: Option<&str>) -> Result<Option<String>, UndoError> {
    kept.map(|kept| original(kept).ok_or(UndoError::Unreadable)).transpose()
}

/// The text before and after the first of these words that does not stand in a quoted identifier.
fn split_unquoted<'t>(text: &'t str, words: &str) -> Option<(&'t str, &'t str)> {
    let mut quoted = false;
    let place = text.char_indices().find_map(|(place, character)| {
        quoted ^= character == '"';
        let found = !quoted && text.get(place..).is_some_and(|rest| rest.starts_with(words));
        found.then_some(place)
    })?;
    Some((text.get(..place)?, text.get(place + words.len()..)?))
}

/// An attribute and the object that it is of.
struct Part<'a> {
    now: Now<'a>,
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
            return Ok(vec![format!("DROP TRIGGER {name} ON {}", self.table()?)]);
        };
        let (definition, enable) = fires(old);
        let mut statements = Vec::new();
        match self.new.map(fires) {
            Some((now, _)) if now == definition => {}
            Some(_) => {
                statements.push(self.here(definition)?.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1));
            }
            None => statements.push(self.here(definition)?),
        }
        if self.new.is_some() || enable != ENABLED {
            statements.extend(self.alter(&format!("{enable} {name}"))?);
        }
        Ok(statements)
    }

    /// The definition of a trigger for the table by its present name: another one may be called as it was then.
    fn here(&self, definition: &str) -> Result<String, UndoError> {
        let (event, rest) = split_unquoted(definition, " ON ").ok_or(UndoError::Unreadable)?;
        let (_, rest) = split_unquoted(rest, " ").ok_or(UndoError::Unreadable)?;
        Ok(format!("{event} ON {} {rest}", self.table()?))
    }

    /// The name of the table that the object is or belongs to.
    fn table(&self) -> Result<String, UndoError> {
        let alter = ddl::alter(self.object).ok_or(UndoError::NoStatement)?;
        alter.strip_prefix("ALTER FOREIGN TABLE ").map(str::to_owned).ok_or(UndoError::NoStatement)
    }

    fn plain(&self, attribute: &str) -> Result<Vec<String>, UndoError> {
        let old = self.old;
        match attribute {
            "owner" => self.alter(&format!("OWNER TO {}", identifier(old)?)),
            "name" => self.rename(&identifier(old)?),
            "schema" => self.alter(&format!("SET SCHEMA {}", identifier(old)?)),
            "version" => self.alter(&format!("VERSION {}", old.map_or_else(|| "NULL".to_owned(), quote_literal))),
            "handler" => self.alter(&old.map_or_else(|| "NO HANDLER".to_owned(), |old| format!("HANDLER {old}"))),
            "validator" => self.alter(&old.map_or_else(|| "NO VALIDATOR".to_owned(), |old| format!("VALIDATOR {old}"))),
            "parent" => self.parent(),
            "grant" => self.grant(),
            _ if self.object.object.object_type == ObjectType::ForeignTableColumn => self.column(attribute),
            _ => Err(UndoError::NoStatement),
        }
    }

    fn parent(&self) -> Result<Vec<String>, UndoError> {
        let told = self.old.or(self.new).ok_or(UndoError::NoStatement)?;
        let (parent, bound) = partition(told);
        match (self.old.is_some(), bound) {
            (true, Some(bound)) => Ok(vec![format!("ALTER TABLE {parent} ATTACH PARTITION {} {bound}", self.table()?)]),
            (false, Some(_)) => Ok(vec![format!("ALTER TABLE {parent} DETACH PARTITION {}", self.table()?)]),
            (true, None) => self.alter(&format!("INHERIT {parent}")),
            (false, None) => self.alter(&format!("NO INHERIT {parent}")),
        }
    }

    /// A right and the right to grant it are changes of their own; who has the second has the first, and nobody keeps the
    /// second without the first.
    fn grant(&self) -> Result<Vec<String>, UndoError> {
        let grant = Grant::read(self.old.or(self.new).ok_or(UndoError::NoStatement)?).ok_or(UndoError::Unreadable)?;
        if self.now.grantor != original_name(grant.grantor).as_deref() {
            return Err(UndoError::Grantor(grant.grantor.to_owned()));
        }
        let has = |may_grant| self.now.present.contains(&kept(&Grant { may_grant, ..grant }.to_string()));
        let other = !grant.may_grant;
        let is_given = self.old.is_some();
        if (is_given && grant.may_grant && !has(other)) || (!is_given && !grant.may_grant && has(other)) {
            return Err(UndoError::GrantOption);
        }
        let object = self.granted_object()?;
        let grantee = grant.grantee;
        Ok(vec![match (is_given, grant.may_grant) {
            (true, false) => format!("GRANT USAGE ON {object} TO {grantee}"),
            (true, true) => format!("GRANT USAGE ON {object} TO {grantee} WITH GRANT OPTION"),
            (false, false) => format!("REVOKE USAGE ON {object} FROM {grantee}"),
            (false, true) => format!("REVOKE GRANT OPTION FOR USAGE ON {object} FROM {grantee}"),
        }])
    }

    /// As GRANT names it.
    fn granted_object(&self) -> Result<String, UndoError> {
        let name = quote_identifier(self.object.object.name());
        match self.object.object.object_type {
            ObjectType::ForeignDataWrapper => Ok(format!("FOREIGN DATA WRAPPER {name}")),
            ObjectType::Server => Ok(format!("FOREIGN SERVER {name}")),
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
            ("type", Some(old)) => format!("SET DATA TYPE {old}{}", self.collated()),
            ("collation", Some(old)) => format!("SET DATA TYPE {} COLLATE {}", data_type()?, collation(old)),
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
            // What generates a column can be changed from 17 on, and never be given to one that is there.
            ("generated", Some(old)) if self.new.is_some() => format!("SET EXPRESSION AS ({old})"),
            ("attribute_options", _) => return self.attribute_options(),
            _ => return Err(UndoError::NoStatement),
        };
        self.alter(&rest)
    }

    /// The collation that the column keeps, which SET DATA TYPE would otherwise make the type's own.
    fn collated(&self) -> String {
        let own = self.object.object.attribute(Attribute::Collation).filter(|own| *own != "default");
        own.map(|own| format!(" COLLATE {}", collation(own))).unwrap_or_default()
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

/// A collation of `pg_catalog` is told by its bare name, any other as SQL writes it, with its name in quotes.
fn collation(told: &str) -> String {
    if told.ends_with('"') { told.to_owned() } else { quote_identifier(told) }
}

/// A parent, and of a partition's its bound.
fn partition(told: &str) -> (&str, Option<String>) {
    if let Some((parent, bound)) = split_unquoted(told, " FOR VALUES ") {
        return (parent, Some(format!("FOR VALUES {bound}")));
    }
    match told.strip_suffix(" DEFAULT") {
        Some(parent) => (parent, Some("DEFAULT".to_owned())),
        None => (told, None),
    }
}

/// A right to use, or to grant that, with its roles as SQL writes them.
#[derive(Clone, Copy)]
struct Grant<'a> {
    grantee: &'a str,
    may_grant: bool,
    grantor: &'a str,
}

impl<'a> Grant<'a> {
    fn read(told: &'a str) -> Option<Self> {
        let (grantee, rest) = split_unquoted(told, "=U")?;
        let (mark, grantor) = rest.split_once('/')?;
        Some(Self { grantee, may_grant: mark == "*", grantor })
    }
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=U{}/{}", self.grantee, if self.may_grant { "*" } else { "" }, self.grantor)
    }
}

/// The name that SQL writes so.
fn original_name(identifier: &str) -> Option<String> {
    let Some(quoted) = identifier.strip_prefix('"') else { return Some(identifier.to_owned()) };
    Some(quoted.strip_suffix('"')?.replace("\"\"", "\""))
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

    fn now<'a>(object: &'a Situation, present: &'a [String]) -> Now<'a> {
        Now { object, present, grantor: Some("b"), is_changed: false }
    }

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
        recorded.undo(now(object, &present)).map(|statements| statements.join("; "))
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
        let secret = undo(&server, ("option password", None, Some("***")));
        assert_eq!(secret.as_deref(), Ok("ALTER SERVER s OPTIONS (DROP password)"));
        let odd = undo(&mapping("Bob", "s", &[]), ("option Odd Name", None, Some("b")));
        assert_eq!(odd.unwrap(), "ALTER USER MAPPING FOR \"Bob\" SERVER s OPTIONS (DROP \"Odd Name\")");
    }

    #[test]
    fn grants_go_back_one_by_one() {
        let server = server("s", &[]);
        let wrapper = Situation { object: std::rc::Rc::clone(&server.above[0]), above: Vec::new() };
        let cases = [
            (None, Some("a=U/b"), vec!["a=U/b"], "REVOKE USAGE ON FOREIGN SERVER s FROM a"),
            (None, Some("a=U*/b"), vec!["a=U/b", "a=U*/b"], "REVOKE GRANT OPTION FOR USAGE ON FOREIGN SERVER s FROM a"),
            (Some("public=U/b"), None, vec![], "GRANT USAGE ON FOREIGN SERVER s TO public"),
            (
                Some("\"x=U/y\"=U*/b"),
                None,
                vec!["\"x=U/y\"=U/b"],
                "GRANT USAGE ON FOREIGN SERVER s TO \"x=U/y\" WITH GRANT OPTION",
            ),
        ];
        for (old, new, present, statement) in cases {
            assert_eq!(undo_when(&server, ("grant", old, new), &present).as_deref(), Ok(statement));
        }
        let of_wrapper = undo(&wrapper, ("grant", None, Some("a=U/b")));
        assert_eq!(of_wrapper.as_deref(), Ok("REVOKE USAGE ON FOREIGN DATA WRAPPER postgres_fdw FROM a"));
        let functions = [
            (("handler", Some("x.\"H\""), None), "ALTER FOREIGN DATA WRAPPER postgres_fdw HANDLER x.\"H\""),
            (("validator", None, Some("x.v")), "ALTER FOREIGN DATA WRAPPER postgres_fdw NO VALIDATOR"),
        ];
        for (row, statement) in functions {
            assert_eq!(undo(&wrapper, row).as_deref(), Ok(statement));
        }
    }

    #[test]
    fn a_trigger_comes_back_to_its_table_by_whatever_name() {
        let definition = "CREATE TRIGGER \" ON x \" BEFORE UPDATE OF \" ON y \" ON old.\"t ON\" FOR EACH ROW \
                          WHEN ((new.a <> ' ON z ')) EXECUTE FUNCTION f()";
        let undone = undo(&table("t", &[]), ("trigger  ON x ", Some(definition), None)).unwrap();
        assert_eq!(undone, definition.replacen("old.\"t ON\"", "public.t", 1));
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
            (&server, ("option a", Some("E'x"), Some("b")), UndoError::Unreadable),
            (&server, ("wrapper", None, Some("w")), UndoError::NoStatement),
            (&server, ("grant", None, Some("a=U/\"c d\"")), UndoError::Grantor("\"c d\"".to_owned())),
            (&server, ("grant", Some("a=U*/b"), None), UndoError::GrantOption),
            (&table, ("constraint c", Some("CHECK (a) NOT VALID"), Some("CHECK (a)")), UndoError::Validated),
        ];
        for (object, row, reason) in cases {
            assert_eq!(undo(object, row), Err(reason), "{row:?}");
        }
        let dropped = Recorded { attribute: None, change: "drop".to_owned(), old: None, new: None };
        assert_eq!(dropped.undo(now(&server, &[])), Err(UndoError::Dropped));
        let made = Recorded { change: "create".to_owned(), ..dropped };
        let changed = Now { is_changed: true, ..now(&server, &[]) };
        assert_eq!(made.undo(changed), Err(UndoError::ChangedSince));
        let both = ["a=U/b", "a=U*/b"];
        assert_eq!(undo_when(&server, ("grant", None, Some("a=U/b")), &both), Err(UndoError::GrantOption));
    }

    #[test]
    fn what_was_made_is_dropped() {
        let made = |object| {
            let recorded = Recorded { attribute: None, change: "create".to_owned(), old: None, new: None };
            recorded.undo(now(&object, &[])).unwrap().join("; ")
        };
        assert_eq!(made(server("s", &[])), "DROP SERVER s");
        assert_eq!(made(mapping("public", "s", &[])), "DROP USER MAPPING FOR PUBLIC SERVER s");
        assert_eq!(made(table("t", &[])), "DROP FOREIGN TABLE public.t");
        assert_eq!(made(column("c", &[])), "ALTER FOREIGN TABLE public.t DROP COLUMN c");
    }

    #[test]
    fn other_attributes_go_back() {
        let (server, table, mut column) = (server("s", &[]), table("t", &[]), column("c", &[]));
        let typed = (*column.object).clone().with(&[(Attribute::Type, "text")]);
        column.object = std::rc::Rc::new(typed);
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
                ("parent", Some("public.\" FOR VALUES \" FOR VALUES IN (1)"), None),
                "ALTER TABLE public.\" FOR VALUES \" ATTACH PARTITION public.t FOR VALUES IN (1)",
            ),
            (&table, ("parent", None, Some("public.p DEFAULT")), "ALTER TABLE public.p DETACH PARTITION public.t"),
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
            (
                &column,
                ("collation", Some("C"), None),
                "ALTER FOREIGN TABLE public.t ALTER COLUMN c SET DATA TYPE text COLLATE \"C\"",
            ),
            (
                &column,
                ("collation", Some("x.\"c\""), None),
                "ALTER FOREIGN TABLE public.t ALTER COLUMN c SET DATA TYPE text COLLATE x.\"c\"",
            ),
            (
                &column,
                ("generated", Some("a + 1"), Some("a")),
                "ALTER FOREIGN TABLE public.t ALTER COLUMN c SET EXPRESSION AS (a + 1)",
            ),
            (
                &column,
                ("default", Some("E'a\\nb'"), None),
                "ALTER FOREIGN TABLE public.t ALTER COLUMN c SET DEFAULT a\nb",
            ),
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
