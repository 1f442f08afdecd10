//! Whether something may be left to be done when the running transaction ends. Most transactions watch no statement, and know by
//! this that there is nothing.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

static MAY_BE: AtomicBool = AtomicBool::new(false);

/// Something may be.
pub fn note() {
    MAY_BE.store(true, Relaxed);
}

/// It has been looked for.
pub fn settle(is_pending: bool) {
    MAY_BE.store(is_pending, Relaxed);
}

#[inline]
pub fn may_be() -> bool {
    MAY_BE.load(Relaxed)
}
