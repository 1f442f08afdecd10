//! Rule packs: what is known of wrappers, one JSON file a pack, built into the library.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::OnceLock;

use serde_json::Value;
use thiserror::Error;

use crate::check::check;
use crate::json::{self, JsonError};
use crate::merge::Merge;
use crate::model::{Attribute, ObjectState, ObjectType};
use crate::rule::{Rule, RuleError};
use crate::schema::{CompiledSchema, SchemaError, Shape};
use crate::survey::Survey;

/// Every embedded pack, in the order in which they are listed.
const EMBEDDED: &[&str] = &[
    include_str!("../packs/postgres_fdw.json"),
    include_str!("../packs/postgres_fdw_hardened.json"),
    include_str!("../packs/file_fdw.json"),
];

/// Most bytes that a pack may have.
const LARGEST_PACK: usize = 1024 * 1024;

/// What is wrong with a pack.
#[derive(Debug, Error)]
pub enum PackError {
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("the pack lacks \"{0}\", or it is of another kind than it must be")]
    Element(&'static str),
    #[error("condition of the pack: {0}")]
    Condition(#[from] SchemaError),
    #[error("rule {number}: {error}")]
    Rule { number: usize, error: RuleError },
}

/// One pack.
#[derive(Debug)]
pub struct Pack {
    pub name: String,
    pub description: String,
    /// The wrappers that it is about, by the names under which they are known.
    pub wrappers: Vec<String>,
    condition: Value,
    matcher: CompiledSchema,
    rules: Vec<Value>,
    surveys: Vec<(ObjectType, Survey)>,
    /// How the wrappers merge the options of several objects, where it is not as usual.
    pub(crate) merge: Option<Merge>,
}

impl Pack {
    /// Reads a pack and checks every rule in it.
    pub fn parse(text: &str) -> Result<Self, PackError> {
        let pack = json::parse(text, LARGEST_PACK)?;
        let condition = pack.get("condition").cloned().ok_or(PackError::Element("condition"))?;
        let matcher = CompiledSchema::from_value(&condition, Shape::Context)?;
        let rules = array(&pack, "rules")?;
        Ok(Self {
            name: text_of(&pack, "name")?,
            description: text_of(&pack, "description")?,
            wrappers: array(&pack, "wrappers")?.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
            surveys: surveys(&rules)?,
            merge: pack.get("merge").map(Merge::parse).transpose()?,
            condition,
            matcher,
            rules,
        })
    }

    /// The pack's rules for a major version of PostgreSQL: what the wrapper has in other versions is left out.
    pub fn rules(&self, major: u32) -> Vec<Rule> {
        self.rules
            .iter()
            .filter_map(|rule| Rule::from_value(self.complete(rule.clone(), major)).ok())
            .map(trusted)
            .collect()
    }

    /// The rule with the pack's name and condition.
    fn complete(&self, mut rule: Value, major: u32) -> Value {
        if let Some(fields) = rule.as_object_mut() {
            fields.insert("pack".to_owned(), Value::from(self.name.as_str()));
            let condition = match fields.remove("condition") {
                Some(own) => serde_json::json!({"allOf": [self.condition, own]}),
                None => self.condition.clone(),
            };
            fields.insert("condition".to_owned(), condition);
            if let Some(options) = fields.get_mut("options") {
                keep_version(options, Some(major));
            }
        }
        rule
    }

    /// Whether the pack is about a wrapper, whatever its name.
    fn describes(&self, wrapper: &ObjectState) -> bool {
        self.matcher.is_satisfied_by(&crate::context::wrapper_document(wrapper))
    }

    /// What the pack says of the options of each type of object.
    pub(crate) fn all_surveys(&self) -> impl Iterator<Item = (ObjectType, &Survey)> {
        self.surveys.iter().map(|(object_type, survey)| (*object_type, survey))
    }

    /// What the pack says of the options of a type of object.
    pub(crate) fn surveys(&self, object_type: ObjectType) -> impl Iterator<Item = &Survey> {
        self.surveys.iter().filter(move |(known, _)| *known == object_type).map(|(_, survey)| survey)
    }
}

fn trusted(rule: Rule) -> Rule {
    Rule { trusted: true, ..rule }
}

/// Every embedded pack.
pub fn packs() -> &'static [Pack] {
    static PACKS: OnceLock<Vec<Pack>> = OnceLock::new();
    // A test holds that each of them is valid.
    PACKS.get_or_init(|| EMBEDDED.iter().filter_map(|text| Pack::parse(text).ok()).collect())
}

/// Most wrappers of which it is remembered which packs are about them.
const MOST_KNOWN: usize = 100;

/// The packs that are about a wrapper. Every verdict asks for those of the same few wrappers.
pub(crate) fn packs_about(wrapper: &ObjectState) -> Rc<[&'static Pack]> {
    type Known = HashMap<BTreeMap<Attribute, String>, Rc<[&'static Pack]>>;
    thread_local! {
        static KNOWN: RefCell<Known> = RefCell::default();
    }
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&wrapper.description.attributes).cloned()) {
        return known;
    }
    let about: Rc<[_]> = packs().iter().filter(|pack| pack.describes(wrapper)).collect();
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(wrapper.description.attributes.clone(), Rc::clone(&about));
    });
    about
}

fn text_of(pack: &Value, key: &'static str) -> Result<String, PackError> {
    pack.get(key).and_then(Value::as_str).map(str::to_owned).ok_or(PackError::Element(key))
}

fn array(pack: &Value, key: &'static str) -> Result<Vec<Value>, PackError> {
    pack.get(key).and_then(Value::as_array).cloned().ok_or(PackError::Element(key))
}

fn surveys(rules: &[Value]) -> Result<Vec<(ObjectType, Survey)>, PackError> {
    let mut surveys = Vec::new();
    for (number, rule) in (1..).zip(rules) {
        let mut rule = rule.clone();
        if let Some(options) = rule.get_mut("options") {
            keep_version(options, None);
        }
        let options = rule.get("options").cloned();
        let parsed = Rule::from_value(rule).map_err(|error| PackError::Rule { number, error })?;
        if let Some(options) = options {
            let survey = check(&options, Shape::Options)
                .map_err(|error| PackError::Rule { number, error: RuleError::of_schema("options", error) })?;
            surveys.push((parsed.object_type, survey));
        }
    }
    Ok(surveys)
}

/// Takes `since` and `until` out of every property, and the properties out that a version does not have.
fn keep_version(schema: &mut Value, major: Option<u32>) {
    match schema {
        Value::Array(elements) => elements.iter_mut().for_each(|element| keep_version(element, major)),
        Value::Object(keywords) => {
            if let Some(Value::Object(properties)) = keywords.get_mut("properties") {
                properties.retain(|_, property| is_in_version(property, major));
            }
            keywords.values_mut().for_each(|value| keep_version(value, major));
        }
        _ => {}
    }
}

fn is_in_version(property: &mut Value, major: Option<u32>) -> bool {
    let Some(keywords) = property.as_object_mut() else { return true };
    let mut take = |key: &str| keywords.remove(key).as_ref().and_then(Value::as_u64);
    let (since, until) = (take("since"), take("until"));
    major
        .map(u64::from)
        .is_none_or(|major| since.is_none_or(|first| first <= major) && until.is_none_or(|last| major <= last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::secret::SecretOptions;
    use crate::testing::{postgres_fdw, state};

    fn pack(name: &str) -> &'static Pack {
        packs().iter().find(|pack| pack.name == name).unwrap()
    }

    #[test]
    fn every_embedded_pack_is_valid() {
        for text in EMBEDDED {
            if let Err(error) = Pack::parse(text) {
                panic!("{}: {error}", text.lines().nth(1).unwrap());
            }
        }
    }

    #[test]
    fn every_rule_of_every_pack_is_valid_for_every_version() {
        let knowledge = Catalogue::new(SecretOptions::default());
        for pack in packs() {
            for major in 15..=18 {
                let rules = pack.rules(major);
                assert_eq!(rules.len(), pack.rules.len(), "{}", pack.name);
                for rule in rules {
                    assert_eq!(rule.check(&knowledge), Ok(Vec::new()), "{} of {}", rule.name, pack.name);
                    assert!(rule.trusted && rule.pack.as_ref() == Some(&pack.name));
                }
            }
        }
    }

    #[test]
    fn a_pack_is_about_a_wrapper_by_what_it_does_and_not_by_its_name() {
        let renamed = state(ObjectType::ForeignDataWrapper, "x", &[]);
        let stranger = state(ObjectType::ForeignDataWrapper, "postgres_fdw", &[]);
        assert!(pack("postgres_fdw").describes(&postgres_fdw()));
        assert!(!pack("file_fdw").describes(&postgres_fdw()));
        assert!(
            pack("postgres_fdw")
                .describes(&renamed.with(&[(crate::model::Attribute::HandlerName, "postgres_fdw_handler")]))
        );
        assert!(!pack("postgres_fdw").describes(&stranger));
    }

    #[test]
    fn the_packs_about_a_wrapper_are_those_that_describe_it() {
        for _ in 0..2 {
            let about = packs_about(&postgres_fdw());
            let names: Vec<&str> = about.iter().map(|pack| pack.name.as_str()).collect();
            assert_eq!(names, ["postgres_fdw", "postgres_fdw_hardened"]);
            assert!(packs_about(&state(ObjectType::ForeignDataWrapper, "postgres_fdw", &[])).is_empty());
        }
    }

    #[test]
    fn a_version_has_the_options_that_it_has() {
        let has = |major: u32, option: &str| {
            let rules = pack("postgres_fdw").rules(major);
            let text = format!("\"{option}\":");
            rules.iter().any(|rule| rule.options.as_ref().is_some_and(|options| options.contains(&text)))
        };
        for (option, first) in [("require_auth", 16), ("sslnegotiation", 17), ("use_scram_passthrough", 18)] {
            for major in 15..=18 {
                assert_eq!(has(major, option), major >= first, "{option} {major}");
            }
        }
        assert!(has(15, "host"));
    }

    #[test]
    fn what_a_version_lacks_is_not_required_of_it() {
        let mut schema = serde_json::json!({
            "properties": {"since": {"since": 16}, "old": {"until": 16, "type": "string"}, "no": false},
            "allOf": [{"properties": {"x": {"since": 18}}}]
        });
        keep_version(&mut schema, Some(17));
        assert_eq!(
            schema,
            serde_json::json!({"properties": {"since": {}, "no": false}, "allOf": [{"properties": {}}]})
        );
    }

    #[test]
    fn a_faulty_pack_says_where_the_fault_is() {
        let fault = |text: &str| Pack::parse(text).unwrap_err().to_string();
        assert!(fault("{").contains("ends"));
        assert!(fault("{\"condition\": {}}").contains("rules"));
        let rule = r#"{"name": "x", "description": "", "wrappers": [], "condition": {}, "rules": [{"name": "r",
                       "object_type": "server", "options": {"properties": {"a": {"enumm": []}}}}]}"#;
        assert_eq!(
            fault(rule),
            "rule 1: options, at /properties/a/enumm: \"enumm\" is not a keyword that rules can use, perhaps you meant \"enum\""
        );
    }
}
