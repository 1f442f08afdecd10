//! One option of many user mappings: in all of them or in none.

use super::{Object, Target, must_be_allowed, role_of_mapping, server_name, set_locked};
use crate::error::Error;
use crate::ffi::raise::Failure;
use crate::ffi::{catalog, scan, server};
use fdw_guard_policy::diff::{Desired, OptionChange};
use fdw_guard_policy::pattern::PatternList;
use pgrx::pg_sys::Oid;
use std::collections::HashSet;

/// A user mapping of which an option was changed.
pub struct Rotated {
    pub server: String,
    pub role: String,
    pub change: OptionChange,
}

/// A user mapping, by the names that it had when it was looked at.
pub struct Mapping {
    oid: Oid,
    server: String,
    role: String,
}

impl Mapping {
    fn new(oid: Oid) -> Option<Self> {
        let server = server_name(catalog::user_mapping(oid)?.above);
        Some(Self { oid, server, role: role_of_mapping(catalog::user_mapping_role(oid)?) })
    }

    /// The names of its options.
    pub fn options(&self) -> Vec<String> {
        let found = catalog::user_mapping(self.oid);
        found.iter().flat_map(|found| found.state.options.iter()).map(|(option, _)| option.to_owned()).collect()
    }

    fn has(&self, option: &str) -> bool {
        catalog::user_mapping(self.oid).is_some_and(|found| found.state.options.get(option).is_some())
    }

    fn object(&self) -> Object {
        Object::UserMapping(self.oid)
    }

    fn target(&self) -> Target {
        Target::UserMapping { role: self.role.clone(), server: self.server.clone(), create: false }
    }
}

/// The mappings of matching roles on matching servers, in the order of their oids. The caller may alter each of them, or
/// the first that he may not is the error: whether it has an option is not for him to know.
pub fn mappings(servers: &PatternList, roles: &PatternList) -> Result<Vec<Mapping>, Error> {
    let is_wanted =
        |server: &Oid| catalog::server_above(*server).is_some_and(|(server, _)| servers.matches(&[server.name()]));
    let servers: HashSet<_> = scan::servers().into_iter().filter(is_wanted).collect();
    let mut oids: Vec<_> = scan::user_mappings_of(&servers).into_iter().map(|(mapping, _)| mapping).collect();
    oids.sort_by_key(|oid| oid.to_u32());
    let mappings = oids.into_iter().filter_map(Mapping::new).filter(|mapping| roles.matches(&[&mapping.role]));
    mappings.map(|mapping| must_be_allowed(mapping.object()).map(|()| mapping)).collect()
}

/// Gives the option a new value in each of the mappings that has it.
pub fn rotate(mappings: &[Mapping], option: &str, desired: &Desired) -> Result<Vec<Rotated>, Failure> {
    let mut rotated = Vec::new();
    for mapping in locked(mappings, option)? {
        let done = set_locked(&mapping.target(), mapping.object(), desired)?;
        let row = |change| Rotated { server: mapping.server.clone(), role: mapping.role.clone(), change };
        rotated.extend(done.changes.into_iter().map(row));
    }
    Ok(rotated)
}

/// Those that have the option, locked in the order in which they come, which is the same for everybody, and by the names
/// that they have then.
fn locked(mappings: &[Mapping], option: &str) -> Result<Vec<Mapping>, Failure> {
    let mut locked = Vec::new();
    for mapping in mappings.iter().filter(|mapping| mapping.has(option)) {
        server::must_be_writable(mapping.object().command());
        let lock = mapping.object().lockable();
        lock.lock()?;
        match Mapping::new(mapping.oid).filter(|mapping| mapping.has(option)) {
            Some(mapping) => locked.push(mapping),
            None => lock.unlock(),
        }
        server::check_for_interrupts();
    }
    Ok(locked)
}
