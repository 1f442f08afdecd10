//! Columns: which there are, of what type, under which names, with which options and defaults.

use super::Seen::{Both, Each, File, Remote, Unchanged};
use super::{DESCEND, EFFECT, Effect, NO_WRITING};

const ALL: &str = "SELECT * FROM ware";
const WHOLE: &str = "1|pen|9.50; 2|Ink|20.25; 3|NULL|3";
const TWO: &str = "1|pen; 2|Ink; 3|NULL";
const TOO_MANY: &str = "ERROR 22P04 extra data after last expected column";

const SHAPE: &str = "SELECT * FROM shape";
const SHAPES: (&str, &str) =
    ("id integer true; name text false; price numeric false; colour text false", "1,pen,9.50; 2,Ink,20.25; 3,,3");
const SAME_SHAPE: super::Seen = Each([SHAPES.0, SHAPES.0], [SHAPES.1, SHAPES.1]);

const NOT_POSITIONAL: &str = "postgres_fdw has no option that changes how a value is read";
const NOT_NAMED: &str = "file_fdw finds columns by their place, not by a name";

pub const EFFECTS: &[Effect] = &[
    Effect {
        form: "ADD COLUMN",
        states: "some new column is now accessible through the foreign table",
        given: "ALTER FOREIGN TABLE ware DROP price",
        change: "ALTER FOREIGN TABLE ware ADD COLUMN price numeric",
        query: ALL,
        seen: Each([TWO, WHOLE], [TOO_MANY, WHOLE]),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "the same syntax as CREATE FOREIGN TABLE; the default does not change the rows that are there",
        change: "ALTER FOREIGN TABLE ware ADD tint text OPTIONS (column_name 'colour') COLLATE \"C\" \
                 DEFAULT 'green' NOT NULL CHECK (tint > 'a')",
        query: "SELECT id, tint, pg_collation_for(tint) FROM ware",
        seen: Remote(
            ["ERROR 42703 column \"tint\" does not exist", "1|red|\"C\"; 2|blue|\"C\"; 3|white|\"C\""],
            NOT_NAMED,
        ),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "the default of a new column applies to INSERT, and a column without one is inserted as null",
        change: "ALTER FOREIGN TABLE ware ADD colour text DEFAULT 'green'",
        query: "INSERT INTO ware (id) VALUES (9); SELECT ware.* FROM ware WHERE id = 9",
        seen: Remote(["9|NULL|NULL", "9|NULL|NULL|green"], NO_WRITING),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "nothing happens to the underlying storage",
        change: "ALTER FOREIGN TABLE ware ADD COLUMN weight int DEFAULT 5 NOT NULL",
        query: SHAPE,
        seen: SAME_SHAPE,
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "consistency with the foreign server is not checked",
        change: "ALTER FOREIGN TABLE ware ADD COLUMN weight int",
        query: ALL,
        seen: Each(
            [WHOLE, "ERROR 42703 column \"weight\" does not exist"],
            [WHOLE, "ERROR 22P04 missing data for column \"weight\""],
        ),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "IF NOT EXISTS: if a column already exists with this name, no error is thrown",
        change: "ALTER FOREIGN TABLE ware ADD COLUMN IF NOT EXISTS price int",
        says: "NOTICE 42701 column \"price\" of relation \"ware\" already exists, skipping",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "without IF NOT EXISTS an error is thrown",
        change: "ALTER FOREIGN TABLE ware ADD COLUMN price int",
        says: "ERROR 42701 column \"price\" of relation \"ware\" already exists",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "IF EXISTS: a notice is issued if the table does not exist",
        change: "ALTER FOREIGN TABLE IF EXISTS nowhere ADD weight int, ADD colour text",
        says: "NOTICE 00000 relation \"nowhere\" does not exist, skipping",
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "without IF EXISTS an error is thrown",
        change: "ALTER FOREIGN TABLE nowhere ADD weight int",
        says: "ERROR 42P01 relation \"nowhere\" does not exist",
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "all actions except RENAME and SET SCHEMA can be combined, several columns too",
        given: "ALTER FOREIGN TABLE ware DROP name, DROP price",
        change: "ALTER FOREIGN TABLE ware ADD name varchar, ADD COLUMN price text, ALTER id TYPE bigint, \
                 ADD CHECK (id > 0), ALTER name SET NOT NULL",
        query: "SELECT *, pg_typeof(id) FROM ware",
        seen: Each(
            ["1|integer; 2|integer; 3|integer", "1|pen|9.50|bigint; 2|Ink|20.25|bigint; 3|NULL|3|bigint"],
            [TOO_MANY, "1|pen|9.50|bigint; 2|Ink|20.25|bigint; 3|NULL|3|bigint"],
        ),
        ..EFFECT
    },
    Effect {
        form: "ADD COLUMN",
        states: "descendant tables are altered too, with * as without it",
        given: DESCEND,
        change: "ALTER FOREIGN TABLE ware ADD a int; ALTER FOREIGN TABLE ware * ADD b int",
        query: "SELECT string_agg(column_name, ' ' ORDER BY attnum) FROM names WHERE table_name = 'kin'",
        seen: Both("id name price", "id name price a b"),
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "drops a column",
        change: "ALTER FOREIGN TABLE ware DROP COLUMN price",
        query: ALL,
        seen: Each([WHOLE, TWO], [WHOLE, TOO_MANY]),
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "the remote side is neither changed nor checked",
        change: "ALTER FOREIGN TABLE ware DROP name",
        query: SHAPE,
        seen: SAME_SHAPE,
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "without CASCADE, or with RESTRICT, it is refused if anything outside the table depends on the column",
        given: "CREATE VIEW prices AS SELECT price FROM ware",
        change: "ALTER FOREIGN TABLE ware DROP price",
        says: "ERROR 2BP01 cannot drop column price of foreign table ware because other objects depend on it",
        query: "ALTER FOREIGN TABLE ware DROP price RESTRICT",
        seen: Unchanged(
            "ERROR 2BP01 cannot drop column price of foreign table ware because other objects depend on it",
        ),
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "CASCADE drops what depends on the column, and in turn what depends on that",
        given: "CREATE VIEW prices AS SELECT price FROM ware; CREATE VIEW high AS SELECT * FROM prices",
        change: "ALTER FOREIGN TABLE ware DROP price CASCADE",
        says: "NOTICE 00000 drop cascades to 2 other objects",
        query: "SELECT to_regclass('prices'), to_regclass('high')",
        seen: Both("prices|high", "NULL|NULL"),
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "IF EXISTS: a notice is issued if the column does not exist",
        change: "ALTER FOREIGN TABLE ware DROP COLUMN IF EXISTS weight",
        says: "NOTICE 00000 column \"weight\" of relation \"ware\" does not exist, skipping",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "without IF EXISTS an error is thrown",
        change: "ALTER FOREIGN TABLE ware DROP weight",
        says: "ERROR 42703 column \"weight\" of relation \"ware\" does not exist",
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "the only column can be dropped, leaving a zero-column table",
        change: "ALTER FOREIGN TABLE goods DROP COLUMN id",
        query: "SELECT count(*) FROM goods; SELECT count(*) FROM names WHERE table_name = 'goods'",
        seen: Each(["100; 1", "100; 0"], ["100; 1", TOO_MANY]),
        ..EFFECT
    },
    Effect {
        form: "DROP COLUMN",
        states: "with ONLY only that table is altered",
        given: DESCEND,
        change: "ALTER FOREIGN TABLE ware DROP name; ALTER FOREIGN TABLE ONLY ware DROP price",
        query: "SELECT string_agg(column_name, ' ' ORDER BY attnum) FROM names WHERE table_name = 'kin'",
        seen: Both("id name price", "id price"),
        ..EFFECT
    },
    Effect {
        form: "SET DATA TYPE",
        states: "changes the type that PostgreSQL believes the column to have",
        change: "ALTER FOREIGN TABLE ware ALTER COLUMN price SET DATA TYPE text",
        query: "SELECT pg_typeof(max(p)), max(p) FROM (SELECT price AS p FROM ware OFFSET 0) AS here",
        seen: Both("numeric|20.25", "text|9.50"),
        ..EFFECT
    },
    Effect {
        form: "SET DATA TYPE",
        states: "values are read as the new type says",
        change: "ALTER FOREIGN TABLE ware ALTER price TYPE numeric(6, 1)",
        query: ALL,
        seen: Both(WHOLE, "1|pen|9.5; 2|Ink|20.3; 3|NULL|3.0"),
        ..EFFECT
    },
    Effect {
        form: "SET DATA TYPE",
        states: "there is no effect on any underlying storage",
        change: "ALTER FOREIGN TABLE ware ALTER price TYPE text",
        query: SHAPE,
        seen: SAME_SHAPE,
        ..EFFECT
    },
    Effect {
        form: "SET DATA TYPE",
        states: "consistency with the foreign server is not checked",
        change: "ALTER FOREIGN TABLE ware ALTER name TYPE int",
        query: ALL,
        seen: Both(WHOLE, "ERROR 22P02 invalid input syntax for type integer: \"pen\""),
        ..EFFECT
    },
    Effect {
        form: "SET DATA TYPE",
        states: "COLLATE: values are compared by the new collation, if it goes with the other value's",
        change: "ALTER FOREIGN TABLE ware ALTER name TYPE text COLLATE \"POSIX\"",
        query: "SELECT name < column_name FROM ware, names WHERE id = 2 AND table_name = 'goods'",
        seen: Both("t", "ERROR 42P22 could not determine which collation to use for string comparison"),
        ..EFFECT
    },
    Effect {
        form: "SET DEFAULT",
        states: "the default applies in subsequent INSERT and UPDATE commands",
        change: "ALTER FOREIGN TABLE ware ALTER name SET DEFAULT 'new'",
        query: "INSERT INTO ware (id) VALUES (9) RETURNING name; UPDATE ware SET name = DEFAULT WHERE id = 1 RETURNING name",
        seen: Remote(["NULL; NULL", "new; new"], NO_WRITING),
        ..EFFECT
    },
    Effect {
        form: "SET DEFAULT",
        states: "rows already in the table do not change",
        change: "ALTER FOREIGN TABLE ware ALTER name SET DEFAULT 'new'",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "SET DEFAULT",
        states: "file_fdw refuses INSERT, with a default as without one",
        change: "ALTER FOREIGN TABLE ware ALTER name SET DEFAULT 'new'",
        query: "INSERT INTO ware (id) VALUES (9)",
        seen: Each(["", ""], ["ERROR 0A000 cannot insert into foreign table \"ware\""; 2]),
        ..EFFECT
    },
    Effect {
        form: "DROP DEFAULT",
        states: "removes the default value",
        given: "ALTER FOREIGN TABLE ware ALTER name SET DEFAULT 'new'",
        change: "ALTER FOREIGN TABLE ware ALTER name DROP DEFAULT",
        query: "INSERT INTO ware (id) VALUES (9) RETURNING name; UPDATE ware SET name = DEFAULT WHERE id = 1 RETURNING name",
        seen: Remote(["new; new", "NULL; NULL"], NO_WRITING),
        ..EFFECT
    },
    Effect {
        form: "SET STORAGE",
        states: "sets the storage mode",
        change: "ALTER FOREIGN TABLE ware ALTER name SET STORAGE EXTERNAL",
        query: "SELECT attstorage FROM pg_attribute WHERE attrelid = 'ware'::regclass AND attname = 'name'",
        seen: Both("x", "e"),
        ..EFFECT
    },
    Effect {
        form: "SET STORAGE",
        states: "the mode has no effect unless the wrapper pays attention to it, which these two do not",
        change: "ALTER FOREIGN TABLE ware ALTER name SET STORAGE PLAIN, ALTER price SET STORAGE MAIN",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "SET STORAGE",
        states: "what is of fixed length can only be PLAIN (ALTER TABLE)",
        change: "ALTER FOREIGN TABLE ware ALTER id SET STORAGE MAIN",
        says: "ERROR 0A000 column data type integer can only have storage PLAIN",
        ..EFFECT
    },
    Effect {
        form: "SET STORAGE",
        states: "DEFAULT is the mode of the column's type",
        since: 16,
        given: "ALTER FOREIGN TABLE ware ALTER price SET STORAGE EXTERNAL",
        change: "ALTER FOREIGN TABLE ware ALTER price SET STORAGE DEFAULT",
        query: "SELECT attstorage FROM pg_attribute WHERE attrelid = 'ware'::regclass AND attname = 'price'",
        seen: Both("e", "m"),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "changes options of a column; ADD is assumed if no operation is specified",
        change: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (column_name 'colour')",
        query: ALL,
        seen: Remote([WHOLE, "1|red|9.50; 2|blue|20.25; 3|white|3"], NOT_NAMED),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "SET changes an option of a column",
        given: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (ADD column_name 'gone')",
        change: "ALTER FOREIGN TABLE ware ALTER COLUMN name OPTIONS (SET column_name 'colour')",
        query: ALL,
        seen: Remote(["ERROR 42703 column \"gone\" does not exist", "1|red|9.50; 2|blue|20.25; 3|white|3"], NOT_NAMED),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "DROP removes an option of a column",
        given: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (ADD column_name 'colour')",
        change: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (DROP column_name)",
        query: ALL,
        seen: Remote(["1|red|9.50; 2|blue|20.25; 3|white|3", WHOLE], NOT_NAMED),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "changes how a value is read, by ADD, SET, DROP and without either",
        change: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (force_not_null 'false'); \
                 ALTER FOREIGN TABLE ware ALTER name OPTIONS (SET force_not_null 'true'); \
                 ALTER FOREIGN TABLE ware ALTER price OPTIONS (ADD force_null 'true'); \
                 ALTER FOREIGN TABLE ware ALTER price OPTIONS (DROP force_null)",
        query: ALL,
        seen: File([WHOLE, "1|pen|9.50; 2|Ink|20.25; 3||3"], NOT_POSITIONAL),
        ..EFFECT
    },
    Effect {
        form: "RENAME COLUMN",
        states: "changes the name of an individual column, which postgres_fdw then looks for at the remote end",
        change: "ALTER FOREIGN TABLE ware RENAME COLUMN name TO title",
        query: "SELECT * FROM ware WHERE id = 1",
        seen: Each(["1|pen|9.50", "ERROR 42703 column \"title\" does not exist"], ["1|pen|9.50"; 2]),
        ..EFFECT
    },
    Effect {
        form: "RENAME COLUMN",
        states: "with column_name it keeps reading",
        given: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (column_name 'name')",
        change: "ALTER FOREIGN TABLE ware RENAME name TO title",
        query: "SELECT w.title FROM ware w",
        seen: Remote(["ERROR 42703 column w.title does not exist", "pen; Ink; NULL"], NOT_NAMED),
        ..EFFECT
    },
    Effect {
        form: "RENAME COLUMN",
        states: "file_fdw goes on reading by place",
        change: "ALTER FOREIGN TABLE ware RENAME name TO title",
        query: "SELECT w.title FROM ware w",
        seen: File(
            ["ERROR 42703 column w.title does not exist", "pen; Ink; NULL"],
            "postgres_fdw looks for the new name at the remote end",
        ),
        ..EFFECT
    },
    Effect {
        form: "RENAME COLUMN",
        states: "descendant tables are altered too, with * as without it",
        given: DESCEND,
        change: "ALTER FOREIGN TABLE ware RENAME name TO title; ALTER FOREIGN TABLE ware * RENAME price TO cost",
        query: "SELECT string_agg(column_name, ' ' ORDER BY attnum) FROM names WHERE table_name = 'kin'",
        seen: Both("id name price", "id title cost"),
        ..EFFECT
    },
    Effect {
        form: "RENAME COLUMN",
        states: "with ONLY only that table would be altered, which inherited columns do not allow",
        given: DESCEND,
        change: "ALTER FOREIGN TABLE ONLY ware RENAME name TO title",
        says: "ERROR 42P16 inherited column \"name\" must be renamed in child tables too",
        ..EFFECT
    },
    Effect {
        form: "RENAME COLUMN",
        states: "IF EXISTS: a notice is issued if the table does not exist",
        change: "ALTER FOREIGN TABLE IF EXISTS nowhere RENAME name TO title",
        says: "NOTICE 00000 relation \"nowhere\" does not exist, skipping",
        ..EFFECT
    },
];
