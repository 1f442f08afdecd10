//! How a wrapper makes one list of the options that stand on several objects. Rules' context documents and
//! [`crate::effective`] both take it from here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{ObjectState, ObjectType, OptionValue};
use crate::packs::{PackError, packs_about};

/// Keys of `merge` in a pack.
const LEVELS: &str = "levels";
const EMPTY_IS_UNSET: &str = "empty_is_unset";
const SETTINGS: &str = "settings";

/// What is usual among wrappers: all objects are read, and where the same option stands on several, the last counts.
static USUAL: Merge =
    Merge { levels: Cow::Borrowed(&ObjectType::ALL), empty_is_unset: Vec::new(), settings: BTreeMap::new() };

/// How one wrapper merges options.
#[derive(Debug)]
pub(crate) struct Merge {
    /// The objects whose options are read. Where the same option stands on several of them, the last counts.
    levels: Cow<'static, [ObjectType]>,
    /// The objects on which an option with an empty value counts as not set.
    empty_is_unset: Vec<ObjectType>,
    /// By option, the setting of the session that overrides it unless it is empty.
    settings: BTreeMap<String, String>,
}

impl Merge {
    /// How a wrapper merges: as a pack about it says, or as is usual.
    pub(crate) fn of(wrapper: Option<&ObjectState>) -> &'static Self {
        let packs = wrapper.map(packs_about).unwrap_or_default();
        packs.iter().find_map(|pack| pack.merge.as_ref()).unwrap_or(&USUAL)
    }

    /// Reads what a pack says.
    pub(crate) fn parse(said: &Value) -> Result<Self, PackError> {
        let known = [LEVELS, EMPTY_IS_UNSET, SETTINGS, "$comment"];
        if said.as_object().is_none_or(|keys| keys.keys().any(|key| !known.contains(&key.as_str()))) {
            return Err(PackError::Element("merge"));
        }
        Ok(Self {
            levels: said.get(LEVELS).map(object_types).transpose()?.map_or(USUAL.levels.clone(), Cow::Owned),
            empty_is_unset: said.get(EMPTY_IS_UNSET).map(object_types).transpose()?.unwrap_or_default(),
            settings: said.get(SETTINGS).map(settings).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether the wrapper reads the options of such objects.
    pub(crate) fn reads(&self, object_type: ObjectType) -> bool {
        self.levels.contains(&object_type)
    }

    /// The options that the wrapper reads, each with the object on which it stands. Of the same option the last one
    /// counts.
    pub(crate) fn options<'a>(&self, states: &[&'a ObjectState]) -> impl Iterator<Item = (&'a str, &'a ObjectState)> {
        let of_level = move |level| states.iter().filter(move |state| state.object_type == level);
        let set = |state: &&'a ObjectState| {
            let state = *state;
            let options = state.options.iter().filter(|(_, value)| self.is_set(state.object_type, value));
            options.map(move |(option, _)| (option, state))
        };
        self.levels.iter().flat_map(move |level| of_level(*level)).flat_map(set)
    }

    /// The settings that override options, each with its option.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(option, setting)| (option.as_str(), setting.as_str()))
    }

    fn is_set(&self, level: ObjectType, value: &OptionValue) -> bool {
        !value.expose().is_empty() || !self.empty_is_unset.contains(&level)
    }
}

fn object_types(said: &Value) -> Result<Vec<ObjectType>, PackError> {
    let names = said.as_array().ok_or(PackError::Element("merge"))?;
    let object_type = |name: &Value| ObjectType::from_name(name.as_str()?);
    names.iter().map(|name| object_type(name).ok_or(PackError::Element("merge"))).collect()
}

fn settings(said: &Value) -> Result<BTreeMap<String, String>, PackError> {
    let settings = said.as_object().ok_or(PackError::Element("merge"))?;
    let setting = |name: &Value| name.as_str().map(str::to_owned).ok_or(PackError::Element("merge"));
    settings.iter().map(|(option, name)| Ok((option.clone(), setting(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{postgres_fdw, state};
    use ObjectType::{ForeignDataWrapper, ForeignTable, ForeignTableColumn, Server, UserMapping};
    use serde_json::json;

    /// Of each option the objects on which it stands, the one that counts last.
    fn merged(merge: &Merge, states: &[ObjectState]) -> Vec<(String, Vec<ObjectType>)> {
        let mut bearers: BTreeMap<String, Vec<ObjectType>> = BTreeMap::new();
        let states: Vec<&ObjectState> = states.iter().collect();
        for (option, state) in merge.options(&states) {
            bearers.entry(option.to_owned()).or_default().push(state.object_type);
        }
        bearers.into_iter().collect()
    }

    fn everywhere(value: &str) -> Vec<ObjectState> {
        ObjectType::ALL.into_iter().map(|object_type| state(object_type, "x", &[("o", value)])).collect()
    }

    #[test]
    fn usually_the_lowest_object_counts_and_an_empty_value_is_a_value() {
        let order = vec![ForeignDataWrapper, Server, UserMapping, ForeignTable, ForeignTableColumn];
        for value in ["v", ""] {
            assert_eq!(merged(Merge::of(None), &everywhere(value)), [("o".to_owned(), order.clone())]);
        }
        let stranger = state(ForeignDataWrapper, "mysql_fdw", &[("o", "v")]);
        assert!(std::ptr::eq(Merge::of(Some(&stranger)), &raw const USUAL));
    }

    #[test]
    fn postgres_fdw_reads_no_options_of_the_wrapper_and_libpq_no_empty_ones() {
        let merge = Merge::of(Some(&postgres_fdw()));
        let read = vec![Server, UserMapping, ForeignTable, ForeignTableColumn];
        assert_eq!(merged(merge, &everywhere("v")), [("o".to_owned(), read)]);
        assert_eq!(merged(merge, &everywhere("")), [("o".to_owned(), vec![ForeignTable, ForeignTableColumn])]);
        let one = [state(Server, "s", &[("sslkey", "k")]), state(UserMapping, "m", &[("sslkey", "")])];
        assert_eq!(merged(merge, &one), [("sslkey".to_owned(), vec![Server])]);
        assert_eq!(merge.settings().collect::<Vec<_>>(), [("application_name", "postgres_fdw.application_name")]);
    }

    #[test]
    fn file_fdw_reads_no_user_mappings() {
        let file_fdw = state(ForeignDataWrapper, "file_fdw", &[]);
        let merge = Merge::of(Some(&file_fdw.with(&[(crate::model::Attribute::Delegate, "file_fdw")])));
        assert!(!merge.reads(UserMapping) && merge.reads(ForeignDataWrapper) && merge.reads(ForeignTable));
    }

    #[test]
    fn the_order_of_levels_is_what_the_pack_says() {
        let merge = Merge::parse(&json!({"levels": ["user mapping", "server"]})).unwrap();
        assert_eq!(merged(&merge, &everywhere("v")), [("o".to_owned(), vec![UserMapping, Server])]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for said in [
            json!([]),
            json!({"level": []}),
            json!({"levels": "server"}),
            json!({"levels": ["table"]}),
            json!({"empty_is_unset": [1]}),
            json!({"settings": {"a": 1}}),
            json!({"settings": []}),
        ] {
            assert!(matches!(Merge::parse(&said), Err(PackError::Element("merge"))), "{said}");
        }
    }
}
