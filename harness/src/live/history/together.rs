//! `revert` while other sessions change the same object.

use anyhow::{Context, Result, anyhow};

use super::super::meanwhile::while_open;
use super::super::{contains, same};
use super::reverted::newest;
use super::with_server;
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::expect_error;

/// An attribute, whose it is, and the statements that give it one value after another. The wrapper takes every option.
struct Case {
    attribute: &'static str,
    identity: &'static str,
    first: &'static str,
    second: &'static str,
}

const CASES: &[Case] = &[
    Case {
        attribute: "option a",
        identity: "plain",
        first: "ALTER FOREIGN DATA WRAPPER plain OPTIONS (ADD a '1')",
        second: "ALTER FOREIGN DATA WRAPPER plain OPTIONS (SET a '2')",
    },
    Case {
        attribute: "option port",
        identity: "s",
        first: "ALTER SERVER s OPTIONS (SET port '2')",
        second: "ALTER SERVER s OPTIONS (SET port '3')",
    },
    Case {
        attribute: "version",
        identity: "s",
        first: "ALTER SERVER s VERSION '1'",
        second: "ALTER SERVER s VERSION '2'",
    },
    Case {
        attribute: "option password",
        identity: "postgres on server s",
        first: "ALTER USER MAPPING FOR postgres SERVER s OPTIONS (ADD password '1')",
        second: "ALTER USER MAPPING FOR postgres SERVER s OPTIONS (SET password '2')",
    },
    Case {
        attribute: "option a",
        identity: "public.t",
        first: "ALTER FOREIGN TABLE t OPTIONS (ADD a '1')",
        second: "ALTER FOREIGN TABLE t OPTIONS (SET a '2')",
    },
    Case {
        attribute: "option a",
        identity: "public.t.c",
        first: "ALTER FOREIGN TABLE t ALTER c OPTIONS (ADD a '1')",
        second: "ALTER FOREIGN TABLE t ALTER c OPTIONS (SET a '2')",
    },
    Case {
        attribute: "statistics",
        identity: "public.t.c",
        first: "ALTER FOREIGN TABLE t ALTER c SET STATISTICS 1",
        second: "ALTER FOREIGN TABLE t ALTER c SET STATISTICS 2",
    },
    Case {
        attribute: "-",
        identity: "passing",
        first: "CREATE SERVER passing FOREIGN DATA WRAPPER plain",
        second: "ALTER SERVER passing OPTIONS (ADD a '1')",
    },
];

/// A database in which the first change of the case is recorded, and the query that undoes it.
fn stage<'cluster>(cluster: &'cluster Cluster, name: &str, case: &Case) -> Result<(Database<'cluster>, String)> {
    let database = with_server(cluster, name)?;
    database.execute(
        "CREATE USER MAPPING FOR postgres SERVER s; CREATE FOREIGN TABLE t (c integer OPTIONS (b '1')) SERVER s",
    )?;
    database.execute(case.first)?;
    let newest = newest(case.attribute, case.identity);
    let id: String = database.connect()?.query_one(&format!("SELECT {newest}::text"), &[])?.get(0);
    Ok((database, format!("SELECT fdw_guard.revert('{id}')")))
}

/// Nothing is undone that is not there any more when the lock comes.
pub fn waits_for_an_open_change(cluster: &Cluster) -> Result<()> {
    for case in CASES {
        let (database, revert) = stage(cluster, "history_open", case)?;
        let rolled_back = while_open(&database, case.second, "ROLLBACK", &format!("BEGIN; {revert}; ROLLBACK"))?;
        let told = rolled_back.map_err(|fields| anyhow!("{fields}")).context(case.second)?;
        same(case.second, told.len(), 1)?;
        let committed = while_open(&database, case.second, "COMMIT", &revert)?;
        let refusal = committed.err().with_context(|| format!("{} is undone", case.second))?;
        same(case.second, refusal.sqlstate.as_str(), "55000")?;
        contains(&refusal.message, "it has been changed since")?;
    }
    Ok(())
}

/// The history that such a transaction sees is older than what it would change.
pub fn sees_no_older_history(cluster: &Cluster) -> Result<()> {
    for (case, level) in CASES.iter().zip(["REPEATABLE READ", "SERIALIZABLE"].into_iter().cycle()) {
        let (database, revert) = stage(cluster, "history_isolation", case)?;
        let (mut first, mut second) = (database.connect()?, database.connect()?);
        first.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM pg_class"))?;
        second.batch_execute("CREATE SERVER another FOREIGN DATA WRAPPER plain")?;
        first.batch_execute(&format!("SAVEPOINT before; {revert}; ROLLBACK TO before")).context(case.first)?;
        second.batch_execute(case.second)?;
        let refusal = expect_error(&mut first, &revert)?;
        same(case.second, refusal.sqlstate.as_str(), "40001")?;
        contains(refusal.hint.as_deref().unwrap_or_default(), "in a new transaction")?;
        first.batch_execute("ROLLBACK")?;
        same(case.second, expect_error(&mut first, &revert)?.sqlstate.as_str(), "55000")?;
    }
    Ok(())
}

/// Who may not change an object keeps nobody else from it.
pub fn locks_nothing_of_others(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_of_others")?;
    database.execute(
        "CREATE USER MAPPING FOR postgres SERVER s; CREATE FOREIGN TABLE t (c integer) SERVER s; \
         DROP ROLE IF EXISTS history_other; CREATE ROLE history_other IN ROLE pg_monitor",
    )?;
    let (mut other, mut owner) = (database.connect()?, database.connect()?);
    other.batch_execute("SET ROLE history_other; BEGIN")?;
    for (object_type, identity) in [
        ("foreign-data wrapper", "plain"),
        ("server", "s"),
        ("user mapping", "postgres on server s"),
        ("foreign table", "public.t"),
    ] {
        let call = format!("SELECT fdw_guard.lock_recorded('{object_type}', '{identity}', 0, NULL, NULL)");
        other.batch_execute(&call)?;
    }
    owner.batch_execute(
        "SET lock_timeout = '5s'; ALTER FOREIGN DATA WRAPPER plain OPTIONS (ADD a '1'); ALTER SERVER s OPTIONS (ADD a '1'); \
         ALTER USER MAPPING FOR postgres SERVER s OPTIONS (ADD a '1'); ALTER FOREIGN TABLE t OPTIONS (ADD a '1')",
    )?;
    other.batch_execute("COMMIT; RESET ROLE; DROP ROLE history_other").map_err(Into::into)
}
