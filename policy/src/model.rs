//! The objects of SQL/MED as owned values: what the catalogs held at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// The kinds of object that rules govern, in the words of `pg_identify_object`.
///
/// The order is the order of containment: a wrapper has servers, a server has user mappings and foreign tables, a
/// foreign table has columns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ObjectType {
    ForeignDataWrapper,
    Server,
    UserMapping,
    ForeignTable,
    ForeignTableColumn,
}

impl ObjectType {
    pub const ALL: [Self; 5] =
        [Self::ForeignDataWrapper, Self::Server, Self::UserMapping, Self::ForeignTable, Self::ForeignTableColumn];

    /// PostgreSQL's own name of the type, as rules and messages spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForeignDataWrapper => "foreign-data wrapper",
            Self::Server => "server",
            Self::UserMapping => "user mapping",
            Self::ForeignTable => "foreign table",
            Self::ForeignTableColumn => "foreign table column",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object_type| object_type.name() == name)
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of one option. It may be a password, so it can be compared and measured but not printed: only
/// [`crate::secret::Secrecy::show`] makes text of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OptionValue<'a>(&'a str);

impl<'a> OptionValue<'a> {
    /// The text itself, for the evaluator and for statements that set it.
    pub(crate) fn expose(self) -> &'a str {
        self.0
    }
}

impl<'a> From<&'a str> for OptionValue<'a> {
    fn from(value: &'a str) -> Self {
        Self(value)
    }
}

impl fmt::Debug for OptionValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An object's OPTIONS list, in the catalog's order: elements `name=value` as the catalog holds them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// One element behind the other.
    text: String,
    elements: Vec<Element>,
    /// The places of the elements by name; of few elements none, for they are as quickly looked through.
    by_name: Vec<usize>,
}

/// Where one element stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Element {
    start: usize,
    /// Where the name ends.
    name: usize,
    end: usize,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Elements that are looked through one by one.
const FEW: usize = 32;

impl Options {
    pub fn get(&self, name: &str) -> Option<OptionValue<'_>> {
        if self.by_name.is_empty() {
            return self.iter().find_map(|(option, value)| (option == name).then_some(value));
        }
        let place = self.by_name.binary_search_by_key(&name, |place| self.at(*place).0).ok()?;
        self.by_name.get(place).map(|place| self.at(*place).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, OptionValue<'_>)> {
        self.elements.iter().map(|element| self.parts(*element))
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The names of options that are not the same in the other list.
    pub fn changed<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut changed = Vec::new();
        let mut in_place = 0;
        for (place, (name, value)) in self.iter().enumerate() {
            let before = match other.elements.get(place).map(|element| other.parts(*element)) {
                Some((known, before)) if known == name => {
                    in_place += 1;
                    Some(before)
                }
                _ => other.get(name),
            };
            changed.extend((before != Some(value)).then_some(name));
        }
        // Mostly every option stands where it stood.
        if in_place < other.elements.len() {
            changed.extend(other.iter().map(|(name, _)| name).filter(|name| self.get(name).is_none()));
        }
        changed
    }

    /// Whether the option has the same value in both; not if it is in neither.
    pub fn agree(&self, other: &Self, option: &str) -> bool {
        let value = self.get(option);
        value.is_some() && value == other.get(option)
    }

    /// Takes the elements as the catalog holds them, each a `name=value`, and puts their text into `room`, which is empty.
    pub fn in_room<S: AsRef<str>>(room: String, elements: impl IntoIterator<Item = S>) -> Self {
        let mut options = Self { text: room, ..Self::default() };
        elements.into_iter().for_each(|element| options.push(element.as_ref()));
        if options.elements.len() > FEW {
            let mut places: Vec<usize> = (0..options.elements.len()).collect();
            places.sort_by_key(|place| options.at(*place).0);
            options.by_name = places;
        }
        options
    }

    fn at(&self, place: usize) -> (&str, OptionValue<'_>) {
        self.elements.get(place).map_or(("", OptionValue("")), |element| self.parts(*element))
    }

    fn parts(&self, Element { start, name, end }: Element) -> (&str, OptionValue<'_>) {
        let part = |start, end| self.text.get(start..end).unwrap_or_default();
        (part(start, name), OptionValue(part(name + 1, end)))
    }

    /// A name holds no `=` (transformGenericOptions), so the first one ends it.
    fn push(&mut self, element: &str) {
        let start = self.text.len();
        self.text.push_str(element);
        let end = self.text.len();
        let name = memchr::memchr(b'=', element.as_bytes()).map_or(end, |length| start + length);
        self.elements.push(Element { start, name, end });
    }
}

impl<S: AsRef<str>> FromIterator<S> for Options {
    fn from_iter<I: IntoIterator<Item = S>>(elements: I) -> Self {
        Self::in_room(String::new(), elements)
    }
}

/// What the catalogs say of an object beside its options. Which form changes which attribute, and where the context
/// document shows it, stands in [`crate::form::ATTRIBUTES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attribute {
    /// The object's own name; of a user mapping its role, `public` for PUBLIC.
    Name,
    /// The schema of a foreign table.
    Schema,
    Owner,
    /// Functions with their schemas, as SQL writes them.
    Handler,
    Validator,
    /// The same by their names alone, as rules see them.
    HandlerName,
    ValidatorName,
    /// The wrapper that a guarded wrapper stands in front of.
    Delegate,
    /// The names of that wrapper's functions.
    DelegateHandler,
    DelegateValidator,
    /// Of a server its TYPE, of a column its data type.
    Type,
    Version,
    /// One of another schema than `pg_catalog` with it, as SQL writes it with its name quoted.
    Collation,
    NotNull,
    Statistics,
    AttributeOptions,
    Storage,
    /// Of a column, the expression of its default.
    Default,
    /// Of a column, `ALWAYS` or `BY DEFAULT`.
    Identity,
    /// Of a column, the expression that generates it.
    Generated,
    /// Of a foreign table; these and grants are JSON arrays, see [`crate::inside`].
    Constraints,
    Triggers,
    /// Of a partition with its bound.
    Parents,
    /// Of a wrapper and of a server.
    Grants,
}

/// What the catalogs say of an object; what is null or empty there is absent.
pub type Attributes = BTreeMap<Attribute, String>;

/// What the catalogs say of an object beside its options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// As `pg_identify_object` gives it, with control characters escaped.
    pub identity: String,
    pub attributes: Attributes,
}

/// One object as the catalogs held it at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectState {
    pub object_type: ObjectType,
    /// Shared by the states between which it did not change: options change often, the rest seldom.
    pub description: Rc<Description>,
    pub options: Options,
}

impl ObjectState {
    /// As `pg_identify_object` gives it, with control characters escaped.
    pub fn identity(&self) -> &str {
        &self.description.identity
    }

    pub fn attribute(&self, attribute: Attribute) -> Option<&str> {
        self.description.attributes.get(&attribute).map(String::as_str)
    }

    /// The object's own name; of a user mapping its role.
    pub fn name(&self) -> &str {
        self.attribute(Attribute::Name).unwrap_or_default()
    }
}

/// An object together with everything above it (the context that rules see), all as of one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Situation {
    pub object: Rc<ObjectState>,
    /// The wrapper, server and foreign table above the object; never the object itself.
    pub above: Vec<Rc<ObjectState>>,
}

impl Situation {
    /// Whether it is the same object, with the same above it, and nothing of it differs but its options.
    pub fn differs_in_options_only(&self, other: &Self) -> bool {
        let (own, others) = (&self.object, &other.object);
        own.object_type == others.object_type
            && own.description == others.description
            && self.above.len() == other.above.len()
            && self.above.iter().zip(&other.above).all(|(one, other)| Rc::ptr_eq(one, other) || one == other)
    }

    /// The object itself or the one above it of that type, together with what is above that.
    pub fn with_part(&self, object_type: ObjectType) -> Option<Self> {
        let mut states = std::iter::once(&self.object).chain(&self.above);
        let object = states.find(|state| state.object_type == object_type)?;
        let above = self.above.iter().filter(|state| state.object_type < object_type).cloned().collect();
        Some(Self { object: Rc::clone(object), above })
    }

    /// The object itself or the one above it of that type.
    pub fn part(&self, object_type: ObjectType) -> Option<&ObjectState> {
        std::iter::once(&self.object).chain(&self.above).find(|state| state.object_type == object_type).map(Rc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options() -> impl Strategy<Value = Vec<(String, String)>> {
        let some = prop::collection::btree_map("[a-f]", "[xy]", 0..6);
        some.prop_map(|options| options.into_iter().collect::<Vec<_>>()).prop_shuffle()
    }

    fn list(options: &[(String, String)]) -> Options {
        options.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    proptest! {
        #[test]
        fn what_differs_by_name_is_changed_in_whatever_order(old in options(), new in options()) {
            let (before, after) = (list(&old), list(&new));
            let set = new.iter().filter(|option| !old.contains(option));
            let dropped = old.iter().filter(|(name, _)| new.iter().all(|(known, _)| known != name));
            let wanted: Vec<&str> = set.chain(dropped).map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(after.changed(&before), wanted);
        }
    }

    #[test]
    fn the_first_equals_sign_ends_the_name() {
        let options: Options = ["a=b=c".to_owned(), "empty=".to_owned()].into_iter().collect();
        assert_eq!(options.get("a"), Some("b=c".into()));
        assert_eq!(options.get("empty"), Some("".into()));
        assert_eq!(options.get("b"), None);
    }

    #[test]
    fn an_option_is_found_among_few_and_among_many() {
        for count in [0, 1, FEW, FEW + 1, 1000] {
            let named = |value: &'static str| (0..count).map(move |number| format!("o{number}={value}"));
            let (old, new): (Options, Options) = (named("a=b").collect(), named("a=b").rev().collect());
            for number in 0..count {
                assert_eq!(new.get(&format!("o{number}")), Some("a=b".into()));
            }
            assert_eq!(new.get("p"), None);
            assert!(new.changed(&old).is_empty());
            let more: Options = named("a=b").skip(1).chain(["p=".to_owned()]).collect();
            let changed = if count == 0 { vec!["p"] } else { vec!["p", "o0"] };
            assert_eq!(more.changed(&old), changed);
            assert_eq!(named("c").collect::<Options>().changed(&old).len(), count);
        }
    }
}
