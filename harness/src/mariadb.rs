//! A private MariaDB, for a wrapper that reaches one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cluster::{free_port, wait_until};
use crate::sandbox::Sandbox;
use crate::{command, place};

/// Starts the program and ends it when standard input ends, so that it does not outlive us however we end.
const KEEPER: &str = r#""$0" "$@" & read -r _; kill -KILL $!; wait $!"#;

/// Small, and without what a container may forbid.
const OPTIONS: [&str; 4] =
    ["--no-defaults", "--innodb-buffer-pool-size=8M", "--innodb-use-native-aio=0", "--bind-address=127.0.0.1"];

/// A running MariaDB that listens at a port of 127.0.0.1. It is ended, and its data removed, when it is dropped.
#[derive(Debug)]
pub struct MariaDb {
    keeper: Child,
    data: PathBuf,
    /// The port.
    pub port: u16,
}

/// Where `scripts/get-mysql-fdw.sh` puts the programs.
pub fn programs(sandbox: &Sandbox) -> PathBuf {
    sandbox.mirror.root.join("mariadb")
}

impl MariaDb {
    /// Starts a new one in the empty directory `directory`, which runs `sql`, a statement a line.
    ///
    /// # Errors
    /// When it does not start; the error holds the end of its log.
    pub fn start(sandbox: &Sandbox, directory: &Path, sql: &str) -> Result<Self> {
        let data = directory.join("data");
        place::fresh_directory(directory, &sandbox.account)?;
        place::fresh_directory(&data, &sandbox.account)?;
        bootstrap(sandbox, directory)?;
        let (port, log, init) = (free_port()?, directory.join("log"), directory.join("init.sql"));
        fs::write(&init, sql)?;
        sandbox.account.own(&init)?;
        let mut command = sandbox.account.command(Path::new("/bin/sh"));
        command.arg("-c").arg(KEEPER).arg(programs(sandbox).join("mariadbd"));
        complete(&mut command, sandbox, directory);
        command.arg(format!("--port={port}")).arg(argument("--socket=", &directory.join("socket")));
        command.arg(argument("--init-file=", &init));
        let output = File::create(&log)?;
        command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let started = Self { keeper: command.spawn().context("cannot run /bin/sh")?, data, port };
        wait_until("start MariaDB", || {
            ["ready for connections", "Aborting"].iter().any(|end| read(&log).contains(end))
        })?;
        ensure!(read(&log).contains("ready for connections"), "MariaDB: {}", command::last_lines(&read(&log), 20));
        Ok(started)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait().map_err(Into::into).and_then(|_| place::remove(&self.data)) {
            eprintln!("cannot end MariaDB: {error:#}");
        }
    }
}

/// Makes the system's tables, as mariadb-install-db does.
fn bootstrap(sandbox: &Sandbox, directory: &Path) -> Result<()> {
    let programs = programs(sandbox);
    let mut script = "CREATE DATABASE mysql;\nUSE mysql;\n".to_owned();
    for file in ["mysql_system_tables.sql", "mysql_system_tables_data.sql"] {
        let path = programs.join(file);
        script += &fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let mut command = sandbox.account.command(&programs.join("mariadbd"));
    complete(&mut command, sandbox, directory);
    command::feed(command.arg("--bootstrap"), &script).map(drop)
}

fn complete(command: &mut Command, sandbox: &Sandbox, directory: &Path) {
    let programs = programs(sandbox);
    command.env("LD_LIBRARY_PATH", programs.join("lib")).args(OPTIONS);
    command.arg(argument("--datadir=", &directory.join("data"))).arg(argument("--plugin-dir=", directory));
    command.arg(argument("--lc-messages-dir=", &programs));
    command.arg(argument("--character-sets-dir=", &programs.join("charsets")));
}

fn argument(option: &str, path: &Path) -> String {
    format!("{option}{}", path.display())
}

fn read(log: &Path) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
