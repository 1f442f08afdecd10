//! Messages of which the hooks see little or come late: comments, what is bound and not run, rows that are fetched in
//! several goes, prepared calls of ours, rules that others have committed meanwhile, literals that a function of one's own puts
//! into a statement.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::contains;
use super::canary::{Letters, Mint};
use super::places;
use super::wire::{Reply, Wire, execute, parse, sync};
use crate::cluster::Cluster;

const SETUP: &str = r#"
    CREATE EXTENSION pg_stat_statements;
    CREATE FOREIGN DATA WRAPPER w;
    CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h');
    CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password 'x');
    CREATE SERVER own FOREIGN DATA WRAPPER w;
    CREATE USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (password 'x');
    CREATE FOREIGN TABLE far (c integer OPTIONS (password 'x')) SERVER own OPTIONS (table_name 't');
    CREATE FUNCTION own_set(text) RETURNS integer LANGUAGE plpgsql AS
        $$BEGIN EXECUTE format('ALTER USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (SET password %L)', $1); RETURN 1; END$$;
    CREATE FUNCTION own_call(text) RETURNS integer LANGUAGE plpgsql AS
        $$BEGIN PERFORM fdw_guard.set_user_mapping_options('postgres', 'own', jsonb_build_object('password', $1)); RETURN 1; END$$;
    CREATE PROCEDURE own_procedure(text) LANGUAGE plpgsql AS $$BEGIN PERFORM own_set($1); END$$;
    INSERT INTO fdw_guard.rule (name, object_type, server, strict, options) VALUES ('long', 'user mapping', '{s}', true,
        '{"properties": {"password": {"type": "string", "writeOnly": true, "minLength": 5000}}}')"#;

/// Reads the rules, so that names which nobody calls a secret are shown.
const READS_RULES: &[u8] = b"CREATE SERVER first FOREIGN DATA WRAPPER w; DROP SERVER first";

/// What a session does not log, because nothing is known of a secret yet.
const SILENT: &[u8] =
    b"SET log_statement = 'none'; SET debug_print_parse = off; SET debug_print_rewritten = off; SET debug_print_plan = off";

/// Bytes of texts whose memory is soon used again.
const LENGTHS: [usize; 3] = [3_000, 9_000, 20_000];

/// A server, one who looks on, and the secrets that were tried.
struct Scene<'a> {
    own: &'a Cluster,
    database: &'a str,
    observer: Client,
    mint: Mint,
    tried: Vec<(String, String)>,
    shown: Vec<String>,
}

pub fn in_odd_messages(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("odd-messages", &places::talkative("pg_stat_statements,fdw_guard"))?;
    let database = own.guarded_database("odd")?;
    database.execute(SETUP)?;
    let (observer, mint) = (database.connect()?, Mint::new()?);
    let (tried, shown) = (Vec::new(), Vec::new());
    let mut scene = Scene { own: &own, database: database.name(), observer, mint, tried, shown };
    scene.comments_alone()?;
    scene.bound_and_not_run()?;
    scene.where_another_text_stood()?;
    scene.rows_in_several_goes()?;
    scene.prepared_calls()?;
    scene.rules_of_others()?;
    scene.beside_options_for_all_to_see()?;
    scene.literals_for_own_functions()?;
    scene.parameters_for_own_functions()?;
    let Scene { mut observer, tried, mut shown, .. } = scene;
    let statements: Vec<String> =
        observer.query("SELECT query FROM pg_stat_statements", &[])?.iter().map(|row| row.get(0)).collect();
    note(&mut shown, &tried, "pg_stat_statements", statements.join("\n").as_bytes());
    drop((observer, database));
    own.stop("fast")?;
    for (place, text) in places::logs(&own, "database system is shut down")? {
        note(&mut shown, &tried, &place, &text);
    }
    println!("canaries: {} tried in odd messages, {} found", tried.len(), shown.len());
    ensure!(shown.is_empty(), "{}", shown.join("\n"));
    Ok(())
}

/// Which secrets are in a text.
fn note(shown: &mut Vec<String>, tried: &[(String, String)], place: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let found = tried.iter().filter(|(_, secret)| text.contains(secret));
    shown.extend(found.map(|(what, _)| format!("{what} shows in {place}")));
}

impl Scene<'_> {
    fn session(&self) -> Result<Wire> {
        Wire::connect(self.own, &[("user", "postgres"), ("database", self.database)])
    }

    fn secret(&mut self, what: &str) -> String {
        let secret = self.mint.secret(Letters::Plain).value;
        self.tried.push((what.to_owned(), secret.clone()));
        secret
    }

    /// What pg_stat_activity has of a session that waits: stars, and no secret.
    fn is_hidden_in_activity(&mut self, wire: &Wire) -> Result<()> {
        let row = self.observer.query_one("SELECT query FROM pg_stat_activity WHERE pid = $1", &[&wire.pid])?;
        let query: String = row.get(0);
        let (what, _) = self.tried.last().context("nothing was tried")?;
        contains(&query, "***").with_context(|| what.clone())?;
        note(&mut self.shown, &self.tried, "pg_stat_activity", query.as_bytes());
        Ok(())
    }

    fn comments_alone(&mut self) -> Result<()> {
        let mut wire = self.session()?;
        let comment =
            |secret: &str| format!("/* ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET password '{secret}') */");
        let secret = self.secret("comment in the simple protocol");
        wire.query(comment(&secret).as_bytes())?;
        self.is_hidden_in_activity(&wire)?;
        let secret = self.secret("comment in the extended protocol");
        let [bind, run] = execute("", &[])?;
        played(&mut wire, &[parse("", comment(&secret).as_bytes()), bind, run, sync()])?;
        self.is_hidden_in_activity(&wire)
    }

    fn bound_and_not_run(&mut self) -> Result<()> {
        let mut wire = self.session()?;
        let secret = self.secret("what is bound and not run");
        let sql = format!("ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password '{secret}')");
        let [bind, _] = execute("", &[])?;
        played(&mut wire, &[parse("", sql.as_bytes()), bind, sync()])?;
        self.is_hidden_in_activity(&wire)
    }

    /// A portal's copy of a text may come to stand where a harmless one stood that was looked at last.
    fn where_another_text_stood(&mut self) -> Result<()> {
        for (runs, length) in [false, true].into_iter().flat_map(|runs| LENGTHS.map(|length| (runs, length))) {
            let padded = |before: &str, after: &str| {
                let padding = "x".repeat(length.saturating_sub(before.len() + after.len()));
                [before, &padding, after].concat().into_bytes()
            };
            let mut wire = self.session()?;
            wire.query(&[SILENT, b"; SET log_min_messages = 'fatal'"].concat())?;
            wire.query(b"BEGIN")?;
            let secret = self.secret("what stands where a harmless text stood");
            let hidden =
                padded(&format!("SET /* CREATE SERVER s OPTIONS (password '{secret}') "), "*/ work_mem = '4MB'");
            let harmless = padded("SELECT 1 /* ", "*/");
            let [[bind, run], [bind_hidden, run_hidden]] = [execute("harmless", &[])?, execute("hidden", &[])?];
            let end = if runs { run } else { (b'C', b"Sharmless\0".to_vec()) };
            let messages = [parse("hidden", &hidden), parse("harmless", &harmless), bind, end, bind_hidden, run_hidden];
            let reply = played(&mut wire, &[&messages[..], &[sync()]].concat())?;
            ensure!(reply.sqlstate().is_none(), "{reply:?}");
            self.is_hidden_in_activity(&wire)?;
        }
        Ok(())
    }

    fn rows_in_several_goes(&mut self) -> Result<()> {
        let mut wire = self.session()?;
        wire.query(b"BEGIN")?;
        let secret = self.secret("EXPLAIN in several goes");
        let sql = format!("EXPLAIN VERBOSE SELECT fdw_guard.rotate_secret('password', '{secret}', 'none')");
        let [bind, _] = execute("", &[])?;
        let one_row = || (b'E', [&b"\0"[..], &1_i32.to_be_bytes()].concat());
        let reply = played(&mut wire, &[parse("", sql.as_bytes()), bind, one_row(), one_row(), sync()])?;
        let rows = reply.0.iter().filter(|message| message.kind == b'D').count();
        ensure!(rows == 2, "{rows} rows came");
        self.is_hidden_in_activity(&wire)?;
        wire.query(b"ROLLBACK").map(drop)
    }

    /// In sessions that have not read the rules, since these are read when a call is refused.
    fn prepared_calls(&mut self) -> Result<()> {
        const PREPARE: &[u8] = b"PREPARE \"P\"(text) AS SELECT fdw_guard.rotate_secret('password', $1, 's')";
        for call in [
            "EXECUTE \"P\"('{}')",
            "EXPLAIN ANALYZE EXECUTE \"P\"('{}')",
            "CREATE TABLE made AS EXECUTE /* it */ \"P\"('{}')",
            "EXPLAIN ANALYZE CREATE TABLE made AS EXECUTE \"P\"('{}')",
            "DO $$ BEGIN EXECUTE 'EXECUTE \"P\"(''{}'')'; END $$",
            "EXECUTE \"P\"('{}'",
            "EXPLAIN EXECUTE \"P\"('{}')",
        ] {
            self.call_with_secret(PREPARE, call, !call.starts_with("EXPLAIN EXECUTE"))?;
        }
        Ok(())
    }

    /// Sends the call with a secret in its place, in a session of its own, where something is done before.
    fn call_with_secret(&mut self, before: &[u8], call: &str, fails: bool) -> Result<()> {
        let mut wire = self.session()?;
        wire.query(before)?;
        let secret = self.secret(call);
        let reply = wire.query(call.replace("{}", &secret).as_bytes())?;
        ensure!(reply.sqlstate().is_some() == fails, "{call}: {reply:?}");
        self.is_hidden_in_activity(&wire)
    }

    /// What is written when the function has run, and what others keep of the statement.
    fn literals_for_own_functions(&mut self) -> Result<()> {
        for call in [
            "SELECT own_set('{}')",
            "SELECT own_call('{}')",
            "SELECT own_set(E'{}') / 0",
            "CALL own_procedure('{}')",
            "CALL own_procedure('{}'); SELECT 1 / 0",
            "DO $do$ BEGIN PERFORM own_set('{}'); END $do$",
            "DO $do$ BEGIN PERFORM own_set('{}'); RAISE division_by_zero; END $do$",
            "EXPLAIN ANALYZE SELECT own_set('{}')",
            "CREATE TABLE own_made AS SELECT own_set('{}')",
            "ALTER SERVER s OPTIONS (ADD token '{}'); SELECT own_set('{}'); ALTER SERVER s OPTIONS (DROP token)",
        ] {
            self.call_with_secret(SILENT, call, call.contains("/ 0") || call.contains("RAISE"))?;
        }
        Ok(())
    }

    /// The same of a statement that is executed again, and of parameters when it fails. Before it runs nothing is known.
    fn parameters_for_own_functions(&mut self) -> Result<()> {
        let mut wire = self.session()?;
        wire.query(SILENT)?;
        wire.query(
            b"SET log_min_duration_statement = -1; SET log_duration = off; SET pg_stat_statements.track = 'none'",
        )?;
        let secret = self.secret("own function in the extended protocol");
        let [bind, run] = execute("own", &[])?;
        let prepare = parse("own", format!("SELECT own_set('{secret}') / 0").as_bytes());
        let reply = played(&mut wire, &[prepare, bind.clone(), run.clone(), sync()])?;
        ensure!(reply.sqlstate().is_some(), "{reply:?}");
        self.is_hidden_in_activity(&wire)?;
        played(&mut wire, &[bind, run, sync()])?;
        self.is_hidden_in_activity(&wire)?;
        let secret = self.secret("parameter of an own function");
        let [bind, run] = execute("", &[secret.into_bytes()])?;
        let reply = played(&mut wire, &[parse("", b"SELECT own_set($1) / 0"), bind, run, sync()])?;
        ensure!(reply.sqlstate().is_some(), "{reply:?}");
        Ok(())
    }

    /// Of a statement that alters options, the parser tells whether one is a secret, but not what else is in the message. In
    /// sessions that log nothing before it is parsed.
    fn beside_options_for_all_to_see(&mut self) -> Result<()> {
        let before = [READS_RULES, b"; ", SILENT, b"; SET log_min_messages = 'fatal'"].concat();
        for call in [
            "ALTER SERVER s OPTIONS (SET host 'a') /* OPTIONS (SET password '{}') */",
            "/* OPTIONS (SET password '{}') */ ALTER SERVER s OPTIONS (SET host 'a')",
            "ALTER SERVER s OPTIONS (SET host 'a'); -- OPTIONS (SET password '{}')",
            "ALTER SERVER s OPTIONS (SET host 'a'); ALTER USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (SET password '{}')",
            "ALTER SERVER s VERSION 'OPTIONS (SET password ''{}'')' OPTIONS (SET host 'a')",
            "ALTER USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (SET U&\"p\\0061ssword\" '{}')",
            "ALTER FOREIGN TABLE far OPTIONS (SET table_name 'a'), ALTER c OPTIONS (SET password '{}')",
            "ALTER SERVER own OPTIONS (ADD a_name_that_is_cut_where_names_are_in_the_catalogs_of_PostgreSQL_password '{}')",
            "ALTER VIEW seen OPTIONS (ADD colour '{}')",
            "ALTER USER MAPPING FOR \"bob SERVER s OPTIONS (SET password '{}'); ALTER USER MAPPING FOR bob\" SERVER own OPTIONS (SET user 'a')",
            "ALTER FOREIGN TABLE far OPTIONS (SET table_name 'a'), ALTER c SET DEFAULT length('OPTIONS (password ''{}'')')",
        ] {
            let fails = call.contains("bob") || call.contains("VIEW");
            self.call_with_secret(&before, call, fails)?;
        }
        Ok(())
    }

    fn rules_of_others(&mut self) -> Result<()> {
        let mut wire = self.session()?;
        wire.query(READS_RULES)?;
        wire.query(SILENT)?;
        wire.query(b"BEGIN; SELECT 1")?;
        self.observer.batch_execute(
            r#"INSERT INTO fdw_guard.rule (name, object_type, options)
               VALUES ('licence', 'server', '{"properties": {"licence": {"type": "string", "writeOnly": true}}}')"#,
        )?;
        let secret = self.secret("what a rule calls a secret that was committed meanwhile");
        let reply = wire.query(format!("ALTER SERVER s OPTIONS (ADD licence '{secret}')").as_bytes())?;
        ensure!(reply.sqlstate().is_none(), "{reply:?}");
        self.is_hidden_in_activity(&wire)?;
        wire.query(b"ROLLBACK").map(drop)
    }
}

fn played(wire: &mut Wire, messages: &[(u8, Vec<u8>)]) -> Result<Reply> {
    wire.send(messages)?;
    wire.reply()
}
