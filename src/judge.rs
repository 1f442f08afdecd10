//! The verdict: every change of a statement held against the policy in force.

use crate::ffi::memory::Scratch;
use crate::ffi::raise::Report;
use crate::ffi::session::Actor;
use crate::ffi::{catalog, scan};
use crate::guard::{self, Class, Key, Scene, Touch, Touched};
use crate::policy_in_force;
use crate::report;
use crate::settings::{self, Enforcement};
use fdw_guard_policy::evaluate::Change;
use fdw_guard_policy::form::{self, Form};
use fdw_guard_policy::model::{ObjectState, ObjectType, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::violation::Violation;
use pgrx::pg_sys::Oid;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// The reports to raise for all that was touched, warnings first.
pub fn judge(touched: &Touched) -> Vec<Report> {
    let enforcement = settings::enforcement();
    if enforcement == Enforcement::Off {
        return Vec::new();
    }
    let policy = match policy_in_force::policy() {
        Ok(policy) => policy,
        Err(error) => return vec![error.into()],
    };
    if policy.rules().next().is_none() {
        return Vec::new();
    }
    let mut judge = Judge { policy: &policy, touched, actors: HashMap::new(), violations: Vec::new() };
    touched.iter().for_each(|touch| judge.touch(touch));
    report::of_violations(judge.violations, enforcement)
}

struct Judge<'a> {
    policy: &'a Policy,
    touched: &'a Touched,
    actors: HashMap<Oid, Rc<Actor>>,
    violations: Vec<Violation>,
}

impl Judge<'_> {
    fn touch(&mut self, touch: &Touch) {
        let _scratch = Scratch::new();
        let old = touch.old.as_ref();
        let new = guard::scene(touch.key.class, touch.key.oid);
        let new = new.as_ref();
        if old.is_none() && new.is_none() {
            return;
        }
        let columns = paired_columns(old, new);
        self.object(touch, old, new, &columns);
        self.columns(touch, old, new, &columns);
        if let (Some(old), Some(new)) = (old, new)
            && old.situation.object != new.situation.object
        {
            self.below(touch.key, old, new);
        }
    }

    /// The object itself; the forms of a table are those of its columns too.
    fn object(&mut self, touch: &Touch, old: Option<&Scene>, new: Option<&Scene>, columns: &Columns) {
        let mut forms = form::forms_between(object_of(old), object_of(new));
        if old.is_some() && new.is_some() {
            forms.extend(
                columns.values().flat_map(|(old, new)| form::table_forms_of_column(old.as_deref(), new.as_deref())),
            );
        }
        self.evaluate(touch.key.actor, situation_of(old), situation_of(new), forms, true);
    }

    /// The columns that changed or were touched, and all of them where a rule on columns looks at the table.
    fn columns(&mut self, touch: &Touch, old: Option<&Scene>, new: Option<&Scene>, columns: &Columns) {
        let table_changed = object_of(old) != object_of(new)
            && self.policy.looks_above(ObjectType::ForeignTableColumn, ObjectType::ForeignTable);
        for (number, (old_column, new_column)) in columns {
            let touched = old_column != new_column || touch.columns.contains(number);
            if touched || table_changed {
                let forms = form::forms_between(old_column.as_deref(), new_column.as_deref());
                let old = old.zip(old_column.as_ref()).map(|(scene, column)| scene.column(column));
                let new = new.zip(new_column.as_ref()).map(|(scene, column)| scene.column(column));
                self.evaluate(touch.key.actor, old, new, forms, touched);
            }
        }
    }

    /// What stands below a wrapper or a server that changed, as far as rules look up from there.
    fn below(&mut self, key: Key, old: &Scene, new: &Scene) {
        let changed = match key.class {
            Class::Wrapper => ObjectType::ForeignDataWrapper,
            Class::Server => ObjectType::Server,
            Class::UserMapping | Class::Relation => return,
        };
        let looked_from = |object_type| self.policy.looks_above(object_type, changed);
        let (servers, mappings) = (looked_from(ObjectType::Server), looked_from(ObjectType::UserMapping));
        let tables = looked_from(ObjectType::ForeignTable) || looked_from(ObjectType::ForeignTableColumn);
        if !servers && !mappings && !tables {
            return;
        }
        let floors = floors(key, old, new);
        if servers && changed == ObjectType::ForeignDataWrapper {
            self.servers_below(key.actor, &floors);
        }
        let oids: HashSet<Oid> = floors.keys().copied().collect();
        if mappings {
            for (mapping, server) in scan::user_mappings_of(&oids) {
                self.one_below(key.actor, Class::UserMapping, mapping, floors.get(&server));
            }
        }
        if tables {
            for (table, server) in scan::foreign_tables_of(&oids) {
                self.one_below(key.actor, Class::Relation, table, floors.get(&server));
            }
        }
    }

    fn servers_below(&mut self, actor: Oid, floors: &Floors) {
        for (server, floor) in floors {
            if !self.touched.contains(Class::Server, *server) {
                let old = situation_on(&floor.old);
                let new = situation_on(&floor.new);
                self.evaluate(actor, old, new, BTreeSet::new(), false);
            }
        }
    }

    /// One mapping or table, with its columns, that stands on a changed floor but did not change itself.
    fn one_below(&mut self, actor: Oid, class: Class, oid: Oid, floor: Option<&Floor>) {
        let Some(floor) = floor.filter(|_| !self.touched.contains(class, oid)) else { return };
        let _scratch = Scratch::new();
        let Some(scene) = guard::scene(class, oid) else { return };
        let old = scene.on(&floor.old);
        let new = scene.on(&floor.new);
        for (_, column) in &scene.columns {
            self.evaluate(actor, Some(old.column(column)), Some(new.column(column)), BTreeSet::new(), false);
        }
        self.evaluate(actor, Some(old.situation), Some(new.situation), BTreeSet::new(), false);
    }

    fn evaluate(
        &mut self,
        actor: Oid,
        old: Option<Situation>,
        new: Option<Situation>,
        forms: BTreeSet<Form>,
        touched: bool,
    ) {
        let actor = Rc::clone(self.actors.entry(actor).or_insert_with(|| Rc::new(Actor::new(actor))));
        let change = Change { old, new, forms, touched };
        self.violations.extend(self.policy.evaluate(&change, actor.as_ref()));
    }
}

/// Columns before and after, by number.
type Columns = BTreeMap<i16, (Column, Column)>;

/// A column on one side of a change; None where it is not there.
type Column = Option<Rc<ObjectState>>;

fn paired_columns(old: Option<&Scene>, new: Option<&Scene>) -> Columns {
    let mut pairs = Columns::new();
    for (number, column) in old.iter().flat_map(|scene| &scene.columns) {
        pairs.entry(*number).or_default().0 = Some(Rc::clone(column));
    }
    for (number, column) in new.iter().flat_map(|scene| &scene.columns) {
        pairs.entry(*number).or_default().1 = Some(Rc::clone(column));
    }
    pairs
}

fn object_of(scene: Option<&Scene>) -> Option<&ObjectState> {
    scene.map(|scene| scene.situation.object.as_ref())
}

fn situation_of(scene: Option<&Scene>) -> Option<Situation> {
    scene.map(|scene| scene.situation.clone())
}

/// What a mapping or a table stands on, before and after: its server first, then the wrapper.
struct Floor {
    old: Vec<Rc<ObjectState>>,
    new: Vec<Rc<ObjectState>>,
}

/// By the server's oid.
type Floors = HashMap<Oid, Floor>;

fn floors(key: Key, old: &Scene, new: &Scene) -> Floors {
    let stack = |scene: &Scene, server: Option<&Rc<ObjectState>>| -> Vec<Rc<ObjectState>> {
        server.into_iter().chain([&scene.situation.object]).chain(&scene.situation.above).cloned().collect()
    };
    if key.class == Class::Server {
        return Floors::from([(key.oid, Floor { old: stack(old, None), new: stack(new, None) })]);
    }
    let servers = scan::servers_of(key.oid).into_iter();
    servers
        .filter_map(|oid| {
            let server = Rc::new(catalog::server(oid)?.state);
            Some((oid, Floor { old: stack(old, Some(&server)), new: stack(new, Some(&server)) }))
        })
        .collect()
}

/// The first of a stack as the object, the rest above it.
fn situation_on(stack: &[Rc<ObjectState>]) -> Option<Situation> {
    let (object, above) = stack.split_first()?;
    Some(Situation { object: Rc::clone(object), above: above.to_vec() })
}
