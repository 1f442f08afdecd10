//! From a statement to its verdict: what it touched, how that was before, how it is now, and what the policy says.
//!
//! A statement has a frame. The first touch of an object takes its state as it was; when the statement has run, the state
//! as it is is read, and the policy judges the difference. Touches outside any frame (another extension's C code, a
//! library loaded mid-statement) and those of `check_mode = deferred` wait for the end of the transaction.

use crate::error::Error;
use crate::ffi::hooks::{Access, Catalog};
use crate::ffi::memory::Scratch;
use crate::ffi::raise::Report;
use crate::ffi::statement::{Foretold, Named, NamedForm, Said, Whose, Wording};
use crate::ffi::{catalog, inside, scan, server, session, version};
use crate::history::{self, Account};
use crate::judge;
use crate::pending;
use crate::planning;
use crate::policy_in_force;
use crate::report;
use crate::scene::{Class, scene, scene_from_outside};
use crate::secrets;
use crate::settings::{self, CheckMode, Enforcement};
use crate::touched::{How, Key, Subtransaction, Touch, Touched};
use fdw_guard_policy::form::Form;
use fdw_guard_policy::model::{Attribute, Attributes, ObjectType};
use fdw_guard_policy::plan::Finding;
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::rule::Mode;
use fdw_guard_policy::violation::Violation;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::mem;

/// One running statement.
#[derive(Default)]
struct Frame {
    touched: Touched,
    named: Option<Named>,
    wording: Option<Wording>,
    /// Of what something was judged before the statement ran.
    foretold: Vec<(Class, Oid)>,
    /// The options that it gives a value.
    written: Vec<String>,
    /// It changes nothing inside a table.
    stays_outside: bool,
    /// The grants on wrappers and servers before it, where it may change them and a rule minds.
    grants: Vec<(Class, Oid, Attributes)>,
}

/// The frames of the statements that run now, outermost first, and what waits for the end of the transaction.
struct Open {
    frames: Vec<Frame>,
    waiting: Touched,
    /// What was touched outside any frame, to be recorded then; the rest of what waits has been.
    unrecorded: Touched,
}

impl Open {
    fn innermost(&mut self) -> &mut Touched {
        self.frames.last_mut().map_or(&mut self.waiting, |frame| &mut frame.touched)
    }

    /// Whether the running statement changes nothing inside a table.
    fn stays_outside(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.stays_outside)
    }

    /// Whether something of the object has been judged before the running statement began.
    fn foretells(&self, key: Key) -> bool {
        self.frames.last().is_some_and(|frame| frame.foretold.contains(&(key.class, key.oid)))
    }

    /// Everything that was touched in this transaction and is not done with yet.
    fn all(&mut self) -> impl Iterator<Item = &mut Touched> {
        let waiting = [&mut self.waiting, &mut self.unrecorded];
        self.frames.iter_mut().map(|frame| &mut frame.touched).chain(waiting)
    }

    /// Notes one more touch; says whether nothing of the object has to be looked at any more.
    fn note_again(&mut self, key: Key, how: How) -> bool {
        let is_outside = self.frames.is_empty();
        let is_known = self.innermost().note_again(key, how);
        is_known && (!is_outside || self.unrecorded.note_again(key, how))
    }

    fn add(&mut self, touch: Touch) {
        if self.frames.is_empty() {
            self.unrecorded.add(touch.clone());
        }
        self.innermost().add(touch);
    }
}

thread_local! {
    /// Never borrowed across a call into PostgreSQL, which may leave by an error and never give it back.
    static OPEN: RefCell<Open> = const {
        RefCell::new(Open { frames: Vec::new(), waiting: Touched::nothing(), unrecorded: Touched::nothing() })
    };
}

fn with_open<T>(act: impl FnOnce(&mut Open) -> T) -> T {
    pending::note();
    OPEN.with_borrow_mut(act)
}

/// The reports for a change that is judged before the statement runs.
pub fn foretell(change: Option<Foretold>, wording: Wording) -> Vec<Report> {
    if settings::enforcement() == Enforcement::Off {
        return Vec::new();
    }
    let Some(change) = change else { return Vec::new() };
    let mut touched = Touched::default();
    for (class, oid, forms) in told_before(change) {
        let key = Key { class, oid, actor: session::current_role() };
        let mut touch = Touch::of(key, scene_from_outside(class, oid));
        touch.name(forms);
        touched.add(touch);
    }
    if touched.is_empty() {
        return Vec::new();
    }
    conclude(violations(&touched), &touched, Some(wording), |_| Ok(()))
}

/// What is told of a change before it is made: the objects that it is done to, and by which forms. Of what a detached
/// partition undergoes, that is the part that is done when half of the statement stands already.
fn told_before(change: Foretold) -> Vec<(Class, Oid, Vec<NamedForm>)> {
    match change {
        Foretold::Import(server) => {
            vec![(Class::Server, server, vec![NamedForm::of_object(Form::ImportForeignSchema)])]
        }
        Foretold::Detach(partition) if catalog::is_foreign_table(partition) => {
            let mut forms = vec![NamedForm::of_object(Form::NoInherit)];
            forms.extend(identity_given_up_by(partition));
            vec![(Class::Relation, partition, forms)]
        }
        Foretold::Detach(partition) => inside::foreign_heirs(partition)
            .map(|heir| (Class::Relation, heir, forms_below(heir, partition)))
            .filter(|(_, _, forms)| !forms.is_empty())
            .collect(),
    }
}

/// The forms by which a foreign table changes that stands below a partition which is detached.
fn forms_below(heir: Oid, partition: Oid) -> Vec<NamedForm> {
    let loses_trigger = inside::has_trigger_from_above(heir, partition);
    let triggers = loses_trigger.then(|| NamedForm::of_object(Form::Other));
    triggers.into_iter().chain(identity_given_up_by(heir)).collect()
}

/// Identity columns are those of the partitioned table, where partitions share them.
fn identity_given_up_by(partition: Oid) -> Vec<NamedForm> {
    if !version::partitions_share_identity() {
        return Vec::new();
    }
    let columns = scene(Class::Relation, partition).map(|scene| scene.columns).unwrap_or_default();
    let identity = columns.iter().filter(|(_, column)| column.attribute(Attribute::Identity).is_some());
    identity.map(|(_, column)| NamedForm { form: Form::Other, column: Some(column.name().to_owned()) }).collect()
}

/// A watched statement begins.
pub fn open_frame(said: Said, wording: Wording) {
    let grants = if said.may_grant && (planning::is_on() || grants_count()) { grants() } else { Vec::new() };
    let foretold = said.foretold.map(told_before).unwrap_or_default();
    let foretold = foretold.into_iter().map(|(class, oid, _)| (class, oid)).collect();
    let Said { named, written, stays_outside, .. } = said;
    let touched = Touched::default();
    let frame = Frame { touched, named, wording: Some(wording), foretold, written, stays_outside, grants };
    with_open(|open| open.frames.push(frame));
}

/// The statement has failed: PostgreSQL undoes what it touched.
pub fn abandon_frame() {
    with_open(|open| drop(open.frames.pop()));
}

/// The statement has run: the reports to raise for it, warnings first.
pub fn close_frame() -> Vec<Report> {
    let Some(frame) = with_open(|open| open.frames.pop()) else { return Vec::new() };
    let Frame { mut touched, named, wording, written, grants, .. } = frame;
    touched.write(written);
    touched.say(named.as_ref().map(|named| named.forms.as_slice()).unwrap_or_default());
    add_named(&mut touched, named);
    add_granted(&mut touched, &grants);
    if planning::owns_frame(depth()) {
        return plan_frame(touched);
    }
    if touched.is_empty() {
        return Vec::new();
    }
    match settings::check_mode() {
        CheckMode::Immediate => verdict(&touched, wording),
        CheckMode::Deferred => {
            let reports = record_before_verdict(&touched, wording);
            with_open(|open| open.waiting.absorb(touched));
            reports
        }
    }
}

/// A statement of a plan has run: what it did is kept, and nothing is raised unless there is no policy to judge by.
fn plan_frame(touched: Touched) -> Vec<Report> {
    server::command_counter_increment();
    let outcome = planning::note_changes(&touched).and_then(|()| match settings::check_mode() {
        CheckMode::Immediate => planning::note_verdict(&touched).and_then(|()| secrets::keep(&touched)),
        CheckMode::Deferred => {
            with_open(|open| open.waiting.absorb(touched));
            Ok(())
        }
    });
    outcome.err().map(Report::from).into_iter().collect()
}

/// What would be found before commit, if the transaction ended now.
///
/// # Errors
/// When there is no policy.
pub fn planned_commit() -> Result<Vec<Finding>, Error> {
    if settings::check_mode() == CheckMode::Immediate {
        return Ok(Vec::new());
    }
    let waiting = with_open(|open| open.waiting.clone());
    if waiting.is_empty() { Ok(Vec::new()) } else { planning::findings(&waiting) }
}

/// Adds the forms that the statement names. What it has not touched is as it was.
fn add_named(touched: &mut Touched, named: Option<Named>) {
    let Some(Named { whose, forms }) = named else { return };
    let relation = match whose {
        Whose::Touched(class) => return touched.name(class, &forms),
        Whose::Relation(relation) if a_rule_may_look_inside() => relation.find(),
        Whose::Relation(_) => None,
    };
    let Some(relation) = relation.filter(|oid| catalog::is_foreign_table(*oid)) else { return };
    let key = Key { class: Class::Relation, oid: relation, actor: session::current_role() };
    match touched.find(key) {
        Some(touch) => touch.name(forms),
        None => {
            let mut touch = Touch::of(key, scene_from_outside(key.class, key.oid));
            touch.name(forms);
            touched.add(touch);
        }
    }
}

/// Adds the wrappers and servers on which the statement has changed grants.
fn add_granted(touched: &mut Touched, before: &[(Class, Oid, Attributes)]) {
    if before.is_empty() {
        return;
    }
    server::command_counter_increment();
    for (class, oid, grants) in before {
        let (class, oid) = (*class, *oid);
        let key = Key { class, oid, actor: session::current_role() };
        if grants_on(key) != *grants {
            touched.add(Touch { grants: Some(grants.clone()), ..Touch::of(key, scene_from_outside(class, oid)) });
        }
    }
}

/// The grants on every wrapper and server.
fn grants() -> Vec<(Class, Oid, Attributes)> {
    let of = |class: Class, oids: Vec<Oid>| {
        let catalog = catalog_of(class);
        oids.into_iter().filter_map(move |oid| Some((class, oid, inside::grants(catalog?, oid))))
    };
    of(Class::Wrapper, scan::wrappers()).chain(of(Class::Server, scan::servers())).collect()
}

fn grants_count() -> bool {
    history::records()
        || settings::enforcement() != Enforcement::Off
            && policy_in_force::policy().is_ok_and(|policy| policy.governs(&[Form::Grant, Form::Revoke]))
}

/// The grants on a wrapper or a server now.
pub fn grants_on(key: Key) -> Attributes {
    catalog_of(key.class).map(|catalog| inside::grants(catalog, key.oid)).unwrap_or_default()
}

/// The catalog of wrappers or of servers, on which grants are governed.
pub fn catalog_of(class: Class) -> Option<Oid> {
    matches!(class, Class::Wrapper | Class::Server).then(|| class.catalog())
}

/// The transaction is about to commit: the reports for all that has not been judged yet. Frames are open here when the
/// commit comes from within a statement (CALL of a procedure that commits); they stay open, empty.
pub fn before_commit() -> Vec<Report> {
    let (touched, unrecorded) = with_open(|open| {
        let (mut touched, mut unrecorded) = (mem::take(&mut open.waiting), Vec::new());
        unrecorded.push((mem::take(&mut open.unrecorded), None));
        for frame in &mut open.frames {
            let of_frame = mem::take(&mut frame.touched);
            touched.absorb(of_frame.clone());
            unrecorded.push((of_frame, frame.wording));
        }
        (touched, unrecorded)
    });
    if touched.is_empty() { Vec::new() } else { last_verdict(&touched, &unrecorded) }
}

/// Whether nothing has been touched in this transaction, as in almost every one.
pub fn has_noted_nothing() -> bool {
    !pending::may_be() || finds_nothing_noted()
}

#[inline(never)]
fn finds_nothing_noted() -> bool {
    let nothing = |open: &Open| open.waiting.is_empty() && open.frames.iter().all(|frame| frame.touched.is_empty());
    let found_none = OPEN.with_borrow(nothing) && !history::has_written();
    pending::settle(!found_none);
    found_none
}

/// The transaction has ended. Frames stay: a procedure that rolls back goes on in the next transaction.
pub fn forget_transaction() {
    with_open(|open| open.all().for_each(|touched| *touched = Touched::default()));
    history::forget_transaction();
}

/// A subtransaction has ended; `heir` is its parent if it was released, None if it was rolled back.
pub fn end_subtransaction(ended: Subtransaction, heir: Option<Subtransaction>) {
    with_open(|open| {
        let all = open.all().filter(|touched| !touched.is_empty());
        all.for_each(|touched| touched.end_subtransaction(ended, heir));
    });
}

/// How many statements run now, one inside the other.
pub fn depth() -> usize {
    with_open(|open| open.frames.len())
}

/// The reports for what a statement touched. If nothing is refused, it is recorded.
fn verdict(touched: &Touched, wording: Option<Wording>) -> Vec<Report> {
    server::command_counter_increment();
    conclude(violations(touched), touched, wording, |violations| {
        Account::of(touched, wording).write(violations)?;
        secrets::keep(touched)
    })
}

/// What a transaction touched that ends now, and what of it nobody has recorded.
fn last_verdict(touched: &Touched, unrecorded: &[(Touched, Option<Wording>)]) -> Vec<Report> {
    server::command_counter_increment();
    conclude(violations(touched), touched, None, |violations| {
        unrecorded.iter().try_for_each(|(touched, wording)| Account::of(touched, *wording).write(violations))?;
        secrets::keep(touched)
    })
}

/// The reports for a verdict: if it refuses, first a line for the log, and else last what comes of recording.
fn conclude(
    violations: Result<Vec<Violation>, Error>,
    touched: &Touched,
    wording: Option<Wording>,
    record: impl FnOnce(&[Violation]) -> Result<(), Error>,
) -> Vec<Report> {
    let violations = match violations {
        Ok(violations) => violations,
        Err(error) => return vec![error.into()],
    };
    let (told, recorded) = match refused_rule(&violations) {
        Some(rule) => (refusal(rule, touched, wording, &violations), Ok(())),
        None => (None, record(&violations)),
    };
    told.into_iter().chain(raised(violations)).chain(recorded.err().map(Report::from)).collect()
}

/// A statement whose verdict waits is recorded at once: if the verdict is no, PostgreSQL takes the record back with the
/// rest. Of the rules only those that are overridden matter here.
fn record_before_verdict(touched: &Touched, wording: Option<Wording>) -> Vec<Report> {
    if !history::records() {
        return Vec::new();
    }
    server::command_counter_increment();
    let is_enforced = settings::enforcement() == Enforcement::On;
    let overridden = if is_enforced { Vec::new() } else { violations(touched).unwrap_or_default() };
    let recorded = Account::of(touched, wording).write(&overridden);
    recorded.err().map(Report::from).into_iter().collect()
}

/// What all of it violates. Where nothing is enforced that is for the record only, and rules that cannot be read are none.
fn violations(touched: &Touched) -> Result<Vec<Violation>, Error> {
    match settings::enforcement() {
        Enforcement::Off if history::records() => {
            Ok(judge::judge(touched).map(|found| found.raised).unwrap_or_default())
        }
        Enforcement::Off => Ok(Vec::new()),
        Enforcement::On | Enforcement::Warn => judge::judge(touched).map(|found| planning::keep_warnings(found.raised)),
    }
}

fn raised(violations: Vec<Violation>) -> Vec<Report> {
    match settings::enforcement() {
        _ if violations.is_empty() => Vec::new(),
        Enforcement::Off => Vec::new(),
        enforcement => report::of_violations(violations, enforcement),
    }
}

/// The line of the server log for a statement that is refused.
fn refusal(rule: &str, touched: &Touched, wording: Option<Wording>, violations: &[Violation]) -> Option<Report> {
    let is_told = settings::record_history() && !planning::is_on();
    is_told.then(|| report::refusal(rule, &history::refusal(touched, wording, violations)))
}

/// The first rule that refuses.
fn refused_rule(violations: &[Violation]) -> Option<&str> {
    let denying = violations.iter().find(|violation| violation.mode == Mode::Deny);
    denying.filter(|_| settings::enforcement() == Enforcement::On).map(|violation| violation.rule.as_str())
}

/// The running statement touches a row of a catalog: on the first touch of the object that the row belongs to, its state
/// is taken as it was.
pub fn note_touch(catalog: Catalog, row: Oid, sub_object: i32, access: Access) {
    let is_off = settings::enforcement() == Enforcement::Off;
    if is_off && !history::records() && !planning::is_on() && !secrets::may_be_kept() {
        return;
    }
    match (catalog, access) {
        // A role or schema that is made or dropped has nothing that rules know.
        (Catalog::Schema, Access::Alter) if counts(ObjectType::ForeignTable) => {
            let of_schema = |table: &Oid| catalog::schema_of(*table) == Some(row);
            scan::foreign_tables()
                .into_iter()
                .filter(of_schema)
                .for_each(|table| note(Class::Relation, table, How::Aside));
        }
        (Catalog::Role, Access::Alter) if counts(ObjectType::UserMapping) => {
            scan::user_mappings_for(row).into_iter().for_each(|mapping| note(Class::UserMapping, mapping, How::Aside));
        }
        (Catalog::Schema | Catalog::Role, _) => {}
        _ => {
            let Some((class, oid)) = owner_of(catalog, row, access) else { return };
            let column = i16::try_from(sub_object).unwrap_or_default();
            match (access, catalog) {
                // A column may go with the temporary type that it has, while its table stays.
                (Access::DropAside, _) if column == 0 && Class::of_main(catalog).is_some() => {}
                (Access::DropAside, _) => note(class, oid, How::Aside),
                (Access::Create, Catalog::Trigger) => note(class, oid, How::Trigger(row)),
                (Access::Create, _) if column == 0 && Class::of_main(catalog).is_some() => note(class, oid, How::Made),
                _ if Class::of_main(catalog).is_none() => note(class, oid, How::Inside),
                _ => note(class, oid, How::Changed(column)),
            }
        }
    }
}

/// A validator of ours is asked about the options of a foreign table. If the statement began before the library was loaded,
/// by this very call, the table that it makes has been made behind our back, save that it has no options yet.
pub fn note_unfinished_table() {
    let is_seen = depth() > 0 || server::stands_aside();
    if !is_seen && (settings::enforcement() != Enforcement::Off || history::records()) {
        scan::unfinished_foreign_tables().into_iter().for_each(|table| note(Class::Relation, table, How::Made));
    }
}

fn note(class: Class, oid: Oid, how: How) {
    let key = Key { class, oid, actor: session::current_role() };
    let (foretold, is_known) = with_open(|open| (open.foretells(key), open.note_again(key, how)));
    let is_new = how == How::Made;
    if is_known {
        return look_inside_after_all(key, how);
    }
    if !concerns(class, oid, is_new) {
        return;
    }
    let knows_inside = is_new || inside_counts(class, how);
    let _scratch = with_open(|open| open.innermost().wants_scratch(knows_inside)).then(Scratch::new);
    let read = if knows_inside { scene } else { scene_from_outside };
    let old = match how {
        How::Made => None,
        How::Trigger(trigger) => read(class, oid).map(|scene| scene.before_trigger(trigger)),
        How::Changed(_) | How::Inside | How::Aside => read(class, oid).map(|scene| scene.followed(class)),
    };
    let writers = old.as_ref().map(|old| secrets::writers(class, oid, old)).unwrap_or_default();
    let touch = Touch { knows_inside, writers, foretold, ..Touch::by(key, old, how) };
    planning::see(&touch);
    with_open(|open| open.add(touch));
}

/// Whether there may be a rule on such objects, or on the columns of such tables.
fn counts(object_type: ObjectType) -> bool {
    let is_about = |policy: &Policy| {
        policy.is_about(object_type)
            || object_type == ObjectType::ForeignTable && policy.is_about(ObjectType::ForeignTableColumn)
    };
    history::records() || policy_in_force::kept().is_none_or(|policy| is_about(&policy))
}

/// A statement that is about the options of a table alone touches something inside it: code of another extension does so.
fn look_inside_after_all(key: Key, how: How) {
    let is_unknown = |open: &mut Open| open.innermost().find(key).is_some_and(|touch| !touch.knows_inside);
    if how != How::Changed(0)
        && with_open(|open| open.stays_outside() && is_unknown(open))
        && inside_counts(key.class, how)
    {
        let seen = scene(key.class, key.oid);
        with_open(|open| {
            if let Some(touch) = open.innermost().find(key) {
                touch.look_inside(seen);
            }
        });
    }
}

/// Whether what is inside a table counts, of which that is touched. A rule that judges the running statement will be one of
/// those known now, unless the verdict waits: another session's rule binds this one from its next statement.
fn inside_counts(class: Class, how: How) -> bool {
    let (waits, stays_outside) = with_open(|open| (open.frames.is_empty(), open.stays_outside()));
    let all_counts = waits || settings::check_mode() == CheckMode::Deferred || planning::is_on();
    let some_counts = || !(stays_outside && how == How::Changed(0)) && (history::records() || a_rule_may_look_inside());
    class == Class::Relation && (all_counts || some_counts())
}

/// As far as the session knows.
fn a_rule_may_look_inside() -> bool {
    policy_in_force::kept().is_none_or(|policy| policy.looks_inside())
}

/// The object that a row of that catalog belongs to.
fn owner_of(catalog: Catalog, row: Oid, access: Access) -> Option<(Class, Oid)> {
    if let Some(class) = Class::of_main(catalog) {
        let is_altered = catalog == Catalog::Relation && access == Access::Alter;
        // ALTER SEQUENCE does what ALTER COLUMN … SET INCREMENT does.
        let of_identity = if is_altered { catalog::table_of_sequence(row) } else { None };
        return Some((class, of_identity.unwrap_or(row)));
    }
    let table = match catalog {
        Catalog::Constraint => scan::relation_of_constraint(row)?,
        Catalog::Trigger => inside::table_of_trigger(row)?,
        Catalog::Default if access != Access::Create => inside::table_of_default(row)?,
        Catalog::Schema | Catalog::Role => return None,
        _ => row,
    };
    (table != Oid::INVALID).then_some((Class::Relation, table))
}

fn concerns(class: Class, oid: Oid, is_new: bool) -> bool {
    match class {
        Class::Relation if is_new => catalog::is_new_foreign_table(oid),
        Class::Relation => catalog::is_foreign_table(oid),
        Class::Wrapper | Class::Server | Class::UserMapping => true,
    }
}
