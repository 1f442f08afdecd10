//! Where the suites come from: Debian's source package of PostgreSQL.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::installation::Installation;
use crate::project;

/// The major of which no release of Debian has a source.
const NOT_IN_DEBIAN: u32 = 16;

/// The exit status of the script when the mirror has not got what its lists name.
const NOT_ON_MIRROR: i32 = 3;

/// The suites for an installation, or why there is nowhere to get them.
pub enum Suites {
    Folder(PathBuf),
    Missing(String),
}

/// Looks for them below `target`, where they are kept, and else fetches them.
///
/// # Errors
/// When they cannot be fetched.
pub fn get(installation: &Installation) -> Result<Suites> {
    let folder = project::root().join("target/suites").join(installation.number());
    if folder.join("version").exists() {
        return Ok(Suites::Folder(folder));
    }
    let major = installation.major;
    if major == NOT_IN_DEBIAN {
        return Ok(Suites::Missing(format!("no release of Debian has the source of PostgreSQL {major}")));
    }
    let script = project::root().join("scripts/get-suites.sh");
    let mut script = Command::new(script);
    let status = script.arg(installation.number()).arg(&folder).stdin(Stdio::null()).status();
    let status = status.context("the suites cannot be fetched")?;
    if status.code() == Some(NOT_ON_MIRROR) {
        return Ok(Suites::Missing(format!("the mirror of Debian has no source of PostgreSQL {major} at present")));
    }
    ensure!(status.success(), "the suites cannot be fetched: {status}");
    Ok(Suites::Folder(folder))
}
