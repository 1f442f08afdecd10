//! The table as a whole: its options, name, place, owner and parents.

use super::Seen::{Both, Each, File, Remote, Unchanged};
use super::{EFFECT, Effect, OTHER_OPTION};

const ALL: &str = "SELECT * FROM ware";
const WHOLE: &str = "1|pen|9.50; 2|Ink|20.25; 3|NULL|3";
const ONE_IN_PARENT: &str = "SELECT * FROM stock";

/// A local row, so that the parent's own is told from the child's.
const OWN_ROW: &str = "INSERT INTO stock VALUES (0, 'own', 0)";

pub const EFFECTS: &[Effect] = &[
    Effect {
        form: "OPTIONS",
        states: "changes options of the table; ADD is assumed if no operation is specified",
        change: "ALTER FOREIGN TABLE goods OPTIONS (table_name 'ware')",
        query: "SELECT count(*) FROM goods",
        seen: Remote(["100", "3"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "ADD, SET and DROP specify the action",
        given: "ALTER FOREIGN TABLE goods OPTIONS (ADD table_name 'gone', ADD fetch_size '5')",
        change: "ALTER FOREIGN TABLE goods OPTIONS (SET table_name 'ware', DROP fetch_size, ADD batch_size '3')",
        query: "SELECT count(*) FROM goods",
        seen: Remote(["ERROR 42P01 relation \"public.gone\" does not exist", "3"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "changes how the file is read; ADD is assumed if no operation is specified",
        change: "ALTER FOREIGN TABLE ware OPTIONS (\"null\" 'pen')",
        query: ALL,
        seen: File([WHOLE, "1|NULL|9.50; 2|Ink|20.25; 3||3"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "ADD, SET and DROP specify the action",
        given: "ALTER FOREIGN TABLE ware OPTIONS (ADD \"null\" '3', ADD header 'true')",
        change: "ALTER FOREIGN TABLE ware OPTIONS (SET \"null\" 'pen', DROP header, ADD quote '!')",
        query: ALL,
        seen: File(["2|Ink|20.25; NULL||NULL", "1|NULL|9.50; 2|Ink|20.25; 3||3"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "duplicate option names are not allowed",
        change: "ALTER FOREIGN TABLE ware OPTIONS (ADD a '1', ADD a '2')",
        says: "ERROR 42710 option \"a\" provided more than once",
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        // Which is not what the page says.
        states: "but SET may name one twice, and the last counts",
        given: "ALTER FOREIGN TABLE goods OPTIONS (table_name 'goods')",
        change: "ALTER FOREIGN TABLE goods OPTIONS (SET table_name 'gone', SET table_name 'ware')",
        query: "SELECT count(*) FROM goods",
        seen: Remote(["100", "3"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "a table option and a column option may have the same name",
        given: "CREATE FOREIGN DATA WRAPPER anything; CREATE SERVER all_there FOREIGN DATA WRAPPER anything; \
                CREATE FOREIGN TABLE thing (a int) SERVER all_there",
        change: "ALTER FOREIGN TABLE thing OPTIONS (alias 'x'), ALTER a OPTIONS (alias 'y')",
        query: "SELECT ftoptions, attfdwoptions FROM pg_foreign_table JOIN pg_attribute ON attrelid = ftrelid \
                WHERE ftrelid = 'thing'::regclass AND attnum = 1",
        seen: Both("NULL|NULL", "{alias=x}|{alias=y}"),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "names are validated using the wrapper's library, a table's",
        change: "ALTER FOREIGN TABLE ware OPTIONS (nonsuch '1')",
        says: "ERROR HV00D invalid option \"nonsuch\"",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "names are validated using the wrapper's library, a column's",
        change: "ALTER FOREIGN TABLE ware ALTER name OPTIONS (nonsuch '1')",
        says: "ERROR HV00D invalid option \"nonsuch\"",
        query: ALL,
        seen: Unchanged(WHOLE),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "values are validated using the wrapper's library",
        change: "ALTER FOREIGN TABLE goods OPTIONS (ADD fetch_size '5')",
        query: "ALTER FOREIGN TABLE goods OPTIONS (SET fetch_size 'many')",
        seen: Remote(
            [
                "ERROR 42704 option \"fetch_size\" not found",
                "ERROR 22023 invalid value for integer option \"fetch_size\": many",
            ],
            OTHER_OPTION,
        ),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "values are validated using the wrapper's library",
        change: "ALTER FOREIGN TABLE ware OPTIONS (ADD delimiter ';')",
        query: "ALTER FOREIGN TABLE ware OPTIONS (SET delimiter 'long')",
        seen: File(
            [
                "ERROR 42704 option \"delimiter\" not found",
                "ERROR 0A000 COPY delimiter must be a single one-byte character",
            ],
            OTHER_OPTION,
        ),
        ..EFFECT
    },
    Effect {
        form: "OPTIONS",
        states: "IF EXISTS: a notice is issued if the table does not exist",
        change: "ALTER FOREIGN TABLE IF EXISTS nowhere OPTIONS (nonsuch '1')",
        says: "NOTICE 00000 relation \"nowhere\" does not exist, skipping",
        ..EFFECT
    },
    Effect {
        form: "SET WITHOUT OIDS",
        states: "never has an effect",
        change: "ALTER FOREIGN TABLE ware SET WITHOUT OIDS",
        query: "SELECT * FROM ware; SELECT xmin::text = pg_current_xact_id()::text FROM pg_class WHERE relname = 'ware'",
        seen: Unchanged("1|pen|9.50; 2|Ink|20.25; 3|NULL|3; f"),
        ..EFFECT
    },
    Effect {
        form: "INHERIT",
        states: "the table is a new child of the parent, which reads it",
        given: OWN_ROW,
        change: "ALTER FOREIGN TABLE ware INHERIT stock",
        query: ONE_IN_PARENT,
        seen: Both("0|own|0", "0|own|0; 1|pen|9.50; 2|Ink|20.25; 3|NULL|3"),
        ..EFFECT
    },
    Effect {
        form: "INHERIT",
        states: "the table must have all columns of the parent already (ALTER TABLE)",
        given: "ALTER TABLE stock ADD weight int",
        change: "ALTER FOREIGN TABLE ware INHERIT stock",
        says: "ERROR 42804 child table is missing column \"weight\"",
        ..EFFECT
    },
    Effect {
        form: "INHERIT",
        states: "the columns must have matching types (ALTER TABLE)",
        given: "ALTER TABLE stock ALTER price TYPE int",
        change: "ALTER FOREIGN TABLE ware INHERIT stock",
        says: "ERROR 42804 child table \"ware\" has different type for column \"price\"",
        ..EFFECT
    },
    Effect {
        form: "INHERIT",
        states: "what is NOT NULL in the parent must be so in the child (ALTER TABLE)",
        until: 17,
        given: "ALTER TABLE stock ALTER name SET NOT NULL",
        change: "ALTER FOREIGN TABLE ware INHERIT stock",
        says: "ERROR 42804 column \"name\" in child table must be marked NOT NULL",
        ..EFFECT
    },
    Effect {
        form: "INHERIT",
        states: "what is NOT NULL in the parent must be so in the child (ALTER TABLE)",
        since: 18,
        given: "ALTER TABLE stock ALTER name SET NOT NULL",
        change: "ALTER FOREIGN TABLE ware INHERIT stock",
        says: "ERROR 42804 column \"name\" in child table \"ware\" must be marked NOT NULL",
        ..EFFECT
    },
    Effect {
        form: "INHERIT",
        states: "there must be child constraints for all CHECK constraints of the parent (ALTER TABLE)",
        given: "ALTER TABLE stock ADD CONSTRAINT cheap CHECK (price < 10)",
        change: "ALTER FOREIGN TABLE ware INHERIT stock",
        says: "ERROR 42804 child table is missing constraint \"cheap\"",
        ..EFFECT
    },
    Effect {
        form: "NO INHERIT",
        states: "the parent reads the table no more",
        given: "INSERT INTO stock VALUES (0, 'own', 0); ALTER FOREIGN TABLE ware INHERIT stock",
        change: "ALTER FOREIGN TABLE ware NO INHERIT stock",
        query: ONE_IN_PARENT,
        seen: Both("0|own|0; 1|pen|9.50; 2|Ink|20.25; 3|NULL|3", "0|own|0"),
        ..EFFECT
    },
    Effect {
        form: "NO INHERIT",
        states: "the table must be a child of the parent",
        change: "ALTER FOREIGN TABLE ware NO INHERIT stock",
        says: "ERROR 42P01 relation \"stock\" is not a parent of relation \"ware\"",
        ..EFFECT
    },
    Effect {
        form: "OWNER TO",
        states: "changes the owner to the specified user, who then has the owner's rights",
        given: "CREATE ROLE effects_heir; GRANT CREATE ON SCHEMA public TO effects_heir",
        change: "ALTER FOREIGN TABLE ware OWNER TO effects_heir",
        query: "SET LOCAL ROLE effects_heir; ALTER FOREIGN TABLE ware ALTER name SET NOT NULL; SELECT 'done'",
        seen: Both("ERROR 42501 must be owner of foreign table ware", "done"),
        ..EFFECT
    },
    Effect {
        form: "OWNER TO",
        states: "CURRENT_ROLE and CURRENT_USER are the current user",
        given: "CREATE ROLE effects_heir SUPERUSER; ALTER FOREIGN TABLE ware OWNER TO effects_heir",
        change: "ALTER FOREIGN TABLE goods OWNER TO effects_heir; SET LOCAL ROLE effects_heir; \
                 ALTER FOREIGN TABLE goods OWNER TO CURRENT_USER; ALTER FOREIGN TABLE shape OWNER TO CURRENT_ROLE; \
                 ALTER FOREIGN TABLE ware OWNER TO SESSION_USER; RESET ROLE",
        query: "SELECT relname, relowner::regrole FROM pg_class \
                WHERE relname IN ('goods', 'shape', 'ware') ORDER BY relname",
        seen: Both(
            "goods|postgres; shape|postgres; ware|effects_heir",
            "goods|effects_heir; shape|effects_heir; ware|postgres",
        ),
        ..EFFECT
    },
    Effect {
        form: "OWNER TO",
        states: "IF EXISTS: a notice is issued if the table does not exist",
        change: "ALTER FOREIGN TABLE IF EXISTS nowhere OWNER TO CURRENT_USER",
        says: "NOTICE 00000 relation \"nowhere\" does not exist, skipping",
        ..EFFECT
    },
    Effect {
        form: "RENAME TO",
        states: "changes the name, which postgres_fdw then looks for at the remote end",
        change: "ALTER FOREIGN TABLE goods RENAME TO things; CREATE VIEW goods AS SELECT * FROM things",
        query: "SELECT count(*) FROM goods",
        seen: Each(["100", "ERROR 42P01 relation \"public.things\" does not exist"], ["100", "100"]),
        ..EFFECT
    },
    Effect {
        form: "RENAME TO",
        states: "with table_name it keeps reading",
        given: "ALTER FOREIGN TABLE goods OPTIONS (table_name 'goods')",
        change: "ALTER FOREIGN TABLE goods RENAME TO things",
        query: "SELECT count(*) FROM things",
        seen: Remote(["ERROR 42P01 relation \"things\" does not exist", "100"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "RENAME TO",
        states: "cannot be combined with other actions",
        change: "ALTER FOREIGN TABLE ware ADD weight int, RENAME TO things",
        says: "ERROR 42601 syntax error at or near \"RENAME\"",
        ..EFFECT
    },
    Effect {
        form: "RENAME TO",
        states: "IF EXISTS: a notice is issued if the table does not exist",
        change: "ALTER FOREIGN TABLE IF EXISTS nowhere RENAME TO things",
        says: "NOTICE 00000 relation \"nowhere\" does not exist, skipping",
        ..EFFECT
    },
    Effect {
        form: "SET SCHEMA",
        states: "moves the table into another schema, in which postgres_fdw then looks for it at the remote end",
        given: "CREATE SCHEMA elsewhere; SET LOCAL search_path = public, elsewhere",
        change: "ALTER FOREIGN TABLE goods SET SCHEMA elsewhere",
        query: "SELECT count(*) FROM goods",
        seen: Each(["100", "ERROR 42P01 relation \"elsewhere.goods\" does not exist"], ["100", "100"]),
        ..EFFECT
    },
    Effect {
        form: "SET SCHEMA",
        states: "with schema_name it keeps reading",
        given: "CREATE SCHEMA elsewhere; ALTER FOREIGN TABLE goods OPTIONS (schema_name 'public')",
        change: "ALTER FOREIGN TABLE goods SET SCHEMA elsewhere",
        query: "SELECT count(*) FROM elsewhere.goods",
        seen: Remote(["ERROR 42P01 relation \"elsewhere.goods\" does not exist", "100"], OTHER_OPTION),
        ..EFFECT
    },
    Effect {
        form: "SET SCHEMA",
        states: "cannot be combined with other actions",
        change: "ALTER FOREIGN TABLE ware ADD weight int, SET SCHEMA pg_catalog",
        says: "ERROR 42601 syntax error at or near \"SCHEMA\"",
        ..EFFECT
    },
    Effect {
        form: "SET SCHEMA",
        states: "IF EXISTS: a notice is issued if the table does not exist",
        change: "ALTER FOREIGN TABLE IF EXISTS nowhere SET SCHEMA public",
        says: "NOTICE 00000 relation \"nowhere\" does not exist, skipping",
        ..EFFECT
    },
];
