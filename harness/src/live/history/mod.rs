//! The history where something stands in its way, and where a database goes elsewhere. What it records is told by the
//! story `history` of tests/sql.

mod hindered;
mod moved;

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
    LiveTest { name: "history::a_dump_carries_it_and_names_find_its_objects", run: moved::dump_and_restore },
    LiveTest { name: "history::a_clone_has_its_own", run: moved::clones },
    LiveTest { name: "history::logical_replication_leaves_it_alone", run: moved::logical_replication },
];

const SETUP: &str = "CREATE FOREIGN DATA WRAPPER plain; CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (port '1')";

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
