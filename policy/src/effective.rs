//! The options that a query on a foreign table uses, each with the object that it comes from.

use std::collections::BTreeMap;

use crate::merge::Merge;
use crate::model::{ObjectState, ObjectType, OptionValue, Situation};
use crate::policy::Policy;
use crate::secret::{Secrecy, Shown};

/// The type under which a setting of the session stands among the objects that options come from.
pub const SETTING: &str = "setting";

/// What a query on a foreign table finds in the catalogs and in the session.
pub struct Query<'a> {
    pub table: &'a Situation,
    /// The user mapping that counts for the role: its own, or the PUBLIC one.
    pub mapping: Option<&'a Situation>,
    /// Whether the options of that mapping may be shown.
    pub may_see_mapping: bool,
    /// The value of a setting, None if there is no such setting.
    pub setting: &'a dyn Fn(&str) -> Option<String>,
}

/// What a query would use.
#[derive(Debug, Default)]
pub struct Effective {
    /// By name.
    pub options: Vec<EffectiveOption>,
    /// The user mapping that counts too, but whose options may not be shown. Each of the others may be overridden by one
    /// of them.
    pub hidden: Option<Origin>,
}

/// One option that a query would use.
#[derive(Debug)]
pub struct EffectiveOption {
    pub name: String,
    pub value: Sourced,
    /// The same option where it stands too but does not count, from the nearest on.
    pub overridden: Vec<Sourced>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced {
    pub value: Shown,
    pub origin: Origin,
}

/// Where an option stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// PostgreSQL's name of the object type, or [`SETTING`].
    pub object_type: &'static str,
    /// As `pg_identify_object` gives it; of a setting its name.
    pub identity: String,
}

impl Origin {
    fn of(state: &ObjectState) -> Self {
        Self { object_type: state.object_type.name(), identity: state.identity().to_owned() }
    }
}

impl Query<'_> {
    fn merge(&self) -> &'static Merge {
        Merge::of(self.table.part(ObjectType::ForeignDataWrapper))
    }

    /// The mapping, if the wrapper reads mappings.
    fn mapping(&self) -> Option<&Situation> {
        self.mapping.filter(|_| self.merge().reads(ObjectType::UserMapping))
    }

    /// The table and all that is above it, and the mapping if it may be seen. Options of columns are each about their
    /// column alone.
    fn parts(&self) -> Vec<Situation> {
        let mapping = self.mapping().filter(|_| self.may_see_mapping).cloned();
        ObjectType::ALL.into_iter().filter_map(|object_type| self.table.with_part(object_type)).chain(mapping).collect()
    }
}

impl Policy {
    /// What the query would use, secrets hidden.
    pub fn effective(&self, query: &Query<'_>) -> Effective {
        let parts = query.parts();
        let secrecies: BTreeMap<ObjectType, Secrecy> =
            parts.iter().map(|part| (part.object.object_type, self.secrecy(part))).collect();
        let states: Vec<&ObjectState> = parts.iter().map(|part| part.object.as_ref()).collect();
        // Of each option the value that counts last.
        let mut options: BTreeMap<String, Vec<Sourced>> = BTreeMap::new();
        for (option, state) in query.merge().options(&states) {
            options.entry(option.to_owned()).or_default().extend(sourced(option, state, &secrecies));
        }
        for (option, setting) in query.merge().settings() {
            options.entry(option.to_owned()).or_default().extend(overriding(query, option, setting, &secrecies));
        }
        let hidden = query.mapping().filter(|_| !query.may_see_mapping).map(|mapping| Origin::of(&mapping.object));
        Effective { options: options.into_iter().filter_map(effective_option).collect(), hidden }
    }
}

fn sourced(option: &str, state: &ObjectState, secrecies: &BTreeMap<ObjectType, Secrecy>) -> Option<Sourced> {
    let value = secrecies.get(&state.object_type)?.show_whole(option, state.options.get(option)?);
    Some(Sourced { value, origin: Origin::of(state) })
}

/// The value of a setting that overrides an option, as secret as the option is on a server.
fn overriding(
    query: &Query<'_>,
    option: &str,
    setting: &str,
    secrecies: &BTreeMap<ObjectType, Secrecy>,
) -> Option<Sourced> {
    let value = (query.setting)(setting).filter(|value| !value.is_empty())?;
    let value = secrecies.get(&ObjectType::Server)?.show_whole(option, OptionValue::from(value.as_str()));
    Some(Sourced { value, origin: Origin { object_type: SETTING, identity: setting.to_owned() } })
}

fn effective_option((name, sourced): (String, Vec<Sourced>)) -> Option<EffectiveOption> {
    let mut sourced = sourced.into_iter().rev();
    Some(EffectiveOption { name, value: sourced.next()?, overridden: sourced.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretOptions;
    use crate::testing::{mapping, postgres_fdw, state};
    use std::rc::Rc;

    fn table(server: &[(&str, &str)], table: &[(&str, &str)]) -> Situation {
        let server = Rc::new(state(ObjectType::Server, "foo", server));
        let table = Rc::new(state(ObjectType::ForeignTable, "public.t", table));
        Situation { object: table, above: vec![postgres_fdw(), server] }
    }

    fn said(query: &Query<'_>) -> Vec<String> {
        let policy = Policy::new(Vec::new(), SecretOptions::default());
        let effective = policy.effective(query);
        let of = |sourced: &Sourced| {
            format!("{} of {} {}", sourced.value, sourced.origin.object_type, sourced.origin.identity)
        };
        let mut said: Vec<String> = effective
            .options
            .iter()
            .map(|option| {
                let overridden: String =
                    option.overridden.iter().map(|sourced| format!(", not {}", of(sourced))).collect();
                format!("{}: {}{overridden}", option.name, of(&option.value))
            })
            .collect();
        said.extend(effective.hidden.map(|origin| format!("hidden: {} {}", origin.object_type, origin.identity)));
        said
    }

    const NO_SETTING: &dyn Fn(&str) -> Option<String> = &|_| None;

    #[test]
    fn each_option_says_where_it_comes_from_and_what_it_overrides() {
        let table = table(&[("fetch_size", "10"), ("host", "h"), ("sslkey", "a")], &[("fetch_size", "20")]);
        let mapping = mapping("bob", "foo", &[("user", "b"), ("password", "hunter2"), ("sslkey", "b")]);
        let query = Query { table: &table, mapping: Some(&mapping), may_see_mapping: true, setting: NO_SETTING };
        assert_eq!(
            said(&query),
            [
                "fetch_size: 20 of foreign table public.t, not 10 of server foo",
                "host: h of server foo",
                "password: *** of user mapping bob",
                "sslkey: b of user mapping bob, not a of server foo",
                "user: b of user mapping bob",
            ]
        );
        let query = Query { mapping: None, ..query };
        assert_eq!(said(&query).len(), 3);
    }

    #[test]
    fn a_mapping_that_may_not_be_seen_is_named_and_nothing_of_it_is_shown() {
        let table = table(&[("sslkey", "a")], &[]);
        let mapping = mapping("bob", "foo", &[("user", "b"), ("sslkey", "b")]);
        let query = Query { table: &table, mapping: Some(&mapping), may_see_mapping: false, setting: NO_SETTING };
        assert_eq!(said(&query), ["sslkey: a of server foo", "hidden: user mapping bob"]);
    }

    #[test]
    fn a_setting_overrides_unless_it_is_empty() {
        let table = table(&[("application_name", "ours")], &[]);
        let with = |value: &'static str| {
            let setting = move |name: &str| (name == "postgres_fdw.application_name").then(|| value.to_owned());
            said(&Query { table: &table, mapping: None, may_see_mapping: true, setting: &setting })
        };
        assert_eq!(with(""), ["application_name: ours of server foo"]);
        let overridden = "application_name: %u of setting postgres_fdw.application_name, not ours of server foo";
        assert_eq!(with("%u"), [overridden]);
    }

    #[test]
    fn a_long_value_is_shown_whole() {
        let long = "x".repeat(1000);
        let table = table(&[("host", &long)], &[]);
        let query = Query { table: &table, mapping: None, may_see_mapping: true, setting: NO_SETTING };
        assert_eq!(said(&query), [format!("host: {long} of server foo")]);
    }
}
