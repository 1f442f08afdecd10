//! What the tests of the forms have come to, left in files below `target` and printed by `make forms`.
//!
//! There is a folder for each version of PostgreSQL, and in it a file for each test. A file begins with the version and
//! the time; each further line says of a form of a type of object how many trials of a check passed and how many did not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::project;

/// The versions that the matrix is about.
pub const MAJORS: [u32; 4] = [15, 16, 17, 18];

/// What is held of each form of each type of object, in the order in which the matrix shows it.
pub const CHECKS: [(&str, &str); 15] = [
    ("deny", "by every way: error `42501`, the rule's name as constraint name, the object's name; nothing has changed"),
    ("warn", "a warning that says the same; the statement stands"),
    ("audit", "a line in the server log that says the same, and nothing else"),
    (
        "other forms",
        "by every way: a rule that names all other forms of the type makes no difference, nor does one that names the form \
         to a statement that only looks like it",
    ),
    ("roles", "`roles` and `except_roles` decide"),
    ("condition", "a condition on the wrapper decides, and one on the session"),
    (
        "patterns",
        "each pattern decides, of what is renamed by the old name and by the new one; a rule keeps what it matches",
    ),
    ("carriers", "prepared statements, cached plans, `DO`, functions, extension scripts, …: the same refusal"),
    ("table_state", "by every way to a form of a table or a column: `table_state` shows the change"),
    ("deferred", "the same refusal before commit"),
    (WITHOUT_RULES, "by every way, right or wrong: every field of every message and the catalogs are PostgreSQL's own"),
    (
        EFFECTS,
        "each thing that the page `ALTER FOREIGN TABLE` states of the form is seen through a guarded wrapper over `postgres_fdw`",
    ),
    (EFFECTS_ON_FILES, "the same through a guarded wrapper over `file_fdw`"),
    (
        RIGHTS,
        "who lacks the right that the pages state is refused, and who gets it is not, with a guarded wrapper over `postgres_fdw`",
    ),
    (RIGHTS_ON_FILES, "the same with a guarded wrapper over `file_fdw`"),
];

/// The checks of what the pages state, which have something to try of the forms of those pages alone.
pub const EFFECTS: &str = "effects";
pub const EFFECTS_ON_FILES: &str = "effects files";
pub const RIGHTS: &str = "rights";
pub const RIGHTS_ON_FILES: &str = "rights files";

/// The check that compares two servers.
pub const WITHOUT_RULES: &str = "without rules";

/// The file that lists the forms that rules can name, of every type of object.
const LIST: &str = "list";

/// What separates the fields of a line.
const SEPARATOR: char = '\t';

/// Forms that rules can name, each with a type of object, in the order in which the extension lists them.
pub type Forms = Vec<(String, String)>;

/// How many trials of a check passed, and how many did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that passed.
    pub passed: usize,
    /// Those that did not.
    pub failed: usize,
}

/// Notes what one test comes to.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    text: String,
    failures: Vec<String>,
}

impl Recorder {
    /// Begins anew for `test` in version `major`, called `version` in full.
    ///
    /// # Errors
    /// When there can be no such file.
    pub fn new(major: u32, test: &str, version: &str, time: &str) -> Result<Self> {
        let folder = folder(major);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(test);
        if path.exists() {
            fs::remove_file(&path)?;
        }
        Ok(Self { path, text: format!("{version}{SEPARATOR}{time}\n"), failures: Vec::new() })
    }

    /// Notes the trials of a check.
    pub fn note(&mut self, form: &str, object_type: &str, check: &str, trials: Vec<Result<()>>) {
        let count = trials.len();
        let failures = trials.into_iter().filter_map(Result::err);
        let place = format!("{form}, {object_type}, {check}");
        let before = self.failures.len();
        self.failures.extend(failures.map(|error| format!("{place}: {error:#}")));
        let failed = self.failures.len() - before;
        let fields = [form, object_type, check, &(count - failed).to_string(), &failed.to_string()];
        self.text += &(fields.join(&SEPARATOR.to_string()) + "\n");
    }

    /// Leaves the results; fails if any trial did.
    ///
    /// # Errors
    /// Lists the trials that failed.
    pub fn finish(self) -> Result<()> {
        fs::write(&self.path, &self.text).with_context(|| format!("cannot write {}", self.path.display()))?;
        if self.failures.is_empty() {
            return Ok(());
        }
        bail!("{} failed:\n{}", self.failures.len(), self.failures.join("\n"))
    }
}

/// Leaves the list of forms.
///
/// # Errors
/// When the file cannot be written.
pub fn leave_list(forms: &Forms) -> Result<()> {
    let text: String = forms.iter().map(|(form, object_type)| format!("{form}{SEPARATOR}{object_type}\n")).collect();
    let root = root();
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    fs::write(root.join(LIST), text).context("cannot write the list of forms")
}

/// Prints the matrix. Says whether nothing of what was run has failed.
///
/// # Errors
/// When results cannot be read.
pub fn print() -> Result<bool> {
    let list = root().join(LIST);
    if !list.exists() {
        bail!("no results: run make test with each version of PostgreSQL");
    }
    let forms = parse_list(&fs::read_to_string(list)?);
    let results = MAJORS.iter().map(|major| Ok((*major, Results::read(*major)?))).collect::<Result<_>>()?;
    let matrix = Matrix { forms, results };
    print!("{}\n{}\n{}", matrix.heading(), matrix.in_full(), matrix.summary());
    Ok(!matrix.has_failures())
}

fn root() -> PathBuf {
    project::root().join("target/forms")
}

fn folder(major: u32) -> PathBuf {
    root().join(major.to_string())
}

fn parse_list(text: &str) -> Forms {
    let pairs = text.lines().filter_map(|line| line.split_once(SEPARATOR));
    pairs.map(|(form, object_type)| (form.to_owned(), object_type.to_owned())).collect()
}

/// The results of one version.
#[derive(Debug, Default)]
struct Results {
    version: String,
    /// When the tests began.
    times: BTreeSet<String>,
    /// By form, type of object and check.
    counts: BTreeMap<(String, String, String), Count>,
}

impl Results {
    fn read(major: u32) -> Result<Self> {
        let mut results = Self::default();
        let folder = folder(major);
        if folder.exists() {
            for entry in fs::read_dir(folder)? {
                results.add(&fs::read_to_string(entry?.path())?)?;
            }
        }
        Ok(results)
    }

    fn add(&mut self, text: &str) -> Result<()> {
        let mut lines = text.lines();
        let (version, time) = lines.next().and_then(|line| line.split_once(SEPARATOR)).context("no heading")?;
        version.clone_into(&mut self.version);
        self.times.insert(time.to_owned());
        for line in lines {
            let fields: Vec<&str> = line.split(SEPARATOR).collect();
            let [form, object_type, check, passed, failed] = fields.as_slice() else { bail!("no result: {line}") };
            let count = Count { passed: passed.parse()?, failed: failed.parse()? };
            self.counts.insert(((*form).to_owned(), (*object_type).to_owned(), (*check).to_owned()), count);
        }
        Ok(())
    }

    fn count(&self, form: &str, object_type: &str, check: &str) -> Option<Count> {
        self.counts.get(&(form.to_owned(), object_type.to_owned(), check.to_owned())).copied()
    }
}

/// The results of all versions.
#[derive(Debug, Default)]
struct Matrix {
    forms: Forms,
    results: BTreeMap<u32, Results>,
}

impl Matrix {
    /// Which versions were run, and when.
    fn heading(&self) -> String {
        let mut text = String::new();
        for (major, results) in &self.results {
            let said = match (results.times.first(), results.times.last()) {
                (Some(first), Some(last)) if first == last => format!("{}: {first}", results.version),
                (Some(first), Some(last)) => format!("{}: {first} to {last}", results.version),
                _ => format!("PostgreSQL {major}: not run"),
            };
            text += &(said + "\n");
        }
        text
    }

    /// A line for each form of a type of object, a column for each check; in it the versions side by side.
    fn in_full(&self) -> String {
        let mut text = format!(
            "In each column, side by side, {}: trials that passed, all of them (+), not all (-), none yet (.)\n\n",
            MAJORS.map(|major| major.to_string()).join(", ")
        );
        let _ = writeln!(text, "{:<26}{:<22}{}", "form", "object type", headings());
        for (form, object_type) in &self.forms {
            let cells: String =
                CHECKS.iter().map(|(check, _)| format!("  {}", self.cell(form, object_type, check))).collect();
            let _ = writeln!(text, "{form:<26}{object_type:<22}{cells}");
        }
        text
    }

    /// How many trials there were in the newest version that was run, and how each version came out.
    fn cell(&self, form: &str, object_type: &str, check: &str) -> String {
        let counts: Vec<Option<Count>> =
            self.results.values().map(|results| results.count(form, object_type, check)).collect();
        let signs: String = counts.iter().map(|count| sign(*count)).collect();
        let trials = counts.iter().flatten().last().map_or(0, |count| count.passed + count.failed);
        format!("{:<CELL$}", format!("{trials:>3} {signs}"))
    }

    /// The table of the README.
    fn summary(&self) -> String {
        summary(&self.forms, |form, object_types, major| self.verdict(form, object_types, major))
    }

    fn verdict(&self, form: &str, object_types: &[&str], major: u32) -> &'static str {
        let Some(results) = self.results.get(&major) else { return NOT_RUN };
        let cells = object_types.iter().flat_map(|object_type| CHECKS.map(|(check, _)| (object_type, check)));
        let counts: Vec<Option<Count>> =
            cells.map(|(object_type, check)| results.count(form, object_type, check)).collect();
        if counts.iter().flatten().any(|count| count.failed > 0) {
            "failed"
        } else if counts.is_empty() || counts.contains(&None) {
            NOT_RUN
        } else {
            PASSED
        }
    }

    fn has_failures(&self) -> bool {
        self.results.values().flat_map(|results| results.counts.values()).any(|count| count.failed > 0)
    }
}

const PASSED: &str = "passed";
const NOT_RUN: &str = "not run";

/// How wide a cell is.
const CELL: usize = 13;

fn sign(count: Option<Count>) -> char {
    match count {
        None => '.',
        // There was nothing to try.
        Some(Count { passed: 0, failed: 0 }) => ' ',
        Some(Count { failed: 0, .. }) => '+',
        Some(_) => '-',
    }
}

fn headings() -> String {
    CHECKS.iter().map(|(check, _)| format!("  {check:<CELL$}")).collect()
}

/// The types of object of each form.
fn by_form(forms: &Forms) -> Vec<(&str, Vec<&str>)> {
    let mut rows: Vec<(&str, Vec<&str>)> = Vec::new();
    for (form, object_type) in forms {
        match rows.iter_mut().find(|(known, _)| *known == form) {
            Some((_, types)) => types.push(object_type),
            None => rows.push((form, vec![object_type])),
        }
    }
    rows
}

fn summary(forms: &Forms, verdict: impl Fn(&str, &[&str], u32) -> &'static str) -> String {
    let mut text = format!("| Form | Object types |{}\n", MAJORS.map(|major| format!(" {major} |")).join(""));
    text += &format!("| --- | --- |{}\n", " --- |".repeat(MAJORS.len()));
    for (form, types) in by_form(forms) {
        let cells = MAJORS.map(|major| format!(" {} |", verdict(form, &types, major))).join("");
        text += &format!("| `{form}` | {} |{cells}\n", types.join(", "));
    }
    text
}

/// The table as it is printed when everything has passed.
pub fn all_passed(forms: &Forms) -> String {
    summary(forms, |_, _, _| PASSED)
}

/// The checks as the README lists them.
pub fn list_of_checks() -> String {
    let rows: String = CHECKS.iter().map(|(check, what)| format!("| {check} | {what} |\n")).collect();
    format!("| Check | What holds |\n| --- | --- |\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms() -> Forms {
        parse_list("CREATE\tserver\nCREATE\tforeign table\nINHERIT\tforeign table\n")
    }

    fn matrix(text: &str) -> Matrix {
        let mut results = Results::default();
        results.add(text).unwrap();
        let all =
            MAJORS.map(|major| (major, if major == 18 { std::mem::take(&mut results) } else { Results::default() }));
        Matrix { forms: forms(), results: BTreeMap::from(all) }
    }

    /// Results of version 18 in which `object_type` has passed all checks of CREATE.
    fn passed(object_type: &str) -> String {
        CHECKS.map(|(check, _)| format!("CREATE\t{object_type}\t{check}\t2\t0\n")).concat()
    }

    #[test]
    fn a_form_has_passed_if_every_check_of_every_type_has() {
        let half = format!("PostgreSQL 18.1\ttoday\n{}", passed("server"));
        assert_eq!(matrix(&half).verdict("CREATE", &["server"], 18), PASSED);
        assert_eq!(matrix(&half).verdict("CREATE", &["server", "foreign table"], 18), NOT_RUN);
        assert_eq!(matrix(&half).verdict("CREATE", &["server"], 17), NOT_RUN);
        let whole = half + &passed("foreign table");
        assert_eq!(matrix(&whole).verdict("CREATE", &["server", "foreign table"], 18), PASSED);
        let wrong = whole.replace("server\tdeny\t2\t0", "server\tdeny\t1\t1");
        assert_eq!(matrix(&wrong).verdict("CREATE", &["server", "foreign table"], 18), "failed");
        assert!(matrix(&wrong).has_failures() && !matrix(&whole).has_failures());
    }

    #[test]
    fn what_was_not_run_is_said() {
        let matrix = matrix("PostgreSQL 18.1\ttoday\nCREATE\tserver\tdeny\t2\t0\n");
        assert!(matrix.heading().starts_with("PostgreSQL 15: not run\n"));
        assert!(matrix.heading().ends_with("PostgreSQL 18.1: today\n"));
        assert!(matrix.in_full().contains("  2 ...+"), "{}", matrix.in_full());
        assert!(matrix.summary().contains("| `INHERIT` | foreign table | not run |"));
    }

    #[test]
    fn each_form_is_one_row() {
        assert!(all_passed(&forms()).contains("| `CREATE` | server, foreign table | passed |"));
        assert_eq!(all_passed(&forms()).lines().count(), 4);
    }

    #[test]
    fn what_is_no_result_is_an_error() {
        assert!(Results::default().add("PostgreSQL 18\ttoday\nCREATE\tserver\n").is_err());
    }
}
