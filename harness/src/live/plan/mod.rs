//! `plan` and `explain_plan`: they tell what would come of statements, and leave nothing behind.

mod beside;
mod forms;
mod rights;
mod secrets;
mod session;

use anyhow::{Context, Result, bail, ensure};
use postgres::Client;

use super::{LiveTest, contains, same};
use crate::cluster::Cluster;
use crate::database::Database;
use crate::fields::expect_error;

pub const TESTS: &[LiveTest] = &[
    LiveTest {
        name: "plan::says_what_then_changes_of_wrappers_servers_and_mappings",
        run: forms::of_wrappers_servers_and_mappings,
    },
    LiveTest { name: "plan::says_what_then_changes_of_tables", run: forms::of_tables },
    LiveTest { name: "plan::says_what_then_changes_of_columns", run: forms::of_columns },
    LiveTest { name: "plan::verdicts_are_those_of_the_statement", run: verdicts_are_those_of_the_statement },
    LiveTest { name: "plan::stops_where_the_statements_would", run: it_stops_where_the_statements_would },
    LiveTest { name: "plan::later_statements_build_on_earlier_ones", run: later_statements_build_on_earlier_ones },
    LiveTest { name: "plan::postgresqls_own_errors_are_rows", run: postgresqls_own_errors_are_rows },
    LiveTest { name: "plan::statements_inside_are_seen", run: statements_inside_are_seen },
    LiveTest { name: "plan::refuses_before_anything_runs", run: it_refuses_before_anything_runs },
    LiveTest { name: "plan::rewrites_no_table_and_moves_no_sequence", run: it_rewrites_no_table },
    LiveTest { name: "plan::knows_deferred_rules", run: it_knows_deferred_rules },
    LiveTest { name: "plan::knows_enforcement", run: it_knows_enforcement },
    LiveTest { name: "plan::no_right_beside_the_statements_is_needed", run: rights::none_beside_the_statements },
    LiveTest { name: "plan::old_values_show_to_whom_they_may", run: rights::old_values_show_to_whom_they_may },
    LiveTest { name: "plan::no_guess_at_a_value_is_confirmed", run: rights::no_guess_is_confirmed },
    LiveTest { name: "plan::no_verdict_shows_a_value_to_whom_it_may_not", run: rights::no_verdict_shows_a_value },
    LiveTest { name: "plan::no_error_holds_a_secret", run: secrets::none_is_in_an_error },
    LiveTest { name: "plan::no_error_from_within_holds_a_secret", run: secrets::none_is_told_from_within },
    LiveTest { name: "plan::a_renaming_is_no_change_of_what_names_the_column", run: a_renaming_is_told_once },
    LiveTest { name: "plan::a_lock_that_is_not_granted_is_a_row", run: session::a_lock_that_is_not_granted_is_a_row },
    LiveTest { name: "plan::a_cancel_and_a_timeout_are_raised", run: session::a_cancel_and_a_timeout_are_raised },
    LiveTest { name: "plan::leaves_the_session_as_it_was", run: session::it_leaves_the_session_as_it_was },
    LiveTest { name: "plan::can_be_made_anywhere", run: session::it_can_be_made_anywhere },
    LiveTest {
        name: "plan::pg_stat_statements_counts_none_of_its_statements",
        run: beside::pg_stat_statements_counts_none_of_its_statements,
    },
    LiveTest { name: "plan::a_standby_refuses_what_a_plan_tries", run: beside::a_standby_refuses_what_a_plan_tries },
    LiveTest { name: "plan::hundreds_leave_nothing_behind", run: session::hundreds_leave_nothing_behind },
];

/// One row of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    seq: Option<i32>,
    identity: Option<String>,
    attribute: Option<String>,
    change: Option<String>,
    old: Option<String>,
    new: Option<String>,
    verdict: Option<String>,
    rule: Option<String>,
    detail: Option<String>,
}

impl Row {
    /// A change as `set option host: a -> b`, anything else as `deny rule: detail`.
    fn told(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        match &self.verdict {
            Some(verdict) => format!("{verdict} {}: {}", text(&self.rule), text(&self.detail)),
            None => {
                let (change, attribute) = (text(&self.change), text(&self.attribute));
                format!("{change} {attribute}: {} -> {}", text(&self.old), text(&self.new))
            }
        }
    }
}

fn plan(client: &mut Client, sql: &str) -> Result<Vec<Row>> {
    let rows = client.query("SELECT * FROM fdw_guard.plan($1)", &[&sql]).with_context(|| sql.to_owned())?;
    Ok(rows.iter().map(row_of).collect())
}

fn row_of(row: &postgres::Row) -> Row {
    Row {
        seq: row.get("seq"),
        identity: row.get("identity"),
        attribute: row.get("attribute"),
        change: row.get("change"),
        old: row.get("old"),
        new: row.get("new"),
        verdict: row.get("verdict"),
        rule: row.get("rule"),
        // Lines that were broken go on with two blanks.
        detail: row.get::<_, Option<String>>("detail").map(|detail| detail.replace("\n  ", " ")),
    }
}

/// Each row in one line.
fn told(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    Ok(plan(client, sql)?.iter().map(Row::told).collect())
}

/// Fails unless the plan is these lines.
fn expect(client: &mut Client, sql: &str, lines: &[&str]) -> Result<()> {
    same(sql, told(client, sql)?, lines.iter().map(|line| (*line).to_owned()).collect())
}

const SETUP: &str = "
    CREATE FOREIGN DATA WRAPPER plain;
    CREATE SERVER s FOREIGN DATA WRAPPER plain OPTIONS (host 'a', port '1');
    CREATE FOREIGN TABLE t (a integer, c text) SERVER s";

fn guarded<'cluster>(cluster: &'cluster Cluster, name: &str) -> Result<Database<'cluster>> {
    let database = cluster.guarded_database(name)?;
    database.execute(SETUP)?;
    Ok(database)
}

const KNOWN_HOSTS: &str = "SELECT fdw_guard.add_rule('known_hosts', 'server', 'host', allowed => '{a,b}')";

/// For a rule of each mode the plan has the verdict that the statement then has.
fn verdicts_are_those_of_the_statement(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_verdicts")?;
    database.execute(KNOWN_HOSTS)?;
    let (mut client, notices) = database.connect_noting(crate::database::SUPERUSER)?;
    let change = "ALTER SERVER s OPTIONS (SET host 'c')";
    for (mode, verdict) in [("deny", "deny"), ("warn", "warn"), ("audit", "audit")] {
        client.batch_execute(&format!("UPDATE fdw_guard.rule SET mode = '{mode}'; BEGIN"))?;
        notices.take();
        let fault = format!("{verdict} known_hosts: The value \"c\" is not one of \"a\", \"b\".");
        expect(&mut client, change, &["set option host: a -> c", &fault])?;
        same("what a plan warns of", notices.take(), Vec::new())?;
        let outcome = client.batch_execute(change);
        same(mode, outcome.is_err(), verdict == "deny")?;
        same(mode, notices.take().len(), usize::from(verdict == "warn"))?;
        client.batch_execute("ROLLBACK")?;
    }
    client.batch_execute("UPDATE fdw_guard.rule SET mode = 'off'")?;
    expect(&mut client, change, &["set option host: a -> c"])?;
    client.batch_execute(&format!("{change}; UPDATE fdw_guard.rule SET mode = 'deny'"))?;
    // What was there before is told apart from what the statement brings in.
    let standing = "standing known_hosts: The value \"c\" is not one of \"a\", \"b\".";
    expect(&mut client, "ALTER SERVER s OPTIONS (DROP port)", &["drop option port: 1 -> -", standing])?;
    expect(
        &mut client,
        "ALTER SERVER s OPTIONS (SET host 'd')",
        &["set option host: c -> d", "deny known_hosts: The value \"d\" is not one of \"a\", \"b\"."],
    )?;
    expect(&mut client, "ALTER SERVER s OPTIONS (SET host 'a')", &["set option host: c -> a"])
}

fn it_stops_where_the_statements_would(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_stops")?;
    database.execute(KNOWN_HOSTS)?;
    let mut client = database.connect()?;
    let sql = "ALTER SERVER s OPTIONS (SET host 'b');
               CREATE FOREIGN TABLE made () SERVER s;
               ALTER TABLE made ADD COLUMN a integer;
               ALTER SERVER s OPTIONS (SET host 'c');
               DROP SERVER s CASCADE";
    let rows = plan(&mut client, sql)?;
    let last = rows.last().context("no row")?;
    same("the last statement", (last.seq, last.verdict.as_deref()), (Some(4), Some("deny")))?;
    let seqs: Vec<_> = rows.iter().filter(|row| row.attribute.is_none() && row.change.is_some()).collect();
    let made: Vec<&str> = seqs.iter().filter_map(|row| row.identity.as_deref()).collect();
    same("what the statements make", made, vec!["public.made", "public.made.a"])?;
    ensure!(rows.iter().any(|row| row.told() == "set option host: b -> c"), "{rows:?}");
    same("an empty text", plan(&mut client, " ; -- nothing\n;")?, Vec::new())?;
    same("an empty text", client.query("SELECT fdw_guard.explain_plan('')", &[])?.len(), 0)?;
    let refusal = expect_error(&mut client, "SELECT * FROM fdw_guard.plan(NULL)")?;
    same("null", refusal.sqlstate.as_str(), "22004")
}

fn postgresqls_own_errors_are_rows(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_errors")?;
    let mut client = database.connect()?;
    let cases = [
        ("ALTER SERVER s OPTIONZ (a '1')", None, "42601 at character 16: syntax error at or near \"OPTIONZ\""),
        ("DROP SERVER no_such", Some(1), "42704: server \"no_such\" does not exist"),
        ("ALTER SERVER s OPTIONS (ADD host 'b')", Some(1), "42710: option \"host\" provided more than once"),
        ("DROP SERVER s", Some(1), "2BP01: cannot drop server s because other objects depend on it"),
        (
            "ALTER SERVER s VERSION '2'; ALTER TABLE no_such ADD a integer",
            Some(2),
            "42P01: relation \"no_such\" does not exist",
        ),
        (
            "ALTER SERVER s VERSION 'ü'; CREATE FOREIGN TABLE made (a bogus) SERVER s",
            Some(2),
            "42704 at character 58: type \"bogus\" does not exist",
        ),
    ];
    for (sql, seq, detail) in cases {
        let rows = plan(&mut client, sql)?;
        let last = rows.last().with_context(|| sql.to_owned())?;
        same(sql, (last.seq, last.verdict.as_deref()), (seq, Some("error")))?;
        let found = last.detail.clone().unwrap_or_default();
        ensure!(found.starts_with(detail), "{sql}: {found}");
        if seq == Some(1) || seq.is_none() {
            let own = expect_error(&mut client, sql)?;
            contains(&found, &own.message)?;
            own.detail.iter().chain(&own.hint).try_for_each(|more| contains(&found, more))?;
        }
    }
    Ok(())
}

/// An event trigger's statements are told as changes, and refused as they would be.
fn statements_inside_are_seen(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_inside")?;
    database.execute(
        "CREATE FUNCTION follows() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN
             IF current_setting('application_name') = 'twice' THEN RETURN; END IF;
             PERFORM set_config('application_name', 'twice', true);
             EXECUTE current_setting('plan.inside');
         END $f$;
         CREATE EVENT TRIGGER follows ON ddl_command_end EXECUTE FUNCTION follows()",
    )?;
    let mut client = database.connect()?;
    let run = "ALTER SERVER s VERSION '2'";
    client.batch_execute("SET plan.inside = $$ALTER SERVER s OPTIONS (SET host 'c')$$")?;
    expect(&mut client, run, &["add version: - -> 2", "set option host: a -> c"])?;
    database
        .execute(&format!("ALTER EVENT TRIGGER follows DISABLE; {KNOWN_HOSTS}; ALTER EVENT TRIGGER follows ENABLE"))?;
    let refused = told(&mut client, run)?;
    same("rows", refused.len(), 1)?;
    contains(&refused.concat(), "error -: HV024: option \"host\" of server \"s\" violates rule \"known_hosts\"")?;
    client.batch_execute("SET plan.inside = $$SELECT * FROM fdw_guard.plan('DROP SERVER s')$$")?;
    expect(&mut client, run, &["error -: 55000: plan() cannot be called while a plan is made"])?;
    // An application's name that was set in the course of a plan is put back like everything else.
    same("application_name", client.query_one("SHOW application_name", &[])?.get(0), "fdw_guard_harness".to_owned())
}

fn it_refuses_before_anything_runs(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_refuses")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE TABLE plain_one (a integer); CREATE SEQUENCE moved")?;
    let refused = [
        ("SELECT nextval('moved')", "SELECT"),
        ("INSERT INTO plain_one VALUES (1)", "INSERT"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("SET search_path = public", "SET"),
        ("SET LOCAL search_path = public", "SET"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("DO $$ BEGIN END $$", "DO"),
        ("CALL nothing()", "CALL"),
        ("CREATE TABLE made ()", "CREATE TABLE"),
        ("ALTER TABLE plain_one ADD b integer", "ALTER TABLE"),
        ("DROP TABLE plain_one", "DROP TABLE"),
        ("GRANT SELECT ON plain_one TO PUBLIC", "GRANT"),
        ("CREATE VIEW made AS SELECT 1", "CREATE VIEW"),
        ("VACUUM t", "VACUUM"),
        ("ANALYZE t", "ANALYZE"),
        ("EXPLAIN ANALYZE SELECT nextval('moved')", "EXPLAIN"),
        ("COPY plain_one FROM PROGRAM 'true'", "COPY"),
        ("IMPORT FOREIGN SCHEMA x FROM SERVER s INTO public", "IMPORT FOREIGN SCHEMA"),
        ("ALTER TABLE plain_one DETACH PARTITION t CONCURRENTLY", "ALTER TABLE"),
        ("SELECT * FROM fdw_guard.plan('')", "SELECT"),
    ];
    for (sql, command) in refused {
        let text = format!("DROP SERVER s CASCADE; {sql}");
        for function in ["plan", "explain_plan"] {
            let error = expect_error(&mut client, &format!("SELECT fdw_guard.{function}($q${text}$q$)"))?;
            same(sql, (error.sqlstate.as_str(), error.message), ("0A000", format!("plan() does not take {command}")))?;
            contains(error.detail.as_deref().unwrap_or_default(), "Statement 2 of 2")?;
        }
    }
    same("the sequence", client.query_one("SELECT is_called FROM moved", &[])?.get(0), false)
}

/// The rows of an ordinary table above or below a foreign one stay as they are.
fn it_rewrites_no_table(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_rewrites")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE SEQUENCE moved;
         CREATE TABLE parent (a integer, c text);
         INSERT INTO parent SELECT n FROM generate_series(1, 10) n;
         ALTER FOREIGN TABLE t INHERIT parent",
    )?;
    let rewriting = [
        "ALTER TABLE parent ADD COLUMN d bigint DEFAULT nextval('moved')",
        "ALTER TABLE parent ALTER COLUMN a TYPE bigint",
    ];
    for sql in rewriting {
        let rows = told(&mut client, sql)?;
        same(sql, rows.len(), 1)?;
        contains(&rows.concat(), "error -: 0A000: plan() does not rewrite tables")?;
        let explained = client.query("SELECT fdw_guard.explain_plan($1)", &[&sql])?;
        let last: Option<&str> = explained.last().map(|row| row.get(0));
        same(sql, last, Some("No plan can be made of the statement."))?;
    }
    same("the sequence", client.query_one("SELECT is_called FROM moved", &[])?.get(0), false)?;
    let rows = told(&mut client, "ALTER TABLE parent ADD COLUMN d integer DEFAULT 7")?;
    same("a constant", rows.first().map(String::as_str), Some("create -: - -> -"))
}

/// Statements see what those before them in the text have made, and what they have put below an ordinary table.
fn later_statements_build_on_earlier_ones(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_builds")?;
    database.execute(
        "CREATE TABLE parent (a integer, c text); CREATE TABLE parted (a integer, c text) PARTITION BY LIST (a)",
    )?;
    let mut client = database.connect()?;
    for below in [
        "ALTER FOREIGN TABLE t INHERIT parent; ALTER TABLE parent RENAME c TO d",
        "ALTER TABLE parted ATTACH PARTITION t FOR VALUES IN (1); ALTER TABLE parted RENAME c TO d",
        "CREATE FOREIGN TABLE made () INHERITS (parent) SERVER s; ALTER TABLE parent RENAME c TO d",
        "CREATE FOREIGN TABLE made PARTITION OF parted DEFAULT SERVER s; ALTER TABLE parted RENAME c TO d",
    ] {
        let last = plan(&mut client, below)?.pop().context("no row")?;
        same(below, (last.seq, last.told()), (Some(2), "set name: c -> d".to_owned()))?;
    }
    let alone = expect_error(&mut client, "SELECT fdw_guard.plan('ALTER TABLE parent RENAME c TO d')")?;
    same("SQLSTATE", alone.sqlstate.as_str(), "0A000")?;
    let made = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER made FOREIGN DATA WRAPPER w; \
                CREATE FOREIGN TABLE f (a integer) SERVER made; ALTER TABLE f RENAME TO g; \
                ALTER FOREIGN TABLE g ALTER a OPTIONS (x 'y')";
    let last = plan(&mut client, made)?.pop().context("no row")?;
    same(made, (last.seq, last.identity, last.change), (Some(5), Some("public.g.a".into()), Some("add".into())))
}

/// PostgreSQL tells constraints and triggers in other words then; nobody has changed them.
fn a_renaming_is_told_once(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_renames")?;
    database.execute(
        "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         ALTER FOREIGN TABLE t ALTER a SET NOT NULL, ADD CONSTRAINT positive CHECK (a > 0);
         CREATE TRIGGER seen BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION fires()",
    )?;
    let mut client = database.connect()?;
    expect(&mut client, "ALTER FOREIGN TABLE t RENAME COLUMN a TO b", &["set name: a -> b"])?;
    expect(&mut client, "ALTER FOREIGN TABLE t RENAME TO u", &["set name: t -> u"])
}

fn it_knows_deferred_rules(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_deferred")?;
    database.execute(KNOWN_HOSTS)?;
    let mut client = database.connect()?;
    client.batch_execute("SET fdw_guard.check_mode = deferred")?;
    let good = "ALTER SERVER s OPTIONS (SET host 'c'); ALTER SERVER s OPTIONS (SET host 'b')";
    expect(&mut client, good, &["set option host: a -> c", "set option host: c -> b"])?;
    let bad = "ALTER SERVER s OPTIONS (SET host 'c'); ALTER SERVER s VERSION '2'";
    let fault = "deny known_hosts: The value \"c\" is not one of \"a\", \"b\".";
    expect(&mut client, bad, &["set option host: a -> c", "add version: - -> 2", fault])?;
    let at_commit = plan(&mut client, bad)?.pop().context("no row")?;
    same("the statement to blame", at_commit.seq, None)?;
    // What was planned is not judged when the transaction commits.
    client.batch_execute("BEGIN")?;
    plan(&mut client, bad)?;
    client.batch_execute("ALTER SERVER s OPTIONS (SET host 'b'); COMMIT")?;
    client.batch_execute("BEGIN; ALTER SERVER s OPTIONS (SET host 'd')")?;
    plan(&mut client, "ALTER SERVER s OPTIONS (SET host 'a')")?;
    same("constraint", expect_error(&mut client, "COMMIT")?.constraint.as_deref(), Some("known_hosts"))?;
    // Nor is what a plan's statement only said, of an object that the transaction has changed.
    database.execute(
        "INSERT INTO fdw_guard.rule (name, object_type, forms) \
         VALUES ('no_oids', 'foreign table', '{SET WITHOUT OIDS}')",
    )?;
    client.batch_execute("BEGIN; ALTER FOREIGN TABLE t OPTIONS (ADD a '1')")?;
    let fault = "deny no_oids: rule \"no_oids\" does not allow SET WITHOUT OIDS on foreign table \"t\"";
    expect(&mut client, "ALTER FOREIGN TABLE t SET WITHOUT OIDS", &[fault])?;
    Ok(client.batch_execute("COMMIT")?)
}

fn it_knows_enforcement(cluster: &Cluster) -> Result<()> {
    let database = guarded(cluster, "plan_enforcement")?;
    database.execute(KNOWN_HOSTS)?;
    let mut client = database.connect()?;
    let sql = "ALTER SERVER s OPTIONS (SET host 'c')";
    client.batch_execute("SET fdw_guard.enforcement = warn")?;
    let fault = "warn known_hosts: The value \"c\" is not one of \"a\", \"b\".";
    expect(&mut client, sql, &["set option host: a -> c", fault])?;
    client.batch_execute("SET fdw_guard.enforcement = off")?;
    expect(&mut client, sql, &["set option host: a -> c"])
}

/// The lines of `explain_plan`.
fn explained(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    let rows = client.query("SELECT fdw_guard.explain_plan($1)", &[&sql])?;
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if let Some(long) = lines.iter().find(|line| line.chars().count() > 118) {
        bail!("too long for 120 columns: {long}");
    }
    Ok(lines)
}
