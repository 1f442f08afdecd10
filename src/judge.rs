//! The verdict: every change of a statement held against the policy in force.

use crate::error::Error;
use crate::ffi::memory::Scratch;
use crate::ffi::secrets::Place;
use crate::ffi::session::Actor;
use crate::ffi::statement::NamedForm;
use crate::ffi::{catalog, rights, scan};
use crate::guard;
use crate::planning;
use crate::policy_in_force;
use crate::scene::{self, Class, Scene};
use crate::secrets::Memories;
use crate::settings::{self, Enforcement};
use crate::touched::{Key, Touch, Touched};
use fdw_guard_policy::evaluate::Change;
use fdw_guard_policy::form::{self, Form, Forms};
use fdw_guard_policy::inside;
use fdw_guard_policy::model::{ObjectState, ObjectType, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::standing::Asked;
use fdw_guard_policy::violation::Violation;
use pgrx::pg_sys::Oid;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// What all that was touched violates.
#[derive(Default)]
pub struct Verdicts {
    pub raised: Vec<Violation>,
    /// What the touched objects violated before and still do, and nobody raises; sought for a plan only.
    pub standing: Vec<Violation>,
}

/// What is enforced of it.
///
/// # Errors
/// When there is no policy to judge by.
pub fn verdicts(touched: &Touched) -> Result<Verdicts, Error> {
    if settings::enforcement() == Enforcement::Off { Ok(Verdicts::default()) } else { judge(touched) }
}

/// The same, whether it is enforced or not.
///
/// # Errors
/// When there is no policy to judge by.
pub fn judge(touched: &Touched) -> Result<Verdicts, Error> {
    let policy = policy_in_force::policy()?;
    if policy.rules().next().is_none() {
        return Ok(Verdicts::default());
    }
    let is_planned = planning::is_on();
    let mut judge = Judge { policy: &policy, touched, is_planned, actors: Vec::new(), verdicts: Verdicts::default() };
    let changed: Vec<Changed> = touched.iter().filter_map(|touch| judge.touch(touch)).collect();
    judge.below(&changed);
    Ok(judge.verdicts)
}

struct Judge<'a> {
    policy: &'a Policy,
    touched: &'a Touched,
    is_planned: bool,
    actors: Vec<(Oid, Rc<Actor>)>,
    verdicts: Verdicts,
}

impl Judge<'_> {
    /// Judges one object; gives it back if it is one on which others stand and has changed.
    fn touch(&mut self, touch: &Touch) -> Option<Changed> {
        let _scratch = self.touched.scratch(touch.knows_inside);
        let inside_counts = self.policy.looks_inside();
        let now = self.touched.now(touch, inside_counts);
        let (old, new) = (touch.old.as_ref(), now.as_deref());
        let knows_inside = touch.knows_inside && inside_counts;
        if (old.is_none() && new.is_none()) || (touch.aside && nothing_happened(knows_inside, old, new)) {
            return None;
        }
        // A rule that nobody knew when the statement began does not bind it.
        let inside_before = if knows_inside { old } else { new };
        let columns = if inside_counts { paired_columns(inside_before, new) } else { Columns::new() };
        let mut forms = form::forms_between(object_of(old), object_of(new));
        let mut column_forms = forms_of_columns(touch, forms, &columns);
        if old.is_some() && new.is_some() {
            forms = column_forms.iter().fold(forms, |all, own| all | form::for_table(*own));
            let seen = if knows_inside || touch.grants.is_some() { inside_before.zip(new) } else { None };
            forms |= seen.map(|(old, new)| forms_inside(touch, forms, old, new)).unwrap_or_default();
        }
        if touch.foretold && !keep_untold(&mut forms, &mut column_forms) {
            return None;
        }
        let named = named_without_trace(touch, forms, old.is_some() && new.is_some());
        forms.extend(named_for_table(&named));
        let (before, after) = (situation_of(old), situation_of(new));
        let written = touch.written().cloned().collect();
        let mut change = Change { old: before, new: after, forms, touched: true, written, unseen: false };
        self.evaluate(touch.key, &mut change);
        self.past(touch, 0, &change);
        if !columns.is_empty() {
            self.columns(touch, &named, old, new, &columns, &column_forms);
        }
        let carries = matches!(touch.key.class, Class::Wrapper | Class::Server);
        let (old, new) = old.zip(now).filter(|_| carries)?;
        (old.situation.object != new.situation.object).then(|| Changed { key: touch.key, old: old.clone(), new })
    }

    /// The columns that changed or were touched, and all of them where a rule on columns looks at the table.
    fn columns(
        &mut self,
        touch: &Touch,
        named: &[&NamedForm],
        old: Option<&Scene>,
        new: Option<&Scene>,
        columns: &Columns,
        forms: &FormsOfColumns,
    ) {
        let table_changed = object_of(old) != object_of(new)
            && self.policy.looks_above(ObjectType::ForeignTableColumn, ObjectType::ForeignTable);
        for ((number, (old_column, new_column)), forms) in columns.iter().zip(forms) {
            let named: Vec<Form> = named_for_column(named, new_column).collect();
            let touched = old_column != new_column || touch.columns.contains(*number) || !named.is_empty();
            if touched || table_changed {
                let mut forms = *forms;
                forms.extend(named.into_iter().filter(|_| old_column.is_some()));
                let old = old.zip(old_column.as_ref()).map(|(scene, column)| scene.column(column));
                let new = new.zip(new_column.as_ref()).map(|(scene, column)| scene.column(column));
                let written = touch.written().cloned().collect();
                let mut change = Change { old, new, forms, touched, written, unseen: false };
                self.evaluate(touch.key, &mut change);
                self.past(touch, *number, &change);
            }
        }
    }

    /// What stands below the wrappers and servers that changed, as far as rules look up from there. Each catalog is read
    /// once for all of them.
    fn below(&mut self, changed: &[Changed]) {
        if changed.is_empty() || !self.looks_up(changed, &BELOW) {
            return;
        }
        let floors = floors(changed);
        for floor in floors.values().flatten().filter(|floor| floor.under_wrapper) {
            self.server_below(floor);
        }
        let servers: HashSet<Oid> = floors.keys().copied().collect();
        let of = |server: &Oid| floors.get(server).into_iter().flatten();
        if self.looks_up(changed, &[ObjectType::UserMapping]) {
            for (mapping, server) in scan::user_mappings_of(&servers) {
                let read = scene::scene_from_outside;
                of(&server).for_each(|floor| self.one_below(Class::UserMapping, mapping, floor, read));
            }
        }
        let columns_count = self.looks_up(changed, &[ObjectType::ForeignTableColumn]);
        if columns_count || self.looks_up(changed, &[ObjectType::ForeignTable]) {
            let read = if columns_count { scene::scene_below } else { scene::scene_from_outside };
            for (table, server) in scan::foreign_tables_of(&servers) {
                of(&server).for_each(|floor| self.one_below(Class::Relation, table, floor, read));
            }
        }
    }

    /// Whether any rule on those types of object looks at one that changed.
    fn looks_up(&self, changed: &[Changed], from: &[ObjectType]) -> bool {
        let types: BTreeSet<ObjectType> =
            changed.iter().map(|changed| changed.new.situation.object.object_type).collect();
        from.iter().any(|object_type| types.iter().any(|above| self.policy.looks_above(*object_type, *above)))
    }

    /// A server under a changed wrapper that did not change itself.
    fn server_below(&mut self, floor: &Floor) {
        if !self.touched.contains(Class::Server, floor.server) {
            let (old, new) = (situation_on(&floor.old), situation_on(&floor.new));
            let key = Key { class: Class::Server, oid: floor.server, actor: floor.actor };
            self.evaluate(key, &mut untouched(old, new));
        }
    }

    /// One mapping or table, with its columns, that stands on a changed floor but did not change itself.
    fn one_below(&mut self, class: Class, oid: Oid, floor: &Floor, read: fn(Class, Oid) -> Option<Scene>) {
        if self.touched.contains(class, oid) {
            return;
        }
        let _scratch = Scratch::new();
        let Some(scene) = read(class, oid) else { return };
        let old = scene.on(&floor.old);
        let new = scene.on(&floor.new);
        let key = Key { class, oid, actor: floor.actor };
        for (_, column) in &scene.columns {
            self.evaluate(key, &mut untouched(Some(old.column(column)), Some(new.column(column))));
        }
        self.evaluate(key, &mut untouched(Some(old.situation), Some(new.situation)));
    }

    /// What rules say of the past of the object's secrets.
    fn past(&mut self, touch: &Touch, column: i16, change: &Change) {
        let Some(new) = change.new.as_ref() else { return };
        if !self.policy.remembers_of(new.object.object_type) {
            return;
        }
        let actor = self.actor(touch.key.actor);
        let place = Place { class: touch.key.class, oid: touch.key.oid, column };
        let memory = Memories::of(place, touch.writer(column));
        self.verdicts.raised.extend(self.policy.reused(change, actor.as_ref(), &memory));
        if self.is_planned && change.old.is_some() {
            let before = change.old.as_ref().map(|old| &old.object.options);
            let stays = |found: &Violation| {
                let option = found.option.as_deref().unwrap_or_default();
                before.is_some_and(|before| before.get(option) == new.object.options.get(option))
            };
            let found = self.policy.too_old(Asked::All, new, actor.as_ref(), &memory);
            self.verdicts.standing.extend(found.into_iter().filter(stays));
        }
    }

    fn evaluate(&mut self, key: Key, change: &mut Change) {
        let actor = self.actor(key.actor);
        change.unseen = change.rewritten().next().is_some() && is_unseen(key);
        let mut raised = self.policy.evaluate(change, actor.as_ref());
        if !raised.is_empty() && !change.unseen && change.old.is_some() && is_unseen(key) {
            change.unseen = true;
            raised = self.policy.evaluate(change, actor.as_ref());
        }
        if self.is_planned && change.touched {
            self.verdicts.standing.extend(self.policy.still_standing(change, &raised, actor.as_ref()));
        }
        self.verdicts.raised.extend(raised);
    }

    /// The role as an actor; most verdicts know one.
    fn actor(&mut self, role: Oid) -> Rc<Actor> {
        if let Some((_, known)) = self.actors.iter().find(|(known, _)| *known == role) {
            return Rc::clone(known);
        }
        let actor = Rc::new(Actor::new(role));
        self.actors.push((role, Rc::clone(&actor)));
        actor
    }
}

/// Only something above the object has changed.
fn untouched(old: Option<Situation>, new: Option<Situation>) -> Change {
    Change { old, new, forms: Forms::empty(), touched: false, written: Vec::new(), unseen: false }
}

/// Whether it is a user mapping of which the actor would not see the options.
pub fn is_unseen(key: Key) -> bool {
    key.class == Class::UserMapping && !rights::may_see_user_mapping_as(key.oid, key.actor)
}

/// Columns before and after, in the order of their numbers.
pub type Columns = Vec<(i16, (Column, Column))>;

/// A column on one side of a change; None where it is not there.
pub type Column = Option<Rc<ObjectState>>;

/// The columns of both sides.
pub fn paired_columns(old: Option<&Scene>, new: Option<&Scene>) -> Columns {
    let [old, new] = [old, new].map(|scene| scene.map(|scene| scene.columns.as_slice()).unwrap_or_default());
    if old.is_empty() && new.is_empty() {
        return Columns::new();
    }
    let mut pairs: BTreeMap<i16, (Column, Column)> = BTreeMap::new();
    for (number, column) in old {
        pairs.entry(*number).or_default().0 = Some(Rc::clone(column));
    }
    for (number, column) in new {
        pairs.entry(*number).or_default().1 = Some(Rc::clone(column));
    }
    pairs.into_iter().collect()
}

/// Whether an object beside which something was touched is as it was, or is gone.
fn nothing_happened(knows_inside: bool, old: Option<&Scene>, new: Option<&Scene>) -> bool {
    match old.zip(new) {
        Some((old, new)) if knows_inside => old.is_as(new),
        Some((old, new)) => old.situation.object == new.situation.object,
        None => true,
    }
}

/// The forms by which what is inside the object changed, given the other forms of the change.
fn forms_inside(touch: &Touch, others: Forms, old: &Scene, new: &Scene) -> Forms {
    let object_type = new.situation.object.object_type;
    if let Some(grants) = &touch.grants {
        return form::forms_of_attributes(object_type, grants, &guard::grants_on(touch.key));
    }
    let retells = |form: Form| form == Form::SetDataType || form::RENAMING.contains(&form);
    let redefines = |named: &NamedForm| matches!(named.form, Form::AddConstraint | Form::DropConstraint);
    match touch.said() {
        Some(said) if others.iter().any(retells) && !said.iter().any(redefines) => {
            form::forms_of_attributes(object_type, &inside::retold(&old.inside, &new.inside), &new.inside)
        }
        _ => form::forms_of_attributes(object_type, &old.inside, &new.inside),
    }
}

/// The forms by which columns changed, for each of the columns in their order.
type FormsOfColumns = Vec<Forms>;

/// The forms of the columns, given those of their table, without what one change has brought with another.
fn forms_of_columns(touch: &Touch, of_table: Forms, columns: &Columns) -> FormsOfColumns {
    let between = |(old, new): &(Column, Column)| form::forms_between(old.as_deref(), new.as_deref());
    let mut forms: FormsOfColumns = columns.iter().map(|(_, pair)| between(pair)).collect();
    if let Some(said) = touch.said() {
        let of_all = forms.iter().fold(of_table, |all, own| all | *own);
        for (own, (_, (_, new))) in forms.iter_mut().zip(columns).filter(|(own, _)| !own.is_empty()) {
            let column = new.as_ref().map(|column| column.name());
            let names = |form| said.iter().any(|named| named.form == form && named.column.as_deref() == column);
            *own = form::without_consequences(*own, of_all, names);
        }
    }
    forms
}

/// The forms that were judged before the statement ran, of whatever it was of which some were.
pub const FORETOLD: [Form; 3] = [Form::ImportForeignSchema, Form::NoInherit, Form::Other];

/// Leaves out what was foretold; says whether anything else is left.
fn keep_untold(of_table: &mut Forms, of_columns: &mut FormsOfColumns) -> bool {
    let all: Vec<&mut Forms> = of_columns.iter_mut().chain([of_table]).collect();
    let mut left = false;
    for forms in all {
        *forms = forms.iter().filter(|form| !FORETOLD.contains(form)).collect();
        left |= !forms.is_empty();
    }
    left
}

/// The forms that the statement names and that left no trace. Where it changed something, the catalogs say better what
/// some of them were: SET DEFAULT NULL drops the default.
fn named_without_trace(touch: &Touch, traces: Forms, is_altered: bool) -> Vec<&NamedForm> {
    let counts = |named: &&NamedForm| traces.is_empty() || is_altered && named.form.is_what_it_says();
    touch.named().filter(counts).collect()
}

/// The OPTIONS of a column are not the table's.
fn named_for_table(named: &[&NamedForm]) -> impl Iterator<Item = Form> {
    named.iter().filter(|named| named.form != Form::Options || named.column.is_none()).map(|named| named.form)
}

fn named_for_column(named: &[&NamedForm], column: &Column) -> impl Iterator<Item = Form> {
    let name = column.as_ref().map(|column| column.name());
    named.iter().filter(move |named| named.column.is_some() && named.column.as_deref() == name).map(|named| named.form)
}

fn object_of(scene: Option<&Scene>) -> Option<&ObjectState> {
    scene.map(|scene| scene.situation.object.as_ref())
}

fn situation_of(scene: Option<&Scene>) -> Option<Situation> {
    scene.map(|scene| scene.situation.clone())
}

/// A wrapper or a server that changed, and who changed it.
struct Changed {
    key: Key,
    old: Scene,
    new: Rc<Scene>,
}

/// The types of object that can stand on a wrapper or a server.
const BELOW: [ObjectType; 4] =
    [ObjectType::Server, ObjectType::UserMapping, ObjectType::ForeignTable, ObjectType::ForeignTableColumn];

/// What a mapping or a table stands on, before and after a change: its server first, then the wrapper.
struct Floor {
    actor: Oid,
    server: Oid,
    /// It is the wrapper that changed.
    under_wrapper: bool,
    old: Vec<Rc<ObjectState>>,
    new: Vec<Rc<ObjectState>>,
}

/// By the server's oid; a server that changed together with its wrapper has two.
type Floors = HashMap<Oid, Vec<Floor>>;

fn floors(changed: &[Changed]) -> Floors {
    let mut floors = Floors::new();
    for changed in changed {
        for floor in floors_of(changed) {
            floors.entry(floor.server).or_default().push(floor);
        }
    }
    floors
}

fn floors_of(changed: &Changed) -> Vec<Floor> {
    let floor = |oid: Oid, server: Option<&Rc<ObjectState>>| {
        let stack = |scene: &Scene| -> Vec<Rc<ObjectState>> {
            server.into_iter().chain([&scene.situation.object]).chain(&scene.situation.above).cloned().collect()
        };
        let (old, new) = (stack(&changed.old), stack(&changed.new));
        Floor { actor: changed.key.actor, server: oid, under_wrapper: server.is_some(), old, new }
    };
    if changed.key.class == Class::Server {
        return vec![floor(changed.key.oid, None)];
    }
    let servers = scan::servers_of(changed.key.oid).into_iter();
    servers.filter_map(|oid| Some(floor(oid, Some(&Rc::new(catalog::server(oid)?.state))))).collect()
}

/// The first of a stack as the object, the rest above it.
fn situation_on(stack: &[Rc<ObjectState>]) -> Option<Situation> {
    let (object, above) = stack.split_first()?;
    Some(Situation { object: Rc::clone(object), above: above.to_vec() })
}
