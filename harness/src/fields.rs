//! The fields of an error or notice as PostgreSQL sent it.

use anyhow::{Context, Result, bail};
use postgres::Client;
use postgres::error::{DbError, ErrorPosition};

/// All that a message says but where in PostgreSQL's source it was raised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DbFields {
    /// `ERROR`, `WARNING`, `NOTICE`, …
    pub severity: String,
    /// Five characters.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// Constraint name: the rule's name where fdw_guard raised it.
    pub constraint: Option<String>,
    /// Schema name.
    pub schema: Option<String>,
    /// Table name.
    pub table: Option<String>,
    /// Column name.
    pub column: Option<String>,
    /// The cursor's place in the statement, in characters from 1.
    pub position: Option<u32>,
    /// The same in the internal query.
    pub internal_position: Option<u32>,
    /// The text of the internal query.
    pub internal_query: Option<String>,
    /// CONTEXT, which the protocol calls "where".
    pub context: Option<String>,
}

impl From<&DbError> for DbFields {
    fn from(error: &DbError) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (position, internal_position, internal_query) = match error.position() {
            Some(ErrorPosition::Original(place)) => (Some(*place), None, None),
            Some(ErrorPosition::Internal { position, query }) => (None, Some(*position), Some(query.clone())),
            None => (None, None, None),
        };
        Self {
            severity: error.severity().to_owned(),
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            constraint: owned(error.constraint()),
            schema: owned(error.schema()),
            table: owned(error.table()),
            column: owned(error.column()),
            position,
            internal_position,
            internal_query,
            context: owned(error.where_()),
        }
    }
}

/// Runs `sql`, which must fail, and gives the error's fields.
///
/// # Errors
/// When the statement succeeds, or the connection breaks.
pub fn expect_error(client: &mut Client, sql: &str) -> Result<DbFields> {
    match client.batch_execute(sql) {
        Ok(()) => bail!("this should have been refused: {sql}"),
        Err(error) => {
            let fields = error.as_db_error().map(DbFields::from);
            fields.with_context(|| format!("the connection broke at: {sql}: {error}"))
        }
    }
}

impl std::fmt::Display for DbFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:  {}: {}", self.severity, self.sqlstate, self.message)?;
        let labelled = [
            ("DETAIL", &self.detail),
            ("HINT", &self.hint),
            ("QUERY", &self.internal_query),
            ("CONTEXT", &self.context),
            ("SCHEMA NAME", &self.schema),
            ("TABLE NAME", &self.table),
            ("COLUMN NAME", &self.column),
            ("CONSTRAINT NAME", &self.constraint),
        ];
        for (label, text) in labelled {
            if let Some(text) = text {
                write!(f, "\n{label}:  {text}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_shown_as_psql_shows_them() {
        let fields = DbFields {
            severity: "ERROR".into(),
            sqlstate: "HV024".into(),
            message: "no".into(),
            hint: Some("Do.".into()),
            ..DbFields::default()
        };
        assert_eq!(fields.to_string(), "ERROR:  HV024: no\nHINT:  Do.");
    }
}
