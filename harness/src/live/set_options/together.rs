//! Sessions that change the same objects at the same time.

use std::collections::BTreeSet;
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use postgres::Client;

use super::{KINDS, contains_hint, same, stage};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::{DbFields, expect_error};
use crate::live::contains;
use crate::live::meanwhile::{wait_for_lock, while_open};

/// Sessions that run at once.
const SESSIONS: usize = 20;

/// Times that each of them changes each kind of object.
const ROUNDS: usize = 15;

/// Runs `act` in as many sessions at once; each is told its number.
fn at_once(database: &Database<'_>, act: impl Fn(usize, &mut Client) -> Result<()> + Sync) -> Result<()> {
    let mut clients = (0..SESSIONS).map(|_| database.connect()).collect::<Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let act = &act;
        let running: Vec<_> =
            (0..).zip(&mut clients).map(|(number, client)| scope.spawn(move || act(number, client))).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a session panicked"))?)
    })
}

/// Every session sets an option of its own and one that all share, alone and within a transaction.
pub fn in_turn(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_in_turn")?;
    at_once(&database, |number, client| {
        for round in 0..ROUNDS {
            for kind in &KINDS {
                let call = format!(
                    "SELECT fdw_guard.{}jsonb_build_object('o{number}', {round}, 'shared', {number}, 'passing', \
                     CASE WHEN {round} % 2 = 0 THEN 'x' END))",
                    kind.call
                );
                let transaction = if round % 3 == 0 { format!("BEGIN; {call}; COMMIT") } else { call };
                client.batch_execute(&transaction).context(transaction)?;
            }
        }
        Ok(())
    })?;
    let mut client = database.connect()?;
    for kind in &KINDS {
        let stored: Vec<String> = client.query_one(kind.stored, &[])?.get(0);
        let stored: BTreeSet<String> = stored.into_iter().collect();
        let own = (0..SESSIONS).map(|number| format!("o{number}={}", ROUNDS - 1));
        ensure!(own.clone().all(|option| stored.contains(&option)), "{}: {stored:?}", kind.call);
        let others: Vec<&String> = stored.iter().filter(|option| !option.starts_with('o')).collect();
        ensure!(others.iter().filter(|option| option.starts_with("shared=")).count() == 1, "{others:?}");
    }
    Ok(())
}

/// The mapping is there after every round, made by one of them, with what each has set.
pub fn creating(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_creating")?;
    database.execute("CREATE TABLE made (round integer)")?;
    for round in 0..ROUNDS {
        database.execute("DROP USER MAPPING IF EXISTS FOR public SERVER s")?;
        at_once(&database, |number, client| {
            client.batch_execute(&format!(
                "INSERT INTO made SELECT {round} FROM fdw_guard.set_user_mapping_options('public', 's', \
                 '{{\"o{number}\": 1}}', true) WHERE change = 'create'"
            ))?;
            Ok(())
        })?;
        let row = database.connect()?.query_one(
            "SELECT cardinality(umoptions), (SELECT count(*) FROM made WHERE round = $1) \
             FROM pg_user_mappings WHERE usename = 'public'",
            &[&i32::try_from(round)?],
        )?;
        same("options and sessions that made it", (row.get(0), row.get(1)), (i32::try_from(SESSIONS)?, 1_i64))?;
    }
    Ok(())
}

/// Many mappings, changed all at once by some sessions and one by one by others.
pub fn in_bulk(cluster: &Cluster) -> Result<()> {
    const ROLES: usize = 12;
    let database = stage(cluster, "set_options_in_bulk")?;
    let role = |number: usize| format!("bulk_{}", number % ROLES);
    for number in 0..ROLES {
        database.execute(&format!(
            "DROP ROLE IF EXISTS {0}; CREATE ROLE {0}; CREATE USER MAPPING FOR {0} SERVER s OPTIONS (password 'old')",
            role(number)
        ))?;
    }
    let outcome = at_once(&database, |number, client| {
        for round in 0..ROUNDS {
            let call = match number % 4 {
                0 => format!("rotate_secret('password', 'all {number} {round}', role_pattern => 'bulk*')"),
                _ => format!("set_user_mapping_options('{}', 's', '{{\"password\": \"{round}\"}}')", role(number)),
            };
            client.batch_execute(&format!("SELECT fdw_guard.{call}")).context(call)?;
        }
        Ok(())
    });
    let last = outcome.and_then(|()| {
        let mut client = database.connect()?;
        let rows = client.query("SELECT role FROM fdw_guard.rotate_secret('password', 'last', 's', 'bulk*')", &[])?;
        same("mappings", rows.len(), ROLES)?;
        let rest =
            "SELECT count(*) FROM pg_user_mappings WHERE usename LIKE 'bulk%' AND umoptions <> '{password=last}'";
        same("mappings that were left out", client.query_one(rest, &[])?.get(0), 0_i64)
    });
    drop_roles(&database, (0..ROLES).map(role))?;
    last
}

/// A mapping whose role is renamed while rotate_secret waits for it is not left with its old secret.
pub fn renamed_in_bulk(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_renamed")?;
    database.execute(
        "CREATE ROLE bulk_before; CREATE USER MAPPING FOR bulk_before SERVER s OPTIONS (password 'old');
         CREATE ROLE bulk_gone; CREATE USER MAPPING FOR bulk_gone SERVER s OPTIONS (password 'old')",
    )?;
    let row = Meanwhile {
        given: "",
        change: "ALTER ROLE bulk_before RENAME TO bulk_after; DROP USER MAPPING FOR bulk_gone SERVER s",
        call: "rotate_secret('password', 'new: 2', role_pattern => 'bulk*')",
        says: Ok("SELECT ARRAY(SELECT 'a=' || count(*) + 1 FROM pg_user_mappings \
                  WHERE usename = 'bulk_after' AND umoptions = '{password=new: 2}')"),
        hint: "",
    };
    let outcome = meanwhile(&database, &row);
    database.execute("DROP SERVER s CASCADE; DROP ROLE IF EXISTS bulk_before, bulk_after, bulk_gone")?;
    outcome
}

fn drop_roles(database: &Database<'_>, roles: impl Iterator<Item = String>) -> Result<()> {
    let roles: Vec<String> = roles.collect();
    database.execute(&format!("DROP SERVER IF EXISTS s CASCADE; DROP ROLE {}", roles.join(", ")))
}

const IMPATIENT: &str = "SET lock_timeout = '300ms'";

/// While another session holds the locks of its own change.
pub fn nobody_waits(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_nobody_waits")?;
    let (mut changing, mut other) = (database.connect()?, database.connect()?);
    changing.batch_execute("BEGIN")?;
    for kind in &KINDS {
        changing.batch_execute(&format!("SELECT fdw_guard.{}'{{\"a\": 1}}')", kind.call))?;
    }
    other.batch_execute(IMPATIENT)?;
    for kind in &KINDS {
        let rows = other.query(&format!("SELECT fdw_guard.{}'{{\"a\": null}}')", kind.call), &[])?;
        same(kind.call, rows.len(), 0)?;
        let error = expect_error(&mut other, &format!("SELECT fdw_guard.{}'{{\"a\": 2}}')", kind.call))?;
        same(kind.call, error.sqlstate.as_str(), "55P03")?;
    }
    changing.batch_execute("COMMIT")?;
    for kind in &KINDS {
        other.batch_execute(&format!("SELECT fdw_guard.{}'{{\"a\": 2}}')", kind.call))?;
        same(kind.call, other.query_one(kind.stored, &[])?.get::<_, Vec<String>>(0), vec!["a=2".to_owned()])?;
    }
    // A failed call leaves no lock, and neither does one that had nothing to do.
    other.batch_execute("BEGIN; SELECT fdw_guard.set_server_options('s', '{\"a\": 2}')")?;
    changing.batch_execute(IMPATIENT)?;
    changing.batch_execute("SELECT fdw_guard.set_server_options('s', '{\"a\": 3}')")?;
    Ok(())
}

/// What one session does while another waits for it, and what the waiting one says then.
struct Meanwhile {
    given: &'static str,
    change: &'static str,
    call: &'static str,
    says: Result<&'static str, &'static str>,
    hint: &'static str,
}

const MEANWHILE: &[Meanwhile] = &[
    Meanwhile {
        given: "",
        change: "ALTER SERVER s RENAME TO ss",
        call: "set_server_options('s', '{\"a\": 2}')",
        says: Err("42704: server \"s\" does not exist"),
        hint: "",
    },
    Meanwhile {
        given: "",
        change: "DROP SERVER s CASCADE",
        call: "set_server_options('s', '{\"a\": 2}')",
        says: Err("42704: server \"s\" does not exist"),
        hint: "",
    },
    Meanwhile {
        given: "CREATE SERVER far FOREIGN DATA WRAPPER w",
        change: "ALTER SERVER s RENAME TO old; ALTER SERVER far RENAME TO s",
        call: "set_server_options('s', '{\"a\": 2}')",
        says: Ok("SELECT srvoptions FROM pg_foreign_server WHERE srvname = 's'"),
        hint: "",
    },
    Meanwhile {
        given: "",
        change: "DROP USER MAPPING FOR postgres SERVER s",
        call: "set_user_mapping_options('postgres', 's', '{\"a\": 2}')",
        says: Err("42704: user mapping for \"postgres\" does not exist for server \"s\""),
        hint: "",
    },
    Meanwhile {
        given: "",
        change: "DROP USER MAPPING FOR postgres SERVER s",
        call: "set_user_mapping_options('postgres', 's', '{\"a\": 2}', true)",
        says: Ok("SELECT umoptions FROM pg_user_mappings WHERE srvname = 's' AND usename = 'postgres'"),
        hint: "",
    },
    Meanwhile {
        given: "",
        change: "DROP FOREIGN TABLE t",
        call: "set_foreign_table_options('t', '{\"a\": 2}')",
        says: Err("42P01: relation with OID"),
        hint: "",
    },
    Meanwhile {
        given: "",
        change: "ALTER FOREIGN TABLE t RENAME TO renamed",
        call: "set_foreign_table_options('t', '{\"a\": 2}')",
        says: Ok("SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'renamed'::regclass"),
        hint: "",
    },
    Meanwhile {
        given: "",
        change: "ALTER FOREIGN TABLE t RENAME COLUMN c TO cc",
        call: "set_column_options('t', 'c', '{\"a\": 2}')",
        says: Err("42703: column \"c\" of relation \"t\" does not exist"),
        hint: "Perhaps you meant the column \"cc\".",
    },
    Meanwhile {
        given: "",
        change: "ALTER FOREIGN TABLE t DROP COLUMN c",
        call: "set_column_options('t', 'c', '{\"a\": 2}')",
        says: Err("42703: column \"c\" of relation \"t\" does not exist"),
        hint: "",
    },
];

/// One session changes the options, and then something else, while the other waits to change the options too.
pub fn gone_meanwhile(cluster: &Cluster) -> Result<()> {
    for row in MEANWHILE {
        let database = stage(cluster, "set_options_meanwhile")?;
        database.execute(row.given)?;
        meanwhile(&database, row).with_context(|| format!("{} during {}", row.change, row.call))?;
    }
    Ok(())
}

fn meanwhile(database: &Database<'_>, row: &Meanwhile) -> Result<()> {
    let (mut changing, mut watching) = (database.connect()?, database.connect()?);
    let mut waiting = database.connect()?;
    let pid: i32 = waiting.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let first = row.call.replace(": 2", ": 1");
    changing.batch_execute(&format!("BEGIN; SELECT fdw_guard.{first}"))?;
    let said = thread::scope(|scope| {
        let call = format!("SELECT fdw_guard.{}", row.call);
        let thread = scope.spawn(move || waiting.batch_execute(&call));
        let waits = wait_for_lock(&mut watching, pid).and_then(|()| {
            sleep(Duration::from_millis(20));
            Ok(changing.batch_execute(&format!("{}; COMMIT", row.change))?)
        });
        let said = thread.join().map_err(|_| anyhow!("the waiting session panicked"));
        waits.and(said)
    })?;
    match (row.says, said) {
        (Ok(query), Ok(())) => {
            let stored: Vec<String> = watching.query_one(query, &[])?.get(0);
            same("options", stored.contains(&"a=2".to_owned()), true)
        }
        (Err(says), Err(error)) => {
            let fields = error.as_db_error().map(DbFields::from).context("the connection broke")?;
            contains(&fields.to_string(), says)?;
            contains_hint(&fields, row.hint)
        }
        (_, said) => Err(anyhow!("it ended with {said:?}")),
    }
}

/// The other session's statement is PostgreSQL's own, which takes no lock but that of the row.
pub fn after_an_open_alter(cluster: &Cluster) -> Result<()> {
    for kind in &KINDS {
        let database = stage(cluster, "set_options_open")?;
        database.execute(&format!("{} OPTIONS (ADD a '1', ADD gone '1')", kind.alter))?;
        let change = format!("{} OPTIONS (SET a '2', DROP gone, ADD b '1')", kind.alter);
        let query = format!(
            "SELECT concat_ws(' ', change, option) FROM fdw_guard.{}'{{\"a\": \"3\", \"b\": \"3\", \"gone\": null}}')",
            kind.call
        );
        let told = while_open(&database, &change, "COMMIT", &query)?.map_err(|fields| anyhow!("{fields}"));
        same(kind.call, told.context(kind.call)?, vec!["set a".to_owned(), "set b".to_owned()])?;
        let stored: Vec<String> = database.connect()?.query_one(kind.stored, &[])?.get(0);
        same(kind.call, stored, vec!["a=3".to_owned(), "b=3".to_owned()])?;
    }
    Ok(())
}

/// Calls that fail, caught within one transaction again and again, leave neither memory nor locks behind.
pub fn failures_leave_nothing(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_failures")?;
    database.execute(
        "SELECT fdw_guard.add_rule('numbers', 'server', 'a', maximum => 9);
         CREATE PROCEDURE fail(times integer) LANGUAGE plpgsql AS $$ BEGIN
             FOR number IN 1..times LOOP
                 BEGIN
                     PERFORM fdw_guard.set_server_options('s', '{\"a\": 10}');
                     RAISE 'not refused';
                 EXCEPTION WHEN fdw_invalid_attribute_value THEN
                     NULL;
                 END;
             END LOOP;
         END $$",
    )?;
    let mut client = database.connect()?;
    let memory = "SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts";
    client.batch_execute("CALL fail(100)")?;
    let before: i64 = client.query_one(memory, &[])?.get(0);
    client.batch_execute("CALL fail(1000)")?;
    let after: i64 = client.query_one(memory, &[])?.get(0);
    ensure!(after - before < 500_000, "{before} bytes became {after}");
    client.batch_execute("BEGIN; CALL fail(10)")?;
    let locks = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'object'";
    same("locks", client.query_one(locks, &[])?.get(0), 0_i64)?;
    client.batch_execute("SELECT fdw_guard.set_server_options('s', '{\"a\": 9}'); COMMIT")?;
    Ok(())
}

/// Catalogs show what has been committed, whatever the isolation level.
pub fn repeatable_read(cluster: &Cluster) -> Result<()> {
    let database = stage(cluster, "set_options_isolation")?;
    let (mut first, mut second) = (database.connect()?, database.connect()?);
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        for kind in &KINDS {
            first.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM pg_class"))?;
            second.batch_execute(&format!("SELECT fdw_guard.{}'{{\"a\": \"{level}\", \"b\": 1}}')", kind.call))?;
            first.batch_execute(&format!("SELECT fdw_guard.{}'{{\"a\": \"!\", \"b\": null}}'); COMMIT", kind.call))?;
            let stored: Vec<String> = second.query_one(kind.stored, &[])?.get(0);
            same(kind.call, stored, vec!["a=!".to_owned()])?;
        }
    }
    Ok(())
}
