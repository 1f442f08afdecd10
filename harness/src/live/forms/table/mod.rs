//! The table: a row for each form of each type of object, with every way to it that is known.

mod column;
mod foreign_table;
mod server;
mod user_mapping;
mod wrapper;

use super::row::Row;

/// All rows.
pub fn rows() -> Vec<Row> {
    [wrapper::rows(), server::rows(), user_mapping::rows(), foreign_table::rows(), column::rows()].concat()
}
