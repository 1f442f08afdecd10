//! What `revert` undoes beyond what the story `history` tells, and what it must not touch.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::{contains, same};
use super::with_server;
use crate::cluster::Cluster;
use crate::fields::expect_error;

/// The newest row of that attribute, `-` for the object as a whole, as SQL.
pub fn newest(attribute: &str, identity: &str) -> String {
    let attribute = attribute.replace('\'', "''");
    let identity = identity.replace('\'', "''");
    format!(
        "(SELECT id FROM fdw_guard.history WHERE COALESCE(attribute, '-') = '{attribute}' AND identity = '{identity}' \
         ORDER BY at DESC, ord DESC LIMIT 1)"
    )
}

/// What `revert` does to the newest row of that attribute.
fn revert(client: &mut Client, attribute: &str, identity: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT fdw_guard.revert({})", newest(attribute, identity));
    Ok(client.query(&sql, &[]).with_context(|| sql.clone())?.iter().map(|row| row.get(0)).collect())
}

fn refusal(client: &mut Client, attribute: &str, identity: &str) -> Result<String> {
    Ok(expect_error(client, &format!("SELECT fdw_guard.revert({})", newest(attribute, identity)))?.message)
}

fn one_text(client: &mut Client, sql: &str) -> Result<Option<String>> {
    Ok(client.query_one(sql, &[]).with_context(|| sql.to_owned())?.get(0))
}

const ACL: &str = "SELECT srvacl::text FROM pg_foreign_server WHERE srvname = 's'";

pub fn grants(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_grants")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "DROP ROLE IF EXISTS history_a, \"history =U/ b\"; CREATE ROLE history_a IN ROLE pg_monitor; \
         CREATE ROLE \"history =U/ b\"; GRANT USAGE ON FOREIGN SERVER s TO PUBLIC",
    )?;
    same(
        "PUBLIC",
        revert(&mut client, "grant", "s")?,
        vec!["REVOKE USAGE ON FOREIGN SERVER s FROM public".to_owned()],
    )?;
    let before = one_text(&mut client, ACL)?;
    client.batch_execute("GRANT USAGE ON FOREIGN SERVER s TO history_a WITH GRANT OPTION")?;
    same(
        "the option",
        revert(&mut client, "grant", "s")?.concat().as_str(),
        "REVOKE GRANT OPTION FOR USAGE ON FOREIGN SERVER s FROM history_a",
    )?;
    // The way back of the way back.
    same(
        "the option again",
        revert(&mut client, "grant", "s")?.concat().as_str(),
        "GRANT USAGE ON FOREIGN SERVER s TO history_a WITH GRANT OPTION",
    )?;
    client.batch_execute("SET ROLE history_a; GRANT USAGE ON FOREIGN SERVER s TO \"history =U/ b\"; RESET ROLE")?;
    let given = one_text(&mut client, ACL)?;
    contains(&refusal(&mut client, "grant", "s")?, "only role history_a can give and take what it has granted")?;
    same("grants", one_text(&mut client, ACL)?, given)?;
    client.batch_execute("SET ROLE history_a")?;
    let statement = "REVOKE USAGE ON FOREIGN SERVER s FROM \"history =U/ b\"";
    same("of another grantor", revert(&mut client, "grant", "s")?.concat().as_str(), statement)?;
    client.batch_execute("RESET ROLE; REVOKE USAGE ON FOREIGN SERVER s FROM history_a")?;
    same("grants", one_text(&mut client, ACL)?, before)?;
    // Two rows: the right to grant comes back after the right itself.
    let of = |mark: &str| {
        format!(
            "(SELECT id FROM fdw_guard.history WHERE old = 'history_a=U{mark}/postgres' AND change = 'drop' \
             ORDER BY at DESC, ord DESC LIMIT 1)"
        )
    };
    let error = expect_error(&mut client, &format!("SELECT fdw_guard.revert({})", of("*")))?;
    contains(&error.message, "the right goes together with the right to grant it")?;
    for mark in ["", "*"] {
        client.batch_execute(&format!("SELECT fdw_guard.revert({})", of(mark)))?;
    }
    contains(&one_text(&mut client, ACL)?.unwrap_or_default(), "history_a=U*/postgres")?;
    client.batch_execute("REVOKE USAGE ON FOREIGN SERVER s FROM history_a")?;
    client.batch_execute("GRANT USAGE ON FOREIGN DATA WRAPPER plain TO history_a")?;
    revert(&mut client, "grant", "plain")?;
    drop(client);
    drop(database);
    let cleaning = cluster.database("history_grants")?;
    cleaning.execute("DROP ROLE history_a, \"history =U/ b\"")
}

pub fn functions(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("history_functions")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE SCHEMA \"Else where\"; CREATE EXTENSION postgres_fdw SCHEMA \"Else where\"; \
         CREATE FUNCTION public.postgres_fdw_validator(text[], oid) RETURNS void LANGUAGE sql AS ''; \
         CREATE FOREIGN DATA WRAPPER w HANDLER \"Else where\".postgres_fdw_handler \
         VALIDATOR \"Else where\".postgres_fdw_validator",
    )?;
    let functions = "SELECT concat_ws(' ', NULLIF(fdwhandler, 0)::regproc, NULLIF(fdwvalidator, 0)::regproc) \
                     FROM pg_foreign_data_wrapper WHERE fdwname = 'w'";
    let before = one_text(&mut client, functions)?;
    client.batch_execute("ALTER FOREIGN DATA WRAPPER w VALIDATOR public.postgres_fdw_validator")?;
    let statement = "ALTER FOREIGN DATA WRAPPER w VALIDATOR \"Else where\".postgres_fdw_validator";
    same("validator", revert(&mut client, "validator", "w")?.concat().as_str(), statement)?;
    client.batch_execute("ALTER FOREIGN DATA WRAPPER w NO HANDLER NO VALIDATOR")?;
    revert(&mut client, "handler", "w")?;
    revert(&mut client, "validator", "w")?;
    same("functions", one_text(&mut client, functions)?, before)?;
    // A function of the same name is another one for rules too.
    client.batch_execute(
        "INSERT INTO fdw_guard.rule (name, object_type, forms) VALUES ('kept', 'foreign-data wrapper', '{VALIDATOR}')",
    )?;
    let error = expect_error(&mut client, "ALTER FOREIGN DATA WRAPPER w VALIDATOR public.postgres_fdw_validator")?;
    same("constraint name", error.constraint.as_deref(), Some("kept"))
}

/// Values that a terminal would be confused by, that look like escapes, or like a secret.
const VALUES: [&str; 9] =
    ["a\nb", "a\\nb", "tab\there", "\\", "'; DROP SERVER s; --", "***", "E'x'", "\u{202e}gnirts", "über \u{1}"];

pub fn values(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_values")?;
    let mut client = database.connect()?;
    let set = |value: &str| {
        let value = value.replace('\\', "\\\\").replace('\'', "''");
        format!("ALTER SERVER s OPTIONS (SET port E'{value}')")
    };
    for value in VALUES {
        client.batch_execute(&set(value))?;
        client.batch_execute("ALTER SERVER s OPTIONS (SET port '2')")?;
        revert(&mut client, "option port", "s").with_context(|| value.to_owned())?;
        same("value", super::port(&mut client)?.as_str(), value)?;
    }
    let shown = "SELECT count(*) FROM fdw_guard.history WHERE concat(old, new) ~ '[[:cntrl:]\u{202e}]'";
    same("rows with control characters", client.query_one(shown, &[])?.get::<_, i64>(0), 0)?;
    client.batch_execute("ALTER SERVER s OPTIONS (ADD \"two\nlines\" '1', ADD \"two\\nlines\" '2')")?;
    same("option", revert(&mut client, "option E'two\\nlines'", "s")?.len(), 1)?;
    let left =
        "SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE option_name LIKE 'two%'";
    same("what is left", one_text(&mut client, left)?.as_deref(), Some("2"))
}

pub fn odd_names(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("history_names")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE FOREIGN DATA WRAPPER plain; CREATE SCHEMA \"Odd.schema\"; CREATE TABLE kept (a int); \
         CREATE SERVER \"s\"\"; DROP TABLE kept; --\" FOREIGN DATA WRAPPER plain OPTIONS (port '1'); \
         CREATE FOREIGN TABLE \"Odd.schema\".\"t \"\" ON x\" (\"c d\" int, \"e'\" text) SERVER \"s\"\"; DROP TABLE kept; --\"; \
         ALTER SERVER \"s\"\"; DROP TABLE kept; --\" OPTIONS (SET port '2'); \
         ALTER FOREIGN TABLE \"Odd.schema\".\"t \"\" ON x\" ALTER \"c d\" SET DEFAULT 7; \
         ALTER FOREIGN TABLE \"Odd.schema\".\"t \"\" ON x\" ADD CONSTRAINT \"k \"\"\" CHECK (\"c d\" > 0)",
    )?;
    for attribute in ["option port", "default", "constraint k \""] {
        let newest = format!(
            "SELECT fdw_guard.revert(id) FROM fdw_guard.history WHERE attribute = '{attribute}' ORDER BY at DESC LIMIT 1"
        );
        client.batch_execute(&newest).with_context(|| newest.clone())?;
    }
    let left = "SELECT count(*) FROM pg_attrdef JOIN pg_foreign_table ON adrelid = ftrelid";
    same("defaults", client.query_one(left, &[])?.get::<_, i64>(0), 0)?;
    client.batch_execute("SELECT * FROM kept")?;
    // Nothing of the caller's search path counts: a schema that stands first in it has another int4.
    client.batch_execute(
        "CREATE SCHEMA trap; CREATE DOMAIN trap.integer AS text; CREATE FUNCTION trap.format(text, VARIADIC text[]) RETURNS text \
         LANGUAGE sql AS $$ SELECT 'DROP TABLE public.kept' $$; SET search_path = trap, public, pg_catalog; \
         CREATE TYPE trap.mine AS ENUM ('a'); CREATE COLLATION trap.\"my.c\" FROM \"C\"; \
         CREATE FOREIGN TABLE public.u (a trap.mine, b text COLLATE \"my.c\") SERVER \"s\"\"; DROP TABLE kept; --\"; \
         ALTER FOREIGN TABLE public.u ALTER a TYPE pg_catalog.int4, ALTER b TYPE text COLLATE \"C\"",
    )?;
    same(
        "type",
        revert(&mut client, "type", "public.u.a")?.concat().as_str(),
        "ALTER FOREIGN TABLE public.u ALTER COLUMN a SET DATA TYPE trap.mine",
    )?;
    let statement = "ALTER FOREIGN TABLE public.u ALTER COLUMN b SET DATA TYPE text COLLATE trap.\"my.c\"";
    same("collation", revert(&mut client, "collation", "public.u.b")?.concat().as_str(), statement)?;
    client.batch_execute("ALTER FOREIGN TABLE public.u ALTER b TYPE varchar(7) COLLATE \"my.c\"")?;
    let statement = "ALTER FOREIGN TABLE public.u ALTER COLUMN b SET DATA TYPE text COLLATE trap.\"my.c\"";
    same("type", revert(&mut client, "type", "public.u.b")?.concat().as_str(), statement)
}

pub fn tables_and_partitions(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_partitions")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE FOREIGN TABLE t (a int) SERVER s; \
         ALTER TABLE p ATTACH PARTITION t FOR VALUES IN (1, 2)",
    )?;
    let detach = "ALTER TABLE public.p DETACH PARTITION public.t";
    same("ATTACH", revert(&mut client, "parent", "public.t")?.concat().as_str(), detach)?;
    let attach = "ALTER TABLE public.p ATTACH PARTITION public.t FOR VALUES IN (1, 2)";
    same("DETACH", revert(&mut client, "parent", "public.t")?.concat().as_str(), attach)?;
    client.batch_execute("ALTER TABLE p DETACH PARTITION t CONCURRENTLY")?;
    same("DETACH CONCURRENTLY", revert(&mut client, "parent", "public.t")?.concat().as_str(), attach)?;
    client.batch_execute("ALTER TABLE p DETACH PARTITION t; ALTER TABLE p ATTACH PARTITION t DEFAULT")?;
    same("DEFAULT", revert(&mut client, "parent", "public.t")?.concat().as_str(), detach)?;
    // The trigger of a table that has another name by now, which another table has got.
    client.batch_execute(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER \"g ON\" AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f(); DROP TRIGGER \"g ON\" ON t; \
         ALTER FOREIGN TABLE t RENAME TO u; CREATE FOREIGN TABLE t (a int) SERVER s",
    )?;
    revert(&mut client, "trigger g ON", "public.t")?;
    same(
        "table of the trigger",
        one_text(&mut client, "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'g ON'")?.as_deref(),
        Some("u"),
    )
}

/// Whatever stands in a name or a reason, a line of the timeline is one line.
pub fn forged_lines(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_forged")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "DROP ROLE IF EXISTS \"two\nlines\"; CREATE ROLE \"two\nlines\" SUPERUSER; SET ROLE \"two\nlines\"; \
         SET application_name = 'two\nlines'; SELECT fdw_guard.add_rule('r', 'server', 'port', allowed => '{1}'); \
         SET fdw_guard.enforcement = off; SET fdw_guard.override_reason = 'two\nlines'; \
         ALTER SERVER s OPTIONS (SET port 'two\nlines', ADD \"two\nlines\" 'two\nlines'); RESET ROLE",
    )?;
    let lines: Vec<String> =
        client.query("SELECT fdw_guard.timeline('server', 's')", &[])?.iter().map(|row| row.get(0)).collect();
    let told = lines.iter().rev().nth(2).context("no line for the statement")?;
    contains(told, "E'two\\nlines', logged in as postgres")?;
    contains(told, "overriding r (E'two\\nlines')")?;
    ensure!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
    drop(client);
    drop(database);
    cluster.database("history_forged")?.execute("DROP ROLE \"two\nlines\"")
}

/// An object that has taken the place of another one is not touched, nor is what was changed since it was made dropped.
pub fn other_objects(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_others")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "ALTER SERVER s OPTIONS (SET port '2'); DROP SERVER s; CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (port '2')",
    )?;
    let of_the_first =
        "SELECT fdw_guard.revert(id) FROM fdw_guard.history WHERE attribute = 'option port' AND change = 'set'";
    let error = expect_error(&mut client, of_the_first)?;
    same("SQLSTATE", error.sqlstate.as_str(), "42704")?;
    contains(&error.message, "server \"s\" does not exist any more")?;
    // The same oid again, as after a wrap-around of the counter.
    client.batch_execute(
        "BEGIN; UPDATE pg_foreign_server SET oid = (SELECT object FROM fdw_guard.history \
         WHERE attribute = 'option port' AND change = 'set') WHERE srvname = 's'",
    )?;
    contains(&expect_error(&mut client, of_the_first)?.message, "does not exist any more")?;
    client.batch_execute("ROLLBACK; CREATE FOREIGN TABLE t (a int) SERVER s; ALTER FOREIGN TABLE t ADD b int")?;
    contains(&refusal(&mut client, "-", "public.t")?, "it has been changed since")?;
    same("the column", revert(&mut client, "-", "public.t.b")?.len(), 1)?;
    client.batch_execute("CREATE FOREIGN TABLE u (a int OPTIONS (b 'c')) SERVER s OPTIONS (d 'e')")?;
    same("the table", revert(&mut client, "-", "public.u")?.concat().as_str(), "DROP FOREIGN TABLE public.u")
}

/// A subtransaction takes its own rows back, and order is that of the statements.
pub fn subtransactions(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_subtransactions")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "BEGIN; ALTER SERVER s OPTIONS (SET port '2'); SAVEPOINT a; ALTER SERVER s OPTIONS (SET port '3'); \
         ROLLBACK TO a; ALTER SERVER s OPTIONS (SET port '4'); SAVEPOINT b; ALTER SERVER s OPTIONS (SET port '5'); \
         RELEASE b; COMMIT",
    )?;
    client.batch_execute(
        "DO $$ BEGIN BEGIN ALTER SERVER s OPTIONS (SET port '6'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN \
         ALTER SERVER s OPTIONS (SET port '7'); END; COMMIT; ALTER SERVER s OPTIONS (SET port '8'); END $$",
    )?;
    let told: Vec<String> =
        ["add 1", "set 1 2", "set 2 4", "set 4 5", "set 5 7", "set 7 8"].map(str::to_owned).to_vec();
    same("history", super::recorded(&mut client)?, told)?;
    let disorder = "SELECT count(*) FROM (SELECT ord, lag(ord) OVER (PARTITION BY transaction_id ORDER BY at, ord) AS before \
                    FROM fdw_guard.history) h WHERE ord <= before";
    same("rows out of order", client.query_one(disorder, &[])?.get::<_, i64>(0), 0)
}

/// Rows of an object are found among many others, and by indexes where somebody has made them.
pub fn a_long_history(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_long")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "ALTER SERVER s OPTIONS (SET port '2'); ALTER SERVER s RENAME TO r; ALTER TABLE fdw_guard.history_row DISABLE TRIGGER USER; \
         INSERT INTO fdw_guard.history_row (id, at, transaction_id, ord, session_role, acting_role, object_type, identity, \
         system_identifier, object, attribute, change, new) SELECT gen_random_uuid(), now() - i * interval '1 s', '1', i, 'x', \
         'x', 'server', 'other' || i % 1000, (SELECT system_identifier FROM pg_control_system()), 1000000 + i % 1000, \
         'option port', 'set', 'x' FROM generate_series(1, 100000) i; \
         ALTER TABLE fdw_guard.history_row ENABLE ALWAYS TRIGGER keep_rows; \
         ALTER TABLE fdw_guard.history_row ENABLE ALWAYS TRIGGER keep_table; ANALYZE fdw_guard.history_row",
    )?;
    let id: String = client.query_one(&format!("SELECT {}::text", newest("option port", "s")), &[])?.get(0);
    let calls = [
        ("timeline('server', 'r')".to_owned(), 9),
        (format!("revert_plan('{id}')"), 1),
        (format!("revert('{id}')"), 1),
    ];
    for (call, lines) in &calls {
        let mut transaction = client.transaction()?;
        same(call, transaction.query(&format!("SELECT fdw_guard.{call}"), &[])?.len(), *lines)?;
        transaction.rollback()?;
    }
    client.batch_execute(
        "CREATE INDEX ON fdw_guard.history_row (object); CREATE INDEX ON fdw_guard.history_row (object_type, identity); \
         ANALYZE fdw_guard.history_row; ALTER SERVER r OPTIONS (ADD host 'x')",
    )?;
    for (call, lines) in &calls {
        let more = usize::from(call.starts_with("timeline"));
        let mut transaction = client.transaction()?;
        // What the session has done before, and not reported yet, counts here.
        let scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'history_row'";
        let before: i64 = transaction.query_one(scans, &[])?.get(0);
        same(call, transaction.query(&format!("SELECT fdw_guard.{call}"), &[])?.len(), lines + 2 * more)?;
        let after: i64 = transaction.query_one(scans, &[])?.get(0);
        same(&format!("scans of the whole table by {call}"), after - before, 0)?;
        transaction.rollback()?;
    }
    Ok(())
}

const SECRET: &str = "canary-of-the-history";

/// Options that are secrets for each reason there is.
const SECRETIVE: [&str; 3] = ["password", "pin", "by_setting"];

/// Nothing that shows the history shows a secret, nor does what the log says of a refused statement.
pub fn secrets(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_secrets")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "SET fdw_guard.secret_options = '*password*, by_setting'; \
         INSERT INTO fdw_guard.rule (name, object_type, options) \
         VALUES ('pins', 'server', '{\"properties\": {\"pin\": {\"writeOnly\": true}, \"other\": {\"const\": \"1\"}}}'); \
         DROP ROLE IF EXISTS history_secretive; CREATE ROLE history_secretive",
    )?;
    let before = cluster.log_text().len();
    for option in SECRETIVE {
        client.batch_execute(&format!(
            "ALTER SERVER s OPTIONS (ADD {option} '{SECRET}1'); ALTER SERVER s OPTIONS (SET {option} '{SECRET}2'); \
             ALTER SERVER s OPTIONS (DROP {option}, ADD \"{option} again password\" '{SECRET}2'); \
             DO $$ BEGIN EXECUTE format('ALTER SERVER s OPTIONS (ADD {option} %L)', '{SECRET}3'); END $$"
        ))?;
        expect_error(&mut client, &format!("ALTER SERVER s OPTIONS (SET {option} '{SECRET}4', ADD other '2')"))?;
        // What was added can be taken away without anybody knowing what it is.
        let undone = revert(&mut client, &format!("option {option}"), "s")?;
        same("undone", undone, vec![format!("ALTER SERVER s OPTIONS (DROP {option})")])?;
        contains(&refusal(&mut client, &format!("option {option}"), "s")?, "values of secrets are not kept")?;
    }
    client.batch_execute(&format!(
        "CREATE USER MAPPING FOR history_secretive SERVER s OPTIONS (anything '{SECRET}'); \
         ALTER USER MAPPING FOR history_secretive SERVER s OPTIONS (SET anything '{SECRET}5'); \
         DROP USER MAPPING FOR history_secretive SERVER s"
    ))?;
    let shown =
        "SELECT count(*), count(*) FILTER (WHERE to_jsonb(h)::text LIKE '%canary%') FROM fdw_guard.history_row h";
    let rows = client.query_one(shown, &[])?;
    ensure!(rows.get::<_, i64>(0) > 20, "{rows:?}");
    same("rows that show a secret", rows.get::<_, i64>(1), 0)?;
    let life = "SELECT string_agg(line, '|') FROM (SELECT fdw_guard.timeline('server', 's') UNION ALL \
                SELECT fdw_guard.timeline('user mapping', 'history_secretive on server s')) t(line)";
    let life = one_text(&mut client, life)?.unwrap_or_default();
    ensure!(life.contains("option pin: *** -> ***") && !life.contains("canary"), "{life}");
    let log = cluster.log_text();
    let told = log.get(before..).unwrap_or_default();
    ensure!(told.matches("refused a change").count() == SECRETIVE.len() && !told.contains("canary"), "{told}");
    client.batch_execute("DROP ROLE history_secretive").map_err(Into::into)
}

/// What is called a secret after it was recorded, by a rule or by the setting, is hidden when it is read.
pub fn secrets_called_so_later(cluster: &Cluster) -> Result<()> {
    let database = with_server(cluster, "history_late")?;
    let mut client = database.connect()?;
    let long = SECRET.repeat(100);
    client.batch_execute(&format!(
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER plain OPTIONS (region 'north'); \
         ALTER SERVER elsewhere OPTIONS (SET region 'south'); \
         ALTER SERVER s OPTIONS (ADD region '{SECRET}1'); ALTER SERVER s OPTIONS (SET\n region '{SECRET}2'); \
         ALTER SERVER s OPTIONS (SET region '{long}'); \
         CREATE FOREIGN TABLE later (a int OPTIONS (\"odd\nzone\" '{SECRET}')) SERVER s"
    ))?;
    let showing = |client: &mut Client| -> Result<i64> {
        let sql = "SELECT count(*) FROM fdw_guard.history h WHERE to_jsonb(h)::text LIKE '%canary%'";
        Ok(client.query_one(sql, &[])?.get(0))
    };
    let before = showing(&mut client)?;
    ensure!(before >= 6, "{before}");
    let rule = "INSERT INTO fdw_guard.rule (name, object_type, server, options) \
                VALUES ('late', 'server', '{s}', '{\"properties\": {\"region\": {\"writeOnly\": true}}}')";
    client.batch_execute(&format!("SET fdw_guard.secret_options = '*zone*'; {rule}"))?;
    same("rows that show it", showing(&mut client)?, 0)?;
    let lives = "SELECT string_agg(line, '|') FROM (SELECT fdw_guard.timeline('server', 's') UNION ALL \
                 SELECT fdw_guard.timeline('foreign table', 'public.later')) t(line)";
    let lives = one_text(&mut client, lives)?.unwrap_or_default();
    ensure!(lives.contains("option region: *** -> ***") && !lives.contains("canary"), "{lives}");
    contains(&refusal(&mut client, "option region", "s")?, "values of secrets are not kept")?;
    // Another server's is none.
    let south = "SELECT old || ' -> ' || new FROM fdw_guard.history WHERE identity = 'elsewhere' AND change = 'set' \
                 ORDER BY at LIMIT 1";
    same("another server's", one_text(&mut client, south)?.as_deref(), Some("north -> south"))?;
    let undone = revert(&mut client, "option region", "elsewhere")?;
    same("another server's", undone, vec!["ALTER SERVER elsewhere OPTIONS (SET region 'north')".to_owned()])?;
    // Of what is gone nobody knows which it was.
    client.batch_execute("DROP SERVER elsewhere")?;
    same("what is gone", one_text(&mut client, south)?.as_deref(), Some("*** -> ***"))?;
    client.batch_execute("RESET fdw_guard.secret_options; DELETE FROM fdw_guard.rule")?;
    same("rows that show it", showing(&mut client)?, before)
}
