//! Which names of options are secret, wherever a text has them: the text does not tell which wrapper it is about.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::Regex;

use crate::model::ObjectType;
use crate::packs::packs;
use crate::policy::Policy;
use crate::secret::SecretOptions;
use crate::survey::Survey;

/// No name of an option that anybody knows is as long.
const LONGEST: usize = 256;

/// Most names of which the answer is kept.
const MOST: usize = 1000;

/// A snapshot, which does not change.
#[derive(Debug, Clone)]
pub struct Names {
    named: SecretOptions,
    /// What is said of names, for each type of object; of two things the stricter.
    said: BTreeMap<ObjectType, BTreeMap<String, bool>>,
    secret_patterns: Vec<Regex>,
    /// Whether a name of which nothing is said is secret on every object.
    silence_is_secret: bool,
    /// The answers for names that were asked for.
    asked: RefCell<BTreeMap<String, Answer>>,
}

/// What is known of one name.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// The name itself says that it is a secret's.
    is_named_secret: bool,
    /// What is said of it on each type of object.
    said: [Option<bool>; ObjectType::ALL.len()],
}

impl Answer {
    fn on(&self, object_type: ObjectType) -> Option<bool> {
        self.said.get(object_type as usize).copied().flatten()
    }
}

impl Names {
    /// Nothing is known: every option's value is a secret.
    pub fn unknown() -> Self {
        let (said, secret_patterns) = (BTreeMap::new(), Vec::new());
        Self { named: SecretOptions::all(), said, secret_patterns, silence_is_secret: true, asked: RefCell::default() }
    }

    /// What the setting and the embedded packs say; what neither names is a secret everywhere, as the database's own rules
    /// might say.
    pub fn of_packs(secret_options: &SecretOptions) -> Self {
        let mut names = Self { named: secret_options.clone(), ..Self::unknown() };
        for pack in packs() {
            for (object_type, survey) in pack.all_surveys() {
                names.learn(object_type, survey, true);
                if object_type != ObjectType::UserMapping {
                    names.know(object_type, survey);
                }
            }
        }
        names
    }

    /// The same and the rules in force; what nothing names is a secret on user mappings only.
    pub fn of_policy(policy: &Policy) -> Self {
        let mut names = Self { silence_is_secret: false, ..Self::of_packs(policy.secret_options()) };
        policy.each_survey(|object_type, survey, may_publish| match survey {
            Some(survey) => names.learn(object_type, survey, may_publish),
            // A rule that cannot be read hides everything.
            None => names.named = SecretOptions::all(),
        });
        names
    }

    fn learn(&mut self, object_type: ObjectType, survey: &Survey, may_publish: bool) {
        let said = self.said.entry(object_type).or_default();
        for (name, annotation) in &survey.annotations {
            match annotation.write_only {
                Some(true) => *said.entry(name.clone()).or_default() = true,
                Some(false) if may_publish => *said.entry(name.clone()).or_default() |= false,
                _ => {}
            }
        }
        self.secret_patterns.extend(survey.secret_patterns.iter().cloned());
    }

    /// What a pack knows of an object that everybody can see, and does not call a secret, is none.
    fn know(&mut self, object_type: ObjectType, survey: &Survey) {
        let said = self.said.entry(object_type).or_default();
        let known = survey.annotations.iter().filter(|(_, annotation)| !annotation.forbidden);
        for (name, _) in known {
            said.entry(name.clone()).or_insert(false);
        }
    }

    /// Whether the value of an option is a secret that stands on one of these types of object; on which of them is not
    /// known. If there is none, it may stand on any.
    pub fn is_secret(&self, on: &[ObjectType], option: &[u8]) -> bool {
        let Some(option) = readable(option) else { return self.is_secret_unread(on, option) };
        let answer = self.answer(option);
        if answer.is_named_secret {
            return true;
        }
        let on = if on.is_empty() { &ObjectType::ALL } else { on };
        let said = on.iter().filter_map(|object_type| answer.on(*object_type)).reduce(|one, other| one || other);
        said.unwrap_or(self.silence_is_secret || on.contains(&ObjectType::UserMapping))
    }

    /// The same of a name in an encoding that is not known here: whoever calls such names secret may mean this one.
    fn is_secret_unread(&self, on: &[ObjectType], option: &[u8]) -> bool {
        let is_said_of_one = self.said.values().flatten().any(|(name, is_secret)| *is_secret && !name.is_ascii());
        option.len() > LONGEST
            || is_said_of_one
            || self.silence_is_secret
            || on.is_empty()
            || on.contains(&ObjectType::UserMapping)
            || self.answer(&String::from_utf8_lossy(option)).is_named_secret
    }

    /// Whether the name itself says that it is a secret's, so that what follows it is hidden wherever it stands.
    pub fn is_telling(&self, name: &[u8]) -> bool {
        let Some(name) = readable(name) else { return self.answer(&String::from_utf8_lossy(name)).is_named_secret };
        let answer = self.answer(name);
        answer.is_named_secret || answer.on(ObjectType::UserMapping) == Some(true)
    }

    fn answer(&self, option: &str) -> Answer {
        let asked = self.asked.try_borrow().ok().and_then(|asked| asked.get(option).copied());
        asked.unwrap_or_else(|| {
            let is_named_secret =
                self.named.matches(option) || self.secret_patterns.iter().any(|names| names.is_match(option));
            let said = |object_type| self.said.get(&object_type).and_then(|said| said.get(option).copied());
            let answer = Answer { is_named_secret, said: ObjectType::ALL.map(said) };
            self.remember(option, answer);
            answer
        })
    }

    fn remember(&self, option: &str, answer: Answer) {
        let Ok(mut asked) = self.asked.try_borrow_mut() else { return };
        if asked.len() >= MOST {
            asked.clear();
        }
        asked.insert(option.to_owned(), answer);
    }
}

/// A name that rules could speak of.
fn readable(option: &[u8]) -> Option<&str> {
    str::from_utf8(option).ok().filter(|option| option.len() <= LONGEST)
}
