//! Objects as they are seen: each with what is above it and, as far as somebody looked, with what is inside it.

use crate::ffi::held::Held;
use crate::ffi::hooks::Catalog;
use crate::ffi::tuple::RowPlace;
use crate::ffi::{catalog, inside};
use fdw_guard_policy::inside::without_trigger;
use fdw_guard_policy::model::{Attributes, ObjectState, Situation};
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::rc::Rc;

/// The kinds of object that are touched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    Wrapper,
    Server,
    UserMapping,
    /// A relation; it counts only if it is a foreign table.
    Relation,
}

impl Class {
    /// The kind of object whose main row stands in that catalog.
    pub fn of_catalog(catalog: Oid) -> Option<Self> {
        Self::of_main(Catalog::of(catalog)?)
    }

    /// The catalog in which its main row stands.
    pub fn catalog(self) -> Oid {
        match self {
            Self::Wrapper => Catalog::WRAPPERS,
            Self::Server => Catalog::SERVERS,
            Self::UserMapping => Catalog::USER_MAPPINGS,
            Self::Relation => Catalog::RELATIONS,
        }
    }

    /// The catalog of the row with its options.
    fn catalog_of_options(self) -> Oid {
        match self {
            Self::Relation => Catalog::FOREIGN_TABLES,
            other => other.catalog(),
        }
    }

    pub fn of_main(catalog: Catalog) -> Option<Self> {
        match catalog {
            Catalog::Wrapper => Some(Self::Wrapper),
            Catalog::Server => Some(Self::Server),
            Catalog::UserMapping => Some(Self::UserMapping),
            Catalog::Relation => Some(Self::Relation),
            Catalog::Constraint
            | Catalog::Trigger
            | Catalog::Default
            | Catalog::Inheritance
            | Catalog::Schema
            | Catalog::Role => None,
        }
    }
}

/// An object with all that is above it and, as far as it was looked into, what is inside it.
#[derive(Clone, Debug)]
pub struct Scene {
    pub situation: Situation,
    /// Of a foreign table, by number.
    pub columns: Vec<(i16, Rc<ObjectState>)>,
    /// What [`fdw_guard_policy::inside`] says is inside a table.
    pub inside: Attributes,
    /// Where the row with the object's options stands, if it was read there.
    row: Option<RowPlace>,
}

/// The object as the catalogs show it now, with what is above it and inside it.
pub fn scene(class: Class, oid: Oid) -> Option<Scene> {
    if class != Class::Relation {
        return scene_from_outside(class, oid);
    }
    // Expressions name functions and types, which nobody drops meanwhile, as that takes them out of the table as well.
    let _held = Held::new(oid);
    let scene = scene_from_outside(class, oid)?;
    Some(Scene { inside: inside::of_table(oid), ..scene.with_columns(oid, inside::defaults(oid)) })
}

/// The object as far as rules look into it where it did not change itself: a table with its columns.
pub fn scene_below(class: Class, oid: Oid) -> Option<Scene> {
    let scene = scene_from_outside(class, oid)?;
    Some(if class == Class::Relation { scene.with_columns(oid, HashMap::new()) } else { scene })
}

/// The object itself as the catalogs show it now.
pub fn state(class: Class, oid: Oid) -> Option<ObjectState> {
    let found = match class {
        Class::Wrapper => catalog::wrapper(oid),
        Class::Server => catalog::server(oid),
        Class::UserMapping => catalog::user_mapping(oid),
        Class::Relation => catalog::foreign_table(oid),
    };
    found.map(|found| found.state)
}

/// The object as the catalogs show it now, with what is above it.
pub fn scene_from_outside(class: Class, oid: Oid) -> Option<Scene> {
    from_outside(class, oid, None)
}

/// What has become of an object since somebody saw it, with as much of it; found sooner than without having seen it.
pub fn scene_after(class: Class, oid: Oid, before: Option<&Scene>, with_inside: bool) -> Option<Scene> {
    if with_inside { scene(class, oid) } else { from_outside(class, oid, before.and_then(|before| before.row)) }
}

fn from_outside(class: Class, oid: Oid, before: Option<RowPlace>) -> Option<Scene> {
    let (found, above) = match class {
        Class::Wrapper => (catalog::wrapper_after(oid, before)?, Vec::new()),
        Class::Server => {
            let server = catalog::server_after(oid, before)?;
            let above = wrapper_above(server.above);
            (server, above)
        }
        Class::UserMapping => {
            let mapping = catalog::user_mapping_after(oid, before)?;
            let above = server_above(mapping.above);
            (mapping, above)
        }
        Class::Relation => {
            let table = catalog::foreign_table_after(oid, before)?;
            let above = server_above(table.above);
            (table, above)
        }
    };
    let situation = Situation { object: Rc::new(found.state), above };
    Some(Scene { row: Some(found.row), ..Scene::outside(situation) })
}

impl Scene {
    fn outside(situation: Situation) -> Self {
        Self { situation, columns: Vec::new(), inside: Attributes::new(), row: None }
    }

    fn with_columns(self, table: Oid, defaults: HashMap<i16, String>) -> Self {
        let columns = catalog::columns(table, self.situation.object.identity(), defaults);
        let columns = columns.into_iter().map(|(number, column)| (number, Rc::new(column))).collect();
        Self { columns, ..self }
    }

    /// The same before it got that trigger, of which PostgreSQL tells when it can be seen already.
    pub fn before_trigger(self, trigger: Oid) -> Self {
        match inside::name_of_new_trigger(trigger) {
            Some(name) => Self { inside: without_trigger(self.inside, &name), ..self },
            None => self,
        }
    }

    /// The same, seen before it changes, so that [`scene_after`] finds sooner what it becomes.
    pub fn followed(self, class: Class) -> Self {
        let catalog = class.catalog_of_options();
        Self { row: self.row.map(|row| row.followed(catalog)), ..self }
    }

    /// Whether nothing of it differs, inside and outside, but what is above it.
    pub fn is_as(&self, other: &Self) -> bool {
        self.situation.object == other.situation.object && self.columns == other.columns && self.inside == other.inside
    }

    /// The same object from outside, with other things above it.
    pub fn on(&self, above: &[Rc<ObjectState>]) -> Self {
        Self::outside(Situation { object: Rc::clone(&self.situation.object), above: above.to_vec() })
    }

    /// One column of the table with the table and what is above that.
    pub fn column(&self, column: &Rc<ObjectState>) -> Situation {
        let mut above = self.situation.above.clone();
        above.push(Rc::clone(&self.situation.object));
        Situation { object: Rc::clone(column), above }
    }
}

fn wrapper_above(wrapper: Oid) -> Vec<Rc<ObjectState>> {
    catalog::wrapper_above(wrapper).into_iter().collect()
}

/// The server of a mapping or a table.
pub fn server_of(class: Class, oid: Oid) -> Option<Oid> {
    match class {
        Class::UserMapping => catalog::user_mapping(oid).map(|found| found.above),
        Class::Relation => catalog::foreign_table(oid).map(|found| found.above),
        Class::Wrapper | Class::Server => None,
    }
}

/// A server and its wrapper.
pub fn server_above(server: Oid) -> Vec<Rc<ObjectState>> {
    let Some((server, wrapper)) = catalog::server_above(server) else { return Vec::new() };
    match catalog::wrapper_above(wrapper) {
        Some(wrapper) => vec![wrapper, server],
        None => vec![server],
    }
}
