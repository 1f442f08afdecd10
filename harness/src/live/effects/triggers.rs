//! Which triggers fire, and when.

use super::Seen::{Both, Remote, Unchanged};
use super::{EFFECT, Effect};

/// Two triggers, each of which adds its letter to the name. They fire in the order of their names.
macro_rules! triggers {
    ($more:literal) => {
        concat!(
            "CREATE FUNCTION letter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || TG_ARGV[0]; \
             RETURN NEW; END $$; \
             CREATE TRIGGER a BEFORE INSERT ON ware FOR EACH ROW EXECUTE FUNCTION letter('a'); \
             CREATE TRIGGER b BEFORE INSERT ON ware FOR EACH ROW EXECUTE FUNCTION letter('b'); ",
            $more
        )
    };
}

const PLAIN: &str = triggers!("");
const DISABLED: &str = triggers!("ALTER FOREIGN TABLE ware DISABLE TRIGGER a, DISABLE TRIGGER b");

/// Which fire in a session of itself, and which in one that replicates.
const FIRED: &str = "INSERT INTO ware VALUES (9, '') RETURNING name; SET LOCAL session_replication_role = replica; \
    INSERT INTO ware VALUES (10, '') RETURNING name";

const NEVER_FIRE: &str = "file_fdw writes nothing, so that nothing fires its triggers";

const fn fired(before: &'static str, after: &'static str) -> super::Seen {
    Remote([before, after], NEVER_FIRE)
}

pub const EFFECTS: &[Effect] = &[
    Effect {
        form: "DISABLE TRIGGER",
        states: "a trigger that is disabled does not fire, and others do",
        given: PLAIN,
        change: "ALTER FOREIGN TABLE ware DISABLE TRIGGER a",
        query: FIRED,
        seen: fired("ab; ", "b; "),
        ..EFFECT
    },
    Effect {
        form: "DISABLE TRIGGER",
        states: "ALL: all triggers of the table",
        given: PLAIN,
        change: "ALTER FOREIGN TABLE ware DISABLE TRIGGER ALL",
        query: FIRED,
        seen: fired("ab; ", "; "),
        ..EFFECT
    },
    Effect {
        form: "DISABLE TRIGGER",
        states: "USER: all but those that are internally generated",
        given: triggers!(
            "SET LOCAL allow_system_table_mods = on; UPDATE pg_trigger SET tgisinternal = true \
             WHERE tgrelid = 'ware'::regclass AND tgname = 'a'; RESET allow_system_table_mods"
        ),
        change: "ALTER FOREIGN TABLE ware DISABLE TRIGGER USER",
        query: FIRED,
        seen: fired("ab; ", "a; "),
        ..EFFECT
    },
    Effect {
        form: "DISABLE TRIGGER",
        states: "a disabled trigger is still known (ALTER TABLE)",
        given: PLAIN,
        change: "ALTER FOREIGN TABLE ware DISABLE TRIGGER a",
        query: "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'ware'::regclass ORDER BY 1",
        seen: Both("a|O; b|O", "a|D; b|O"),
        ..EFFECT
    },
    Effect {
        form: "DISABLE TRIGGER",
        states: "the trigger must exist",
        given: PLAIN,
        change: "ALTER FOREIGN TABLE ware DISABLE TRIGGER a, DISABLE TRIGGER missing",
        says: "ERROR 42704 trigger \"missing\" for table \"ware\" does not exist",
        query: "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'ware'::regclass ORDER BY 1",
        seen: Unchanged("a|O; b|O"),
        ..EFFECT
    },
    Effect {
        form: "ENABLE TRIGGER",
        states: "fires again, if the session does not replicate",
        given: DISABLED,
        change: "ALTER FOREIGN TABLE ware ENABLE TRIGGER b",
        query: FIRED,
        seen: fired("; ", "b; "),
        ..EFFECT
    },
    Effect {
        form: "ENABLE TRIGGER",
        states: "ALL: all triggers of the table",
        given: DISABLED,
        change: "ALTER FOREIGN TABLE ware ENABLE TRIGGER ALL",
        query: FIRED,
        seen: fired("; ", "ab; "),
        ..EFFECT
    },
    Effect {
        form: "ENABLE TRIGGER",
        states: "USER: all but those that are internally generated",
        given: triggers!(
            "ALTER FOREIGN TABLE ware DISABLE TRIGGER ALL; SET LOCAL allow_system_table_mods = on; \
             UPDATE pg_trigger SET tgisinternal = true WHERE tgrelid = 'ware'::regclass AND tgname = 'a'; \
             RESET allow_system_table_mods"
        ),
        change: "ALTER FOREIGN TABLE ware ENABLE TRIGGER USER",
        query: FIRED,
        seen: fired("; ", "b; "),
        ..EFFECT
    },
    Effect {
        form: "ENABLE REPLICA TRIGGER",
        states: "fires only in a session that replicates",
        given: PLAIN,
        change: "ALTER FOREIGN TABLE ware ENABLE REPLICA TRIGGER a",
        query: FIRED,
        seen: fired("ab; ", "b; a"),
        ..EFFECT
    },
    Effect {
        form: "ENABLE ALWAYS TRIGGER",
        states: "fires whether the session replicates or not",
        given: PLAIN,
        change: "ALTER FOREIGN TABLE ware ENABLE ALWAYS TRIGGER a",
        query: FIRED,
        seen: fired("ab; ", "ab; a"),
        ..EFFECT
    },
];
