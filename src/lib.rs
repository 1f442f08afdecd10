//! fdw_guard: rules, checked by PostgreSQL itself, for the options of foreign data. This file only wires.

mod change;
mod delegate;
mod error;
mod ffi;
mod functions;
mod guard;
mod history;
mod judge;
mod load_order;
mod lookup;
mod pending;
mod plan;
mod planning;
mod policy_file;
mod policy_in_force;
mod progress;
mod redaction;
mod report;
mod revert;
mod scene;
mod secrets;
mod settings;
mod telling;
mod touched;
mod walk;
mod wrapper;

#[cfg(any(test, feature = "pg_test"))]
#[path = "../pg_test/mod.rs"]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod backend_tests;

/// What `cargo pgrx test` asks for.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'fdw_guard'"]
    }
}

use std::sync::OnceLock;

pgrx::pg_module_magic!();
pgrx::extension_sql_file!("../sql/fdw_guard.sql", name = "fdw_guard", bootstrap);

static PRELOADED: OnceLock<bool> = OnceLock::new();

/// Called by PostgreSQL once in the life of a process, when it loads the library.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    ffi::raise::hide_panics();
    if *PRELOADED.get_or_init(ffi::server::is_preloading) {
        // Read once for all sessions, which are forks of this process.
        fdw_guard_policy::packs::packs();
    }
    settings::define();
    ffi::rules::watch();
    ffi::kept::watch();
    ffi::hooks::install();
    if is_preloaded() {
        ffi::raise::say(load_order::warning().as_slice());
    }
}

/// Whether `shared_preload_libraries` loaded the library, so that every session has it from its first statement.
fn is_preloaded() -> bool {
    PRELOADED.get().copied().unwrap_or_default()
}
