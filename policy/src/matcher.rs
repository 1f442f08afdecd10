//! Which objects a rule is about: its patterns, held against the names of an object and of what is above it.

use crate::evaluate::Session;
use crate::model::{Attribute, ObjectType, Situation};
use crate::pattern::{PatternError, PatternList};
use crate::rule::{Rule, RuleError};

/// The patterns of one rule, parsed.
#[derive(Debug)]
pub(crate) struct Matcher {
    object_type: ObjectType,
    database: PatternList,
    wrapper: PatternList,
    server: PatternList,
    role: PatternList,
    relation: PatternList,
    column_name: PatternList,
    roles: Vec<String>,
    except_roles: Vec<String>,
}

type Parse = fn(&[String]) -> Result<PatternList, PatternError>;

impl Matcher {
    pub(crate) fn new(rule: &Rule) -> Result<Self, RuleError> {
        let list = |field: &'static str, parse: Parse| {
            parse(rule.patterns(field)).map_err(|error| RuleError::new(field, error.to_string()))
        };
        Ok(Self {
            object_type: rule.object_type,
            database: list("database", PatternList::parse)?,
            wrapper: list("wrapper", PatternList::parse)?,
            server: list("server", PatternList::parse)?,
            role: list("role", PatternList::parse)?,
            relation: list("relation", PatternList::parse_qualified)?,
            column_name: list("column_name", PatternList::parse)?,
            roles: rule.roles.clone(),
            except_roles: rule.except_roles.clone(),
        })
    }

    /// Whether the rule is in force in that database.
    pub(crate) fn is_for_database(&self, database: &str) -> bool {
        self.database.is_any() || self.database.matches(&[database])
    }

    /// Whether the rule is in force in the session's database and binds its current role.
    pub(crate) fn binds(&self, session: &dyn Session) -> bool {
        let member = |role: &String| role == "public" || session.is_member_of(role);
        self.is_for_database(session.database())
            && (self.roles.is_empty() || self.roles.iter().any(member))
            && !self.except_roles.iter().any(member)
    }

    pub(crate) fn is_for_every_database(&self) -> bool {
        self.database.is_any()
    }

    /// Whether the rule is about the object. What is not known of the things above it counts as matching.
    pub(crate) fn matches(&self, situation: &Situation) -> bool {
        situation.object.object_type == self.object_type
            && self.matches_wrapper(situation)
            && named(situation, ObjectType::Server, &self.server)
            && named(situation, ObjectType::UserMapping, &self.role)
            && self.matches_relation(situation)
            && named(situation, ObjectType::ForeignTableColumn, &self.column_name)
    }

    fn matches_wrapper(&self, situation: &Situation) -> bool {
        self.wrapper.is_any()
            || situation.part(ObjectType::ForeignDataWrapper).is_none_or(|wrapper| {
                let name = wrapper.name();
                match wrapper.attribute(Attribute::Delegate) {
                    Some(delegate) => self.wrapper.matches_any_of(&[&[name], &[delegate]]),
                    None => self.wrapper.matches(&[name]),
                }
            })
    }

    fn matches_relation(&self, situation: &Situation) -> bool {
        self.relation.is_any()
            || situation.part(ObjectType::ForeignTable).is_none_or(|table| match table.attribute(Attribute::Schema) {
                Some(schema) => self.relation.matches(&[schema, table.name()]),
                None => self.relation.matches(&[table.name()]),
            })
    }

    /// Whether it depends on the name of what stands there above the object.
    pub(crate) fn looks_at_name_of(&self, above: ObjectType) -> bool {
        let patterns = match above {
            ObjectType::ForeignDataWrapper => &self.wrapper,
            ObjectType::Server => &self.server,
            ObjectType::ForeignTable => &self.relation,
            ObjectType::UserMapping | ObjectType::ForeignTableColumn => return false,
        };
        self.object_type > above && !patterns.is_any()
    }

    /// Whether it depends on more names than those of the wrapper and the server.
    pub(crate) fn looks_below_server(&self) -> bool {
        ![&self.role, &self.relation, &self.column_name].iter().all(|patterns| patterns.is_any())
    }

    /// The patterns of each field.
    fn lists(&self) -> [(&'static str, &PatternList); 6] {
        [
            ("database", &self.database),
            ("wrapper", &self.wrapper),
            ("server", &self.server),
            ("role", &self.role),
            ("relation", &self.relation),
            ("column_name", &self.column_name),
        ]
    }

    /// The fields whose patterns let no name pass, whatever it is.
    pub(crate) fn fields_that_match_nothing(&self) -> Vec<&'static str> {
        self.lists().into_iter().filter(|(_, list)| list.matches_nothing()).map(|(field, _)| field).collect()
    }

    /// Whether it is certain that this matches, in whichever database, whatever the other matches.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.lists().iter().zip(other.lists()).all(|((_, own), (_, others))| own.covers(others))
    }

    /// The names of wrappers or servers outside of which the rule can match nothing.
    pub(crate) fn literal_names(&self, object_type: ObjectType) -> Option<Vec<String>> {
        match object_type {
            ObjectType::ForeignDataWrapper => self.wrapper.literal_names(),
            ObjectType::Server if self.object_type > ObjectType::ForeignDataWrapper => self.server.literal_names(),
            _ => None,
        }
    }
}

fn named(situation: &Situation, object_type: ObjectType, patterns: &PatternList) -> bool {
    patterns.is_any() || situation.part(object_type).is_none_or(|part| patterns.matches(&[part.name()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ordinary, column, mapping, server, table};

    fn matcher(change: impl FnOnce(&mut Rule)) -> Matcher {
        let mut rule = Rule::new("r", ObjectType::UserMapping);
        change(&mut rule);
        Matcher::new(&rule).unwrap()
    }

    fn only(pattern: &str) -> Vec<String> {
        vec![pattern.to_owned()]
    }

    #[test]
    fn each_field_is_held_against_its_part() {
        let bob = mapping("bob", "foo", &[]);
        assert!(matcher(|_| {}).matches(&bob));
        assert!(!matcher(|_| {}).matches(&server("foo", &[])));
        for (wanted, role, server, wrapper) in [
            (true, "b*", "foo", "postgres_fdw"),
            (false, "x", "*", "*"),
            (false, "*", "x", "*"),
            (false, "*", "*", "x"),
        ] {
            let matcher = matcher(|rule| {
                rule.role = only(role);
                rule.server = only(server);
                rule.wrapper = only(wrapper);
            });
            assert_eq!(matcher.matches(&bob), wanted, "{role} {server} {wrapper}");
        }
    }

    #[test]
    fn a_guarded_wrapper_goes_by_its_delegates_name_too() {
        let mut situation = server("foo", &[]);
        let guarded = crate::testing::state(ObjectType::ForeignDataWrapper, "guarded", &[]);
        situation.above = vec![std::rc::Rc::new(guarded.with(&[(Attribute::Delegate, "postgres_fdw")]))];
        for name in ["guarded", "postgres_fdw"] {
            let is = matcher(|rule| {
                rule.object_type = ObjectType::Server;
                rule.wrapper = only(name);
            });
            assert!(is.matches(&situation), "{name}");
            let is_not = matcher(|rule| {
                rule.object_type = ObjectType::Server;
                rule.wrapper = only(&format!("!{name}"));
            });
            assert!(!is_not.matches(&situation), "{name}");
        }
    }

    #[test]
    fn tables_match_with_and_without_their_schema() {
        for (pattern, wanted) in [("t", true), ("public.t", true), ("public.*", true), ("other.t", false), ("x", false)]
        {
            let of = |object_type| {
                matcher(|rule| {
                    rule.object_type = object_type;
                    rule.relation = only(pattern);
                })
            };
            assert_eq!(of(ObjectType::ForeignTable).matches(&table("t", &[])), wanted, "{pattern}");
            assert_eq!(of(ObjectType::ForeignTableColumn).matches(&column("c", &[])), wanted, "{pattern}");
        }
    }

    #[test]
    fn rules_bind_by_membership_and_database() {
        type Edit = fn(&mut Rule);
        let cases: &[(Edit, bool)] = &[
            (|_| {}, true),
            (|rule| rule.roles = only("dba"), true),
            (|rule| rule.roles = only("other"), false),
            (|rule| rule.roles = only("public"), true),
            (|rule| rule.except_roles = only("dba"), false),
            (|rule| rule.except_roles = only("other"), true),
            (|rule| rule.database = only("app"), true),
            (|rule| rule.database = only("!app"), false),
        ];
        for (number, (edit, wanted)) in cases.iter().enumerate() {
            assert_eq!(matcher(edit).binds(&Ordinary), *wanted, "case {number}");
        }
    }
}
