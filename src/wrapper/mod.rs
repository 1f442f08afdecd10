//! The guarded wrapper: a foreign-data wrapper with our handler and our validator in front of another wrapper's, its
//! delegate. The second unsafe room: it passes PostgreSQL's calls on.

#![allow(unsafe_code)]

pub mod entry;
mod explain;
