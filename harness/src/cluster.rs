//! A private database cluster.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::database::{Database, SUPERUSER};
use crate::place;
use crate::sandbox::Sandbox;
use crate::settings::{Settings, line};

/// How long a server may take to start, stop, reload or recover.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is right for a cluster that lives for minutes: quick rather than durable, and messages that tests can read.
const DEFAULTS: [(&str, &str); 10] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_wal_size", "256MB"),
    ("shared_buffers", "32MB"),
    ("max_connections", "40"),
    ("max_prepared_transactions", "10"),
    ("lc_messages", "C"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("logging_collector", "off"),
    ("log_checkpoints", "off"),
];

const ACCESS: &str = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A running server with its own data directory and socket. It is stopped and removed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    sandbox: Arc<Sandbox>,
    directory: PathBuf,
    socket: PathBuf,
    port: u16,
    environment: Vec<(&'static str, OsString)>,
    kept: bool,
}

impl Cluster {
    /// Makes and starts a cluster called `name`; one of that name left over from an earlier run is ended first.
    ///
    /// # Errors
    /// When the server does not start; the error holds the end of its log.
    pub fn start(sandbox: &Arc<Sandbox>, name: &str, settings: &Settings) -> Result<Self> {
        let cluster = Self::prepare(sandbox, name, settings)?;
        cluster.initialise()?;
        cluster.configure(settings)?;
        cluster.launch()?;
        Ok(cluster)
    }

    /// A streaming standby of this cluster.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn standby(&self, name: &str, settings: &Settings) -> Result<Self> {
        let standby = Self::prepare(&self.sandbox, name, settings)?;
        let mut backup = self.sandbox.program("pg_basebackup");
        backup.args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--username=postgres", "--pgdata"]);
        backup.arg(standby.data()).arg("--host").arg(&self.socket).args(["--port", &self.port.to_string()]);
        command::run(&mut backup)?;
        standby.configure(settings)?;
        standby.launch()?;
        Ok(standby)
    }

    /// Makes a standby a server of its own.
    ///
    /// # Errors
    /// When it does not become one.
    pub fn promote(&self) -> Result<()> {
        command::run(&mut self.pg_ctl("promote")).map(drop)
    }

    fn prepare(sandbox: &Arc<Sandbox>, name: &str, settings: &Settings) -> Result<Self> {
        let directory = sandbox.cluster_directory(name);
        end_leftover(sandbox, &directory)?;
        place::fresh_directory(&directory, &sandbox.account)?;
        let socket = place::socket_directory(directory.join("socket"), &sandbox.account)?;
        let port = if settings.loopback { free_port()? } else { 5432 };
        let environment = environment(sandbox, settings, &socket);
        Ok(Self { sandbox: Arc::clone(sandbox), directory, socket, port, environment, kept: false })
    }

    /// Another cluster beside this one, of the same installation.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn another(&self, name: &str, settings: &Settings) -> Result<Self> {
        Self::start(&self.sandbox, name, settings)
    }

    /// The private installation and account that this cluster runs with.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// The directory of its Unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The port, of the socket as of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A directory of the account's own, for files that tests or servers write; removed with the cluster.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the data are.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// An empty database called `name`.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn database(&self, name: &str) -> Result<Database<'_>> {
        Database::create(self, name)
    }

    /// An empty database called `name`, with the extension in it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn guarded_database(&self, name: &str) -> Result<Database<'_>> {
        let database = self.database(name)?;
        database.execute("CREATE EXTENSION fdw_guard CASCADE")?;
        Ok(database)
    }

    /// Everything the server has logged since the cluster was made.
    pub fn log_text(&self) -> String {
        fs::read(self.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What the server has logged, which is removed from the disk.
    ///
    /// # Errors
    /// When it cannot be read or removed.
    pub fn take_log(&self) -> Result<String> {
        let text = self.log_text();
        fs::OpenOptions::new().write(true).truncate(true).open(self.log())?;
        Ok(text)
    }

    /// Stops and starts the server; open connections break.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&self) -> Result<()> {
        self.stop("immediate")?;
        self.launch()
    }

    /// Ends the server in one of pg_ctl's modes.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self, mode: &str) -> Result<()> {
        command::run(self.pg_ctl("stop").args(["-m", mode])).map(drop)
    }

    /// Starts the server, which must be stopped.
    ///
    /// # Errors
    /// When it does not start; the error holds the end of its log.
    pub fn launch(&self) -> Result<()> {
        self.launch_with(&[])
    }

    /// Starts the server, which must be stopped, by another program than its own, to which all arguments are given.
    ///
    /// # Errors
    /// When it does not start; the error holds the end of its log.
    pub fn launch_by(&self, program: &Path) -> Result<()> {
        self.launch_with(&["-p".as_ref(), program.as_os_str()])
    }

    fn launch_with(&self, arguments: &[&OsStr]) -> Result<()> {
        command::run(
            self.pg_ctl("start").envs(self.environment.iter().cloned()).arg("-l").arg(self.log()).args(arguments),
        )
        .map(drop)
        .with_context(|| format!("the server does not start:\n{}", command::last_lines(&self.log_text(), 20)))
    }

    /// Adds a line to postgresql.conf; it counts from the next reload or restart.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        self.append("postgresql.conf", &line(name, value))
    }

    /// Has the server read its configuration again, and waits until new connections see it.
    ///
    /// # Errors
    /// When the server does not say in its log that it has.
    pub fn reload(&self) -> Result<()> {
        let before = self.reloads();
        command::run(&mut self.pg_ctl("reload"))?;
        wait_until("reload its configuration", || self.reloads() > before)
    }

    /// What shows in the log that the server, or one of its processes, crashed.
    pub fn crashes(&self) -> Vec<String> {
        let log = self.log_text();
        log.lines().filter(|line| is_crash(line)).map(str::to_owned).collect()
    }

    /// Leaves the server running, and its files, when this value is dropped.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Ends the server for good and notes crashes with the sandbox. Its log stays, and the data of a server that crashed.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(&self) -> Result<()> {
        let crashes = self.crashes();
        end_leftover(&self.sandbox, &self.directory)?;
        if crashes.is_empty() {
            place::remove(&self.data())?;
        }
        for crash in crashes {
            self.sandbox.note_crash(format!("{}: {crash}", self.directory.display()));
        }
        if !self.socket.starts_with(&self.directory) {
            place::remove(&self.socket)?;
        }
        Ok(())
    }

    fn initialise(&self) -> Result<()> {
        let mut initdb = self.sandbox.program("initdb");
        initdb.args(["--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--pgdata"]);
        command::run(initdb.arg(self.data())).map(drop)
    }

    fn configure(&self, settings: &Settings) -> Result<()> {
        let address = if settings.loopback { "127.0.0.1" } else { "" };
        let defaults: String = DEFAULTS.iter().map(|(name, value)| line(name, value)).collect();
        let own = line("listen_addresses", address)
            + &line("port", &self.port.to_string())
            + &line("unix_socket_directories", &self.socket.to_string_lossy());
        self.append("postgresql.conf", &(defaults + &own + &settings.lines()))?;
        fs::write(self.data().join("pg_hba.conf"), ACCESS).context("cannot write pg_hba.conf")
    }

    fn append(&self, file: &str, text: &str) -> Result<()> {
        let path = self.data().join(file);
        let old = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, format!("{old}\n{text}")).with_context(|| format!("cannot write {}", path.display()))
    }

    fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    fn reloads(&self) -> usize {
        self.log_text().matches("received SIGHUP, reloading configuration files").count()
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut pg_ctl = self.sandbox.program("pg_ctl");
        pg_ctl
            .arg(action)
            .args(["--silent", "--timeout", &PATIENCE.as_secs().to_string(), "--pgdata"])
            .arg(self.data());
        pg_ctl
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = self.end() {
            eprintln!("cannot end the cluster in {}: {error:#}", self.directory.display());
        }
    }
}

/// Ends the server in `directory` if one runs. The files stay, so that a log can be read after a failure.
///
/// # Errors
/// When it does not end.
pub fn end_leftover(sandbox: &Sandbox, directory: &Path) -> Result<()> {
    let data = directory.join("data");
    if data.join("postmaster.pid").exists() && is_running(sandbox, &data)? {
        command::run(sandbox.program("pg_ctl").args(["stop", "--silent", "-m", "immediate", "--pgdata"]).arg(&data))?;
    }
    Ok(())
}

fn is_running(sandbox: &Sandbox, data: &Path) -> Result<bool> {
    command::succeeds(sandbox.program("pg_ctl").args(["status", "--silent", "--pgdata"]).arg(data))
}

/// What the server's environment holds beyond what every program of the sandbox gets.
fn environment(sandbox: &Sandbox, settings: &Settings, socket: &Path) -> Vec<(&'static str, OsString)> {
    let mut environment = Vec::new();
    if settings.reaches_itself {
        environment.extend([("PGHOST", socket.into()), ("PGUSER", SUPERUSER.into())]);
    }
    if let Some(directory) = &settings.libraries {
        environment.extend(sandbox.library_path_and(directory).map(|path| ("LD_LIBRARY_PATH", path)));
    }
    environment
}

/// A port that nobody listens at now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port of 127.0.0.1 can be had")?;
    Ok(listener.local_addr()?.port())
}

fn is_crash(line: &str) -> bool {
    line.contains("was terminated by signal") || line.contains("PANIC:")
}

/// Waits until `condition` holds.
///
/// # Errors
/// When it does not hold in time; `what` says what the server did not do.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if condition() {
            return Ok(());
        }
        sleep(Duration::from_millis(10));
    }
    bail!("the server did not {what} within {} s", PATIENCE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_are_told_from_other_lines() {
        assert!(is_crash("LOG:  server process (PID 7) was terminated by signal 11: Segmentation fault"));
        assert!(is_crash("[7] PANIC:  stuck spinlock"));
        assert!(!is_crash("LOG:  received immediate shutdown request"));
        assert!(!is_crash("FATAL:  terminating connection due to administrator command"));
    }
}
