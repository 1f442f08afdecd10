//! Which user mapping a role uses.

use crate::ffi::{catalog, names};
use fdw_guard_policy::ddl::quote_identifier;
use pgrx::pg_sys::Oid;
use std::fmt;

/// The user mapping by which a role reaches a server.
pub enum InEffect {
    /// The role's own.
    Own {
        role: String,
    },
    /// That of PUBLIC, for want of an own one.
    Public {
        role: String,
    },
    None {
        role: String,
    },
}

/// The user mapping that `GetUserMapping` (foreign.c) finds.
pub fn in_effect(server: Oid, user: Oid) -> InEffect {
    let role = catalog::role_name(user).unwrap_or_else(|| user.to_u32().to_string());
    let has_mapping = |of: Oid| names::user_mapping(of, server).is_some();
    if has_mapping(user) {
        InEffect::Own { role }
    } else if has_mapping(Oid::INVALID) {
        InEffect::Public { role }
    } else {
        InEffect::None { role }
    }
}

impl fmt::Display for InEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { role } => f.write_str(&quote_identifier(role)),
            Self::Public { role } => write!(f, "public, for {}", quote_identifier(role)),
            Self::None { role } => write!(f, "none, for {}", quote_identifier(role)),
        }
    }
}
