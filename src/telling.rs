//! What became of a touched object, told attribute by attribute with secrets hidden.

use crate::ffi::server;
use crate::guard;
use crate::judge::{self, Column};
use crate::scene::{Class, Scene};
use crate::touched::{Key, Touch, Touched};
use fdw_guard_policy::change::{AttributeChange, ObjectChange, Side, Telling};
use fdw_guard_policy::form::{self, Form, Forms};
use fdw_guard_policy::inside;
use fdw_guard_policy::model::{Attributes, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::secret::Secrecy;
use pgrx::pg_sys::Oid;
use std::collections::HashSet;

/// An object that differs, and the forms by which it does.
pub struct Told {
    pub key: Key,
    /// 0 for the object itself.
    pub column: i16,
    pub change: ObjectChange,
    pub forms: Forms,
}

/// Tells changes by what the policy says of secrets.
pub struct Teller<'a> {
    policy: &'a Policy,
    unseen: Unseen,
}

/// What the reader may not see, but as far as it is he who writes it.
#[derive(Default)]
pub struct Unseen {
    pub mappings: HashSet<Oid>,
    /// The options that the running statement writes, of a user mapping.
    pub written: Vec<String>,
}

impl Unseen {
    fn hides(&self, key: Key) -> bool {
        key.class == Class::UserMapping && self.mappings.contains(&key.oid)
    }
}

/// A situation and what is inside its object.
type State = (Situation, Attributes);

impl<'a> Teller<'a> {
    /// Tells one who may see everything but secrets.
    pub fn new(policy: &'a Policy) -> Self {
        Self::to(policy, Unseen::default())
    }

    /// Tells one who may not see all of it.
    pub const fn to(policy: &'a Policy, unseen: Unseen) -> Self {
        Self { policy, unseen }
    }

    /// The object and, of a table, its columns, as far as they differ from what they were.
    pub fn tell(&self, touched: &Touched, touch: &Touch) -> Vec<Told> {
        server::check_for_interrupts();
        let _scratch = touched.scratch(touch.knows_inside);
        let now = touched.now(touch, touch.knows_inside);
        let (old, new) = (touch.old.as_ref(), now.as_deref());
        if touch.aside && new.is_none() {
            return Vec::new();
        }
        let mut told: Vec<Told> = self.object(touch, old, new).into_iter().collect();
        told.extend(self.columns(touch, old, new));
        told
    }

    /// Everything there is to tell of an object, as of one that was just made.
    pub fn tell_all(&self, situation: Situation, inside: Attributes) -> Vec<AttributeChange> {
        self.between(None, Some((situation, inside)), Telling::Differing)
            .map(|change| change.attributes)
            .unwrap_or_default()
    }

    fn object(&self, touch: &Touch, old: Option<&Scene>, new: Option<&Scene>) -> Option<Told> {
        let (mut before, mut after) = (old.map(state), new.map(state));
        if let (Some(grants), Some(before), Some(after)) = (&touch.grants, &mut before, &mut after) {
            before.1.clone_from(grants);
            after.1 = guard::grants_on(touch.key);
        }
        let object = |state: &Option<State>| state.as_ref().map(|(situation, _)| situation.object.clone());
        let mut forms = form::forms_between(object(&before).as_deref(), object(&after).as_deref());
        if let Some((before, after)) = before.as_mut().zip(after.as_ref()) {
            // PostgreSQL tells what names a renamed column in other words; nobody has changed it.
            if forms.iter().any(|form| form == Form::SetDataType || form::RENAMING.contains(&form))
                || columns_are_renamed(old, new)
            {
                before.1 = inside::retold(&before.1, &after.1);
            }
            forms.extend(form::forms_of_attributes(after.0.object.object_type, &before.1, &after.1));
        }
        let rewritten = rewritten(touch, &before, &after);
        forms.extend((!rewritten.is_empty()).then_some(Form::Options));
        let telling = match self.unseen.hides(touch.key) {
            true => Telling::Unseen(&self.unseen.written),
            false => Telling::Written(&rewritten),
        };
        let change = self.between(before, after, telling)?;
        Some(Told { key: touch.key, column: 0, change, forms })
    }

    fn columns(&self, touch: &Touch, old: Option<&Scene>, new: Option<&Scene>) -> Vec<Told> {
        let columns = judge::paired_columns(old, new);
        let differ = columns.into_iter().filter(|(_, (old, new))| old != new);
        let told = differ.filter_map(|(number, (before, after))| {
            let side = |scene: Option<&Scene>, column: &Column| Some(bare(scene?.column(column.as_ref()?)));
            let of_column = form::forms_between(before.as_deref(), after.as_deref());
            let whole = old.is_none() || new.is_none();
            let forms = if whole { of_column } else { of_part(of_column) };
            let change = self.between(side(old, &before), side(new, &after), Telling::Differing)?;
            Some(Told { key: touch.key, column: number, change, forms })
        });
        told.collect()
    }

    fn between(&self, old: Option<State>, new: Option<State>, telling: Telling<'_>) -> Option<ObjectChange> {
        let secrecy =
            |state: &Option<State>| state.as_ref().map(|(situation, _)| self.policy.shared_secrecy(situation));
        let (of_old, of_new) = (secrecy(&old), secrecy(&new));
        ObjectChange::between(side(old.as_ref(), of_old.as_deref()), side(new.as_ref(), of_new.as_deref()), telling)
    }
}

/// The options that are given the value that they have, where it is not for him who writes them to know that.
fn rewritten(touch: &Touch, old: &Option<State>, new: &Option<State>) -> Vec<String> {
    let Some(((old, _), (new, _))) = old.as_ref().zip(new.as_ref()) else { return Vec::new() };
    let is_same = |option: &&String| new.object.options.agree(&old.object.options, option);
    let rewritten: Vec<String> = touch.written().flat_map(|names| names.iter()).filter(is_same).cloned().collect();
    if rewritten.is_empty() || !judge::is_unseen(touch.key) { Vec::new() } else { rewritten }
}

fn side<'a>(state: Option<&'a State>, secrecy: Option<&'a Secrecy>) -> Option<Side<'a>> {
    let ((situation, inside), secrecy) = state.zip(secrecy)?;
    Some(Side { situation, inside, secrecy })
}

fn state(scene: &Scene) -> State {
    (scene.situation.clone(), scene.inside.clone())
}

fn bare(situation: Situation) -> State {
    (situation, Attributes::new())
}

/// A column that comes or goes while its table stays is added or dropped.
fn of_part(forms: Forms) -> Forms {
    let of_part = |form| match form {
        Form::Create => Form::AddColumn,
        Form::Drop => Form::DropColumn,
        other => other,
    };
    forms.iter().map(of_part).collect()
}

fn columns_are_renamed(old: Option<&Scene>, new: Option<&Scene>) -> bool {
    let name = |column: &Column| column.as_ref().map(|column| column.name().to_owned());
    judge::paired_columns(old, new)
        .iter()
        .any(|(_, (old, new))| old.is_some() && new.is_some() && name(old) != name(new))
}
