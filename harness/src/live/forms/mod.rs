//! Every form of every type of object, by every way that is known to it, held against what a rule about it must do.
//!
//! `table` has a row for each form; `check` says what is held of each row. What came of it is left below `target`, where
//! `make forms` finds it.

mod carrier;
mod check;
mod recorded;
pub(super) mod row;
pub(super) mod stage;
pub(super) mod table;
mod without_rules;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use postgres::Client;

use super::LiveTest;
use crate::cluster::Cluster;
use crate::forms::{self, Forms, Recorder};
use crate::project;
use check::{CHECKS, Tester, about};
use row::{COLUMN, OBJECT_TYPES, ObjectType, Row, SERVER, TABLE, USER_MAPPING, WRAPPER};
use stage::Stage;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "forms::every_form_has_a_row", run: every_form_has_a_row },
    LiveTest { name: "forms::of_wrappers", run: |cluster| of(cluster, WRAPPER) },
    LiveTest { name: "forms::of_servers", run: |cluster| of(cluster, SERVER) },
    LiveTest { name: "forms::of_user_mappings", run: |cluster| of(cluster, USER_MAPPING) },
    LiveTest { name: "forms::of_foreign_tables", run: |cluster| of(cluster, TABLE) },
    LiveTest { name: "forms::of_columns", run: |cluster| of(cluster, COLUMN) },
    LiveTest { name: "forms::each_is_recorded_and_undone", run: recorded::each_is_recorded_and_undone },
    LiveTest { name: "forms::without_rules", run: without_rules::nothing_changes },
];

/// Goes every way of the rows of one type of object, under every rule that `check` knows.
fn of(cluster: &Cluster, object_type: ObjectType) -> Result<()> {
    let stage = Stage::make(cluster, "forms", true)?;
    let forms = forms_of_product(&mut stage.connect()?)?;
    let mut recorder = recorder(&mut stage.connect()?, cluster, object_type)?;
    let mut tester = Tester::new(stage, major_of(cluster), forms);
    let mut rows = table::rows();
    rows.retain(|row| row.object_type == object_type && tester.can_be_named(row));
    for row in &rows {
        for check in CHECKS {
            recorder.note(row.form, object_type, check.name, (check.run)(&mut tester, row));
        }
    }
    audit(&mut tester, &rows, cluster, &mut recorder);
    recorder.finish()
}

/// Audits leave nothing but a line in the server's log, which is read once for all of them.
fn audit(tester: &mut Tester<'_>, rows: &[Row], cluster: &Cluster, recorder: &mut Recorder) {
    let name = |number: usize| format!("audit {number} of {}", std::process::id());
    let audited: Vec<_> = rows.iter().enumerate().map(|(number, row)| tester.audits(row, &name(number))).collect();
    let log = cluster.log_text();
    for ((number, row), outcome) in rows.iter().enumerate().zip(audited) {
        let line = row.ways.first().map(|way| format!("LOG:  r{}", about(&name(number), row, way)));
        let is_logged = line.is_some_and(|line| log.contains(&line));
        let outcome = outcome.and_then(|()| if is_logged { Ok(()) } else { bail!("the log has no line of it") });
        recorder.note(row.form, row.object_type, "audit", vec![outcome]);
    }
}

pub(super) fn major_of(cluster: &Cluster) -> u32 {
    cluster.sandbox().mirror.installation.major
}

fn recorder(client: &mut Client, cluster: &Cluster, test: &str) -> Result<Recorder> {
    let now = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'";
    let now: String = client.query_one(now, &[])?.get(0);
    let installation = &cluster.sandbox().mirror.installation;
    Recorder::new(installation.major, test, &format!("PostgreSQL {}", installation.number()), &now)
}

/// What came of one thing that was tried, of a form of a type of object.
pub(super) type Trial = (&'static str, ObjectType, Result<()>);

/// Leaves what came of a check by another test than those of this module. Of forms that were not tried there was nothing
/// to try.
pub(super) fn leave(cluster: &Cluster, client: &mut Client, check: &str, mut trials: Vec<Trial>) -> Result<()> {
    let mut recorder = recorder(client, cluster, check)?;
    for (form, object_type) in forms_of_product(client)? {
        let (own, others): (Vec<_>, Vec<_>) =
            trials.into_iter().partition(|(tried, of, _)| *tried == form && *of == object_type);
        trials = others;
        recorder.note(&form, &object_type, check, own.into_iter().map(|(_, _, outcome)| outcome).collect());
    }
    let unknown: Vec<_> = trials.iter().map(|(form, object_type, _)| (form, object_type)).collect();
    ensure!(unknown.is_empty(), "tried, and no forms: {unknown:?}");
    recorder.finish()
}

/// The forms that rules on each type of object can name: those that a rule is not refused for.
fn forms_of_product(client: &mut Client) -> Result<Forms> {
    let query =
        "SELECT jsonb_array_elements_text(fdw_guard.policy_schema() #> '{$defs,rule,properties,forms,items,enum}')";
    let mut forms = Forms::new();
    for row in client.query(query, &[])? {
        let form: String = row.get(0);
        for object_type in OBJECT_TYPES {
            if applies(client, &form, object_type)? {
                forms.push((form.clone(), object_type.to_owned()));
            }
        }
    }
    Ok(forms)
}

fn applies(client: &mut Client, form: &str, object_type: &str) -> Result<bool> {
    let mut transaction = client.transaction()?;
    let insert = "INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('applies', $1, ARRAY[$2])";
    match transaction.execute(insert, &[&object_type, &form]) {
        Ok(_) => Ok(true),
        Err(error) if error.code().is_some_and(|code| code.code() == "23514") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The table is complete, and so is the matrix in the README.
fn every_form_has_a_row(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("forms")?;
    let forms = forms_of_product(&mut database.connect()?)?;
    forms::leave_list(&forms)?;
    let there: BTreeSet<(&str, &str)> = forms.iter().map(|(form, of)| (form.as_str(), of.as_str())).collect();
    let rows = table::rows();
    let listed: BTreeSet<(&str, &str)> = rows.iter().map(|row| (row.form, row.object_type)).collect();
    ensure!(listed.len() == rows.len(), "a form has two rows");
    let missing: Vec<_> = there.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&there).collect();
    ensure!(
        missing.is_empty() && unknown.is_empty(),
        "forms without a row: {missing:?}, rows without a form: {unknown:?}"
    );
    readme_shows(&forms::all_passed(&forms))?;
    readme_shows(&forms::list_of_checks())
}

fn readme_shows(table: &str) -> Result<()> {
    let readme = fs::read_to_string(project::root().join("README.md")).context("the project has no README.md")?;
    ensure!(readme.contains(table), "README.md does not show this table:\n{table}");
    Ok(())
}
