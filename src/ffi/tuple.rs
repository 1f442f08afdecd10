//! Catalog tuples as owned values, released when they go out of scope.

use crate::ffi::{quiet, raising, text, version};
use pgrx::pg_sys;
use std::borrow::Cow;
use std::ffi::c_int;
use std::ptr::{self, NonNull};

/// A tuple of a system cache, held until it is dropped.
pub struct CachedTuple {
    cache: c_int,
    tuple: NonNull<pg_sys::HeapTupleData>,
    /// It is not the cache's own, but a copy of the row.
    is_copy: bool,
}

/// Where one version of a row of a catalog stands.
#[derive(Clone, Copy, Debug)]
pub struct RowPlace {
    place: pg_sys::ItemPointerData,
    /// The file of the catalog: VACUUM FULL writes another one, in which rows stand elsewhere. 0 until somebody asks.
    file: u32,
}

impl RowPlace {
    /// The same, to be followed: what will stand in the place of that row of the catalog can be found by it.
    pub fn followed(self, catalog: pg_sys::Oid) -> Self {
        // SAFETY: the relation is closed at once. The cache that named the place forgets it when the catalog is written anew.
        unsafe {
            raising::under_one_boundary(|| {
                let relation = raising::RelationIdGetRelation(catalog);
                if relation.is_null() {
                    return self;
                }
                let file = version::file_of(relation);
                raising::RelationClose(relation);
                Self { file, ..self }
            })
        }
    }
}

impl CachedTuple {
    /// The tuple with that key, as the system cache shows it now.
    pub fn find(cache: pg_sys::SysCacheIdentifier::Type, keys: &[pg_sys::Datum]) -> Option<Self> {
        let cache = cache as c_int;
        // SAFETY: every caller names a cache with as many keys as it gives.
        let tuple = unsafe {
            raising::under_one_boundary(|| match *keys {
                [key] => raising::SearchSysCache1(cache, key),
                [first, second] => raising::SearchSysCache2(cache, first, second),
                [first, second, third] => raising::SearchSysCache3(cache, first, second, third),
                _ => ptr::null_mut(),
            })
        };
        NonNull::new(tuple).map(|tuple| Self { cache, tuple, is_copy: false })
    }

    /// The row of that catalog by which this transaction has replaced the one that stood there: what [`Self::find`] would
    /// find, without the cost of a look at an index and of an entry in the cache. None if it is not as simple as that.
    pub fn successor(
        cache: pg_sys::SysCacheIdentifier::Type,
        catalog: pg_sys::Oid,
        oid: pg_sys::Oid,
        before: RowPlace,
    ) -> Option<Self> {
        // SAFETY: every caller names the cache's own catalog; what replaces a row stands where that says, and cannot go
        // before the transaction ends. Nothing within owns anything.
        let tuple = unsafe {
            raising::under_one_boundary(|| {
                let relation = raising::table_open(catalog, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
                let is_there = version::file_of(relation) == before.file;
                let tuple = if is_there { successor(relation, before.place) } else { None };
                raising::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
                tuple
            })
        };
        let found = tuple.map(|tuple| Self { cache: cache as c_int, tuple, is_copy: true });
        // SAFETY: the first column of each of these catalogs is the oid by which an object is known.
        found.filter(|found| unsafe { *found.form::<pg_sys::Oid>() } == oid)
    }

    /// Where the row stands.
    pub fn place(&self) -> RowPlace {
        // SAFETY: the tuple is pinned while self lives; the cache keeps the place of the row that it has copied.
        RowPlace { place: unsafe { self.tuple.as_ref().t_self }, file: 0 }
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
            quiet::SysCacheGetAttr(self.cache, self.tuple.as_ptr(), number as pg_sys::AttrNumber, &raw mut is_null)
        };
        (!is_null).then_some(datum)
    }
}

impl Drop for CachedTuple {
    fn drop(&mut self) {
        // SAFETY: SearchSysCache or heap_copytuple gave the tuple, and it is released once.
        unsafe {
            if self.is_copy {
                quiet::heap_freetuple(self.tuple.as_ptr());
            } else {
                quiet::ReleaseSysCache(self.tuple.as_ptr());
            }
        }
    }
}

/// A copy of the last of the versions that this transaction has made from the one that stands there, if it made any, has left
/// the last one, and that is whole: to fetch what is kept elsewhere takes a snapshot.
///
/// # Safety
/// The relation is open, and the place is one of it; an error leaves by siglongjmp, so that this owns nothing.
unsafe fn successor(
    relation: pg_sys::Relation,
    place: pg_sys::ItemPointerData,
) -> Option<NonNull<pg_sys::HeapTupleData>> {
    let mut tuple = pg_sys::HeapTupleData { t_self: place, ..pg_sys::HeapTupleData::default() };
    let mut is_ours = false;
    loop {
        let mut buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;
        // SAFETY: the caller's promise; heap_fetch pins the page while it is read here.
        unsafe {
            if !raising::heap_fetch(relation, &raw mut pg_sys::SnapshotAnyData, &raw mut tuple, &raw mut buffer, false)
            {
                return None;
            }
            let header = &*tuple.t_data;
            let next = header.t_ctid;
            let is_last = is_same_place(next, tuple.t_self);
            let copy = (is_last && is_ours && stays(header)).then(|| raising::heap_copytuple(&raw mut tuple));
            let goes_on = !is_last && replaced_by_us(header);
            quiet::ReleaseBuffer(buffer);
            if !goes_on {
                return copy.and_then(NonNull::new);
            }
            (tuple.t_self, is_ours) = (next, true);
        }
    }
}

fn is_same_place(one: pg_sys::ItemPointerData, other: pg_sys::ItemPointerData) -> bool {
    let parts = |place: pg_sys::ItemPointerData| (place.ip_blkid.bi_hi, place.ip_blkid.bi_lo, place.ip_posid);
    parts(one) == parts(other)
}

/// Whether nobody has deleted or replaced a version that this transaction made, and all of it stands there.
fn stays(header: &pg_sys::HeapTupleHeaderData) -> bool {
    u32::from(header.t_infomask) & (pg_sys::HEAP_XMAX_INVALID | pg_sys::HEAP_HASEXTERNAL) == pg_sys::HEAP_XMAX_INVALID
}

/// Whether this transaction has replaced it, and that stands.
fn replaced_by_us(header: &pg_sys::HeapTupleHeaderData) -> bool {
    let is_other = u32::from(header.t_infomask) & (pg_sys::HEAP_XMAX_INVALID | pg_sys::HEAP_XMAX_IS_MULTI) != 0;
    // SAFETY: every tuple of a table has this part of the header; a transaction is asked about by its number.
    !is_other && unsafe { quiet::TransactionIdIsCurrentTransactionId(header.t_choice.t_heap.t_xmax) }
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
/// `datum` is a `text[]`; what comes of it lives as long as that and the current memory context.
pub unsafe fn texts<'a>(datum: pg_sys::Datum) -> impl Iterator<Item = Cow<'a, str>> {
    // SAFETY: the caller's promise.
    unsafe {
        elements(datum, pg_sys::TEXTOID, (-1, false, b'i')).into_iter().flatten().map(|it| text::borrowed(bytes_of(it)))
    }
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
    // SAFETY: the caller's promise; deconstruct_array gives `count` elements. Nothing within owns anything.
    unsafe {
        raising::under_one_boundary(|| {
            raising::deconstruct_array(
                raising::pg_detoast_datum(datum.cast_mut_ptr()).cast(),
                element_type,
                length.into(),
                by_value,
                alignment as _,
                &raw mut elements,
                &raw mut nulls,
                &raw mut count,
            );
        });
        let count = usize::try_from(count).unwrap_or_default();
        (0..count).map(|place| (!*nulls.add(place)).then(|| *elements.add(place))).collect()
    }
}
