//! Calls of our own functions that take secrets.

use super::maker::{Maker, OptionName};
use super::text::{Text, Written};
use crate::model::ObjectType;

/// A function that takes options, what they stand on, and its other arguments.
type Function = (&'static str, ObjectType, &'static [(&'static str, &'static str)]);

const FUNCTIONS: [Function; 4] = [
    ("set_user_mapping_options", ObjectType::UserMapping, &[("role", "bob"), ("server", "it's")]),
    ("set_server_options", ObjectType::Server, &[("server", "warehouse")]),
    ("set_foreign_table_options", ObjectType::ForeignTable, &[("relation", "public.t")]),
    ("set_column_options", ObjectType::ForeignTableColumn, &[("relation", "t"), ("column_name", "a")]),
];

impl Maker<'_, '_> {
    /// A statement that calls one of them with literals.
    pub fn call(&mut self) -> Text {
        let mut text =
            Text::of(self.source.pick(&["SELECT ", "SELECT 'it''s', ", "CALL ", "PERFORM ", "SELECT * FROM "]));
        self.qualified(&mut text);
        if self.source.once_in(5) {
            self.rotation(&mut text)
        } else {
            self.setting(&mut text)
        }
        text.push(self.source.pick(&["", ";", ", 'after'", "; SELECT 'it''s'"]));
        text
    }

    fn qualified(&mut self, text: &mut Text) {
        if self.source.once_in(3) {
            return;
        }
        text.append(&self.name("fdw_guard"));
        text.push(self.maybe_gap());
        text.push(".");
        text.push(self.maybe_gap());
    }

    fn rotation(&mut self, text: &mut Text) {
        text.append(&self.name("rotate_secret"));
        text.push(self.maybe_gap());
        text.push("(");
        let named = self.source.once_in(3);
        let value = if self.source.once_in(5) { self.number() } else { self.secret() };
        let mut arguments = vec![("option", Text::of("password")), ("value", value)];
        if self.source.once_in(2) {
            arguments.push(("server_pattern", Text::of("far*")));
            arguments.push(("role_pattern", Text::of("it's")));
        }
        self.arguments(text, arguments, named);
        text.push(")");
    }

    fn setting(&mut self, text: &mut Text) {
        let (function, on, identity) = self.source.pick(&FUNCTIONS);
        text.append(&self.name(function));
        text.push(self.maybe_gap());
        text.push("(");
        let named = self.source.once_in(3);
        let mut arguments: Vec<(&str, Text)> = identity.iter().map(|(name, value)| (*name, Text::of(value))).collect();
        let options = self.object(on);
        arguments.push(("options", options));
        if named && self.source.once_in(2) {
            arguments.reverse();
        }
        self.arguments(text, arguments, named);
        text.push(")");
    }

    fn arguments(&mut self, text: &mut Text, arguments: Vec<(&'static str, Text)>, named: bool) {
        for (place, (name, value)) in arguments.into_iter().enumerate() {
            text.push(if place == 0 { "" } else { "," });
            text.push(self.gap());
            if named {
                text.push(name);
                text.push(self.source.pick(&[" => ", "=>", " := "]));
            }
            let is_object = name == "options";
            text.push(if is_object && self.source.once_in(5) { "jsonb " } else { "" });
            let is_number = value.bytes.iter().all(u8::is_ascii_digit);
            let written = if is_number { value } else { self.literal(&value) };
            text.append(&written);
            if is_object {
                text.push(self.source.pick(&["", "::jsonb", " :: pg_catalog.jsonb ", "::text::jsonb"]));
            }
        }
    }

    /// A JSON object of options, at least one of them a secret.
    fn object(&mut self, on: ObjectType) -> Text {
        let mut text = Text::of(self.source.pick(&["{", " {", "{\n  "]));
        let before = self.source.below(3);
        let after = self.source.below(3);
        for place in 0..before + 1 + after {
            text.push(if place == 0 { "" } else { self.source.pick(&[",", ", ", "\n ,"]) });
            let known = OptionName::public_on(Some(on));
            let option = if place == before { self.source.pick(&OptionName::SECRETS) } else { self.source.pick(known) };
            self.member(&mut text, on, option);
        }
        text.push("}");
        text
    }

    fn member(&mut self, text: &mut Text, on: ObjectType, option: OptionName) {
        text.push("\"");
        let key = self.json_escaped(&Text::of(option.name()));
        text.append(&key);
        text.push(self.source.pick(&["\": ", "\":", "\" : "]));
        match option {
            OptionName::Secret(_) => self.secret_member(text),
            _ if self.source.once_in(4) => text.push("null"),
            _ => {
                let value = Text::of(self.source.pick(&["db.example", "it's", "C:\\data", "a\"b", "{", "1,2"]));
                let value = self.json_escaped(&value);
                let secret = self.knowledge.is_secret(Some(on), option) == Some(true);
                text.push("\"");
                text.append(&if secret { Text::secret(&value.bytes) } else { value });
                text.push("\"");
            }
        }
    }

    fn secret_member(&mut self, text: &mut Text) {
        let value = self.secret();
        let value = self.json_escaped(&value);
        let string = super::nesting::between("\"", &value, "\"");
        match self.source.below(10) {
            8 => text.append(&self.part("[", &string, "]")),
            9 => text.append(&self.part("{\"a\": ", &string, "}")),
            _ => text.append(&string),
        }
    }

    /// A value that is no string; an error would quote it as a whole.
    fn part(&mut self, before: &str, string: &Text, after: &str) -> Text {
        self.canaries.pop();
        super::nesting::between(before, string, after).loosened()
    }

    /// As it stands in a string of JSON.
    pub fn json_escaped(&mut self, content: &Text) -> Text {
        let encoding = self.encoding;
        content.rewritten(encoding, |character, hidden| {
            let escaped = match character {
                b"\"" => b"\\\"".to_vec(),
                b"\\" => b"\\\\".to_vec(),
                b"\n" => b"\\n".to_vec(),
                [byte] if byte.is_ascii() && (*byte < 0x20 || hidden && self.source.once_in(8)) => {
                    format!("\\u{byte:04x}").into_bytes()
                }
                _ => character.to_vec(),
            };
            Written { before: Vec::new(), character: escaped }
        })
    }
}
