//! Columns of foreign tables. What is done to a column is done to its table, so that most rows serve both.

use super::foreign_table;
use crate::live::forms::row::{COLUMN, HEIR, ObjectType, PARTITION, Row, Way, action, row, way};

/// A type that takes the columns that have it along when it is dropped.
const TYPED: &str = "CREATE SCHEMA typing; CREATE TYPE typing.mood AS ENUM ('fine'); \
     ALTER TYPE typing.mood OWNER TO forms_owner; ALTER FOREIGN TABLE t ADD COLUMN mood typing.mood";
const DOMAIN: &str = "CREATE DOMAIN positive AS integer; ALTER FOREIGN TABLE t ADD COLUMN mood positive";

/// A foreign table below a table of a composite type.
const OF_TYPE: &str = "CREATE TYPE composite AS (a integer, c text); CREATE TABLE parent OF composite; \
     CREATE FOREIGN TABLE child () INHERITS (parent) SERVER s";

/// Two collations of one name.
const SAME_NAME: &str = "CREATE COLLATION elsewhere.\"C\" FROM \"POSIX\"; \
     CREATE TABLE parent (a integer, c text COLLATE \"C\"); CREATE FOREIGN TABLE child () INHERITS (parent) SERVER s";

pub fn rows() -> Vec<Row> {
    [existence(), rows_of(COLUMN), vec![options(), other(COLUMN)]].concat()
}

/// Further ways to ADD COLUMN.
pub fn more_additions() -> Vec<Way> {
    let by_parent = |before: &str| way("ALTER TABLE parent ADD COLUMN d integer").after(before).of("child");
    let ways = vec![
        way("ALTER FOREIGN TABLE t ADD d integer").of("t"),
        way("ALTER FOREIGN TABLE t ADD COLUMN IF NOT EXISTS d integer").of("t"),
        way("ALTER FOREIGN TABLE t ADD COLUMN d text OPTIONS (x '1') COLLATE \"C\" NOT NULL DEFAULT 'x'").of("t"),
        by_parent(HEIR),
        by_parent(PARTITION),
        way("ALTER TYPE composite ADD ATTRIBUTE d integer CASCADE").after(OF_TYPE).of("child"),
    ];
    ways.into_iter().map(|way| way.column("d")).collect()
}

/// Further ways to DROP COLUMN.
pub fn more_drops() -> Vec<Way> {
    let by_parent = |before: &str| way("ALTER TABLE parent DROP COLUMN c").after(before).of("child");
    let by_type = |statement: &str| way(statement).after(TYPED).of("t").column("mood");
    vec![
        way("ALTER FOREIGN TABLE t DROP c").of("t"),
        way("ALTER FOREIGN TABLE t DROP COLUMN IF EXISTS c").of("t"),
        way("ALTER FOREIGN TABLE t DROP COLUMN c CASCADE").after("CREATE VIEW sees AS SELECT c FROM t").of("t"),
        way("ALTER FOREIGN TABLE t DROP COLUMN c").of("t").after("ALTER FOREIGN TABLE t DROP COLUMN a"),
        by_parent(HEIR),
        by_parent(PARTITION),
        way("ALTER TYPE composite DROP ATTRIBUTE c CASCADE").after(OF_TYPE).of("child"),
        by_type("DROP TYPE typing.mood CASCADE"),
        by_type("DROP SCHEMA typing CASCADE"),
        by_type("DROP OWNED BY forms_owner CASCADE"),
        way("DROP DOMAIN positive CASCADE").after(DOMAIN).of("t").column("mood"),
        way("DROP TABLE kind CASCADE")
            .after("CREATE TABLE kind (x integer); ALTER FOREIGN TABLE t ADD COLUMN mood kind")
            .of("t")
            .column("mood"),
        way("DROP COLLATION own CASCADE")
            .after("CREATE COLLATION own FROM \"C\"; ALTER FOREIGN TABLE t ADD COLUMN mood text COLLATE own")
            .of("t")
            .column("mood"),
    ]
}

fn existence() -> Vec<Row> {
    vec![
        action(COLUMN, "CREATE", "ADD COLUMN d integer")
            .each(|way| way.column("d"))
            .and(more_additions())
            .and([way("CREATE FOREIGN TABLE made (c text) SERVER s").of("made")])
            .found_only_by(&[("relation", "t"), ("server", "s"), ("column_name", "d")]),
        action(COLUMN, "DROP", "DROP COLUMN c").and(more_drops()).and([way("DROP FOREIGN TABLE t")]),
    ]
}

/// The forms that a column shares with its table.
pub fn rows_of(object_type: ObjectType) -> Vec<Row> {
    [names_and_types(object_type), defaults(object_type), not_null(object_type), storage(object_type)].concat()
}

fn names_and_types(object_type: ObjectType) -> Vec<Row> {
    let rename = row(
        object_type,
        "RENAME COLUMN",
        [
            way("ALTER FOREIGN TABLE t RENAME COLUMN c TO c2"),
            way("ALTER FOREIGN TABLE IF EXISTS ONLY t RENAME c TO c2"),
            way("ALTER FOREIGN TABLE t * RENAME COLUMN c TO c2"),
            way("ALTER TABLE t RENAME COLUMN c TO c2"),
            way("ALTER VIEW t RENAME COLUMN c TO c2"),
            way("ALTER MATERIALIZED VIEW t RENAME COLUMN c TO c2"),
            way("ALTER TYPE t RENAME ATTRIBUTE c TO c2"),
            way("ALTER TYPE composite RENAME ATTRIBUTE c TO c2 CASCADE").after(OF_TYPE).of("child"),
        ],
    )
    .by_parent("RENAME COLUMN c TO c2", "");
    let is_column = object_type == COLUMN;
    let set_data_type = action(object_type, "SET DATA TYPE", "ALTER COLUMN c SET DATA TYPE varchar(10)")
        .repeated()
        .and([
            way("ALTER FOREIGN TABLE t ALTER c TYPE varchar"),
            way("ALTER FOREIGN TABLE t ALTER COLUMN c TYPE varchar(10) COLLATE \"C\""),
            way("ALTER FOREIGN TABLE t ALTER COLUMN c TYPE text COLLATE \"C\""),
        ])
        .by_parent("ALTER COLUMN c TYPE varchar(10)", "")
        .and([
            way("ALTER TABLE parent ALTER COLUMN c TYPE text COLLATE elsewhere.\"C\"").after(SAME_NAME).of("child"),
            way("ALTER TYPE composite ALTER ATTRIBUTE c TYPE varchar(10) CASCADE").after(OF_TYPE).of("child"),
        ]);
    let rename = if is_column { rename.found_by("column_name", "c2").leaves("column_name", "c") } else { rename };
    vec![rename, set_data_type]
}

fn defaults(object_type: ObjectType) -> Vec<Row> {
    let has_default = "ALTER FOREIGN TABLE t ALTER COLUMN c SET DEFAULT 'x'";
    vec![
        action(object_type, "SET DEFAULT", "ALTER COLUMN c SET DEFAULT 'x'")
            .repeated()
            .and([way("ALTER FOREIGN TABLE t ALTER c SET DEFAULT 'y'").after(has_default)])
            .by_parent("ALTER COLUMN c SET DEFAULT 'x'", ""),
        action(object_type, "DROP DEFAULT", "ALTER COLUMN c DROP DEFAULT")
            .after(has_default)
            .repeated()
            .and([
                way("ALTER FOREIGN TABLE t ALTER c SET DEFAULT NULL").after(has_default).also(&["SET DEFAULT"]),
                way("DROP SEQUENCE numbers CASCADE").after(
                    "CREATE SEQUENCE numbers; ALTER FOREIGN TABLE t ALTER c SET DEFAULT nextval('numbers')::text",
                ),
                way("DROP TYPE mood CASCADE").after(
                    "CREATE TYPE mood AS ENUM ('fine'); ALTER FOREIGN TABLE t ALTER c SET DEFAULT 'fine'::mood::text",
                ),
                way("DROP FUNCTION usual() CASCADE").after(
                    "CREATE FUNCTION usual() RETURNS text LANGUAGE sql AS 'SELECT 1::text'; \
                     ALTER FOREIGN TABLE t ALTER c SET DEFAULT usual()",
                ),
            ])
            .by_parent("ALTER COLUMN c DROP DEFAULT", "ALTER TABLE parent ALTER COLUMN c SET DEFAULT 'x'")
            .by_parent("ALTER COLUMN c SET DEFAULT NULL", "ALTER TABLE parent ALTER COLUMN c SET DEFAULT 'x'"),
    ]
}

fn not_null(object_type: ObjectType) -> Vec<Row> {
    let is_not_null = "ALTER FOREIGN TABLE t ALTER COLUMN c SET NOT NULL";
    vec![
        action(object_type, "SET NOT NULL", "ALTER COLUMN c SET NOT NULL")
            .repeated()
            .and([
                way("ALTER TABLE parent ALTER CONSTRAINT filled INHERIT")
                    .after(format!("{HEIR}; ALTER TABLE parent ADD CONSTRAINT filled NOT NULL c NO INHERIT"))
                    .of("child")
                    .since(18),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT filled NOT NULL c").since(18),
                way("ALTER TABLE t ADD NOT NULL c").since(18),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT filled NOT NULL c NOT VALID").since(18),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT filled NOT NULL c NO INHERIT").since(18),
                way("ALTER TABLE parent ADD PRIMARY KEY (c)").after(HEIR).of("child"),
                way("ALTER TABLE parent ADD CONSTRAINT filled NOT NULL c").after(PARTITION).of("child").since(18),
            ])
            .by_parent("ALTER COLUMN c SET NOT NULL", ""),
        action(object_type, "DROP NOT NULL", "ALTER COLUMN c DROP NOT NULL")
            .after(is_not_null)
            .repeated()
            .and([
                way("ALTER FOREIGN TABLE t DROP CONSTRAINT filled")
                    .after("ALTER FOREIGN TABLE t ADD CONSTRAINT filled NOT NULL c")
                    .since(18),
                way("ALTER TABLE parent DROP CONSTRAINT filled")
                    .after(format!("{HEIR}; ALTER TABLE parent ADD CONSTRAINT filled NOT NULL c"))
                    .of("child")
                    .since(18),
            ])
            .by_parent("ALTER COLUMN c DROP NOT NULL", "ALTER TABLE parent ALTER COLUMN c SET NOT NULL"),
    ]
}

fn storage(object_type: ObjectType) -> Vec<Row> {
    let has_option = "ALTER FOREIGN TABLE t ALTER COLUMN c SET (n_distinct = 5)";
    vec![
        action(object_type, "SET STATISTICS", "ALTER COLUMN c SET STATISTICS 10")
            .repeated()
            .and([
                way("ALTER FOREIGN TABLE t ALTER c SET STATISTICS -1")
                    .after("ALTER FOREIGN TABLE t ALTER c SET STATISTICS 10"),
                way("ALTER FOREIGN TABLE t ALTER c SET STATISTICS DEFAULT")
                    .after("ALTER FOREIGN TABLE t ALTER c SET STATISTICS 10")
                    .since(17),
            ])
            .by_parent("ALTER COLUMN c SET STATISTICS 10", ""),
        action(object_type, "SET (attribute_option)", "ALTER COLUMN c SET (n_distinct = 5)").repeated().and([
            way("ALTER FOREIGN TABLE t ALTER c SET (n_distinct = 6)").after(has_option),
            way("ALTER FOREIGN TABLE t ALTER c SET (n_distinct = 5, n_distinct_inherited = -1)"),
        ]),
        action(object_type, "RESET (attribute_option)", "ALTER COLUMN c RESET (n_distinct)")
            .after(has_option)
            .repeated()
            .and([way("ALTER FOREIGN TABLE t ALTER c RESET (n_distinct, n_distinct_inherited)").after(has_option)]),
        action(object_type, "SET STORAGE", "ALTER COLUMN c SET STORAGE EXTERNAL")
            .repeated()
            .and([way("ALTER FOREIGN TABLE t ALTER c SET STORAGE DEFAULT")
                .after("ALTER FOREIGN TABLE t ALTER c SET STORAGE EXTERNAL")
                .since(16)])
            .by_parent("ALTER COLUMN c SET STORAGE EXTERNAL", ""),
    ]
}

fn options() -> Row {
    action(COLUMN, "OPTIONS", "ALTER COLUMN c OPTIONS (ADD x '1')").and([
        way("ALTER FOREIGN TABLE t ALTER c OPTIONS (x '1')"),
        way("ALTER FOREIGN TABLE t ALTER c OPTIONS (SET x '2')").after("ALTER FOREIGN TABLE t ALTER c OPTIONS (x '1')"),
        way("ALTER FOREIGN TABLE t ALTER c OPTIONS (DROP x)").after("ALTER FOREIGN TABLE t ALTER c OPTIONS (x '1')"),
        way("ALTER FOREIGN TABLE t ALTER c OPTIONS (SET x '1')")
            .after("ALTER FOREIGN TABLE t ALTER c OPTIONS (x '1')")
            .changing_nothing(),
        way("ALTER FOREIGN TABLE t ALTER c OPTIONS (SET x '1'), ADD COLUMN d integer")
            .after("ALTER FOREIGN TABLE t ALTER c OPTIONS (x '1')")
            .also(&["CREATE"])
            .in_vain(),
    ])
}

/// What no page names: identity and generated columns.
pub fn other(object_type: ObjectType) -> Row {
    let not_null = "ALTER FOREIGN TABLE t ALTER COLUMN a SET NOT NULL";
    let identity = "ALTER FOREIGN TABLE t ALTER COLUMN a SET NOT NULL; \
                    ALTER FOREIGN TABLE t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY";
    let generated = "ALTER FOREIGN TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (1) STORED";
    let generated_above = "CREATE TABLE parent (a integer, g integer GENERATED ALWAYS AS (1) STORED); \
                           CREATE FOREIGN TABLE child () INHERITS (parent) SERVER s";
    let row = row(
        object_type,
        "OTHER",
        [
            way("ALTER FOREIGN TABLE t ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY").after(not_null),
            way("ALTER TABLE t ALTER COLUMN a ADD GENERATED BY DEFAULT AS IDENTITY").after(not_null),
            way("ALTER FOREIGN TABLE t ALTER COLUMN a SET GENERATED BY DEFAULT").after(identity),
            way("ALTER FOREIGN TABLE t ALTER COLUMN a SET INCREMENT BY 5").after(identity),
            way("ALTER SEQUENCE t_a_seq INCREMENT BY 5").after(identity),
            way("ALTER FOREIGN TABLE t ALTER COLUMN a DROP IDENTITY").after(identity),
            way("ALTER FOREIGN TABLE t ALTER COLUMN g DROP EXPRESSION").after(generated).column("g"),
            way("ALTER TABLE parent ALTER COLUMN g DROP EXPRESSION").after(generated_above).of("child").column("g"),
            way("ALTER TABLE parent ALTER COLUMN g SET EXPRESSION AS (2)")
                .after(generated_above)
                .of("child")
                .column("g")
                .since(17),
            way("ALTER TABLE parent ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY")
                .after(format!("{PARTITION}; ALTER TABLE parent ALTER COLUMN a SET NOT NULL"))
                .of("child")
                .since(17),
            way("ALTER FOREIGN TABLE t ALTER COLUMN g SET EXPRESSION AS (2)").after(generated).column("g").since(17),
            way("ALTER FOREIGN TABLE t ALTER COLUMN g SET EXPRESSION AS (2)")
                .after("ALTER FOREIGN TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (1) VIRTUAL")
                .column("g")
                .since(18),
        ],
    )
    .each(|way| if way.column == "c" { way.column("a") } else { way });
    if object_type != COLUMN {
        return row;
    }
    row.and(foreign_table::identity_detached()).found_only_by(&[
        ("relation", "t"),
        ("server", "s"),
        ("wrapper", "w"),
        ("column_name", "a"),
    ])
}
