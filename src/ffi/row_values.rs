//! The values of a row that is written, their texts in one piece of memory: PostgreSQL copies them into the row.

use crate::ffi::function::{Value, datum_of};
use crate::ffi::text;
use pgrx::pg_sys::{self, Datum};
use std::borrow::Cow;
use std::ptr;

/// As long as this lives, so do its short texts; the others are in the current memory context.
pub struct RowValues {
    values: Vec<(Datum, bool)>,
    _texts: Vec<u64>,
}

impl RowValues {
    pub fn of(values: &[Value]) -> Self {
        let encoded: Vec<Option<Cow<[u8]>>> = values.iter().map(short_text).collect();
        let mut texts = Vec::with_capacity(encoded.iter().flatten().map(|text| words(text)).sum());
        let datum = |(value, text): (&Value, &Option<Cow<[u8]>>)| match text {
            Some(text) => (put(&mut texts, text), false),
            None => datum_of(value),
        };
        let values = values.iter().zip(&encoded).map(datum).collect();
        Self { values, _texts: texts }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Datum, bool)> {
        self.values.iter().copied()
    }
}

/// Texts up to so many bytes are put here. For longer ones PostgreSQL's memory is asked, which raises an error where there is
/// none, or where one is longer than a `text` can be.
const SHORT: usize = 1 << 16;

fn short_text(value: &Value) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Text(text) if text.len() <= SHORT => {
            Some(text::to_server_bytes(text)).filter(|encoded| encoded.len() <= SHORT)
        }
        _ => None,
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
    let size = (pg_sys::VARHDRSZ + bytes.len()) as i32;
    // SAFETY: the words from `start` on are as many as header and bytes take, aligned as a varlena is, and stay where they
    // are, since no more are put there than room was made for. The text is a short one, so that its size has room too.
    unsafe {
        let place = texts.as_mut_ptr().add(start);
        pgrx::set_varsize_4b(place.cast(), size);
        ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast::<u8>().add(pg_sys::VARHDRSZ), bytes.len());
        Datum::from(place)
    }
}
