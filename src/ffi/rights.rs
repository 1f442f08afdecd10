//! Rights as PostgreSQL grants them.

use crate::ffi::tuple::CachedTuple;
use crate::ffi::{catalog, session, version};
use pgrx::pg_sys::{self, Oid};

/// Whether the current role would see the options of a user mapping in `pg_user_mappings`: its own with USAGE on the
/// server, PUBLIC's as the server's owner, every one as a superuser (the view's definition in system_views.sql).
pub fn may_see_user_mapping(mapping: Oid) -> bool {
    may_see_user_mapping_as(mapping, session::current_role())
}

/// The same of any role.
pub fn may_see_user_mapping_as(mapping: Oid, caller: Oid) -> bool {
    // SAFETY: looks the role up.
    if unsafe { pg_sys::superuser_arg(caller) } {
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

/// Whether the current role may do what only that owner may.
pub fn acts_as(owner: Oid) -> bool {
    has_privileges_of(session::current_role(), owner)
}

/// Whether the role is a superuser.
pub fn is_superuser(role: Oid) -> bool {
    // SAFETY: looks the role up.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Whether the current role has USAGE on the server.
pub fn may_use_server(server: Oid) -> bool {
    version::may_use_server(server, session::current_role())
}

/// Whether the current role is a member of that role, as every superuser is of every role.
pub fn is_member_of(role: Oid) -> bool {
    // SAFETY: looks the memberships of a role up.
    unsafe { pg_sys::is_member_of_role(session::current_role(), role) }
}

/// Whether the current role, as itself or as a member of another, was granted that right on the table or on one of its
/// columns, or owns it. Unlike PostgreSQL's own check this counts no predefined role's right on every table.
pub fn has_grant_on_table(table: Oid, right: u32) -> bool {
    let right = right as pg_sys::AclMode;
    let caller = session::current_role();
    // SAFETY: looks grants up; the list is that of the table's row, which is held meanwhile.
    unsafe {
        if pg_sys::superuser() {
            return true;
        }
        let any = pg_sys::AclMaskHow::ACLMASK_ANY;
        let found = CachedTuple::find(pg_sys::SysCacheIdentifier::RELOID, &[table.into()]);
        let Some(found) = found else { return false };
        let owner = found.form::<pg_sys::FormData_pg_class>().relowner;
        if has_privileges_of(caller, owner) {
            return true;
        }
        let on_table = found.attribute(pg_sys::Anum_pg_class_relacl).is_some_and(|acl| {
            let acl = pg_sys::pg_detoast_datum(acl.cast_mut_ptr()).cast::<pg_sys::Acl>();
            pg_sys::aclmask(acl, caller, owner, right, any) != 0
        });
        on_table || pg_sys::pg_attribute_aclcheck_all(table, caller, right, any) == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether the current role has SELECT on the table.
pub fn may_select(table: Oid) -> bool {
    let right = pg_sys::ACL_SELECT as pg_sys::AclMode;
    // SAFETY: looks grants up.
    unsafe { pg_sys::pg_class_aclcheck(table, session::current_role(), right) == pg_sys::AclResult::ACLCHECK_OK }
}

fn has_privileges_of(member: Oid, role: Oid) -> bool {
    // SAFETY: looks the memberships of a role up.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}
