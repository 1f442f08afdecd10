//! The state of this server process.

use crate::ffi::{quiet, raising, text};
use pgrx::pg_sys;
use std::ffi::CStr;

/// Whether hooks let everything pass: during pg_upgrade, and in single-user mode, the way back in for whoever has locked
/// himself out.
pub fn stands_aside() -> bool {
    // SAFETY: reads variables that are set before any statement runs.
    unsafe { pg_sys::IsBinaryUpgrade || !pg_sys::IsPostmasterEnvironment }
}

/// Whether PostgreSQL removes the temporary objects of a session that has ended. To refuse it that would keep autovacuum,
/// or another session that is to use the same temporary schema, from their work.
pub fn tidies_up() -> bool {
    // SAFETY: reads variables of this process.
    unsafe { pg_sys::proc_exit_inprogress || pg_sys::MyBackendType == pg_sys::BackendType::B_AUTOVAC_WORKER }
}

/// Whether the library is being loaded by `shared_preload_libraries`.
pub fn is_preloading() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Whether this is the process that starts all others, with the server running.
pub fn is_postmaster() -> bool {
    // SAFETY: reads variables of this process.
    unsafe { pg_sys::IsPostmasterEnvironment && !pg_sys::IsUnderPostmaster && !is_preloading() }
}

/// Refuses to write where nothing may be written.
pub fn must_be_writable(command: &CStr) {
    // SAFETY: raises an error, or does nothing.
    unsafe {
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
    }
}

/// Lets Ctrl-C and timeouts end a long evaluation.
pub fn check_for_interrupts() {
    pgrx::check_for_interrupts!();
}

/// Whether the running statement is to end, by Ctrl-C, a timeout, or with its session.
pub fn is_cancelled() -> bool {
    // SAFETY: reads variables of this process, which signal handlers write.
    unsafe {
        (&raw const pg_sys::QueryCancelPending).read_volatile() != 0
            || (&raw const pg_sys::ProcDiePending).read_volatile() != 0
    }
}

/// Makes the changes of the running statement visible to what follows in it.
pub fn command_counter_increment() {
    // SAFETY: called inside a transaction only.
    unsafe { raising::under_one_boundary(|| raising::CommandCounterIncrement()) }
}

/// Whether a parallel query runs, in which nothing may be changed.
pub fn is_in_parallel_mode() -> bool {
    // SAFETY: reads the transaction state.
    unsafe { pg_sys::IsInParallelMode() }
}

/// Takes in what other sessions have committed since the last look.
pub fn accept_invalidation_messages() {
    // SAFETY: reads the transaction state; catalogs can be looked at in a transaction only.
    unsafe {
        if quiet::IsTransactionState() {
            raising::under_one_boundary(|| raising::AcceptInvalidationMessages());
        }
    }
}

/// The flag with which opening a named pipe does not wait.
pub const O_NONBLOCK: i32 = libc::O_NONBLOCK;

/// The number of the account that the server runs under.
pub fn account() -> u32 {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() }
}

/// The server's major version.
pub const MAJOR: u32 = pg_sys::PG_VERSION_NUM / 10_000;

/// The libraries that the server loads at its start, as `shared_preload_libraries` names them.
pub fn shared_libraries() -> String {
    // SAFETY: the setting is null or a C string.
    unsafe { text::from_server_opt(pg_sys::shared_preload_libraries_string) }.unwrap_or_default()
}

/// The libraries that this session has loaded at its start, in that order.
pub fn session_libraries() -> String {
    // SAFETY: the settings are null or C strings.
    let lists = unsafe {
        [pg_sys::session_preload_libraries_string, pg_sys::local_preload_libraries_string]
            .map(|list| text::from_server_opt(list).unwrap_or_default())
    };
    lists.join(",")
}
