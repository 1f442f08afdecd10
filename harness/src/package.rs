//! Building the extension and putting its files into an installation.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{run_visibly, succeeds};
use crate::installation::Installation;
use crate::{place, project};

/// What the extension is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Unoptimised, with the functions of schema `tests`.
    Test,
    /// Unoptimised.
    Demo,
    /// As it is shipped.
    Release,
}

/// The files of a built extension.
#[derive(Debug)]
pub struct Package {
    directory: PathBuf,
    built_for: Installation,
}

impl Package {
    /// Builds the extension for `installation`.
    ///
    /// # Errors
    /// When it does not build.
    pub fn build(installation: &Installation, purpose: Purpose) -> Result<Self> {
        let directory =
            project::root().join(format!("target/package/{purpose:?}-{}", installation.major).to_lowercase());
        ensure!(
            succeeds(Command::new("cargo").args(["pgrx", "--version"]))?,
            "cargo-pgrx is missing: run make prepare"
        );
        place::remove(&directory)?;
        run_visibly(
            Command::new("cargo")
                .args([
                    "pgrx",
                    "package",
                    "--no-default-features",
                    "--features",
                    &features(installation.major, purpose),
                ])
                .args((purpose != Purpose::Release).then_some("--debug"))
                .arg("--pg-config")
                .arg(&installation.pg_config)
                .arg("--out-dir")
                .arg(&directory)
                .current_dir(project::root()),
        )?;
        Ok(Self { directory, built_for: installation.clone() })
    }

    /// Puts the files into `installation`, each by a rename, so that a running server keeps the library it has.
    ///
    /// # Errors
    /// When the installation's directories cannot be written.
    pub fn install(&self, installation: &Installation) -> Result<()> {
        self.install_directory(&self.built_for.pkglibdir, &installation.pkglibdir, 0o755)?;
        self.install_directory(&self.built_for.extension_dir(), &installation.extension_dir(), 0o644)
    }

    fn install_directory(&self, built: &Path, to: &Path, mode: u32) -> Result<()> {
        let from = self.directory.join(built.strip_prefix("/").unwrap_or(built));
        let mut count = 0;
        for entry in fs::read_dir(&from).with_context(|| format!("the build has no {}", from.display()))? {
            install_file(&entry?.path(), to, mode)?;
            count += 1;
        }
        ensure!(count > 0, "the build has nothing in {}", from.display());
        Ok(())
    }
}

fn features(major: u32, purpose: Purpose) -> String {
    let tests = if purpose == Purpose::Test { " pg_test" } else { "" };
    format!("pg{major}{tests}")
}

fn install_file(from: &Path, directory: &Path, mode: u32) -> Result<()> {
    let name = from.file_name().with_context(|| format!("{} has no name", from.display()))?.to_string_lossy();
    let aside = directory.join(format!(".{name}.new"));
    let failed = || format!("cannot write to {} (root may have to do it)", directory.display());
    fs::copy(from, &aside).with_context(failed)?;
    fs::set_permissions(&aside, Permissions::from_mode(mode)).with_context(failed)?;
    fs::rename(&aside, directory.join(&*name)).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_builds_hold_the_test_functions() {
        assert_eq!(features(15, Purpose::Test), "pg15 pg_test");
        assert_eq!(features(18, Purpose::Release), "pg18");
    }

    #[test]
    fn installing_replaces_the_file_and_leaves_the_old_one_open() {
        let directory = std::env::temp_dir().join(format!("fdw_guard_package_{}", std::process::id()));
        fs::create_dir_all(directory.join("to")).unwrap();
        let (new, installed) = (directory.join("x.so"), directory.join("to/x.so"));
        fs::write(&new, "new").unwrap();
        fs::write(&installed, "old").unwrap();
        let mut running = fs::File::open(&installed).unwrap();
        install_file(&new, &directory.join("to"), 0o755).unwrap();
        let mut still = String::new();
        std::io::Read::read_to_string(&mut running, &mut still).unwrap();
        let now = fs::read_to_string(&installed).unwrap();
        let files = fs::read_dir(directory.join("to")).unwrap().count();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((still.as_str(), now.as_str(), files), ("old", "new", 1));
    }
}
