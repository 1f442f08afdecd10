//! Servers.

use crate::live::forms::row::{Row, SERVER, row, way};

const GRANTED: &str = "GRANT USAGE ON FOREIGN SERVER s TO forms_mapped WITH GRANT OPTION";
const OWNED: &str = "GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_owner; ALTER SERVER s OWNER TO forms_owner";
const WRAPPER_OWNED: &str = "ALTER FOREIGN DATA WRAPPER w OWNER TO forms_super";

pub fn rows() -> Vec<Row> {
    [existence(), attributes(), contents(), rights()].concat()
}

fn existence() -> Vec<Row> {
    let create = row(
        SERVER,
        "CREATE",
        [
            way("CREATE SERVER made FOREIGN DATA WRAPPER w"),
            way("CREATE SERVER IF NOT EXISTS made FOREIGN DATA WRAPPER w"),
            way("CREATE SERVER made TYPE 'kind' VERSION '1' FOREIGN DATA WRAPPER w OPTIONS (a '1')"),
        ],
    )
    .each(|way| way.of("made"))
    .unlike(way("CREATE SERVER IF NOT EXISTS s FOREIGN DATA WRAPPER w").changing_nothing())
    .found_only_by(&[("server", "made"), ("wrapper", "w")]);
    let drop = row(
        SERVER,
        "DROP",
        [way("DROP SERVER gone"), way("DROP SERVER IF EXISTS gone"), way("DROP SERVER gone, loopback CASCADE")],
    )
    .each(|way| way.of("gone").after("CREATE SERVER gone FOREIGN DATA WRAPPER w"))
    .and([
        way("DROP SERVER s CASCADE"),
        way("DROP FOREIGN DATA WRAPPER w CASCADE"),
        way("DROP OWNED BY forms_owner CASCADE").after(OWNED),
        way("DROP OWNED BY forms_super CASCADE").after(WRAPPER_OWNED),
        way("DROP FUNCTION usual() CASCADE").after(
            "CREATE FUNCTION usual() RETURNS fdw_handler LANGUAGE c AS '$libdir/postgres_fdw', 'postgres_fdw_handler'; \
             ALTER FOREIGN DATA WRAPPER w HANDLER usual",
        ),
        way("DROP EXTENSION file_fdw CASCADE")
            .of("files")
            .after("CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw"),
    ])
    .unlike(way("DROP SERVER IF EXISTS no_such").changing_nothing())
    .unlike(way("DROP USER MAPPING FOR forms_mapped SERVER s"))
    .found_only_by(&[("server", "gone"), ("wrapper", "w")]);
    vec![create, drop]
}

fn attributes() -> Vec<Row> {
    vec![
        row(
            SERVER,
            "OPTIONS",
            [
                way("ALTER SERVER s OPTIONS (ADD b '2')"),
                way("ALTER SERVER s OPTIONS (b '2')"),
                way("ALTER SERVER s OPTIONS (SET a '2')"),
                way("ALTER SERVER s OPTIONS (DROP a)"),
                way("ALTER SERVER s VERSION '2' OPTIONS (SET a '2')").also(&["VERSION"]),
                way("ALTER SERVER s VERSION '2' OPTIONS (SET a '1')").in_vain().also(&["VERSION"]),
                way("ALTER SERVER s OPTIONS (SET a '1')").changing_nothing(),
            ],
        ),
        row(
            SERVER,
            "VERSION",
            [
                way("ALTER SERVER s VERSION '2'"),
                way("ALTER SERVER s VERSION NULL"),
                way("ALTER SERVER s VERSION '2' OPTIONS (DROP a)").also(&["OPTIONS"]),
                way("ALTER SERVER s VERSION '1' OPTIONS (DROP a)").in_vain().also(&["OPTIONS"]),
                way("ALTER SERVER s VERSION '1'").changing_nothing(),
            ],
        ),
        row(
            SERVER,
            "OWNER TO",
            [
                way("ALTER SERVER s OWNER TO forms_owner"),
                way("ALTER SERVER s OWNER TO forms_owner").after(GRANTED),
                way("ALTER SERVER s OWNER TO SESSION_USER").after(OWNED),
                way("REASSIGN OWNED BY forms_owner TO postgres").after(OWNED),
                way("ALTER SERVER s OWNER TO CURRENT_ROLE").changing_nothing(),
            ],
        ),
        row(SERVER, "RENAME TO", [way("ALTER SERVER s RENAME TO s2")]).found_by("server", "s2").leaves("server", "s"),
    ]
}

fn contents() -> Vec<Row> {
    let import = row(
        SERVER,
        "IMPORT FOREIGN SCHEMA",
        [
            way("IMPORT FOREIGN SCHEMA far_away FROM SERVER loopback INTO public"),
            way("IMPORT FOREIGN SCHEMA far_away LIMIT TO (far) FROM SERVER loopback INTO elsewhere"),
            way("IMPORT FOREIGN SCHEMA far_away EXCEPT (near) FROM SERVER loopback INTO public \
                 OPTIONS (import_default 'true')"),
        ],
    );
    vec![import.each(|way| way.of("loopback")).found_only_by(&[("server", "loopback"), ("wrapper", "postgres_fdw")])]
}

fn rights() -> Vec<Row> {
    vec![
        row(
            SERVER,
            "GRANT",
            [
                way("GRANT USAGE ON FOREIGN SERVER s TO forms_mapped"),
                way("GRANT ALL ON FOREIGN SERVER s TO forms_mapped WITH GRANT OPTION"),
                way("GRANT USAGE ON FOREIGN SERVER s TO PUBLIC"),
                way("GRANT USAGE ON FOREIGN SERVER loopback, s TO forms_mapped"),
                way("CREATE SCHEMA made GRANT USAGE ON FOREIGN SERVER s TO forms_mapped"),
                way("GRANT USAGE ON FOREIGN SERVER s TO forms_mapped WITH GRANT OPTION")
                    .after("GRANT USAGE ON FOREIGN SERVER s TO forms_mapped"),
            ],
        ),
        row(
            SERVER,
            "REVOKE",
            [
                way("REVOKE USAGE ON FOREIGN SERVER s FROM forms_mapped"),
                way("REVOKE ALL ON FOREIGN SERVER s FROM forms_mapped CASCADE"),
                way("REVOKE GRANT OPTION FOR USAGE ON FOREIGN SERVER s FROM forms_mapped"),
                way("DROP OWNED BY forms_mapped"),
            ],
        )
        .after(GRANTED),
    ]
}
