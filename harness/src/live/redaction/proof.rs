//! The proof: every case is played with redaction on, with redaction off, and on a server without fdw_guard.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::canary::{Encoding, Mint};
use super::cases::{self, Case};
use super::places::{self, Find, Places, Search};
use super::stage::{Seen, Stage};
use crate::cluster::Cluster;

/// Cases that were played, and what was seen meanwhile.
struct Played {
    cases: Vec<Case>,
    places: Places,
    seen: Seen,
}

/// What was found of one playing, by place.
struct Account {
    secrets: BTreeMap<String, Vec<Finding>>,
    publics: BTreeMap<String, BTreeSet<String>>,
}

struct Finding {
    case: String,
    excerpt: String,
}

/// In UTF-8, every case.
pub fn no_secret_shows(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("canary", &places::talkative(libraries(cluster)))?;
    let mut mint = Mint::new()?;
    let mut functions = functions(&own)?;
    let mut played = Vec::new();
    for (name, redact) in [("canary_on", true), ("canary_off", false)] {
        let stage = Stage::new(&own, name, [Encoding::Utf8; 2], Some(redact));
        let cases = cases::all(&mut mint, &functions);
        match stage.and_then(|stage| play(stage, cases)) {
            Ok(one) => played.push(one),
            // What was found with redaction on is worth more than why it cannot be switched off.
            Err(error) if !redact => eprintln!("{error:#}"),
            Err(error) => return Err(error),
        }
    }
    functions.clear();
    let shared = logs_of(&own)?;
    let accounts: Vec<Account> = played.iter().map(|one| account(one, &shared)).collect::<Result<_>>()?;
    let Some((on, _)) = played.first().zip(accounts.first()) else { bail!("nothing was played") };
    let mut faults = Vec::new();
    if let Some(account) = accounts.first() {
        println!("{}", summary(&on.cases, account, on.seen.steps));
        faults.extend(shown(account));
    }
    if let [on, off] = accounts.as_slice() {
        faults.extend(blind(off, cluster));
        faults.extend(unreadable(on, off));
    }
    faults.extend(on.seen.lost.iter().map(|case| format!("the catalogs do not hold what was said: {case}")));
    let plain = cluster.another("canary-plain", &places::talkative("pg_stat_statements,auto_explain"))?;
    let cases = cases::all(&mut mint, &functions);
    let without = play(Stage::new(&plain, "canary_plain", [Encoding::Utf8; 2], None)?, cases)?;
    played.push(without);
    faults.extend(changed(&played));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn libraries(cluster: &Cluster) -> &'static str {
    if places::has_pgaudit(cluster) {
        "pg_stat_statements,auto_explain,pgaudit,fdw_guard"
    } else {
        "pg_stat_statements,auto_explain,fdw_guard"
    }
}

/// The names of our functions.
fn functions(cluster: &Cluster) -> Result<BTreeSet<String>> {
    let database = cluster.guarded_database("canary_functions")?;
    let sql = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'fdw_guard'::regnamespace";
    Ok(database.connect()?.query(sql, &[])?.iter().map(|row| row.get(0)).collect())
}

fn play(mut stage: Stage, cases: Vec<Case>) -> Result<Played> {
    for (number, case) in cases.iter().enumerate() {
        stage.play(number, case)?;
    }
    stage.end_sessions()?;
    let places = places::of_stage(&stage)?;
    Ok(Played { cases, places, seen: std::mem::take(&mut stage.seen) })
}

/// The logs and files of a cluster, which is ended.
fn logs_of(cluster: &Cluster) -> Result<Places> {
    let running = places::statements_file(cluster)?;
    cluster.stop("fast")?;
    let mut shared = places::logs(cluster, "database system is shut down")?;
    shared.insert("pg_stat_statements' text file".to_owned(), running);
    shared.insert("pg_stat_statements at rest".to_owned(), places::statements_at_rest(cluster)?);
    for (name, text) in &shared {
        let text = String::from_utf8_lossy(text);
        let crash = text.lines().find(|line| line.contains("was terminated by signal") || line.contains("PANIC"));
        ensure!(crash.is_none(), "{name}: {}", crash.unwrap_or_default());
    }
    Ok(shared)
}

fn account(played: &Played, shared: &Places) -> Result<Account> {
    let cases = &played.cases;
    let secrets = cases.iter().enumerate().flat_map(|(number, case)| {
        case.secrets.iter().flatten().map(move |needle| (needle.clone(), 2 * number))
    });
    let publics = cases.iter().enumerate().filter_map(|(number, case)| {
        let core = case.public.as_ref()?.cores.first()?;
        Some((core.clone().into_bytes(), 2 * number + 1))
    });
    let search = Search::new(&secrets.chain(publics).collect::<Vec<_>>())?;
    let mut account = Account { secrets: BTreeMap::new(), publics: BTreeMap::new() };
    for (place, text) in played.places.iter().chain(shared) {
        for find in search.found(text) {
            let Some(case) = cases.get(find.owner / 2) else { continue };
            if find.owner % 2 == 0 {
                let finding = Finding { case: case.name.clone(), excerpt: excerpt(text, find) };
                account.secrets.entry(place.clone()).or_default().push(finding);
            } else {
                account.publics.entry(place.clone()).or_default().insert(case.name.clone());
            }
        }
    }
    Ok(account)
}

/// What stands around a find.
fn excerpt(text: &[u8], find: Find) -> String {
    let around = text.get(find.start.saturating_sub(100)..(find.start + 60).min(text.len()));
    around.unwrap_or_default().escape_ascii().to_string()
}

fn summary(cases: &[Case], account: &Account, statements: usize) -> String {
    let tried: usize = cases.iter().map(|case| case.secrets.len()).sum();
    let found: BTreeSet<&str> = account.secrets.values().flatten().map(|finding| finding.case.as_str()).collect();
    format!("canaries: {tried} tried in {statements} statements, {} found", found.len())
}

/// What was found, place by place.
fn shown(account: &Account) -> Vec<String> {
    let of_place = |(place, findings): (&String, &Vec<Finding>)| {
        let mut lines = vec![format!("{place}: {} found", findings.len())];
        let some = findings.iter().take(limit());
        lines.extend(some.map(|finding| format!("    {}\n        {}", finding.case, finding.excerpt)));
        lines.join("\n")
    };
    account.secrets.iter().map(of_place).collect()
}

/// How many findings of a place are told; `CANARIES` asks for more.
fn limit() -> usize {
    std::env::var("CANARIES").ok().and_then(|number| number.parse().ok()).unwrap_or(3)
}

/// Places that nothing is found in with redaction off: what looks there is blind.
fn blind(off: &Account, cluster: &Cluster) -> Vec<String> {
    let mut places = vec![
        "client",
        "csvlog",
        "jsonlog",
        "pg_stat_activity, after",
        "pg_stat_activity, held",
        "pg_stat_statements",
        "pg_stat_statements at rest",
        "pg_stat_statements' text file",
        "stderr CONTEXT",
        "stderr DETAIL of LOG execute",
        "stderr DETAIL of LOG tree",
        "stderr ERROR",
        "stderr HINT",
        "stderr LOG auto_explain",
        "stderr LOG duration",
        "stderr LOG execute",
        "stderr LOG statement",
        "stderr QUERY",
        "stderr STATEMENT",
    ];
    if places::has_pgaudit(cluster) {
        places.push("stderr LOG AUDIT");
    }
    let mut faults: Vec<String> = places
        .iter()
        .filter(|place| !off.secrets.contains_key(**place))
        .map(|place| format!("nothing is found in {place} with redaction off"))
        .collect();
    if !off.publics.contains_key("fdw_guard") {
        faults.push("nothing is found in the views of fdw_guard".to_owned());
    }
    faults
}

/// What is readable with redaction off must be so with redaction on.
fn unreadable(on: &Account, off: &Account) -> Vec<String> {
    let mut faults = Vec::new();
    for (place, cases) in &off.publics {
        let none = BTreeSet::new();
        let readable = on.publics.get(place).unwrap_or(&none);
        let hidden: Vec<&str> = cases.difference(readable).map(String::as_str).collect();
        if !hidden.is_empty() {
            let some: Vec<&str> = hidden.iter().take(limit()).copied().collect();
            faults.push(format!("{place}: {} texts are hidden that are no secret:\n    {}", hidden.len(), some.join("\n    ")));
        }
    }
    faults
}

/// Replies that differ from those of the first playing, but for what is fdw_guard's own doing.
fn changed(played: &[Played]) -> Vec<String> {
    let mut faults = Vec::new();
    let Some((on, others)) = played.split_first() else { return faults };
    for (other, is_plain) in others.iter().zip([others.len() == 1, true]) {
        for case in other.cases.iter().filter(|case| !(is_plain && case.ours)) {
            let (found, expected) = (on.seen.skeletons.get(&case.name), other.seen.skeletons.get(&case.name));
            if found != expected {
                faults.push(format!("another reply: {}\n    {found:?}\n    {expected:?}", case.name));
            }
        }
    }
    faults.truncate(limit() * 5);
    faults
}
