//! How a suite is told over a guarded wrapper: what its statements become, and what is expected then.

use anyhow::Result;

use super::patch;

/// PostgreSQL's suite of one wrapper.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// The wrapper, its extension and its folder, which all have the same name.
    pub wrapper: &'static str,
    /// A guarded wrapper in front of it.
    pub guarded: &'static str,
    /// The statement that makes the guarded wrapper, where `CREATE EXTENSION fdw_guard` has not made it.
    making: Option<&'static str>,
}

/// The suites there are.
pub const SUITES: [Suite; 2] = [
    Suite { wrapper: "postgres_fdw", guarded: "guarded_postgres_fdw", making: None },
    Suite {
        wrapper: "file_fdw",
        guarded: "guarded_file_fdw",
        making: Some("SELECT fdw_guard.create_wrapper('guarded_file_fdw', 'file_fdw')"),
    },
];

/// How a suite is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it comes.
    Plain,
    /// With the name of the guarded wrapper wherever a statement names the foreign-data wrapper.
    Named,
    /// As it comes, its wrapper guarded in place once the suite has created it.
    InPlace,
}

impl Suite {
    /// The statements of a file of the suite, as they are told.
    pub fn told(&self, way: Way, sql: &str) -> String {
        let renamed = match way {
            Way::Named => self.renamed(sql),
            Way::Plain | Way::InPlace => sql.to_owned(),
        };
        self.guarded_by_line(way, &renamed)
    }

    /// What is expected then, by PostgreSQL's expected file and, under another name, our patch of it.
    ///
    /// # Errors
    /// When the patch does not fit.
    pub fn expected(&self, way: Way, expected: &str, patch: Option<&str>) -> Result<String> {
        let patched = match (way, patch) {
            (Way::Named, Some(patch)) => patch::apply(expected, patch)?,
            _ => expected.to_owned(),
        };
        Ok(self.guarded_by_line(way, &patched))
    }

    /// The statement that guards the wrapper, or makes the guarded one.
    pub fn guarding(&self, way: Way) -> Option<String> {
        match way {
            Way::Plain => None,
            Way::Named => self.making.map(str::to_owned),
            Way::InPlace => Some(format!("SELECT fdw_guard.guard_wrapper('{}')", self.wrapper)),
        }
    }

    /// The wrapper's other name behind the words after which PostgreSQL looks for a wrapper.
    fn renamed(&self, sql: &str) -> String {
        let (words, other) = (format!("FOREIGN DATA WRAPPER {}", self.wrapper), self.guarded);
        let mut parts = sql.split(&words);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let longer = part.starts_with(|next: char| next.is_alphanumeric() || next == '_');
            if longer { text + &words + part } else { text + "FOREIGN DATA WRAPPER " + other + part }
        })
    }

    /// The guarding statement follows where the suite creates its extension. psql shows it as it stands, and with
    /// `\gset` nothing of its result, so that it is the same line in the file that is told and in what is expected.
    fn guarded_by_line(&self, way: Way, text: &str) -> String {
        let Some(guarding) = self.guarding(way) else { return text.to_owned() };
        let created = format!("\nCREATE EXTENSION {};\n", self.wrapper);
        text.replacen(&created, &format!("{created}{guarding} \\gset\n"), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "--\nCREATE EXTENSION file_fdw;\nCREATE SERVER a FOREIGN DATA WRAPPER file_fdw;\n\
                       CREATE FOREIGN DATA WRAPPER file_fdw2 HANDLER file_fdw_handler;\n";

    fn files() -> Suite {
        SUITES[1]
    }

    #[test]
    fn the_plain_way_changes_nothing() {
        assert_eq!(files().told(Way::Plain, SQL), SQL);
        assert_eq!(files().expected(Way::Plain, SQL, Some("no patch")).unwrap(), SQL);
    }

    #[test]
    fn only_the_whole_name_is_replaced() {
        let told = files().told(Way::Named, SQL);
        assert!(told.contains("CREATE SERVER a FOREIGN DATA WRAPPER guarded_file_fdw;"));
        assert!(told.contains("CREATE FOREIGN DATA WRAPPER file_fdw2 HANDLER file_fdw_handler;"));
    }

    #[test]
    fn the_guarding_line_is_told_and_expected() {
        let line = "CREATE EXTENSION file_fdw;\nSELECT fdw_guard.guard_wrapper('file_fdw') \\gset\n";
        assert!(files().told(Way::InPlace, SQL).contains(line));
        assert_eq!(files().expected(Way::InPlace, SQL, None).unwrap(), files().told(Way::InPlace, SQL));
    }
}
