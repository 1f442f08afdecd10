//! The redactor takes no memory where nothing is to be redacted.
#![allow(unsafe_code, clippy::unwrap_used, reason = "a global allocator is one, and this is a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fdw_guard_policy::redact::{Kind, Names, Redactor, Strings};
use fdw_guard_policy::secret::SecretOptions;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread takes.
struct Counting;

// SAFETY: everything is the system's; a counter without a destructor is all that is touched besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often memory is taken, once the answers for the names in the text are remembered.
fn taken(redactor: &Redactor<'_>, text: &[u8], kind: Kind) -> usize {
    redactor.find(text, kind).unwrap();
    let before = TAKEN.get();
    let is_empty = redactor.find(text, kind).unwrap().is_empty();
    let taken = TAKEN.get() - before;
    assert!(is_empty, "{}", text.escape_ascii());
    taken
}

#[test]
fn nothing_is_taken_where_nothing_is_hidden() {
    let names = Names::of_packs(&SecretOptions::default());
    let redactor = Redactor::new(&names, Strings::Standard);
    let long = "SELECT a, 'b', 12 FROM t WHERE x = $1 AND y <> 'it''s'; ".repeat(10_000);
    for text in [
        "",
        "BEGIN",
        "SELECT 'password', 12345678",
        &long,
        // What is read to its end.
        "ALTER SERVER s OPTIONS (SET host 'h', ADD fetch_size '100', DROP port)",
        "CREATE FOREIGN TABLE t (a int, b text) SERVER s OPTIONS (schema_name 'x', table_name 'y')",
        "SELECT 12345678 AS option",
        "SELECT fdw_guard.set_server_options($1, $2)",
        "SELECT fdw_guard.rotate_secret($1, $2)",
    ] {
        for kind in [Kind::Statement, Kind::Message] {
            assert_eq!(taken(&redactor, text.as_bytes(), kind), 0, "{kind:?}: {text}");
        }
    }
}

/// What holds something to hide takes memory, or the counter does not count.
#[test]
fn memory_that_is_taken_is_counted() {
    let names = Names::of_packs(&SecretOptions::default());
    let before = TAKEN.get();
    let text = b"ALTER SERVER s OPTIONS (SET password 'x')";
    assert!(!Redactor::new(&names, Strings::Standard).find(text, Kind::Statement).unwrap().is_empty());
    assert!(TAKEN.get() > before);
}
