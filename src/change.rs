//! Desired state: makes the options of an object so, by the one ALTER that it takes, in turn with other sessions that do the
//! same.
//!
//! PostgreSQL's own ALTER of a server or a user mapping locks nothing, and fails if another session has changed the same row
//! meanwhile. Here the object and its row are locked before it is looked at for the last time.

pub mod rotate;

use crate::error::Error;
use crate::ffi::lock::Lockable;
use crate::ffi::raise::Failure;
use crate::ffi::{catalog, names, rights, run, server, session};
use crate::lookup::{self, Instead, Missing};
use crate::policy_in_force;
use crate::scene::{self, Class};
use fdw_guard_policy::ddl;
use fdw_guard_policy::diff::{Desired, OptionChange, Present, Statement, altering, creating};
use fdw_guard_policy::model::{Attribute, Description, ObjectState, ObjectType, Options, Situation};
use pgrx::pg_sys::Oid;
use std::ffi::CStr;
use std::rc::Rc;

/// What is to be changed, as the caller names it.
pub enum Target {
    Server {
        name: String,
    },
    UserMapping {
        role: String,
        server: String,
        /// Whether a mapping that is missing is made.
        create: bool,
    },
    Table {
        oid: Oid,
    },
    Column {
        table: Oid,
        name: String,
    },
}

/// The same by oids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Object {
    Server(Oid),
    UserMapping(Oid),
    /// A user mapping that is to be made.
    NoMapping {
        role: Oid,
        server: Oid,
    },
    Table(Oid),
    Column(Oid, i16),
}

/// What was done.
#[derive(Default)]
pub struct Done {
    /// The user mapping was made.
    pub created: bool,
    pub changes: Vec<OptionChange>,
}

/// Makes the options so. Where nothing differs nothing is locked and nothing is done.
pub fn set_options(target: &Target, desired: &Desired) -> Result<Done, Failure> {
    let object = target.find()?;
    must_be_allowed(object)?;
    if !object.is_missing() && Planned::of(target, object, desired)?.changes.is_empty() {
        return Ok(Done::default());
    }
    // A standby could not even lock it, and would say no more than that.
    server::must_be_writable(object.command());
    let object = target.lock()?;
    set_locked(target, object, desired)
}

fn set_locked(target: &Target, object: Object, desired: &Desired) -> Result<Done, Failure> {
    let planned = Planned::of(target, object, desired)?;
    let created = object.is_missing();
    if created || !planned.changes.is_empty() {
        let statement = planned.statement(created).ok_or_else(|| target.changed_meanwhile())?;
        run::run(&statement)?;
        target.must_still_be(object)?;
    }
    Ok(Done { created, changes: planned.changes })
}

/// An object as it is and what there is to change.
struct Planned {
    situation: Situation,
    changes: Vec<OptionChange>,
}

impl Planned {
    fn of(target: &Target, object: Object, desired: &Desired) -> Result<Self, Error> {
        let situation = object.situation(target).ok_or_else(|| target.changed_meanwhile())?;
        let secrecy = policy_in_force::policy()?.secrecy(&situation);
        let present =
            Present { options: &situation.object.options, secrecy: &secrecy, are_visible: object.is_visible() };
        let changes = present.changes_to(desired);
        Ok(Self { situation, changes })
    }

    fn statement(&self, create: bool) -> Option<Statement> {
        if create {
            let server = self.situation.part(ObjectType::Server)?.name();
            return Some(creating(&ddl::create_user_mapping(self.situation.object.name(), server), &self.changes));
        }
        Some(altering(&ddl::alter(&self.situation)?, &self.changes))
    }
}

impl Target {
    fn find(&self) -> Result<Object, Error> {
        server::accept_invalidation_messages();
        Ok(match self {
            Self::Server { name } => Object::Server(lookup::server(name)?),
            Self::UserMapping { role, server, create } => find_mapping(role, server, *create)?,
            Self::Table { oid } => Object::Table(lookup::foreign_table(*oid)?),
            Self::Column { table, name } => {
                let table = lookup::foreign_table(*table)?;
                Object::Column(table, lookup::column(table, name)?)
            }
        })
    }

    /// The object by its name, locked; if the name has gone over to another one meanwhile, that one.
    fn lock(&self) -> Result<Object, Failure> {
        loop {
            let object = self.find()?;
            must_be_allowed(object)?;
            object.lockable().lock()?;
            if self.find()? == object {
                return Ok(object);
            }
            object.lockable().unlock();
            server::check_for_interrupts();
        }
    }

    /// ALTER names its object, and neither a renaming nor a new schema's name waits for our lock.
    fn must_still_be(&self, object: Object) -> Result<(), Error> {
        let is_same = match object {
            Object::NoMapping { role, server } => self.find()?.is_mapping_of(role, server),
            Object::Table(oid) | Object::Column(oid, _) => is_found_by_name(oid),
            Object::Server(_) | Object::UserMapping(_) => self.find().is_ok_and(|found| found == object),
        };
        if is_same { Ok(()) } else { Err(self.changed_meanwhile()) }
    }

    fn changed_meanwhile(&self) -> Error {
        let (object_type, name) = match self {
            Self::Server { name } => (ObjectType::Server, name.clone()),
            Self::UserMapping { role, server, .. } => (ObjectType::UserMapping, format!("{role} on server {server}")),
            Self::Table { oid } => (ObjectType::ForeignTable, names::of_relation(*oid).unwrap_or_default()),
            Self::Column { name, .. } => (ObjectType::ForeignTableColumn, name.clone()),
        };
        Error::ChangedMeanwhile { object_type, name }
    }
}

fn find_mapping(role: &str, server: &str, create: bool) -> Result<Object, Missing> {
    match lookup::user_mapping(role, server) {
        Ok(mapping) => Ok(Object::UserMapping(mapping)),
        Err(Missing::UserMapping { .. }) if create => {
            Ok(Object::NoMapping { role: lookup::role(role)?, server: lookup::server(server)? })
        }
        Err(Missing::UserMapping { role, server, .. }) => {
            Err(Missing::UserMapping { role, server, instead: Instead::Create })
        }
        Err(missing) => Err(missing),
    }
}

fn is_found_by_name(table: Oid) -> bool {
    let Some(found) = catalog::foreign_table(table) else { return false };
    let schema = found.state.attribute(Attribute::Schema).unwrap_or_default();
    names::relation(schema, found.state.name()) == Some(table)
}

impl Object {
    /// What changes it.
    fn command(self) -> &'static CStr {
        match self {
            Self::Server(_) => c"ALTER SERVER",
            Self::UserMapping(_) => c"ALTER USER MAPPING",
            Self::NoMapping { .. } => c"CREATE USER MAPPING",
            Self::Table(_) | Self::Column(..) => c"ALTER FOREIGN TABLE",
        }
    }

    fn is_missing(self) -> bool {
        matches!(self, Self::NoMapping { .. })
    }

    fn is_mapping_of(self, role: Oid, server: Oid) -> bool {
        matches!(self, Self::UserMapping(oid) if names::user_mapping(role, server) == Some(oid))
    }

    /// A mapping that is missing is made under its server's lock, so that nobody else makes it meanwhile.
    fn lockable(self) -> Lockable {
        match self {
            Self::NoMapping { server, .. } => Lockable::Object(Class::Server, server),
            Self::Server(oid) => Lockable::of(Class::Server, oid),
            Self::UserMapping(oid) => Lockable::of(Class::UserMapping, oid),
            Self::Table(oid) | Self::Column(oid, _) => Lockable::of(Class::Relation, oid),
        }
    }

    fn situation(self, target: &Target) -> Option<Situation> {
        match (self, target) {
            (Self::Server(oid), _) => situation(Class::Server, oid),
            (Self::UserMapping(oid), _) => situation(Class::UserMapping, oid),
            (Self::Table(oid), _) => situation(Class::Relation, oid),
            (Self::Column(table, number), _) => {
                let scene = scene::scene_from_outside(Class::Relation, table)?;
                let column = catalog::column(table, number, scene.situation.object.identity(), None)?;
                Some(scene.column(&Rc::new(column)))
            }
            (Self::NoMapping { server, .. }, Target::UserMapping { role, .. }) => Some(mapping_to_be(role, server)),
            (Self::NoMapping { .. }, _) => None,
        }
    }

    /// Whether the caller may see its options, secrets aside; those that a new mapping gets come from himself.
    fn is_visible(self) -> bool {
        match self {
            Self::UserMapping(oid) => rights::may_see_user_mapping(oid),
            _ => true,
        }
    }
}

fn situation(class: Class, oid: Oid) -> Option<Situation> {
    scene::scene_from_outside(class, oid).map(|scene| scene.situation)
}

fn mapping_to_be(role: &str, server: Oid) -> Situation {
    let attributes = [(Attribute::Name, role.to_owned())].into();
    let object = ObjectState {
        object_type: ObjectType::UserMapping,
        description: Rc::new(Description { identity: String::new(), attributes }),
        options: Options::default(),
    };
    Situation { object: Rc::new(object), above: scene::server_above(server) }
}

/// Whether the caller may alter the options of the object.
pub fn may_alter(class: Class, oid: Oid) -> bool {
    let object = match class {
        Class::Wrapper => return rights::is_superuser(session::current_role()),
        Class::Server => Object::Server(oid),
        Class::UserMapping => Object::UserMapping(oid),
        Class::Relation => Object::Table(oid),
    };
    must_be_allowed(object).is_ok()
}

/// Who may not alter the object is told so before anything is compared or locked, and which right is missing.
fn must_be_allowed(object: Object) -> Result<(), Error> {
    match object {
        Object::Server(server) => must_own_server(server, None),
        Object::NoMapping { role, server } => must_be_allowed_mapping(role, server),
        Object::UserMapping(mapping) => {
            let role = catalog::user_mapping_role(mapping).unwrap_or(Oid::INVALID);
            let server = catalog::user_mapping(mapping).map_or(Oid::INVALID, |found| found.above);
            must_be_allowed_mapping(role, server)
        }
        Object::Table(table) | Object::Column(table, _) => must_own_table(table),
    }
}

/// As `user_mapping_ddl_aclcheck` (foreigncmds.c): the server's owner, and for his own mapping whoever has USAGE.
fn must_be_allowed_mapping(role: Oid, server: Oid) -> Result<(), Error> {
    let is_own = role == session::current_role();
    if !is_own {
        return must_own_server(server, Some(role));
    }
    if rights::may_use_server(server) || catalog::server_owner(server).is_some_and(rights::acts_as) {
        return Ok(());
    }
    Err(Error::NoUsage { server: server_name(server), caller: caller() })
}

fn must_own_server(server: Oid, mapping_of: Option<Oid>) -> Result<(), Error> {
    let mapping_of = mapping_of.map(role_of_mapping);
    must_own(catalog::server_owner(server), "foreign server", || server_name(server), mapping_of)
}

fn must_own_table(table: Oid) -> Result<(), Error> {
    must_own(catalog::owner_of(table), "foreign table", || names::of_relation(table).unwrap_or_default(), None)
}

fn must_own(
    owner: Option<Oid>,
    of: &'static str,
    name: impl FnOnce() -> String,
    mapping_of: Option<String>,
) -> Result<(), Error> {
    match owner {
        Some(owner) if !rights::acts_as(owner) => {
            let owner_is_superuser = rights::is_superuser(owner);
            let owner = catalog::role_name(owner).unwrap_or_default();
            Err(Error::NotOwner { of, name: name(), owner, owner_is_superuser, caller: caller(), mapping_of })
        }
        // What is gone meanwhile is said to be when it is looked up again.
        _ => Ok(()),
    }
}

fn server_name(server: Oid) -> String {
    catalog::server_above(server).map(|(server, _)| server.name().to_owned()).unwrap_or_default()
}

/// By the name that mappings go by.
fn role_of_mapping(role: Oid) -> String {
    if role == lookup::PUBLIC { catalog::PUBLIC.to_owned() } else { catalog::role_name(role).unwrap_or_default() }
}

fn caller() -> String {
    catalog::role_name(session::current_role()).unwrap_or_default()
}
