//! Regular expressions of schemas: in JSON Schema's dialect, on an engine whose time is linear, and bounded in size.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use regex_automata::Input;
use regex_automata::dfa::{Automaton, StartKind, dense};

/// Most bytes that one compiled expression may take.
pub(crate) const LARGEST_EXPRESSION: usize = 256 * 1024;

/// What all expressions of one schema may take together, counted each time that one is reached.
const LARGEST_TOTAL: usize = 4 * 1024 * 1024;

/// Sizes in which an expression is counted. Finding the step costs at most as much as compiling.
const STEPS: [usize; 4] = [4 * 1024, 16 * 1024, 64 * 1024, LARGEST_EXPRESSION];

/// The expressions of one schema.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    compiled: HashMap<String, (Regex, usize)>,
    spent: usize,
}

impl Expressions {
    /// Compiles an expression, or says what is wrong with it.
    pub(crate) fn compile(&mut self, pattern: &str) -> Result<Regex, String> {
        let (regex, size) = match self.compiled.get(pattern) {
            Some(known) => known.clone(),
            None => compile(pattern)?,
        };
        self.spent += size;
        if self.spent > LARGEST_TOTAL {
            return Err("the regular expressions of the schema are too large together".to_owned());
        }
        self.compiled.insert(pattern.to_owned(), (regex.clone(), size));
        Ok(regex)
    }
}

fn compile(pattern: &str) -> Result<(Regex, usize), String> {
    let translated = jsonschema_regex::to_rust_regex(pattern).map_err(|()| invalid("not a regular expression"))?;
    let mut last = invalid("not a regular expression");
    for size in STEPS {
        match RegexBuilder::new(&translated).size_limit(size).dfa_size_limit(LARGEST_EXPRESSION).build() {
            Ok(regex) => return Ok((regex, size)),
            Err(regex::Error::CompiledTooBig(_)) => last = "the regular expression is too large".to_owned(),
            // Its text shows the expression over several lines, of which the last says what is wrong.
            Err(error) => return Err(invalid(error.to_string().lines().last().unwrap_or_default())),
        }
    }
    Err(last)
}

/// An expression that is asked again and again. Most are small enough for a table of all that can come.
#[derive(Debug)]
pub(crate) struct Frequent {
    regex: Regex,
    table: Option<dense::DFA<Vec<u32>>>,
}

/// Most bytes that the table of one expression may take, and what may be spent on making it.
const LARGEST_TABLE: usize = 8 * 1024;
const LARGEST_EFFORT: usize = 8 * LARGEST_TABLE;

impl Frequent {
    /// None if the expression is not valid.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        let (regex, size) = compile(pattern).ok()?;
        let limits = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(LARGEST_TABLE))
            .determinize_size_limit(Some(LARGEST_EFFORT));
        // A larger one would cost more to make. One that an empty text fits may be fitted within a character, which a table sees
        // and the expression does not.
        let is_small = size == STEPS[0];
        let table = is_small.then(|| dense::Builder::new().configure(limits).build(regex.as_str()).ok()).flatten();
        let table = table.filter(|table| !table.has_empty());
        Some(Self { regex, table })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        let by_table = self.table.as_ref().and_then(|table| is_match_by(table, text));
        by_table.unwrap_or_else(|| self.regex.is_match(text))
    }
}

/// None if the table cannot tell.
fn is_match_by(table: &dense::DFA<Vec<u32>>, text: &str) -> Option<bool> {
    let mut state = table.start_state_forward(&Input::new(text)).ok()?;
    for byte in text.bytes() {
        state = table.next_state(state, byte);
        if table.is_special_state(state) {
            // A match is told one byte late.
            match state {
                _ if table.is_match_state(state) => return Some(true),
                _ if table.is_dead_state(state) => return Some(false),
                _ if table.is_quit_state(state) => return None,
                _ => {}
            }
        }
    }
    Some(table.is_match_state(table.next_eoi_state(state)))
}

fn invalid(reason: &str) -> String {
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("the regular expression is invalid ({reason}); look-around and backreferences are not supported")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(pattern: &str) -> String {
        Expressions::default().compile(pattern).unwrap_err()
    }

    #[test]
    fn expressions_that_would_hurt_are_refused_quickly() {
        let started = std::time::Instant::now();
        assert!(refused("(a{1000}){1000}").contains("too large"));
        assert!(refused("((((a{100}){100}){100}){100}){100}").contains("too large"));
        assert!(refused("(?=x)").contains("look-around"));
        assert!(refused("(a)\\1").contains("backreferences"));
        assert!(refused("(").contains("invalid"));
        assert!(refused(&"(".repeat(60_000)).contains("invalid"));
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn catastrophic_patterns_match_in_linear_time() {
        let regex = Expressions::default().compile("^(a+)+$").unwrap();
        let started = std::time::Instant::now();
        assert!(!regex.is_match(&format!("{}b", "a".repeat(100_000))));
        assert!(started.elapsed().as_secs() < 5);
    }

    /// With and without a table.
    const PATTERNS: [&str; 17] = [
        "^[a-z_0-9]+$",
        "^(reader|writer)_",
        "\\.crt$",
        "",
        "^$",
        "a",
        "^/etc/ssl/",
        "[^a]b?$",
        "(a|ab)(c|bcd)$",
        "\\d{2}",
        "é",
        "^.{2}$",
        "\\bab\\b",
        "[kK]$",
        "\\p{L}{1,3}$",
        "^(a|b){0,60}c",
        "(?-u:\\B)x?",
    ];

    proptest! {
        #[test]
        fn a_table_says_what_the_expression_says(
            text in prop_oneof!["[ab_c]{0,4}", "reader_[a-z0-9]{0,3}", ".{0,5}", "[aébKK .\n]{0,4}"]
        ) {
            for pattern in PATTERNS {
                let frequent = Frequent::new(pattern).unwrap_or_else(|| panic!("{pattern}"));
                prop_assert_eq!(frequent.is_match(&text), frequent.regex.is_match(&text), "{} {:?}", pattern, &text);
            }
        }
    }

    #[test]
    fn a_table_is_small_or_there_is_none() {
        let has_table = |pattern| Frequent::new(pattern).unwrap_or_else(|| panic!("{pattern}")).table.is_some();
        assert!(has_table("^[a-z_0-9]+$") && has_table("^(reader|writer)_") && has_table("\\.crt$"));
        let started = std::time::Instant::now();
        for pattern in ["\\p{L}{1,3}$", "^(a|b){0,60}[ab]{200}c", "(a|b)*a(a|b){14}"] {
            assert!(!has_table(pattern), "{pattern}");
        }
        assert!(started.elapsed().as_secs() < 2);
    }

    #[test]
    fn the_total_is_bounded() {
        let mut expressions = Expressions::default();
        let fault = (0..100_000).find_map(|_| expressions.compile("\\p{L}").err());
        assert!(fault.unwrap().contains("together"));
    }
}
