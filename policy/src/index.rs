//! Which rules can be about an object at all, found by its type and the names of its wrapper and server, so that a
//! thousand rules for other servers cost nothing.

use std::collections::{BTreeMap, HashMap};

use crate::matcher::Matcher;
use crate::model::{Attribute, ObjectType, Situation};

/// Positions of rules in the policy.
#[derive(Debug, Default)]
pub(crate) struct Index(BTreeMap<ObjectType, OfType>);

#[derive(Debug, Default)]
struct OfType {
    /// Rules whose patterns have to be tried.
    any: Vec<usize>,
    by_server: HashMap<String, Vec<usize>>,
    by_wrapper: HashMap<String, Vec<usize>>,
}

impl Index {
    /// Enters a rule; one without a matcher may be about every object of its type.
    pub(crate) fn insert(&mut self, position: usize, object_type: ObjectType, matcher: Option<&Matcher>) {
        let of_type = self.0.entry(object_type).or_default();
        let names = |above| matcher.and_then(|matcher| matcher.literal_names(above));
        match (names(ObjectType::Server), names(ObjectType::ForeignDataWrapper)) {
            (Some(servers), _) => enter(&mut of_type.by_server, servers, position),
            (None, Some(wrappers)) => enter(&mut of_type.by_wrapper, wrappers, position),
            (None, None) => of_type.any.push(position),
        }
    }

    /// The rules that can be about any of the situations, in the order of the policy.
    pub(crate) fn candidates<'a>(&self, situations: impl IntoIterator<Item = &'a Situation>) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for situation in situations {
            if let Some(of_type) = self.0.get(&situation.object.object_type) {
                of_type.collect(situation, &mut found);
            }
        }
        if !found.is_sorted() {
            found.sort_unstable();
        }
        found.dedup();
        found
    }

    /// Every rule on that type of object.
    pub(crate) fn all(&self, object_type: ObjectType) -> impl Iterator<Item = usize> {
        self.0.get(&object_type).into_iter().flat_map(|of_type| {
            let named = of_type.by_server.values().chain(of_type.by_wrapper.values()).flatten();
            of_type.any.iter().chain(named).copied()
        })
    }
}

fn enter(index: &mut HashMap<String, Vec<usize>>, names: Vec<String>, position: usize) {
    for name in names {
        index.entry(name).or_default().push(position);
    }
}

impl OfType {
    fn collect(&self, situation: &Situation, found: &mut Vec<usize>) {
        found.extend_from_slice(&self.any);
        match situation.part(ObjectType::Server) {
            _ if self.by_server.is_empty() => {}
            Some(server) => found.extend(self.by_server.get(server.name()).into_iter().flatten()),
            None => found.extend(self.by_server.values().flatten()),
        }
        match situation.part(ObjectType::ForeignDataWrapper) {
            _ if self.by_wrapper.is_empty() => {}
            Some(wrapper) => {
                let names = [Some(wrapper.name()), wrapper.attribute(Attribute::Delegate)];
                found.extend(names.iter().flatten().filter_map(|name| self.by_wrapper.get(*name)).flatten());
            }
            None => found.extend(self.by_wrapper.values().flatten()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;
    use crate::testing::{mapping, server};

    #[test]
    fn only_rules_that_can_match_are_candidates_and_none_of_those_is_lost() {
        let mut rules = vec![Rule::new("any", ObjectType::Server)];
        for (server, wrapper) in [("foo", "*"), ("bar", "*"), ("*", "postgres_fdw"), ("*", "file_fdw"), ("f*", "*")] {
            let mut rule = Rule::new(format!("{server} {wrapper}"), ObjectType::Server);
            rule.server = vec![server.to_owned()];
            rule.wrapper = vec![wrapper.to_owned()];
            rules.push(rule);
        }
        let mut index = Index::default();
        let matchers: Vec<Matcher> = rules.iter().map(|rule| Matcher::new(rule).unwrap()).collect();
        for (position, matcher) in matchers.iter().enumerate() {
            index.insert(position, ObjectType::Server, Some(matcher));
        }
        let foo = server("foo", &[]);
        assert_eq!(index.candidates([&foo]), [0, 1, 3, 5]);
        assert_eq!(index.candidates([&foo, &server("bar", &[])]), [0, 1, 2, 3, 5]);
        assert!(index.candidates([&mapping("bob", "foo", &[])]).is_empty());
        for (position, matcher) in matchers.iter().enumerate() {
            assert!(!matcher.matches(&foo) || index.candidates([&foo]).contains(&position));
        }
        assert_eq!(index.all(ObjectType::Server).count(), rules.len());
    }
}
