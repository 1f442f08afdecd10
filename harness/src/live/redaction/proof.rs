//! The proof: every case is played with redaction on, with redaction off, and on a server without fdw_guard.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Result, anyhow, bail, ensure};

use super::canary::{Encoding, Letters, Mint};
use super::cases::{self, Case};
use super::places::{self, Find, Places, Search};
use super::stage::{Seen, Stage};
use crate::cluster::Cluster;

/// Cases that were played, and what was seen meanwhile.
struct Played {
    /// With fdw_guard.
    guarded: bool,
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
    let (mut mint, functions) = (Mint::new()?, functions(&own)?);
    let [with, without] = [0, 1].map(|_| cases::all(&mut mint, &functions));
    let plain = cases::all(&mut mint, &BTreeSet::new());
    let (played, plain) = thread::scope(|scope| {
        let on = scope.spawn(|| in_own_database(&own, "canary_on", true, with));
        let off = scope.spawn(|| in_own_database(&own, "canary_off", false, without));
        let plain = scope.spawn(|| without_fdw_guard(cluster, plain));
        (vec![joined(on), joined(off)], joined(plain))
    });
    let mut played = played.into_iter().collect::<Result<Vec<_>>>()?;
    let shared = logs_of(&own)?;
    let accounts = accounts(&played.iter().collect::<Vec<_>>(), &shared)?;
    let ([on, _], [found, off]) = (played.as_slice(), accounts.as_slice()) else { bail!("not all was played") };
    println!("{}", summary(&on.cases, found, on.seen.steps));
    let mut faults =
        [shown(found), unseen(off, off_tried(&played)), blind(off, cluster), unreadable(found, off)].concat();
    played.push(plain?);
    faults.extend(lost(&played));
    faults.extend(changed(&played));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn in_own_database(own: &Cluster, name: &str, redact: bool, cases: Vec<Case>) -> Result<Played> {
    play_and_read_statements(Stage::new(own, name, "UTF8", Encoding::Utf8, Some(redact))?, cases)
}

/// The same cases, but for those of our own functions.
fn without_fdw_guard(cluster: &Cluster, cases: Vec<Case>) -> Result<Played> {
    let plain = cluster.another("canary-plain", &places::talkative("pg_stat_statements,auto_explain"))?;
    let mut stage = Stage::new(&plain, "canary_plain", "UTF8", Encoding::Utf8, None)?;
    play(&mut stage, cases)
}

fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("a playing panicked")))
}

/// Encodings of databases, and of clients beside them.
const ENCODINGS: [(&str, Encoding, &[Letters]); 6] = [
    ("LATIN1", Encoding::Latin1, &[Letters::Accents, Letters::Quotes, Letters::Short]),
    ("UTF8", Encoding::Latin1, &[Letters::Accents, Letters::Backslashes]),
    ("EUC_JP", Encoding::Utf8, &[Letters::Kana, Letters::Lines, Letters::Short]),
    ("EUC_JP", Encoding::Sjis, &[Letters::Kana, Letters::Dollars]),
    ("SQL_ASCII", Encoding::Utf8, &[Letters::Kana, Letters::Accents, Letters::List]),
    ("SQL_ASCII", Encoding::Latin1, &[Letters::Accents, Letters::Json]),
];

/// In other encodings, some cases.
pub fn no_secret_shows_in_other_encodings(cluster: &Cluster) -> Result<()> {
    let own = cluster.another("canary-encodings", &places::talkative(libraries(cluster)))?;
    let mut mint = Mint::new()?;
    let mut played = Vec::new();
    for (number, (encoding, client, letters)) in ENCODINGS.into_iter().enumerate() {
        let [with, without] = [0, 1].map(|_| cases::some(&mut mint, letters));
        let in_database = |name: &str, redact, cases| {
            let name = format!("canary_{name}_{number}");
            play(&mut Stage::new(&own, &name, encoding, client, Some(redact))?, cases)
        };
        played.extend(thread::scope(|scope| {
            let on = scope.spawn(|| in_database("on", true, with));
            let off = scope.spawn(|| in_database("off", false, without));
            [joined(on), joined(off)]
        }));
    }
    let played = played.into_iter().collect::<Result<Vec<_>>>()?;
    let accounts = accounts(&played.iter().collect::<Vec<_>>(), &logs_of(&own)?)?;
    let mut faults = Vec::new();
    for ((played, accounts), (encoding, client, _)) in played.chunks(2).zip(accounts.chunks(2)).zip(ENCODINGS) {
        let ([with, _], [on, off]) = (played, accounts) else { bail!("not all was played") };
        let what = format!("{encoding}, a client's {}", client.name());
        println!("{what}: {}", summary(&with.cases, on, with.seen.steps));
        let readable = off.without(&with.seen.unread());
        let of_pair = [shown(on), unseen(off, off_tried(played)), unreadable(on, &readable), changed(played)].concat();
        faults.extend(of_pair.into_iter().map(|fault| format!("{what}: {fault}")));
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// How many secrets were tried in the second playing.
fn off_tried(played: &[Played]) -> usize {
    played.get(1).map_or(0, |off| off.cases.iter().map(|case| case.secrets.len()).sum())
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

fn play_and_read_statements(mut stage: Stage, cases: Vec<Case>) -> Result<Played> {
    let mut played = play(&mut stage, cases)?;
    played.places.insert("pg_stat_statements".to_owned(), places::statements(&stage)?);
    Ok(played)
}

fn play(stage: &mut Stage, cases: Vec<Case>) -> Result<Played> {
    for (number, case) in cases.iter().enumerate() {
        stage.play(number, case)?;
    }
    stage.end_sessions()?;
    let places = places::of_stage(stage)?;
    Ok(Played { guarded: stage.guarded, cases, places, seen: std::mem::take(&mut stage.seen) })
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

/// What a search looks for, and in which playing it was used.
#[derive(Clone, Copy)]
struct Sought<'a> {
    playing: usize,
    case: &'a Case,
    is_secret: bool,
}

/// An account of each playing. All look through the shared places at once: these are long.
fn accounts(played: &[&Played], shared: &Places) -> Result<Vec<Account>> {
    let (mut sought, mut needles) = (Vec::new(), Vec::new());
    for (playing, case) in played.iter().enumerate().flat_map(|(n, one)| one.cases.iter().map(move |case| (n, case))) {
        for secret in &case.secrets {
            needles.extend(secret.iter().map(|needle| (needle.clone(), sought.len())));
            sought.push(Sought { playing, case, is_secret: true });
        }
        if let Some(core) = case.public.as_ref().and_then(|public| public.cores.first()) {
            needles.push((core.clone().into_bytes(), sought.len()));
            sought.push(Sought { playing, case, is_secret: false });
        }
    }
    let search = Search::new(&needles)?;
    let mut accounts: Vec<Account> = played.iter().map(|_| Account::default()).collect();
    for (place, text) in played.iter().flat_map(|one| &one.places).chain(shared) {
        for find in search.found(text) {
            if let Some(sought) = sought.get(find.owner)
                && let Some(account) = accounts.get_mut(sought.playing)
            {
                account.note(place, text, find, sought);
            }
        }
    }
    Ok(accounts)
}

impl Account {
    /// The public texts without those of some cases.
    fn without(&self, cases: &BTreeSet<String>) -> Self {
        let of_place = |(place, found): (&String, &BTreeSet<String>)| (place.clone(), found - cases);
        Self { secrets: BTreeMap::new(), publics: self.publics.iter().map(of_place).collect() }
    }

    /// How many secrets were found, wherever.
    fn count(&self) -> usize {
        self.secrets.values().flatten().map(|finding| finding.secret).collect::<BTreeSet<usize>>().len()
    }

    fn note(&mut self, place: &str, text: &[u8], find: Find, Sought { case, is_secret, .. }: &Sought) {
        if *is_secret {
            let finding = Finding { secret: find.owner, case: case.name.clone(), excerpt: excerpt(text, find) };
            self.secrets.entry(place.to_owned()).or_default().push(finding);
        } else {
            self.publics.entry(place.to_owned()).or_default().insert(case.name.clone());
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
    format!("canaries: {tried} tried in {statements} statements, {} found", account.count())
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

/// With redaction off nearly all are found: but for those in texts that the server never came to, after an error before.
fn unseen(off: &Account, tried: usize) -> Vec<String> {
    let found = off.count();
    if found * 100 < tried * 97 {
        vec![format!("with redaction off only {found} of {tried} are found")]
    } else {
        Vec::new()
    }
}

/// Where a secret must be found with redaction off.
const PLACES: [&str; 18] = [
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
    "stderr ERROR",
    "stderr HINT",
    "stderr LOG auto_explain",
    "stderr LOG duration",
    "stderr LOG execute",
    "stderr LOG statement",
    "stderr QUERY",
    "stderr STATEMENT",
];

/// Places that nothing is found in with redaction off: what looks there is blind. Our own views never show a secret, but
/// what is none.
fn blind(off: &Account, cluster: &Cluster) -> Vec<String> {
    let audit = places::has_pgaudit(cluster).then_some("stderr LOG AUDIT");
    // PostgreSQL 15 cannot print the trees of such statements.
    let tree = (cluster.sandbox().original.major > 15).then_some("stderr DETAIL of LOG tree");
    let places = PLACES.into_iter().chain(audit).chain(tree).filter(|place| !off.secrets.contains_key(*place));
    let views = (!off.publics.contains_key("fdw_guard")).then_some("fdw_guard's views");
    places.chain(views).map(|place| format!("nothing is found in {place} with redaction off")).collect()
}

/// Where SQL stands in prose, or in another form: in doubt more is hidden there than what is secret.
const DOUBTFUL: [&str; 12] = [
    "client",
    "stderr CONTEXT",
    "stderr DETAIL of LOG",
    "stderr DETAIL of LOG duration",
    "stderr DETAIL of LOG execute",
    "stderr DETAIL of LOG statement",
    "stderr DETAIL of LOG tree",
    "stderr HINT",
    "stderr LOG",
    "stderr LOG AUDIT",
    "stderr LOG auto_explain",
    "stderr NOTICE",
];

/// What is readable with redaction off must be so with redaction on. csvlog and jsonlog hold what stderr holds.
fn unreadable(on: &Account, off: &Account) -> Vec<String> {
    let mut must = off.publics.clone();
    must.retain(|place, _| !DOUBTFUL.contains(&place.as_str()));
    let of_lines = must.iter().filter(|(place, _)| place.starts_with("stderr")).flat_map(|(_, cases)| cases.clone());
    let of_lines: BTreeSet<String> = of_lines.collect();
    for place in ["csvlog", "jsonlog"] {
        must.entry(place.to_owned()).and_modify(|cases| cases.retain(|case| of_lines.contains(case)));
    }
    must.iter().filter_map(|(place, cases)| hidden(place, cases, on)).collect()
}

fn hidden(place: &str, must: &BTreeSet<String>, on: &Account) -> Option<String> {
    let none = BTreeSet::new();
    let hidden: Vec<&String> = must.difference(on.publics.get(place).unwrap_or(&none)).collect();
    let some: String = hidden.iter().take(limit()).map(|case| format!("\n    {case}")).collect();
    (!hidden.is_empty()).then(|| format!("{place}: {} texts are hidden that are no secret:{some}", hidden.len()))
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
    for other in others {
        for case in other.cases.iter().filter(|case| on.guarded == other.guarded || !case.ours) {
            let (found, expected) = (on.seen.skeletons.get(&case.name), other.seen.skeletons.get(&case.name));
            if found != expected {
                faults.push(format!("another reply: {}\n    {found:?}\n    {expected:?}", case.name));
            }
        }
    }
    faults.truncate(limit() * 5);
    faults
}
