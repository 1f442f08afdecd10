//! NOT NULL and CHECK: assumed, and never verified.

use super::Seen::{Both, File, Remote, Unchanged};
use super::{DESCEND, EFFECT, Effect, NO_WRITING, OTHER_OPTION};

/// A wrong answer once the planner takes names for not null.
const NULLS: &str = "SET LOCAL constraint_exclusion = on; SELECT count(*) FROM ware WHERE name IS NULL";

/// A wrong answer once the planner takes the constraint to hold.
const DEAR: &str = "SET LOCAL constraint_exclusion = on; SELECT count(*) FROM ware WHERE price > 10";

pub const EFFECTS: &[Effect] = &[
    Effect {
        form: "VALIDATE CONSTRAINT",
        states: "a NOT NULL constraint is assumed by the planner from then on, and not verified",
        since: 18,
        given: "ALTER FOREIGN TABLE ware ADD CONSTRAINT named NOT NULL name NOT VALID",
        change: "ALTER FOREIGN TABLE ware VALIDATE CONSTRAINT named",
        query: NULLS,
        seen: Both("1", "0"),
        ..EFFECT
    },
    Effect {
        form: "SET NOT NULL",
        states: "is assumed by the planner, and not verified",
        change: "ALTER FOREIGN TABLE ware ALTER name SET NOT NULL",
        query: NULLS,
        seen: Both("1", "0"),
        ..EFFECT
    },
    Effect {
        form: "SET NOT NULL",
        states: "is not enforced on what is written either",
        change: "ALTER FOREIGN TABLE ware ALTER name SET NOT NULL",
        query: "INSERT INTO ware (id) VALUES (9) RETURNING id, name",
        seen: Remote(["9|NULL"; 2], NO_WRITING),
        ..EFFECT
    },
    Effect {
        form: "SET NOT NULL",
        states: "rows that do not satisfy it are read all the same",
        change: "ALTER FOREIGN TABLE ware ALTER name SET NOT NULL",
        query: "SELECT name FROM ware",
        seen: Unchanged("pen; Ink; NULL"),
        ..EFFECT
    },
    Effect {
        form: "DROP NOT NULL",
        states: "is assumed no more",
        given: "ALTER FOREIGN TABLE ware ALTER name SET NOT NULL",
        change: "ALTER FOREIGN TABLE ware ALTER name DROP NOT NULL",
        query: NULLS,
        seen: Both("0", "1"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "is assumed to hold for all rows, and not verified",
        change: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10)",
        query: DEAR,
        seen: Both("1", "0"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "the planner does not even read where the constraint excludes every row",
        given: "ALTER FOREIGN TABLE ware OPTIONS (table_name 'gone')",
        change: "ALTER FOREIGN TABLE ware ADD CHECK (price < 10)",
        query: DEAR,
        seen: Remote(["ERROR 42P01 relation \"public.gone\" does not exist", "0"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "the planner does not even read where the constraint excludes every row",
        given: "ALTER FOREIGN TABLE ware OPTIONS (SET filename '/gone')",
        change: "ALTER FOREIGN TABLE ware ADD CHECK (price < 10)",
        query: DEAR,
        seen: File(
            ["ERROR 58P01 could not open file \"/gone\" for reading: No such file or directory", "0"],
            OTHER_OPTION,
        ),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "is assumed where a parent is read, whatever constraint_exclusion has by default",
        given: "ALTER FOREIGN TABLE ware INHERIT stock",
        change: "ALTER FOREIGN TABLE ware ADD CHECK (price < 10)",
        query: "SELECT count(*) FROM stock WHERE price > 10",
        seen: Both("1", "0"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "is not enforced on what is written either",
        change: "ALTER FOREIGN TABLE ware ADD CHECK (price < 10)",
        query: "INSERT INTO ware (id, price) VALUES (9, 99) RETURNING price",
        seen: Remote(["99"; 2], NO_WRITING),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "NOT VALID: is not assumed to hold",
        change: "ALTER FOREIGN TABLE ware ADD CHECK (price < 10) NOT VALID",
        query: DEAR,
        seen: Unchanged("1"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "NOT VALID: is recorded for possible future use",
        change: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10) NOT VALID",
        query: "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'ware'::regclass",
        seen: Both("", "cheap|f"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "only CHECK (and from 18 NOT NULL) is supported: no primary keys",
        change: "ALTER FOREIGN TABLE ware ADD PRIMARY KEY (id)",
        says: "ERROR 0A000 primary key constraints are not supported on foreign tables",
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "only CHECK (and from 18 NOT NULL) is supported: nothing unique",
        change: "ALTER FOREIGN TABLE ware ADD UNIQUE (id)",
        says: "ERROR 0A000 unique constraints are not supported on foreign tables",
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "only CHECK (and from 18 NOT NULL) is supported: no references",
        change: "ALTER FOREIGN TABLE ware ADD FOREIGN KEY (id) REFERENCES stock",
        says: "ERROR 0A000 foreign key constraints are not supported on foreign tables",
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "only CHECK (and from 18 NOT NULL) is supported: no exclusions",
        change: "ALTER FOREIGN TABLE ware ADD EXCLUDE (id WITH =)",
        says: "ERROR 0A000 exclusion constraints are not supported on foreign tables",
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "NOT NULL is a constraint of the table too: assumed by the planner, and not verified",
        since: 18,
        change: "ALTER FOREIGN TABLE ware ADD CONSTRAINT named NOT NULL name",
        query: NULLS,
        seen: Both("1", "0"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        // The page says that NOT VALID is allowed only for CHECK; PostgreSQL 18 takes it.
        states: "NOT NULL may be NOT VALID too, and is not assumed to hold then",
        since: 18,
        change: "ALTER FOREIGN TABLE ware ADD CONSTRAINT named NOT NULL name NOT VALID",
        query: NULLS,
        seen: Unchanged("1"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "NOT ENFORCED (CREATE FOREIGN TABLE): is not assumed to hold",
        since: 18,
        change: "ALTER FOREIGN TABLE ware ADD CHECK (price < 10) NOT ENFORCED",
        query: DEAR,
        seen: Unchanged("1"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "descendant tables are altered too",
        given: DESCEND,
        change: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10)",
        query: "SELECT conrelid::regclass FROM pg_constraint WHERE conname = 'cheap' ORDER BY 1",
        seen: Both("", "ware; kin"),
        ..EFFECT
    },
    Effect {
        form: "ADD table_constraint",
        states: "with ONLY only that table would be altered, which an inherited constraint does not allow",
        given: DESCEND,
        change: "ALTER FOREIGN TABLE ONLY ware ADD CONSTRAINT cheap CHECK (price < 10)",
        says: "ERROR 42P16 constraint must be added to child tables too",
        ..EFFECT
    },
    Effect {
        form: "VALIDATE CONSTRAINT",
        states: "future queries assume that it holds, and nothing verifies it",
        given: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10) NOT VALID",
        change: "ALTER FOREIGN TABLE ware VALIDATE CONSTRAINT cheap",
        query: DEAR,
        seen: Both("1", "0"),
        ..EFFECT
    },
    Effect {
        form: "VALIDATE CONSTRAINT",
        states: "marks the constraint as valid",
        given: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10) NOT VALID",
        change: "ALTER FOREIGN TABLE ware VALIDATE CONSTRAINT cheap",
        query: "SELECT convalidated FROM pg_constraint WHERE conname = 'cheap'",
        seen: Both("f", "t"),
        ..EFFECT
    },
    Effect {
        form: "VALIDATE CONSTRAINT",
        states: "the constraint must exist",
        change: "ALTER FOREIGN TABLE ware VALIDATE CONSTRAINT cheap",
        says: "ERROR 42704 constraint \"cheap\" of relation \"ware\" does not exist",
        ..EFFECT
    },
    Effect {
        form: "DROP CONSTRAINT",
        states: "the constraint is assumed no more",
        given: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10)",
        change: "ALTER FOREIGN TABLE ware DROP CONSTRAINT cheap RESTRICT",
        query: DEAR,
        seen: Both("0", "1"),
        ..EFFECT
    },
    Effect {
        form: "DROP CONSTRAINT",
        states: "CASCADE is taken; nothing can depend on a CHECK constraint of a foreign table",
        given: "ALTER FOREIGN TABLE ware ADD CONSTRAINT cheap CHECK (price < 10)",
        change: "ALTER FOREIGN TABLE ware DROP CONSTRAINT cheap CASCADE",
        query: DEAR,
        seen: Both("0", "1"),
        ..EFFECT
    },
    Effect {
        form: "DROP CONSTRAINT",
        states: "a NOT NULL constraint is dropped by its name too",
        since: 18,
        given: "ALTER FOREIGN TABLE ware ALTER name SET NOT NULL",
        change: "ALTER FOREIGN TABLE ware DROP CONSTRAINT ware_name_not_null",
        query: NULLS,
        seen: Both("0", "1"),
        ..EFFECT
    },
    Effect {
        form: "DROP CONSTRAINT",
        states: "IF EXISTS: a notice is issued if the constraint does not exist",
        change: "ALTER FOREIGN TABLE ware DROP CONSTRAINT IF EXISTS cheap",
        says: "NOTICE 00000 constraint \"cheap\" of relation \"ware\" does not exist, skipping",
        ..EFFECT
    },
    Effect {
        form: "DROP CONSTRAINT",
        states: "without IF EXISTS an error is thrown",
        change: "ALTER FOREIGN TABLE ware DROP CONSTRAINT cheap",
        says: "ERROR 42704 constraint \"cheap\" of relation \"ware\" does not exist",
        ..EFFECT
    },
];
