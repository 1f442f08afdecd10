//! What an object has already: a validator is given it with each new option, and may quote it.

use anyhow::{Context, Result, ensure};
use postgres::Client;

use super::super::contains;
use super::canary::{Letters, Mint};
use super::places;
use crate::cluster::Cluster;
use crate::fields::expect_error;

/// A validator that quotes whatever it is given, once it is told to, and a wrapper of each kind that has it.
const SETUP: &str = "
    CREATE FUNCTION quotes(options text[], catalog oid) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
        IF current_setting('quotes.always', true) = 'on' THEN
            RAISE WARNING 'heard %', options USING DETAIL = options[1], HINT = options[1];
            RAISE 'no to %', options USING DETAIL = options, HINT = quote_literal(options), TABLE = 'kept';
        END IF;
    END $f$;
    CREATE FOREIGN DATA WRAPPER plain VALIDATOR quotes;
    SELECT fdw_guard.create_wrapper('guarded', 'plain')";

/// What each of the statements is about, made with a secret, and altered without a word of it.
const OBJECTS: [[&str; 2]; 6] = [
    [
        "CREATE USER MAPPING FOR postgres SERVER s_{} OPTIONS (user 'visible', password '{secret}')",
        "ALTER USER MAPPING FOR CURRENT_USER SERVER s_{} OPTIONS (ADD host 'h')",
    ],
    [
        "CREATE USER MAPPING FOR PUBLIC SERVER s_{} OPTIONS (user 'visible', odd_name '{secret}')",
        "ALTER USER MAPPING FOR PUBLIC SERVER s_{} OPTIONS (SET user 'visible', ADD host 'h')",
    ],
    [
        "ALTER SERVER s_{} OPTIONS (ADD host 'visible', ADD token '{secret}')",
        "ALTER SERVER s_{} VERSION '1' OPTIONS (ADD port '1')",
    ],
    [
        "ALTER FOREIGN DATA WRAPPER {} OPTIONS (ADD host 'visible', ADD token '{secret}')",
        "ALTER FOREIGN DATA WRAPPER {} OPTIONS (ADD port '1')",
    ],
    [
        "ALTER FOREIGN TABLE t_{} OPTIONS (ADD host 'visible', ADD token '{secret}')",
        "ALTER FOREIGN TABLE public.t_{} ALTER a SET NOT NULL, OPTIONS (ADD port '1')",
    ],
    [
        "ALTER FOREIGN TABLE t_{} ALTER a OPTIONS (ADD host 'visible', ADD token '{secret}')",
        "ALTER TABLE t_{} ALTER a OPTIONS (ADD port '1')",
    ],
];

pub fn is_quoted_by_nobody(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("stored", &places::talkative("pg_stat_statements,fdw_guard"))?;
    let database = own.guarded_database("stored")?;
    database.execute(SETUP)?;
    let (mut client, notices) = database.connect_noting("postgres")?;
    let mut mint = Mint::new()?;
    let mut secrets = Vec::new();
    for wrapper in ["plain", "guarded"] {
        client.batch_execute(&format!(
            "CREATE SERVER s_{wrapper} FOREIGN DATA WRAPPER {wrapper};
             CREATE FOREIGN TABLE t_{wrapper} (a integer) SERVER s_{wrapper}"
        ))?;
        for [made, altered] in OBJECTS.map(|both| both.map(|sql| sql.replace("{}", wrapper))) {
            let secret = mint.secret(Letters::Plain).value;
            client.batch_execute(&made.replace("{secret}", &secret))?;
            secrets.push(secret);
            notices.take();
            client.batch_execute("SET quotes.always = on")?;
            let error = expect_error(&mut client, &altered)?;
            let caught = caught(&mut client, &altered)?;
            client.batch_execute("RESET quotes.always")?;
            let heard = format!("{error:?} {caught} {:?}", notices.take());
            for part in ["no to {", "heard {", "=***", "visible", "kept"] {
                contains(&heard, part).with_context(|| altered.clone())?;
            }
            let told = secrets.iter().find(|secret| heard.contains(*secret));
            ensure!(told.is_none(), "{altered}: {heard}");
        }
    }
    drop((client, database));
    own.stop("fast")?;
    let logs = places::logs(&own, "database system is shut down")?;
    let logs: Vec<String> =
        logs.iter().map(|(place, text)| format!("{place}: {}", String::from_utf8_lossy(text))).collect();
    ensure!(logs.iter().filter(|log| log.contains("no to {")).count() >= 3, "the logs do not tell of it");
    let told = logs.iter().find(|log| secrets.iter().any(|secret| log.contains(secret)));
    ensure!(told.is_none(), "{told:?}");
    println!("canaries: {} stored and quoted, 0 found", secrets.len());
    Ok(())
}

/// What code gets of the error that catches it.
fn caught(client: &mut Client, sql: &str) -> Result<String> {
    client.batch_execute(&format!(
        "DO $do$ DECLARE told text; hinted text; BEGIN
             {sql};
         EXCEPTION WHEN raise_exception THEN
             GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL, hinted = PG_EXCEPTION_HINT;
             PERFORM set_config('caught.it', concat_ws(' ', SQLERRM, told, hinted), false);
         END $do$"
    ))?;
    Ok(client.query_one("SELECT current_setting('caught.it')", &[])?.get(0))
}

/// Statements that name what is stored, by chance or as a guess, and PostgreSQL or a validator quotes it, or what is around them.
const GUESSES: [&str; 8] = [
    "ALTER USER MAPPING FOR postgres SERVER s OPTIONS (SET \"{}\" 'x')",
    "ALTER USER MAPPING FOR postgres SERVER s OPTIONS (SET U&\"{}\" 'x', DROP \"it\"\"s\")",
    "ALTER USER MAPPING FOR postgres SERVER s OPTIONS (SET {} 'x')",
    "DO $$ BEGIN
         ALTER USER MAPPING FOR postgres SERVER s OPTIONS (DROP host);
     EXCEPTION WHEN OTHERS THEN RAISE 'what about {}?';
     END $$",
    "DO $o$ BEGIN
         EXECUTE $i$ DO $x$ BEGIN ALTER USER MAPPING FOR postgres SERVER s OPTIONS (DROP host); END $x$ /* {} */ $i$;
     END $o$",
    "ALTER USER MAPPING FOR postgres SERVER quoting OPTIONS (ADD user '{}')",
    "ALTER USER MAPPING FOR postgres SERVER quoting OPTIONS (ADD user 'password={}') /* {} */",
    "DO $o$ BEGIN
         EXECUTE $i$ DO $x$ BEGIN
             ALTER USER MAPPING FOR postgres SERVER quoting OPTIONS (ADD user 'x');
         END $x$ /* {} */ $i$;
     END $o$",
];

/// Whoever may alter a mapping that he may not see is not told whether he has guessed what is in it.
pub fn tells_nobody_that_he_has_guessed(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("stored_guesses")?;
    database.execute(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
         CREATE USER MAPPING FOR postgres SERVER s OPTIONS (password 'rightly')",
    )?;
    database.execute(SETUP)?;
    database.execute(
        "CREATE SERVER quoting FOREIGN DATA WRAPPER plain;
         CREATE USER MAPPING FOR postgres SERVER quoting OPTIONS (password 'rightly');
         ALTER DATABASE stored_guesses SET quotes.always = on",
    )?;
    let mut client = database.connect()?;
    let mut shown = 0;
    for guess in GUESSES {
        let [right, wrong] = ["rightly", "wrongly"]
            .map(|word| expect_error(&mut client, &guess.replace("{}", word)).map(|error| (word, error)));
        let ((right, mut told), (wrong, other)) = (right?, wrong?);
        shown += usize::from(format!("{told:?}").contains(right));
        told.message = told.message.replace(right, wrong);
        let texts = [&mut told.detail, &mut told.hint, &mut told.context];
        texts.into_iter().flatten().for_each(|text| *text = text.replace(right, wrong));
        ensure!(told == other, "{guess}: {told:?} {other:?}");
    }
    ensure!(shown >= 6, "only {shown} of the guesses are quoted");
    Ok(())
}
