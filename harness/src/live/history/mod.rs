//! The history where something stands in its way, and where a database goes elsewhere. What it records is told by the
//! story `history` of tests/sql.

mod full;
mod hindered;
mod moved;
mod reverted;
mod standby;
mod together;
mod upgraded;

use anyhow::Result;
use postgres::Client;

use super::LiveTest;
use crate::cluster::Cluster;
use crate::database::Database;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "history::a_table_that_is_lost_is_no_way_past_it", run: hindered::a_lost_table },
    LiveTest { name: "history::a_row_that_cannot_be_written_undoes_the_change", run: hindered::an_unwritable_row },
    LiveTest { name: "history::read_only_transactions_are_no_obstacle", run: hindered::read_only_transactions },
    LiveTest { name: "history::a_prepared_transaction_brings_its_rows", run: hindered::prepared_transactions },
    LiveTest { name: "history::without_the_extension_nothing_is_recorded", run: hindered::without_the_extension },
    LiveTest { name: "history::rules_that_cannot_be_read_hide_everything", run: hindered::unreadable_rules },
    LiveTest { name: "history::statements_that_commit_within_are_recorded", run: hindered::commits_within },
    LiveTest { name: "history::a_refused_statement_is_one_line_of_json", run: hindered::a_line_for_the_refused },
    LiveTest { name: "history::who_comes_over_tcp_is_told", run: hindered::a_client_over_tcp },
    LiveTest { name: "history::a_dump_carries_it_and_names_find_its_objects", run: moved::dump_and_restore },
    LiveTest { name: "history::a_clone_has_its_own", run: moved::clones },
    LiveTest { name: "history::logical_replication_leaves_it_alone", run: moved::logical_replication },
    LiveTest { name: "history::a_full_disk_undoes_the_change", run: full::a_full_disk },
    LiveTest { name: "history::grants_go_back", run: reverted::grants },
    LiveTest { name: "history::functions_of_a_wrapper_go_back", run: reverted::functions },
    LiveTest { name: "history::values_go_back_whatever_they_hold", run: reverted::values },
    LiveTest { name: "history::names_and_search_paths_do_no_harm", run: reverted::odd_names },
    LiveTest { name: "history::partitions_and_triggers_go_back", run: reverted::tables_and_partitions },
    LiveTest { name: "history::lines_of_the_timeline_cannot_be_forged", run: reverted::forged_lines },
    LiveTest { name: "history::another_object_is_not_touched", run: reverted::other_objects },
    LiveTest { name: "history::subtransactions_keep_their_order", run: reverted::subtransactions },
    LiveTest { name: "history::a_long_one", run: reverted::a_long_history },
    LiveTest { name: "history::no_secret_is_in_it", run: reverted::secrets },
    LiveTest { name: "history::secrets_called_so_later_are_hidden", run: reverted::secrets_called_so_later },
    LiveTest { name: "history::revert_waits_for_an_open_change", run: together::waits_for_an_open_change },
    LiveTest { name: "history::revert_sees_no_older_history", run: together::sees_no_older_history },
    LiveTest { name: "history::revert_locks_nothing_of_others", run: together::locks_nothing_of_others },
    LiveTest { name: "history::a_standby_reads_it_and_refuses_to_write", run: standby::hot_standby },
    LiveTest { name: "history::an_update_of_the_extension_keeps_it", run: upgraded::of_the_extension },
    LiveTest { name: "history::pg_upgrade_keeps_it", run: upgraded::of_postgresql },
];

const SETUP: &str = "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (port '1')";

const CHANGE: &str = "ALTER SERVER s OPTIONS (SET port '2')";

fn with_server<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(SETUP)?;
    Ok(database)
}

fn port(client: &mut Client) -> Result<String> {
    let sql = "SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE option_name = 'port'";
    Ok(client.query_one(sql, &[])?.get(0))
}

/// What the history tells of the server's port, oldest first.
fn recorded(client: &mut Client) -> Result<Vec<String>> {
    let sql = "SELECT concat_ws(' ', change, old, new) FROM fdw_guard.history WHERE attribute = 'option port' ORDER BY at, ord";
    Ok(client.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
}
