//! What changes seldom in the catalogs, kept from statement to statement until PostgreSQL says that it may have changed:
//! wrappers and servers, on which everything that is touched stands, and the names of roles.

use fdw_guard_policy::model::ObjectState;
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::rc::Rc;
use std::thread::LocalKey;

/// Most rows of a kind that are kept.
const MOST: usize = 1000;

/// The caches from which what is kept was read: a wrapper shows its owner, its functions and what these are set to.
const SOURCES: [Cache::Type; 4] =
    [Cache::FOREIGNDATAWRAPPEROID, Cache::FOREIGNSERVEROID, Cache::AUTHOID, Cache::PROCOID];

/// An object's state, and the oid of the object directly above it.
pub type State = (Rc<ObjectState>, Oid);

/// Rows of one kind by oid; few, so that an ordered map finds one sooner than a hash.
pub struct Kept<T> {
    generation: u64,
    rows: BTreeMap<u32, T>,
}

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    pub static WRAPPERS: RefCell<Kept<State>> = RefCell::new(Kept::new());
    pub static SERVERS: RefCell<Kept<State>> = RefCell::new(Kept::new());
    pub static ROLE_NAMES: RefCell<Kept<String>> = RefCell::new(Kept::new());
}

/// Asks PostgreSQL to say when a row may have changed. Called once, when the library is loaded.
pub fn watch() {
    for source in SOURCES {
        // SAFETY: the callback lives as long as the library, which is never unloaded.
        unsafe { pg_sys::CacheRegisterSyscacheCallback(source as c_int, Some(row_changed), Datum::null()) }
    }
}

unsafe extern "C-unwind" fn row_changed(_argument: Datum, _cache: c_int, _hash: u32) {
    GENERATION.set(GENERATION.get().wrapping_add(1));
}

/// The row with that oid, as it is kept or as `read` finds it.
pub fn find<T: Clone>(
    kept: &'static LocalKey<RefCell<Kept<T>>>,
    oid: Oid,
    read: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let (oid, generation) = (oid.to_u32(), GENERATION.get());
    let known = kept.with_borrow_mut(|kept| kept.at(generation).get(&oid).cloned());
    if known.is_some() {
        return known;
    }
    let found = read()?;
    // What changed while it was read may be in it or not.
    if GENERATION.get() == generation {
        kept.with_borrow_mut(|kept| kept.at(generation).insert(oid, found.clone()));
    }
    Some(found)
}

impl<T> Kept<T> {
    fn new() -> Self {
        Self { generation: 0, rows: BTreeMap::new() }
    }

    /// The rows, without those of an earlier generation.
    fn at(&mut self, generation: u64) -> &mut BTreeMap<u32, T> {
        if self.generation != generation || self.rows.len() >= MOST {
            self.rows.clear();
            self.generation = generation;
        }
        &mut self.rows
    }
}
