//! What is measured, and between what.

/// A way in which a database can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// PostgreSQL without fdw_guard.
    Bare,
    /// Twenty rules on the mapping and twenty on the table.
    Twenty,
    /// The same and 980 more of each on other servers.
    Thousand,
    /// PostgreSQL without fdw_guard, the same twenty written as event triggers.
    Triggers,
}

impl Setup {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bare, Self::Twenty, Self::Thousand, Self::Triggers];

    /// The name of its database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Twenty => "twenty",
            Self::Thousand => "thousand",
            Self::Triggers => "triggers",
        }
    }

    /// The scripts of `benches/` that make it.
    pub fn scripts(self) -> &'static [&'static str] {
        match self {
            Self::Bare => &["objects.sql"],
            Self::Twenty => &["objects.sql", "rules.sql"],
            Self::Thousand => &["objects.sql", "rules.sql", "more_rules.sql"],
            Self::Triggers => &["objects.sql", "event_trigger.sql"],
        }
    }

    /// Whether its server has fdw_guard preloaded.
    pub fn is_guarded(self) -> bool {
        matches!(self, Self::Twenty | Self::Thousand)
    }

    /// Whether a bad change is refused.
    pub fn has_rules(self) -> bool {
        self != Self::Bare
    }
}

/// What a measure's number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The second side's cost in terms of the first's.
    Ratio,
    /// What the third side adds to the first, in terms of what the second adds.
    Added,
}

/// One line of the table.
#[derive(Debug)]
pub struct Measure {
    pub name: &'static str,
    /// Run one after the other, each in a transaction of its own; `{n}` is another number each time.
    pub statements: &'static [&'static str],
    pub sides: &'static [Setup],
    pub figure: Figure,
    /// What the figure should be: at most that for a ratio, at least that for what is added.
    pub aim: f64,
}

/// Every set of rules refuses these.
pub const BAD_CHANGES: [&str; 2] = [
    "ALTER USER MAPPING FOR CURRENT_USER SERVER bench OPTIONS (SET user 'postgres')",
    "ALTER FOREIGN TABLE bench_table OPTIONS (SET table_name 'secrets')",
];

const MAPPING: &[&str] = &["ALTER USER MAPPING FOR CURRENT_USER SERVER bench OPTIONS (SET user 'reader_{n}')"];
const TABLE: &[&str] = &["ALTER FOREIGN TABLE bench_table OPTIONS (SET table_name 'orders_{n}')"];

const fn ratio(name: &'static str, statements: &'static [&'static str], sides: &'static [Setup], aim: f64) -> Measure {
    Measure { name, statements, sides, figure: Figure::Ratio, aim }
}

const fn added(name: &'static str, statements: &'static [&'static str]) -> Measure {
    Measure { name, statements, sides: &[Setup::Bare, Setup::Twenty, Setup::Triggers], figure: Figure::Added, aim: 3.0 }
}

const LOADED: &[Setup] = &[Setup::Bare, Setup::Twenty];
const MANY_RULES: &[Setup] = &[Setup::Bare, Setup::Thousand];

/// Every measure. What runs through a guarded wrapper will stand here too.
pub const MEASURES: &[Measure] = &[
    ratio("BEGIN; COMMIT", &["BEGIN", "COMMIT"], LOADED, 1.01),
    ratio("SET", &["SET work_mem = '4MB'"], LOADED, 1.01),
    ratio("CREATE TEMP TABLE; DROP", &["CREATE TEMP TABLE made (a integer)", "DROP TABLE made"], LOADED, 1.01),
    ratio("pgbench -S", &["SELECT abalance FROM bench_accounts WHERE aid = {n}"], LOADED, 1.01),
    ratio("ALTER USER MAPPING, 20 rules", MAPPING, LOADED, 1.10),
    ratio("ALTER USER MAPPING, 20 of 1,000", MAPPING, MANY_RULES, 1.10),
    ratio("ALTER FOREIGN TABLE, 20 rules", TABLE, LOADED, 1.10),
    ratio("ALTER FOREIGN TABLE, 20 of 1,000", TABLE, MANY_RULES, 1.10),
    added("added to a mapping by plpgsql", MAPPING),
    added("added to a table by plpgsql", TABLE),
];
