//! The policy of fdw_guard: what rules say, and which of them a change violates.
//!
//! Pure Rust: nothing here knows PostgreSQL's memory, and everything can be tested without a server. The
//! extension turns catalog rows into [`model`] values, asks [`policy::Policy`] for a verdict and raises it.

#![forbid(unsafe_code)]

pub mod catalogue;
pub mod change;
mod check;
mod common;
mod context;
mod contradiction;
pub mod ddl;
pub mod definition;
pub mod diff;
pub mod document;
pub mod effective;
mod entry;
pub mod evaluate;
mod explain;
mod expression;
mod fault;
mod field;
pub mod form;
pub mod health;
pub mod history;
mod index;
pub mod inside;
pub mod interval;
pub mod json;
pub mod keyword;
mod matcher;
mod merge;
pub mod model;
pub mod packs;
pub mod pattern;
pub mod plan;
pub mod policy;
mod quick;
pub mod reading;
pub mod redact;
pub mod remember;
pub mod rule;
pub mod schema;
pub mod secret;
pub mod sequence;
mod shadow;
pub mod shared;
pub mod standing;
pub mod state;
pub mod suggest;
mod survey;
#[cfg(test)]
mod testing;
pub mod undo;
mod view;
pub mod violation;
