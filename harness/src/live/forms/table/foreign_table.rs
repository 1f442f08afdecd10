//! Foreign tables.

use super::column;
use crate::live::forms::row::{HEIR, PARTITION, Row, TABLE, Way, action, row, way};

const OWNED: &str = "ALTER FOREIGN TABLE t OWNER TO forms_owner";
const SERVER_OWNED: &str = "GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_owner; ALTER SERVER s OWNER TO forms_owner";
const PARENT: &str = "CREATE TABLE parent (a integer, c text)";
const PARTITIONED: &str = "CREATE TABLE parent (a integer, c text) PARTITION BY LIST (a)";
const CHECKED: &str = "ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0)";
const NOT_VALID: &str = "ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID";
const NOT_NULL_NOT_VALID: &str = "ALTER FOREIGN TABLE t ADD CONSTRAINT filled NOT NULL c NOT VALID";
const TRIGGER: &str = "CREATE TRIGGER fires BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires()";
const PARENT_TRIGGER: &str = "CREATE TRIGGER fires AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION fires()";

pub fn rows() -> Vec<Row> {
    [
        existence(),
        attributes(),
        columns(),
        column::rows_of(TABLE),
        constraints(),
        triggers(),
        parents(),
        vec![without_oids(), other()],
    ]
    .concat()
}

fn existence() -> Vec<Row> {
    let everything = "(a integer OPTIONS (x '1') NOT NULL DEFAULT 1 CHECK (a > 0), c text COLLATE \"C\") SERVER s \
                      OPTIONS (b '2')";
    let create = row(
        TABLE,
        "CREATE",
        [
            way("CREATE FOREIGN TABLE made (a integer) SERVER s"),
            way("CREATE FOREIGN TABLE IF NOT EXISTS made (a integer) SERVER s"),
            way(format!("CREATE FOREIGN TABLE made {everything}")),
            way("CREATE FOREIGN TABLE made () SERVER s"),
            way("CREATE FOREIGN TABLE made (LIKE t INCLUDING ALL) SERVER s").since(18),
            way("CREATE FOREIGN TABLE made (d integer) INHERITS (parent) SERVER s").after(PARENT),
            way("CREATE FOREIGN TABLE made PARTITION OF parent FOR VALUES IN (1) SERVER s").after(PARTITIONED),
            way("CREATE FOREIGN TABLE made PARTITION OF parent (c NOT NULL DEFAULT 'x') DEFAULT SERVER s")
                .after(format!("{PARTITIONED}; {PARENT_TRIGGER}")),
        ],
    )
    .each(|way| way.of("made"))
    .unlike(way("CREATE FOREIGN TABLE IF NOT EXISTS t (a integer) SERVER s").changing_nothing())
    .and([
        way("IMPORT FOREIGN SCHEMA far_away FROM SERVER loopback INTO public").of("far"),
        way("IMPORT FOREIGN SCHEMA far_away LIMIT TO (far) FROM SERVER loopback INTO elsewhere").of("far"),
    ])
    .found_only_by(&[("relation", "made"), ("relation", "public.made"), ("server", "s"), ("wrapper", "w")]);
    vec![create, drop()]
}

fn drop() -> Row {
    row(
        TABLE,
        "DROP",
        [
            way("DROP FOREIGN TABLE t"),
            way("DROP FOREIGN TABLE IF EXISTS t"),
            way("DROP FOREIGN TABLE t CASCADE").after("CREATE VIEW sees AS SELECT * FROM t"),
            way("DROP FOREIGN TABLE beside, t").after("CREATE FOREIGN TABLE beside () SERVER s"),
            way("DROP SERVER s CASCADE"),
            way("DROP FOREIGN DATA WRAPPER w CASCADE"),
            way("DROP SCHEMA elsewhere CASCADE").after("ALTER FOREIGN TABLE t SET SCHEMA elsewhere"),
            way("DROP OWNED BY forms_owner").after(OWNED),
            way("DROP EXTENSION fdw_forms_empty")
                .after("CREATE EXTENSION fdw_forms_empty; ALTER EXTENSION fdw_forms_empty ADD FOREIGN TABLE t"),
            way("DROP OWNED BY forms_owner CASCADE").after(SERVER_OWNED),
            way("DROP TABLE parent CASCADE").after(HEIR).of("child"),
            way("DROP TABLE parent").after(PARTITION).of("child"),
        ],
    )
    .unlike(way("DROP FOREIGN TABLE IF EXISTS no_such").changing_nothing())
    .unlike(way("ALTER FOREIGN TABLE t DROP COLUMN c"))
}

fn attributes() -> Vec<Row> {
    vec![
        row(
            TABLE,
            "OPTIONS",
            [
                way("ALTER FOREIGN TABLE t OPTIONS (ADD b '2')"),
                way("ALTER FOREIGN TABLE t OPTIONS (b '2')"),
                way("ALTER FOREIGN TABLE t OPTIONS (SET a '2')"),
                way("ALTER FOREIGN TABLE t OPTIONS (DROP a)"),
                way("ALTER FOREIGN TABLE IF EXISTS ONLY t OPTIONS (SET a '2')"),
                way("ALTER FOREIGN TABLE t ADD COLUMN d integer, OPTIONS (SET a '2')").also(&["ADD COLUMN"]),
                way("ALTER FOREIGN TABLE t ADD COLUMN d integer, OPTIONS (SET a '1')").in_vain().also(&["ADD COLUMN"]),
                way("ALTER FOREIGN TABLE t OPTIONS (SET a '1')").changing_nothing(),
            ],
        ),
        row(
            TABLE,
            "OWNER TO",
            [
                way("ALTER FOREIGN TABLE t OWNER TO forms_owner"),
                way("ALTER TABLE t OWNER TO forms_owner"),
                way("ALTER FOREIGN TABLE IF EXISTS t OWNER TO forms_owner"),
                way("ALTER FOREIGN TABLE t OWNER TO CURRENT_ROLE").after(OWNED),
                way("REASSIGN OWNED BY forms_owner TO postgres").after(OWNED),
                way("ALTER FOREIGN TABLE t OWNER TO CURRENT_USER").changing_nothing(),
            ],
        ),
        row(
            TABLE,
            "RENAME TO",
            [
                way("ALTER FOREIGN TABLE t RENAME TO t2"),
                way("ALTER FOREIGN TABLE IF EXISTS t RENAME TO t2"),
                way("ALTER TABLE t RENAME TO t2"),
                way("ALTER INDEX t RENAME TO t2"),
            ],
        )
        .found_by("relation", "t2")
        .found_by("relation", "public.t2")
        .leaves("relation", "t"),
        row(
            TABLE,
            "SET SCHEMA",
            [
                way("ALTER FOREIGN TABLE t SET SCHEMA elsewhere"),
                way("ALTER FOREIGN TABLE IF EXISTS t SET SCHEMA elsewhere"),
                way("ALTER TABLE t SET SCHEMA elsewhere"),
                way("ALTER FOREIGN TABLE t SET SCHEMA public").changing_nothing(),
                way("ALTER TABLE IF EXISTS t SET SCHEMA public").changing_nothing(),
                way("ALTER EXTENSION fdw_forms_empty SET SCHEMA elsewhere")
                    .after("CREATE EXTENSION fdw_forms_empty; ALTER EXTENSION fdw_forms_empty ADD FOREIGN TABLE t"),
            ],
        )
        .found_by("relation", "elsewhere.t")
        .leaves("relation", "public.t"),
    ]
}

fn columns() -> Vec<Row> {
    vec![
        action(TABLE, "ADD COLUMN", "ADD COLUMN d integer").and(column::more_additions()),
        action(TABLE, "DROP COLUMN", "DROP COLUMN c").and(column::more_drops()),
    ]
}

fn constraints() -> Vec<Row> {
    vec![
        action(TABLE, "ADD table_constraint", "ADD CONSTRAINT positive CHECK (a > 0)")
            .and([
                way("ALTER FOREIGN TABLE t ADD CHECK (a > 0)"),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID"),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0) NO INHERIT"),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0), VALIDATE CONSTRAINT positive")
                    .also(&["VALIDATE CONSTRAINT"]),
                way("ALTER FOREIGN TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT ENFORCED").since(18),
                way("ALTER FOREIGN TABLE t ADD COLUMN d integer CHECK (d > 0)").also(&["ADD COLUMN"]),
                detached_concurrently("child", PARTITION).also(&["NO INHERIT"]),
                detached_concurrently("sub", PARTITION_BELOW),
            ])
            .by_parent("ADD CONSTRAINT positive CHECK (a > 0)", ""),
        action(TABLE, "VALIDATE CONSTRAINT", "VALIDATE CONSTRAINT positive")
            .after(NOT_VALID)
            .repeated()
            .by_parent(
                "VALIDATE CONSTRAINT positive",
                "ALTER TABLE parent ADD CONSTRAINT positive CHECK (a > 0) NOT VALID",
            )
            .and([HEIR, PARTITION].into_iter().flat_map(|parent| {
                ["VALIDATE CONSTRAINT filled", "ALTER COLUMN c SET NOT NULL"].map(|action| {
                    way(format!("ALTER TABLE parent {action}"))
                        .after(format!("{parent}; ALTER TABLE parent ADD CONSTRAINT filled NOT NULL c NOT VALID"))
                        .of("child")
                        .since(18)
                })
            }))
            .and([
                way("ALTER FOREIGN TABLE t VALIDATE CONSTRAINT filled").after(NOT_NULL_NOT_VALID).since(18),
                way("ALTER FOREIGN TABLE t ALTER COLUMN c SET NOT NULL")
                    .after(NOT_NULL_NOT_VALID)
                    .also(&["SET NOT NULL"])
                    .since(18),
            ]),
        action(TABLE, "DROP CONSTRAINT", "DROP CONSTRAINT positive")
            .and([way("ALTER FOREIGN TABLE t DROP COLUMN a").also(&["DROP COLUMN"])])
            .after(CHECKED)
            .and([
                way("ALTER FOREIGN TABLE t DROP CONSTRAINT IF EXISTS positive CASCADE").after(CHECKED),
                way("DROP FUNCTION fine(integer) CASCADE").after(
                    "CREATE FUNCTION fine(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0'; \
                     ALTER FOREIGN TABLE t ADD CHECK (fine(a))",
                ),
            ])
            .by_parent("DROP CONSTRAINT positive", "ALTER TABLE parent ADD CONSTRAINT positive CHECK (a > 0)"),
    ]
}

fn triggers() -> Vec<Row> {
    let disabled = format!("{TRIGGER}; ALTER FOREIGN TABLE t DISABLE TRIGGER fires");
    let parent_disabled = format!("{PARENT_TRIGGER}; ALTER TABLE parent DISABLE TRIGGER fires");
    let switched = |form, verb: &str, before: &str, parent: &str| {
        action(TABLE, form, &format!("{verb} fires")).after(before).repeated().by_parents(
            &format!("{verb} fires"),
            parent,
            &[PARTITION],
        )
    };
    let many = |verb: &str, before: &str| {
        ["ALL", "USER"].map(|which| way(format!("ALTER FOREIGN TABLE t {verb} {which}")).after(before))
    };
    vec![
        switched("DISABLE TRIGGER", "DISABLE TRIGGER", TRIGGER, PARENT_TRIGGER)
            .and(many("DISABLE TRIGGER", TRIGGER))
            .by_parents("DISABLE TRIGGER ALL", PARENT_TRIGGER, &[PARTITION])
            .by_parents("DISABLE TRIGGER USER", PARENT_TRIGGER, &[PARTITION]),
        switched("ENABLE TRIGGER", "ENABLE TRIGGER", &disabled, &parent_disabled)
            .and(many("ENABLE TRIGGER", &disabled))
            .and([way("ALTER FOREIGN TABLE t ENABLE TRIGGER fires")
                .after(format!("{TRIGGER}; ALTER FOREIGN TABLE t ENABLE ALWAYS TRIGGER fires"))]),
        switched("ENABLE REPLICA TRIGGER", "ENABLE REPLICA TRIGGER", TRIGGER, PARENT_TRIGGER),
        switched("ENABLE ALWAYS TRIGGER", "ENABLE ALWAYS TRIGGER", &disabled, &parent_disabled),
    ]
}

/// As DETACH PARTITION … CONCURRENTLY leaves it when it is cancelled.
const HALF_DETACHED: &str = "CREATE TABLE parent (a integer, c text) PARTITION BY LIST (a); \
     CREATE FOREIGN TABLE child PARTITION OF parent FOR VALUES IN (1) SERVER s; \
     UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'child'::regclass";

/// From 17 on, partitions take their parent's identity columns over.
const IDENTITY_ABOVE: &str = "CREATE TABLE parent (a integer GENERATED ALWAYS AS IDENTITY, c text) PARTITION BY LIST (a); \
     CREATE FOREIGN TABLE child PARTITION OF parent FOR VALUES IN (1) SERVER s";

/// A foreign table that is a partition of a partition.
const PARTITION_BELOW: &str = "CREATE TABLE parent (a integer, c text) PARTITION BY LIST (a); \
     CREATE TABLE sub PARTITION OF parent FOR VALUES IN (1) PARTITION BY LIST (c); \
     CREATE FOREIGN TABLE child PARTITION OF sub FOR VALUES IN ('x') SERVER s";

/// The same where the table at the top has an identity column.
const IDENTITY_FAR_ABOVE: &str = "CREATE TABLE parent (a integer GENERATED ALWAYS AS IDENTITY, c text) PARTITION BY LIST (a); \
     CREATE TABLE sub PARTITION OF parent FOR VALUES IN (1) PARTITION BY LIST (c); \
     CREATE FOREIGN TABLE child PARTITION OF sub FOR VALUES IN ('x') SERVER s";

/// DETACH PARTITION … CONCURRENTLY, which adds a CHECK on what the partition holds.
fn detached_concurrently(partition: &str, before: impl Into<String>) -> Way {
    way(format!("ALTER TABLE parent DETACH PARTITION {partition} CONCURRENTLY"))
        .after(before)
        .of("child")
        .alone("DROP TABLE parent CASCADE; DROP FOREIGN TABLE IF EXISTS child; DROP TABLE IF EXISTS sub")
}

/// The loss of a parent's identity column.
pub fn identity_detached() -> [Way; 2] {
    [("child", IDENTITY_ABOVE), ("sub", IDENTITY_FAR_ABOVE)]
        .map(|(partition, before)| detached_concurrently(partition, before).column("a").since(17))
}

fn parents() -> Vec<Row> {
    let partition = format!("{PARTITIONED}; ALTER TABLE parent ATTACH PARTITION t FOR VALUES IN (1)");
    vec![
        action(TABLE, "INHERIT", "INHERIT parent").after(PARENT).and([
            way("ALTER TABLE parent ATTACH PARTITION t FOR VALUES IN (1)").after(PARTITIONED),
            way("ALTER TABLE parent ATTACH PARTITION t DEFAULT").after(PARTITIONED),
            way("ALTER TABLE parent ATTACH PARTITION t DEFAULT").after(format!("{PARTITIONED}; {PARENT_TRIGGER}")),
        ]),
        action(TABLE, "NO INHERIT", "NO INHERIT parent")
            .after(&format!("{PARENT}; ALTER FOREIGN TABLE t INHERIT parent"))
            .and([
                way("ALTER TABLE parent DETACH PARTITION t").after(partition),
                way("ALTER TABLE parent DETACH PARTITION child")
                    .after(format!("{PARTITION}; {PARENT_TRIGGER}"))
                    .of("child"),
                way("ALTER TABLE parent DETACH PARTITION child")
                    .after(IDENTITY_ABOVE)
                    .of("child")
                    .also(&["OTHER"])
                    .since(17),
                way("ALTER TABLE parent DETACH PARTITION child FINALIZE").after(HALF_DETACHED).of("child"),
                detached_concurrently("child", PARTITION).also(&["ADD table_constraint"]),
                detached_concurrently("child", format!("{PARTITION}; {PARENT_TRIGGER}"))
                    .also(&["ADD table_constraint"]),
                detached_concurrently("child", IDENTITY_ABOVE).also(&["ADD table_constraint", "OTHER"]).since(17),
            ]),
    ]
}

fn without_oids() -> Row {
    row(
        TABLE,
        "SET WITHOUT OIDS",
        [
            way("ALTER FOREIGN TABLE t SET WITHOUT OIDS"),
            way("ALTER FOREIGN TABLE IF EXISTS ONLY t SET WITHOUT OIDS"),
            way("ALTER TABLE t SET WITHOUT OIDS"),
        ],
    )
    .each(|way| way.changing_nothing())
    .and([way("ALTER FOREIGN TABLE t SET WITHOUT OIDS, ADD COLUMN d integer").also(&["ADD COLUMN"])])
}

fn other() -> Row {
    column::other(TABLE).and(identity_detached().map(|way| way.also(&["NO INHERIT", "ADD table_constraint"]))).and([
        detached_concurrently("sub", format!("{PARTITION_BELOW}; {PARENT_TRIGGER}")).also(&["ADD table_constraint"]),
        way("ALTER TABLE parent DETACH PARTITION sub")
            .after(format!("{PARTITION_BELOW}; {PARENT_TRIGGER}"))
            .of("child"),
        way("ALTER TABLE parent ATTACH PARTITION sub FOR VALUES IN (1)")
            .after(format!("{PARTITION_BELOW}; ALTER TABLE parent DETACH PARTITION sub; {PARENT_TRIGGER}"))
            .of("child"),
        way("ALTER FOREIGN TABLE t DROP COLUMN c CASCADE")
            .after("CREATE TRIGGER fires BEFORE UPDATE OF c ON t FOR EACH ROW EXECUTE FUNCTION fires()")
            .also(&["DROP COLUMN"]),
        way("ALTER TABLE t RENAME CONSTRAINT filled TO filled2")
            .after("ALTER FOREIGN TABLE t ADD CONSTRAINT filled NOT NULL c")
            .since(18),
        way(TRIGGER),
        way(PARENT_TRIGGER).after(PARTITION).of("child"),
        way("CREATE OR REPLACE TRIGGER fires AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION fires()").after(TRIGGER),
        way("CREATE TRIGGER fires_too BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION fires()").after(TRIGGER),
        way("DROP TRIGGER fires ON t").after(TRIGGER),
        way("DROP TRIGGER fires ON parent").after(format!("{PARTITION}; {PARENT_TRIGGER}")).of("child"),
        way("CREATE OR REPLACE TRIGGER fires AFTER DELETE ON parent FOR EACH ROW EXECUTE FUNCTION fires()")
            .after(format!("{PARTITION}; {PARENT_TRIGGER}"))
            .of("child"),
        way("DROP FUNCTION fires() CASCADE").after(TRIGGER),
        way("ALTER TRIGGER fires ON t RENAME TO fires2").after(TRIGGER),
        way("ALTER TRIGGER fires ON parent RENAME TO fires2")
            .after(format!("{PARTITION}; {PARENT_TRIGGER}"))
            .of("child"),
        way("ALTER TABLE t RENAME CONSTRAINT positive TO positive2").after(CHECKED),
        way("ALTER TABLE parent RENAME CONSTRAINT positive TO positive2")
            .after(format!("{HEIR}; ALTER TABLE parent ADD CONSTRAINT positive CHECK (a > 0)"))
            .of("child"),
    ])
}
