//! A text that knows where its secrets stand, also after it has become part of another one.

use std::ops::Range;

use super::encoding::Encoding;

/// Bytes, and what must become of them.
#[derive(Debug, Clone, Default)]
pub struct Text {
    pub bytes: Vec<u8>,
    /// The values that must not be shown.
    pub hidden: Vec<Range<usize>>,
    /// Where the redactor may hide more than the values.
    pub loose: Vec<Range<usize>>,
}

/// What a character becomes.
pub struct Written {
    /// What is put before it, and does not belong to it.
    pub before: Vec<u8>,
    pub character: Vec<u8>,
}

impl Text {
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), ..Self::default() }
    }

    /// A value that must not be shown.
    pub fn secret(value: &[u8]) -> Self {
        Self { bytes: value.to_vec(), hidden: std::iter::once(0..value.len()).collect(), loose: Vec::new() }
    }

    pub fn push(&mut self, bytes: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(bytes.as_ref());
    }

    pub fn append(&mut self, other: &Self) {
        let shift = self.bytes.len();
        let shifted = |range: &Range<usize>| range.start + shift..range.end + shift;
        self.hidden.extend(other.hidden.iter().map(shifted));
        self.loose.extend(other.loose.iter().map(shifted));
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// The same, and the redactor may hide more of it.
    pub fn loosened(mut self) -> Self {
        self.loose = std::iter::once(0..self.bytes.len()).collect();
        self
    }

    /// The same, with nothing in it that must be hidden, although it may.
    pub fn forgiven(mut self) -> Self {
        self.hidden.clear();
        self.loosened()
    }

    pub fn contains(&self, part: &[u8]) -> bool {
        memchr::memmem::find(&self.bytes, part).is_some()
    }

    pub fn is_hidden(&self, position: usize) -> bool {
        self.hidden.iter().any(|range| range.contains(&position))
    }

    /// The text with each character written anew, given whether it is part of a value.
    pub fn rewritten(&self, encoding: Encoding, mut write: impl FnMut(&[u8], bool) -> Written) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        // Where each byte of the text has come to stand: where its character begins and ends.
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let mut split = Vec::new();
        let mut at = 0;
        while at < self.bytes.len() {
            let length = (encoding.characters().length)(&self.bytes[at..]);
            let written = write(&self.bytes[at..at + length], self.is_hidden(at));
            if !written.before.is_empty() {
                split.push(at);
            }
            bytes.extend_from_slice(&written.before);
            starts.extend(std::iter::repeat_n(bytes.len(), length));
            bytes.extend_from_slice(&written.character);
            ends.extend(std::iter::repeat_n(bytes.len(), length));
            at += length;
        }
        let moved = |range: &Range<usize>| {
            if range.is_empty() { 0..0 } else { starts[range.start]..ends[range.end - 1] }
        };
        let hidden = self.hidden.iter().flat_map(|range| parts(range, &split)).map(|range| moved(&range)).collect();
        // Nor is it certain whether what was put into a value stays.
        let is_split = |range: &&Range<usize>| split.iter().any(|at| range.start < *at && *at < range.end);
        let loose = self.loose.iter().chain(self.hidden.iter().filter(is_split)).map(moved).collect();
        Self { bytes, hidden, loose }
    }
}

/// A range without the places where something was put into it.
fn parts(range: &Range<usize>, split: &[usize]) -> Vec<Range<usize>> {
    let inner = split.iter().copied().filter(|at| range.start < *at && *at < range.end);
    let edges: Vec<usize> = std::iter::once(range.start).chain(inner).chain([range.end]).collect();
    edges.windows(2).map(|pair| pair[0]..pair[1]).collect()
}
