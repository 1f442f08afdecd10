//! One way for many: what calls a closure from behind a boundary exists once, and not once more for each closure. A statement
//! passes some twenty boundaries, and what it passes for the first time has to come from memory.

use std::mem::MaybeUninit;

/// Calls `act` by `way`.
///
/// # Safety
/// `way` calls what it is given once, unless it is left by a panic or a jump.
pub unsafe fn through<T>(way: unsafe fn(&mut dyn FnMut()), act: impl FnOnce() -> T) -> T {
    let (act, mut answer) = (MaybeUninit::new(act), MaybeUninit::uninit());
    // SAFETY: the caller's promise: it is read once, and answers before `way` returns.
    unsafe {
        way(&mut || {
            answer.write(act.assume_init_read()());
        });
        answer.assume_init()
    }
}
