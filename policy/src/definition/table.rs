//! The statements that create a foreign table.

use serde::Deserialize;

use super::{Known, Label, Object, OptionsClause, Script, grants, with_commas};
use crate::ddl::{quote_identifier, quote_literal};
use crate::definition::grants::Grant;
use crate::model::{Attribute, ObjectType};
use crate::secret::escaped;

/// What the catalogs say of a foreign table beside its options.
#[derive(Debug, Deserialize)]
pub struct Table {
    #[serde(flatten)]
    object: Object,
    /// Of a partition, `FOR VALUES …` or `DEFAULT`.
    bound: Option<String>,
    parents: Option<Vec<Parent>>,
    columns: Option<Vec<Column>>,
    constraints: Option<Vec<Constraint>>,
    triggers: Option<Vec<Trigger>>,
    statistics: Option<Vec<Statistics>>,
}

#[derive(Debug, Deserialize)]
struct Parent {
    /// With its schema, quoted.
    name: String,
    columns: Option<Vec<ParentColumn>>,
}

#[derive(Debug, Deserialize)]
struct ParentColumn {
    name: String,
    /// What generates it too.
    default: Option<String>,
    is_generated: bool,
    not_null: bool,
    storage: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Column {
    number: i16,
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    /// Where it is not that of the type.
    collation: Option<String>,
    default: Option<String>,
    /// The letters of pg_attribute.
    generated: String,
    identity: String,
    sequences: Option<Vec<Sequence>>,
    not_null: bool,
    is_local: bool,
    statistics: Option<i32>,
    attribute_options: Option<Vec<String>>,
    /// The letter of pg_attribute, and that of pg_type.
    storage: Option<String>,
    type_storage: Option<String>,
    compression: String,
    comment: Option<String>,
    labels: Option<Vec<Label>>,
    grants: Option<Vec<Grant>>,
}

/// Of an identity column, or one that a column owns otherwise, as serial makes it.
#[derive(Debug, Deserialize)]
struct Sequence {
    name: String,
    is_of_identity: bool,
    #[serde(rename = "type")]
    data_type: String,
    start: i64,
    increment: i64,
    minimum: i64,
    maximum: i64,
    cache: i64,
    cycle: bool,
}

#[derive(Debug, Deserialize)]
struct Constraint {
    name: String,
    definition: String,
    /// Of a NOT NULL constraint, which columns have from 18 on.
    not_null_column: Option<i16>,
    is_local: bool,
    is_validated: bool,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Trigger {
    name: String,
    definition: String,
    /// The letters of pg_trigger; the second is that of the trigger of which this one is a copy.
    enabled: String,
    parent_enabled: Option<String>,
    comment: Option<String>,
}

/// An object of CREATE STATISTICS.
#[derive(Debug, Deserialize)]
struct Statistics {
    name: String,
    definition: String,
    owner: String,
    target: Option<i32>,
    comment: Option<String>,
}

/// How a table comes to its parents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Descent {
    None,
    /// By INHERITS of CREATE, which gives it their columns before its own.
    Created,
    /// By INHERIT of ALTER, which asks that the columns be there.
    Altered,
    /// By ATTACH PARTITION, which asks the same.
    Attached,
}

/// The statements that create a foreign table; `columns` are those of the catalogs, each with its options.
pub fn foreign_table(known: &Known<'_>, columns: &[(i16, Known<'_>)], table: &Table) -> String {
    Writer { known, columns, table, descent: table.descent(), name: qualified_name(known), script: Script::new() }
        .write()
}

fn qualified_name(known: &Known<'_>) -> String {
    let state = &known.situation.object;
    // A temporary schema has another name in each session.
    let schema = state.attribute(Attribute::Schema).unwrap_or_default();
    let schema = if schema.starts_with("pg_temp_") { "pg_temp" } else { schema };
    format!("{}.{}", quote_identifier(schema), quote_identifier(state.name()))
}

impl Table {
    fn columns(&self) -> &[Column] {
        self.columns.as_deref().unwrap_or_default()
    }

    fn constraints(&self) -> &[Constraint] {
        self.constraints.as_deref().unwrap_or_default()
    }

    fn parents(&self) -> &[Parent] {
        self.parents.as_deref().unwrap_or_default()
    }

    fn descent(&self) -> Descent {
        match self.parents() {
            [] => Descent::None,
            _ if self.bound.is_some() => Descent::Attached,
            _ if self.order_if_created() == self.columns().iter().map(|column| &column.name).collect::<Vec<_>>()
                && self.columns().iter().all(|column| self.can_be_created(column)) =>
            {
                Descent::Created
            }
            _ => Descent::Altered,
        }
    }

    /// The columns as INHERITS would order them: those of the parents first.
    fn order_if_created(&self) -> Vec<&String> {
        let of_parents = self.parents().iter().flat_map(|parent| parent.columns.iter().flatten());
        let own = self.columns().iter().filter(|column| column.is_local).map(|column| &column.name);
        let mut order: Vec<&String> = Vec::new();
        for name in of_parents.map(|column| &column.name).chain(own) {
            if !order.contains(&name) {
                order.push(name);
            }
        }
        order
    }

    fn in_parents<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = &'a ParentColumn> {
        let columns = self.parents().iter().flat_map(|parent| parent.columns.iter().flatten());
        columns.filter(|inherited| inherited.name == column.name)
    }

    /// Whether the parents agree on the column's storage, and on its default unless it has one of its own; where they do not,
    /// CREATE is refused.
    fn can_be_created(&self, column: &Column) -> bool {
        let mut inherited = self.in_parents(column);
        let Some(first) = inherited.next() else { return column.is_local };
        inherited.all(|other| other.storage == first.storage && (column.is_local || other.default == first.default))
    }
}

impl Column {
    fn owned_sequences(&self) -> impl Iterator<Item = &Sequence> {
        self.sequences.iter().flatten().filter(|sequence| !sequence.is_of_identity)
    }
}

impl Sequence {
    fn parameters(&self) -> String {
        let Self { start, increment, minimum, maximum, cache, cycle, .. } = self;
        let cycle = if *cycle { " CYCLE" } else { "" };
        format!(
            "START WITH {start} INCREMENT BY {increment} MINVALUE {minimum} MAXVALUE {maximum} CACHE {cache}{cycle}"
        )
    }
}

struct Writer<'a> {
    known: &'a Known<'a>,
    columns: &'a [(i16, Known<'a>)],
    table: &'a Table,
    descent: Descent,
    /// With its schema, quoted.
    name: String,
    script: Script,
}

impl Writer<'_> {
    fn write(mut self) -> String {
        let table = self.table;
        self.script.of_extension(table.object.extension.as_deref());
        self.create_sequences();
        self.create();
        self.own_sequences();
        table.columns().iter().for_each(|column| self.alter_column(column));
        self.add_constraints();
        self.descend();
        table.triggers.iter().flatten().for_each(|trigger| self.trigger(trigger));
        table.statistics.iter().flatten().for_each(|statistics| self.statistics(statistics));
        table.columns().iter().for_each(|column| self.remark_on_column(column));
        self.remark_on_parts();
        let name = self.name.clone();
        self.script.rest("FOREIGN TABLE", "TABLE", &name, &table.object);
        table.columns().iter().for_each(|column| self.grants_on_column(column));
        self.script.text()
    }

    /// Defaults name them, and they are owned by what they are defaults of.
    fn create_sequences(&mut self) {
        for sequence in self.table.columns().iter().flat_map(Column::owned_sequences) {
            let parameters = sequence.parameters();
            self.script.add(format!("CREATE SEQUENCE {} AS {} {parameters}", sequence.name, sequence.data_type));
        }
    }

    fn own_sequences(&mut self) {
        for column in self.table.columns() {
            for sequence in column.owned_sequences() {
                let column = quote_identifier(&column.name);
                self.script.add(format!("ALTER SEQUENCE {} OWNED BY {}.{column}", sequence.name, self.name));
            }
        }
    }

    fn create(&mut self) {
        let columns = self.table.columns().iter().filter(|column| self.is_written(column));
        let mut elements: Vec<String> = columns.map(|column| self.column(column)).collect();
        let constraints = self.table.constraints().iter().filter(|constraint| self.is_created(constraint));
        elements.extend(constraints.map(constraint_clause));
        let elements: String = with_commas(&elements).iter().map(|element| format!("    {element}\n")).collect();
        let inherits = if self.descent == Descent::Created { self.inherits() } else { String::new() };
        let server = self.known.situation.part(ObjectType::Server).map(|server| server.name()).unwrap_or_default();
        self.script.add(format!(
            "CREATE FOREIGN TABLE {} (\n{elements}){inherits} SERVER {}{}",
            self.name,
            quote_identifier(server),
            OptionsClause::of(self.known).lines()
        ));
    }

    fn inherits(&self) -> String {
        let names: Vec<&str> = self.table.parents().iter().map(|parent| parent.name.as_str()).collect();
        format!(" INHERITS ({})", names.join(", "))
    }

    /// Whether the column stands in CREATE; else it comes from a parent.
    fn is_written(&self, column: &Column) -> bool {
        self.descent != Descent::Created || column.is_local
    }

    /// Whether the constraint stands in CREATE, where it is held against nothing and so becomes valid.
    fn is_created(&self, constraint: &Constraint) -> bool {
        constraint.is_validated && self.is_own(constraint)
    }

    fn is_own(&self, constraint: &Constraint) -> bool {
        self.descent != Descent::Created || constraint.is_local
    }

    fn options_of(&self, column: &Column) -> Option<OptionsClause> {
        let known = self.columns.iter().find(|(number, _)| *number == column.number);
        known.map(|(_, known)| OptionsClause::of(known))
    }

    fn column(&self, column: &Column) -> String {
        let options = self.options_of(column);
        let remarks = options.iter().flat_map(|options| &options.remarks);
        let remarks: String = remarks.map(|remark| format!("{remark}\n    ")).collect();
        let parts = [
            Some(quote_identifier(&column.name)),
            Some(column.data_type.clone()),
            compression(&column.compression).map(|method| format!("COMPRESSION {method}")),
            options.and_then(|options| options.clause()),
            column.collation.as_ref().map(|collation| format!("COLLATE {collation}")),
            self.default(column),
            self.identity(column),
            self.not_null(column),
        ];
        format!("{remarks}{}", parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn default(&self, column: &Column) -> Option<String> {
        let Some(expression) = &column.default else {
            let inherits_one = |parent: &ParentColumn| parent.default.is_some() && !parent.is_generated;
            let is_without = self.descent == Descent::Created && self.table.in_parents(column).any(inherits_one);
            return is_without.then(|| "DEFAULT NULL".to_owned());
        };
        Some(match column.generated.as_str() {
            "s" => format!("GENERATED ALWAYS AS ({expression}) STORED"),
            "v" => format!("GENERATED ALWAYS AS ({expression}) VIRTUAL"),
            _ => format!("DEFAULT {expression}"),
        })
    }

    /// A partition has its parent's, from ATTACH PARTITION on.
    fn identity(&self, column: &Column) -> Option<String> {
        let kind = match column.identity.as_str() {
            "a" => "ALWAYS",
            "d" => "BY DEFAULT",
            _ => return None,
        };
        if self.descent == Descent::Attached {
            return None;
        }
        let own = column.sequences.iter().flatten().find(|sequence| sequence.is_of_identity);
        let options = own.map(|own| format!(" (SEQUENCE NAME {} {})", own.name, own.parameters())).unwrap_or_default();
        Some(format!("GENERATED {kind} AS IDENTITY{options}"))
    }

    /// Where it is no constraint with a name; an identity column is NOT NULL by itself.
    fn not_null(&self, column: &Column) -> Option<String> {
        let has_constraint =
            self.table.constraints().iter().any(|constraint| constraint.not_null_column == Some(column.number));
        (column.not_null && !has_constraint).then(|| "NOT NULL".to_owned())
    }

    fn alter(&mut self, column: &Column, what: &str) {
        self.script.add(format!(
            "ALTER FOREIGN TABLE {} ALTER COLUMN {} {what}",
            self.name,
            quote_identifier(&column.name)
        ));
    }

    /// What CREATE cannot say of a column, and all that an inherited one has of its own.
    fn alter_column(&mut self, column: &Column) {
        if !self.is_written(column) {
            self.alter_inherited(column);
        }
        let is_other = self.storage_when_made(column) != column.storage.as_ref();
        if let Some(storage) = column.storage.as_deref().filter(|_| is_other).and_then(storage) {
            self.alter(column, &format!("SET STORAGE {storage}"));
        }
        if let Some(target) = column.statistics {
            self.alter(column, &format!("SET STATISTICS {target}"));
        }
        let options: Vec<String> =
            column.attribute_options.iter().flatten().map(|option| attribute_option(option)).collect();
        if !options.is_empty() {
            self.alter(column, &format!("SET ({})", options.join(", ")));
        }
    }

    /// INHERITS of CREATE gives a column its parent's storage too.
    fn storage_when_made<'a>(&'a self, column: &'a Column) -> Option<&'a String> {
        let inherited = self.table.in_parents(column).next().filter(|_| self.descent == Descent::Created);
        inherited.map_or(column.type_storage.as_ref(), |inherited| inherited.storage.as_ref())
    }

    fn alter_inherited(&mut self, column: &Column) {
        let inherited = self.table.in_parents(column).next();
        let default = inherited.and_then(|inherited| inherited.default.as_ref());
        match &column.default {
            _ if !column.generated.is_empty() || column.default.as_ref() == default => {}
            Some(expression) => self.alter(column, &format!("SET DEFAULT {expression}")),
            None => self.alter(column, "DROP DEFAULT"),
        }
        let is_inherited = self.table.in_parents(column).any(|inherited| inherited.not_null);
        if self.not_null(column).is_some() && !is_inherited {
            self.alter(column, "SET NOT NULL");
        }
        if let Some(identity) = self.identity(column) {
            self.alter(column, &format!("ADD {identity}"));
        }
        let Some(options) = self.options_of(column) else { return };
        options.remarks.iter().for_each(|remark| self.script.0.push(remark.clone()));
        if let Some(clause) = options.clause() {
            self.alter(column, &clause);
        }
    }

    /// Those that are not valid for what is there already.
    fn add_constraints(&mut self) {
        for constraint in self.table.constraints() {
            if !constraint.is_validated && self.is_own(constraint) {
                let clause = constraint_clause(constraint);
                self.script.add(format!("ALTER FOREIGN TABLE {} ADD {clause}", self.name));
            }
        }
    }

    fn descend(&mut self) {
        for parent in self.table.parents() {
            match (self.descent, &self.table.bound) {
                (Descent::Altered, _) => {
                    self.script.add(format!("ALTER FOREIGN TABLE {} INHERIT {}", self.name, parent.name));
                }
                (Descent::Attached, Some(bound)) => {
                    self.script.add(format!("ALTER TABLE ONLY {} ATTACH PARTITION {} {bound}", parent.name, self.name));
                }
                _ => {}
            }
        }
    }

    /// One that is a copy of a parent's is there already.
    fn trigger(&mut self, trigger: &Trigger) {
        if trigger.parent_enabled.is_none() {
            self.script.add(&trigger.definition);
        }
        if trigger.enabled != trigger.parent_enabled.as_deref().unwrap_or("O") {
            let enable = enable(&trigger.enabled);
            let name = quote_identifier(&trigger.name);
            self.script.add(format!("ALTER FOREIGN TABLE {} {enable} TRIGGER {name}", self.name));
        }
    }

    fn statistics(&mut self, statistics: &Statistics) {
        let Statistics { name, definition, owner, target, comment } = statistics;
        self.script.add(definition);
        if let Some(target) = target {
            self.script.add(format!("ALTER STATISTICS {name} SET STATISTICS {target}"));
        }
        self.script.comment(&format!("STATISTICS {name}"), comment.as_deref());
        self.script.add(format!("ALTER STATISTICS {name} OWNER TO {}", quote_identifier(owner)));
    }

    fn remark_on_column(&mut self, column: &Column) {
        let on = format!("COLUMN {}.{}", self.name, quote_identifier(&column.name));
        self.script.comment(&on, column.comment.as_deref());
        self.script.labels(&on, column.labels.as_deref());
    }

    fn remark_on_parts(&mut self) {
        let constraints = self.table.constraints().iter().map(|part| ("CONSTRAINT", &part.name, &part.comment));
        let triggers = self.table.triggers.iter().flatten().map(|part| ("TRIGGER", &part.name, &part.comment));
        for (kind, name, comment) in constraints.chain(triggers) {
            let on = format!("{kind} {} ON {}", quote_identifier(name), self.name);
            self.script.comment(&on, comment.as_deref());
        }
    }

    fn grants_on_column(&mut self, column: &Column) {
        let (on, name) = (format!("TABLE {}", self.name), quote_identifier(&column.name));
        let present = column.grants.as_deref().unwrap_or_default();
        self.script.0.extend(grants::statements(&on, Some(&name), &self.table.object.owner, &[], present));
    }
}

fn constraint_clause(constraint: &Constraint) -> String {
    format!("CONSTRAINT {} {}", quote_identifier(&constraint.name), constraint.definition)
}

/// `name=value` as SET takes it.
fn attribute_option(option: &str) -> String {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    format!("{} = {}", escaped(&quote_identifier(name)), quote_literal(value))
}

/// By the letters of pg_attribute.
fn storage(letter: &str) -> Option<&'static str> {
    match letter {
        "p" => Some("PLAIN"),
        "e" => Some("EXTERNAL"),
        "m" => Some("MAIN"),
        "x" => Some("EXTENDED"),
        _ => None,
    }
}

fn compression(letter: &str) -> Option<&'static str> {
    match letter {
        "p" => Some("pglz"),
        "l" => Some("lz4"),
        _ => None,
    }
}

/// By the letters of pg_trigger.
fn enable(letter: &str) -> &'static str {
    match letter {
        "D" => "DISABLE",
        "R" => "ENABLE REPLICA",
        "A" => "ENABLE ALWAYS",
        _ => "ENABLE",
    }
}
