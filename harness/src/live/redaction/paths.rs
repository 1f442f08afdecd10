//! The ways on which a statement reaches PostgreSQL.

use super::spelling::{Spelt, Strings, escaped, quoted};

/// A statement around a secret.
#[derive(Debug, Clone)]
pub struct Statement {
    pub before: String,
    pub secret: Spelt,
    pub after: String,
    pub strings: Strings,
}

/// What a client sends.
#[derive(Debug, Clone)]
pub enum Step {
    /// By the simple protocol.
    Query(String),
    /// By the extended protocol, under a name or none, run so often.
    Extended { name: &'static str, sql: String, parameters: Vec<String>, times: usize },
    /// `CREATE EXTENSION` with this script.
    Script(String),
}

/// One way.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    pub name: &'static str,
    pub steps: fn(&Statement) -> Vec<Step>,
    /// Whether what is not secret must stay readable: where a statement is put together when it runs, every literal may
    /// be its secret.
    pub readable: bool,
}

/// The extension whose script the tests write.
pub const EXTENSION: &str = "canary_script";

/// Ends what a path leaves.
pub const CLEANUP: &str =
    "DROP FUNCTION IF EXISTS canary_path(); DROP EXTENSION IF EXISTS canary_script; DEALLOCATE ALL";

const fn path(name: &'static str, steps: fn(&Statement) -> Vec<Step>) -> Path {
    Path { name, steps, readable: true }
}

const fn assembled(name: &'static str, steps: fn(&Statement) -> Vec<Step>) -> Path {
    Path { name, steps, readable: false }
}

/// All of them.
pub const PATHS: [Path; 25] = [
    path("simple", |s| query(s.sql())),
    path("first of several", |s| query(format!("{}; SELECT 1; SELECT 'it''s'", s.sql()))),
    path("last of several", |s| query(format!("SELECT 1 AS \"it's\"; /* '; */ SELECT 2;; {};", s.sql()))),
    path("extended", |s| vec![extended("", s.sql(), Vec::new(), 1)]),
    path("prepared in the protocol", |s| vec![extended("prepared", s.sql(), Vec::new(), 2)]),
    path("PREPARE", |s| {
        let prepare = format!("PREPARE canary_prepared AS SELECT canary_run({})", s.quote(&s.sql()));
        vec![Step::Query(prepare), Step::Query("EXECUTE canary_prepared".to_owned())]
    }),
    path("EXECUTE with an argument", |s| {
        let execute = format!("EXECUTE canary_prepared({})", s.quote(&s.sql()));
        vec![Step::Query("PREPARE canary_prepared(text) AS SELECT canary_run($1)".to_owned()), Step::Query(execute)]
    }),
    path("bind parameter", |s| vec![extended("", "SELECT canary_run($1)".to_owned(), vec![s.sql()], 1)]),
    path("DO $$", |s| query(format!("DO $do$ BEGIN {}; END $do$", s.sql()))),
    path("DO ''", |s| query(format!("DO {}", s.quote(&format!("BEGIN {}; END", s.sql()))))),
    path("DO E''", |s| query(format!("DO {}", escaped(&format!("BEGIN {}; END", s.sql()), |_| None)))),
    path("EXECUTE in DO", |s| query(format!("DO $do$ BEGIN EXECUTE {}; END $do$", s.quote(&s.sql())))),
    path("EXECUTE in DO in EXECUTE", |s| {
        let inner = format!("DO {}", s.quote(&format!("BEGIN EXECUTE {}; END", s.quote(&s.sql()))));
        query(format!("DO $do$ BEGIN EXECUTE {}; END $do$", s.quote(&inner)))
    }),
    path("handler that shows what it caught", |s| {
        query(format!(
            "DO $do$ DECLARE place text; BEGIN {}; EXCEPTION WHEN OTHERS THEN \
             GET STACKED DIAGNOSTICS place = PG_EXCEPTION_CONTEXT; RAISE NOTICE '%', place; \
             RAISE LOG '% at %', SQLERRM, place USING DETAIL = place, HINT = place; END $do$",
            s.sql()
        ))
    }),
    path("plpgsql function", |s| function(&format!("RETURNS void LANGUAGE plpgsql AS $f$ BEGIN {}; END $f$", s.sql()))),
    path("EXECUTE in plpgsql function", |s| {
        let body = s.quote(&format!("BEGIN EXECUTE {}; END", s.quote(&s.sql())));
        function(&format!("RETURNS void LANGUAGE plpgsql AS {body}"))
    }),
    path("SQL function", |s| function(&format!("RETURNS void LANGUAGE sql AS $f$ {} $f$", s.sql()))),
    path("function's argument", |s| query(format!("SELECT canary_run({})", s.quote(&s.sql())))),
    path("COPY of a query", |s| query(format!("COPY (SELECT canary_run({})) TO STDOUT", s.quote(&s.sql())))),
    path("EXPLAIN ANALYZE", |s| query(format!("EXPLAIN (ANALYZE, VERBOSE) SELECT canary_run({})", s.quote(&s.sql())))),
    path("extension script", |s| vec![Step::Script(format!("{};\n", s.sql()))]),
    assembled("format", |s| {
        let template = s.quote(&format!("{}%L{}", percent(&s.before), percent(&s.after)));
        query(format!("DO $do$ BEGIN EXECUTE format({template}, {}); END $do$", s.secret.literal))
    }),
    assembled("quote_literal", |s| {
        let [before, after] = [s.quote(&s.before), s.quote(&s.after)];
        query(format!("DO $do$ BEGIN EXECUTE {before} || quote_literal({}) || {after}; END $do$", s.secret.literal))
    }),
    assembled("variable", |s| {
        let template = s.quote(&format!("{}%L{}", percent(&s.before), percent(&s.after)));
        let literal = &s.secret.literal;
        query(format!("DO $do$ DECLARE pw text := {literal}; BEGIN EXECUTE format({template}, pw); END $do$"))
    }),
    assembled("format in a query", |s| {
        let template = s.quote(&format!("{}%L{}", percent(&s.before), percent(&s.after)));
        query(format!("SELECT canary_run(format({template}, {}))", s.secret.literal))
    }),
];

impl Statement {
    /// One that has its secret in it already.
    pub fn whole(sql: String) -> Self {
        let secret = Spelt { literal: String::new(), needles: Vec::new() };
        Self { before: sql, secret, after: String::new(), strings: Strings::Standard }
    }

    pub fn sql(&self) -> String {
        [self.before.as_str(), self.secret.literal.as_str(), self.after.as_str()].concat()
    }

    fn quote(&self, text: &str) -> String {
        quoted(text, self.strings)
    }
}

fn query(sql: String) -> Vec<Step> {
    vec![Step::Query(sql)]
}

fn extended(name: &'static str, sql: String, parameters: Vec<String>, times: usize) -> Step {
    Step::Extended { name, sql, parameters, times }
}

fn function(definition: &str) -> Vec<Step> {
    let create = format!("CREATE FUNCTION canary_path() {definition}");
    vec![Step::Query(create), Step::Query("SELECT canary_path()".to_owned())]
}

fn percent(text: &str) -> String {
    text.replace('%', "%%")
}
