//! What differs between two states of an object, attribute by attribute: what a plan shows, and what a history keeps.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::form::{ATTRIBUTES, AttributeRow};
use crate::inside::{Constraint, Enabled, NOT_ENFORCED, Trigger};
use crate::model::{Attribute, Attributes, ObjectType, OptionValue, Situation};
use crate::secret::{Secrecy, Shown, kept, original};

/// What became of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Add,
    Set,
    Drop,
}

impl Kind {
    /// Its word in a plan.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Set => "set",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One attribute that differs. A secret's value has no place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// A key of `table_state`, or a kind and a name, which is not quoted: `owner`, `option host`, `constraint positive`.
    pub attribute: String,
    pub kind: Kind,
    /// None where it was not there.
    pub old: Option<Shown>,
    /// None where it is not there any more.
    pub new: Option<Shown>,
}

/// An object at one moment.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub situation: &'a Situation,
    /// What [`crate::inside`] says is inside it.
    pub inside: &'a Attributes,
    /// Of its options.
    pub secrecy: &'a Secrecy,
}

impl Side<'_> {
    /// Whether nothing but options can differ.
    fn has_attributes_of(&self, other: &Self) -> bool {
        let description = |side: &Self| Rc::as_ptr(&side.situation.object.description);
        description(self) == description(other) && self.inside == other.inside
    }
}

/// What there is to tell of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChange {
    pub object_type: ObjectType,
    /// The one by which it was known before, if there was one.
    pub identity: String,
    /// [`Kind::Add`] of one that was created, [`Kind::Drop`] of one that was dropped.
    pub kind: Kind,
    pub attributes: Vec<AttributeChange>,
}

/// Which options are told.
#[derive(Debug, Clone, Copy)]
pub enum Telling<'a> {
    /// Those that differ.
    Differing,
    /// Those too to which the statement gives a value, where it is not for him who does so to know whether that is the one
    /// that was there.
    Written(&'a [String]),
    /// The same to a reader who may not see them: nothing of a value but what he writes himself.
    Unseen(&'a [String]),
}

impl ObjectChange {
    /// What differs between the two sides; None if nothing does.
    pub fn between(old: Option<Side<'_>>, new: Option<Side<'_>>, telling: Telling<'_>) -> Option<Self> {
        let known = old.or(new)?.situation;
        let kind = match (old, new) {
            (None, _) => Kind::Add,
            (_, None) => Kind::Drop,
            _ => Kind::Set,
        };
        let mut attributes = of_attributes(old, new);
        attributes.extend(match telling {
            Telling::Differing => of_options(old, new, &[]),
            Telling::Written(written) => of_options(old, new, written),
            Telling::Unseen(written) => of_unseen_options(old, new, written),
        });
        (kind != Kind::Set || !attributes.is_empty()).then(|| Self {
            object_type: known.object.object_type,
            identity: known.object.identity().to_owned(),
            kind,
            attributes,
        })
    }
}

impl AttributeChange {
    /// What an option is called among the attributes.
    pub(crate) fn name_of_option(option: &str) -> String {
        format!("option {}", kept(option))
    }

    /// The option that is called so among the attributes.
    pub fn option_of(attribute: &str) -> Option<String> {
        original(attribute.strip_prefix("option ")?)
    }

    /// None where both sides are the same.
    fn of(attribute: impl Into<String>, old: Option<&str>, new: Option<&str>) -> Option<Self> {
        if old == new {
            return None;
        }
        Self::shown(attribute, old.map(Shown::plain), new.map(Shown::plain))
    }

    /// None where it is on neither side.
    fn shown(attribute: impl Into<String>, old: Option<Shown>, new: Option<Shown>) -> Option<Self> {
        let kind = match (&old, &new) {
            (None, None) => return None,
            (None, Some(_)) => Kind::Add,
            (Some(_), None) => Kind::Drop,
            (Some(_), Some(_)) => Kind::Set,
        };
        Some(Self { attribute: attribute.into(), kind, old, new })
    }
}

/// What an object stands on, by the name of that type; nothing changes it but making the object anew.
const ABOVE: [(ObjectType, ObjectType, &str); 2] = [
    (ObjectType::Server, ObjectType::ForeignDataWrapper, "wrapper"),
    (ObjectType::ForeignTable, ObjectType::Server, "server"),
];

fn of_attributes(old: Option<Side<'_>>, new: Option<Side<'_>>) -> Vec<AttributeChange> {
    if old.zip(new).is_some_and(|(old, new)| old.has_attributes_of(&new)) {
        return Vec::new();
    }
    let is_made_or_gone = old.is_some() != new.is_some();
    let above = ABOVE.iter().filter_map(|(object_type, above, key)| {
        let name = |side: Side<'_>| {
            let stands = side.situation.object.object_type == *object_type;
            side.situation.part(*above).filter(|_| stands).map(|part| part.name().to_owned())
        };
        AttributeChange::of(*key, old.and_then(name).as_deref(), new.and_then(name).as_deref())
    });
    let above: Vec<_> = above.filter(|_| is_made_or_gone).collect();
    let counts = |row: &&AttributeRow| match row.attribute {
        // The identity says what it is called.
        Attribute::Name | Attribute::Schema => !is_made_or_gone,
        // They are told with their schemas.
        Attribute::HandlerName | Attribute::ValidatorName => false,
        _ => true,
    };
    let own = ATTRIBUTES.iter().filter(counts).flat_map(|row| {
        let [old, new] = [old, new].map(|side| attribute(side?, row.attribute));
        of_attribute(row, old, new)
    });
    above.into_iter().chain(own).collect()
}

fn attribute(side: Side<'_>, attribute: Attribute) -> Option<&str> {
    side.situation.object.attribute(attribute).or_else(|| side.inside.get(&attribute).map(String::as_str))
}

/// One attribute of an object; of those that are lists, each element.
fn of_attribute(row: &AttributeRow, old: Option<&str>, new: Option<&str>) -> Vec<AttributeChange> {
    if old == new {
        return Vec::new();
    }
    match row.attribute {
        Attribute::Constraints => of_parts("constraint", old, new, |part: &Constraint| {
            // What is not enforced is never validated.
            let valid = if part.validated || part.definition.ends_with(NOT_ENFORCED) { "" } else { " NOT VALID" };
            (part.name.clone(), format!("{}{valid}", part.definition))
        }),
        Attribute::Triggers => of_parts("trigger", old, new, |part: &Trigger| {
            (part.name.clone(), format!("{}{}", part.definition, when_it_fires(part.enabled)))
        }),
        Attribute::Parents => of_names("parent", old, new),
        Attribute::Grants => of_names("grant", old, new),
        _ => AttributeChange::of(row.state_key, old, new).into_iter().collect(),
    }
}

fn when_it_fires(enabled: Enabled) -> &'static str {
    match enabled {
        Enabled::Origin => "",
        Enabled::Replica => " ENABLE REPLICA",
        Enabled::Always => " ENABLE ALWAYS",
        Enabled::Disabled => " DISABLE",
    }
}

fn elements<T: DeserializeOwned>(attribute: Option<&str>) -> Vec<T> {
    attribute.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Parts with a name and a text each.
fn of_parts<P: DeserializeOwned>(
    what: &str,
    old: Option<&str>,
    new: Option<&str>,
    told: fn(&P) -> (String, String),
) -> Vec<AttributeChange> {
    let told = |attribute| elements::<P>(attribute).iter().map(told).collect::<Vec<_>>();
    let (old, new) = (told(old), told(new));
    let names = in_order(&old, &new, |(name, _)| name.as_str());
    let text = |parts: &[(String, String)], name: &str| {
        parts.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone())
    };
    let change = |name: &str| {
        let attribute = format!("{what} {}", kept(name));
        AttributeChange::of(attribute, text(&old, name).as_deref(), text(&new, name).as_deref())
    };
    names.into_iter().filter_map(change).collect()
}

/// Elements that are nothing but a name, which PostgreSQL has quoted already.
fn of_names(what: &str, old: Option<&str>, new: Option<&str>) -> Vec<AttributeChange> {
    let (old, new) = (elements::<String>(old), elements::<String>(new));
    let change = |name: &str| {
        let there = |names: &[String]| names.iter().any(|known| known == name).then(|| name.to_owned());
        AttributeChange::of(what, there(&old).as_deref(), there(&new).as_deref())
    };
    in_order(&old, &new, String::as_str).into_iter().filter_map(change).collect()
}

/// Each name of either list once, those of the new one first.
fn in_order<'a, T>(old: &'a [T], new: &'a [T], name: fn(&T) -> &str) -> Vec<&'a str> {
    let mut known = BTreeSet::new();
    new.iter().chain(old).map(name).filter(|name| known.insert(*name)).collect()
}

fn of_options(old: Option<Side<'_>>, new: Option<Side<'_>>, written: &[String]) -> Vec<AttributeChange> {
    let told = told_options(old, new, written);
    told.filter_map(|name| of_option(name, shown(old, name), shown(new, name))).collect()
}

/// Those that differ, and those that are written.
fn told_options<'a>(
    old: Option<Side<'a>>,
    new: Option<Side<'a>>,
    written: &'a [String],
) -> impl Iterator<Item = &'a str> {
    let names = option_names(old, new).into_iter();
    names.filter(move |name| is_among(written, name) || value(old, name) != value(new, name))
}

fn is_among(written: &[String], option: &str) -> bool {
    written.iter().any(|other| other == option)
}

/// The options of an object that stays, or is made, under the eyes of one who may not see them. Of one that goes he is
/// told nothing more.
fn of_unseen_options(old: Option<Side<'_>>, new: Option<Side<'_>>, written: &[String]) -> Vec<AttributeChange> {
    if new.is_none() {
        return Vec::new();
    }
    let change = |name: &str| {
        let new = shown(new, name).map(|value| if is_among(written, name) { value } else { Shown::hidden() });
        of_option(name, shown(old, name).map(|_| Shown::hidden()), new)
    };
    told_options(old, new, written).filter_map(change).collect()
}

fn of_option(name: &str, old: Option<Shown>, new: Option<Shown>) -> Option<AttributeChange> {
    AttributeChange::shown(AttributeChange::name_of_option(name), old, new)
}

fn option_names<'a>(old: Option<Side<'a>>, new: Option<Side<'a>>) -> Vec<&'a str> {
    let names = |side: Option<Side<'a>>| {
        side.into_iter().flat_map(|side| side.situation.object.options.iter()).map(|(name, _)| name)
    };
    names(new).chain(names(old).filter(|name| value(new, name).is_none())).collect()
}

fn value<'a>(side: Option<Side<'a>>, name: &str) -> Option<OptionValue<'a>> {
    side.and_then(|side| side.situation.object.options.get(name))
}

fn shown(side: Option<Side<'_>>, name: &str) -> Option<Shown> {
    Some(side?.secrecy.show_whole(name, value(side, name)?))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::inside::to_attribute;
    use crate::secret::SecretOptions;
    use crate::testing::{column, mapping, server, state, table};

    fn between(
        old: Option<(&Situation, &Attributes)>,
        new: Option<(&Situation, &Attributes)>,
        telling: Telling<'_>,
    ) -> Option<ObjectChange> {
        let object_type = old.or(new).unwrap().0.object.object_type;
        let mut secrecy = Secrecy::new(object_type, Rc::new(SecretOptions::default()));
        secrecy.add_public("user");
        let side = |(situation, inside)| Side { situation, inside, secrecy: &secrecy };
        ObjectChange::between(old.map(side), new.map(side), telling)
    }

    fn told(change: &ObjectChange) -> Vec<String> {
        let text = |value: &Option<Shown>| value.as_ref().map_or_else(|| "-".to_owned(), Shown::to_string);
        let line = |change: &AttributeChange| {
            format!("{} {}: {} {}", change.kind, change.attribute, text(&change.old), text(&change.new))
        };
        change.attributes.iter().map(line).collect()
    }

    const NOTHING: &Attributes = &Attributes::new();

    fn options_between(old: &Situation, new: &Situation, telling: Telling<'_>) -> Vec<String> {
        between(Some((old, NOTHING)), Some((new, NOTHING)), telling).as_ref().map(told).unwrap_or_default()
    }

    #[test]
    fn options_are_added_set_and_dropped() {
        let (old, new) = (
            server("s", &[("a", "1"), ("Odd Name", "1"), ("same", "x")]),
            server("s", &[("same", "x"), ("a", "2"), ("password", "p")]),
        );
        assert_eq!(
            options_between(&old, &new, Telling::Differing),
            ["set option a: 1 2", "add option password: - ***", "drop option Odd Name: 1 -"]
        );
        assert!(between(Some((&old, NOTHING)), Some((&old, NOTHING)), Telling::Differing).is_none());
    }

    #[test]
    fn who_may_not_see_a_mapping_learns_nothing_but_what_he_writes() {
        let old = mapping("bob", "s", &[("user", "b"), ("password", "p"), ("other", "o")]);
        let written = ["user".to_owned(), "password".to_owned()];
        for guess in ["b", "c"] {
            let new = mapping("bob", "s", &[("user", guess), ("password", "p"), ("other", "o")]);
            let expected = [format!("set option user: *** {guess}"), "set option password: *** ***".to_owned()];
            assert_eq!(options_between(&old, &new, Telling::Unseen(&written)), expected);
        }
        let by_another = mapping("bob", "s", &[("user", "c"), ("password", "p"), ("other", "o")]);
        assert_eq!(options_between(&old, &by_another, Telling::Unseen(&[])), ["set option user: *** ***"]);
        let dropped = between(Some((&old, NOTHING)), None, Telling::Unseen(&[])).unwrap();
        assert_eq!((dropped.kind, dropped.attributes), (Kind::Drop, Vec::new()));
    }

    #[test]
    fn what_is_written_may_be_told_whether_it_differs_or_not() {
        let old = mapping("bob", "s", &[("user", "b"), ("password", "p")]);
        let new = mapping("bob", "s", &[("user", "b"), ("password", "p")]);
        let written = ["user".to_owned(), "password".to_owned(), "gone".to_owned()];
        let told = options_between(&old, &new, Telling::Written(&written));
        assert_eq!(told, ["set option user: b b", "set option password: *** ***"]);
    }

    #[test]
    fn what_is_made_and_what_is_dropped_is_told_in_full() {
        let inside: Attributes = [Constraint { name: "k".into(), definition: "CHECK (a)".into(), validated: false }]
            .chunks(1)
            .filter_map(|one| Some((Attribute::Constraints, to_attribute(one)?)))
            .collect();
        let made = table("t", &[("a", "1")]);
        let change = between(None, Some((&made, &inside)), Telling::Differing).unwrap();
        assert_eq!((change.kind, change.identity.as_str()), (Kind::Add, "t"));
        assert_eq!(
            told(&change),
            ["add server: - foo", "add constraint k: - CHECK (a) NOT VALID", "add option a: - 1"]
        );
        let change = between(Some((&made, &inside)), None, Telling::Differing).unwrap();
        assert_eq!(
            told(&change),
            ["drop server: foo -", "drop constraint k: CHECK (a) NOT VALID -", "drop option a: 1 -"]
        );
        let column = column("c", &[]);
        assert_eq!(told(&between(None, Some((&column, NOTHING)), Telling::Differing).unwrap()), [""; 0]);
    }

    #[test]
    fn attributes_and_what_is_inside_are_told_one_by_one() {
        let of = |name: &str, owner: &str| {
            let above = table("t", &[]).above;
            let object = state(ObjectType::ForeignTable, name, &[]).with(&[(Attribute::Owner, owner)]);
            Situation { object: Rc::new(object), above }
        };
        let trigger = |name: &str, enabled| Trigger {
            name: name.to_owned(),
            definition: "CREATE TRIGGER".to_owned(),
            enabled,
            inherited: false,
        };
        let inside = |triggers: &[Trigger], parents: &[&str]| -> Attributes {
            let told = [(Attribute::Triggers, to_attribute(triggers)), (Attribute::Parents, to_attribute(parents))];
            told.into_iter().filter_map(|(attribute, text)| Some((attribute, text?))).collect()
        };
        let old = inside(&[trigger("a", Enabled::Origin), trigger("b", Enabled::Origin)], &["p", "q"]);
        let new = inside(&[trigger("a", Enabled::Disabled), trigger("c", Enabled::Always)], &["q", "r"]);
        let change = between(Some((&of("t", "o"), &old)), Some((&of("u", "n"), &new)), Telling::Differing).unwrap();
        assert_eq!(change.identity, "t");
        assert_eq!(
            told(&change),
            [
                "set name: t u",
                "set owner: o n",
                "set trigger a: CREATE TRIGGER CREATE TRIGGER DISABLE",
                "add trigger c: - CREATE TRIGGER ENABLE ALWAYS",
                "drop trigger b: CREATE TRIGGER -",
                "add parent: - r",
                "drop parent: p -",
            ]
        );
    }

    fn options() -> impl Strategy<Value = Vec<(String, String)>> {
        let some = prop::collection::btree_map("[a-f]", "[xy]", 0..6);
        some.prop_map(|options| options.into_iter().collect::<Vec<_>>()).prop_shuffle()
    }

    proptest! {
        /// Whoever applies the changes to the old options has the new ones.
        #[test]
        fn the_changes_lead_from_the_old_options_to_the_new(old in options(), new in options()) {
            let situation = |options: &[(String, String)]| {
                let borrowed: Vec<_> = options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                server("s", &borrowed)
            };
            let (before, after) = (situation(&old), situation(&new));
            let change = between(Some((&before, NOTHING)), Some((&after, NOTHING)), Telling::Differing);
            let mut applied: std::collections::BTreeMap<_, _> = old.into_iter().collect();
            for change in change.into_iter().flat_map(|change| change.attributes) {
                let name = change.attribute.strip_prefix("option ").unwrap().to_owned();
                let was = applied.remove(&name);
                prop_assert_eq!(was, change.old.map(|value| value.to_string()));
                applied.extend(change.new.map(|value| (name, value.to_string())));
            }
            prop_assert_eq!(applied, new.into_iter().collect());
        }
    }
}
