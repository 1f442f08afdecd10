//! Holding the tour's script and what psql printed together.
//!
//! In the script a line `-- refused: SQLSTATE name` stands before each statement that must be refused, `name` being the
//! error's constraint name if it has one. Every other statement must pass.

/// An error: its SQLSTATE, and its constraint name or nothing.
type Refusal = (String, String);

/// What is wrong with a tour that printed `shown`; nothing if it went as `script` says.
pub fn faults(script: &str, shown: &str) -> Vec<String> {
    let (expected, found) = (expected(script), found(shown));
    let mut faults = Vec::new();
    for place in 0..expected.len().max(found.len()) {
        match (expected.get(place), found.get(place)) {
            (Some(expected), Some(found)) if expected == found => {}
            (Some(expected), Some(found)) => faults.push(format!("expected {expected:?}, got {found:?}")),
            (Some(expected), None) => faults.push(format!("{expected:?} was not refused")),
            (None, Some(found)) => faults.push(format!("{found:?} was not expected")),
            (None, None) => {}
        }
    }
    if expected.is_empty() {
        faults.push("the script says of no statement that it is refused".to_owned());
    }
    faults
}

/// psql puts its script's name and line before each error.
pub fn without_prefix(line: &str) -> &str {
    match line.split_once(": ") {
        Some((place, rest)) if place.starts_with("psql:") => rest.trim_start(),
        _ => line,
    }
}

/// Whether a line of psql's output begins a statement that it echoes; the tour's own lines that go on are indented.
pub fn begins_statement(line: &str) -> bool {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let is_tag = line.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ');
    let is_field = verb == "LINE" || rest.starts_with("NAME:");
    !is_tag && !is_field && verb.len() > 1 && verb.chars().all(|c| c.is_ascii_uppercase())
}

fn expected(script: &str) -> Vec<Refusal> {
    let marks = script.lines().filter_map(|line| line.strip_prefix("-- refused: "));
    marks.map(|mark| mark.split_once(' ').unwrap_or((mark, ""))).map(|(state, name)| owned(state, name)).collect()
}

fn found(shown: &str) -> Vec<Refusal> {
    let mut found: Vec<Refusal> = Vec::new();
    let mut in_error = false;
    for line in shown.lines().map(without_prefix) {
        if let Some((state, _)) = line.strip_prefix("ERROR:  ").and_then(|error| error.split_once(": ")) {
            found.push(owned(state, ""));
            in_error = true;
        } else if ["WARNING:  ", "NOTICE:  "].iter().any(|other| line.starts_with(other)) {
            in_error = false;
        } else if let (true, Some(name), Some(last)) =
            (in_error, line.strip_prefix("CONSTRAINT NAME:  "), found.last_mut())
        {
            last.1 = name.trim().to_owned();
        }
    }
    found
}

fn owned(state: &str, name: &str) -> Refusal {
    (state.trim().to_owned(), name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "SELECT 1;\n-- refused: HV024 ports\nALTER SERVER a;\n-- refused: 42501\nDROP SERVER a;\n";
    const FIRST: &str = "psql:/x/tour.sql:3: ERROR:  HV024: port\nDETAIL:  d\nCONSTRAINT NAME:  ports\n";

    #[test]
    fn a_tour_that_went_as_its_script_says_has_no_faults() {
        let warning = "WARNING:  HV024: port\nCONSTRAINT NAME:  other\n";
        let shown = format!("{FIRST}{warning}psql:/x/tour.sql:5: ERROR:  42501: no\n{warning}");
        assert_eq!(faults(SCRIPT, &shown), Vec::<String>::new());
    }

    #[test]
    fn a_statement_that_passed_and_one_that_did_not_are_faults() {
        assert_eq!(faults(SCRIPT, FIRST).len(), 1);
        let other = format!("{FIRST}psql:/x/tour.sql:5: ERROR:  42501: no\nERROR:  42601: syntax\n");
        assert_eq!(faults(SCRIPT, &other).len(), 1);
        assert_eq!(faults("SELECT 1;", "").len(), 1);
    }

    #[test]
    fn only_places_in_the_script_are_taken_off() {
        assert_eq!(without_prefix("psql:/x/tour.sql:3: ERROR:  x: y"), "ERROR:  x: y");
        assert_eq!(without_prefix("note: this stays"), "note: this stays");
    }

    #[test]
    fn statements_are_told_from_their_results() {
        for line in ["ALTER SERVER a OPTIONS (DROP host);", "SET ROLE intern;", "DO $$ BEGIN"] {
            assert!(begins_statement(line), "{line}");
        }
        for line in [
            "ALTER SERVER",
            "INSERT 0 1",
            "SET",
            "ERROR:  x: y",
            "LINE 1: SELECT",
            "TABLE NAME:  t",
            " count ",
            "    FROM a",
            "",
        ] {
            assert!(!begins_statement(line), "{line}");
        }
    }
}
