//! The SQL functions: thin, and safe.

pub mod delegates;
pub mod effective;
pub mod get_ddl;
pub mod options;
pub mod packs;
pub mod plan;
pub mod policy;
pub mod policy_check;
pub mod rules;
pub mod set_options;
pub mod state;
pub mod status;
pub mod violations;
