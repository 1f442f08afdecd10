//! The SQL functions: thin, and safe.

pub mod delegates;
pub mod effective;
pub mod history;
pub mod options;
pub mod packs;
pub mod policy;
pub mod revert;
pub mod rules;
pub mod shared_secrets;
pub mod state;
pub mod status;
