//! The search path under which expressions become text.

use pgrx::pg_sys;
use std::ffi::c_int;

/// While it lives, names of user objects are written with their schemas, so that the same expression is always the same
/// text, whatever the session has set.
pub struct Pinned {
    level: c_int,
}

impl Pinned {
    pub fn new() -> Self {
        // SAFETY: both strings are constants; GUC_ACTION_SAVE undoes the change at the end of the level.
        unsafe {
            let level = pg_sys::NewGUCNestLevel();
            pg_sys::set_config_option(
                c"search_path".as_ptr(),
                c"pg_catalog".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
            Self { level }
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: the level is the one that `new` opened. After an error PostgreSQL has closed it or will.
        unsafe { pg_sys::AtEOXact_GUC(true, self.level) }
    }
}
