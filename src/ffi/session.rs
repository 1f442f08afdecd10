//! Who runs the statement, as rules see it.

use crate::ffi::{catalog, names, quiet, server, text, tuple};
use fdw_guard_policy::evaluate::Session;
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

/// The role whose rights are in force now.
pub fn current_role() -> Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { quiet::GetUserId() }
}

/// The number of the running subtransaction.
pub fn subtransaction() -> u32 {
    // SAFETY: reads the transaction state.
    unsafe { quiet::GetCurrentSubTransactionId() }
}

/// Whether the transaction reads tables as they were at its first statement (REPEATABLE READ, SERIALIZABLE). Catalogs are
/// read as they are.
pub fn keeps_snapshot() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// The value of a setting, None if there is none of that name.
pub fn setting(name: &str) -> Option<String> {
    // SAFETY: to_server_name gives a C string; with missing_ok the answer may be null.
    unsafe { text::from_server_opt(pg_sys::GetConfigOption(text::to_server_name(name), true, false)) }
}

thread_local! {
    /// A database in which a session runs cannot be renamed.
    static DATABASE: &'static str = String::leak(catalog::database_name());
}

/// A role at work in this session. What rules know of it is looked up when one asks.
pub struct Actor {
    role: Oid,
    current_role: OnceCell<String>,
    session_role: OnceCell<String>,
    client_addr: OnceCell<Option<String>>,
    application_name: OnceCell<String>,
    /// The roles that were asked for, and whether the actor is a member.
    memberships: RefCell<HashMap<String, bool>>,
}

impl Actor {
    /// The role as the actor of a change in this session.
    pub fn new(role: Oid) -> Self {
        Self {
            role,
            current_role: OnceCell::new(),
            session_role: OnceCell::new(),
            client_addr: OnceCell::new(),
            application_name: OnceCell::new(),
            memberships: RefCell::default(),
        }
    }
}

/// The client's address, an `inet`; None for a Unix socket and for a process without a client.
pub fn client_address() -> Option<Datum> {
    // SAFETY: the function is PostgreSQL's own and takes no argument; a null answer is None.
    unsafe { pgrx::direct_function_call_as_datum(pg_sys::inet_client_addr, &[]) }
}

/// The same as text.
fn client_addr() -> Option<String> {
    // SAFETY: the function is PostgreSQL's own, called with the argument that it takes.
    unsafe {
        let address = client_address()?;
        let text = pgrx::direct_function_call_as_datum(pg_sys::network_host, &[Some(address)])?;
        Some(tuple::text_of(text))
    }
}

impl Session for Actor {
    fn database(&self) -> &str {
        DATABASE.with(|name| *name)
    }

    fn current_role(&self) -> &str {
        self.current_role.get_or_init(|| catalog::role_name(self.role).unwrap_or_default())
    }

    fn session_role(&self) -> &str {
        // SAFETY: reads a variable of the backend.
        let role = || unsafe { quiet::GetSessionUserId() };
        self.session_role.get_or_init(|| catalog::role_name(role()).unwrap_or_default())
    }

    fn is_superuser(&self) -> bool {
        // SAFETY: looks the role up in a system cache.
        unsafe { pg_sys::superuser_arg(self.role) }
    }

    fn client_addr(&self) -> Option<&str> {
        self.client_addr.get_or_init(client_addr).as_deref()
    }

    fn application_name(&self) -> &str {
        // SAFETY: application_name is a C string from its first moment on.
        let name = || unsafe { text::from_server_opt(pg_sys::application_name) };
        self.application_name.get_or_init(|| name().unwrap_or_default())
    }

    fn is_member_of(&self, role: &str) -> bool {
        if let Some(known) = self.memberships.borrow().get(role) {
            return *known;
        }
        let is_member = self.was_granted(role);
        self.memberships.borrow_mut().insert(role.to_owned(), is_member);
        is_member
    }

    fn check_for_interrupts(&self) {
        server::check_for_interrupts();
    }
}

impl Actor {
    /// Membership as GRANT gave it: a superuser is a member of what he was made a member of.
    fn was_granted(&self, role: &str) -> bool {
        // SAFETY: looks the memberships of a role up.
        names::role(role).is_some_and(|group| unsafe { pg_sys::is_member_of_role_nosuper(self.role, group) })
    }
}

/// What a backslash in an ordinary literal means: nothing, if `standard_conforming_strings` is on.
pub fn strings_are_standard() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::standard_conforming_strings }
}
