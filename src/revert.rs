//! Recorded objects as they are now, for whoever would undo what was recorded.

use crate::change;
use crate::error::Error;
use crate::ffi::lock::Lockable;
use crate::ffi::raise::Failure;
use crate::ffi::{catalog, inside, scan, server};
use crate::guard;
use crate::history;
use crate::scene::{self, Class, Scene};
use crate::telling::Teller;
use fdw_guard_policy::model::{Attribute, Attributes, ObjectType, Situation};
use fdw_guard_policy::secret::kept;
use pgrx::pg_sys::Oid;

/// An object as the history names it.
pub struct Recorded {
    pub object_type: ObjectType,
    pub identity: String,
    pub system_identifier: i64,
    /// None in a row that was restored from a dump.
    pub object: Option<Oid>,
    pub column: i16,
}

/// An object as it is now.
pub struct Now {
    pub oid: Oid,
    /// 0 for the object itself.
    pub column: i16,
    pub situation: Situation,
    class: Class,
    inside: Attributes,
}

impl Recorded {
    /// The object now: of a row of this cluster by its oid, whatever it is called by now, and otherwise by its name.
    pub fn find(&self) -> Option<Now> {
        let class = class_of(self.object_type);
        let by_oid = self.object.filter(|_| self.system_identifier == history::system_identifier());
        match by_oid {
            Some(oid) => self.part(oid, scene::scene(class, oid)?, |number, _| number == self.column),
            None => oids(class).into_iter().find_map(|oid| self.named(class, oid)),
        }
    }

    /// Keeps others from changing the object until the transaction ends, so that it is undone as it is looked at. Not for
    /// whoever may not alter it: he can undo no more than what he himself has granted, or give a trigger back that is gone.
    pub fn lock(&self) -> Result<(), Failure> {
        server::accept_invalidation_messages();
        while let Some(now) = self.find().filter(|now| change::may_alter(now.class, now.oid)) {
            let lockable = Lockable::of(now.class, now.oid);
            lockable.lock()?;
            if self.find().is_some_and(|found| found.oid == now.oid) {
                return if history::is_behind(now.oid) { Err(self.changed_since_begin().into()) } else { Ok(()) };
            }
            lockable.unlock();
            server::check_for_interrupts();
        }
        Ok(())
    }

    fn changed_since_begin(&self) -> Error {
        Error::ChangedSinceBegin { object_type: self.object_type, identity: self.identity.clone() }
    }

    fn named(&self, class: Class, oid: Oid) -> Option<Now> {
        let known = scene::scene_below(class, oid)?;
        let is_it = known.situation.object.identity() == self.identity
            || known.columns.iter().any(|(_, column)| column.identity() == self.identity);
        if !is_it {
            return None;
        }
        self.part(oid, scene::scene(class, oid)?, |_, identity| identity == self.identity)
    }

    fn part(&self, oid: Oid, scene: Scene, is_it: impl Fn(i16, &str) -> bool) -> Option<Now> {
        let class = class_of(self.object_type);
        if self.object_type != ObjectType::ForeignTableColumn {
            return Some(Now { oid, column: 0, situation: scene.situation, class, inside: scene.inside });
        }
        let (number, state) = scene.columns.iter().find(|(number, column)| is_it(*number, column.identity()))?;
        Some(Now { oid, column: *number, situation: scene.column(state), class, inside: Attributes::new() })
    }
}

impl Now {
    /// The values that the attribute has, as the history keeps them: none, one, or of parents and grants any number.
    pub fn values(&self, attribute: &str) -> Vec<String> {
        let own = |known| self.situation.object.attribute(known).map(kept).into_iter().collect();
        match attribute {
            // These two are not told of what was just made.
            "name" => own(Attribute::Name),
            "schema" => own(Attribute::Schema),
            _ => {
                let policy = history::policy();
                let all = Teller::new(&policy).tell_all(self.situation.clone(), self.inside(attribute));
                let wanted = all.into_iter().filter(|part| part.attribute == attribute);
                wanted.filter_map(|part| part.new.map(|value| value.kept())).collect()
            }
        }
    }

    fn inside(&self, attribute: &str) -> Attributes {
        let catalog = guard::catalog_of(self.class).filter(|_| attribute == "grant");
        catalog.map_or_else(|| self.inside.clone(), |catalog| inside::grants(catalog, self.oid))
    }

    /// In whose name PostgreSQL would give and take the caller's grants on it.
    pub fn grantor(&self) -> Option<String> {
        inside::grantor(guard::catalog_of(self.class)?, self.oid).and_then(catalog::role_name)
    }
}

/// Objects of that type, or the tables of which they are columns.
pub fn class_of(object_type: ObjectType) -> Class {
    match object_type {
        ObjectType::ForeignDataWrapper => Class::Wrapper,
        ObjectType::Server => Class::Server,
        ObjectType::UserMapping => Class::UserMapping,
        ObjectType::ForeignTable | ObjectType::ForeignTableColumn => Class::Relation,
    }
}

fn oids(class: Class) -> Vec<Oid> {
    match class {
        Class::Wrapper => scan::wrappers(),
        Class::Server => scan::servers(),
        Class::UserMapping => {
            let servers = scan::servers().into_iter().collect();
            scan::user_mappings_of(&servers).into_iter().map(|(mapping, _)| mapping).collect()
        }
        Class::Relation => scan::foreign_tables(),
    }
}
