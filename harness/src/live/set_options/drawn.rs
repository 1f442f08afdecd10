//! Random options become random others, and as a plan of it says.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use postgres::Client;
use postgres::types::ToSql;

use super::{KINDS, Kind, same, stage};
use crate::cluster::Cluster;
use crate::database::{quote_ident, quote_literal};
use crate::random::Random;

/// Times that the options of each kind of object are set.
const ROUNDS: usize = 150;

const NAMES: [&str; 7] = ["a", "Host", "user", "password", "it's \"quoted\"", "select", "ü\\"];

const VALUES: [&str; 9] = ["", "x", "X", "it's", "\\", "a=b", "line\nbreak\ttab", "ü € 𝄞", "E'\\''; DROP TABLE t; --"];

type Options = BTreeMap<String, String>;

pub fn any_options_become_any_others(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_drawn")?;
    let mut client = database.connect()?;
    for conforming in ["on", "off"] {
        client.batch_execute(&format!("SET standard_conforming_strings = {conforming}"))?;
        for (seed, kind) in (1..).zip(&KINDS) {
            let mut random = Random::new(seed);
            for round in 0..ROUNDS {
                one_round(&mut client, kind, &mut random).with_context(|| format!("{}round {round}", kind.call))?;
            }
        }
    }
    Ok(())
}

fn one_round(client: &mut Client, kind: &Kind, random: &mut Random) -> Result<()> {
    let old = stored(client, kind)?;
    let (desired, new) = drawn(&old, random);
    let expected_changes = expected(kind, &old, &new, &desired);
    let planned = planned(client, kind, &expected_changes, &desired)?;
    let told = set(client, kind, &desired)?;
    same("options", stored(client, kind)?, new.clone())?;
    same("rows", changes(&told), expected_changes)?;
    // What is set to the value that it has is no change to a plan.
    let differing = told.into_iter().filter(|(option, ..)| old.get(option) != new.get(option)).collect::<Vec<_>>();
    same("the plan", planned, differing)?;
    let again = set(client, kind, &desired)?;
    same("rows when it is done again", changes(&again), expected(kind, &new, &new, &desired))
}

/// Option, change, old value and new one.
type Told = (String, String, Option<String>, Option<String>);

fn changes(told: &[Told]) -> Vec<(String, String)> {
    told.iter().map(|(option, change, ..)| (option.clone(), change.clone())).collect()
}

/// What a plan says of the one ALTER that makes these changes.
fn planned(
    client: &mut Client,
    kind: &Kind,
    changes: &[(String, String)],
    desired: &BTreeMap<String, Option<String>>,
) -> Result<Vec<Told>> {
    let element = |(option, change): &(String, String)| {
        let value = desired.get(option).cloned().flatten().map(|value| quote_literal(&value)).unwrap_or_default();
        format!("{change} {} {value}", quote_ident(option))
    };
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let elements: Vec<String> = changes.iter().map(element).collect();
    let statement = format!("{} OPTIONS ({})", kind.alter, elements.join(", "));
    let query =
        "SELECT substr(attribute, 8), change, old, new FROM fdw_guard.plan($1) ORDER BY attribute COLLATE \"C\"";
    rows(client, query, &[&statement]).context(statement)
}

fn stored(client: &mut Client, kind: &Kind) -> Result<Options> {
    let stored: Option<Vec<String>> = client.query_one(kind.stored, &[])?.get(0);
    let pairs = stored.unwrap_or_default();
    let pair = |option: &String| option.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    pairs.iter().map(pair).collect::<Option<_>>().context("an option without a value")
}

/// What is asked for, and what the options are to be then.
fn drawn(old: &Options, random: &mut Random) -> (BTreeMap<String, Option<String>>, Options) {
    let mut new = old.clone();
    let mut desired = BTreeMap::new();
    for name in random.some_of(&NAMES) {
        let value = random.one_of(&VALUES).filter(|_| !random.once_in(3)).map(|value| (*value).to_owned());
        match &value {
            Some(value) => new.insert((*name).to_owned(), value.clone()),
            None => new.remove(*name),
        };
        desired.insert((*name).to_owned(), value);
    }
    (desired, new)
}

fn set(client: &mut Client, kind: &Kind, desired: &BTreeMap<String, Option<String>>) -> Result<Vec<Told>> {
    let names: Vec<&String> = desired.keys().collect();
    let values: Vec<&Option<String>> = desired.values().collect();
    let query = format!("SELECT * FROM fdw_guard.{}jsonb_object($1::text[], $2::text[]))", kind.call);
    rows(client, &query, &[&names, &values])
}

fn rows(client: &mut Client, query: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<Vec<Told>> {
    let rows = client.query(query, arguments)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect())
}

/// One row for each difference, and for each secret that is written.
fn expected(
    kind: &Kind,
    old: &Options,
    new: &Options,
    desired: &BTreeMap<String, Option<String>>,
) -> Vec<(String, String)> {
    // Of a wrapper that nothing is known of, every option of a user mapping is a secret.
    let is_secret = |name: &str| name == "password" || kind.call.contains("mapping");
    let change = |name: &String| match (old.get(name), new.get(name)) {
        (None, Some(_)) => Some("add"),
        (Some(_), None) => Some("drop"),
        (Some(old), Some(new)) if old != new || is_secret(name) => Some("set"),
        _ => None,
    };
    desired.keys().filter_map(|name| Some((name.clone(), change(name)?.to_owned()))).collect()
}
