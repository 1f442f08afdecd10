//! Prose around statements, as PostgreSQL and others write it to the log.

use super::maker::Maker;
use super::nesting::between;
use super::text::{Text, Written};

/// What stands before and after a statement in a line that has it as it is.
const LINES: [(&str, &str); 12] = [
    ("statement: ", ""),
    ("duration: 0.123 ms  statement: ", ""),
    ("duration: 12.5 ms  execute <unnamed>: ", ""),
    ("duration: 0.1 ms  parse s1: ", ""),
    ("duration: 0.1 ms  bind s1/c_2: ", ""),
    ("execute fetch from it/c: ", ""),
    ("fastpath function call: \"f\" (OID 1)\n", ""),
    ("SQL statement \"", "\"\nPL/pgSQL function inline_code_block line 3 at EXECUTE"),
    ("couldn't do it, don't ask: ", ""),
    ("SQL function \"f\" statement 1\nSQL statement \"", "\""),
    ("remote SQL command: ", ""),
    ("prepare: PREPARE p AS ", ""),
];

/// What stands around a plan.
const PLAN: &str = "Result  (cost=0.00..0.01 rows=1 width=4)\n  Output: 'it''s'::text";

impl Maker<'_, '_> {
    /// A line of the log in which a statement with secrets stands.
    pub fn message(&mut self) -> Text {
        self.plain = true;
        let depth = self.source.below(3);
        let statement = if self.source.once_in(4) { self.call() } else { self.nested(depth) };
        match self.source.below(12) {
            0..=5 => {
                let (before, after) = self.source.pick(&LINES);
                between(before, &statement, after)
            }
            6 => between("duration: 0.027 ms  plan:\nQuery Text: ", &statement, &format!("\n{PLAN}")),
            7 => self.plan_in_json(&statement),
            8 => self.plan_in_yaml(&statement),
            9 => self.plan_in_xml(&statement),
            10 => self.audit(&statement),
            _ => self.parameters(&statement),
        }
    }

    /// The same with a statement that is not nested. With a name in double quotes or a comment in it, more may be hidden.
    pub fn plain_message(&mut self) -> Text {
        self.plain = true;
        let statement = self.statement();
        let is_odd = [b"\"".as_slice(), b"--", b"/*"].iter().any(|odd| statement.contains(odd));
        between("duration: 0.123 ms  statement: ", &if is_odd { statement.loosened() } else { statement }, "")
    }

    fn plan_in_json(&mut self, statement: &Text) -> Text {
        let statement = self.json_string(statement);
        between(
            "duration: 0.027 ms  plan:\n{\n  \"Query Text\": \"",
            &statement,
            "\",\n  \"Plan\": {\n    \"Node Type\": \"Result\"\n  }\n}",
        )
    }

    fn plan_in_yaml(&mut self, statement: &Text) -> Text {
        let statement = self.json_string(statement);
        between("duration: 0.027 ms  plan:\nQuery Text: \"", &statement, "\"\nPlan: \n  Node Type: \"Result\"")
    }

    /// As PostgreSQL's escape_json() writes it.
    fn json_string(&mut self, text: &Text) -> Text {
        text.rewritten(self.encoding, |character, _| {
            let character = match character {
                b"\"" => b"\\\"".to_vec(),
                b"\\" => b"\\\\".to_vec(),
                b"\n" => b"\\n".to_vec(),
                b"\r" => b"\\r".to_vec(),
                b"\t" => b"\\t".to_vec(),
                b"\x0c" => b"\\f".to_vec(),
                _ => character.to_vec(),
            };
            Written { before: Vec::new(), character }
        })
    }

    fn plan_in_xml(&mut self, statement: &Text) -> Text {
        let statement = statement.rewritten(self.encoding, |character, _| {
            let character = match character {
                b"&" => b"&amp;".to_vec(),
                b"<" => b"&lt;".to_vec(),
                b">" => b"&gt;".to_vec(),
                b"\r" => b"&#x0d;".to_vec(),
                _ => character.to_vec(),
            };
            Written { before: Vec::new(), character }
        });
        let before =
            "duration: 0.027 ms  plan:\n<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query-Text>";
        between(before, &statement, "</Query-Text>\n  <Plan>\n  </Plan>\n</explain>")
    }

    fn doubled(&mut self, text: &Text, quote: u8) -> Text {
        text.rewritten(self.encoding, |character, _| {
            let again = if character == [quote] { vec![quote] } else { Vec::new() };
            Written { before: Vec::new(), character: [&again, character].concat() }
        })
    }

    fn audit(&mut self, statement: &Text) -> Text {
        let quoted = [b",".as_slice(), b"\"", b"\n", b"\r"].iter().any(|special| statement.contains(special));
        let before = self.source.pick(&[
            "AUDIT: SESSION,1,1,DDL,ALTER USER MAPPING,,,",
            "AUDIT: OBJECT,3,1,MISC,DO,TABLE,\"public.\"\"t\"\"\",",
        ]);
        let statement = if quoted { between("\"", &self.doubled(statement, b'"'), "\"") } else { statement.clone() };
        between(before, &statement, ",<not logged>")
    }

    /// A statement that is itself a parameter, or a literal in a context line.
    fn parameters(&mut self, statement: &Text) -> Text {
        let statement = self.doubled(statement, b'\'');
        let (before, after) = self.source.pick(&[
            ("Parameters: $1 = '1', $2 = '", "', $3 = NULL"),
            ("unnamed portal with parameters: $1 = '", "'"),
            ("duration: 1.0 ms  plan:\nQuery Text: SELECT f($1)\nQuery Parameters: $1 = '", "'\nResult"),
        ]);
        between(before, &statement, after)
    }

    /// The tree of a statement, as debug_print_parse writes it.
    pub fn tree(&mut self) -> Text {
        let value = self.secret();
        let value = self.node_token(&value);
        let indented = self.source.once_in(2);
        let gap = if indented { "\n      " } else { " " };
        let (before, after) = self.source.pick(&[
            (":utilityStmt {ALTERUSERMAPPINGSTMT :user {ROLESPEC :roletype 0 :rolename bob :location 23} :servername s", ""),
            (":utilityStmt {CREATEFOREIGNSERVERSTMT :servername s :servertype <> :version <> :fdwname w :if_not_exists false", ""),
            (":utilityStmt {DOSTMT", "{DEFELEM :defnamespace <> :defname language :arg \"plpgsql\" :defaction 0 :location 9}"),
        ]);
        let mut text = Text::of(if indented {
            "   {QUERY \n   :commandType 6 "
        } else {
            "{QUERY :commandType 6 :querySource 0 :canSetTag true "
        });
        text.push(before);
        text.push(gap);
        text.push(format!(":options ({after}{{DEFELEM{gap}:defnamespace <>{gap}:defname "));
        text.push(self.source.pick(&["password", "api_token"]));
        text.push(format!("{gap}:arg \""));
        text.append(&value);
        text.push(format!("\"{gap}:defaction 1{gap}:location 61}})}}{gap}:stmt_location 0 :stmt_len 80}}\n"));
        text
    }

    /// As PostgreSQL's outToken() writes it.
    fn node_token(&mut self, text: &Text) -> Text {
        text.rewritten(self.encoding, |character, _| {
            let special = character.len() == 1 && b" \n\t(){}\\\"".contains(&character[0]);
            let escape: &[u8] = if special { b"\\" } else { b"" };
            Written { before: Vec::new(), character: [escape, character].concat() }
        })
    }
}
