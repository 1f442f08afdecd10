//! The values of a row that is written, their texts in one piece of memory: PostgreSQL copies them into the row.

use crate::ffi::function::{Value, datum_of};
use crate::ffi::text;
use pgrx::pg_sys::{self, Datum};
use std::borrow::Cow;
use std::ptr;

/// As long as this lives, so do its texts.
pub struct RowValues {
    values: Vec<(Datum, bool)>,
    _texts: Vec<u64>,
}

impl RowValues {
    pub fn of(values: &[Value]) -> Self {
        let bytes = values.iter().map(|value| if let Value::Text(text) = value { Some(text) } else { None });
        let bytes: Vec<Option<Cow<[u8]>>> = bytes.map(|text| text.map(|text| text::to_server_bytes(text))).collect();
        let mut texts = Vec::with_capacity(bytes.iter().flatten().map(|bytes| words(bytes)).sum());
        let datum = |(value, bytes): (&Value, &Option<Cow<[u8]>>)| match bytes {
            Some(bytes) => (put(&mut texts, bytes), false),
            None => datum_of(value),
        };
        let values = values.iter().zip(&bytes).map(datum).collect();
        Self { values, _texts: texts }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Datum, bool)> {
        self.values.iter().copied()
    }
}

/// How much memory a `text` takes.
fn words(bytes: &[u8]) -> usize {
    (pg_sys::VARHDRSZ + bytes.len()).div_ceil(size_of::<u64>())
}

/// Puts a `text` behind the others, for which there is room.
fn put(texts: &mut Vec<u64>, bytes: &[u8]) -> Datum {
    let start = texts.len();
    texts.resize(start + words(bytes), 0);
    let size = i32::try_from(pg_sys::VARHDRSZ + bytes.len()).unwrap_or(i32::MAX);
    // SAFETY: the words from `start` on are as many as header and bytes take, aligned as a varlena is, and stay where they
    // are, since no more are put there than room was made for. No text is longer than an int says.
    unsafe {
        let place = texts.as_mut_ptr().add(start);
        pgrx::set_varsize_4b(place.cast(), size);
        ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast::<u8>().add(pg_sys::VARHDRSZ), bytes.len());
        Datum::from(place)
    }
}
