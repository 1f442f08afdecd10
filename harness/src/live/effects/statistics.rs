//! What ANALYZE gathers.

use super::Seen::Both;
use super::{EFFECT, Effect};

/// How many values the histogram of 100 different ones keeps.
const HISTOGRAM: &str =
    "ANALYZE goods; SELECT cardinality(histogram_bounds::text::text[]) FROM pg_stats WHERE tablename = 'goods'";

const DISTINCT: &str = "ANALYZE goods; SELECT n_distinct FROM pg_stats WHERE tablename = 'goods' AND NOT inherited";

pub const EFFECTS: &[Effect] = &[
    Effect {
        form: "SET STATISTICS",
        states: "sets the target of subsequent ANALYZE operations",
        change: "ALTER FOREIGN TABLE goods ALTER id SET STATISTICS 10",
        query: HISTOGRAM,
        seen: Both("100", "11"),
        ..EFFECT
    },
    Effect {
        form: "SET STATISTICS",
        states: "0 gathers nothing",
        change: "ALTER FOREIGN TABLE goods ALTER COLUMN id SET STATISTICS 0",
        query: HISTOGRAM,
        seen: Both("100", ""),
        ..EFFECT
    },
    Effect {
        form: "SET STATISTICS",
        states: "-1 is the system's default again",
        given: "ALTER FOREIGN TABLE goods ALTER id SET STATISTICS 10",
        change: "ALTER FOREIGN TABLE goods ALTER id SET STATISTICS -1",
        query: HISTOGRAM,
        seen: Both("11", "100"),
        ..EFFECT
    },
    Effect {
        form: "SET STATISTICS",
        states: "DEFAULT is the system's default as well (ALTER TABLE)",
        since: 17,
        given: "ALTER FOREIGN TABLE goods ALTER id SET STATISTICS 10",
        change: "ALTER FOREIGN TABLE goods ALTER id SET STATISTICS DEFAULT",
        query: HISTOGRAM,
        seen: Both("11", "100"),
        ..EFFECT
    },
    Effect {
        form: "SET STATISTICS",
        states: "the range is 0 to 10000 (ALTER TABLE)",
        change: "ALTER FOREIGN TABLE goods ALTER id SET STATISTICS 20000",
        says: "WARNING 22023 lowering statistics target to 10000",
        query: "SELECT attstattarget FROM pg_attribute WHERE attrelid = 'goods'::regclass AND attname = 'id' AND attstattarget > 0",
        seen: Both("", "10000"),
        ..EFFECT
    },
    Effect {
        form: "SET (attribute_option)",
        states: "n_distinct overrides the number that ANALYZE makes",
        change: "ALTER FOREIGN TABLE goods ALTER id SET (n_distinct = 7)",
        query: DISTINCT,
        seen: Both("-1", "7"),
        ..EFFECT
    },
    Effect {
        form: "SET (attribute_option)",
        states: "n_distinct_inherited overrides the number that is made for the table and its children",
        given: "CREATE TABLE kin () INHERITS (goods); INSERT INTO kin VALUES (101)",
        change: "ALTER FOREIGN TABLE goods ALTER id SET (n_distinct_inherited = 7)",
        query: "ANALYZE goods; SELECT n_distinct FROM pg_stats WHERE tablename = 'goods' AND inherited",
        seen: Both("-1", "7"),
        ..EFFECT
    },
    Effect {
        form: "RESET (attribute_option)",
        states: "resets per-attribute options",
        given: "ALTER FOREIGN TABLE goods ALTER id SET (n_distinct = 7)",
        change: "ALTER FOREIGN TABLE goods ALTER id RESET (n_distinct)",
        query: DISTINCT,
        seen: Both("7", "-1"),
        ..EFFECT
    },
];
