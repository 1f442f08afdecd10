//! The room where PostgreSQL's pointers become owned values and back. It translates and decides nothing.

#![allow(unsafe_code)]

pub mod catalog;
pub mod characters;
pub mod checked_setting;
pub mod client_text;
pub mod delegates;
pub mod exports;
pub mod function;
pub mod handing;
pub mod held;
pub mod history;
pub mod hooks;
pub mod inside;
pub mod kept;
pub mod lock;
pub mod log;
pub mod mappings;
pub mod memory;
pub mod names;
pub mod next;
pub mod option_rows;
pub mod plannable;
pub mod query;
mod quiet;
pub mod raise;
mod raising;
pub mod rights;
mod row_values;
pub mod rules;
pub mod run;
pub mod scan;
mod search_path;
pub mod secrets;
pub mod server;
pub mod session;
pub mod statement;
pub mod stored;
pub mod text;
mod through;
mod told;
pub mod trial;
pub mod tuple;
pub mod utility;
pub mod verifier;
pub mod version;
