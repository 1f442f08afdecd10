//! From the rights that an object has when it is made to those that it has.

use serde::Deserialize;

use crate::ddl::quote_identifier;

/// One right of one role, as `aclexplode` gives it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Grant {
    /// None for PUBLIC.
    grantee: Option<String>,
    grantor: String,
    right: String,
    grantable: bool,
}

impl Grant {
    fn is_between_the_same(&self, other: &Self) -> bool {
        self.grantee == other.grantee && self.grantor == other.grantor && self.grantable == other.grantable
    }

    fn grantee(&self) -> String {
        self.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), quote_identifier)
    }
}

/// GRANT and REVOKE for the object `on`, or for a column of it. A right can be handed on by who has it: the owner's grants
/// come first, the others in the order in which they were made, each in the name of its grantor, as pg_dump writes them.
pub(super) fn statements(
    on: &str,
    column: Option<&str>,
    owner: &str,
    default: &[Grant],
    present: &[Grant],
) -> Vec<String> {
    let is_lacking =
        |grant: &&Grant| !present.iter().any(|other| other.right == grant.right && other.grantee == grant.grantee);
    let lost = grouped(default.iter().filter(is_lacking)).into_iter();
    let revoked = lost.map(|group| format!("REVOKE {} ON {on} FROM {};", rights(&group, column), grantee(&group)));
    let (by_owner, by_others): (Vec<&Grant>, Vec<&Grant>) =
        present.iter().filter(|grant| !default.contains(grant)).partition(|grant| grant.grantor == owner);
    let granted =
        grouped(by_owner.into_iter().chain(by_others)).into_iter().map(|group| grant(&group, on, column, owner));
    revoked.chain(granted).collect()
}

/// Neighbours that differ in their right alone.
fn grouped<'a>(grants: impl Iterator<Item = &'a Grant>) -> Vec<Vec<&'a Grant>> {
    let mut groups: Vec<Vec<&Grant>> = Vec::new();
    for grant in grants {
        match groups.last_mut() {
            Some(group) if group.iter().all(|other| other.is_between_the_same(grant)) => group.push(grant),
            _ => groups.push(vec![grant]),
        }
    }
    groups
}

fn grant(group: &[&Grant], on: &str, column: Option<&str>, owner: &str) -> String {
    let grantable = group.first().is_some_and(|grant| grant.grantable);
    let option = if grantable { " WITH GRANT OPTION" } else { "" };
    let grant = format!("GRANT {} ON {on} TO {}{option};", rights(group, column), grantee(group));
    match group.first().map(|grant| grant.grantor.as_str()).filter(|grantor| *grantor != owner) {
        Some(grantor) => {
            format!("SET SESSION AUTHORIZATION {};\n{grant}\nRESET SESSION AUTHORIZATION;", quote_identifier(grantor))
        }
        None => grant,
    }
}

fn rights(group: &[&Grant], column: Option<&str>) -> String {
    let column = column.map(|column| format!(" ({column})")).unwrap_or_default();
    group.iter().map(|grant| format!("{}{column}", grant.right)).collect::<Vec<_>>().join(", ")
}

fn grantee(group: &[&Grant]) -> String {
    group.first().map(|grant| grant.grantee()).unwrap_or_default()
}
