//! What the embedded packs know of wrappers' options: their names, and which of them are secrets. It serves those who
//! write rules and whoever asks for the secrecy of an object that no rule describes.

use std::rc::Rc;

use crate::context::{EFFECTIVE, OLD, part_of_key};
use crate::model::{ObjectType, Situation};
use crate::packs::{Pack, packs, packs_about};
use crate::pattern::PatternList;
use crate::rule::{Notice, Rule, RuleError};
use crate::schema::{CompiledSchema, Shape};
use crate::secret::{Secrecy, SecretOptions, escaped};
use crate::suggest::{nearest, quoted_list};
use crate::survey::{Path, Survey};

/// What is known of options before any rule says anything.
#[derive(Debug)]
pub struct Catalogue {
    secret_options: Rc<SecretOptions>,
}

/// Options that a notice names.
const LISTED: usize = 10;

impl Catalogue {
    pub fn new(secret_options: SecretOptions) -> Self {
        Self { secret_options: Rc::new(secret_options) }
    }

    pub(crate) fn secret_options(&self) -> &SecretOptions {
        &self.secret_options
    }

    /// What names and packs say of the secrecy of an object's options.
    pub(crate) fn secrecy(&self, situation: &Situation) -> Secrecy {
        let object_type = situation.object.object_type;
        let mut secrecy = Secrecy::new(object_type, self.secret_options.clone());
        let wrapper = situation.part(ObjectType::ForeignDataWrapper);
        for pack in wrapper.map(packs_about).unwrap_or_default().iter() {
            pack.surveys(object_type).for_each(|survey| say(survey, &mut secrecy));
        }
        secrecy
    }

    /// Refuses what would tell of a secret more than that it is there and how long it is. Evaluation masks secrets
    /// whatever the rule says, so this is for the author: such a rule would not do what it says.
    pub(crate) fn check_secrets(
        &self,
        rule: &Rule,
        field: &'static str,
        schema: &CompiledSchema,
    ) -> Result<(), RuleError> {
        for found in &schema.survey().uses {
            let Some((object_type, option)) = option_at(rule, schema.shape(), &found.path) else { continue };
            if self.is_secret(rule, schema, object_type, option) {
                let message = format!(
                    "\"{}\" would tell something of the value of option \"{}\", which is a secret; only presence, \
                     minLength, maxLength, readOnly and writeOnly may be asked of one, unless a superuser writes the rule",
                    found.keyword,
                    escaped(option)
                );
                return Err(RuleError { field, pointer: Some(found.pointer.clone()), message });
            }
        }
        Ok(())
    }

    fn is_secret(&self, rule: &Rule, schema: &CompiledSchema, object_type: Option<ObjectType>, option: &str) -> bool {
        // Of effective options nobody knows where they stand, so only their names can tell.
        let object_type = object_type.unwrap_or(ObjectType::Server);
        let mut secrecy = Secrecy::new(object_type, self.secret_options.clone());
        for pack in relevant_packs(rule) {
            pack.surveys(object_type).for_each(|survey| say(survey, &mut secrecy));
        }
        if schema.shape() == Shape::Options {
            let own = schema.survey();
            let is_secret =
                |survey: &Survey| survey.annotations.get(option).and_then(|known| known.write_only) == Some(true);
            if is_secret(own) || own.secret_patterns.iter().any(|names| names.is_match(option)) {
                return true;
            }
        }
        secrecy.is_secret(option)
    }

    /// What the author should know of a valid schema. Packs are written by those who know.
    pub(crate) fn notices(&self, rule: &Rule, schema: &CompiledSchema) -> Vec<Notice> {
        if rule.pack.is_some() {
            return Vec::new();
        }
        absence(schema.survey()).into_iter().chain(self.unknown_options(rule, schema)).collect()
    }

    /// The options that the schema names and no pack that should know them does.
    pub(crate) fn unknown_options(&self, rule: &Rule, schema: &CompiledSchema) -> Vec<Notice> {
        let named = schema.survey().named.keys().filter(|_| rule.pack.is_none());
        named.filter_map(|path| unknown_option(rule, schema.shape(), path)).collect()
    }
}

fn say(survey: &Survey, secrecy: &mut Secrecy) {
    for (name, annotation) in &survey.annotations {
        match annotation.write_only {
            Some(true) => secrecy.add_secret(name),
            Some(false) => secrecy.add_public(name),
            None => {}
        }
    }
    survey.secret_patterns.iter().for_each(|names| secrecy.add_secret_pattern(names.clone()));
}

/// The option to which a path leads and the type of object that it stands on, which of effective options is not known.
fn option_at<'p>(rule: &Rule, shape: Shape, path: &'p Path) -> Option<(Option<ObjectType>, &'p str)> {
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    match (shape, keys.as_slice()) {
        (Shape::Options, [option]) => Some((Some(rule.object_type), option)),
        (Shape::Context, [EFFECTIVE, option] | [OLD, EFFECTIVE, option]) => Some((None, option)),
        (Shape::Context, [part, _, option] | [OLD, part, _, option]) => Some((Some(part_of_key(part)?), option)),
        _ => None,
    }
}

/// The packs that are about the wrappers that the rule names, or every pack when it names none that is known.
fn relevant_packs(rule: &Rule) -> Vec<&'static Pack> {
    let named = named_packs(rule);
    if named.is_empty() { packs().iter().collect() } else { named }
}

fn named_packs(rule: &Rule) -> Vec<&'static Pack> {
    let names =
        PatternList::parse(&rule.wrapper).ok().and_then(|patterns| patterns.literal_names()).unwrap_or_default();
    packs().iter().filter(|pack| pack.wrappers.iter().any(|wrapper| names.contains(wrapper))).collect()
}

fn unknown_option(rule: &Rule, shape: Shape, path: &Path) -> Option<Notice> {
    let (Some(object_type), option) = option_at(rule, shape, path)? else { return None };
    let packs = relevant_packs(rule);
    let surveys = packs.iter().flat_map(|pack| pack.surveys(object_type));
    let known: Vec<&str> = surveys.flat_map(known_names).collect();
    if known.contains(&option) {
        return None;
    }
    let near = nearest(option, known);
    // Without a wrapper's name the option may belong to a wrapper that no pack describes.
    if near.is_none() && named_packs(rule).is_empty() {
        return None;
    }
    let message = format!("no rule pack knows the option \"{}\" of a {object_type}", escaped(option));
    Some(Notice { message, hint: near.map(|near| format!("Perhaps you meant the option \"{near}\".")) })
}

fn known_names(survey: &Survey) -> impl Iterator<Item = &str> {
    survey.annotations.iter().filter(|(_, annotation)| !annotation.forbidden).map(|(name, _)| name.as_str())
}

/// Options that are constrained but not required.
fn absence(survey: &Survey) -> Option<Notice> {
    let optional = |name: &&String| !survey.required.contains(*name);
    let names: Vec<&str> = survey
        .annotations
        .iter()
        .filter(|(name, annotation)| annotation.constrained && optional(name))
        .map(|(name, _)| name.as_str())
        .collect();
    let listed = quoted_list(names.iter().take(LISTED).copied());
    let more = if names.len() > LISTED { ", ..." } else { "" };
    let options = if names.len() == 1 { "option" } else { "options" };
    (!names.is_empty()).then(|| Notice {
        message: format!("an object without the {options} {listed}{more} satisfies the rule"),
        hint: Some("Name in \"required\" the options that must be there.".to_owned()),
    })
}
