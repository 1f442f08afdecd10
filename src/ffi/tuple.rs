//! Catalog tuples as owned values, released when they go out of scope.

use crate::ffi::{text, version};
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

    /// The transaction that wrote this version of the row.
    pub fn writer(&self) -> u32 {
        // SAFETY: the tuple is pinned while self lives, and a copy of a catalog's row with its header; that field of a
        // transaction's number is kept when the row is frozen.
        unsafe { u32::from((*self.tuple.as_ref().t_data).t_choice.t_heap.t_xmin) }
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
pub unsafe fn bytes_of<'a>(datum: pg_sys::Datum) -> &'a [u8] {
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
    // SAFETY: the caller's promise; an element lives as long as the array and the current memory context.
    unsafe {
        let text = |element: Option<pg_sys::Datum>| element.map(|element| text_of(element));
        elements(datum, pg_sys::TEXTOID, (-1, false, b'i')).into_iter().map(text).collect()
    }
}

/// The elements of a `text[]`, null ones left out.
///
/// # Safety
/// `datum` is a `text[]`.
pub unsafe fn texts(datum: pg_sys::Datum) -> impl Iterator<Item = String> {
    // SAFETY: the caller's promise; an element lives as long as the array and the current memory context.
    unsafe { elements(datum, pg_sys::TEXTOID, (-1, false, b'i')).into_iter().flatten().map(|it| text_of(it)) }
}

/// Puts the elements of a `text[]` into a list, null ones left out; they live as long as the array.
///
/// # Safety
/// `datum` is a `text[]` that needs not be fetched from elsewhere.
pub unsafe fn texts_into(datum: pg_sys::Datum, list: &mut Vec<pg_sys::Datum>) {
    // SAFETY: the caller's promise.
    list.extend(unsafe { elements(datum, pg_sys::TEXTOID, (-1, false, b'i')) }.into_iter().flatten());
}

/// The elements of an `int2[]`.
///
/// # Safety
/// `datum` is an `int2[]`.
pub unsafe fn small_integers(datum: pg_sys::Datum) -> Vec<i16> {
    // SAFETY: the caller's promise.
    let elements = unsafe { elements(datum, pg_sys::INT2OID, (2, true, b's')) };
    elements.into_iter().flatten().map(|element| element.value() as i16).collect()
}

/// The elements of an `aclitem[]`.
///
/// # Safety
/// `datum` is an `aclitem[]`.
pub unsafe fn grant_items(datum: pg_sys::Datum) -> Vec<pg_sys::AclItem> {
    let (size, alignment) = (size_of::<pg_sys::AclItem>() as i16, version::GRANT_ITEM_ALIGNMENT);
    // SAFETY: the caller's promise; an element is passed by reference.
    unsafe {
        let elements = elements(datum, pg_sys::ACLITEMOID, (size, false, alignment));
        elements.into_iter().flatten().map(|element| *element.cast_mut_ptr::<pg_sys::AclItem>()).collect()
    }
}

/// The elements of an array; a null element is None.
///
/// # Safety
/// `datum` is an array of that type, whose length, passing by value and alignment are as pg_type.dat has them.
unsafe fn elements(
    datum: pg_sys::Datum,
    element_type: pg_sys::Oid,
    (length, by_value, alignment): (i16, bool, u8),
) -> Vec<Option<pg_sys::Datum>> {
    let mut elements = ptr::null_mut();
    let mut nulls = ptr::null_mut();
    let mut count = 0;
    // SAFETY: the caller's promise; deconstruct_array gives `count` elements.
    unsafe {
        pg_sys::deconstruct_array(
            pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast(),
            element_type,
            length.into(),
            by_value,
            alignment as _,
            &raw mut elements,
            &raw mut nulls,
            &raw mut count,
        );
        let count = usize::try_from(count).unwrap_or_default();
        (0..count).map(|place| (!*nulls.add(place)).then(|| *elements.add(place))).collect()
    }
}
