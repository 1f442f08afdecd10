//! The places where a secret could show, and what is found in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result};
use postgres::Client;

use super::stage::Stage;
use crate::cluster::{Cluster, wait_until};
use crate::settings::Settings;

/// What each line of the log begins with, and the process.
pub const PREFIX: &str = "@%p@ ";

/// What was read, by the name of the place.
pub type Places = BTreeMap<String, Vec<u8>>;

/// Everything on, and in every format.
pub fn talkative(libraries: &str) -> Settings {
    let all = [
        ("shared_preload_libraries", libraries),
        ("logging_collector", "on"),
        ("log_destination", "stderr,csvlog,jsonlog"),
        ("log_directory", "../log"),
        ("log_filename", "server.log"),
        ("log_rotation_age", "0"),
        ("log_rotation_size", "0"),
        ("log_line_prefix", PREFIX),
        ("log_statement", "all"),
        ("log_duration", "on"),
        ("log_min_duration_statement", "0"),
        ("log_min_messages", "debug1"),
        ("log_min_error_statement", "debug5"),
        ("log_error_verbosity", "verbose"),
        ("log_parameter_max_length", "-1"),
        ("log_parameter_max_length_on_error", "-1"),
        ("debug_print_parse", "on"),
        ("debug_print_rewritten", "on"),
        ("debug_print_plan", "on"),
        ("track_activity_query_size", "16kB"),
        ("autovacuum", "off"),
        ("compute_query_id", "on"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_nested_statements", "on"),
        ("auto_explain.log_verbose", "on"),
        ("pg_stat_statements.track", "all"),
        ("pg_stat_statements.max", "50000"),
        ("pgaudit.log", "all"),
        ("pgaudit.log_parameter", "on"),
        ("pgaudit.log_rows", "on"),
    ];
    let audits = libraries.contains("pgaudit");
    let wanted = all.iter().filter(|(name, _)| audits || !name.starts_with("pgaudit"));
    wanted.fold(Settings::plain(), |settings, (name, value)| settings.with(name, value))
}

/// Whether this installation has pgaudit.
pub fn has_pgaudit(cluster: &Cluster) -> bool {
    cluster.sandbox().mirror.installation.pkglibdir.join("pgaudit.so").exists()
}

/// The files of the log.
///
/// # Errors
/// When they do not hold `end` in time.
pub fn logs(cluster: &Cluster, end: &str) -> Result<Places> {
    let files = ["log", "csv", "json"].map(|kind| cluster.directory().join("log").join(format!("server.{kind}")));
    let holds = |file: &PathBuf| fs::read(file).is_ok_and(|bytes| tail(&bytes).contains(end));
    wait_until("write its log", || files.iter().all(holds))?;
    let read = |file: &PathBuf| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let [stderr, csv, json] = &files;
    let mut places = sections(&read(stderr)?);
    places.insert("csvlog".to_owned(), read(csv)?);
    places.insert("jsonlog".to_owned(), read(json)?);
    Ok(places)
}

/// Where the end of a log may stand: the last lines.
fn tail(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(1 << 16);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
}

/// The log as it goes to stderr, by the kind of its lines.
fn sections(log: &[u8]) -> Places {
    let mut places = Places::new();
    let (mut name, mut kind) = ("stderr".to_owned(), String::new());
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        if let Some((label, text)) = labelled(line) {
            if !["DETAIL", "HINT", "QUERY", "CONTEXT", "LOCATION", "STATEMENT"].contains(&label.as_str()) {
                kind = format!("{label} {}", kind_of(text));
                name = format!("stderr {kind}");
            } else if label == "DETAIL" {
                name = format!("stderr DETAIL of {kind}");
            } else {
                name = format!("stderr {label}");
            }
        }
        places.entry(name.trim_end().to_owned()).or_default().extend(line);
    }
    places
}

/// `LOG`, `STATEMENT`, …, and what follows, of a line that begins an entry or a part of one.
fn labelled(line: &[u8]) -> Option<(String, &[u8])> {
    let rest = line.strip_prefix(b"@")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(digits..)?.strip_prefix(b"@ ")?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
    let text = rest.get(length..)?.strip_prefix(b":  ")?;
    Some((String::from_utf8_lossy(rest.get(..length)?).into_owned(), text))
}

/// What a line of the log is about, as PostgreSQL's source and the libraries word it. SQLSTATE stands before it.
fn kind_of(text: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(text);
    let text = text.split_once(": ").map_or(text.as_ref(), |(_, text)| text);
    match text {
        _ if text.starts_with("AUDIT") => "AUDIT",
        _ if text.starts_with("statement") => "statement",
        _ if text.starts_with("execute") => "execute",
        _ if text.starts_with("duration") && text.contains("plan:") => "auto_explain",
        _ if text.starts_with("duration") => "duration",
        _ if text.contains("parse tree") || text.starts_with("plan") => "tree",
        _ => "",
    }
}

/// What the activity, the clients and our own views have of a stage.
///
/// # Errors
/// When they cannot be read.
pub fn of_stage(stage: &Stage) -> Result<Places> {
    let mut client = stage.database.connect()?;
    let mut places = Places::new();
    let mut add = |name: &str, bytes: Vec<u8>| places.insert(name.to_owned(), bytes);
    add("pg_stat_activity, held", stage.seen.held.clone());
    add("pg_stat_activity, after", stage.seen.after.clone());
    add("client", stage.seen.client.clone());
    if has_fdw_guard(&mut client)? {
        add("fdw_guard", ours(&mut client)?);
    }
    Ok(places)
}

/// The view of pg_stat_statements, which fails where databases have other encodings.
///
/// # Errors
/// When it cannot be read.
pub fn statements(stage: &Stage) -> Result<Vec<u8>> {
    let statements = "SELECT convert_to(query, getdatabaseencoding()) FROM pg_stat_statements s \
                      JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()";
    read(&mut stage.database.connect()?, statements)
}

fn has_fdw_guard(client: &mut Client) -> Result<bool> {
    Ok(client.query_opt("SELECT FROM pg_extension WHERE extname = 'fdw_guard'", &[])?.is_some())
}

/// pg_stat_statements' text file, while the server runs.
///
/// # Errors
/// When there is none.
pub fn statements_file(cluster: &Cluster) -> Result<Vec<u8>> {
    fs::read(cluster.data().join("pg_stat_tmp/pgss_query_texts.stat")).context("pg_stat_statements has no text file")
}

/// What pg_stat_statements leaves on disk when the server ends.
///
/// # Errors
/// When there is nothing.
pub fn statements_at_rest(cluster: &Cluster) -> Result<Vec<u8>> {
    fs::read(cluster.data().join("pg_stat/pg_stat_statements.stat")).context("pg_stat_statements left no file")
}

/// Every view, table and function of ours that shows something.
fn ours(client: &mut Client) -> Result<Vec<u8>> {
    let relations = client.query(
        "SELECT oid::regclass::text FROM pg_class \
         WHERE relnamespace = 'fdw_guard'::regnamespace AND relkind IN ('r', 'v', 'm', 'f', 'p')",
        &[],
    )?;
    let mut shown = Vec::new();
    for relation in relations {
        shown.extend(read(client, &whole_rows(relation.get(0)))?);
    }
    for source in FUNCTIONS {
        shown.extend(read(client, &whole_rows(source))?);
    }
    Ok(shown)
}

/// Functions that show options, of every object that there is.
const FUNCTIONS: [&str; 15] = [
    "fdw_guard.policy()",
    "fdw_guard.status()",
    "fdw_guard.pack_rules('postgres_fdw')",
    "pg_foreign_server, fdw_guard.server_options(srvname)",
    "pg_user_mappings, fdw_guard.user_mapping_options(usename, srvname)",
    "pg_foreign_table, fdw_guard.foreign_table_options(ftrelid)",
    "(SELECT fdw_guard.column_options('canary_table', 'c'))",
    "pg_foreign_table, fdw_guard.effective_options(ftrelid, CURRENT_USER)",
    "pg_foreign_table, fdw_guard.table_state(ftrelid)",
    "fdw_guard.violations()",
    "fdw_guard.shared_secrets()",
    "(SELECT DISTINCT object_type, identity FROM fdw_guard.history) AS h, fdw_guard.timeline(h.object_type, h.identity)",
    "(SELECT id FROM fdw_guard.history LIMIT 200) AS h, canary_revert(h.id)",
    "pg_foreign_server, fdw_guard.get_ddl('server', srvname)",
    "pg_foreign_table, fdw_guard.get_ddl(ftrelid::regclass)",
];

/// The last item of a FROM clause, as text.
fn whole_rows(source: &str) -> String {
    format!("SELECT convert_to(v::text, getdatabaseencoding()) FROM {source} AS v")
}

fn read(client: &mut Client, sql: &str) -> Result<Vec<u8>> {
    let rows = client.query(sql, &[]).with_context(|| sql.to_owned())?;
    let texts = rows.iter().filter_map(|row| row.get::<_, Option<Vec<u8>>>(0));
    Ok(texts
        .flat_map(|mut text| {
            text.push(b'\n');
            text
        })
        .collect())
}

/// Looks for many byte strings at once; several can stand for one thing.
pub struct Search {
    automaton: AhoCorasick,
    owners: Vec<usize>,
}

/// Something that was found, and where in the place's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Find {
    pub owner: usize,
    pub start: usize,
    pub end: usize,
}

impl Search {
    /// For needles and the number of what each stands for.
    ///
    /// # Errors
    /// When they are too many.
    pub fn new(needles: &[(Vec<u8>, usize)]) -> Result<Self> {
        let automaton = AhoCorasick::new(needles.iter().map(|(needle, _)| needle))?;
        Ok(Self { automaton, owners: needles.iter().map(|(_, owner)| *owner).collect() })
    }

    /// What is in the text, each thing once.
    pub fn found(&self, text: &[u8]) -> Vec<Find> {
        let mut known = BTreeSet::new();
        let matches = self.automaton.find_overlapping_iter(text);
        let finds = matches.filter_map(|found| {
            let owner = *self.owners.get(found.pattern().as_usize())?;
            known.insert(owner).then_some(Find { owner, start: found.start(), end: found.end() })
        });
        finds.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_apart_by_its_lines() {
        let log = b"@7@ LOG:  00000: statement: SELECT\n\t1\n@7@ LOCATION:  x\n@7@ ERROR:  22012: no\n\
                    @7@ DETAIL:  d\n@7@ STATEMENT:  s\n";
        let names: Vec<String> = sections(log).into_keys().collect();
        let expected =
            ["stderr DETAIL of ERROR ", "stderr ERROR", "stderr LOCATION", "stderr LOG statement", "stderr STATEMENT"];
        assert_eq!(names, expected.map(|name| name.trim_end().to_owned()));
    }

    #[test]
    fn each_thing_is_found_once() {
        let search = Search::new(&[(b"ab".to_vec(), 5), (b"bc".to_vec(), 5), (b"c".to_vec(), 6)]).unwrap();
        let found = search.found(b"abcabc");
        assert_eq!(found, [Find { owner: 5, start: 0, end: 2 }, Find { owner: 6, start: 2, end: 3 }]);
    }
}
