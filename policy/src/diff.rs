//! From the options that an object has to those that it should have, by the fewest changes.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;
use thiserror::Error;

use crate::ddl::{self, OptionAction};
use crate::model::{OptionValue, Options};
use crate::secret::{Secrecy, Shown, escaped};

/// What is wrong with the wanted options. It names keys and never values.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DesiredError {
    #[error("options must be a JSON object")]
    NotAnObject,
    #[error("option \"{option}\" cannot be an array or an object")]
    Nested { option: String },
    #[error("invalid option name \"\": must not be empty")]
    EmptyName,
    /// PostgreSQL's own words (`optionListToArray` in `commands/foreigncmds.c`).
    #[error("invalid option name \"{option}\": must not contain \"=\"")]
    EqualsSign { option: String },
    /// PostgreSQL would cut it off, and so make an option of another name.
    #[error("option name \"{option}\" is longer than {} bytes", LONGEST_NAME)]
    LongName { option: String },
}

/// Bytes of the longest name that PostgreSQL keeps whole (`NAMEDATALEN` less one).
pub const LONGEST_NAME: usize = 63;

/// The value that an option shall have, which may be a secret: it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
struct NewValue(String);

impl NewValue {
    fn value(&self) -> OptionValue<'_> {
        self.0.as_str().into()
    }
}

impl fmt::Debug for NewValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The options that an object should have or (`None`) should not have. About others nothing is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired(BTreeMap<String, Option<NewValue>>);

impl Desired {
    /// Reads the text of a `jsonb`. A string is the value as it is, a number or a boolean is written as wrappers read it,
    /// null stands for an option that should not be there.
    pub fn parse(jsonb: &str) -> Result<Self, DesiredError> {
        // Raw values are skipped without recursion, however deep they are.
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(jsonb).map_err(|_| DesiredError::NotAnObject)?;
        let read = |(option, value): (String, &RawValue)| {
            check_name(&option)?;
            let value = wanted(&option, value.get())?;
            Ok((option, value))
        };
        members.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// One option with its value.
    pub fn one(option: &str, value: String) -> Result<Self, DesiredError> {
        check_name(option)?;
        Ok(Self([(option.to_owned(), Some(NewValue(value)))].into()))
    }
}

fn check_name(option: &str) -> Result<(), DesiredError> {
    let named = || escaped(option);
    match option {
        "" => Err(DesiredError::EmptyName),
        _ if option.contains('=') => Err(DesiredError::EqualsSign { option: named() }),
        _ if option.len() > LONGEST_NAME => Err(DesiredError::LongName { option: named() }),
        _ => Ok(()),
    }
}

fn wanted(option: &str, json: &str) -> Result<Option<NewValue>, DesiredError> {
    match json.as_bytes().first() {
        Some(b'{' | b'[') => Err(DesiredError::Nested { option: escaped(option) }),
        Some(b'"') => Ok(serde_json::from_str(json).ok().map(NewValue)),
        _ if json == "null" => Ok(None),
        _ => Ok(Some(NewValue(shortest(json).to_owned()))),
    }
}

/// A number without zeros behind the point that say nothing: `100.0` is what some drivers write for 100, which wrappers that
/// ask for an integer do not read.
fn shortest(word: &str) -> &str {
    if word.contains('.') && !word.contains(['e', 'E']) {
        word.trim_end_matches('0').trim_end_matches('.')
    } else {
        word
    }
}

/// What happens to one option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Set,
    Drop,
}

impl Action {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Set => "set",
            Self::Drop => "drop",
        }
    }
}

/// The change of one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionChange {
    pub option: String,
    pub action: Action,
    /// The value before, of an option that was there.
    pub old: Option<Shown>,
    /// The value after, of an option that is not dropped.
    pub new: Option<Shown>,
    value: Option<NewValue>,
}

/// An object's options, as far as they may be told.
pub struct Present<'a> {
    pub options: &'a Options,
    pub secrecy: &'a Secrecy,
    /// Whether the caller may see the values, secrets aside.
    pub are_visible: bool,
}

impl Present<'_> {
    /// The fewest changes that make the options so, by name. A value that the caller may not know is not compared, or
    /// whoever tries values could find it out: what it shall be is always set.
    pub fn changes_to(&self, desired: &Desired) -> Vec<OptionChange> {
        desired.0.iter().filter_map(|(option, value)| self.change_of(option, value.as_ref())).collect()
    }

    fn change_of(&self, option: &str, wanted: Option<&NewValue>) -> Option<OptionChange> {
        let present = self.options.get(option);
        let action = match (present, wanted) {
            (None, None) => return None,
            (None, Some(_)) => Action::Add,
            (Some(_), None) => Action::Drop,
            (Some(old), Some(new)) if self.may_compare(option) && old == new.value() => return None,
            (Some(_), Some(_)) => Action::Set,
        };
        let old = |value| if self.are_visible { self.secrecy.show_whole(option, value) } else { Shown::hidden() };
        Some(OptionChange {
            option: option.to_owned(),
            action,
            old: present.map(old),
            new: wanted.map(|new| self.secrecy.show_whole(option, new.value())),
            value: wanted.cloned(),
        })
    }

    fn may_compare(&self, option: &str) -> bool {
        self.are_visible && !self.secrecy.is_secret(option)
    }
}

/// A statement whose text may be seen by everybody: in the place of each secret it has `***`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub text: String,
    secrets: Vec<(usize, NewValue)>,
}

impl Statement {
    /// The values that are not in the text, each with the place of its option in the OPTIONS list.
    pub fn secrets(&self) -> impl Iterator<Item = (usize, &str)> {
        self.secrets.iter().map(|(place, value)| (*place, value.0.as_str()))
    }
}

/// The beginning of an ALTER statement together with the changes of options.
pub fn altering(beginning: &str, changes: &[OptionChange]) -> Statement {
    with_options(beginning, changes, |change, value| match change.action {
        Action::Add => OptionAction::Add(value),
        Action::Set => OptionAction::Set(value),
        Action::Drop => OptionAction::Drop,
    })
}

/// The beginning of a CREATE statement together with the options that are added.
pub fn creating(beginning: &str, changes: &[OptionChange]) -> Statement {
    with_options(beginning, changes, |_, value| OptionAction::Give(value))
}

fn with_options<'a>(
    beginning: &str,
    changes: &'a [OptionChange],
    action: impl Fn(&'a OptionChange, &'a str) -> OptionAction<'a>,
) -> Statement {
    const STARS: &str = "***";
    let is_hidden = |change: &OptionChange| change.new.as_ref().is_some_and(Shown::is_hidden);
    let text = |change: &'a OptionChange| match &change.value {
        Some(value) if !is_hidden(change) => value.0.as_str(),
        _ => STARS,
    };
    let list = changes.iter().map(|change| (change.option.as_str(), action(change, text(change))));
    let text = match changes {
        [] => beginning.to_owned(),
        _ => format!("{beginning} {}", ddl::options_list(list)),
    };
    let hidden = changes.iter().enumerate().filter(|(_, change)| is_hidden(change));
    let secrets = hidden.filter_map(|(place, change)| Some((place, change.value.clone()?))).collect();
    Statement { text, secrets }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectType;
    use crate::secret::SecretOptions;
    use proptest::prelude::*;
    use std::rc::Rc;

    fn secrecy() -> Secrecy {
        Secrecy::new(ObjectType::Server, Rc::new(SecretOptions::default()))
    }

    fn options(list: &[&str]) -> Options {
        list.iter().map(|option| (*option).to_owned()).collect()
    }

    fn changes(present: &[&str], desired: &str, are_visible: bool) -> Vec<OptionChange> {
        let (options, secrecy) = (options(present), secrecy());
        Present { options: &options, secrecy: &secrecy, are_visible }.changes_to(&Desired::parse(desired).unwrap())
    }

    fn told(changes: &[OptionChange]) -> Vec<String> {
        let shown = |value: &Option<Shown>| value.as_ref().map_or_else(|| "-".to_owned(), Shown::to_string);
        let told = |change: &OptionChange| {
            format!("{} {} {} {}", change.option, change.action.name(), shown(&change.old), shown(&change.new))
        };
        changes.iter().map(told).collect()
    }

    #[test]
    fn only_what_differs_is_changed() {
        let present = ["host=a", "port=5432", "dbname=x"];
        let desired = r#"{"host": "a", "port": 5433, "dbname": null, "sslmode": "require", "gone": null}"#;
        let found = changes(&present, desired, true);
        assert_eq!(told(&found), ["dbname drop x -", "port set 5432 5433", "sslmode add - require"]);
        let statement = altering("ALTER SERVER s", &found);
        assert_eq!(statement.text, "ALTER SERVER s OPTIONS (DROP dbname, SET port '5433', ADD sslmode 'require')");
        assert_eq!(statement.secrets().count(), 0);
        assert!(changes(&present, r#"{"host": "a"}"#, true).is_empty() && changes(&present, "{}", true).is_empty());
    }

    #[test]
    fn numbers_and_booleans_are_written_as_wrappers_read_them() {
        let found =
            changes(&[], r#"{"a": 1.50, "b": true, "c": "", "d": 12345678901234567890123, "e": "1\n\u00e9"}"#, true);
        assert!(changes(&["n=100", "z=0"], r#"{"n": 100.00, "z": 0.0}"#, true).is_empty());
        let told = told(&found);
        assert_eq!(
            told,
            ["a add - 1.5", "b add - true", "c add - ", "d add - 12345678901234567890123", "e add - 1\\né"]
        );
        assert_eq!(altering("A", &found[4..]).text, "A OPTIONS (ADD e '1\né')");
    }

    #[test]
    fn a_secret_is_always_set_and_never_shown() {
        let found = changes(&["password=CANARY", "token=CANARY"], r#"{"password": "CANARY", "token": null}"#, true);
        assert_eq!(told(&found), ["password set *** ***", "token drop *** -"]);
        let statement = altering("ALTER SERVER s", &found);
        assert_eq!(statement.text, "ALTER SERVER s OPTIONS (SET password '***', DROP token)");
        assert_eq!(statement.secrets().collect::<Vec<_>>(), [(0, "CANARY")]);
        assert!(!format!("{statement:?}{found:?}").contains("CANARY"));
        let created =
            creating("CREATE USER MAPPING FOR bob SERVER s", &changes(&[], r#"{"a": 1, "password": "b"}"#, true));
        assert_eq!(created.text, "CREATE USER MAPPING FOR bob SERVER s OPTIONS (a '1', password '***')");
        assert_eq!(created.secrets().collect::<Vec<_>>(), [(1, "b")]);
        assert_eq!(creating("CREATE X", &[]).text, "CREATE X");
    }

    #[test]
    fn what_the_caller_may_not_see_is_not_compared() {
        let found = changes(&["user=a", "b=c"], r#"{"user": "a", "b": "x", "d": null}"#, false);
        assert_eq!(told(&found), ["b set *** x", "user set *** a"]);
    }

    #[test]
    fn what_will_not_do_is_named() {
        let refused = |text: &str| Desired::parse(text).unwrap_err().to_string();
        assert_eq!(refused("[1]"), "options must be a JSON object");
        assert_eq!(refused("null"), "options must be a JSON object");
        assert_eq!(refused(r#"{"a": [1]}"#), "option \"a\" cannot be an array or an object");
        assert_eq!(refused(r#"{"a": {}}"#), "option \"a\" cannot be an array or an object");
        assert_eq!(refused(r#"{"": 1}"#), "invalid option name \"\": must not be empty");
        assert_eq!(refused(r#"{"a=b": null}"#), "invalid option name \"a=b\": must not contain \"=\"");
        assert!(refused(&format!("{{\"{}\": 1}}", "é".repeat(32))).contains("longer than 63 bytes"));
        assert!(Desired::parse(&format!("{{\"{}\": 1}}", "a".repeat(63))).is_ok());
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(&deep), "option \"a\" cannot be an array or an object");
    }

    /// Options by name.
    fn some() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map("(password|[a-d])", "[xy]{0,2}", 0..5)
    }

    fn apply(present: &BTreeMap<String, String>, changes: &[OptionChange]) -> BTreeMap<String, String> {
        let mut options = present.clone();
        for change in changes {
            let value = change.value.clone().map(|value| value.0);
            let is_there = options.contains_key(&change.option);
            match (change.action, value) {
                (Action::Add, Some(value)) if !is_there => options.insert(change.option.clone(), value),
                (Action::Set, Some(value)) if is_there => options.insert(change.option.clone(), value),
                (Action::Drop, None) if is_there => options.remove(&change.option),
                _ => panic!("PostgreSQL would refuse {change:?}"),
            };
        }
        options
    }

    proptest! {
        #[test]
        fn the_changes_lead_from_old_to_new_and_none_is_idle(old in some(), new in some(), are_visible: bool) {
            let list: Options = old.iter().map(|(option, value)| format!("{option}={value}")).collect();
            let dropped = old.keys().filter(|option| !new.contains_key(*option)).map(|option| (option.clone(), None));
            let given = new.iter().map(|(option, value)| (option.clone(), Some(NewValue(value.clone()))));
            let desired = Desired(given.chain(dropped).collect());
            let secrecy = secrecy();
            let present = Present { options: &list, secrecy: &secrecy, are_visible };
            let changes = present.changes_to(&desired);
            prop_assert_eq!(&apply(&old, &changes), &new);
            let idle = changes.iter().filter(|change| old.get(&change.option) == new.get(&change.option));
            prop_assert!(idle.into_iter().all(|change| !are_visible || change.option == "password"));
        }

        #[test]
        fn what_is_read_is_what_was_written(wanted in some()) {
            let text = serde_json::to_string(&wanted).unwrap();
            let expected = wanted.into_iter().map(|(option, value)| (option, Some(NewValue(value)))).collect();
            prop_assert_eq!(Desired::parse(&text).unwrap(), Desired(expected));
        }
    }
}
