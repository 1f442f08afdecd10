//! What is measured, and between what.

/// A way in which a database can be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// PostgreSQL without fdw_guard.
    Bare,
    /// Twenty rules on the mapping and twenty on the table, and no history.
    Twenty,
    /// The same, and every change is recorded.
    Recorded,
    /// The same and 980 more of each on other servers.
    Thousand,
    /// PostgreSQL without fdw_guard, with many more relations.
    Large,
    /// The same with the twenty rules on each.
    LargeTwenty,
    /// PostgreSQL without fdw_guard, the same twenty written as event triggers.
    Triggers,
    /// PostgreSQL without fdw_guard, with tables on the wrappers themselves.
    Delegates,
    /// The same tables on guarded wrappers.
    Wrappers,
}

impl Setup {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Bare,
        Self::Twenty,
        Self::Recorded,
        Self::Thousand,
        Self::Large,
        Self::LargeTwenty,
        Self::Triggers,
        Self::Delegates,
        Self::Wrappers,
    ];

    /// The name of its database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Twenty => "twenty",
            Self::Recorded => "recorded",
            Self::Thousand => "thousand",
            Self::Large => "large",
            Self::LargeTwenty => "large_twenty",
            Self::Triggers => "triggers",
            Self::Delegates => "delegates",
            Self::Wrappers => "wrappers",
        }
    }

    /// The scripts of `benches/` that make it.
    pub fn scripts(self) -> &'static [&'static str] {
        match self {
            Self::Bare => &["objects.sql"],
            Self::Twenty => &["objects.sql", "rules.sql", "no_history.sql"],
            Self::Recorded => &["objects.sql", "rules.sql"],
            Self::Thousand => &["objects.sql", "rules.sql", "more_rules.sql", "no_history.sql"],
            Self::Large => &["objects.sql", "large.sql"],
            Self::LargeTwenty => &["objects.sql", "large.sql", "rules.sql", "no_history.sql"],
            Self::Triggers => &["objects.sql", "event_trigger.sql"],
            Self::Delegates => &["delegates.sql", "far_and_files.sql"],
            Self::Wrappers => &["guarded_wrappers.sql", "far_and_files.sql"],
        }
    }

    /// Whether its sessions have fdw_guard preloaded.
    pub fn is_guarded(self) -> bool {
        matches!(self, Self::Twenty | Self::Recorded | Self::Thousand | Self::LargeTwenty | Self::Wrappers)
    }

    /// What shows that it is what it should be: a rule that does not hold would be a fast one, and so would be a scan
    /// of nothing.
    pub fn checks(self) -> Vec<Check> {
        match self {
            Self::Bare | Self::Large => BAD_CHANGES.map(Check::Taken).into(),
            Self::Twenty | Self::Recorded | Self::Thousand | Self::LargeTwenty | Self::Triggers => {
                BAD_CHANGES.map(Check::Refused).into()
            }
            Self::Delegates | Self::Wrappers => [FILE_SCAN, FAR_SCAN].map(|scan| Check::Counts(scan, ROWS)).into(),
        }
    }
}

/// What a statement should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Taken(&'static str),
    Refused(&'static str),
    /// Its answer is that number.
    Counts(&'static str, i64),
}

/// How long the rounds of a measure are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Many short statements.
    Short,
    /// One statement that is long by itself.
    Long,
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
    pub length: Length,
    /// What the figure should be: at most that for a ratio, at least that for what is added.
    pub aim: f64,
}

/// Every set of rules refuses these.
const BAD_CHANGES: [&str; 2] = [
    "ALTER USER MAPPING FOR CURRENT_USER SERVER bench OPTIONS (SET user 'postgres')",
    "ALTER FOREIGN TABLE bench_table OPTIONS (SET table_name 'secrets')",
];

const MAPPING: &[&str] = &["ALTER USER MAPPING FOR CURRENT_USER SERVER bench OPTIONS (SET user 'reader_{n}')"];
const TABLE: &[&str] = &["ALTER FOREIGN TABLE bench_table OPTIONS (SET table_name 'orders_{n}')"];

/// What is undone can be done again.
const DROP_PLAIN: &str = "BEGIN; DROP SCHEMA plain CASCADE; ROLLBACK";
const ALTER_PARENT: &str = "BEGIN; ALTER TABLE parent ADD COLUMN country text; ROLLBACK";

/// Rows that a scan reads.
const ROWS: i64 = 1_000_000;

// Each condition is for the scan's own side to check, so that every row is fetched.
const FILE_SCAN: &str = "SELECT count(id) FROM file_rows WHERE random() >= 0";
const FAR_SCAN: &str = "SELECT count(id) FROM far_rows WHERE random() >= 0";
const INSERT: &str = "INSERT INTO far_inserted SELECT id, 'note ' || id FROM generate_series(1, 10000) id";

const fn ratio(name: &'static str, statements: &'static [&'static str], sides: &'static [Setup], aim: f64) -> Measure {
    Measure { name, statements, sides, figure: Figure::Ratio, length: Length::Short, aim }
}

const fn added(name: &'static str, statements: &'static [&'static str]) -> Measure {
    let sides = &[Setup::Bare, Setup::Twenty, Setup::Triggers];
    Measure { name, statements, sides, figure: Figure::Added, length: Length::Short, aim: 3.0 }
}

const fn guarded(name: &'static str, statements: &'static [&'static str]) -> Measure {
    let sides = &[Setup::Delegates, Setup::Wrappers];
    Measure { name, statements, sides, figure: Figure::Ratio, length: Length::Long, aim: 1.01 }
}

const fn over_many(name: &'static str, statements: &'static [&'static str], aim: f64) -> Measure {
    let sides = &[Setup::Large, Setup::LargeTwenty];
    Measure { name, statements, sides, figure: Figure::Ratio, length: Length::Long, aim }
}

const LOADED: &[Setup] = &[Setup::Bare, Setup::Twenty];
const RECORDED: &[Setup] = &[Setup::Bare, Setup::Recorded];
const MANY_RULES: &[Setup] = &[Setup::Bare, Setup::Thousand];

/// Every measure.
pub const MEASURES: &[Measure] = &[
    ratio("BEGIN; COMMIT", &["BEGIN", "COMMIT"], LOADED, 1.01),
    ratio("SET", &["SET work_mem = '4MB'"], LOADED, 1.01),
    ratio("CREATE TEMP TABLE; DROP", &["CREATE TEMP TABLE made (a integer)", "DROP TABLE made"], LOADED, 1.01),
    ratio("pgbench -S", &["SELECT abalance FROM bench_accounts WHERE aid = {n}"], LOADED, 1.01),
    ratio("ALTER USER MAPPING, 20 rules", MAPPING, LOADED, 1.10),
    ratio("ALTER USER MAPPING, 20 of 1,000", MAPPING, MANY_RULES, 1.10),
    ratio("ALTER USER MAPPING, 20, history", MAPPING, RECORDED, 1.30),
    ratio("ALTER FOREIGN TABLE, 20 rules", TABLE, LOADED, 1.10),
    ratio("ALTER FOREIGN TABLE, 20, history", TABLE, RECORDED, 1.30),
    ratio("ALTER FOREIGN TABLE, 20 of 1,000", TABLE, MANY_RULES, 1.10),
    added("added to a mapping by plpgsql", MAPPING),
    added("added to a table by plpgsql", TABLE),
    over_many("DROP SCHEMA, 10,000 plain tables", &[DROP_PLAIN], 1.02),
    over_many("ALTER TABLE, 1,000 partitions", &[ALTER_PARENT], 1.30),
    guarded("scan of 1,000,000, file_fdw", &[FILE_SCAN]),
    guarded("scan of 1,000,000, postgres_fdw", &[FAR_SCAN]),
    guarded("insert of 10,000, postgres_fdw", &[INSERT]),
];

/// What is measured by the clock too, where commits are durable.
pub const DURABLE: &[Measure] = &[
    ratio("ALTER USER MAPPING, 20 rules", MAPPING, LOADED, 1.10),
    ratio("ALTER USER MAPPING, 20 of 1,000", MAPPING, MANY_RULES, 1.10),
    ratio("ALTER USER MAPPING, 20, history", MAPPING, RECORDED, 1.30),
    ratio("ALTER FOREIGN TABLE, 20 rules", TABLE, LOADED, 1.10),
    ratio("ALTER FOREIGN TABLE, 20 of 1,000", TABLE, MANY_RULES, 1.10),
    ratio("ALTER FOREIGN TABLE, 20, history", TABLE, RECORDED, 1.30),
];
