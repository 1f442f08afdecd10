//! `get_ddl`: what it tells, played in an empty database, gives the same objects again.

mod drawn;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::command;
use crate::database::{Database, SUPERUSER};
use crate::fields::expect_error;
use crate::random::Random;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "get_ddl::objects_are_the_same_again", run: objects_are_the_same_again },
    LiveTest { name: "get_ddl::secrets_and_what_is_hidden_are_left_out", run: what_is_left_out },
    LiveTest { name: "get_ddl::bytes_without_a_meaning_stay", run: bytes_stay },
];

/// Tables that are drawn.
const TABLES: usize = 60;

/// What exists in both databases before: what tables refer to and are no foreign objects.
const GROUND: &str = include_str!("ground.sql");

/// The roles are the cluster's.
const ROLES: &str = "DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY '{ddl_owner,ddl_reader,\"Ddl Other\"}'::text[] LOOP
        IF to_regrole(quote_ident(name)) IS NULL THEN EXECUTE format('CREATE ROLE %I', name); END IF;
    END LOOP; END $$";

/// Seeds of what is drawn.
const SEEDS: std::ops::Range<u64> = 20..22;

fn objects_are_the_same_again(cluster: &Cluster) -> Result<()> {
    SEEDS.into_iter().try_for_each(|seed| same_again(cluster, seed).with_context(|| format!("seed {seed}")))
}

fn same_again(cluster: &Cluster, seed: u64) -> Result<()> {
    let (first, second) = (ground(cluster, "get_ddl_first")?, ground(cluster, "get_ddl_second")?);
    let mut source = first.connect()?;
    let mut random = Random::new(seed);
    let objects = drawn::objects(&mut random);
    for statement in objects.into_iter().chain(drawn::tables(&mut random, first.major(), TABLES)) {
        source.batch_execute(&statement).with_context(|| statement.clone())?;
    }
    let mut target = second.connect()?;
    let told = told(&mut source)?;
    ensure!(told.len() > TABLES, "only {} objects are told", told.len());
    for (object, ddl) in &told {
        target.batch_execute(ddl).with_context(|| format!("{object}\n{ddl}"))?;
    }
    for query in [STATES, OPTIONS] {
        let (expected, found) = (lines(&mut source, query)?, lines(&mut target, query)?);
        ensure!(expected.len() >= TABLES, "{query}");
        expected.into_iter().zip(found).try_for_each(|(expected, found)| same("object", found, expected))?;
    }
    same_dump(&dumped(cluster, &first)?, &dumped(cluster, &second)?)
}

fn ground<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(ROLES)?;
    database.execute(GROUND)?;
    Ok(database)
}

const STATES: &str = "SELECT relation || ' ' || fdw_guard.table_state(relation) FROM fdw_guard.foreign_tables \
    ORDER BY relation::text COLLATE \"C\"";

const OPTIONS: &str = "SELECT o::text FROM fdw_guard.options o ORDER BY o::text COLLATE \"C\"";

fn lines(client: &mut Client, query: &str) -> Result<Vec<String>> {
    Ok(client.query(query, &[])?.iter().map(|row| row.get(0)).collect())
}

/// What is told of each object that no extension makes, those first that others stand on.
fn told(client: &mut Client) -> Result<Vec<(String, String)>> {
    const QUERY: &str = "
        SELECT 'wrapper ' || fdwname, fdw_guard.get_ddl('foreign-data wrapper', quote_ident(fdwname)), 1, oid
        FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'ddl%'
        UNION ALL
        SELECT 'server ' || srvname, fdw_guard.get_ddl('server', srvname), 2, oid FROM pg_foreign_server
        UNION ALL
        SELECT 'mapping ' || umid, fdw_guard.get_ddl('user mapping', format('%I on server %s', usename, srvname)), 3, umid
        FROM pg_user_mappings
        UNION ALL
        SELECT 'table ' || ftrelid::regclass,
               CASE WHEN ftrelid::bigint % 2 = 0 THEN fdw_guard.get_ddl(ftrelid)
                    ELSE fdw_guard.get_ddl('foreign table', (pg_identify_object('pg_class'::regclass, ftrelid, 0)).identity)
               END, 4, ftrelid
        FROM pg_foreign_table
        ORDER BY 3, 4";
    Ok(client.query(QUERY, &[])?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What pg_dump writes of a database, but for the key that newer versions draw for each dump.
fn dumped(cluster: &Cluster, database: &Database<'_>) -> Result<Vec<String>> {
    let mut pg_dump = cluster.sandbox().program("pg_dump");
    pg_dump.args(["--schema-only", "--username", SUPERUSER, "--port", &cluster.port().to_string(), "--host"]);
    let text = command::run(pg_dump.arg(cluster.socket()).arg(database.name()))?;
    Ok(text.lines().filter(|line| !line.contains("restrict ")).map(str::to_owned).collect())
}

fn same_dump(expected: &[String], found: &[String]) -> Result<()> {
    let differing = expected.iter().zip(found).position(|(expected, found)| expected != found);
    if let Some(place) = differing {
        let around =
            |lines: &[String]| lines.iter().skip(place.saturating_sub(12)).take(20).cloned().collect::<Vec<_>>();
        let (expected, found) = (around(expected).join("\n"), around(found).join("\n"));
        anyhow::bail!("pg_dump differs at line {place}; expected\n{expected}\n\nfound\n{found}");
    }
    same("lines of pg_dump", found.len(), expected.len())
}

const SECRETS: &str = "
    CREATE EXTENSION IF NOT EXISTS postgres_fdw;
    CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h');
    GRANT USAGE ON FOREIGN SERVER far TO ddl_reader;
    CREATE USER MAPPING FOR ddl_reader SERVER far OPTIONS (user 'reader', password 'CANARY');
    CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (password 'CANARY');
    CREATE FOREIGN DATA WRAPPER w;
    CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (token 'CANARY', \"secret\n; DROP SERVER s; --\" 'CANARY');
    CREATE FOREIGN TABLE t (a integer OPTIONS (password 'CANARY', b 'c'), d text) SERVER s OPTIONS (token 'CANARY')";

/// Every statement still runs; a comment stands where something is left out.
fn what_is_left_out(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("get_ddl_secrets")?;
    database.execute(ROLES)?;
    database.execute(SECRETS)?;
    let mut client = database.connect()?;
    let asked = [
        ("('server', 's')", "-- token is a secret, and left out"),
        (
            "('user mapping', 'ddl_reader on server far')",
            "    \"user\" 'reader'\n    -- password is a secret, and left out\n)",
        ),
        ("('user mapping', 'public on server far')", "SERVER far\n    -- password is a secret, and left out\n;"),
        ("('t'::regclass)", "a integer OPTIONS (b 'c')"),
    ];
    let mut script = String::from(
        "DROP FOREIGN TABLE t; DROP SERVER s; DROP USER MAPPING FOR ddl_reader SERVER far; \
        DROP USER MAPPING FOR PUBLIC SERVER far;",
    );
    for (arguments, part) in asked {
        let ddl: String = client.query_one(&format!("SELECT fdw_guard.get_ddl{arguments}"), &[])?.get(0);
        ensure!(!ddl.contains("CANARY"), "{ddl}");
        contains(&ddl, part)?;
        script += &ddl;
    }
    client.batch_execute(&script).with_context(|| script.clone())?;
    client.batch_execute("SET ROLE ddl_reader")?;
    let hidden: String =
        client.query_one("SELECT fdw_guard.get_ddl('user mapping', 'public on server far')", &[])?.get(0);
    contains(&hidden, "-- its options are hidden from you")?;
    let error = expect_error(&mut client, "SELECT fdw_guard.get_ddl('server', 'fra')")?;
    same("hint", error.hint.as_deref(), Some("Perhaps you meant \"far\"."))
}

/// In a database without an encoding, what is no UTF-8 is told as the bytes that it is.
fn bytes_stay(cluster: &Cluster) -> Result<()> {
    let create = |name| Database::create_with(cluster, name, "ENCODING 'SQL_ASCII' TEMPLATE template0");
    let database = create("get_ddl_bytes")?;
    database.execute(
        "CREATE EXTENSION fdw_guard CASCADE; CREATE FOREIGN DATA WRAPPER w;
         DO $$ BEGIN EXECUTE format('CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (a %L)', \
         convert_from('\\xe9ff41', 'SQL_ASCII')); END $$;
         DO $$ DECLARE ddl text := fdw_guard.get_ddl('server', 's'); BEGIN
             DROP SERVER s; EXECUTE ddl; PERFORM fdw_guard.set_server_options('s', jsonb_build_object('b', 'x'));
         END $$",
    )?;
    let mut client = database.connect()?;
    let query = "SELECT encode(convert_to(srvoptions::text, 'SQL_ASCII'), 'hex') FROM pg_foreign_server";
    same("options", client.query_one(query, &[])?.get(0), "7b613de9ff412c623d787d".to_owned())
}
