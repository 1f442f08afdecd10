//! `make suites`: PostgreSQL's own regression suites of postgres_fdw and file_fdw, told over guarded wrappers.
//!
//! Each suite is told as it comes first, on a server without fdw_guard: if that is not what PostgreSQL expects, the suite
//! does not fit the server. Then it is told over a guarded wrapper of another name, where it may differ by what the
//! patches in `tests/suites` say, and over its own wrapper guarded in place, where it may not differ at all; with the
//! library preloaded and rules in force, and with the library loaded by the wrapper alone.

pub mod patch;
pub mod source;
pub mod story;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::installation::Installation;
use crate::package::Purpose;
use crate::regress::{self, Stories};
use crate::sandbox::Sandbox;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::{place, project, testing};
use source::Suites;
use story::{SUITES, Suite, Way};

/// A rule for each type of object, which no statement of the suites violates: the work of enforcement is done, and must
/// not show.
const POLICY: &str = r#"{"rules": [
    {"name": "wrapper", "object_type": "foreign-data wrapper", "options": {"maxProperties": 9}},
    {"name": "server", "object_type": "server", "options": {"maxProperties": 99}},
    {"name": "mapping", "object_type": "user mapping", "options": {"maxProperties": 99}},
    {"name": "table", "object_type": "foreign table", "options": {"maxProperties": 99}, "forms": ["SET SCHEMA"]},
    {"name": "column", "object_type": "foreign table column", "options": {"maxProperties": 9}}
]}"#;

/// Settings under which a guarded wrapper adds nothing to what its delegate says.
const UNSEEN: [(&str, &str); 2] = [("fdw_guard.explain", "off"), ("fdw_guard.redact", "off")];

/// One telling of all suites, on a cluster of its own.
struct Round {
    title: &'static str,
    cluster: &'static str,
    way: Way,
    preloaded: bool,
}

const ROUNDS: [Round; 5] = [
    Round { title: "as it comes", cluster: "suites-plain", way: Way::Plain, preloaded: false },
    Round { title: "guarded wrapper", cluster: "suites-named", way: Way::Named, preloaded: true },
    Round { title: "guarded wrapper, not preloaded", cluster: "suites-named-late", way: Way::Named, preloaded: false },
    Round { title: "guarded in place", cluster: "suites-placed", way: Way::InPlace, preloaded: true },
    Round {
        title: "guarded in place, not preloaded",
        cluster: "suites-placed-late",
        way: Way::InPlace,
        preloaded: false,
    },
];

/// Fetches the suites if need be, and tells them all. Says whether all passed.
///
/// # Errors
/// When the suites cannot be fetched, or the extension does not build.
pub fn run() -> Result<bool> {
    let installation = Installation::from_environment()?;
    println!("{}", installation.version);
    let folder = match source::get(&installation)? {
        Suites::Folder(folder) => folder,
        Suites::Missing(why) => {
            println!("SKIPPED: {why}");
            return Ok(true);
        }
    };
    let sandbox = testing::prepare(&installation, Purpose::Test, "target/harness")?;
    let mut tally = Tally::default();
    for round in ROUNDS {
        tally.part(round.title, |tally| round.run(tally, &sandbox, &folder));
    }
    testing::note_crashes(&mut tally, &sandbox);
    tally.close();
    Ok(!tally.has_failures())
}

impl Round {
    fn run(&self, tally: &mut Tally, sandbox: &Arc<Sandbox>, folder: &Path) -> Result<()> {
        let cluster = Cluster::start(sandbox, self.cluster, &self.settings())?;
        if self.preloaded {
            let file = cluster.write_file("policy.json", POLICY, 0o600)?;
            cluster.set("fdw_guard.policy_file", &file.to_string_lossy())?;
            // A server does not start with a policy that is not valid.
            cluster.restart()?;
        }
        for suite in SUITES {
            let copy = self.copy(&cluster, &suite, &folder.join(suite.wrapper))?;
            self.tell(tally, &cluster, &copy)?;
            if copy.join("specs").exists() {
                self.tell_isolated(tally, &cluster, &suite, &copy)?;
            }
        }
        Ok(())
    }

    fn settings(&self) -> Settings {
        let settings = if self.preloaded { Settings::preloaded() } else { Settings::plain() };
        let guarded = if self.way == Way::Plain { &[] } else { UNSEEN.as_slice() };
        guarded.iter().fold(settings.reaching_itself(), |settings, (name, value)| settings.with(name, value))
    }

    /// A copy of a suite that the account can read, as it is told and expected in this round.
    fn copy(&self, cluster: &Cluster, suite: &Suite, from: &Path) -> Result<PathBuf> {
        let account = &cluster.sandbox().account;
        let copy = cluster.directory().join(suite.wrapper);
        place::fresh_directory(&copy, account)?;
        for folder in ["sql", "specs", "expected", "data"].iter().filter(|folder| from.join(folder).exists()) {
            place::fresh_directory(&copy.join(folder), account)?;
            for entry in fs::read_dir(from.join(folder))? {
                let path = entry?.path();
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let name = Path::new(suite.wrapper).join(folder).join(path.file_name().unwrap_or_default());
                let told = self.adapted(suite, folder, &path, text)?;
                cluster.write_file(&name.to_string_lossy(), &told, 0o600)?;
            }
        }
        Ok(copy)
    }

    fn adapted(&self, suite: &Suite, folder: &str, path: &Path, text: String) -> Result<String> {
        match folder {
            "sql" | "specs" => Ok(suite.told(self.way, &text)),
            "expected" => suite.expected(self.way, &text, patch_for(path).as_deref()),
            _ => Ok(text),
        }
        .with_context(|| path.display().to_string())
    }

    fn tell(&self, tally: &mut Tally, cluster: &Cluster, input: &Path) -> Result<()> {
        let sandbox = cluster.sandbox();
        let mut driver = regress::against(cluster, &sandbox.original.pg_regress()?);
        driver.arg("--dbname=contrib_regression").args(self.is_guarded().then_some("--load-extension=fdw_guard"));
        let names = regress::stories(&input.join("sql"), "sql")?;
        self.tell_stories(tally, sandbox, driver, Stories { input, output: &input.join("regress"), names })
    }

    /// The isolation tests create no extension, so that they need a database that has them.
    fn tell_isolated(&self, tally: &mut Tally, cluster: &Cluster, suite: &Suite, input: &Path) -> Result<()> {
        let sandbox = cluster.sandbox();
        let database = cluster.database("isolation_regression")?;
        database.execute(&format!("CREATE EXTENSION {}", suite.wrapper))?;
        if self.is_guarded() {
            database.execute("CREATE EXTENSION fdw_guard")?;
        }
        if let Some(guarding) = suite.guarding(self.way) {
            database.execute(&guarding)?;
        }
        let mut driver = regress::against(cluster, &sandbox.original.pg_isolation_regress()?);
        driver.arg("--use-existing").args(["--dbname", database.name()]);
        let names = regress::stories(&input.join("specs"), "spec")?;
        self.tell_stories(tally, sandbox, driver, Stories { input, output: &input.join("isolation"), names })
    }

    fn tell_stories(
        &self,
        tally: &mut Tally,
        sandbox: &Sandbox,
        driver: std::process::Command,
        stories: Stories<'_>,
    ) -> Result<()> {
        place::fresh_directory(stories.output, &sandbox.account)?;
        stories.tell(tally, sandbox, driver, &format!("{}: ", self.title))
    }

    fn is_guarded(&self) -> bool {
        self.way != Way::Plain
    }
}

/// Our patch of the expected file at `path`.
fn patch_for(path: &Path) -> Option<String> {
    let name = Path::new(path.file_stem()?).with_extension("patch");
    fs::read_to_string(project::root().join("tests/suites").join(name)).ok()
}
