//! Guarded wrappers over real connections: what the delegate can do works through them, and rules hold where the library
//! is preloaded nowhere.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::{LiveTest, same};
use crate::cluster::Cluster;
use crate::database::{Database, Remote, quote_ident, quote_literal};
use crate::fields::expect_error;
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "guarded::what_the_delegate_can_do_works_through_it", run: what_the_delegate_can_do },
    LiveTest { name: "guarded::rules_hold_where_nothing_is_preloaded", run: rules_hold_where_nothing_is_preloaded },
    LiveTest { name: "guarded::options_are_guarded_in_a_sessions_first_statement", run: in_a_sessions_first_statement },
    LiveTest { name: "guarded::a_made_wrapper_is_dumped_and_restored", run: a_made_wrapper_is_dumped_and_restored },
    LiveTest { name: "guarded::wrappers_are_called_what_they_may_be", run: any_name },
    LiveTest { name: "guarded::a_renamed_wrapper_makes_room_for_another", run: a_renamed_wrapper },
    LiveTest { name: "guarded::what_a_dump_keeps_of_a_guard_in_place", run: what_a_dump_keeps_of_a_guard_in_place },
];

/// A database whose server `far`, of the wrapper of that name, leads to another database by a scram password; both go
/// when they are dropped.
pub fn reaching<'c>(cluster: &'c Cluster, name: &str, wrapper: &str) -> Result<(Database<'c>, Remote<'c>)> {
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

/// The rows that a statement gives, or every field of its error.
pub fn said(database: &Database<'_>, sql: &str) -> Result<String> {
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
    // EXPLAIN is to say the same, too.
    guarded.execute("ALTER DATABASE guarded_is SET fdw_guard.explain = off")?;
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

/// Statements that set an option called `bad`, as many kinds as there are. The role that runs them is no superuser.
const FIRST_STATEMENTS: [&str; 14] = [
    "CREATE SERVER made FOREIGN DATA WRAPPER front OPTIONS (bad '1')",
    "ALTER SERVER s OPTIONS (ADD bad '1')",
    "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (bad '1')",
    "ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (bad '1')",
    "CREATE FOREIGN TABLE made (a int) SERVER s OPTIONS (bad '1')",
    "CREATE FOREIGN TABLE made (a int OPTIONS (good '1')) SERVER s OPTIONS (bad '1')",
    "CREATE FOREIGN TABLE made (a int OPTIONS (bad '1')) SERVER s OPTIONS (good '1')",
    "CREATE FOREIGN TABLE made PARTITION OF parent DEFAULT SERVER s OPTIONS (bad '1')",
    "DO $$ BEGIN CREATE FOREIGN TABLE made (a int) SERVER s OPTIONS (bad '1'); END $$",
    "ALTER FOREIGN TABLE t OPTIONS (ADD bad '1')",
    "ALTER TABLE t ADD COLUMN b int OPTIONS (bad '1')",
    "ALTER TABLE t ALTER a OPTIONS (bad '1')",
    "SET fdw_guard.enforcement = off; CREATE FOREIGN TABLE made (a int) SERVER s OPTIONS (bad '1')",
    "SET fdw_guard.check_mode = deferred; ALTER FOREIGN TABLE t OPTIONS (ADD bad '1')",
];

/// Where the library is preloaded nowhere, it is the first statement itself that loads it.
fn in_a_sessions_first_statement(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("guarded-first", &Settings::plain())?;
    let database = own.guarded_database("guarded_first")?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER behind; SELECT fdw_guard.create_wrapper('front', 'behind'); \
         CREATE ROLE first_owner LOGIN; GRANT USAGE ON FOREIGN DATA WRAPPER front TO first_owner; \
         GRANT CREATE ON SCHEMA public TO first_owner; SET ROLE first_owner; \
         CREATE SERVER s FOREIGN DATA WRAPPER front; CREATE USER MAPPING FOR CURRENT_USER SERVER s; \
         CREATE TABLE parent (a int) PARTITION BY LIST (a); CREATE FOREIGN TABLE t (a int) SERVER s; RESET ROLE; \
         SELECT fdw_guard.add_rule('no bad ' || type, type, 'bad', forbidden => true) \
         FROM unnest(ARRAY['server', 'user mapping', 'foreign table', 'foreign table column']) type",
    )?;
    for bad in FIRST_STATEMENTS {
        let error = expect_error(&mut database.connect_as("first_owner")?, bad)?;
        let is_ours = error.constraint.as_deref().is_some_and(|rule| rule.starts_with("no bad "));
        ensure!(is_ours && error.sqlstate == "HV00D", "{bad}: {error}");
        // What runs before a transaction is prepared is what runs before it is committed.
        let good = format!("BEGIN; {}; PREPARE TRANSACTION 'first'", bad.replace("bad", "good"));
        database.connect_as("first_owner")?.batch_execute(&good).with_context(|| good.clone())?;
        database.execute("ROLLBACK PREPARED 'first'")?;
    }
    Ok(())
}

fn a_made_wrapper_is_dumped_and_restored(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("guarded_dumped")?;
    database.execute(
        "CREATE EXTENSION file_fdw; SELECT fdw_guard.create_wrapper('files', 'file_fdw'); \
         CREATE SERVER s FOREIGN DATA WRAPPER files; \
         SELECT fdw_guard.add_rule('no_program', 'foreign table', 'program', forbidden => true)",
    )?;
    let restored = dumped_and_restored(cluster, &database, "guarded_restored")?;
    let error = expect_error(
        &mut restored.connect()?,
        "CREATE FOREIGN TABLE t (a text) SERVER s OPTIONS (program 'true', format 'csv')",
    )?;
    same("constraint name", error.constraint.as_deref(), Some("no_program"))?;
    let refused = expect_error(&mut restored.connect()?, "DROP EXTENSION file_fdw")?;
    same("SQLSTATE", refused.sqlstate.as_str(), "2BP01")
}

/// A new database with what pg_dump and pg_restore carry of another.
fn dumped_and_restored<'c>(cluster: &'c Cluster, from: &Database<'_>, name: &str) -> Result<Database<'c>> {
    let dump = cluster.directory().join(name);
    let program = |name: &str, arguments: &[&str]| -> Result<()> {
        let ended = cluster.client(name).args(arguments).arg(&dump).output()?;
        ensure!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
        Ok(())
    };
    program("pg_dump", &["-Fc", "-d", from.name(), "-f"])?;
    let restored = cluster.database(name)?;
    program("pg_restore", &["--exit-on-error", "-d", name])?;
    Ok(restored)
}

fn what_a_dump_keeps_of_a_guard_in_place(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("guard_dumped")?;
    database.execute(
        "CREATE SCHEMA \"its own\"; CREATE EXTENSION file_fdw SCHEMA \"its own\"; CREATE FOREIGN DATA WRAPPER mine \
         HANDLER \"its own\".file_fdw_handler VALIDATOR \"its own\".file_fdw_validator; \
         SELECT fdw_guard.guard_wrapper('mine'), fdw_guard.guard_wrapper('file_fdw'); \
         CREATE SERVER s FOREIGN DATA WRAPPER mine; CREATE SERVER lost FOREIGN DATA WRAPPER file_fdw; \
         CREATE FOREIGN TABLE t (a int) SERVER s OPTIONS (program 'seq 7')",
    )?;
    let restored = dumped_and_restored(cluster, &database, "guard_restored")?;
    let mut client = restored.connect()?;
    same("rows", client.query_one("SELECT count(*) FROM t", &[])?.get::<_, i64>(0), 7)?;
    // The wrapper of an extension is made by that extension again, as it was.
    let guarded = "SELECT wrapper::text FROM fdw_guard.guarded_wrappers WHERE in_place ORDER BY 1";
    same("guarded", texts(&mut client, guarded)?, vec!["mine".to_owned()])?;
    let hint = "SELECT hint FROM fdw_guard.status() WHERE protection = 'guards in place'";
    let statement = "SELECT fdw_guard.guard_wrapper('file_fdw');";
    same("hint", texts(&mut client, hint)?, vec![statement.to_owned()])?;
    client.batch_execute(statement)?;
    same("guarded", texts(&mut client, guarded)?, vec!["file_fdw".to_owned(), "mine".to_owned()])?;
    // A wrapper whose functions went while no link held them says so.
    client.batch_execute("ALTER FUNCTION \"its own\".file_fdw_validator RENAME TO gone")?;
    let error = expect_error(&mut restored.connect()?, "ALTER FOREIGN TABLE t OPTIONS (SET program 'seq 8')")?;
    same("SQLSTATE", error.sqlstate.as_str(), "42883")?;
    // To leave it without handler and validator would not be to put it back.
    let error = expect_error(&mut restored.connect()?, "SELECT fdw_guard.unguard_wrapper('mine')")?;
    same("SQLSTATE", error.sqlstate.as_str(), "42883")
}

/// Names around the length at which that of a function made of them no longer fits into 63 bytes, and beyond what PostgreSQL
/// keeps of a name; some end in a character that does not fit whole, or agree as far as a function's name can tell.
fn names() -> Vec<String> {
    let agreeing = |end: &str| format!("{}{end}", "a".repeat(53));
    let ends = [("n", ""), ("u", "ü"), ("e", "€"), ("g", "𝄞")];
    let of = |(letter, end): (&str, &str)| [52, 53, 54, 61, 62].map(|length| letter.repeat(length) + end);
    let mut names: Vec<String> = ends.into_iter().flat_map(of).collect();
    names.extend(["b".repeat(63), "c".repeat(70), "𝄞".repeat(13), "𝄞".repeat(15)]);
    names.extend(["x", "y", "", "_validator", "_handler"].map(agreeing));
    let odd =
        ["Upper Case", "it's", "a \"quoted\" one", "back\\slash", "two\nlines", "a.b", "(), ", "select", "=", "%I$$"];
    names.extend(odd.map(str::to_owned));
    names
}

fn any_name(cluster: &Cluster) -> Result<()> {
    for is_in_place in [false, true] {
        let database = cluster.guarded_database("guarded_names")?;
        database.execute(
            "CREATE EXTENSION file_fdw; SELECT fdw_guard.add_rule('r', 'foreign table', 'encoding', forbidden => true)",
        )?;
        let mut client = database.connect()?;
        for (number, name) in names().iter().enumerate() {
            make(&mut client, number, name, is_in_place).with_context(|| name.clone())?;
        }
        let restored = dumped_and_restored(cluster, &database, "guarded_names_restored")?;
        let guarded =
            "SELECT format('%s %s %s', wrapper, delegate, in_place) FROM fdw_guard.guarded_wrappers ORDER BY 1";
        let mut other = restored.connect()?;
        same("guarded", texts(&mut other, guarded)?, texts(&mut client, guarded)?)?;
        for (number, name) in names().iter().enumerate() {
            works(&mut other, number).with_context(|| name.clone())?;
            take_away(&mut other, number, name, is_in_place).with_context(|| name.clone())?;
        }
        same("functions", functions(&mut other)?, if is_in_place { 0 } else { functions(&mut client)? })?;
    }
    Ok(())
}

/// The functions of a wrapper that was renamed are in the way of a new one of its old name, and the hint says what to do.
fn a_renamed_wrapper(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("guarded_renamed")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION file_fdw")?;
    for length in [5, 60] {
        let (old, new) = ("o".repeat(length), "n".repeat(length));
        let create = format!("SELECT fdw_guard.create_wrapper('{old}', 'file_fdw')");
        client.batch_execute(&format!("{create}; ALTER FOREIGN DATA WRAPPER {old} RENAME TO {new}"))?;
        let refusal = expect_error(&mut client, &create)?;
        let hint = refusal.hint.context("no hint")?;
        let (_, statement) = hint.split_once(": ").context("no statement")?;
        let statement = statement.trim_end_matches('.');
        client.batch_execute(&format!("{}; {statement}", statement.replace("_validator", "_handler")))?;
        client.batch_execute(&create)?;
        let named = format!(
            "SELECT p.proname::text FROM pg_foreign_data_wrapper w JOIN pg_proc p ON p.oid IN (w.fdwhandler, w.fdwvalidator) \
             WHERE w.fdwname = '{new}' ORDER BY 1"
        );
        let stem: String = client.query_one("SELECT fdw_guard.function_stem($1::text::name)", &[&new])?.get(0);
        same("names", texts(&mut client, &named)?, vec![format!("{stem}_handler"), format!("{stem}_validator")])?;
    }
    Ok(())
}

/// Makes that wrapper, guarded, with a table on it.
fn make(client: &mut Client, number: usize, name: &str, is_in_place: bool) -> Result<()> {
    let (quoted, literal) = (quote_ident(name), quote_literal(name));
    if is_in_place {
        client.batch_execute(&format!(
            "CREATE FOREIGN DATA WRAPPER {quoted} HANDLER file_fdw_handler VALIDATOR file_fdw_validator; \
             SELECT fdw_guard.guard_wrapper({literal})"
        ))?;
    } else {
        client.batch_execute(&format!("SELECT fdw_guard.create_wrapper({literal}, 'file_fdw')"))?;
    }
    client.batch_execute(&format!(
        "CREATE SERVER s{number} FOREIGN DATA WRAPPER {quoted}; \
         CREATE FOREIGN TABLE t{number} (a int) SERVER s{number} OPTIONS (program 'seq 7')"
    ))?;
    works(client, number)
}

fn works(client: &mut Client, number: usize) -> Result<()> {
    let rows: i64 = client.query_one(&format!("SELECT count(*) FROM t{number}"), &[])?.get(0);
    same("rows", rows, 7)?;
    let plan = texts(client, &format!("EXPLAIN (VERBOSE, COSTS off) SELECT * FROM t{number}"))?.join("\n");
    super::contains(&plan, "Delegate: ")?;
    let refused = expect_error(client, &format!("ALTER FOREIGN TABLE t{number} OPTIONS (ADD encoding 'UTF8')"))?;
    same("SQLSTATE", refused.sqlstate.as_str(), "HV00D")
}

fn take_away(client: &mut Client, number: usize, name: &str, is_in_place: bool) -> Result<()> {
    let (quoted, literal) = (quote_ident(name), quote_literal(name));
    if is_in_place {
        client.batch_execute(&format!("SELECT fdw_guard.unguard_wrapper({literal})"))?;
        let plan = texts(client, &format!("EXPLAIN (VERBOSE, COSTS off) SELECT * FROM t{number}"))?.join("\n");
        ensure!(!plan.contains("Delegate: "), "{plan}");
    }
    client.batch_execute(&format!("DROP FOREIGN DATA WRAPPER {quoted} CASCADE")).map_err(Into::into)
}

/// How many functions of ours are no part of the extension.
fn functions(client: &mut Client) -> Result<i64> {
    let counted = "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'fdw_guard'::regnamespace AND NOT EXISTS \
                   (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')";
    Ok(client.query_one(counted, &[])?.get(0))
}

fn texts(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    Ok(client.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
}
