//! Foreign-data wrappers.

use crate::live::forms::row::{Row, WRAPPER, row, way};

const WITH_HANDLER: &str = "ALTER FOREIGN DATA WRAPPER w HANDLER postgres_fdw_handler";
const WITH_VALIDATOR: &str = "ALTER FOREIGN DATA WRAPPER w VALIDATOR postgresql_fdw_validator OPTIONS (DROP a)";
const GRANTED: &str = "GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_mapped WITH GRANT OPTION";
/// A handler of a schema of its own, so that the wrapper can go with either.
const WITH_OWN_HANDLER: &str = "CREATE SCHEMA handlers; \
     CREATE FUNCTION handlers.own() RETURNS fdw_handler LANGUAGE c AS '$libdir/postgres_fdw', 'postgres_fdw_handler'; \
     CREATE FOREIGN DATA WRAPPER gone HANDLER handlers.own";

pub fn rows() -> Vec<Row> {
    [existence(), functions(), attributes(), rights()].concat()
}

fn existence() -> Vec<Row> {
    let create = row(
        WRAPPER,
        "CREATE",
        [
            way("CREATE FOREIGN DATA WRAPPER made").of("made"),
            way("CREATE FOREIGN DATA WRAPPER made HANDLER postgres_fdw_handler \
                 VALIDATOR postgres_fdw_validator")
            .of("made"),
            way("CREATE EXTENSION file_fdw").of("file_fdw"),
        ],
    );
    let dropped = |statement: &str| way(statement).of("gone");
    let drop = row(
        WRAPPER,
        "DROP",
        [
            dropped("DROP FOREIGN DATA WRAPPER gone"),
            dropped("DROP FOREIGN DATA WRAPPER IF EXISTS gone"),
            dropped("DROP FOREIGN DATA WRAPPER no_such, gone RESTRICT").after("CREATE FOREIGN DATA WRAPPER no_such"),
        ],
    )
    .after("CREATE FOREIGN DATA WRAPPER gone")
    .and([
        way("DROP FOREIGN DATA WRAPPER w CASCADE"),
        dropped("DROP FUNCTION handlers.own() CASCADE").after(WITH_OWN_HANDLER),
        dropped("DROP SCHEMA handlers CASCADE").after(WITH_OWN_HANDLER),
        way("DROP OWNED BY forms_super CASCADE").after("ALTER FOREIGN DATA WRAPPER w OWNER TO forms_super"),
        way("DROP EXTENSION file_fdw").of("file_fdw").after("CREATE EXTENSION file_fdw"),
        way("DROP FOREIGN DATA WRAPPER file_fdw")
            .of("file_fdw")
            .after("CREATE EXTENSION file_fdw; ALTER EXTENSION file_fdw DROP FOREIGN DATA WRAPPER file_fdw"),
    ]);
    vec![
        create.found_only_by(&[("wrapper", "made"), ("wrapper", "m?de")]),
        drop.unlike(way("DROP FOREIGN DATA WRAPPER IF EXISTS no_such").changing_nothing())
            .found_only_by(&[("wrapper", "gone"), ("wrapper", "g*")]),
    ]
}

fn functions() -> Vec<Row> {
    vec![
        row(
            WRAPPER,
            "HANDLER",
            [
                way("ALTER FOREIGN DATA WRAPPER w HANDLER postgres_fdw_handler"),
                way("ALTER FOREIGN DATA WRAPPER w HANDLER postgres_fdw_handler OPTIONS (ADD b '2')").also(&["OPTIONS"]),
                way("ALTER FOREIGN DATA WRAPPER w HANDLER handlers.own")
                    .after(format!("{WITH_OWN_HANDLER}; {WITH_HANDLER}")),
                way(WITH_HANDLER).after(WITH_HANDLER).changing_nothing(),
            ],
        ),
        row(
            WRAPPER,
            "NO HANDLER",
            [
                way("ALTER FOREIGN DATA WRAPPER w NO HANDLER"),
                way("ALTER FOREIGN DATA WRAPPER w NO HANDLER VALIDATOR postgresql_fdw_validator OPTIONS (DROP a)")
                    .also(&["VALIDATOR", "OPTIONS"]),
            ],
        )
        .after(WITH_HANDLER)
        .and([way("ALTER FOREIGN DATA WRAPPER w NO HANDLER").changing_nothing()]),
        row(
            WRAPPER,
            "VALIDATOR",
            [
                way("ALTER FOREIGN DATA WRAPPER w VALIDATOR postgresql_fdw_validator").after(WITHOUT_OPTIONS),
                way("ALTER FOREIGN DATA WRAPPER w NO HANDLER VALIDATOR postgresql_fdw_validator")
                    .after(WITHOUT_OPTIONS)
                    .also(&["NO HANDLER"]),
                way("ALTER FOREIGN DATA WRAPPER w VALIDATOR postgres_fdw_validator").after(WITH_VALIDATOR),
                way("ALTER FOREIGN DATA WRAPPER w VALIDATOR postgresql_fdw_validator")
                    .after(WITH_VALIDATOR)
                    .changing_nothing(),
                way("ALTER FOREIGN DATA WRAPPER w VALIDATOR elsewhere.postgres_fdw_validator").after(
                    "CREATE FUNCTION elsewhere.postgres_fdw_validator(text[], oid) RETURNS void LANGUAGE sql AS ''; \
                     ALTER FOREIGN DATA WRAPPER w VALIDATOR postgres_fdw_validator OPTIONS (DROP a)",
                ),
            ],
        ),
        row(
            WRAPPER,
            "NO VALIDATOR",
            [
                way("ALTER FOREIGN DATA WRAPPER w NO VALIDATOR"),
                way("ALTER FOREIGN DATA WRAPPER w NO VALIDATOR OPTIONS (ADD b '2')").also(&["OPTIONS"]),
                way("ALTER FOREIGN DATA WRAPPER w NO VALIDATOR HANDLER postgres_fdw_handler").also(&["HANDLER"]),
            ],
        )
        .after(WITH_VALIDATOR)
        .and([
            way("ALTER FOREIGN DATA WRAPPER postgres_fdw NO VALIDATOR").of("postgres_fdw"),
            way("ALTER FOREIGN DATA WRAPPER w NO VALIDATOR").changing_nothing(),
        ]),
    ]
}

const WITHOUT_OPTIONS: &str = "ALTER FOREIGN DATA WRAPPER w OPTIONS (DROP a)";

fn attributes() -> Vec<Row> {
    vec![
        row(
            WRAPPER,
            "OPTIONS",
            [
                way("ALTER FOREIGN DATA WRAPPER w OPTIONS (ADD b '2')"),
                way("ALTER FOREIGN DATA WRAPPER w OPTIONS (b '2')"),
                way("ALTER FOREIGN DATA WRAPPER w OPTIONS (SET a '2')"),
                way("ALTER FOREIGN DATA WRAPPER w OPTIONS (DROP a)"),
                way("ALTER FOREIGN DATA WRAPPER w OPTIONS (SET a '1')").changing_nothing(),
                way("ALTER FOREIGN DATA WRAPPER w NO VALIDATOR OPTIONS (SET a '1')")
                    .changing_nothing()
                    .also(&["NO VALIDATOR"]),
            ],
        ),
        row(
            WRAPPER,
            "OWNER TO",
            [
                way("ALTER FOREIGN DATA WRAPPER w OWNER TO forms_super"),
                way("ALTER FOREIGN DATA WRAPPER w OWNER TO forms_super").after(GRANTED),
                way("ALTER FOREIGN DATA WRAPPER w OWNER TO CURRENT_USER").after(OWNED),
                way("REASSIGN OWNED BY forms_super TO postgres").after(OWNED),
                way("ALTER FOREIGN DATA WRAPPER w OWNER TO CURRENT_USER").changing_nothing(),
            ],
        ),
        row(WRAPPER, "RENAME TO", [way("ALTER FOREIGN DATA WRAPPER w RENAME TO w2")])
            .found_by("wrapper", "w2")
            .leaves("wrapper", "w"),
    ]
}

const OWNED: &str = "ALTER FOREIGN DATA WRAPPER w OWNER TO forms_super";

fn rights() -> Vec<Row> {
    vec![
        row(
            WRAPPER,
            "GRANT",
            [
                way("GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_mapped"),
                way("GRANT ALL PRIVILEGES ON FOREIGN DATA WRAPPER w TO forms_mapped WITH GRANT OPTION"),
                way("GRANT USAGE ON FOREIGN DATA WRAPPER w TO PUBLIC"),
                way("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw, w TO forms_mapped"),
                way("CREATE SCHEMA made GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_mapped"),
                way("GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_mapped WITH GRANT OPTION")
                    .after("GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_mapped"),
            ],
        ),
        row(
            WRAPPER,
            "REVOKE",
            [
                way("REVOKE USAGE ON FOREIGN DATA WRAPPER w FROM forms_mapped"),
                way("REVOKE ALL PRIVILEGES ON FOREIGN DATA WRAPPER w FROM forms_mapped CASCADE"),
                way("REVOKE GRANT OPTION FOR USAGE ON FOREIGN DATA WRAPPER w FROM forms_mapped"),
                way("DROP OWNED BY forms_mapped"),
            ],
        )
        .after(GRANTED),
    ]
}
