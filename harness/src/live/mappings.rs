//! User mappings: which one each spelling of FOR names, that rules on it hold whichever was used, and what the pages
//! CREATE, ALTER and DROP USER MAPPING state of their effects.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::effects::{Session, remote};
use super::{LiveTest, same};
use crate::cluster::Cluster;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "mappings::each_spelling_of_for_is_the_mapping_that_it_names", run: each_spelling },
    LiveTest { name: "mappings::a_rule_holds_whichever_spelling_is_used", run: each_spelling_is_governed },
    LiveTest { name: "mappings::the_mapping_that_is_applicable_is_used", run: the_applicable_one_is_used },
    LiveTest { name: "mappings::what_the_pages_refuse_or_skip", run: what_the_pages_refuse_or_skip },
];

/// Whose a mapping is when `mapped_current` acts in a session of `mapped_session`, by each spelling of FOR.
const SPELLINGS: [(&str, &str); 6] = [
    ("mapped_named", "mapped_named"),
    ("USER", "mapped_current"),
    ("CURRENT_ROLE", "mapped_current"),
    ("CURRENT_USER", "mapped_current"),
    ("SESSION_USER", "mapped_session"),
    ("PUBLIC", "public"),
];

const WHOSE: [&str; 4] = ["mapped_current", "mapped_named", "mapped_session", "public"];

/// The options of a mapping before it is changed.
const OLD: Option<&str> = Some("{user=old}");

/// What is done to a mapping with `user 'old'`, and its options then.
const CHANGES: [(&str, &str); 4] = [
    ("password 'x'", "{user=old,password=x}"),
    ("ADD password 'x'", "{user=old,password=x}"),
    ("SET user 'new'", "{user=new}"),
    ("DROP user", "NULL"),
];

const ROLES: &str = "CREATE ROLE mapped_named; CREATE ROLE mapped_current; CREATE ROLE mapped_session; \
    GRANT mapped_current TO mapped_session; ALTER SERVER far OWNER TO mapped_current";

const MAPPINGS: &str = "CREATE USER MAPPING FOR mapped_named SERVER far OPTIONS (user 'old'); \
    CREATE USER MAPPING FOR mapped_current SERVER far OPTIONS (user 'old'); \
    CREATE USER MAPPING FOR mapped_session SERVER far OPTIONS (user 'old'); \
    CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'old')";

const ACT: &str = "SET LOCAL SESSION AUTHORIZATION mapped_session; SET LOCAL ROLE mapped_current";

/// One statement in the session of `mapped_session`, and the mappings that are there then.
struct Tried {
    said: String,
    mappings: Vec<(String, String)>,
}

/// Tries a statement after `given` and undoes it all.
fn tried(session: &mut Session, given: &str, statement: &str) -> Result<Tried> {
    session.client.batch_execute(&format!("BEGIN; {ROLES}; {given}")).with_context(|| given.to_owned())?;
    let said = session.said(&format!("{ACT}; {statement}; RESET SESSION AUTHORIZATION"))?;
    let rows = session.client.query(
        "SELECT usename::text, coalesce(umoptions::text, 'NULL') FROM pg_user_mappings \
         WHERE srvname = 'far' AND (usename = 'public' OR usename LIKE 'mapped%') ORDER BY 1",
        &[],
    )?;
    session.client.batch_execute("ROLLBACK")?;
    Ok(Tried { said, mappings: rows.iter().map(|row| (row.get(0), row.get(1))).collect() })
}

/// The mappings where all have their old options but one, which has `options` or is not there.
fn all_old_but(one: &str, options: Option<&str>) -> Vec<(String, String)> {
    let of = |whose: &str| if whose == one { options } else { OLD };
    WHOSE.iter().filter_map(|whose| Some(((*whose).to_owned(), of(whose)?.to_owned()))).collect()
}

/// A statement that changes one mapping, and the options of it before and after, where it is there.
struct Attempt {
    form: &'static str,
    given: String,
    statement: String,
    options: [Option<&'static str>; 2],
}

/// Every statement that changes the mapping `whose` in this spelling.
fn attempts(spelling: &str, whose: &str) -> Vec<Attempt> {
    let mapping = format!("USER MAPPING FOR {spelling} SERVER far");
    let without = format!("{MAPPINGS}; DROP USER MAPPING FOR {whose} SERVER far");
    let altered = CHANGES.iter().map(|(change, options)| Attempt {
        form: "OPTIONS",
        given: MAPPINGS.to_owned(),
        statement: format!("ALTER {mapping} OPTIONS ({change})"),
        options: [OLD, Some(*options)],
    });
    let created = ["CREATE", "CREATE IF NOT EXISTS"].map(|verb| Attempt {
        form: "CREATE",
        given: without.clone(),
        statement: statement(verb, &mapping),
        options: [None, Some("NULL")],
    });
    let dropped = ["DROP", "DROP IF EXISTS"].map(|verb| Attempt {
        form: "DROP",
        given: MAPPINGS.to_owned(),
        statement: statement(verb, &mapping),
        options: [OLD, None],
    });
    altered.chain(created).chain(dropped).collect()
}

fn each_spelling(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = remote(cluster, "guarded_postgres_fdw")?;
    let mut session = Session::of(&database)?;
    for (spelling, whose) in SPELLINGS {
        for Attempt { given, statement, options: [_, after], .. } in attempts(spelling, whose) {
            expect(&mut session, &given, &statement, "", all_old_but(whose, after))?;
        }
        nothing_to_do(&mut session, spelling, whose, "")?;
    }
    Ok(())
}

/// What CREATE says where the mapping is there, and DROP where it is not.
fn nothing_to_do(session: &mut Session, spelling: &str, whose: &str, rule: &str) -> Result<()> {
    let there = format!("{MAPPINGS}; {rule}");
    let gone = format!("{MAPPINGS}; DROP USER MAPPING FOR {whose} SERVER far; {rule}");
    let mapping = format!("USER MAPPING FOR {spelling} SERVER far");
    for (verb, severity, more) in [("CREATE", "ERROR", ""), ("CREATE IF NOT EXISTS", "NOTICE", ", skipping")] {
        let says = format!("{severity} 42710 user mapping for \"{whose}\" already exists for server \"far\"{more}");
        expect(session, &there, &statement(verb, &mapping), &says, all_old_but(whose, OLD))?;
    }
    for (verb, severity, more) in [("DROP", "ERROR 42704", ""), ("DROP IF EXISTS", "NOTICE 00000", ", skipping")] {
        let says = format!("{severity} user mapping for \"{whose}\" does not exist for server \"far\"{more}");
        expect(session, &gone, &statement(verb, &mapping), &says, all_old_but(whose, None))?;
    }
    Ok(())
}

/// `CREATE IF NOT EXISTS` and `USER MAPPING …` as one statement.
fn statement(verb: &str, mapping: &str) -> String {
    let (verb, clause) = verb.split_once(' ').unwrap_or((verb, ""));
    mapping.replacen("USER MAPPING", &format!("{verb} USER MAPPING {clause}"), 1)
}

fn expect(session: &mut Session, given: &str, statement: &str, says: &str, then: Vec<(String, String)>) -> Result<()> {
    let tried = tried(session, given, statement)?;
    same(statement, tried.said.as_str(), says)?;
    same(statement, tried.mappings, then)
}

/// A rule on the mapping of one role denies what any spelling does to it, and nothing that is done to another.
fn each_spelling_is_governed(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = remote(cluster, "guarded_postgres_fdw")?;
    let mut session = Session::of(&database)?;
    for bound in WHOSE {
        for (spelling, whose) in SPELLINGS {
            for attempt in attempts(spelling, whose) {
                governed(&mut session, bound, whose, &attempt)
                    .with_context(|| format!("{}, with a rule on {bound}", attempt.statement))?;
            }
        }
    }
    // Where there is nothing to do, no rule is violated.
    SPELLINGS
        .iter()
        .try_for_each(|(spelling, whose)| nothing_to_do(&mut session, spelling, whose, &rule(whose, "CREATE, DROP")))
}

fn rule(whose: &str, forms: &str) -> String {
    format!(
        "INSERT INTO fdw_guard.rule (name, object_type, role, forms) \
         VALUES ('bound', 'user mapping', '{{{whose}}}', '{{{forms}}}')"
    )
}

fn governed(session: &mut Session, bound: &str, whose: &str, attempt: &Attempt) -> Result<()> {
    let Attempt { form, given, statement, options: [before, after] } = attempt;
    let tried = tried(session, &format!("{given}; {}", rule(bound, form)), statement)?;
    if bound != whose {
        same("what it says", tried.said.as_str(), "")?;
        return same("mappings", tried.mappings, all_old_but(whose, *after));
    }
    let named = if whose == "public" { "PUBLIC".to_owned() } else { format!("\"{whose}\"") };
    let refusal =
        format!("ERROR 42501 rule \"bound\" does not allow {form} on user mapping for {named} on server \"far\"");
    same("what it says", tried.said, refusal)?;
    same("mappings", tried.mappings, all_old_but(whose, *before))
}

/// What a superuser does, who asks then, and who that is at the remote end; nothing if there is no way there.
const APPLICABLE: &[(&str, &str, Option<&str>)] = &[
    ("CREATE ROLE mapped_early LOGIN; GRANT SELECT ON me TO mapped_early", "mapped_early", None),
    (
        "CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'effects_two', password 'winter')",
        "mapped_early",
        Some("effects_two"),
    ),
    // PUBLIC matches future users too.
    ("CREATE ROLE mapped_later LOGIN; GRANT SELECT ON me TO mapped_later", "mapped_later", Some("effects_two")),
    // It is used when no mapping of the user's own is applicable.
    (
        "CREATE USER MAPPING FOR mapped_early SERVER far OPTIONS (user 'effects_one', password 'spring')",
        "mapped_early",
        Some("effects_one"),
    ),
    ("", "mapped_later", Some("effects_two")),
    // New options override those that were specified before.
    ("ALTER USER MAPPING FOR mapped_early SERVER far OPTIONS (SET password 'wrong')", "mapped_early", None),
    (
        "ALTER USER MAPPING FOR mapped_early SERVER far OPTIONS (SET user 'effects_two', SET password 'winter')",
        "mapped_early",
        Some("effects_two"),
    ),
    // What PUBLIC's mapping has does not fill the gaps of another.
    ("ALTER USER MAPPING FOR mapped_early SERVER far OPTIONS (DROP password)", "mapped_early", None),
    // ADD is assumed.
    ("ALTER USER MAPPING FOR mapped_early SERVER far OPTIONS (password 'winter')", "mapped_early", Some("effects_two")),
    // The mapping that is there is nothing like the one that IF NOT EXISTS would have created.
    (
        "CREATE USER MAPPING IF NOT EXISTS FOR mapped_early SERVER far OPTIONS (user 'nobody')",
        "mapped_early",
        Some("effects_two"),
    ),
    (
        "ALTER USER MAPPING FOR PUBLIC SERVER far OPTIONS (SET user 'effects_one', SET password 'spring')",
        "mapped_later",
        Some("effects_one"),
    ),
    ("", "mapped_early", Some("effects_two")),
    ("DROP USER MAPPING FOR mapped_early SERVER far", "mapped_early", Some("effects_one")),
    ("DROP USER MAPPING IF EXISTS FOR mapped_early SERVER far", "mapped_early", Some("effects_one")),
    ("DROP USER MAPPING FOR PUBLIC SERVER far", "mapped_later", None),
];

/// In sessions that stay open, so that each change reaches connections that are there already.
fn the_applicable_one_is_used(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = remote(cluster, "guarded_postgres_fdw")?;
    let mut superuser = database.connect()?;
    let mut sessions = BTreeMap::new();
    for (statement, role, expected) in APPLICABLE {
        superuser.batch_execute(statement).with_context(|| (*statement).to_owned())?;
        let session = match sessions.entry(role) {
            Entry::Vacant(none) => none.insert(database.connect_as(role)?),
            Entry::Occupied(open) => open.into_mut(),
        };
        same(&format!("{role}, after {statement}"), at_the_remote_end(session)?.as_deref(), *expected)?;
    }
    Ok(())
}

/// Who the session is there, or nothing if it does not get there.
fn at_the_remote_end(session: &mut Client) -> Result<Option<String>> {
    match session.query_one("SELECT name FROM me", &[]) {
        Ok(row) => Ok(Some(row.get(0))),
        Err(error) => {
            let refusal = error.as_db_error().context("the connection broke")?;
            let known = ["user mapping not found", "could not connect to server", "password "];
            let message = refusal.message();
            ensure!(known.iter().any(|known| message.starts_with(known)), "{message}");
            Ok(None)
        }
    }
}

/// Statements, and what they say.
const REFUSED_OR_SKIPPED: &[(&str, &str)] = &[
    // Option names must be unique.
    (
        "CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'a', user 'b')",
        "ERROR 42710 option \"user\" provided more than once",
    ),
    (
        "ALTER USER MAPPING FOR USER SERVER far OPTIONS (ADD sslkey 'a', ADD sslkey 'b')",
        "ERROR 42710 option \"sslkey\" provided more than once",
    ),
    // The page does not say that SET takes one twice.
    ("ALTER USER MAPPING FOR USER SERVER far OPTIONS (SET user 'a', SET user 'b')", ""),
    // Options are validated by the server's wrapper.
    ("CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (nonsuch '1')", "ERROR HV00D invalid option \"nonsuch\""),
    ("ALTER USER MAPPING FOR USER SERVER far OPTIONS (nonsuch '1')", "ERROR HV00D invalid option \"nonsuch\""),
    (
        "ALTER USER MAPPING FOR USER SERVER far OPTIONS (password_required 'perhaps')",
        "ERROR 42601 password_required requires a Boolean value",
    ),
    // ADD wants an option that is not there, SET and DROP one that is.
    (
        "ALTER USER MAPPING FOR USER SERVER far OPTIONS (ADD user 'a')",
        "ERROR 42710 option \"user\" provided more than once",
    ),
    ("ALTER USER MAPPING FOR USER SERVER far OPTIONS (SET sslkey 'a')", "ERROR 42704 option \"sslkey\" not found"),
    ("ALTER USER MAPPING FOR USER SERVER far OPTIONS (DROP sslkey)", "ERROR 42704 option \"sslkey\" not found"),
    // What is not there.
    (
        "ALTER USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'a')",
        "ERROR 42704 user mapping for \"public\" does not exist for server \"far\"",
    ),
    ("CREATE USER MAPPING FOR nobody SERVER far", "ERROR 42704 role \"nobody\" does not exist"),
    ("CREATE USER MAPPING IF NOT EXISTS FOR nobody SERVER far", "ERROR 42704 role \"nobody\" does not exist"),
    ("ALTER USER MAPPING FOR nobody SERVER far OPTIONS (user 'a')", "ERROR 42704 role \"nobody\" does not exist"),
    ("DROP USER MAPPING FOR nobody SERVER far", "ERROR 42704 role \"nobody\" does not exist"),
    ("DROP USER MAPPING IF EXISTS FOR nobody SERVER far", "NOTICE 00000 role \"nobody\" does not exist, skipping"),
    ("CREATE USER MAPPING FOR USER SERVER nowhere", "ERROR 42704 server \"nowhere\" does not exist"),
    ("CREATE USER MAPPING IF NOT EXISTS FOR USER SERVER nowhere", "ERROR 42704 server \"nowhere\" does not exist"),
    ("ALTER USER MAPPING FOR USER SERVER nowhere OPTIONS (user 'a')", "ERROR 42704 server \"nowhere\" does not exist"),
    ("DROP USER MAPPING FOR USER SERVER nowhere", "ERROR 42704 server \"nowhere\" does not exist"),
    ("DROP USER MAPPING IF EXISTS FOR USER SERVER nowhere", "NOTICE 00000 server \"nowhere\" does not exist, skipping"),
    // The standard omits FOR; PostgreSQL then takes MAPPING for the name of a role.
    ("ALTER USER MAPPING PUBLIC SERVER far OPTIONS (user 'a')", "ERROR 42601 unrecognized role option \"public\""),
];

fn what_the_pages_refuse_or_skip(cluster: &Cluster) -> Result<()> {
    let (database, _remote) = remote(cluster, "guarded_postgres_fdw")?;
    let mut session = Session::of(&database)?;
    session.client.batch_execute("BEGIN")?;
    for (statement, says) in REFUSED_OR_SKIPPED {
        same(statement, session.said_and_undone(statement)?.as_str(), says)?;
    }
    Ok(())
}
