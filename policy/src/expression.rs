//! Regular expressions of schemas: in JSON Schema's dialect, on an engine whose time is linear, and bounded in size.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

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

fn invalid(reason: &str) -> String {
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("the regular expression is invalid ({reason}); look-around and backreferences are not supported")
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_total_is_bounded() {
        let mut expressions = Expressions::default();
        let fault = (0..100_000).find_map(|_| expressions.compile("\\p{L}").err());
        assert!(fault.unwrap().contains("together"));
    }
}
