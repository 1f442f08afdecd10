//! The settings of a cluster.

use std::path::{Path, PathBuf};

/// What a cluster's configuration file says beyond our defaults.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    parameters: Vec<(String, String)>,
    /// Whether the server listens on 127.0.0.1, with passwords checked by scram-sha-256.
    pub loopback: bool,
    /// Whether libpq within the server reaches the server itself where nothing names another.
    pub reaches_itself: bool,
    /// A directory in which the server finds libraries that others of its libraries load.
    pub libraries: Option<PathBuf>,
}

impl Settings {
    /// PostgreSQL as it comes, without fdw_guard.
    pub fn plain() -> Self {
        Self::default()
    }

    /// fdw_guard in `shared_preload_libraries`.
    pub fn preloaded() -> Self {
        Self::plain().with("shared_preload_libraries", "fdw_guard")
    }

    /// Adds a parameter; a later one of the same name wins.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has the server listen on 127.0.0.1 as well, at a port of its own choice.
    #[must_use]
    pub fn loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Has libpq within the server reach the server itself where nothing names another, as the suite of postgres_fdw
    /// wants it.
    #[must_use]
    pub fn reaching_itself(mut self) -> Self {
        self.reaches_itself = true;
        self
    }

    /// Has the server find libraries that others of its libraries load in `directory` too.
    #[must_use]
    pub fn libraries(mut self, directory: &Path) -> Self {
        self.libraries = Some(directory.to_owned());
        self
    }

    /// As lines of postgresql.conf.
    pub fn lines(&self) -> String {
        self.parameters.iter().map(|(name, value)| line(name, value)).collect()
    }
}

/// One line of postgresql.conf.
pub fn line(name: &str, value: &str) -> String {
    let quoted = value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n");
    format!("{name} = '{quoted}'\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_the_configuration_file_reads_them() {
        assert_eq!(line("a.b", "it's \\ here"), "a.b = 'it''s \\\\ here'\n");
        assert_eq!(Settings::plain().with("a", "1").with("a", "2").lines(), "a = '1'\na = '2'\n");
    }
}
