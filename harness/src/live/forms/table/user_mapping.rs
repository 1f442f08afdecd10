//! User mappings.

use crate::live::forms::row::{Row, USER_MAPPING, Way, row, way};

/// The words by which the pages let a role be named, and the role that each is here.
const NAMES: [(&str, &str); 5] = [
    ("USER", "postgres"),
    ("CURRENT_ROLE", "postgres"),
    ("CURRENT_USER", "postgres"),
    ("SESSION_USER", "postgres"),
    ("PUBLIC", "public"),
];

pub fn rows() -> Vec<Row> {
    vec![create(), options(), drop()]
}

fn create() -> Row {
    row(
        USER_MAPPING,
        "CREATE",
        [
            way("CREATE USER MAPPING FOR forms_heir SERVER s").of("forms_heir"),
            way("CREATE USER MAPPING IF NOT EXISTS FOR forms_heir SERVER s OPTIONS (a '1')").of("forms_heir"),
        ],
    )
    .and(NAMES.map(|(name, role)| way(format!("CREATE USER MAPPING FOR {name} SERVER s OPTIONS (a '1')")).of(role)))
    .unlike(way("CREATE USER MAPPING IF NOT EXISTS FOR forms_mapped SERVER s").changing_nothing())
    .found_only_by(&[("role", "forms_heir"), ("server", "s"), ("wrapper", "w")])
}

fn options() -> Row {
    row(
        USER_MAPPING,
        "OPTIONS",
        [
            way("ALTER USER MAPPING FOR forms_mapped SERVER s OPTIONS (ADD b '2')"),
            way("ALTER USER MAPPING FOR forms_mapped SERVER s OPTIONS (b '2')"),
            way("ALTER USER MAPPING FOR forms_mapped SERVER s OPTIONS (SET a '2')"),
            way("ALTER USER MAPPING FOR forms_mapped SERVER s OPTIONS (DROP a)"),
            way("ALTER USER MAPPING FOR forms_mapped SERVER s OPTIONS (SET a '1')").changing_nothing(),
        ],
    )
    .and(on_each("ALTER USER MAPPING FOR", "OPTIONS (SET a '2')"))
}

fn drop() -> Row {
    row(
        USER_MAPPING,
        "DROP",
        [
            way("DROP USER MAPPING FOR forms_mapped SERVER s"),
            way("DROP USER MAPPING IF EXISTS FOR forms_mapped SERVER s"),
            way("DROP SERVER s CASCADE"),
            way("DROP FOREIGN DATA WRAPPER w CASCADE"),
            way("DROP OWNED BY forms_mapped"),
            way("DROP OWNED BY forms_super CASCADE").after("ALTER FOREIGN DATA WRAPPER w OWNER TO forms_super"),
            way("DROP OWNED BY forms_owner CASCADE")
                .after("GRANT USAGE ON FOREIGN DATA WRAPPER w TO forms_owner; ALTER SERVER s OWNER TO forms_owner"),
        ],
    )
    .and(on_each("DROP USER MAPPING FOR", ""))
    .unlike(way("DROP USER MAPPING IF EXISTS FOR forms_heir SERVER s").changing_nothing())
}

/// The statement for the mapping of each role that has a word of its own.
fn on_each(verb: &str, end: &str) -> Vec<Way> {
    let on = |(name, role): (&str, &'static str)| {
        way(format!("{verb} {name} SERVER s {end}"))
            .of(role)
            .after(format!("CREATE USER MAPPING FOR {name} SERVER s OPTIONS (a '1')"))
    };
    NAMES.into_iter().map(on).collect()
}
