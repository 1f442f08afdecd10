//! ALTER FOREIGN TABLE.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::{RIGHT, Right};
use crate::database::Database;
use crate::live::effects::{DESCEND, Delegate, Effect, PAGE, Session, effects};
use crate::live::forms::Trial;
use crate::live::forms::row::TABLE;
use crate::live::same;

/// The table is `rights_anyone`'s.
macro_rules! owned {
    ($more:literal) => {
        concat!("ALTER FOREIGN TABLE ware OWNER TO rights_anyone; ", $more)
    };
}

const OWNED: &str = owned!("");
const NOT_OWNER: &str = "ERROR 42501 must be owner of foreign table ware";
const BY_OWNER: &str = "ALTER FOREIGN TABLE ware OWNER TO rights_other";

/// An internally generated trigger, which PostgreSQL itself does not make on foreign tables.
const INTERNAL: &str = owned!(
    "CREATE TRIGGER made BEFORE INSERT ON ware FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); \
     SET LOCAL allow_system_table_mods = on; \
     UPDATE pg_trigger SET tgisinternal = true WHERE tgrelid = 'ware'::regclass; RESET allow_system_table_mods"
);

pub const RIGHTS: &[Right] = &[
    Right {
        states: "you must own the table to use ALTER FOREIGN TABLE, and membership of its owner is enough",
        given: BY_OWNER,
        grant: "GRANT rights_other TO rights_between; GRANT rights_between TO rights_anyone",
        revoke: "REVOKE rights_between FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware ALTER name SET DEFAULT 'new'",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "no privilege on the table does instead of owning it",
        given: "GRANT ALL ON ware TO rights_anyone; GRANT ALL ON FOREIGN SERVER far TO rights_anyone",
        statement: "ALTER FOREIGN TABLE ware ALTER name SET NOT NULL",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "to change the schema you must also have CREATE privilege on the new schema",
        given: owned!("CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO rights_anyone"),
        grant: "GRANT CREATE ON SCHEMA elsewhere TO rights_anyone",
        revoke: "REVOKE CREATE ON SCHEMA elsewhere FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware SET SCHEMA elsewhere",
        refused: "ERROR 42501 permission denied for schema elsewhere",
        ..RIGHT
    },
    Right {
        states: "to rename it you need CREATE privilege on its schema, which the page does not say",
        given: OWNED,
        grant: "GRANT CREATE ON SCHEMA public TO rights_anyone",
        revoke: "REVOKE CREATE ON SCHEMA public FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware RENAME TO things",
        refused: "ERROR 42501 permission denied for schema public",
        ..RIGHT
    },
    Right {
        states: "to alter the owner you must be a direct member of the new owning role",
        until: 15,
        given: owned!("GRANT CREATE ON SCHEMA public TO rights_other"),
        grant: "GRANT rights_other TO rights_anyone",
        revoke: "REVOKE rights_other FROM rights_anyone",
        statement: BY_OWNER,
        refused: "ERROR 42501 must be member of role \"rights_other\"",
        ..RIGHT
    },
    Right {
        states: "or an indirect member",
        until: 15,
        given: owned!("GRANT CREATE ON SCHEMA public TO rights_other; GRANT rights_other TO rights_between"),
        grant: "GRANT rights_between TO rights_anyone",
        revoke: "REVOKE rights_between FROM rights_anyone",
        statement: BY_OWNER,
        refused: "ERROR 42501 must be member of role \"rights_other\"",
        ..RIGHT
    },
    Right {
        states: "to alter the owner you must be able to SET ROLE to the new owning role",
        since: 16,
        given: owned!(
            "GRANT CREATE ON SCHEMA public TO rights_other; GRANT rights_other TO rights_anyone WITH SET FALSE"
        ),
        grant: "GRANT rights_other TO rights_anyone WITH SET TRUE",
        revoke: "REVOKE rights_other FROM rights_anyone",
        statement: BY_OWNER,
        refused: "ERROR 42501 must be able to SET ROLE \"rights_other\"",
        ..RIGHT
    },
    Right {
        states: "through another role as well",
        since: 16,
        given: owned!("GRANT CREATE ON SCHEMA public TO rights_other; GRANT rights_other TO rights_between"),
        grant: "GRANT rights_between TO rights_anyone",
        revoke: "GRANT rights_between TO rights_anyone WITH SET FALSE",
        statement: BY_OWNER,
        refused: "ERROR 42501 must be able to SET ROLE \"rights_other\"",
        ..RIGHT
    },
    Right {
        states: "and that role must have CREATE privilege on the table's schema",
        given: owned!("GRANT rights_other TO rights_anyone"),
        grant: "GRANT CREATE ON SCHEMA public TO rights_other",
        revoke: "REVOKE CREATE ON SCHEMA public FROM rights_other",
        statement: BY_OWNER,
        refused: "ERROR 42501 permission denied for schema public",
        ..RIGHT
    },
    Right {
        states: "a superuser can alter ownership of any table anyway",
        grant: "ALTER ROLE rights_anyone SUPERUSER",
        revoke: "ALTER ROLE rights_anyone NOSUPERUSER",
        statement: BY_OWNER,
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "to add a column you must also have USAGE privilege on the data type",
        given: owned!("CREATE TYPE paint AS ENUM ('red'); REVOKE USAGE ON TYPE paint FROM PUBLIC"),
        grant: "GRANT USAGE ON TYPE paint TO rights_anyone",
        revoke: "REVOKE USAGE ON TYPE paint FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware ADD colour paint",
        refused: "ERROR 42501 permission denied for type paint",
        ..RIGHT
    },
    Right {
        states: "to alter a column type you must also have USAGE privilege on the data type",
        given: owned!("CREATE DOMAIN title AS text; REVOKE USAGE ON DOMAIN title FROM PUBLIC"),
        grant: "GRANT USAGE ON DOMAIN title TO rights_anyone",
        revoke: "REVOKE USAGE ON DOMAIN title FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware ALTER name TYPE title",
        refused: "ERROR 42501 permission denied for type title",
        ..RIGHT
    },
    Right {
        states: "an array's type is the type of its elements there",
        given: owned!("CREATE TYPE paint AS ENUM ('red'); REVOKE USAGE ON TYPE paint FROM PUBLIC"),
        grant: "GRANT USAGE ON TYPE paint TO rights_anyone",
        revoke: "REVOKE USAGE ON TYPE paint FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware ADD colours paint[]",
        refused: "ERROR 42501 permission denied for type paint",
        ..RIGHT
    },
    Right {
        states: "to add the table as a new child you must own the parent table as well (ALTER TABLE)",
        given: OWNED,
        grant: "ALTER TABLE stock OWNER TO rights_anyone",
        revoke: "ALTER TABLE stock OWNER TO rights_other",
        statement: "ALTER FOREIGN TABLE ware INHERIT stock",
        refused: "ERROR 42501 must be owner of table stock",
        ..RIGHT
    },
    Right {
        states: "to alter descendant tables too you must own them, which the page does not say",
        given: owned!("SELECT descend()"),
        grant: "ALTER FOREIGN TABLE kin OWNER TO rights_anyone",
        revoke: "ALTER FOREIGN TABLE kin OWNER TO rights_other",
        statement: "ALTER FOREIGN TABLE ware ALTER name SET DEFAULT 'new'",
        refused: "ERROR 42501 must be owner of foreign table kin",
        ..RIGHT
    },
    Right {
        states: "to disable ALL triggers requires superuser privilege if any are internally generated",
        given: INTERNAL,
        grant: "ALTER ROLE rights_anyone SUPERUSER",
        revoke: "ALTER ROLE rights_anyone NOSUPERUSER",
        statement: "ALTER FOREIGN TABLE ware DISABLE TRIGGER ALL",
        refused: "ERROR 42501 permission denied: \"made\" is a system trigger",
        ..RIGHT
    },
    Right {
        states: "to enable ALL triggers requires superuser privilege if any are internally generated",
        given: INTERNAL,
        grant: "ALTER ROLE rights_anyone SUPERUSER",
        revoke: "ALTER ROLE rights_anyone NOSUPERUSER",
        statement: "ALTER FOREIGN TABLE ware ENABLE TRIGGER ALL",
        refused: "ERROR 42501 permission denied: \"made\" is a system trigger",
        ..RIGHT
    },
    Right {
        states: "one that is internally generated requires it by its name too",
        given: INTERNAL,
        grant: "ALTER ROLE rights_anyone SUPERUSER",
        revoke: "ALTER ROLE rights_anyone NOSUPERUSER",
        statement: "ALTER FOREIGN TABLE ware ENABLE ALWAYS TRIGGER made",
        refused: "ERROR 42501 permission denied: \"made\" is a system trigger",
        ..RIGHT
    },
    Right {
        states: "USER leaves those alone, and asks for no more than the table",
        given: "ALTER FOREIGN TABLE ware OWNER TO rights_other",
        grant: INTERNAL,
        revoke: BY_OWNER,
        statement: "ALTER FOREIGN TABLE ware DISABLE TRIGGER USER",
        refused: NOT_OWNER,
        ..RIGHT
    },
    Right {
        states: "ALL asks for no more than the table if no trigger is internally generated",
        given: "CREATE TRIGGER made BEFORE INSERT ON ware FOR EACH ROW \
                EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        grant: OWNED,
        revoke: BY_OWNER,
        statement: "ALTER FOREIGN TABLE ware DISABLE TRIGGER ALL, ENABLE TRIGGER ALL",
        refused: NOT_OWNER,
        ..RIGHT
    },
];

const FILE: &str = owned!("GRANT pg_read_all_data TO rights_anyone");

/// What file_fdw's validator, which option names and values are validated with, asks of the caller.
pub const RIGHTS_ON_FILES: &[Right] = &[
    Right {
        states: "options are validated using the wrapper's library, which asks for the rights of the caller",
        until: 15,
        given: FILE,
        grant: "GRANT pg_read_server_files TO rights_anyone",
        revoke: "REVOKE pg_read_server_files FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware OPTIONS (SET filename '/gone')",
        refused: "ERROR 42501 only superuser or a role with privileges of the pg_read_server_files role may specify the \
                  filename option of a file_fdw foreign table",
        ..RIGHT
    },
    Right {
        states: "options are validated using the wrapper's library, which asks for the rights of the caller",
        since: 16,
        given: FILE,
        grant: "GRANT pg_read_server_files TO rights_anyone",
        revoke: "REVOKE pg_read_server_files FROM rights_anyone",
        statement: "ALTER FOREIGN TABLE ware OPTIONS (SET filename '/gone')",
        refused: "ERROR 42501 permission denied to set the \"filename\" option of a file_fdw foreign table",
        ..RIGHT
    },
];

/// Who owns everything that the effects change, and may name files, for which file_fdw asks.
const OWN_ALL: &str = "CREATE ROLE rights_owner; GRANT CREATE ON SCHEMA public TO rights_owner; \
    GRANT pg_read_server_files TO rights_owner; \
    ALTER FOREIGN TABLE ware OWNER TO rights_owner; ALTER FOREIGN TABLE goods OWNER TO rights_owner; \
    ALTER TABLE stock OWNER TO rights_owner; ALTER VIEW names OWNER TO rights_owner;";

/// Forms that ask for more, and have rows above.
const OF_THEIR_OWN: &[&str] = &["OWNER TO", "SET SCHEMA"];

/// Effects whose change is one statement on an existing table that passes and asks for no right beyond the owner's.
fn plain(effect: &Effect, delegate: Delegate) -> bool {
    let change = effect.change;
    let of_table = change.starts_with("ALTER FOREIGN TABLE ware ") || change.starts_with("ALTER FOREIGN TABLE goods ");
    // Tables below are somebody else's.
    let beyond = OF_THEIR_OWN.contains(&effect.form) || change.contains(';') || effect.given == DESCEND;
    of_table && !beyond && !effect.says.starts_with("ERROR") && is_for(effect, delegate)
}

/// Whether the statements can be run with that wrapper, although nothing may be seen through it: options are one's own.
fn is_for(effect: &Effect, delegate: Delegate) -> bool {
    let has_options = [effect.given, effect.change].iter().any(|sql| sql.contains("OPTIONS"));
    !has_options || effect.through(delegate).is_ok()
}

/// Every form that the effects know is the owner's, and nobody else's.
pub fn every_form_is_the_owners(database: &Database<'_>, delegate: Delegate) -> Result<Vec<Trial>> {
    let mut session = Session::of(database)?;
    let mut trials = Vec::new();
    let mut forms = BTreeSet::new();
    let known = effects().filter(|effect| effect.is_of(database.major()));
    // Whoever lacks the right hears that from PostgreSQL, although a rule would refuse it too.
    let rule = format!(
        "INSERT INTO fdw_guard.rule (name, object_type, forms, roles) \
         VALUES ('not for anyone', 'foreign table', '{{{}}}', '{{rights_anyone}}')",
        PAGE.join(", ")
    );
    for effect in known.filter(|effect| plain(effect, delegate)) {
        let given = format!("BEGIN; CREATE ROLE rights_anyone; {OWN_ALL} {rule}; {}", effect.given);
        session.client.batch_execute(&given)?;
        let tried = owners_alone(&mut session, effect.change, effect.says);
        session.client.batch_execute("ROLLBACK")?;
        trials.push((effect.form, TABLE, tried.with_context(|| effect.change.to_owned())));
        forms.insert(effect.form);
    }
    forms.extend(RIGHTS.iter().filter_map(|right| Some(right.form().ok()?.0)));
    let others: Vec<_> = PAGE.iter().filter(|form| !forms.contains(*form)).collect();
    same("forms that were not tried", others, Vec::new())?;
    Ok(trials)
}

fn owners_alone(session: &mut Session, change: &str, says: &str) -> Result<()> {
    let refused = session.said_and_undone(&format!("SET LOCAL ROLE rights_anyone; {change}"))?;
    ensure!(refused.starts_with("ERROR 42501 must be owner of foreign table "), "anyone: {refused}");
    let passed = session.said_and_undone(&format!("SET LOCAL ROLE rights_owner; {change}"))?;
    ensure!(passed == says, "the owner: {passed}");
    Ok(())
}
