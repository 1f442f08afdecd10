//! A streaming standby: whatever reads works there, whatever writes says that it cannot, and promotion changes that.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::same;
use super::{CHANGE, recorded, with_server};
use crate::cluster::{Cluster, wait_until};
use crate::database::Database;
use crate::fields::DbFields;
use crate::settings::Settings;

/// PostgreSQL's and our own refusal to write there.
const READ_ONLY: &str = "25006";

/// A call of each function, and what comes of it on a standby: an SQLSTATE, or nothing.
const CALLS: &[(&str, &str)] = &[
    ("add_rule('r', 'server', 'host', required => true)", READ_ONLY),
    ("column_options('t', 'a')", ""),
    ("create_wrapper('made', 'plain')", READ_ONLY),
    ("delegate_of((SELECT oid FROM pg_foreign_data_wrapper WHERE fdwname = 'plain'))", ""),
    ("effective_options('t', 'postgres')", ""),
    ("explain_plan($$ALTER SERVER s OPTIONS (SET port '3')$$)", ""),
    ("foreign_table_options('t')", ""),
    ("function_stem('plain')", ""),
    ("get_ddl('server', 's')", ""),
    ("get_ddl('t'::regclass)", ""),
    ("guard_wrapper('plain')", READ_ONLY),
    ("history_statement($$ALTER SERVER s OPTIONS (SET port '3')$$)", ""),
    ("history_value('server', 1, 1, 0::smallint, 'option host', 'h')", ""),
    ("install_pack('postgres_fdw')", READ_ONLY),
    (
        "link_delegate((SELECT fdwvalidator FROM pg_foreign_data_wrapper WHERE fdwname = 'guarded_postgres_fdw'), 'now()')",
        "",
    ),
    ("lock_recorded('server', 's', 1, NULL, 0::smallint)", READ_ONLY),
    ("make_functions('made', (SELECT oid FROM pg_foreign_data_wrapper WHERE fdwname = 'plain'), '')", READ_ONLY),
    ("may_see_history('server', 1, 1)", ""),
    ("object_now('server', 's')", ""),
    ("pack_list()", ""),
    ("pack_rules('postgres_fdw')", ""),
    ("plan($$ALTER SERVER s OPTIONS (SET port '3')$$)", ""),
    ("policy()", ""),
    ("policy_check()", ""),
    ("policy_schema()", ""),
    ("prune_history('1 day')", READ_ONLY),
    ("prune_secrets()", READ_ONLY),
    ("renew_tables((SELECT oid FROM pg_foreign_data_wrapper WHERE fdwname = 'plain'))", READ_ONLY),
    ("revert((SELECT id FROM fdw_guard.history WHERE attribute = 'option port' AND change = 'set'))", READ_ONLY),
    ("revert_plan((SELECT id FROM fdw_guard.history WHERE attribute = 'option port' AND change = 'set'))", ""),
    ("rotate_secret('password', 'new')", READ_ONLY),
    ("server_options('s')", ""),
    ("set_column_options('t', 'a', '{\"b\": \"c\"}')", READ_ONLY),
    ("set_foreign_table_options('t', '{\"b\": \"c\"}')", READ_ONLY),
    ("set_server_options('s', '{\"b\": \"c\"}')", READ_ONLY),
    ("set_user_mapping_options('postgres', 's', '{\"b\": \"c\"}')", READ_ONLY),
    ("shared_secrets()", ""),
    ("status()", ""),
    ("table_state('t')", ""),
    ("timeline('server', 's')", ""),
    ("undo('server', 's', 1, NULL, NULL, 'option port', 'set', '1', '2', false, false)", ""),
    ("unguard_wrapper('guarded_postgres_fdw')", "55000"),
    ("uninstall_pack('postgres_fdw')", READ_ONLY),
    ("user_mapping_options('postgres', 's')", ""),
    ("violations()", ""),
    ("visible_options('pg_foreign_server', 1, 0)", ""),
    ("visible_options_object('pg_foreign_server', 1, 0)", ""),
    ("wrapper_oid('plain')", ""),
];

pub fn hot_standby(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("history-primary", &Settings::preloaded())?;
    let primary = with_server(&own, "history_standby")?;
    primary.execute(
        "CREATE FOREIGN TABLE t (a int) SERVER s; CREATE USER MAPPING FOR postgres SERVER s OPTIONS (password 'x'); \
         SELECT fdw_guard.add_rule('known', 'server', 'port', allowed => '{2,3}'); ALTER SERVER s OPTIONS (SET port '2')",
    )?;
    let standby = own.standby("history-standby", &Settings::preloaded())?;
    let replica = Database::existing(&standby, "history_standby");
    let expected = vec!["add 1".to_owned(), "set 1 2".to_owned()];
    let arrived = || replica.connect().and_then(|mut client| recorded(&mut client)).is_ok_and(|told| told == expected);
    wait_until("bring the history to the standby", arrived)?;
    let mut client = replica.connect()?;
    reads_everything(&mut client)?;
    every_function_answers(&mut client)?;
    same("a change", outcome(&mut client, "ALTER SERVER s OPTIONS (SET port '3')").as_str(), READ_ONLY)?;
    // What the primary does reaches a session that has read the rules and the history already.
    primary.execute("ALTER SERVER s OPTIONS (SET port '3')")?;
    let rows = || replica.connect().and_then(|mut client| recorded(&mut client)).map(|told| told.len());
    wait_until("bring the next change", || rows().is_ok_and(|rows| rows == 3))?;
    same("in the old session", recorded(&mut client)?.len(), 3)?;
    standby.promote()?;
    wait_until("end recovery", || replica.execute(CHANGE).is_ok())?;
    same("history after promotion", recorded(&mut client)?.len(), 4)?;
    same("a rule", outcome(&mut client, "ALTER SERVER s OPTIONS (SET port '9')").as_str(), "HV024")?;
    let newest =
        "SELECT fdw_guard.revert(id) FROM fdw_guard.history WHERE attribute = 'option port' ORDER BY at DESC LIMIT 1";
    client.batch_execute(newest)?;
    same("history of the primary", recorded(&mut primary.connect()?)?.len(), 3)
}

fn reads_everything(client: &mut Client) -> Result<()> {
    let relations = "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'fdw_guard'::regnamespace AND relkind IN ('r', 'v')";
    let relations: Vec<String> = client.query(relations, &[])?.iter().map(|row| row.get(0)).collect();
    same("views and tables", relations.len(), 11)?;
    for relation in relations {
        client.query(&format!("SELECT * FROM {relation}"), &[]).with_context(|| relation.clone())?;
    }
    Ok(())
}

/// Every function that can be called has its row above.
fn every_function_answers(client: &mut Client) -> Result<()> {
    let callable = "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'fdw_guard'::regnamespace AND prokind = 'f' \
                    AND prorettype NOT IN ('trigger'::regtype, 'fdw_handler'::regtype) \
                    AND proargtypes[0] IS DISTINCT FROM 'text[]'::regtype";
    let callable: BTreeSet<String> = client.query(callable, &[])?.iter().map(|row| row.get(0)).collect();
    let called: BTreeSet<String> =
        CALLS.iter().filter_map(|(call, _)| Some(call.split_once('(')?.0.to_owned())).collect();
    same("functions", called, callable)?;
    let found: Vec<(&str, String)> =
        CALLS.iter().map(|(call, _)| (*call, outcome(client, &format!("SELECT * FROM fdw_guard.{call}")))).collect();
    let wrong: Vec<_> = found.iter().zip(CALLS).filter(|((_, found), (_, expected))| found != expected).collect();
    ensure!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

/// The SQLSTATE of a statement's error, nothing if it has none.
fn outcome(client: &mut Client, sql: &str) -> String {
    match client.query(sql, &[]) {
        Ok(_) => String::new(),
        Err(error) => {
            error.as_db_error().map(DbFields::from).map_or_else(|| error.to_string(), |fields| fields.sqlstate)
        }
    }
}
