//! Guarded wrappers over real connections: what the delegate can do works through them, and rules hold where the library
//! is preloaded nowhere.

use anyhow::{Result, ensure};

use super::{LiveTest, same};
use crate::cluster::Cluster;
use crate::database::{Database, Remote, quote_literal};
use crate::fields::expect_error;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "guarded::what_the_delegate_can_do_works_through_it", run: what_the_delegate_can_do },
    LiveTest { name: "guarded::rules_hold_where_nothing_is_preloaded", run: rules_hold_where_nothing_is_preloaded },
    LiveTest { name: "guarded::a_made_wrapper_is_dumped_and_restored", run: a_made_wrapper_is_dumped_and_restored },
];

/// A database whose server `far`, of the wrapper of that name, leads to another database by a scram password; both go
/// when they are dropped.
fn reaching<'c>(cluster: &'c Cluster, name: &str, wrapper: &str) -> Result<(Database<'c>, Remote<'c>)> {
    let role = format!("{name}_reader");
    let remote = cluster.database(&format!("{name}_far"))?.remote(&role, "autumn")?;
    remote.database.execute(&format!(
        "CREATE TABLE goods (id int PRIMARY KEY, name text); GRANT ALL ON goods TO {role}; \
         INSERT INTO goods SELECT i, 'n' || i FROM generate_series(1, 100) i"
    ))?;
    let database = cluster.guarded_database(name)?;
    database.execute(&format!(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER {wrapper} OPTIONS ({}); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user {}, password 'autumn')",
        remote.server_options(),
        quote_literal(&role)
    ))?;
    Ok((database, remote))
}

/// Statements, and what each must say the same of on the delegate and through the guarded wrapper.
const WORK: [&str; 14] = [
    "IMPORT FOREIGN SCHEMA public LIMIT TO (goods) FROM SERVER far INTO public",
    "SELECT count(*), sum(id) FROM goods",
    "INSERT INTO goods SELECT i, 'new' FROM generate_series(101, 250) i",
    "INSERT INTO goods VALUES (1, 'again') ON CONFLICT DO NOTHING",
    "UPDATE goods SET name = upper(name) WHERE id BETWEEN 5 AND 7 RETURNING *",
    "DELETE FROM goods WHERE id > 200 RETURNING id",
    "SELECT a.id, b.name FROM goods a JOIN goods b USING (id) WHERE a.id < 9 ORDER BY 1 FOR UPDATE OF a",
    "EXPLAIN (VERBOSE, COSTS OFF) SELECT a.id, b.name FROM goods a JOIN goods b USING (id) WHERE a.id < 9 ORDER BY 1",
    "EXPLAIN (VERBOSE, COSTS OFF) UPDATE goods SET name = 'x' WHERE id = 3",
    "ANALYZE goods",
    "SELECT reltuples FROM pg_class WHERE relname = 'goods'",
    "INSERT INTO goods VALUES (2, 'twice')",
    "TRUNCATE goods",
    "SELECT count(*) FROM goods",
];

fn said(database: &Database<'_>, sql: &str) -> Result<String> {
    let answers = match database.connect()?.simple_query(sql) {
        Ok(answers) => answers,
        Err(error) => return Ok(error.as_db_error().map(|error| format!("{error:?}")).unwrap_or_default()),
    };
    let rows = answers.iter().filter_map(|answer| match answer {
        postgres::SimpleQueryMessage::Row(row) => Some(
            (0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join("|"),
        ),
        postgres::SimpleQueryMessage::CommandComplete(rows) => Some(format!("{rows} rows")),
        _ => None,
    });
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

fn what_the_delegate_can_do(cluster: &Cluster) -> Result<()> {
    let (plain, _plain_remote) = reaching(cluster, "guarded_not", "postgres_fdw")?;
    let (guarded, _guarded_remote) = reaching(cluster, "guarded_is", "guarded_postgres_fdw")?;
    for sql in WORK {
        same(sql, said(&guarded, sql)?, said(&plain, sql)?)?;
    }
    Ok(())
}

fn rules_hold_where_nothing_is_preloaded(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("guarded-unloaded", &Settings::plain())?;
    let database = own.guarded_database("guarded_unloaded")?;
    database.execute(
        "CREATE EXTENSION postgres_fdw; SELECT fdw_guard.add_rule('no_port', 'server', 'port', forbidden => true)",
    )?;
    for bad in [
        "CREATE SERVER s FOREIGN DATA WRAPPER guarded_postgres_fdw OPTIONS (port '1')",
        "BEGIN; CREATE SERVER s FOREIGN DATA WRAPPER guarded_postgres_fdw OPTIONS (port '1'); COMMIT",
    ] {
        // Each in a session of its own, which has not loaded the library.
        let error = expect_error(&mut database.connect()?, bad)?;
        same("constraint name", error.constraint.as_deref(), Some("no_port"))?;
    }
    database.execute("CREATE SERVER s FOREIGN DATA WRAPPER guarded_postgres_fdw OPTIONS (host 'h')")?;
    let error = expect_error(&mut database.connect()?, "ALTER SERVER s OPTIONS (ADD port '1')")?;
    same("constraint name", error.constraint.as_deref(), Some("no_port"))?;
    // The delegate itself is not guarded there; this is what the guarded wrapper is for.
    database.execute("CREATE SERVER plain FOREIGN DATA WRAPPER postgres_fdw OPTIONS (port '1')")
}

fn a_made_wrapper_is_dumped_and_restored(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("guarded_dumped")?;
    database.execute(
        "CREATE EXTENSION file_fdw; SELECT fdw_guard.create_wrapper('files', 'file_fdw'); \
         CREATE SERVER s FOREIGN DATA WRAPPER files; \
         SELECT fdw_guard.add_rule('no_program', 'foreign table', 'program', forbidden => true)",
    )?;
    let dump = cluster.directory().join("guarded.dump");
    let program = |name: &str, arguments: &[&str]| -> Result<()> {
        let ended = cluster.client(name).args(arguments).arg(&dump).output()?;
        ensure!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
        Ok(())
    };
    program("pg_dump", &["-Fc", "-d", "guarded_dumped", "-f"])?;
    let restored = cluster.database("guarded_restored")?;
    program("pg_restore", &["--exit-on-error", "-d", "guarded_restored"])?;
    let error = expect_error(
        &mut restored.connect()?,
        "CREATE FOREIGN TABLE t (a text) SERVER s OPTIONS (program 'true', format 'csv')",
    )?;
    same("constraint name", error.constraint.as_deref(), Some("no_program"))?;
    let refused = expect_error(&mut restored.connect()?, "DROP EXTENSION file_fdw")?;
    same("SQLSTATE", refused.sqlstate.as_str(), "2BP01")
}
