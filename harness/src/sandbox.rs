//! A private installation, the account that runs it and the place where its clusters live.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::account::Account;
use crate::command;
use crate::installation::Installation;
use crate::mirror::Mirror;
use crate::place::Place;

/// Everything that a cluster needs to run.
#[derive(Debug)]
pub struct Sandbox {
    /// Who runs PostgreSQL.
    pub account: Account,
    /// Where files go.
    pub place: Place,
    /// The private installation.
    pub mirror: Mirror,
    /// The installation that it was copied from.
    pub original: Installation,
    crashes: Mutex<Vec<String>>,
}

impl Sandbox {
    /// Prepares a private copy of `original` in the directory `wanted`.
    ///
    /// # Errors
    /// When the copy cannot be made, or its programs do not run.
    pub fn open(original: Installation, wanted: &Path) -> Result<Arc<Self>> {
        let account = Account::choose()?;
        let place = Place::choose(wanted, &account)?;
        let mirror = Mirror::of(&original, &place.directory("pg")?.join(original.major.to_string()))?;
        let sandbox = Self { account, place, mirror, original, crashes: Mutex::default() };
        command::run(sandbox.program("postgres").arg("--version"))
            .context("the account that runs PostgreSQL cannot run this installation")?;
        Ok(Arc::new(sandbox))
    }

    /// A command that runs a program of the private installation as the account.
    pub fn program(&self, name: &str) -> Command {
        self.command(&self.mirror.installation.bindir.join(name))
    }

    /// A command that runs any program with the private installation's libraries, as the account.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.account.command(program);
        if let Some(path) = joined(&self.mirror.library_path) {
            command.env("LD_LIBRARY_PATH", path);
        }
        command
    }

    /// The directory of the cluster called `name`.
    pub fn cluster_directory(&self, name: &str) -> PathBuf {
        self.place.root.join(format!("{name}-{}", self.mirror.installation.major))
    }

    /// Notes that a server of this sandbox crashed.
    pub fn note_crash(&self, what: String) {
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// What was noted since the last call.
    pub fn take_crashes(&self) -> Vec<String> {
        std::mem::take(&mut self.crashes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The private installation's library path with another directory behind it.
    pub fn library_path_and(&self, directory: &Path) -> Option<OsString> {
        let mut path = self.mirror.library_path.clone();
        path.push(directory.to_owned());
        joined(&path)
    }
}

fn joined(path: &[PathBuf]) -> Option<OsString> {
    (!path.is_empty()).then(|| std::env::join_paths(path).ok()).flatten()
}
