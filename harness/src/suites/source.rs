//! Where the suites come from: Debian's source package of PostgreSQL.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::installation::Installation;
use crate::{command, project};

/// The major of which no release of Debian has a source.
const NOT_IN_DEBIAN: u32 = 16;

/// The folder with the suites for an installation; nothing if there is nowhere to get them. They are fetched once, and
/// kept below `target`.
///
/// # Errors
/// When they cannot be fetched.
pub fn get(installation: &Installation) -> Result<Option<PathBuf>> {
    let folder = project::root().join("target/suites").join(installation.number());
    if folder.join("version").exists() {
        return Ok(Some(folder));
    }
    if installation.major == NOT_IN_DEBIAN {
        return Ok(None);
    }
    let script = project::root().join("scripts/get-suites.sh");
    command::run_visibly(Command::new(script).arg(installation.number()).arg(&folder))
        .context("the suites cannot be fetched")?;
    Ok(Some(folder))
}
