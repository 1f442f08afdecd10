//! Pieces of SQL for hints: identifiers, literals and the ALTER that would mend a fault.

use crate::model::{Attribute, ObjectType, Situation};

/// Key words that `quote_identifier` quotes: every one that is not unreserved in any of PostgreSQL 15 to 18
/// (`src/include/parser/kwlist.h`), in order.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// The identifier as PostgreSQL's `quote_identifier` writes it.
pub fn quote_identifier(name: &str) -> String {
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if starts_well && plain && KEYWORDS.binary_search(&name).is_err() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The string constant as PostgreSQL's `quote_literal` writes it: in the E'' form when it holds a backslash, which is
/// right whatever `standard_conforming_strings` says.
pub fn quote_literal(value: &str) -> String {
    let doubled = value.replace('\'', "''");
    if doubled.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// What an OPTIONS clause does with one option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionAction<'a> {
    /// As CREATE has it.
    Give(&'a str),
    Add(&'a str),
    Set(&'a str),
    Drop,
}

/// The clause `OPTIONS (SET name 'value')` or its like.
pub fn options_clause(option: &str, action: OptionAction<'_>) -> String {
    options_list([(option, action)])
}

/// The clause `OPTIONS (SET name 'value', …)` with as many options as there are; there must be one.
pub fn options_list<'a>(options: impl IntoIterator<Item = (&'a str, OptionAction<'a>)>) -> String {
    let elements: Vec<String> = options.into_iter().map(|(option, action)| option_element(option, action)).collect();
    format!("OPTIONS ({})", elements.join(", "))
}

fn option_element(option: &str, action: OptionAction<'_>) -> String {
    let option = quote_identifier(option);
    match action {
        OptionAction::Give(value) => format!("{option} {}", quote_literal(value)),
        OptionAction::Add(value) => format!("ADD {option} {}", quote_literal(value)),
        OptionAction::Set(value) => format!("SET {option} {}", quote_literal(value)),
        OptionAction::Drop => format!("DROP {option}"),
    }
}

/// The clause that adds or sets an option whose value is nobody's to show. It does not parse as it is, so that nothing but
/// the value can be written by it.
pub(crate) fn clause_without_value(option: &str, is_set: bool) -> String {
    let verb = if is_set { "SET" } else { "ADD" };
    format!("OPTIONS ({verb} {} /* secret: its value goes here */)", quote_identifier(option))
}

/// The beginning of a statement that alters the object, `None` when what it needs to name is not known.
pub fn alter(situation: &Situation) -> Option<String> {
    let name = quote_identifier(situation.object.name());
    Some(match situation.object.object_type {
        ObjectType::ForeignDataWrapper => format!("ALTER FOREIGN DATA WRAPPER {name}"),
        ObjectType::Server => format!("ALTER SERVER {name}"),
        ObjectType::UserMapping => {
            let server = quote_identifier(situation.part(ObjectType::Server)?.name());
            format!("ALTER USER MAPPING FOR {} SERVER {server}", quote_role(situation.object.name()))
        }
        ObjectType::ForeignTable => format!("ALTER FOREIGN TABLE {}", table(situation)?),
        ObjectType::ForeignTableColumn => format!("ALTER FOREIGN TABLE {} ALTER COLUMN {name}", table(situation)?),
    })
}

/// The beginning of the statement that creates a user mapping.
pub fn create_user_mapping(role: &str, server: &str) -> String {
    format!("CREATE USER MAPPING FOR {} SERVER {}", quote_role(role), quote_identifier(server))
}

/// The role of a user mapping as FOR takes it: no role can be called `public`.
pub fn quote_role(role: &str) -> String {
    if role == "public" { "PUBLIC".to_owned() } else { quote_identifier(role) }
}

fn table(situation: &Situation) -> Option<String> {
    let table = situation.part(ObjectType::ForeignTable)?;
    let name = quote_identifier(table.name());
    Some(match table.attribute(Attribute::Schema) {
        Some(schema) => format!("{}.{name}", quote_identifier(schema)),
        None => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{column, mapping, server, table};
    use proptest::prelude::*;

    #[test]
    fn the_key_words_are_in_order_and_those_of_the_grammar() {
        assert!(KEYWORDS.is_sorted());
        for reserved in ["select", "table", "user", "values", "authorization", "json_table", "system_user"] {
            assert!(KEYWORDS.contains(&reserved), "{reserved}");
        }
        assert!(!KEYWORDS.contains(&"name") && !KEYWORDS.contains(&"password"));
    }

    #[test]
    fn identifiers_are_quoted_when_they_must_be() {
        let cases = [
            ("foo", "foo"),
            ("_a1", "_a1"),
            ("1a", "\"1a\""),
            ("Foo", "\"Foo\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("user", "\"user\""),
            ("", "\"\""),
            ("é", "\"é\""),
            ("a$", "\"a$\""),
        ];
        for (name, expected) in cases {
            assert_eq!(quote_identifier(name), expected);
        }
    }

    #[test]
    fn statements_name_their_object() {
        let options = |option, action| options_clause(option, action);
        assert_eq!(alter(&server("foo", &[])).unwrap(), "ALTER SERVER foo");
        assert_eq!(alter(&mapping("Bob", "foo", &[])).unwrap(), "ALTER USER MAPPING FOR \"Bob\" SERVER foo");
        assert_eq!(alter(&mapping("public", "foo", &[])).unwrap(), "ALTER USER MAPPING FOR PUBLIC SERVER foo");
        assert_eq!(alter(&table("t", &[])).unwrap(), "ALTER FOREIGN TABLE public.t");
        assert_eq!(alter(&column("select", &[])).unwrap(), "ALTER FOREIGN TABLE public.t ALTER COLUMN \"select\"");
        assert_eq!(options("user", OptionAction::Set("o'x")), "OPTIONS (SET \"user\" 'o''x')");
        assert_eq!(options("a", OptionAction::Add("\\")), "OPTIONS (ADD a E'\\\\')");
        assert_eq!(options("a", OptionAction::Give("b")), "OPTIONS (a 'b')");
        assert_eq!(options("a", OptionAction::Drop), "OPTIONS (DROP a)");
    }

    /// Reads a literal as PostgreSQL's scanner does.
    fn read_literal(literal: &str) -> String {
        let (escapes, body) = literal.strip_prefix('E').map_or((false, literal), |body| (true, body));
        let body = body.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
        let mut value = String::new();
        let mut characters = body.chars();
        while let Some(character) = characters.next() {
            if character == '\'' || (escapes && character == '\\') {
                assert_eq!(characters.next(), Some(character), "an end in the middle of {literal}");
            }
            value.push(character);
        }
        value
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in "[a-zA-Z_'\"\\\\ \\nü]{0,12}") {
            prop_assert_eq!(read_literal(&quote_literal(&text)), text.clone());
            let quoted = quote_identifier(&text);
            let back = quoted.strip_prefix('"').map_or(quoted.clone(), |body| {
                body.strip_suffix('"').unwrap().replace("\"\"", "\"")
            });
            prop_assert_eq!(back, text);
        }
    }
}
