//! README.md and the files of docs: what they show happens, and what they list is all there is.
//!
//! Each file is played in an empty database of its own, its `sql` blocks one after the other. A `text` block is what
//! psql prints for the `sql` block before it; a block without one must neither fail nor warn. A `json` block is a policy
//! file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{LiveTest, same};
use crate::cluster::Cluster;
use crate::database::{Database, quote_literal};
use crate::{command, project};

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "readme::statements_do_what_the_documents_say", run: statements_do_what_the_documents_say },
    LiveTest { name: "readme::json_blocks_are_policy_files", run: json_blocks_are_policy_files },
    LiveTest { name: "readme::tables_list_all_there_is", run: tables_list_all_there_is },
];

/// What psql prints after each block.
const MARK: &str = "-- end of block --";

/// The contents of a fenced block, without the fence's indentation, and the line at which it begins.
struct Block {
    language: String,
    text: String,
    line: usize,
}

fn documents() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(project::root().join("docs")).context("the project has no folder docs")?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.push(project::root().join("README.md"));
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, fence)) = lines.next() {
        let Some(language) = fence.trim_start().strip_prefix("```") else { continue };
        let indentation = fence.len() - fence.trim_start().len();
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        let text = inside.map(|line| line.get(indentation..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
        blocks.push(Block { language: language.to_owned(), text, line });
    }
    blocks
}

fn statements_do_what_the_documents_say(cluster: &Cluster) -> Result<()> {
    let mut compared = 0;
    for path in documents()? {
        let database = cluster.database("readme")?;
        compared += play(cluster, &database, &blocks(&read(&path)?)).with_context(|| path.display().to_string())?;
    }
    ensure!(compared > 0, "no document shows what psql prints");
    Ok(())
}

/// Plays one document and says how many outputs were compared.
fn play(cluster: &Cluster, database: &Database<'_>, blocks: &[Block]) -> Result<usize> {
    let statements: Vec<&Block> = blocks.iter().filter(|block| block.language == "sql").collect();
    let script: String = statements.iter().map(|block| format!("{}\n\\echo '{MARK}'\n", block.text)).collect();
    let printed = psql(cluster, database, &script)?;
    let outputs: Vec<&str> = printed.split_terminator(&format!("{MARK}\n")).collect();
    ensure!(outputs.len() == statements.len(), "psql did not come to the end:\n{printed}");
    let mut compared = 0;
    for (block, output) in statements.iter().zip(outputs) {
        let shown = output_of(blocks, block);
        compared += usize::from(shown.is_some());
        check(shown, output).with_context(|| format!("block at line {}", block.line))?;
    }
    Ok(compared)
}

/// The block that shows what a block prints: the one that follows, if it is text.
fn output_of<'a>(blocks: &'a [Block], block: &Block) -> Option<&'a str> {
    let next = blocks.iter().find(|next| next.line > block.line)?;
    (next.language == "text").then_some(next.text.as_str())
}

fn check(shown: Option<&str>, output: &str) -> Result<()> {
    match shown {
        Some(shown) => same("output", trimmed(output), trimmed(shown)),
        None if output.lines().any(|line| line.starts_with("ERROR:") || line.starts_with("WARNING:")) => {
            bail!("{output}")
        }
        None => Ok(()),
    }
}

/// The text without blank lines around it and blanks at the ends of lines, which psql writes and editors take away.
fn trimmed(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}

/// Everything that psql prints for a script, results and messages in their order.
fn psql(cluster: &Cluster, database: &Database<'_>, script: &str) -> Result<String> {
    let sandbox = cluster.sandbox();
    let mut shell = sandbox.command(Path::new("/bin/sh"));
    shell.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(sandbox.mirror.installation.bindir.join("psql"));
    shell.args(["-X", "-q", "-U", "postgres", "-d", database.name(), "-p", &cluster.port().to_string()]);
    command::feed(shell.arg("-h").arg(cluster.socket()), script)
}

fn json_blocks_are_policy_files(cluster: &Cluster) -> Result<()> {
    let mut checked = 0;
    for path in documents()? {
        for block in blocks(&read(&path)?).iter().filter(|block| block.language == "json") {
            check_policy_file(cluster, &block.text)
                .with_context(|| format!("{} line {}", path.display(), block.line))?;
            checked += 1;
        }
    }
    ensure!(checked > 0, "no document shows a policy file");
    Ok(())
}

/// PostgreSQL reads and checks the file when the setting is written; nothing is in force before a reload.
fn check_policy_file(cluster: &Cluster, text: &str) -> Result<()> {
    let file = cluster.directory().join("readme.json");
    fs::write(&file, text)?;
    cluster.sandbox().account.own(&file)?;
    let database = cluster.database("readme_json")?;
    let mut client = database.connect()?;
    let outcome = client
        .batch_execute(&format!("ALTER SYSTEM SET fdw_guard.policy_file = {}", quote_literal(&file.to_string_lossy())));
    client.batch_execute("ALTER SYSTEM RESET fdw_guard.policy_file")?;
    Ok(outcome?)
}

/// A table of a document, and the query whose rows must be in its first columns.
struct Table {
    document: &'static str,
    heading: &'static str,
    query: &'static str,
}

const TABLES: &[Table] = &[
    Table {
        document: "README.md",
        heading: "## Settings",
        query: "SELECT name, CASE boot_val WHEN '' THEN 'none' ELSE boot_val END FROM pg_settings \
                WHERE name LIKE 'fdw\\_guard.%'",
    },
    Table {
        document: "README.md",
        heading: "## Functions and views",
        query: "SELECT proname || '(' || CASE WHEN pronargs > 3 THEN '…' WHEN pronargs > 0 \
                AND proargnames[1] IN ('name', 'object_type', 'relation', 'role', 'server') THEN array_to_string(proargnames[1:pronargs], ', ') \
                ELSE oidvectortypes(proargtypes) END || ')' FROM pg_proc \
                WHERE pronamespace = 'fdw_guard'::regnamespace \
                UNION ALL SELECT relname FROM pg_class \
                WHERE relnamespace = 'fdw_guard'::regnamespace AND relkind IN ('r', 'v')",
    },
    Table { document: "README.md", heading: "## Rule packs", query: "SELECT name, rules::text FROM fdw_guard.packs" },
    Table {
        document: "docs/rules.md",
        heading: "## Fields of a rule",
        query: "SELECT attname::text, format_type(atttypid, atttypmod), \
                coalesce(regexp_replace(pg_get_expr(adbin, adrelid), '^''(.*)''::.*$', '\\1'), '') \
                FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
                WHERE attrelid = 'fdw_guard.rule'::regclass AND attnum > 0 AND NOT attisdropped",
    },
    Table {
        document: "docs/rules.md",
        heading: "### Keywords",
        query: "SELECT jsonb_object_keys(fdw_guard.policy_schema() #> '{$defs,schema,properties}')",
    },
    Table {
        document: "docs/rules.md",
        heading: "### Formats",
        query: "SELECT jsonb_array_elements_text(fdw_guard.policy_schema() #> \
                '{$defs,schema,properties,format,enum}')",
    },
    Table {
        document: "docs/rules.md",
        heading: "## Forms",
        query: "SELECT jsonb_array_elements_text(fdw_guard.policy_schema() #> \
                '{$defs,rule,properties,forms,items,enum}')",
    },
    Table {
        document: "docs/packs.md",
        heading: "## postgres_fdw",
        query: "SELECT name, object_type, mode FROM fdw_guard.pack_rules('postgres_fdw')",
    },
    Table {
        document: "docs/packs.md",
        heading: "## postgres_fdw_hardened",
        query: "SELECT name, object_type, mode FROM fdw_guard.pack_rules('postgres_fdw_hardened')",
    },
    Table {
        document: "docs/packs.md",
        heading: "## file_fdw",
        query: "SELECT name, object_type, mode FROM fdw_guard.pack_rules('file_fdw')",
    },
];

/// Cells of a row.
type Row = Vec<String>;

fn tables_list_all_there_is(cluster: &Cluster) -> Result<()> {
    let database = cluster.guarded_database("readme_tables")?;
    for table in TABLES {
        let (columns, there) = rows_of_query(&database, table.query)?;
        let listed = rows_of_table(&read(&project::root().join(table.document))?, table.heading, columns);
        ensure!(!there.is_empty(), "{}", table.query);
        let missing: Vec<_> = there.difference(&listed).collect();
        let unknown: Vec<_> = listed.difference(&there).collect();
        let place = format!("{}, {}", table.document, table.heading);
        ensure!(missing.is_empty() && unknown.is_empty(), "{place}: missing {missing:?}, unknown {unknown:?}");
    }
    Ok(())
}

/// The rows of a query whose columns are texts, and how many columns there are.
fn rows_of_query(database: &Database<'_>, query: &str) -> Result<(usize, BTreeSet<Row>)> {
    let mut client = database.connect()?;
    let statement = client.prepare(query)?;
    let columns = statement.columns().len();
    let rows = client.query(&statement, &[])?;
    Ok((columns, rows.iter().map(|row| (0..columns).map(|column| row.get::<_, String>(column)).collect()).collect()))
}

/// The first columns of the table below a heading, one row for each name in the first cell.
fn rows_of_table(text: &str, heading: &str, columns: usize) -> BTreeSet<Row> {
    let section = text.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('#'));
    let rows = section.filter_map(|line| line.strip_prefix("| ")).map(|row| row.split(" |").map(plain).collect());
    rows.skip(2).flat_map(|row: Row| rows_of_names(&row, columns)).collect()
}

fn rows_of_names(row: &[String], columns: usize) -> Vec<Row> {
    let Some((names, others)) = row.split_first() else { return Vec::new() };
    let others: Row = others.iter().take(columns - 1).map(|cell| cell.replace('`', "")).collect();
    names.split("`, `").map(|name| [vec![name.replace('`', "")], others.clone()].concat()).collect()
}

fn plain(cell: &str) -> String {
    cell.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "## A\n\n| Name | Default |\n| --- | --- |\n| `a`, `b` | `1, 2` | x |\n\n## B\n| c |\n";

    #[test]
    fn blocks_lose_the_indentation_of_their_fence() {
        let found = blocks("x\n   ```sql\n   SELECT\n     1;\n   ```\n```text\ny\n```\n");
        let found: Vec<_> =
            found.iter().map(|block| (block.language.as_str(), block.text.as_str(), block.line)).collect();
        assert_eq!(found, [("sql", "SELECT\n  1;", 2), ("text", "y", 6)]);
    }

    #[test]
    fn only_the_next_block_shows_what_a_block_prints() {
        let found = blocks("```sql\n1\n```\n```sql\n2\n```\n```text\nout\n```\n");
        let shown: Vec<_> = found.iter().map(|block| output_of(&found, block)).collect();
        assert_eq!(shown, [None, Some("out"), None]);
    }

    #[test]
    fn what_is_not_shown_must_pass() {
        assert!(check(None, "NOTICE:  x\n").is_ok());
        assert!(check(None, "WARNING:  x\n").is_err() && check(None, " a\nERROR:  x\n").is_err());
        assert!(check(Some(" a \n---"), " a\n---\n\n").is_ok());
        assert!(check(Some("b"), "a\n").is_err() && check(Some(""), "a\n").is_err());
    }

    #[test]
    fn each_name_of_a_table_is_a_row() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Row>();
        assert_eq!(rows_of_table(DOCUMENT, "## A", 1), BTreeSet::from([row(&["a"]), row(&["b"])]));
        assert_eq!(rows_of_table(DOCUMENT, "## A", 2), BTreeSet::from([row(&["a", "1, 2"]), row(&["b", "1, 2"])]));
        assert!(rows_of_table(DOCUMENT, "## C", 1).is_empty());
    }
}
