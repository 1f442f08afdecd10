//! Rights as PostgreSQL grants them.

use crate::ffi::{catalog, session, version};
use pgrx::pg_sys::{self, Oid};

/// Whether the current role would see the options of a user mapping in `pg_user_mappings`: its own with USAGE on the
/// server, PUBLIC's as the server's owner, every one as a superuser (the view's definition in system_views.sql).
pub fn may_see_user_mapping(mapping: Oid) -> bool {
    let caller = session::current_role();
    // SAFETY: looks the current role up.
    if unsafe { pg_sys::superuser() } {
        return true;
    }
    let server = catalog::user_mapping(mapping).map(|found| found.above);
    let Some((role, server)) = catalog::user_mapping_role(mapping).zip(server) else { return false };
    let owns_server = catalog::server_owner(server).is_some_and(|owner| has_privileges_of(caller, owner));
    if role == Oid::INVALID {
        owns_server
    } else {
        role == caller && (owns_server || version::may_use_server(server, caller))
    }
}

fn has_privileges_of(member: Oid, role: Oid) -> bool {
    // SAFETY: looks the memberships of a role up.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}
