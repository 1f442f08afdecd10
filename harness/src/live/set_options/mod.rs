//! `set_server_options` and its like, and `rotate_secret`: what they make of options, beside each other and in sight of
//! whoever reads logs.

mod drawn;
mod secrecy;
mod together;

use anyhow::Result;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::DbFields;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "set_options::any_options_become_any_others", run: drawn::any_options_become_any_others },
    LiveTest { name: "set_options::sessions_that_alter_the_same_succeed_in_turn", run: together::in_turn },
    LiveTest { name: "set_options::sessions_that_create_the_same_mapping_succeed", run: together::creating },
    LiveTest { name: "set_options::bulk_and_single_changes_do_not_deadlock", run: together::in_bulk },
    LiveTest { name: "set_options::a_role_renamed_meanwhile_has_the_new_secret", run: together::renamed_in_bulk },
    LiveTest { name: "set_options::where_nothing_differs_nobody_waits", run: together::nobody_waits },
    LiveTest { name: "set_options::what_goes_or_is_renamed_meanwhile_is_said", run: together::gone_meanwhile },
    LiveTest { name: "set_options::an_open_alter_is_waited_for", run: together::after_an_open_alter },
    LiveTest { name: "set_options::failures_leave_nothing_behind", run: together::failures_leave_nothing },
    LiveTest { name: "set_options::isolation_levels_see_what_was_committed", run: together::repeatable_read },
    LiveTest { name: "set_options::nobody_is_told_a_secret", run: secrecy::nobody_is_told },
    LiveTest { name: "set_options::what_a_validator_quotes_is_hidden", run: secrecy::quoted_by_a_validator },
    LiveTest { name: "set_options::others_hear_of_the_alter", run: secrecy::others_hear_of_it },
    LiveTest { name: "set_options::a_failure_rotates_nothing", run: secrecy::all_or_nothing },
];

/// A wrapper that takes every option, and an object of each kind on it.
const SETUP: &str = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
    CREATE USER MAPPING FOR postgres SERVER s; CREATE FOREIGN TABLE t (c integer) SERVER s";

fn stage<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(SETUP)?;
    Ok(database)
}

/// A kind of object: the call that sets its options, but for the options themselves, the statement that the call comes to,
/// and where the options are then.
struct Kind {
    call: &'static str,
    alter: &'static str,
    stored: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        call: "set_server_options('s', ",
        alter: "ALTER SERVER s",
        stored: "SELECT srvoptions FROM pg_foreign_server WHERE srvname = 's'",
    },
    Kind {
        call: "set_user_mapping_options('postgres', 's', ",
        alter: "ALTER USER MAPPING FOR postgres SERVER s",
        stored: "SELECT umoptions FROM pg_user_mappings WHERE srvname = 's' AND usename = 'postgres'",
    },
    Kind {
        call: "set_foreign_table_options('t', ",
        alter: "ALTER FOREIGN TABLE t",
        stored: "SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 't'::regclass",
    },
    Kind {
        call: "set_column_options('t', 'c', ",
        alter: "ALTER FOREIGN TABLE t ALTER COLUMN c",
        stored: "SELECT attfdwoptions FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'",
    },
];

fn contains_hint(fields: &DbFields, hint: &str) -> Result<()> {
    contains(fields.hint.as_deref().unwrap_or_default(), hint)
}
