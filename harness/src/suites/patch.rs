//! The differences that are ours, as unified diffs of PostgreSQL's expected files.

use anyhow::{Context, Result, bail, ensure};

/// A place where an expected file changes.
#[derive(Debug, Default)]
struct Hunk<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

/// Applies `patch` to `text`.
///
/// A hunk is applied at the first place after the one before where its old lines stand: the line numbers are those of one
/// version, the words are those of all.
///
/// # Errors
/// When a hunk does not say why it is there, or its old lines are not found.
pub fn apply(text: &str, patch: &str) -> Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut rest, mut patched) = (lines.as_slice(), Vec::new());
    for hunk in hunks(patch)? {
        let found = rest.windows(hunk.old.len()).position(|lines| lines == hunk.old);
        let at = found.with_context(|| format!("no place for the hunk with\n{}", hunk.old.join("\n")))?;
        let (before, after) = rest.split_at(at);
        patched.extend_from_slice(before);
        patched.extend_from_slice(&hunk.new);
        rest = after.get(hunk.old.len()..).unwrap_or_default();
    }
    patched.extend_from_slice(rest);
    Ok(patched.join("\n") + "\n")
}

/// The hunks, each with its reason behind the second `@@`. What stands before the first are names of files.
fn hunks(patch: &str) -> Result<Vec<Hunk<'_>>> {
    let mut hunks: Vec<Hunk> = Vec::new();
    for line in patch.lines().skip_while(|line| !line.starts_with("@@")) {
        if let Some(reason) = line.strip_prefix("@@ ").and_then(|rest| rest.split_once("@@")) {
            ensure!(!reason.1.trim().is_empty(), "this hunk does not say why it is there: {line}");
            hunks.push(Hunk::default());
        } else {
            hunks.last_mut().with_context(|| format!("this stands in no hunk: {line}"))?.add(line)?;
        }
    }
    ensure!(hunks.iter().all(|hunk| !hunk.old.is_empty()), "a hunk without old lines has no place");
    Ok(hunks)
}

impl<'a> Hunk<'a> {
    fn add(&mut self, line: &'a str) -> Result<()> {
        if let Some(removed) = line.strip_prefix('-') {
            self.old.push(removed);
        } else if let Some(added) = line.strip_prefix('+') {
            self.new.push(added);
        } else if let Some(kept) = line.strip_prefix(' ') {
            self.old.push(kept);
            self.new.push(kept);
        } else {
            bail!("this is no line of a hunk: {line}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "--- a.out\n+++ b.out\n@@ -7 +7 @@ First.\n-b\n+B\n@@ -9,2 +9,3 @@ Then.\n a\n--- b\n+-- B\n+new\n";

    #[test]
    fn hunks_are_applied_in_order_wherever_their_lines_stand() {
        assert_eq!(apply("a\nb\nb\na\n-- b\nc\n", PATCH).unwrap(), "a\nB\nb\na\n-- B\nnew\nc\n");
    }

    #[test]
    fn what_cannot_be_applied_is_refused() {
        let refused = |text, patch| apply(text, patch).unwrap_err().to_string();
        assert!(refused("a\nb\n", PATCH).contains("no place for the hunk"));
        assert!(refused("b\n", "@@ -1 +1 @@\n-b\n+B\n").contains("why it is there"));
        assert!(refused("b\n", "@@ -1,0 +1 @@ Why.\n+B\n").contains("has no place"));
        assert!(refused("b\n", "@@ -1 +1 @@ Why.\nb\n").contains("no line of a hunk"));
    }
}
