//! Queries over the catalogs, for what no single look-up tells.

use crate::ffi::search_path::Pinned;
use crate::ffi::text;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ptr;

/// The one text that the query gives for its argument `$1`; None if it gives no row. It runs as the caller, who can read
/// every catalog that the queries of this project name, and with the search path `pg_catalog`.
pub fn answer(query: &'static str, argument: Oid) -> Option<String> {
    let _path = Pinned::new();
    let (mut types, mut values) = ([pg_sys::OIDOID], [Datum::from(argument)]);
    // SAFETY: the arrays have as many elements as the query has arguments; what SPI gives is read before SPI_finish. After
    // an error PostgreSQL itself ends the connection.
    unsafe {
        pg_sys::SPI_connect();
        let query = text::to_server_name(query);
        pg_sys::SPI_execute_with_args(query, 1, types.as_mut_ptr(), values.as_mut_ptr(), ptr::null(), true, 1);
        let answer = (pg_sys::SPI_processed == 1).then(|| first_value(pg_sys::SPI_tuptable));
        pg_sys::SPI_finish();
        answer.flatten()
    }
}

/// # Safety
/// The table has a row with a column.
unsafe fn first_value(table: *const pg_sys::SPITupleTable) -> Option<String> {
    // SAFETY: the caller's promise; of a null SPI_getvalue makes a null pointer.
    unsafe { text::from_server_opt(pg_sys::SPI_getvalue(*(*table).vals, (*table).tupdesc, 1)) }
}
