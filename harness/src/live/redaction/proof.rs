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
#[derive(Default)]
struct Account {
    secrets: BTreeMap<String, Vec<Finding>>,
    publics: BTreeMap<String, BTreeSet<String>>,
}

struct Finding {
    secret: usize,
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
    if std::env::var_os("CANARIES").is_some() {
        println!("{}", faults.join("\n"));
    }
    let plain = cluster.another("canary-plain", &places::talkative("pg_stat_statements,auto_explain"))?;
    let cases = cases::all(&mut mint, &functions);
    let without = play(Stage::new(&plain, "canary_plain", [Encoding::Utf8; 2], None)?, cases)?;
    played.push(without);
    faults.extend(lost(&played));
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
    let start = std::time::Instant::now();
    for (number, case) in cases.iter().enumerate() {
        stage.play(number, case)?;
    }
    eprintln!("{} cases: {:?}", cases.len(), start.elapsed());
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

/// What a search looks for.
#[derive(Clone, Copy)]
enum Sought<'a> {
    Secret(&'a Case),
    Public(&'a Case),
}

fn account(played: &Played, shared: &Places) -> Result<Account> {
    let (mut sought, mut needles) = (Vec::new(), Vec::new());
    for case in &played.cases {
        for secret in &case.secrets {
            needles.extend(secret.iter().map(|needle| (needle.clone(), sought.len())));
            sought.push(Sought::Secret(case));
        }
        if let Some(core) = case.public.as_ref().and_then(|public| public.cores.first()) {
            needles.push((core.clone().into_bytes(), sought.len()));
            sought.push(Sought::Public(case));
        }
    }
    let search = Search::new(&needles)?;
    let mut account = Account::default();
    for (place, text) in played.places.iter().chain(shared) {
        for find in search.found(text) {
            account.note(place, text, find, sought.get(find.owner).copied());
        }
    }
    Ok(account)
}

impl Account {
    fn note(&mut self, place: &str, text: &[u8], find: Find, sought: Option<Sought>) {
        match sought {
            Some(Sought::Secret(case)) => {
                let finding = Finding { secret: find.owner, case: case.name.clone(), excerpt: excerpt(text, find) };
                self.secrets.entry(place.to_owned()).or_default().push(finding);
            }
            Some(Sought::Public(case)) => {
                self.publics.entry(place.to_owned()).or_default().insert(case.name.clone());
            }
            None => {}
        }
    }
}

/// A find between `>>>` and `<<<`, and what stands around it.
fn excerpt(text: &[u8], Find { start, end, .. }: Find) -> String {
    let shown = |from: usize, to: usize| text.get(from..to.min(text.len())).unwrap_or_default().escape_ascii();
    format!("{} >>>{}<<< {}", shown(start.saturating_sub(100), start), shown(start, end), shown(end, end + 40))
}

fn summary(cases: &[Case], account: &Account, statements: usize) -> String {
    let tried: usize = cases.iter().map(|case| case.secrets.len()).sum();
    let found: BTreeSet<usize> = account.secrets.values().flatten().map(|finding| finding.secret).collect();
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
            faults.push(format!(
                "{place}: {} texts are hidden that are no secret:\n    {}",
                hidden.len(),
                some.join("\n    ")
            ));
        }
    }
    faults
}

/// Cases after which the catalogs do not hold what was said, though with PostgreSQL alone they do.
fn lost(played: &[Played]) -> Vec<String> {
    let alone: BTreeSet<&String> = played.last().iter().flat_map(|plain| &plain.seen.lost).collect();
    let ours = played.iter().flat_map(|one| &one.seen.lost).filter(|case| !alone.contains(case));
    ours.map(|case| format!("the catalogs do not hold what was said: {case}")).collect()
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
