//! The PostgreSQL installation that `PG_CONFIG` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command;

/// The majors that fdw_guard supports.
const SUPPORTED: std::ops::RangeInclusive<u32> = 15..=18;

/// Where an installation of PostgreSQL keeps its files.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The program that was asked.
    pub pg_config: PathBuf,
    /// As `pg_config --version` gives it.
    pub version: String,
    /// The major version.
    pub major: u32,
    /// Programs.
    pub bindir: PathBuf,
    /// Loadable libraries.
    pub pkglibdir: PathBuf,
    /// Data files; extensions are in its folder `extension`.
    pub sharedir: PathBuf,
}

impl Installation {
    /// Asks the program that the environment's `PG_CONFIG` names, or `pg_config`.
    ///
    /// # Errors
    /// When it cannot be run, or is of a version that fdw_guard does not support.
    pub fn from_environment() -> Result<Self> {
        let pg_config = std::env::var_os("PG_CONFIG").filter(|name| !name.is_empty());
        Self::ask(Path::new(&pg_config.unwrap_or_else(|| "pg_config".into())))
    }

    /// The installation that this program belongs to.
    ///
    /// # Errors
    /// As [`Installation::from_environment`].
    pub fn ask(pg_config: &Path) -> Result<Self> {
        let version = answer(pg_config, "--version")?;
        let major = major(&version)?;
        ensure!(SUPPORTED.contains(&major), "{version} is not supported: fdw_guard needs 15, 16, 17 or 18");
        let directory = |option| answer(pg_config, option).map(PathBuf::from);
        let installation = Self {
            pg_config: absolute(pg_config)?,
            version,
            major,
            bindir: directory("--bindir")?,
            pkglibdir: directory("--pkglibdir")?,
            sharedir: directory("--sharedir")?,
        };
        installation.check_server()?;
        Ok(installation)
    }

    fn check_server(&self) -> Result<()> {
        let major = self.major;
        ensure!(
            self.bindir.join("postgres").exists(),
            "{} has no server in {}: install postgresql-{major}, or name another PG_CONFIG",
            self.version,
            self.bindir.display()
        );
        Ok(())
    }

    /// PostgreSQL's own regression test driver, which its development files bring.
    ///
    /// # Errors
    /// When they are not installed.
    pub fn pg_regress(&self) -> Result<PathBuf> {
        self.development_file("pgxs/src/test/regress/pg_regress")
    }

    /// The driver of PostgreSQL's isolation tests, which lies beside it.
    ///
    /// # Errors
    /// When the development files are not installed.
    pub fn pg_isolation_regress(&self) -> Result<PathBuf> {
        self.development_file("pgxs/src/test/isolation/pg_isolation_regress")
    }

    fn development_file(&self, name: &str) -> Result<PathBuf> {
        let path = self.pkglibdir.join(name);
        ensure!(path.exists(), "{} is missing: install postgresql-server-dev-{}", path.display(), self.major);
        Ok(path)
    }

    /// The version without what packagers add to it, such as `15.20`.
    pub fn number(&self) -> &str {
        self.version.split_whitespace().nth(1).unwrap_or(&self.version)
    }

    /// The majors before this one that fdw_guard supports, the newest first.
    pub fn older_majors(&self) -> impl Iterator<Item = u32> {
        (*SUPPORTED.start()..self.major).rev()
    }

    /// Where an extension's control and script files are.
    pub fn extension_dir(&self) -> PathBuf {
        self.sharedir.join("extension")
    }
}

fn answer(pg_config: &Path, option: &str) -> Result<String> {
    let answer = command::run(Command::new(pg_config).arg(option))
        .context("set PG_CONFIG to the pg_config of the PostgreSQL to use")?;
    Ok(answer.trim().to_owned())
}

/// cargo-pgrx reads a relative path from another directory than we do.
fn absolute(program: &Path) -> Result<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).with_context(|| format!("cannot find {}", program.display()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| path.is_file());
    found.with_context(|| format!("{} is not in PATH", program.display()))
}

fn major(version: &str) -> Result<u32> {
    let digits: String = version.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(major) => Ok(major),
        Err(_) => bail!("pg_config --version gave {version:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_is_read_from_all_kinds_of_versions() {
        assert_eq!(major("PostgreSQL 15.20 (Debian 15.20-0+deb12u1)").unwrap(), 15);
        assert_eq!(major("PostgreSQL 18beta1").unwrap(), 18);
        assert_eq!(major("PostgreSQL 16.14").unwrap(), 16);
        assert!(major("PostgreSQL").is_err());
    }

    #[test]
    fn a_program_is_looked_up_in_path() {
        assert!(absolute(Path::new("sh")).unwrap().is_absolute());
        assert!(absolute(Path::new("no_such_program_here")).is_err());
    }
}
