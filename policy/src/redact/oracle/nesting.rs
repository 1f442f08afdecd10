//! Statements inside other statements: in blocks of code, functions, arguments and comments.

use super::maker::Maker;
use super::text::Text;

/// What stands before and after a literal that holds a statement.
const CARRIERS: [(&str, &str); 14] = [
    ("DO ", ""),
    ("DO LANGUAGE plpgsql ", ";"),
    ("CREATE OR REPLACE FUNCTION f(a text) RETURNS void LANGUAGE sql AS ", " STRICT"),
    ("CREATE PROCEDURE p() AS ", " LANGUAGE plpgsql"),
    ("DO $code$ BEGIN EXECUTE ", "; END $code$"),
    (
        "DO $$\nDECLARE n integer := 1;\nBEGIN\n  EXECUTE ",
        ";\n  RAISE NOTICE 'it''s done %', n;\nEND\n$$ LANGUAGE plpgsql",
    ),
    ("SELECT dblink_exec('dbname=x', ", ")"),
    ("SELECT public.dblink_exec('it''s', ", ", false), 'after'"),
    ("SELECT * FROM fdw_guard.plan(", ") AS p"),
    ("SELECT fdw_guard.explain_plan(", ")"),
    ("COMMENT ON TABLE t IS ", ""),
    ("INSERT INTO jobs (id, command) VALUES (1, ", "), (2, 'other')"),
    ("SELECT cron.schedule('job', '* * * * *', ", ")"),
    ("EXECUTE ", " USING 1"),
];

/// The same for a block's text.
const BLOCKS: [(&str, &str); 5] = [
    ("", ""),
    ("BEGIN ", "; END"),
    ("\nBEGIN\n  -- it's here\n  ", ";\nEND;\n"),
    ("DECLARE a text := 'it''s';\nBEGIN\n  IF a = 'x' THEN\n    ", ";\n  END IF;\nEND"),
    ("BEGIN PERFORM 1; ", "; EXCEPTION WHEN OTHERS THEN RAISE 'failed: %', SQLERRM; END"),
];

impl Maker<'_, '_> {
    /// A script inside so many levels of literals.
    pub fn nested(&mut self, depth: usize) -> Text {
        let Some(depth) = depth.checked_sub(1) else { return self.script() };
        let inner = self.nested(depth);
        let (before, after) = self.source.pick(&BLOCKS);
        let block = between(before, &inner, after);
        let literal = self.literal(&block);
        let (before, after) = self.source.pick(&CARRIERS);
        let carried = between(before, &literal, after);
        // A literal in those blocks must not hold their own tag.
        let whole = before.matches('$').count() == 0 || !(literal.contains(b"$$") || literal.contains(b"$code$"));
        if whole { carried } else { between("EXECUTE ", &literal, "") }
    }

    /// A script in a comment, of which the redactor may hide all.
    pub fn in_comment(&mut self) -> Text {
        let script = self.script();
        let lines = script.contains(b"\n") || script.contains(b"\r") || script.contains(b"\x0c");
        if !lines && self.source.once_in(2) {
            return between("SELECT 1; -- ", &script.loosened(), "\nSELECT 'it''s'");
        }
        let blocks = script.contains(b"*/") || script.contains(b"/*");
        if blocks { script } else { between("SELECT 1 /* ", &script.loosened(), " */ , 'it''s'") }
    }
}

pub fn between(before: &str, middle: &Text, after: &str) -> Text {
    let mut text = Text::of(before);
    text.append(middle);
    text.push(after);
    text
}
