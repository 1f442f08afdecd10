//! Where PostgreSQL 15 to 18 differ.

use pgrx::pg_sys::{self, Oid};

/// The number of `conrelid` in pg_constraint; 18 put `conenforced` before it. (pgrx binds nothing of pg_constraint.h.)
pub const CONRELID: u32 = if cfg!(feature = "pg18") { 9 } else { 8 };

/// Whether the role has USAGE on the server. 16 replaced the functions for each kind of object by one.
pub fn may_use_server(server: Oid, role: Oid) -> bool {
    let usage = pg_sys::AclMode::from(pg_sys::ACL_USAGE);
    // SAFETY: looks the server's grants up; the caller has found the server.
    unsafe {
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_foreign_server_aclcheck(server, role, usage);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(pg_sys::ForeignServerRelationId, server, role, usage);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}
