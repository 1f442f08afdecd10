//! Statements that PostgreSQL takes, with options on every type of object.

use super::maker::{Maker, OptionName};
use super::text::Text;
use crate::model::ObjectType;

/// Statements without secrets, some of them made to mislead.
const NEIGHBOURS: [&str; 16] = [
    "SELECT 1",
    "SELECT 'it''s', $$don't$$, E'it\\'s', \"odd\"\"name\" FROM \"it's\"",
    "BEGIN",
    "SELECT a$$b, a$1, $1 FROM t a$$b",
    "SELECT e'\\\\', x'1f', b'01', n'x', 1.5e3, 1_000",
    "COMMENT ON TABLE t IS 'one; two'",
    "SELECT $a$ $b$ $a$ || $_$'$_$",
    "SELECT '/*', \"--\", '$$'",
    "SELECT 1 @-- it's\n 2",
    "SELECT 1 */* it's */ 2",
    "SELECT a[1:2], b::text, '{}'::jsonb ->> 'key'",
    "SET application_name = 'mapping options'",
    "SELECT 'first'\n  'second'",
    "DROP SERVER IF EXISTS s",
    "COPY t FROM STDIN WITH (FORMAT csv, QUOTE '''')",
    "",
];

impl Maker<'_, '_> {
    /// One statement with secrets, other statements around it.
    pub fn script(&mut self) -> Text {
        if self.tame {
            return self.statement();
        }
        let mut text = Text::default();
        while self.source.once_in(4) {
            let neighbour = self.neighbour();
            text.append(&neighbour);
            text.push(";");
            text.push(self.gap());
        }
        let statement = self.statement();
        text.append(&statement);
        while self.source.once_in(4) {
            text.push(";");
            text.push(self.maybe_gap());
            let neighbour = if self.source.once_in(4) { self.statement() } else { self.neighbour() };
            text.append(&neighbour);
        }
        text
    }

    fn neighbour(&mut self) -> Text {
        match self.source.below(NEIGHBOURS.len() + 2) {
            place if place < NEIGHBOURS.len() => Text::of(NEIGHBOURS[place]),
            place => {
                let odd: &[u8] =
                    if place == NEIGHBOURS.len() { b"C:\\" } else { self.source.pick(&self.encoding.letters()) };
                let literal = self.literal(&Text::of(odd));
                let mut text = Text::of("SELECT ");
                text.append(&literal);
                text
            }
        }
    }

    /// A statement with a list of options in which at least one is a secret.
    pub fn statement(&mut self) -> Text {
        match self.source.below(10) {
            0 | 1 => self.alter_user_mapping(),
            2 => self.create_user_mapping(),
            3 => self.create_server(),
            4 => self.alter_server(),
            5 => self.foreign_data_wrapper(),
            6 => self.create_foreign_table(),
            7 => self.create_partition(),
            8 => self.alter_foreign_table(),
            _ => self.import_foreign_schema(),
        }
    }

    fn role(&mut self) -> Text {
        match self.source.below(6) {
            1 => Text::of("CURRENT_USER"),
            2 => Text::of("public"),
            3 if !self.tame => Text::of("\"bob's \"\"mapping\"\"\""),
            4 => self.name("options"),
            5 => self.words("USER"),
            _ => Text::of("bob"),
        }
    }

    fn create_user_mapping(&mut self) -> Text {
        let start = self.source.pick(&["CREATE USER MAPPING FOR ", "CREATE USER MAPPING IF NOT EXISTS FOR "]);
        self.user_mapping(start, false)
    }

    fn alter_user_mapping(&mut self) -> Text {
        self.user_mapping("ALTER USER MAPPING FOR ", true)
    }

    fn user_mapping(&mut self, start: &str, alter: bool) -> Text {
        let mut text = self.words(start.trim_end());
        text.push(self.gap());
        let role = self.role();
        text.append(&role);
        text.push(self.gap());
        self.server_name(&mut text);
        self.options(&mut text, Some(ObjectType::UserMapping), alter);
        text
    }

    fn server_name(&mut self, text: &mut Text) {
        text.append(&self.words("SERVER"));
        text.push(self.gap());
        text.append(&self.name("warehouse"));
        text.push(self.gap());
    }

    fn create_server(&mut self) -> Text {
        let mut text = self.words("CREATE SERVER s");
        if self.source.once_in(2) {
            text.push(" TYPE ");
            text.append(&self.literal(&Text::of("it's a type")));
            text.push(" VERSION ");
            text.append(&self.literal(&Text::of("1.2")));
        }
        text.push(self.gap());
        text.append(&self.words("FOREIGN DATA WRAPPER postgres_fdw"));
        text.push(self.gap());
        self.options(&mut text, Some(ObjectType::Server), false);
        text
    }

    fn alter_server(&mut self) -> Text {
        let mut text = self.words("ALTER SERVER");
        text.push(self.gap());
        text.append(&self.name("s"));
        if self.source.once_in(3) {
            text.push(" VERSION ");
            text.append(&self.literal(&Text::of("1.2")));
        }
        text.push(self.gap());
        self.options(&mut text, Some(ObjectType::Server), true);
        text
    }

    fn foreign_data_wrapper(&mut self) -> Text {
        let alter = self.source.once_in(2);
        let mut text = self.words(if alter { "ALTER FOREIGN DATA WRAPPER w" } else { "CREATE FOREIGN DATA WRAPPER w" });
        text.push(self.source.pick(&[" ", " HANDLER h ", " NO VALIDATOR ", " HANDLER public.h VALIDATOR \"v\" "]));
        self.options(&mut text, Some(ObjectType::ForeignDataWrapper), alter);
        text
    }

    fn create_foreign_table(&mut self) -> Text {
        let mut text = self.words("CREATE FOREIGN TABLE");
        text.push(self.source.pick(&[" t (", " IF NOT EXISTS public.\"t(\"\n(", " t("]));
        let columns = 1 + self.source.below(3);
        for column in 0..columns {
            text.push(if column == 0 { "" } else { ", " });
            text.push(self.source.pick(&["a integer ", "\"options\" numeric(10, 2) ", "c character varying(8)[] "]));
            if column == 0 || self.source.once_in(2) {
                self.options(&mut text, Some(ObjectType::ForeignTableColumn), false);
            }
            text.push(self.source.pick(&["", " NOT NULL", " COLLATE \"C\"", " DEFAULT 'it''s'", " CHECK (a > 0)"]));
        }
        text.push(self.source.pick(&[")", ", CHECK (a <> 1) )", ") INHERITS (p, q)"]));
        text.push(self.gap());
        self.server_name(&mut text);
        self.options(&mut text, Some(ObjectType::ForeignTable), false);
        text
    }

    fn create_partition(&mut self) -> Text {
        let mut text = self.words("CREATE FOREIGN TABLE t PARTITION OF p");
        text.push(self.source.pick(&[
            " ",
            " (a WITH OPTIONS NOT NULL) ",
            " (a WITH OPTIONS DEFAULT 'x', b NOT NULL) ",
        ]));
        text.push(self.source.pick(&["DEFAULT ", "FOR VALUES IN ('it''s') ", "FOR VALUES FROM ('a') TO ('b') "]));
        self.server_name(&mut text);
        self.options(&mut text, Some(ObjectType::ForeignTable), false);
        text
    }

    fn alter_foreign_table(&mut self) -> Text {
        let start = self.source.pick(&[
            "ALTER FOREIGN TABLE t",
            "ALTER FOREIGN TABLE IF EXISTS ONLY public.t",
            "ALTER TABLE t",
        ]);
        let mut text = self.words(start);
        let actions = 1 + self.source.below(3);
        for action in 0..actions {
            text.push(if action == 0 { " " } else { ", " });
            self.table_action(&mut text);
        }
        text
    }

    fn table_action(&mut self, text: &mut Text) {
        match self.source.below(4) {
            1 => {
                text.push(self.source.pick(&["ALTER COLUMN a ", "ALTER a ", "ALTER \"column\" "]));
                self.options(text, Some(ObjectType::ForeignTableColumn), true);
            }
            2 => {
                text.push(self.source.pick(&["ADD COLUMN a text ", "ADD IF NOT EXISTS a numeric(8) "]));
                self.options(text, Some(ObjectType::ForeignTableColumn), false);
            }
            3 => text.push("ALTER COLUMN b SET DEFAULT 'it''s'"),
            _ => self.options(text, Some(ObjectType::ForeignTable), true),
        }
    }

    fn import_foreign_schema(&mut self) -> Text {
        let mut text = self.words("IMPORT FOREIGN SCHEMA far");
        text.push(self.source.pick(&[" ", " LIMIT TO (a, \"b\") ", " EXCEPT (options)\n"]));
        text.push(self.cased("FROM"));
        text.push(" ");
        self.server_name(&mut text);
        text.append(&self.words("INTO public"));
        text.push(self.gap());
        self.options(&mut text, None, false);
        text
    }

    /// A whole list, the secret first, in the middle or last.
    fn options(&mut self, text: &mut Text, on: Option<ObjectType>, alter: bool) {
        text.append(&self.words("OPTIONS"));
        text.push(self.maybe_gap());
        text.push("(");
        let before = self.source.below(3);
        let after = self.source.below(3);
        let mut options: Vec<OptionName> = (0..before).map(|_| self.neighbour_option(on)).collect();
        options.push(self.source.pick(&OptionName::SECRETS));
        options.extend((0..after).map(|_| self.neighbour_option(on)));
        for (place, option) in options.into_iter().enumerate() {
            text.push(if place == 0 { "" } else { "," });
            text.push(self.source.pick(&["", " ", "\n  "]));
            text.push(self.maybe_gap());
            self.option(text, on, option, alter);
            text.push(self.maybe_gap());
        }
        text.push(")");
    }

    fn neighbour_option(&mut self, on: Option<ObjectType>) -> OptionName {
        if self.source.once_in(6) {
            return self.source.pick(&OptionName::SECRETS);
        }
        self.source.pick(OptionName::public_on(on))
    }

    fn option(&mut self, text: &mut Text, on: Option<ObjectType>, option: OptionName, alter: bool) {
        let action = if alter { self.source.pick(&["", "SET", "ADD", "DROP"]) } else { "" };
        let secret = self.knowledge.is_secret(on, option);
        // Something must be there to hide.
        let action = if action == "DROP" && matches!(option, OptionName::Secret(_)) { "SET" } else { action };
        if !action.is_empty() {
            text.push(self.cased(action));
            text.push(self.gap());
        }
        let name = self.name(option.name());
        text.append(&name);
        if action == "DROP" {
            return;
        }
        // The literal of UESCAPE would go on in the next line.
        text.push(if name.bytes.ends_with(b"'") { " " } else { self.gap() });
        let value = match (option, secret) {
            (OptionName::Secret(_), _) => self.secret(),
            // Where texts are odd nothing is claimed of what is only hidden because nothing is known of it.
            (_, Some(true)) if self.plain => Text::of(self.public_value()).loosened(),
            (_, Some(true)) => Text::secret(self.public_value()),
            (_, Some(false)) => Text::of(self.public_value()),
            (_, None) => Text::of(self.public_value()).loosened(),
        };
        text.append(&self.literal(&value));
    }

    fn public_value(&mut self) -> &'static [u8] {
        if self.tame {
            return self.source.pick(&[b"1000".as_slice(), b"db.example.com"]);
        }
        self.source.pick(&[
            b"1000".as_slice(),
            b"db.example.com",
            b"it's",
            b"C:\\data",
            b"a\"b",
            b"$1",
            b"(",
            b"; --",
            b"/*",
            b"\xc2\xa7 9",
            b"SELECT 1",
        ])
    }
}
