//! What changes seldom in the catalogs, kept from statement to statement until PostgreSQL says that it may have changed:
//! wrappers and servers, on which everything that is touched stands, names of roles, and what is made of such names.

use fdw_guard_policy::model::{Description, ObjectState};
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier as Cache};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::rc::Rc;
use std::thread::LocalKey;

/// Most rows of a kind that are kept.
const MOST: usize = 1000;

/// The caches from which what is kept was read: a wrapper shows its owner, its functions and what these are set to.
const SOURCES: [Cache::Type; 5] =
    [Cache::FOREIGNDATAWRAPPEROID, Cache::FOREIGNSERVEROID, Cache::AUTHOID, Cache::PROCOID, Cache::NAMESPACEOID];

/// An object's state, and the oid of the object directly above it.
pub type State = (Rc<ObjectState>, Oid);

/// An oid that can be put in order.
type Number = u32;

/// What a user mapping is known by: its role and its server.
pub type MappingKey = (Number, Number);

/// What the description of a foreign table is made of: its schema, its owner, and its name in the database's encoding.
pub type TableKey = (Number, Number, [u8; pg_sys::NAMEDATALEN as usize]);

/// Rows of one kind by key; few, so that an ordered map finds one sooner than a hash.
pub struct Kept<K, T> {
    generation: u64,
    rows: BTreeMap<K, T>,
}

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    pub static WRAPPERS: RefCell<Kept<Number, State>> = RefCell::new(Kept::new());
    pub static SERVERS: RefCell<Kept<Number, State>> = RefCell::new(Kept::new());
    pub static ROLE_NAMES: RefCell<Kept<Number, String>> = RefCell::new(Kept::new());
    pub static USER_MAPPINGS: RefCell<Kept<MappingKey, Rc<Description>>> = RefCell::new(Kept::new());
    pub static FOREIGN_TABLES: RefCell<Kept<TableKey, Rc<Description>>> = RefCell::new(Kept::new());
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

/// Changes whenever something that is kept may have changed.
pub fn generation() -> u64 {
    GENERATION.get()
}

/// The row with that key, as it is kept or as `read` finds it.
pub fn find<K: Ord, T: Clone>(
    kept: &'static LocalKey<RefCell<Kept<K, T>>>,
    key: K,
    read: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let generation = GENERATION.get();
    let known = kept.with_borrow_mut(|kept| kept.at(generation).get(&key).cloned());
    if known.is_some() {
        return known;
    }
    let found = read()?;
    // What changed while it was read may be in it or not.
    if GENERATION.get() == generation {
        kept.with_borrow_mut(|kept| kept.at(generation).insert(key, found.clone()));
    }
    Some(found)
}

impl<K: Ord, T> Kept<K, T> {
    fn new() -> Self {
        Self { generation: 0, rows: BTreeMap::new() }
    }

    /// The rows, without those of an earlier generation.
    fn at(&mut self, generation: u64) -> &mut BTreeMap<K, T> {
        if self.generation != generation || self.rows.len() >= MOST {
            self.rows.clear();
            self.generation = generation;
        }
        &mut self.rows
    }
}
