//! How fast the redactor looks at texts that hold no secret, in bytes of text per second of one processor.
//!
//! Almost every text of a server is one of those; texts with the words of options in them are rare, and have no aim.

use std::process::ExitCode;
use std::time::Instant;

use fdw_guard_policy::redact::{Kind, Names, Redactor, Strings};
use fdw_guard_policy::secret::SecretOptions;

/// Bytes per second that every statement without a secret must reach.
const AIM: f64 = 1e9;

/// Bytes that are looked at for one figure.
const WORK: usize = 200 << 20;

/// Figures of which the best counts: what else runs on the machine only makes it slower.
const FIGURES: usize = 5;

struct Row {
    name: &'static str,
    text: String,
    aim: Option<f64>,
}

fn rows() -> Vec<Row> {
    let application = "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.state \
                       = 'open' AND o.created_at > now() - interval '1 day' ORDER BY o.created_at DESC LIMIT $1";
    let script =
        "INSERT INTO descriptions (id, part, note) VALUES (1042, 'a description of users and tables', NULL);\n";
    let row = |name, text: &str, length: usize, aim| Row { name, text: text.repeat(length.div_ceil(text.len())), aim };
    vec![
        row("a statement of an application", application, 1, Some(AIM)),
        row("a function of 10 kB", application, 10 << 10, Some(AIM)),
        row("a script of 100 MB", script, 100 << 20, Some(AIM)),
        row("pxixpxix..., 1 MB", "pxix", 1 << 20, Some(AIM)),
        row("optimal, happily ..., 1 MB", "optimal, happily ", 1 << 20, None),
        row("optiptimappi..., 1 MB", "optiptimappi", 1 << 20, None),
        row("option option ..., 1 MB", "option ", 1 << 20, None),
        row("OPTIONS (host 'x') ..., 1 MB", "ALTER SERVER s OPTIONS (SET host 'x'); ", 1 << 20, None),
    ]
}

/// Bytes per second.
fn figure(redactor: Redactor<'_>, text: &[u8], work: usize) -> Result<f64, String> {
    let times = (work / text.len()).max(1);
    let start = Instant::now();
    for _ in 0..times {
        let found = redactor.find(std::hint::black_box(text), Kind::Statement).map_err(|error| error.to_string())?;
        if !std::hint::black_box(found).is_empty() {
            return Err("something is hidden in a text without secrets".to_owned());
        }
    }
    Ok((times * text.len()) as f64 / start.elapsed().as_secs_f64())
}

/// Measures a row and prints it; says whether it is as fast as it should be.
fn measure(redactor: Redactor<'_>, row: &Row) -> Result<bool, String> {
    // What is read token by token is measured on less.
    let work = if row.aim.is_some() { WORK } else { WORK / 20 };
    let mut best = 0_f64;
    for _ in 0..FIGURES {
        best = best.max(figure(redactor, row.text.as_bytes(), work)?);
    }
    let is_good = row.aim.is_none_or(|aim| best >= aim);
    let aim = row.aim.map_or_else(|| "-".to_owned(), |aim| format!(">= {:.2}", aim / 1e9));
    println!("{:<34}{aim:>8}{:>14.2}{}", row.name, best / 1e9, if is_good { "" } else { "  missed" });
    Ok(is_good)
}

fn main() -> ExitCode {
    let names = Names::of_packs(&SecretOptions::default());
    let redactor = Redactor::new(&names, Strings::Standard);
    println!("\n{:<34}{:>8}{:>14}", "redaction of texts without secrets", "aim", "GB/s");
    let results: Result<Vec<bool>, String> = rows().iter().map(|row| measure(redactor, row)).collect();
    match results {
        Ok(results) if results.iter().all(|good| *good) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
