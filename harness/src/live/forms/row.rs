//! What a row of the table says.

/// A type of object, in PostgreSQL's words.
pub type ObjectType = &'static str;

pub const WRAPPER: ObjectType = "foreign-data wrapper";
pub const SERVER: ObjectType = "server";
pub const USER_MAPPING: ObjectType = "user mapping";
pub const TABLE: ObjectType = "foreign table";
pub const COLUMN: ObjectType = "foreign table column";

/// In the order in which they stand on each other.
pub const OBJECT_TYPES: [ObjectType; 5] = [WRAPPER, SERVER, USER_MAPPING, TABLE, COLUMN];

/// The first version that is tested.
const FIRST_MAJOR: u32 = 15;

/// A form of a type of object, and every way to it.
#[derive(Debug, Clone)]
pub struct Row {
    pub object_type: ObjectType,
    pub form: &'static str,
    /// The first is as the reference page writes it.
    pub ways: Vec<Way>,
    /// Patterns that find the object of the first way, each alone: a field of the rule, and the pattern.
    pub patterns: Vec<(&'static str, &'static str)>,
    /// Statements that look like the form and are not.
    pub lookalikes: Vec<Way>,
    /// Of the patterns, the one that no longer finds the object once the first way has been gone.
    pub left: Option<(&'static str, &'static str)>,
}

/// A way to a form: a statement, and what must be there for it.
#[derive(Debug, Clone)]
pub struct Way {
    pub before: String,
    pub statement: String,
    /// The name of the object that the form is done to; of a user mapping its role.
    pub name: &'static str,
    /// The column, where rules about columns are concerned.
    pub column: &'static str,
    /// Other forms that the statement has for objects of the same type.
    pub also: &'static [&'static str],
    /// The versions that know the statement.
    pub majors: std::ops::RangeInclusive<u32>,
    /// Whether it changes anything that the catalogs show.
    pub changes: bool,
    /// Whether it is something else of the statement that changes, and the form is named only.
    pub in_vain: bool,
    /// For a statement that runs in no transaction block: what removes all that it and `before` made.
    pub removal: Option<&'static str>,
}

/// A way by `statement`, to a form of the object that the stage has of each type.
pub fn way(statement: impl Into<String>) -> Way {
    Way {
        before: String::new(),
        statement: statement.into(),
        name: "",
        column: "c",
        also: &[],
        majors: FIRST_MAJOR..=u32::MAX,
        changes: true,
        in_vain: false,
        removal: None,
    }
}

impl Way {
    pub fn after(mut self, before: impl Into<String>) -> Self {
        self.before = before.into();
        self
    }

    pub fn of(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    pub fn column(mut self, column: &'static str) -> Self {
        self.column = column;
        self
    }

    pub fn also(mut self, forms: &'static [&'static str]) -> Self {
        self.also = forms;
        self
    }

    pub fn since(mut self, major: u32) -> Self {
        self.majors = major..=*self.majors.end();
        self
    }

    pub fn changing_nothing(mut self) -> Self {
        self.changes = false;
        self
    }

    /// What the statement changes is not what the form is about.
    pub fn in_vain(mut self) -> Self {
        self.in_vain = true;
        self
    }

    /// Runs outside transaction blocks; `removal` cleans up.
    pub fn alone(mut self, removal: &'static str) -> Self {
        self.removal = Some(removal);
        self
    }

    /// How messages name the object.
    pub fn object(&self, object_type: ObjectType) -> String {
        let Self { name, column, .. } = self;
        match object_type {
            USER_MAPPING if *name == "public" => "user mapping for PUBLIC on server \"s\"".to_owned(),
            USER_MAPPING => format!("user mapping for \"{name}\" on server \"s\""),
            COLUMN => format!("column \"{column}\" of foreign table \"{name}\""),
            _ => format!("{object_type} \"{name}\""),
        }
    }
}

/// A row with `ways`, to a form of the object that the stage has of this type.
pub fn row(object_type: ObjectType, form: &'static str, ways: impl IntoIterator<Item = Way>) -> Row {
    Row {
        object_type,
        form,
        ways: Vec::new(),
        patterns: usual_patterns(object_type),
        lookalikes: Vec::new(),
        left: None,
    }
    .and(ways)
}

/// A row for an action of ALTER FOREIGN TABLE, which can be spelt in several ways.
pub fn action(object_type: ObjectType, form: &'static str, action: &str) -> Row {
    // Those of a table are none of its columns.
    let table_options: &'static [&'static str] = if object_type == COLUMN { &[] } else { &["OPTIONS"] };
    let spelt = |beginning: &str, end: &str| way(format!("{beginning} {action}{end}"));
    row(
        object_type,
        form,
        [
            spelt("ALTER FOREIGN TABLE t", ""),
            spelt("ALTER FOREIGN TABLE IF EXISTS t", ""),
            spelt("ALTER FOREIGN TABLE ONLY t", ""),
            spelt("ALTER FOREIGN TABLE t *", ""),
            spelt("ALTER TABLE t", ""),
            spelt("ALTER TABLE IF EXISTS ONLY t", ""),
            spelt("ALTER FOREIGN TABLE t ADD COLUMN beside integer,", "").also(&["ADD COLUMN", "CREATE"]),
            spelt("ALTER FOREIGN TABLE t", ", OPTIONS (ADD z '1')").also(table_options),
        ],
    )
}

impl Row {
    pub fn and(mut self, ways: impl IntoIterator<Item = Way>) -> Self {
        let name = stage_object(self.object_type);
        self.ways.extend(ways.into_iter().map(|way| if way.name.is_empty() { way.of(name) } else { way }));
        self
    }

    /// Gives every way so far what must be there for it.
    pub fn after(mut self, before: &str) -> Self {
        for way in &mut self.ways {
            way.before = format!("{before};{}", way.before);
        }
        self
    }

    /// Adds the ways by a parent's ALTER TABLE that reaches a foreign table, after `before` has been done to the parent.
    pub fn by_parent(self, action: &str, before: &str) -> Self {
        self.by_parents(action, before, &[HEIR, PARTITION])
    }

    pub fn by_parents(self, action: &str, before: &str, parents: &[&str]) -> Self {
        let ways: Vec<Way> = parents
            .iter()
            .map(|parent| way(format!("ALTER TABLE parent {action}")).after(format!("{parent}; {before}")).of("child"))
            .collect();
        self.and(ways)
    }

    /// Adds the first way once more, when it has nothing left to change: a statement that names the form has it all the
    /// same.
    pub fn repeated(self) -> Self {
        let again = |first: &Way| {
            let before = format!("{}; {}", first.before, first.statement);
            Way { before, changes: false, ..first.clone() }
        };
        let repeated: Vec<Way> = self.ways.iter().take(1).map(again).collect();
        self.and(repeated)
    }

    /// Adds a statement that has none of the rule's forms.
    pub fn unlike(mut self, lookalike: Way) -> Self {
        self.lookalikes.push(lookalike);
        self
    }

    /// Changes every way so far.
    pub fn each(mut self, change: impl Fn(Way) -> Way) -> Self {
        self.ways = self.ways.into_iter().map(change).collect();
        self
    }

    /// Adds a pattern that finds the object.
    pub fn found_by(mut self, field: &'static str, pattern: &'static str) -> Self {
        self.patterns.push((field, pattern));
        self
    }

    /// Replaces the patterns that find the object of this type on the stage.
    pub fn found_only_by(mut self, patterns: &[(&'static str, &'static str)]) -> Self {
        self.patterns = patterns.to_vec();
        self
    }

    /// Says which pattern no longer finds the object.
    pub fn leaves(mut self, field: &'static str, pattern: &'static str) -> Self {
        self.left = Some((field, pattern));
        self
    }
}

/// A foreign table that inherits from an ordinary one.
pub const HEIR: &str =
    "CREATE TABLE parent (a integer, c text); CREATE FOREIGN TABLE child () INHERITS (parent) SERVER s";

/// A foreign table that is a partition.
pub const PARTITION: &str = "CREATE TABLE parent (a integer, c text) PARTITION BY LIST (a); \
     CREATE FOREIGN TABLE child PARTITION OF parent FOR VALUES IN (1) SERVER s";

fn stage_object(object_type: ObjectType) -> &'static str {
    match object_type {
        WRAPPER => "w",
        SERVER => "s",
        USER_MAPPING => "forms_mapped",
        _ => "t",
    }
}

fn usual_patterns(object_type: ObjectType) -> Vec<(&'static str, &'static str)> {
    let table = [("relation", "t"), ("relation", "public.t"), ("server", "s"), ("wrapper", "w")];
    match object_type {
        WRAPPER => vec![("wrapper", "w")],
        SERVER => vec![("server", "s"), ("wrapper", "w")],
        USER_MAPPING => vec![("role", "forms_mapped"), ("server", "s"), ("wrapper", "w")],
        TABLE => table.to_vec(),
        _ => [table.as_slice(), &[("column_name", "c")]].concat(),
    }
}
