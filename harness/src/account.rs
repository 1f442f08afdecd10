//! The account that PostgreSQL runs as: PostgreSQL refuses to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// An operating system account, and whether we must change to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its user id.
    pub uid: u32,
    gid: u32,
    foreign: bool,
}

impl Account {
    /// Our own account, or for root the account `postgres`, or failing that `nobody`.
    ///
    /// # Errors
    /// When we are root and neither exists.
    pub fn choose() -> Result<Self> {
        let uid = id("-u", None)?;
        if uid != 0 {
            return Ok(Self { uid, gid: id("-g", None)?, foreign: false });
        }
        Self::named("postgres")
            .or_else(|_| Self::named("nobody"))
            .context("root needs an unprivileged account to run PostgreSQL: run `useradd --system postgres`")
    }

    fn named(name: &str) -> Result<Self> {
        Ok(Self { uid: id("-u", Some(name))?, gid: id("-g", Some(name))?, foreign: true })
    }

    /// A command that runs as this account, in a neutral environment: no setting of the user's own libpq or psql counts.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // With it set, a panic's report would differ from what users see.
        command.env_remove("RUST_BACKTRACE");
        command.env("LC_ALL", "C").env("HOME", "/").current_dir("/");
        if self.foreign {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives `path` to this account.
    ///
    /// # Errors
    /// When the file system does not allow it.
    pub fn own(&self, path: &Path) -> Result<()> {
        if self.foreign {
            chown(path, Some(self.uid), Some(self.gid))
                .with_context(|| format!("cannot hand over {}", path.display()))?;
        }
        Ok(())
    }

    /// Whether this account can reach the directory `path`.
    ///
    /// # Errors
    /// When the check itself cannot be run.
    pub fn reaches(&self, path: &Path) -> Result<bool> {
        command::succeeds(self.command(Path::new("/bin/sh")).args(["-c", "test -x \"$0\""]).arg(path))
    }
}

fn id(what: &str, name: Option<&str>) -> Result<u32> {
    let number = command::run(Command::new("id").arg(what).args(name))?;
    number.trim().parse().with_context(|| format!("id {what} gave {number:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_not_see_libpq_settings() {
        let account = Account { uid: 1, gid: 1, foreign: false };
        let command = account.command(Path::new("true"));
        assert!(command.get_envs().any(|(name, value)| name == "LC_ALL" && value.is_some()));
        assert!(command.get_envs().all(|(name, value)| !name.to_string_lossy().starts_with("PG") || value.is_none()));
    }

    #[test]
    fn an_unknown_account_is_an_error() {
        assert!(Account::named("no_such_account_here").is_err());
    }
}
