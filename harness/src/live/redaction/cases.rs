//! The statements of the proof: spellings × paths × outcomes, each with a secret of its own.

use std::collections::BTreeSet;

use super::canary::{ASCII, Canary, Letters, Mint};
use super::outcomes::{BROKEN, MISSPELLED, OUTCOMES, Outcome, SLOW};
use super::paths::{CLEANUP, PATHS, Path, Statement, Step};
use super::spelling::{NAMES, OTHER_NAMES, Spelling, Strings, needles, quoted};

/// Whose session it is, and how it reads strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Session {
    Standard,
    /// `standard_conforming_strings = off`.
    Escaping,
    /// Of a role without rights.
    Weak,
}

/// How a statement ends that is held in its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It goes on when it has been looked at.
    Own,
    /// It is held until it gives up.
    Itself,
    /// Its client cancels it.
    Cancelled,
}

/// What is sent, and which secrets must not show.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub session: Session,
    pub before: Vec<String>,
    pub steps: Vec<Step>,
    pub after: Vec<String>,
    pub secrets: Vec<Vec<Vec<u8>>>,
    /// What must stay readable.
    pub public: Option<Canary>,
    /// What the catalogs must hold afterwards.
    pub stored: Option<String>,
    pub end: End,
    pub ours: bool,
}

/// Statements that change an option `password` that is there.
const ALTERS: [&str; 6] = [
    "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET user '{public}', SET {name} {secret})",
    "ALTER SERVER canary_server OPTIONS (SET host '{public}', SET {name} {secret})",
    "ALTER FOREIGN TABLE canary_table OPTIONS (SET {name} {secret}, SET host '{public}')",
    "ALTER FOREIGN TABLE canary_table ALTER COLUMN c OPTIONS (SET {name} {secret}), OPTIONS (SET host '{public}')",
    "ALTER FOREIGN DATA WRAPPER canary_wrapper OPTIONS (SET host '{public}', SET {name} {secret})",
    "ALTER USER MAPPING FOR \"postgres\" SERVER canary_server OPTIONS (SET {name} {secret}, SET user '{public}')",
];

/// Statements that make an object, or an option, and what undoes them.
const MAKERS: [(&str, &str); 12] = [
    (
        "CREATE USER MAPPING IF NOT EXISTS FOR PUBLIC SERVER canary_server OPTIONS (user '{public}', {name} {secret})",
        "DROP USER MAPPING FOR PUBLIC SERVER canary_server",
    ),
    (
        "CREATE USER MAPPING FOR canary_weak SERVER canary_pg OPTIONS ({name} {secret}, user '{public}')",
        "DROP USER MAPPING IF EXISTS FOR canary_weak SERVER canary_pg",
    ),
    (
        "CREATE SERVER canary_made TYPE 't' VERSION 'v' FOREIGN DATA WRAPPER canary_wrapper \
         OPTIONS (host '{public}', {name} {secret}, port '5432')",
        "DROP SERVER canary_made",
    ),
    (
        "CREATE FOREIGN DATA WRAPPER canary_made NO HANDLER NO VALIDATOR OPTIONS (host '{public}', {name} {secret})",
        "DROP FOREIGN DATA WRAPPER canary_made",
    ),
    (
        "CREATE FOREIGN TABLE canary_made (a int OPTIONS ({name} {secret}) NOT NULL, b text DEFAULT 'd') \
         SERVER canary_server OPTIONS (host '{public}')",
        "DROP FOREIGN TABLE canary_made",
    ),
    (
        "CREATE FOREIGN TABLE canary_made (a int) SERVER canary_server OPTIONS (host '{public}', {name} {secret})",
        "DROP FOREIGN TABLE canary_made",
    ),
    (
        "CREATE FOREIGN TABLE canary_made PARTITION OF canary_parent FOR VALUES IN ('x') SERVER canary_server \
         OPTIONS ({name} {secret}, host '{public}')",
        "DROP FOREIGN TABLE canary_made",
    ),
    (
        "ALTER FOREIGN TABLE canary_table OPTIONS (SET host '{public}'), ADD COLUMN d int OPTIONS ({name} {secret})",
        "ALTER FOREIGN TABLE canary_table DROP COLUMN d",
    ),
    (
        "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_empty OPTIONS (ADD {name} {secret}, user '{public}')",
        "DROP USER MAPPING FOR CURRENT_USER SERVER canary_empty; \
         CREATE USER MAPPING FOR CURRENT_USER SERVER canary_empty",
    ),
    (
        "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_empty OPTIONS ({name}/**/{secret},user'{public}')",
        "DROP USER MAPPING FOR CURRENT_USER SERVER canary_empty; \
         CREATE USER MAPPING FOR CURRENT_USER SERVER canary_empty",
    ),
    ("IMPORT FOREIGN SCHEMA x FROM SERVER canary_server INTO public OPTIONS (host '{public}', {name} {secret})", ""),
    ("IMPORT FOREIGN SCHEMA x LIMIT TO (a) FROM SERVER canary_pg INTO public OPTIONS ({name} {secret})", ""),
];

/// Calls of our own functions, by the name of the function: a case begins to count when the function exists. `{json}` is
/// the secret as a JSON string, within a literal.
const CALLS: [(&str, &str); 20] = [
    (
        "set_user_mapping_options",
        "SELECT fdw_guard.set_user_mapping_options('postgres', 'canary_server', \
         '{\"user\": \"{public}\", \"password\": {json}}')",
    ),
    (
        "set_user_mapping_options",
        "SELECT * FROM fdw_guard.set_user_mapping_options(server => 'canary_server', role => 'postgres', options => \
         jsonb_build_object('user', 'u', 'password', {secret}))",
    ),
    (
        "set_user_mapping_options",
        "DO $do$ DECLARE pw text := {secret}; BEGIN PERFORM \"fdw_guard\".SET_user_mapping_options('postgres', \
         'canary_server', jsonb_build_object('password', pw)); END $do$",
    ),
    (
        "set_server_options",
        "SELECT fdw_guard.set_server_options('canary_server', '{\"host\": \"{public}\", \"password\": {json}}'::jsonb)",
    ),
    ("set_server_options", "SELECT fdw_guard.set_server_options('nowhere', '{\"password\": {json}}')"),
    ("set_server_options", "SELECT fdw_guard.set_server_options('canary_server', '{\"password\": {json}')"),
    (
        "set_foreign_table_options",
        "SELECT fdw_guard.set_foreign_table_options('canary_table', '{\"host\": \"{public}\", \"password\": {json}}')",
    ),
    (
        "set_column_options",
        "SELECT fdw_guard.set_column_options('canary_table', 'c', '{\"password\": {json}, \"host\": \"{public}\"}')",
    ),
    ("rotate_secret", "SELECT * FROM fdw_guard.rotate_secret('password', {secret}, 'canary_server')"),
    (
        "rotate_secret",
        "SELECT * FROM fdw_guard.rotate_secret(value => {secret}, option => 'password', server_pattern => 'no*')",
    ),
    (
        "plan",
        "SELECT * FROM fdw_guard.plan($p$ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server \
         OPTIONS (SET user '{public}', SET password {secret})$p$)",
    ),
    (
        "explain_plan",
        "SELECT fdw_guard.explain_plan($p$ALTER SERVER canary_server OPTIONS (SET host '{public}', \
         SET password {secret})$p$)",
    ),
    (
        "set_server_options",
        "DO $do$ BEGIN EXECUTE 'SELECT fdw_guard.set_server_options($1, $2)' \
         USING 'canary_server'::name, jsonb_build_object('password', {secret}::text); END $do$",
    ),
    (
        "set_server_options",
        "DO $do$ BEGIN EXECUTE 'SELECT fdw_guard.set_server_options($1, $2)' \
         USING 'nowhere'::name, jsonb_build_object('password', {number}); END $do$",
    ),
    ("set_server_options", "SELECT fdw_guard.set_server_options('nowhere', jsonb_build_object('password', {number}))"),
    (
        "set_server_options",
        "SELECT fdw_guard.set_server_options('canary_server', o) \
         FROM (SELECT jsonb_build_object('password', n) FROM (VALUES ({number})) AS v (n)) AS v (o)",
    ),
    (
        "set_server_options",
        "DO $do$ DECLARE pin bigint := {number}; BEGIN \
         EXECUTE format('ALTER SERVER canary_server OPTIONS (SET password %L)', pin); END $do$",
    ),
    (
        "set_server_options",
        "DO $do$ BEGIN EXECUTE 'ALTER SERVER canary_server OPTIONS (SET password ''' || {number} || ''')'; END $do$",
    ),
    ("rotate_secret", "SELECT * FROM fdw_guard.rotate_secret('password', {number}::text, 'canary_server')"),
    ("set_server_options", "SELECT fdw_guard.set_server_options('canary_server', '{\"password\": \"{bare}\\u0000\"}')"),
];

/// The same with the secret in a bind parameter: the value itself, or a text around it.
const BOUND: [(&str, &str, &str); 6] = [
    (
        "set_user_mapping_options",
        "SELECT fdw_guard.set_user_mapping_options('postgres', 'canary_server', $1::text::jsonb)",
        "{\"user\": \"u\", \"password\": {string}}",
    ),
    (
        "set_server_options",
        "SELECT fdw_guard.set_server_options('nowhere', $1::text::jsonb)",
        "{\"password\": {string}}",
    ),
    (
        "set_server_options",
        "SELECT fdw_guard.set_server_options('canary_server', $1::text::jsonb)",
        "{\"password\" {string}",
    ),
    (
        "set_server_options",
        "SELECT fdw_guard.set_server_options('canary_server', $1)",
        "{\"password\": \"{bare}\\u0000\"}",
    ),
    ("rotate_secret", "SELECT * FROM fdw_guard.rotate_secret('password', $1, 'canary_server')", "{value}"),
    (
        "plan",
        "SELECT * FROM fdw_guard.plan($1)",
        "ALTER USER MAPPING FOR CURRENT_USER SERVER canary_server OPTIONS (SET password {secret})",
    ),
];

/// Makes the cases.
pub struct Writer<'a> {
    mint: &'a mut Mint,
    cases: Vec<Case>,
    letters: Vec<Letters>,
    number: usize,
}

/// Every case, with secrets from `mint`; of our functions those count that `functions` names.
pub fn all(mint: &mut Mint, functions: &BTreeSet<String>) -> Vec<Case> {
    let letters = ASCII.into_iter().chain([Letters::Accents, Letters::Kana]).collect();
    let mut writer = Writer { mint, cases: Vec::new(), letters, number: 0 };
    writer.spellings_by_paths();
    writer.escaping_strings();
    writer.outcomes_by_paths();
    writer.names_by_objects();
    let ways = ["simple", "extended", "EXECUTE in DO", "function's argument", "last of several"];
    BROKEN.iter().for_each(|template| writer.broken(template, &ways));
    let ways = ["simple", "extended", "last of several"];
    MISSPELLED.iter().for_each(|template| writer.broken(template, &ways));
    writer.calls(functions);
    writer.cases
}

/// A few cases of each kind, with secrets of those letters.
pub fn some(mint: &mut Mint, letters: &[Letters]) -> Vec<Case> {
    let mut writer = Writer { mint, cases: Vec::new(), letters: letters.to_vec(), number: 0 };
    for (number, path) in PATHS.iter().enumerate() {
        writer.success(path, number, Session::Standard);
    }
    for (number, outcome) in OUTCOMES.iter().enumerate() {
        writer.outcome(outcome, PATHS.iter().cycle().nth(number * 4));
    }
    BROKEN.iter().step_by(4).for_each(|template| writer.broken(template, &["simple"]));
    writer.cases
}

impl Writer<'_> {
    fn spellings_by_paths(&mut self) {
        for spelling in 0..super::spelling::SPELLINGS.len() {
            for path in &PATHS {
                self.success(path, spelling, Session::Standard);
            }
        }
    }

    fn escaping_strings(&mut self) {
        for (number, path) in PATHS.iter().enumerate() {
            self.success(path, if number % 2 == 0 { 0 } else { number }, Session::Escaping);
        }
    }

    fn outcomes_by_paths(&mut self) {
        for outcome in &OUTCOMES {
            PATHS.iter().for_each(|path| self.outcome(outcome, Some(path)));
        }
        for outcome in &SLOW {
            PATHS.iter().step_by(4).for_each(|path| self.outcome(outcome, Some(path)));
        }
    }

    fn names_by_objects(&mut self) {
        for (template, undo) in MAKERS {
            for name in NAMES.iter().chain(&OTHER_NAMES) {
                let (spelling, statement, case) = self.statement(template, name, self.number, Session::Standard);
                let steps = vec![Step::Query(statement.sql())];
                let name = format!("{name:?} in {spelling}: {template}");
                self.cases.push(Case { name, steps, after: vec![undo.to_owned()], ..case });
            }
        }
    }

    fn success(&mut self, path: &Path, spelling: usize, session: Session) {
        let template = ALTERS.iter().cycle().nth(self.number).copied().unwrap_or_default();
        let name = NAMES.iter().cycle().nth(self.number / 5).copied().unwrap_or_default();
        let (spelling, statement, mut case) = self.statement(template, name, spelling, session);
        case.name = format!("{} / {spelling} / {session:?}: {template}", path.name);
        case.stored = Some(case.stored.unwrap_or_default());
        self.push(path, &statement, case);
    }

    fn outcome(&mut self, outcome: &Outcome, path: Option<&Path>) {
        let Some(path) = path else { return };
        let name = NAMES.iter().cycle().nth(self.number).copied().unwrap_or_default();
        let (spelling, statement, mut case) = self.statement(outcome.statement, name, self.number, outcome.session);
        case.name = format!("{} / {} / {spelling}", outcome.name, path.name);
        case.before = outcome.before.iter().map(|sql| (*sql).to_owned()).collect();
        case.after = outcome.after.iter().map(|sql| (*sql).to_owned()).collect();
        (case.stored, case.end, case.ours) = (None, outcome.end, outcome.ours);
        self.push(path, &statement, case);
    }

    fn push(&mut self, path: &Path, statement: &Statement, mut case: Case) {
        case.steps = (path.steps)(statement);
        case.after.push(CLEANUP.to_owned());
        case.public = case.public.filter(|_| path.readable);
        self.cases.push(case);
    }

    /// The template with a secret and a public text of its own in it.
    fn statement(
        &mut self,
        template: &str,
        name: &str,
        spelling: usize,
        session: Session,
    ) -> (&'static str, Statement, Case) {
        let (secret, public) = (self.secret(), self.mint.public());
        let strings = if session == Session::Escaping { Strings::Escaping } else { Strings::Standard };
        let (way, spelt) = Spelling::of(spelling, &secret, strings);
        let filled = template.replace("{public}", &public.value).replace("{name}", name);
        let (before, after) = filled.split_once("{secret}").unwrap_or((&filled, ""));
        let case = Case {
            name: String::new(),
            session,
            before: Vec::new(),
            steps: Vec::new(),
            after: Vec::new(),
            secrets: vec![spelt.needles.clone()],
            public: template.contains("{public}").then_some(public),
            stored: Some(secret.value),
            end: End::Own,
            ours: false,
        };
        let (before, after) = (before.to_owned(), after.to_owned());
        (way, Statement { before, secret: spelt, after, strings }, Case { stored: case.stored.clone(), ..case })
    }

    fn secret(&mut self) -> Canary {
        let letters = self.letters.iter().cycle().nth(self.number).copied().unwrap_or(Letters::Plain);
        self.number += 1;
        self.mint.secret(letters)
    }

    fn broken(&mut self, template: &str, ways: &[&str]) {
        for path in PATHS.iter().filter(|path| ways.contains(&path.name)) {
            let (sql, secrets) = self.filled(template);
            let case = blank(format!("{}: {template}", path.name), secrets);
            self.push(path, &Statement::whole(sql), case);
        }
    }

    fn calls(&mut self, functions: &BTreeSet<String>) {
        for (function, template) in CALLS.iter().filter(|call| functions.contains(call.0)) {
            for path in PATHS.iter().filter(|path| ["simple", "extended", "EXECUTE in DO"].contains(&path.name)) {
                let public = self.mint.public();
                let (sql, secrets) = self.filled(&template.replace("{public}", &public.value));
                let mut case = blank(format!("{function} / {}: {template}", path.name), secrets);
                case.ours = true;
                case.public = template.contains("{public}").then_some(public);
                self.push(path, &Statement::whole(sql), case);
            }
        }
        for (function, sql, parameter) in BOUND.iter().filter(|call| functions.contains(call.0)) {
            let (parameter, secrets) = self.filled(parameter);
            let step = Step::Extended { name: "", sql: (*sql).to_owned(), parameters: vec![parameter], times: 1 };
            let case = blank(format!("{function} with a bind parameter: {sql}"), secrets);
            self.cases.push(Case { steps: vec![step], ours: true, ..case });
        }
    }

    /// The template with secrets in their places, and what betrays each.
    fn filled(&mut self, template: &str) -> (String, Vec<Vec<Vec<u8>>>) {
        let mut secrets = Vec::new();
        let mut text = template.to_owned();
        let bare = [("{bare}", Letters::Plain), ("{number}", Letters::Number)];
        for (place, letters) in bare.into_iter().filter(|(place, _)| template.contains(place)) {
            let bare = self.mint.secret(letters);
            text = text.replace(place, &bare.value);
            secrets.push(needles(&bare, &bare.value));
        }
        for place in ["{secret}", "{plain}", "{json}", "{string}", "{value}"]
            .into_iter()
            .filter(|place| template.contains(place))
        {
            let secret = self.secret();
            let (_, spelt) = Spelling::of(self.number, &secret, Strings::Standard);
            let written = match place {
                "{secret}" => spelt.literal,
                "{plain}" => quoted(&secret.value, Strings::Standard),
                "{json}" => json(&secret.value).replace('\'', "''"),
                "{string}" => json(&secret.value),
                _ => secret.value,
            };
            text = text.replace(place, &written);
            secrets.push(spelt.needles);
        }
        (text, secrets)
    }
}

fn blank(name: String, secrets: Vec<Vec<Vec<u8>>>) -> Case {
    Case {
        name,
        session: Session::Standard,
        before: Vec::new(),
        steps: Vec::new(),
        after: Vec::new(),
        secrets,
        public: None,
        stored: None,
        end: End::Own,
        ours: false,
    }
}

fn json(text: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '\\' => format!("\\{letter}"),
        _ if letter.is_control() => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
