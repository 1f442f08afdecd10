//! What a cluster's tests do outside connections: PostgreSQL's client programs, single-user mode, files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::command;
use crate::database::SUPERUSER;

impl Cluster {
    /// A client program of the installation (`psql`, `pg_dump`, …), told how to reach this server.
    pub fn client(&self, program: &str) -> Command {
        let mut command = self.sandbox().program(program);
        command.arg("--host").arg(self.socket()).args(["--port", &self.port().to_string(), "--username", SUPERUSER]);
        command
    }

    /// Runs `sql`, a statement a line, in single-user mode and gives what the server printed. The server must be stopped.
    ///
    /// # Errors
    /// When the server does not run; a statement that fails is no error, its message is in what was printed.
    pub fn single_user(&self, database: &str, sql: &str) -> Result<String> {
        let mut postgres = self.sandbox().program("postgres");
        command::feed(postgres.arg("--single").arg("-D").arg(self.data()).arg(database), sql)
    }

    /// Writes a file into the cluster's directory, owned by the account, and gives its path.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_file(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf> {
        let path = self.directory().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        self.sandbox().account.own(&path)?;
        Ok(path)
    }
}
