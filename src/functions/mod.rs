//! The SQL functions: thin, and safe.

pub mod delegates;
pub mod effective;
pub mod get_ddl;
pub mod history;
pub mod options;
pub mod packs;
pub mod plan;
pub mod policy;
pub mod policy_check;
pub mod revert;
pub mod rules;
pub mod secrets;
pub mod set_options;
pub mod shared_secrets;
pub mod state;
pub mod status;
pub mod violations;
