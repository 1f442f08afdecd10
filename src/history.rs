//! The history: every accepted change of a foreign object, a row for each attribute, written in the transaction that makes
//! it.
//!
//! Rows are written when a statement has run, also where its verdict waits for the end of the transaction: if that is no,
//! PostgreSQL takes them back with the rest.

use crate::error::Error;
use crate::ffi::function::Value;
use crate::ffi::history::{self, Common, History, Row};
use crate::ffi::memory::Scratch;
use crate::ffi::session::Actor;
use crate::ffi::statement::Wording;
use crate::ffi::{rights, server, session};
use crate::pending;
use crate::planning;
use crate::policy_in_force;
use crate::redaction;
use crate::revert::class_of;
use crate::scene::Class;
use crate::secrets;
use crate::settings::{self, Enforcement};
use crate::telling::{Teller, Told};
use crate::touched::{Key, Touched};
use fdw_guard_policy::change::AttributeChange;
use fdw_guard_policy::evaluate::Session;
use fdw_guard_policy::history::{Entry, entries, rule_entries};
use fdw_guard_policy::model::{ObjectType, Situation};
use fdw_guard_policy::policy::Policy;
use fdw_guard_policy::rule::{Mode, Rule};
use fdw_guard_policy::secret::{HIDDEN, SecretOptions, kept};
use fdw_guard_policy::violation::Violation;
use pgrx::pg_sys::Oid;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::Relaxed;

/// How many rows the running transaction has written.
static WRITTEN: AtomicI32 = AtomicI32::new(0);

/// Whether changes are recorded in this database.
pub fn records() -> bool {
    settings::record_history() && !planning::is_on() && history::find() != History::Nowhere
}

pub use history::system_identifier;

/// Whether the running transaction has recorded something.
pub fn has_written() -> bool {
    WRITTEN.load(Relaxed) != 0
}

/// The transaction has ended.
pub fn forget_transaction() {
    WRITTEN.store(0, Relaxed);
}

/// What there is to keep of a statement.
pub struct Account {
    told: Vec<Told>,
    wording: Option<Wording>,
}

impl Account {
    /// Looks at what was touched as it is now. Nothing is looked at where nothing is recorded.
    pub fn of(touched: &Touched, wording: Option<Wording>) -> Self {
        if !records() || touched.is_empty() {
            return Self { told: Vec::new(), wording };
        }
        server::command_counter_increment();
        let policy = policy();
        let teller = Teller::new(&policy);
        let told = touched.iter().flat_map(|touch| teller.tell(touched, touch));
        Self { told: told.collect(), wording }
    }

    /// Writes it, with the rules that `violations` would have enforced.
    pub fn write(&self, violations: &[Violation]) -> Result<(), Error> {
        if self.told.is_empty() {
            return Ok(());
        }
        let overridden = Overridden::of(violations);
        let statement = self.wording.map(|wording| Statement::of(&wording));
        let rows = self.told.iter().flat_map(|told| {
            let entries = entries(&told.change, told.forms);
            let row = |entry| row(next(), told.key, told.column, entry, statement.as_ref(), overridden.as_ref());
            entries.into_iter().map(row).collect::<Vec<_>>()
        });
        write(&rows.collect::<Vec<_>>())
    }
}

/// What the server log tells of a statement that was refused, as JSON: the fields that its rows would have had. What
/// they have in common stands before the changes.
pub fn refusal(touched: &Touched, wording: Option<Wording>, violations: &[Violation]) -> String {
    let policy = policy();
    let teller = Teller::new(&policy);
    let statement = wording.map(|wording| Statement::of(&wording));
    let told = touched.iter().take(MOST_TOLD).flat_map(|touch| teller.tell(touched, touch));
    let entries = told.flat_map(|told| {
        let of = move |entry| (told.key, told.column, entry);
        entries(&told.change, told.forms).into_iter().map(of).collect::<Vec<_>>()
    });
    let rows: Vec<Map<String, Json>> = (1..)
        .zip(entries)
        .map(|(ord, (key, column, entry))| fields(&row(ord, key, column, entry, statement.as_ref(), None)))
        .collect();
    let mut account = common_fields(&common(), history::transaction());
    account.insert("rules".to_owned(), denying(violations).collect::<BTreeSet<_>>().into_iter().collect());
    account.insert("tag".to_owned(), statement.as_ref().map(|statement| statement.tag.clone()).into());
    account.insert("statement".to_owned(), statement.and_then(|statement| statement.text).into());
    account.insert("more_changes".to_owned(), (rows.len() > MOST_TOLD || touched.iter().count() > MOST_TOLD).into());
    account.insert("changes".to_owned(), rows.into_iter().take(MOST_TOLD).map(without_statement).collect());
    Json::Object(account).to_string()
}

/// The statement would stand there as often as it makes changes.
fn without_statement(mut row: Map<String, Json>) -> Json {
    row.retain(|name, _| name != "tag" && name != "statement");
    Json::Object(row)
}

/// Changes that one line of the log tells.
const MOST_TOLD: usize = 20;

/// The policy that says what is a secret; if that cannot be read, everything is.
pub fn policy() -> Rc<Policy> {
    policy_in_force::policy().unwrap_or_else(|_| Rc::new(Policy::new(Vec::new(), SecretOptions::all())))
}

/// A statement as it is kept.
struct Statement {
    tag: String,
    text: Option<String>,
}

impl Statement {
    fn of(wording: &Wording) -> Self {
        Self { tag: wording.tag(), text: Some(wording.without_secrets()) }
    }

    fn unsaid(tag: &str) -> Self {
        Self { tag: tag.to_owned(), text: None }
    }
}

/// Rules that did not refuse what they forbid.
struct Overridden {
    rules: String,
    reason: Option<String>,
}

impl Overridden {
    fn of(violations: &[Violation]) -> Option<Self> {
        let rules: BTreeSet<&str> = denying(violations).collect();
        let overrides = settings::enforcement() != Enforcement::On && !rules.is_empty();
        overrides.then(|| Self {
            rules: kept(&rules.into_iter().collect::<Vec<_>>().join(", ")),
            reason: settings::override_reason().as_deref().map(kept),
        })
    }
}

fn denying(violations: &[Violation]) -> impl Iterator<Item = &str> {
    violations.iter().filter(|violation| violation.mode == Mode::Deny).map(|violation| violation.rule.as_str())
}

fn row(
    ord: i32,
    key: Key,
    column: i16,
    entry: Entry,
    statement: Option<&Statement>,
    overridden: Option<&Overridden>,
) -> Row {
    let shown = |value: Option<_>| Value::from(value.map(|value: fdw_guard_policy::secret::Shown| value.kept()));
    [
        Value::Integer(ord),
        role_name(key.actor).into(),
        statement.map(|statement| statement.tag.clone()).into(),
        entry.form.map(|form| form.name()).into(),
        entry.object_type.into(),
        entry.identity.into(),
        if key.oid == Oid::INVALID { Value::Null } else { Value::Oid(key.oid) },
        if column == 0 { Value::Null } else { Value::SmallInteger(column) },
        entry.attribute.into(),
        entry.change.into(),
        shown(entry.old),
        shown(entry.new),
        overridden.map(|overridden| overridden.rules.clone()).into(),
        overridden.and_then(|overridden| overridden.reason.clone()).into(),
        statement.and_then(|statement| statement.text.clone()).into(),
    ]
}

/// Records what became of rules of the table; `tag` is the command that did it. Its text is not kept: a rule may name the
/// value of a secret, which nothing in the text tells.
pub fn record_rules(changed: &[(Option<Rule>, Option<Rule>)], tag: &str) -> Result<(), Error> {
    if !records() {
        return Ok(());
    }
    let key = Key { class: Class::Wrapper, oid: Oid::INVALID, actor: session::current_role() };
    let entries = changed.iter().flat_map(|(old, new)| entries_of_rule(old.as_ref(), new.as_ref()));
    let rows: Vec<Row> = entries.map(|entry| row(next(), key, 0, entry, Some(&Statement::unsaid(tag)), None)).collect();
    if rows.is_empty() { Ok(()) } else { write(&rows) }
}

/// What became of a rule, without what may name the value of a secret.
fn entries_of_rule(old: Option<&Rule>, new: Option<&Rule>) -> Vec<Entry> {
    let catalogue = policy_in_force::catalogue();
    let names_secrets =
        |rule: &Rule| rule.trusted && Rule { trusted: false, ..rule.clone() }.check(&catalogue).is_err();
    rule_entries(old, new, names_secrets)
}

/// The same as JSON, for a rule that belongs to no database.
pub fn account_of_rule(old: Option<&Rule>, new: Option<&Rule>) -> String {
    let changes: Vec<Json> = entries_of_rule(old, new).iter().map(Entry::to_json).collect();
    json!({ "changes": changes }).to_string()
}

/// A name that nobody can forge lines by.
fn role_name(role: Oid) -> String {
    kept(Actor::new(role).current_role())
}

fn next() -> i32 {
    pending::note();
    WRITTEN.fetch_add(1, Relaxed) + 1
}

fn write(rows: &[Row]) -> Result<(), Error> {
    let table = match history::find() {
        History::Table(table) => table,
        History::Lost => return Err(history::HistoryError::NoTable.into()),
        History::Nowhere => return Ok(()),
    };
    let _scratch = Scratch::new();
    history::write(table, &common(), rows).map_err(Error::from)
}

fn common() -> Common {
    let actor = Actor::new(session::current_role());
    Common { session_role: kept(actor.session_role()), application_name: actor.application_name().to_owned() }
}

/// The fields of a row that all rows of a statement share, as JSON.
fn common_fields(common: &Common, transaction: Option<i64>) -> Map<String, Json> {
    let actor = Actor::new(session::current_role());
    let fields = [
        ("at", Json::from(history::now_as_text())),
        ("transaction_id", transaction.into()),
        ("client_addr", actor.client_addr().into()),
        ("system_identifier", history::system_identifier().into()),
        ("session_role", common.session_role.clone().into()),
        ("application_name", common.application_name.clone().into()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The fields of a row of its own, as JSON.
fn fields(row: &Row) -> Map<String, Json> {
    let json = |value: &Value| match value {
        Value::Integer(number) => (*number).into(),
        Value::SmallInteger(number) => (*number).into(),
        Value::Oid(oid) => oid.to_u32().into(),
        Value::Text(text) => text.as_str().into(),
        _ => Json::Null,
    };
    history::own_columns().zip(row).map(|(name, value)| (name, json(value))).collect()
}

/// Whether the transaction cannot see all that was recorded of an object.
pub fn is_behind(object: Oid) -> bool {
    session::keeps_snapshot() && matches!(history::find(), History::Table(table) if history::has_unseen(table, object))
}

/// Whether the caller may see what the options of an object were: those of a user mapping show to those who see them now,
/// and to superusers when it is gone.
pub fn may_see(object_type: &str, system_identifier: i64, object: Option<Oid>) -> bool {
    if object_type != ObjectType::UserMapping.name() || rights::is_superuser(session::current_role()) {
        return true;
    }
    let known = object.filter(|_| system_identifier == history::system_identifier());
    known.is_some_and(|mapping| {
        crate::scene::scene_from_outside(Class::UserMapping, mapping).is_some() && rights::may_see_user_mapping(mapping)
    })
}

/// Of which object a row of the history tells.
pub struct Place {
    pub object_type: ObjectType,
    pub system_identifier: i64,
    /// None in a row that was restored from a dump.
    pub object: Option<Oid>,
    pub column: i16,
}

/// Whether the value of an attribute, which was none when it was recorded, is a secret by what is known now.
pub fn is_secret_now(place: &Place, attribute: &str) -> bool {
    if !attribute.starts_with("option ") {
        return false;
    }
    let (Some(option), Ok(policy)) = (AttributeChange::option_of(attribute), policy_in_force::policy()) else {
        return true;
    };
    learn_names(&policy);
    // What is one somewhere may be none here; where the object is gone, nobody knows.
    redaction::is_secret_somewhere(place.object_type, &option)
        && place.situation().is_none_or(|situation| policy.shared_secrecy(&situation).is_secret(&option))
}

impl Place {
    fn situation(&self) -> Option<Situation> {
        let oid = self.object.filter(|_| self.system_identifier == history::system_identifier())?;
        secrets::situation(secrets::Place { class: class_of(self.object_type), oid, column: self.column })
    }
}

/// A recorded statement without what is a secret by what is known now.
pub fn without_secrets(statement: String) -> String {
    match policy_in_force::policy() {
        Ok(policy) => learn_names(&policy),
        Err(_) => return HIDDEN.to_owned(),
    }
    match redaction::with_stars(statement.as_bytes()) {
        Ok(None) => statement,
        Ok(Some(hidden)) => String::from_utf8(hidden).unwrap_or_else(|_| HIDDEN.to_owned()),
        Err(_) => HIDDEN.to_owned(),
    }
}

fn learn_names(policy: &Policy) {
    if !redaction::knows_rules() {
        redaction::learn_rules(policy);
    }
}
