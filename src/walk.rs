//! A walk over all foreign objects of the database, each seen with what is above it.

use crate::ffi::memory::Scratch;
use crate::ffi::scan;
use crate::ffi::secrets::Place;
use crate::progress::Progress;
use crate::scene::{self, Class};
use fdw_guard_policy::model::{ObjectType, Situation};
use pgrx::pg_sys::Oid;
use std::collections::HashSet;
use std::rc::Rc;
use std::vec;

/// What is looked at.
pub struct Route {
    pub object_types: Vec<ObjectType>,
    /// One server and what stands on it; None for everything.
    pub server: Option<Oid>,
}

/// What stands at the end of a step: oids only, so that a hundred thousand of them are small.
type Stop = (Class, Oid);

/// The walk, a step an object; the columns of a table belong to it.
pub struct Walk {
    route: Route,
    stops: vec::IntoIter<Stop>,
    progress: Progress,
}

impl Route {
    fn includes(&self, object_type: ObjectType) -> bool {
        self.object_types.contains(&object_type)
    }

    fn stops(&self) -> Vec<Stop> {
        let mut stops = Vec::new();
        // In the order in which they were made, wherever their rows stand.
        let mut add = |class, mut oids: Vec<Oid>| {
            oids.sort_unstable_by_key(|oid| oid.to_u32());
            stops.extend(oids.into_iter().map(|oid| (class, oid)));
        };
        if self.includes(ObjectType::ForeignDataWrapper) && self.server.is_none() {
            add(Class::Wrapper, scan::wrappers());
        }
        if self.includes(ObjectType::Server) {
            add(Class::Server, self.server.map_or_else(scan::servers, |server| vec![server]));
        }
        let of_server = self.server.map(|server| HashSet::from([server]));
        let first = |found: Vec<(Oid, Oid)>| found.into_iter().map(|(oid, _)| oid).collect();
        if self.includes(ObjectType::UserMapping) {
            let of = |servers: &HashSet<Oid>| first(scan::user_mappings_of(servers));
            add(Class::UserMapping, of_server.as_ref().map_or_else(scan::user_mappings, of));
        }
        if self.includes(ObjectType::ForeignTable) || self.includes(ObjectType::ForeignTableColumn) {
            let of = |servers: &HashSet<Oid>| first(scan::foreign_tables_of(servers));
            add(Class::Relation, of_server.as_ref().map_or_else(scan::foreign_tables, of));
        }
        stops
    }

    /// The objects at a stop; none if it has been dropped meanwhile.
    fn at(&self, (class, oid): Stop) -> Vec<(Place, Situation)> {
        let with_columns = class == Class::Relation && self.includes(ObjectType::ForeignTableColumn);
        let look = if with_columns { scene::scene_below } else { scene::scene_from_outside };
        let Some(scene) = look(class, oid) else { return Vec::new() };
        let place = |column| Place { class, oid, column };
        let of_column = |(number, column): &(i16, Rc<_>)| (place(*number), scene.column(column));
        let all = std::iter::once((place(0), scene.situation.clone())).chain(scene.columns.iter().map(of_column));
        all.filter(|(_, situation)| self.includes(situation.object.object_type)).collect()
    }
}

impl Walk {
    /// Sets out. `function` is whose progress is shown.
    pub fn new(route: Route, function: &'static str) -> Self {
        let stops = route.stops();
        Self { progress: Progress::new(function, stops.len()), stops: stops.into_iter(), route }
    }

    /// Goes to the next object that `may_see` lets pass, and gives what `look` makes of it and its columns; None at the
    /// end. Whatever PostgreSQL allocates for it is given back.
    pub fn step<T>(
        &mut self,
        mut may_see: impl FnMut(Class, Oid) -> bool,
        mut look: impl FnMut(Place, Situation) -> Vec<T>,
    ) -> Option<Vec<T>> {
        let stop = self.stops.next()?;
        let _scratch = Scratch::new();
        crate::ffi::server::check_for_interrupts();
        self.progress.step();
        let situations = if may_see(stop.0, stop.1) { self.route.at(stop) } else { Vec::new() };
        Some(situations.into_iter().flat_map(|(place, situation)| look(place, situation)).collect())
    }
}
