//! Random objects: the statements that make them.

use crate::database::{quote_ident, quote_literal};
use crate::random::Random;

const ROLES: [&str; 3] = ["ddl_owner", "ddl_reader", "\"Ddl Other\""];

const VALUES: [&str; 7] = ["", "plain", "it's", "back\\slash", "a=b", "two\nlines", "ü € 𝄞 */ --"];

const OPTIONS: [&str; 5] = ["a", "Mixed Case", "select", "quote\"d", "it's"];

const SERVERS: [&str; 5] = ["ddl_one", "Ddl Two", "select", "pg", "ddl'five"];

/// Wrappers, servers and user mappings.
pub fn objects(random: &mut Random) -> Vec<String> {
    let mut statements = vec![
        format!("CREATE FOREIGN DATA WRAPPER ddl_w {}", options(random)),
        "CREATE FOREIGN DATA WRAPPER \"ddl W\" HANDLER shop.handle VALIDATOR shop.validate".to_owned(),
        "COMMENT ON FOREIGN DATA WRAPPER \"ddl W\" IS 'it''s \\ odd'".to_owned(),
        "GRANT USAGE ON FOREIGN DATA WRAPPER \"ddl W\" TO ddl_reader WITH GRANT OPTION".to_owned(),
        "GRANT USAGE ON FOREIGN DATA WRAPPER ddl_w TO PUBLIC".to_owned(),
        "REVOKE ALL ON FOREIGN DATA WRAPPER ddl_w FROM postgres".to_owned(),
    ];
    for name in SERVERS {
        statements.extend(server(random, name));
    }
    statements
}

fn server(random: &mut Random, name: &str) -> Vec<String> {
    let server = quote_ident(name);
    let wrapper = match name {
        "pg" => "postgres_fdw",
        _ if random.once_in(2) => "ddl_w",
        _ => "\"ddl W\"",
    };
    let kind = if random.once_in(2) { "TYPE 'it''s' VERSION '1.0'" } else { "" };
    let given = if name == "pg" { "OPTIONS (host 'h', port '5432')".to_owned() } else { options(random) };
    let mut statements = vec![format!("CREATE SERVER {server} {kind} FOREIGN DATA WRAPPER {wrapper} {given}")];
    for role in ROLES {
        if random.once_in(2) {
            let given = if name == "pg" { "OPTIONS (user 'it''s', password_required 'true')" } else { "" };
            statements.push(format!("CREATE USER MAPPING FOR {role} SERVER {server} {given}"));
        }
    }
    let more = [
        format!("CREATE USER MAPPING FOR PUBLIC SERVER {server}"),
        format!("COMMENT ON SERVER {server} IS 'line\nbreak'"),
        format!("GRANT USAGE ON FOREIGN SERVER {server} TO ddl_reader WITH GRANT OPTION"),
        format!("GRANT USAGE ON FOREIGN SERVER {server} TO PUBLIC"),
        format!("REVOKE ALL ON FOREIGN SERVER {server} FROM postgres"),
    ];
    statements.extend(random.some_of(&more).into_iter().cloned());
    if statements.iter().any(|statement| statement.ends_with("GRANT OPTION")) {
        statements
            .push(format!("SET ROLE ddl_reader; GRANT USAGE ON FOREIGN SERVER {server} TO \"Ddl Other\"; RESET ROLE"));
    }
    statements
}

fn options(random: &mut Random) -> String {
    let given: Vec<String> = random
        .some_of(&OPTIONS)
        .into_iter()
        .map(|option| format!("{} {}", quote_ident(option), literal(random)))
        .collect();
    if given.is_empty() { String::new() } else { format!("OPTIONS ({})", given.join(", ")) }
}

fn literal(random: &mut Random) -> String {
    quote_literal(random.one_of(&VALUES).copied().unwrap_or_default())
}

/// Types of columns, each with a default and with what could generate it.
const TYPES: [(&str, &str, &str); 8] = [
    ("integer", "1 + 2", "2 * 3"),
    ("text", "'it''s'", "'a' || 'b'"),
    ("numeric(10,2)", "1.5", "2.5"),
    ("character varying(20)", "'x'::text", "'y'::text"),
    ("timestamp(3) with time zone", "now()", "'2020-01-01 00:00:00'::timestamp AT TIME ZONE 'UTC'"),
    ("shop.mood", "'it''s'::shop.mood", "'ok'::shop.mood"),
    ("\"Odd Schema\".\"Amount\"", "3", "4"),
    ("integer[]", "'{1,2}'", "ARRAY[1]"),
];

/// Foreign tables of every descent, with whatever can be in them.
pub fn tables(random: &mut Random, major: u32, count: usize) -> Vec<String> {
    let parent = format!(
        "CREATE FOREIGN TABLE shop.parent (\"Own\" date, p1_text text COLLATE \"C\", id integer, CONSTRAINT parent_check \
         CHECK (id <> 4)) SERVER ddl_one {}",
        options(random)
    );
    let default = "CREATE FOREIGN TABLE shop.rest PARTITION OF shop.parted DEFAULT SERVER ddl_one".to_owned();
    let tables = (0..count).flat_map(|number| table(random, major, number));
    [parent].into_iter().chain(tables).chain([default]).collect()
}

fn table(random: &mut Random, major: u32, number: usize) -> Vec<String> {
    let schema = random.one_of(&["public", "shop", "\"Odd Schema\""]).copied().unwrap_or_default();
    let name = format!("{schema}.\"T {number}'s\"");
    let server = random.one_of(&SERVERS[..3]).copied().unwrap_or_default();
    let on_server = format!("SERVER {} {}", quote_ident(server), options(random));
    let own = columns(random, major);
    let mut statements = match number % 8 {
        1 => inherited(random, &name, &own, "shop.p1", &on_server),
        2 => inherited(random, &name, &own, "shop.p1, \"Odd Schema\".p2", &on_server),
        3 => vec![
            format!(
                "CREATE FOREIGN TABLE {name} (id integer, \"Name\" text, p1_text text COLLATE \"C\", {own} \
                 p1_id integer NOT NULL, CONSTRAINT p1_check CHECK (shop.positive(p1_id))) {on_server}"
            ),
            format!("ALTER FOREIGN TABLE {name} INHERIT shop.p1"),
        ],
        4 => return partition(random, &name, number, &on_server),
        5 => vec![
            format!(
                "CREATE FOREIGN TABLE {name} (i bigint NOT NULL, gone text, v text DEFAULT 'own', k integer OPTIONS (a 'b') NOT NULL, CONSTRAINT parted_check CHECK (k > -1)) {on_server}"
            ),
            format!("ALTER FOREIGN TABLE {name} DROP COLUMN gone"),
            format!("ALTER TABLE shop.parted ATTACH PARTITION {name} FOR VALUES IN ({number}, {})", number + 1000),
            format!("COMMENT ON COLUMN {name}.v IS 'of a partition'"),
        ],
        6 => vec![
            // Columns that are its own and its parent's, from a parent that is a foreign table itself.
            format!(
                "CREATE FOREIGN TABLE {name} ({own} p1_text text COLLATE \"C\" DEFAULT 'both', id integer, \
                 \"Name\" text) INHERITS (shop.parent) {on_server}"
            ),
            format!("COMMENT ON CONSTRAINT parent_check ON {name} IS 'inherited'"),
        ],
        _ => vec![format!("CREATE FOREIGN TABLE {name} ({own} id integer, \"Name\" text) {on_server}")],
    };
    if number % 8 != 5 {
        statements.extend(changes(random, major, &name, number));
    }
    statements.extend(owning(random, &name));
    statements
}

/// Columns before the two that every table has; each ends in a comma.
fn columns(random: &mut Random, major: u32) -> String {
    let mut columns = String::new();
    for (number, (data_type, default, generated)) in TYPES.iter().enumerate() {
        if random.once_in(2) {
            continue;
        }
        let stored = if major >= 18 && !data_type.contains('.') && random.once_in(2) { "VIRTUAL" } else { "STORED" };
        let drawn = random.below(6);
        let data_type = if *data_type == "integer" && drawn == 5 { "serial" } else { data_type };
        let value = match drawn {
            0 => format!("DEFAULT {default}"),
            1 => format!("GENERATED ALWAYS AS ({generated}) {stored}"),
            2 if data_type == "integer" => {
                "GENERATED BY DEFAULT AS IDENTITY (START 5 INCREMENT 2 MINVALUE -9 MAXVALUE 99 CYCLE)".to_owned()
            }
            3 => "NOT NULL".to_owned(),
            _ => String::new(),
        };
        let collation = if data_type == "text" && random.once_in(2) { "COLLATE \"C\"" } else { "" };
        columns += &format!("\"c {number}\" {data_type} {} {collation} {value}, ", options(random));
    }
    columns
}

fn inherited(random: &mut Random, name: &str, own: &str, parents: &str, on_server: &str) -> Vec<String> {
    let alter = format!("ALTER FOREIGN TABLE {name} ALTER COLUMN");
    let changes = [
        format!("{alter} p1_text SET DEFAULT 'own'"),
        format!("{alter} p1_text SET NOT NULL"),
        format!("{alter} p1_text OPTIONS (ADD a 'b')"),
        format!("{alter} p1_id SET STATISTICS 12"),
        format!("{alter} p1_text SET STORAGE EXTENDED"),
        format!("{alter} p1_id DROP DEFAULT"),
        format!("COMMENT ON COLUMN {name}.p1_id IS 'inherited'"),
        format!("COMMENT ON CONSTRAINT p1_check ON {name} IS 'inherited'"),
    ];
    let without = if random.once_in(3) { "p1_id integer DEFAULT NULL, " } else { "" };
    let mut statements = vec![format!(
        "CREATE FOREIGN TABLE {name} ({own} {without}id integer, \"Name\" text) INHERITS ({parents}) {on_server}"
    )];
    statements.extend(random.some_of(&changes).into_iter().cloned());
    statements
}

fn partition(random: &mut Random, name: &str, number: usize, on_server: &str) -> Vec<String> {
    let trigger = if random.once_in(2) { "DISABLE" } else { "ENABLE ALWAYS" };
    let changes = [
        format!("ALTER FOREIGN TABLE {name} ALTER COLUMN v OPTIONS (ADD a 'b')"),
        format!("ALTER FOREIGN TABLE {name} {trigger} TRIGGER parted_row"),
        format!("CREATE TRIGGER own AFTER DELETE ON {name} EXECUTE FUNCTION \"Odd Schema\".\"Fire\"()"),
        format!("ALTER FOREIGN TABLE {name} ADD CONSTRAINT own CHECK (v <> '')"),
    ];
    let mut statements = vec![format!(
        "CREATE FOREIGN TABLE {name} PARTITION OF shop.parted (v DEFAULT 'of a partition') FOR VALUES IN ({number}) {on_server}"
    )];
    statements.extend(random.some_of(&changes).into_iter().cloned());
    statements.extend(owning(random, name));
    statements
}

/// What can be done to a table with the columns `id` and `Name`.
fn changes(random: &mut Random, major: u32, name: &str, number: usize) -> Vec<String> {
    let alter = format!("ALTER FOREIGN TABLE {name}");
    let fire = "EXECUTE FUNCTION \"Odd Schema\".\"Fire\"('it''s')";
    let mut changes = vec![
        format!("{alter} ALTER COLUMN id SET STATISTICS 77"),
        format!("{alter} ALTER COLUMN \"Name\" SET (n_distinct = -0.5, n_distinct_inherited = 3)"),
        format!("{alter} ALTER COLUMN \"Name\" SET STORAGE EXTERNAL"),
        format!("{alter} ALTER COLUMN \"Name\" SET NOT NULL"),
        format!("{alter} ALTER COLUMN id SET DEFAULT 3 * {number}"),
        format!("{alter} ADD CONSTRAINT \"Not Valid\" CHECK (\"Name\" <> 'it''s') NOT VALID"),
        format!("{alter} ADD CONSTRAINT valid CHECK (shop.positive(id))"),
        format!("{alter} ADD CONSTRAINT alone CHECK (id < 9) NO INHERIT; COMMENT ON CONSTRAINT alone ON {name} IS 'x'"),
        format!("{alter} ADD COLUMN gone text, ADD COLUMN later date; {alter} DROP COLUMN gone"),
        format!("CREATE TRIGGER \"Row\" BEFORE INSERT OR UPDATE OF id ON {name} FOR EACH ROW WHEN (NEW.id > 0) {fire}"),
        format!("CREATE TRIGGER off AFTER UPDATE ON {name} {fire}; {alter} DISABLE TRIGGER off"),
        format!(
            "CREATE TRIGGER replica AFTER DELETE ON {name} {fire}; {alter} ENABLE REPLICA TRIGGER replica; \
                 COMMENT ON TRIGGER replica ON {name} IS 'it''s'"
        ),
        format!("COMMENT ON FOREIGN TABLE {name} IS 'a \\ table'"),
        format!("COMMENT ON COLUMN {name}.\"Name\" IS 'a column'"),
        format!("GRANT SELECT (id), UPDATE (id, \"Name\") ON {name} TO ddl_reader, PUBLIC"),
        format!(
            "CREATE STATISTICS \"Odd Schema\".\"S {number}\" (ndistinct, dependencies) ON id, \"Name\" FROM {name}; \
                 ALTER STATISTICS \"Odd Schema\".\"S {number}\" SET STATISTICS 5; \
                 COMMENT ON STATISTICS \"Odd Schema\".\"S {number}\" IS 'x'"
        ),
    ];
    if major >= 18 {
        changes.push(format!("{alter} ADD CONSTRAINT \"not valid\" NOT NULL id NOT VALID"));
        changes.push(format!("{alter} ADD CONSTRAINT loose CHECK (id > 5) NOT ENFORCED"));
    }
    random.some_of(&changes).into_iter().cloned().collect()
}

/// Owners and rights.
fn owning(random: &mut Random, name: &str) -> Vec<String> {
    let mut statements = Vec::new();
    if random.once_in(2) {
        statements.push(format!("ALTER FOREIGN TABLE {name} OWNER TO ddl_owner"));
    }
    let rights = [
        format!("GRANT SELECT, INSERT ON {name} TO \"Ddl Other\""),
        format!("GRANT SELECT ON {name} TO PUBLIC"),
        format!(
            "GRANT UPDATE ON {name} TO ddl_reader WITH GRANT OPTION; SET ROLE ddl_reader; \
                 GRANT UPDATE ON {name} TO \"Ddl Other\"; RESET ROLE"
        ),
        format!("REVOKE DELETE, TRUNCATE ON {name} FROM ddl_owner, postgres"),
    ];
    statements.extend(random.some_of(&rights).into_iter().cloned());
    statements
}
