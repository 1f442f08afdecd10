//! A delegate that is not PostgreSQL's own: mysql_fdw, with a MariaDB to reach. `scripts/get-mysql-fdw.sh` gets both.

use anyhow::{Result, ensure};

use super::guarded::said;
use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::expect_error;
use crate::mariadb::{self, MariaDb};
use crate::settings::Settings;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "mysql_fdw::what_it_can_do_works_through_a_guarded_wrapper", run: what_it_can_do },
    LiveTest { name: "mysql_fdw::its_options_are_guarded_where_nothing_is_preloaded", run: its_options_are_guarded },
];

const PASSWORD: &str = "autumn";

const SOURCE: &str = "
CREATE DATABASE shop;
CREATE TABLE shop.goods (id int PRIMARY KEY, name varchar(40), price decimal(8, 2), made datetime);
CREATE TABLE shop.sales (id int PRIMARY KEY, good int, noted text, photo blob, share double);
CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'autumn';
GRANT ALL ON shop.* TO reader@'127.0.0.1';
";

/// Statements, and what each must say the same of on the delegate and through the guarded wrapper. They begin with what
/// makes the tables of MariaDB, which both reach, anew; some must fail, and then each field of the error is the same.
const WORK: [&str; 22] = [
    "IMPORT FOREIGN SCHEMA shop FROM SERVER far INTO public",
    "SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute \
     JOIN pg_foreign_table ON ftrelid = attrelid WHERE attnum > 0 ORDER BY attrelid::regclass::text, attnum",
    "DELETE FROM goods",
    "DELETE FROM sales",
    "INSERT INTO goods SELECT i, 'n' || i, i / 4.0, '2024-02-29 12:00' FROM generate_series(1, 300) i",
    "INSERT INTO sales SELECT i, i % 7, 'größer — 大', 'bytes', i / 3.0 FROM generate_series(1, 50) i",
    "SELECT count(*), sum(price), min(name), max(made) FROM goods",
    "SELECT * FROM sales WHERE good = 3 ORDER BY id",
    "UPDATE goods SET name = upper(name), price = NULL WHERE id BETWEEN 5 AND 7",
    "UPDATE goods SET price = price * 2 FROM sales WHERE sales.good = goods.id",
    "DELETE FROM goods USING sales WHERE sales.id = goods.id AND sales.good = 1",
    "SELECT goods.*, count(*) FROM goods JOIN sales ON good = goods.id GROUP BY 1, 2, 3, 4 ORDER BY 1",
    "SELECT a.id, b.name FROM goods a LEFT JOIN goods b ON a.id = b.id + 1 WHERE a.id < 9 ORDER BY 1 FOR UPDATE OF a",
    "SELECT id FROM goods WHERE id IN (SELECT good FROM sales) ORDER BY id LIMIT 3 OFFSET 1",
    "INSERT INTO goods VALUES (2, 'twice')",
    "INSERT INTO goods VALUES (2, 'twice') ON CONFLICT DO NOTHING",
    "INSERT INTO goods VALUES (1000, 'back') RETURNING *",
    "UPDATE goods SET id = id + 1 WHERE id = 300",
    "ANALYZE goods",
    "TRUNCATE sales",
    "SELECT count(*) FROM sales",
    CONTENT,
];

const CONTENT: &str = "SELECT count(*), sum(id), sum(price), string_agg(name, ',' ORDER BY id) FROM goods";

const PLANS: [&str; 4] = [
    "EXPLAIN (VERBOSE) SELECT a.id, b.name FROM goods a JOIN goods b USING (id) WHERE a.id < 9 ORDER BY 1",
    "EXPLAIN (VERBOSE) SELECT count(*) FROM goods WHERE name LIKE 'n%'",
    "EXPLAIN (VERBOSE) UPDATE goods SET name = 'x' WHERE id = 3",
    "EXPLAIN (VERBOSE) INSERT INTO goods SELECT 400 + i FROM generate_series(1, 3) i",
];

/// A cluster whose server finds the library that mysql_fdw loads, or nothing where mysql_fdw is missing.
fn with_mysql_fdw(cluster: &Cluster, name: &str, settings: Settings) -> Result<Option<Cluster>> {
    let sandbox = cluster.sandbox();
    let libraries = &sandbox.mirror.installation.pkglibdir;
    for needed in [libraries.join("mysql_fdw.so"), mariadb::programs(sandbox).join("mariadbd")] {
        if !needed.exists() {
            println!("SKIPPED: {} is missing; scripts/get-mysql-fdw.sh can get it for most versions", needed.display());
            return Ok(None);
        }
    }
    cluster.another(name, &settings.libraries(libraries)).map(Some)
}

/// A database with both extensions, and a guarded wrapper in front of mysql_fdw.
fn with_wrapper<'c>(cluster: &'c Cluster, name: &str) -> Result<Database<'c>> {
    let database = cluster.guarded_database(name)?;
    database
        .execute("CREATE EXTENSION mysql_fdw; SELECT fdw_guard.create_wrapper('guarded_mysql_fdw', 'mysql_fdw')")?;
    Ok(database)
}

fn what_it_can_do(cluster: &Cluster) -> Result<()> {
    let Some(own) = with_mysql_fdw(cluster, "mysql", Settings::preloaded())? else { return Ok(()) };
    let source = MariaDb::start(own.sandbox(), &own.directory().join("mariadb"), SOURCE)?;
    let plain = reaching(&own, "mysql_plain", "mysql_fdw", source.port)?;
    let guarded = reaching(&own, "mysql_guarded", "guarded_mysql_fdw", source.port)?;
    work_is_done_alike(&plain, &guarded)?;
    plans_are_alike(&plain, &guarded)?;
    in_place_too(&plain)
}

fn reaching<'c>(cluster: &'c Cluster, name: &str, wrapper: &str, port: u16) -> Result<Database<'c>> {
    let database = with_wrapper(cluster, name)?;
    database.execute(&format!(
        "CREATE SERVER far FOREIGN DATA WRAPPER {wrapper} OPTIONS (host '127.0.0.1', port '{port}'); \
         CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (username 'reader', password '{PASSWORD}')"
    ))?;
    Ok(database)
}

fn work_is_done_alike(plain: &Database<'_>, guarded: &Database<'_>) -> Result<()> {
    let expected = WORK.iter().map(|sql| said(plain, sql)).collect::<Result<Vec<_>>>()?;
    plain.execute("DELETE FROM goods; DELETE FROM sales")?;
    for (sql, expected) in WORK.iter().zip(expected) {
        same(sql, said(guarded, sql)?, expected)?;
    }
    let written = said(plain, CONTENT)?;
    ensure!(written.starts_with("29"), "these rows should be in MariaDB: {written}");
    same("what the guarded wrapper has written", said(guarded, CONTENT)?, written)
}

fn plans_are_alike(plain: &Database<'_>, guarded: &Database<'_>) -> Result<()> {
    guarded.execute("ALTER DATABASE mysql_guarded SET fdw_guard.explain = off")?;
    for sql in PLANS {
        let plan = said(plain, sql)?;
        contains(&plan, "cost=")?;
        same(sql, said(guarded, sql)?, plan)?;
    }
    guarded.execute("ALTER DATABASE mysql_guarded RESET fdw_guard.explain")?;
    for sql in PLANS {
        let plan = said(guarded, sql)?;
        contains(&plan, "Delegate: mysql_fdw")?;
        contains(&plan, "User Mapping: postgres")?;
    }
    Ok(())
}

fn in_place_too(plain: &Database<'_>) -> Result<()> {
    let before = said(plain, CONTENT)?;
    plain.execute("SELECT fdw_guard.guard_wrapper('mysql_fdw')")?;
    same("guarded in place", said(plain, CONTENT)?, before)?;
    contains(&said(plain, "EXPLAIN SELECT * FROM goods")?, "Delegate: mysql_fdw")
}

fn its_options_are_guarded(cluster: &Cluster) -> Result<()> {
    let Some(own) = with_mysql_fdw(cluster, "mysql-unloaded", Settings::plain())? else { return Ok(()) };
    let database = with_wrapper(&own, "mysql_unloaded")?;
    its_validator_speaks_for_itself(&database)?;
    database.execute(
        "SELECT fdw_guard.add_rule('standby_only', 'server', 'host', wrapper => 'mysql_fdw', allowed => '{standby}'); \
         SELECT fdw_guard.add_rule('long', 'user mapping', 'password', wrapper => 'mysql_fdw', min_length => 12); \
         CREATE SERVER far FOREIGN DATA WRAPPER guarded_mysql_fdw OPTIONS (host 'standby')",
    )?;
    rules_hold(&database)?;
    the_password_does_not_show(&database)
}

/// Errors, each with all fields down to the place in mysql_fdw's source.
fn its_validator_speaks_for_itself(database: &Database<'_>) -> Result<()> {
    for options in ["nonsense 'x'", "fetch_size 'x'", "username 'x'", "host 'a', port '1', ssl_key 'k', dbname 'd'"] {
        let create =
            |wrapper| said(database, &format!("CREATE SERVER s FOREIGN DATA WRAPPER {wrapper} OPTIONS ({options})"));
        let plain = create("mysql_fdw")?;
        ensure!(plain.contains("mysql_fdw_validator"), "not refused by the validator: {options}: {plain}");
        same(options, create("guarded_mysql_fdw")?, plain)?;
    }
    Ok(())
}

/// Each in a session of its own, which has not loaded the library.
fn rules_hold(database: &Database<'_>) -> Result<()> {
    for (rule, bad) in [
        ("standby_only", "CREATE SERVER s FOREIGN DATA WRAPPER guarded_mysql_fdw OPTIONS (host 'primary')"),
        ("standby_only", "ALTER SERVER far OPTIONS (SET host 'primary')"),
        ("long", "CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (username 'reader', password 'autumn')"),
    ] {
        let error = expect_error(&mut database.connect()?, bad)?;
        same("constraint name", error.constraint.as_deref(), Some(rule))?;
        ensure!(!error.to_string().contains(PASSWORD), "{error} shows the password");
    }
    Ok(())
}

fn the_password_does_not_show(database: &Database<'_>) -> Result<()> {
    database.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (password 'autumn leaves fall')")?;
    let sql = "SELECT role, option, value, is_secret FROM fdw_guard.options WHERE object_type = 'user mapping'";
    same("the options of the mapping", said(database, sql)?, "postgres|password|***|t\n1 rows".to_owned())
}
