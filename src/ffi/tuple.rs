//! Catalog tuples as owned values, released when they go out of scope.

use crate::ffi::text;
use pgrx::pg_sys;
use std::ffi::c_int;
use std::ptr::{self, NonNull};

/// A tuple of a system cache, held until it is dropped.
pub struct CachedTuple {
    cache: c_int,
    tuple: NonNull<pg_sys::HeapTupleData>,
}

impl CachedTuple {
    /// The tuple with that key, as the system cache shows it now.
    pub fn find(cache: pg_sys::SysCacheIdentifier::Type, keys: &[pg_sys::Datum]) -> Option<Self> {
        let cache = cache as c_int;
        // SAFETY: every caller names a cache with as many keys as it gives.
        let tuple = unsafe {
            match *keys {
                [key] => pg_sys::SearchSysCache1(cache, key),
                [first, second] => pg_sys::SearchSysCache2(cache, first, second),
                [first, second, third] => pg_sys::SearchSysCache3(cache, first, second, third),
                _ => ptr::null_mut(),
            }
        };
        NonNull::new(tuple).map(|tuple| Self { cache, tuple })
    }

    /// The fixed part of the tuple.
    ///
    /// # Safety
    /// `Form` is the FormData struct of the cache's catalog.
    pub unsafe fn form<Form>(&self) -> &Form {
        // SAFETY: the tuple is pinned while self lives, and the caller names the right struct.
        unsafe { &*pg_sys::GETSTRUCT(self.tuple.as_ptr()).cast::<Form>() }
    }

    /// Makes every session forget what it keeps of the relation whose row this is, at the end of the transaction.
    pub fn invalidate_relation(&self) {
        // SAFETY: the tuple is one of pg_class.
        unsafe { pg_sys::CacheInvalidateRelcacheByTuple(self.tuple.as_ptr()) }
    }

    /// The attribute with that number, None if it is null.
    pub fn attribute(&self, number: u32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: the tuple belongs to this cache; the caller names an attribute of its catalog.
        let datum = unsafe {
            pg_sys::SysCacheGetAttr(self.cache, self.tuple.as_ptr(), number as pg_sys::AttrNumber, &raw mut is_null)
        };
        (!is_null).then_some(datum)
    }
}

impl Drop for CachedTuple {
    fn drop(&mut self) {
        // SAFETY: SearchSysCache gave the tuple and it is released once.
        unsafe { pg_sys::ReleaseSysCache(self.tuple.as_ptr()) }
    }
}

/// The text of a `name` column.
pub fn name(name: &pg_sys::NameData) -> String {
    // SAFETY: a NameData always ends in a NUL.
    unsafe { text::from_server(name.data.as_ptr()) }
}

/// The text of a `text`-like datum.
///
/// # Safety
/// `datum` is a varlena whose content is text (`text`, `json`).
pub unsafe fn text_of(datum: pg_sys::Datum) -> String {
    // SAFETY: the caller's promise.
    text::from_bytes(unsafe { bytes_of(datum) })
}

/// The content of a varlena, fetched out of line if need be.
///
/// # Safety
/// As for [`text_of`]; the bytes live as long as the datum and the current memory context.
unsafe fn bytes_of<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: the caller's promise; pg_detoast_datum_packed gives a varlena with a short or a long header, and is spared
    // where there is one already.
    unsafe {
        let varlena = datum.cast_mut_ptr();
        let is_short = pgrx::varatt_is_1b(varlena) && !pgrx::varatt_is_1b_e(varlena);
        let is_plain = is_short || pgrx::varatt_is_4b_u(varlena);
        pgrx::varlena_to_byte_slice(if is_plain { varlena } else { pg_sys::pg_detoast_datum_packed(varlena) })
    }
}

/// The elements of a `text[]`; a null element is None.
///
/// # Safety
/// `datum` is a `text[]`.
pub unsafe fn text_array(datum: pg_sys::Datum) -> Vec<Option<String>> {
    let mut elements = ptr::null_mut();
    let mut nulls = ptr::null_mut();
    let mut count = 0;
    // SAFETY: the caller's promise; the sizes are those of type text, and deconstruct_array gives `count` elements.
    unsafe {
        let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast();
        pg_sys::deconstruct_array(
            array,
            pg_sys::TEXTOID,
            -1,
            false,
            b'i' as _,
            &raw mut elements,
            &raw mut nulls,
            &raw mut count,
        );
        let length = usize::try_from(count).unwrap_or_default();
        (0..length)
            .map(|place| {
                let is_null = *nulls.add(place);
                (!is_null).then(|| text_of(*elements.add(place)))
            })
            .collect()
    }
}
