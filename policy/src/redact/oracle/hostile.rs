//! Statements that do not parse, and statements that are put together from pieces: what is claimed is that the secret is
//! not shown.

use super::maker::Maker;
use super::spelling::Spelling;
use super::text::Text;

/// Mistakes that people make; `@` is where the secret stands.
const BROKEN: [&str; 58] = [
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET user 'u' SET password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password = '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password := '@', user 'u')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password => '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password='@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password: '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password TO '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password @)",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password \"@\")",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ('@'))",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password `@`)",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password @ , user 'u')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password '@' || 'x')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password 'x' || '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password 'x' '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password N'@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password x'@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET 'password' '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET \"password\" \"@\")",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (MODIFY password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET user 'it's', password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET user 'u, password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET user u', password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password '@)",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password @')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password '@'",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password '@'; SELECT 1",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password $$@)",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password $a$@$b$)",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password E'@)",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS (/* SET password '@')",
    "ALTER USER MAPPING FOR bob SERVER s /* OPTIONS (SET password '@')",
    "ALTER USER MAPPING FOR \"bob SERVER s OPTIONS (SET password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS SET password '@'",
    "ALTER USER MAPPING FOR bob SERVER s OPTIONS password '@'",
    "ALTER USER MAPPING FOR bob SERVER s OPTION (SET password '@')",
    "ALTER USER MAPPING FOR bob SERVER s OPTIOSN (SET password '@')",
    "ALTER USER MAPPING FOR bob SERVER s (SET password '@')",
    "ALTER USER MAPPING FOR bob SERVER s PASSWORD '@'",
    "ALTER USER MAPPING FOR bob SERVER s SET password = '@'",
    "ALTER USER MAPPING FOR bob SERVER s WITH PASSWORD '@'",
    "CREATE USER MAPPING FOR bob SERVER s IDENTIFIED BY '@'",
    "CREATE USER MAPPING FOR bob SERVER s USER 'u' PASSWORD '@'",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS {password: '@'}",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS ({\"password\": \"@\"})",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS [password '@']",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS ('user=u password=@')",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'u'; password '@')",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'u',, password '@')",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user, password '@')",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS (a.password '@')",
    "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h' password '@')",
    "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'it's', password '@')",
    "CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (password = '@')",
    "CREATE FOREIGN TABLE t (a int OPTIONS (password '@') SERVER s",
    "CREATE SERVERR s OPTIONS (password '@')",
    "OPTIONS (password '@')",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS (password :'var', api_token '@')",
];

/// Code that puts a statement together; `@` is where the secret stands, in quotes of its own.
const PIECED: [&str; 29] = [
    "BEGIN EXECUTE format('ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password %L)', @); END",
    "BEGIN EXECUTE format('ALTER USER MAPPING FOR %I SERVER %I OPTIONS (SET %I %L)', 'bob', 's', 'password', @); END",
    "BEGIN EXECUTE format('ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password %1$L, user %2$L)', @, 'u'); END",
    "BEGIN EXECUTE format('ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ''%s'')', @); END",
    "BEGIN EXECUTE 'ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ' || quote_literal(@) || ')'; END",
    "BEGIN EXECUTE 'ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ''' || @ || ''')'; END",
    "BEGIN EXECUTE concat('ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET ', 'password ', quote_literal(@), ')'); END",
    "DECLARE pw text := @; BEGIN EXECUTE format('ALTER SERVER s OPTIONS (SET password %L)', pw); END",
    "DECLARE pw CONSTANT text DEFAULT @; BEGIN EXECUTE 'CREATE USER MAPPING FOR a SERVER s OPTIONS (password ' || pw; END",
    "BEGIN EXECUTE replace('ALTER SERVER s OPTIONS (SET password XX)', 'XX', quote_literal(@)); END",
    "BEGIN EXECUTE format($f$ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password %L)$f$, @); END",
    "DECLARE q text := 'ALTER USER MAPPING FOR bob SERVER s '; BEGIN EXECUTE q || 'OPTIONS (SET password ' || quote_literal(@) || ')'; END",
    "BEGIN EXECUTE 'ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ' || quote_literal(lower(@)) || ')'; END",
    "BEGIN EXECUTE 'ALTER USER MAPPING FOR bob SERVER s' || format(' OPTIONS (SET password %L)', @); END",
    "BEGIN PERFORM fdw_guard.set_user_mapping_options('bob', 's', jsonb_build_object('password', @)); END",
    "SELECT fdw_guard.set_user_mapping_options('bob', 's', jsonb_build_object('user', 'u', 'password', @))",
    "SELECT fdw_guard.set_server_options('s', ('{\"password\": ' || to_json(@::text) || '}')::jsonb)",
    "SELECT fdw_guard.set_user_mapping_options('bob', 's', json_object(ARRAY['password', @])::jsonb)",
    "SELECT fdw_guard.set_user_mapping_options('bob', 's', o) FROM (SELECT jsonb_build_object('password', @)) AS x(o)",
    "DECLARE o jsonb := jsonb_build_object('password', @); BEGIN PERFORM fdw_guard.set_server_options('s', o); END",
    "SELECT fdw_guard.rotate_secret(value => @, option => 'password')",
    "SELECT fdw_guard.rotate_secret('password', lower(@))",
    "SELECT fdw_guard.plan(format('ALTER SERVER s OPTIONS (SET password %L)', @))",
    "SELECT dblink_exec('c', 'ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password ' || quote_literal(@) || ')')",
    "BEGIN EXECUTE 'SELECT fdw_guard.set_server_options($1, $2)' USING 's', jsonb_build_object('password', @); END",
    "BEGIN EXECUTE 'SELECT fdw_guard.rotate_secret(option => $1, value => $2)' USING 'password', @; END",
    "BEGIN EXECUTE 'ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password $1)' USING @; END",
    "PREPARE p AS SELECT fdw_guard.rotate_secret('password', $1); EXPLAIN EXECUTE p(@)",
    "PREPARE p AS SELECT fdw_guard.rotate_secret('password', $1::text); CREATE TABLE t AS EXECUTE p(@)",
];

impl Maker<'_, '_> {
    /// A statement with a mistake, perhaps with others around it.
    pub fn broken(&mut self) -> Text {
        self.simple = true;
        let template = self.source.pick(&BROKEN);
        let mut text = self.filled(template);
        if self.source.once_in(4) {
            text = super::nesting::between("SELECT 'it''s'; ", &text, "");
        }
        if self.source.once_in(4) {
            text.push("; SELECT 'it''s'");
        }
        text
    }

    fn filled(&mut self, template: &str) -> Text {
        let mut text = Text::default();
        for (place, part) in template.split('@').enumerate() {
            if place > 0 {
                let secret = self.secret();
                text.append(&secret);
            }
            text.push(part);
        }
        text
    }

    /// Code that puts a statement together, at the top or in a block.
    pub fn pieced(&mut self) -> Text {
        let template = self.source.pick(&PIECED);
        let mut text = Text::default();
        for (place, part) in template.split('@').enumerate() {
            if place > 0 {
                if self.source.once_in(5) {
                    text.append(&self.number());
                    text.push(part);
                    continue;
                }
                let secret = self.secret();
                let plain = part.contains("$f$") || self.source.once_in(2);
                let literal = if plain { self.spelled(&secret, Spelling::Plain) } else { self.literal(&secret) };
                text.append(&literal);
            }
            text.push(part);
        }
        if (template.starts_with("SELECT") || template.starts_with("PREPARE")) && !self.source.once_in(3) {
            return text;
        }
        let block = self.literal(&text);
        super::nesting::between(
            self.source.pick(&["DO ", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS "]),
            &block,
            "",
        )
    }

    /// An EXECUTE whose arguments are those of a call of ours.
    pub fn execution(&mut self) -> Text {
        let mut text = Text::of("EXECUTE set_password(");
        let before = self.source.below(3);
        for _ in 0..before {
            let literal = self.literal(&Text::of("bob"));
            text.append(&literal);
            text.push(", ");
        }
        let written = if self.source.once_in(5) {
            self.number()
        } else {
            let secret = self.secret();
            self.literal(&secret)
        };
        text.append(&written);
        text.push(self.source.pick(&[")", "::text)", ", 3);"]));
        text
    }
}
