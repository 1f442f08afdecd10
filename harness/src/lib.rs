//! Builds fdw_guard, puts it into a private copy of a PostgreSQL installation, and runs tests and a demonstration there.
//!
//! One build serves every version of PostgreSQL: which one is used is read from `PG_CONFIG` when it runs.

pub mod account;
pub mod bench;
pub mod cluster;
pub mod command;
pub mod database;
pub mod demo;
pub mod fields;
pub mod forms;
pub mod functions;
pub mod installation;
pub mod live;
pub mod mariadb;
pub mod mirror;
pub mod package;
pub mod place;
pub mod programs;
pub mod project;
pub mod random;
pub mod regress;
pub mod rust_tests;
pub mod sandbox;
pub mod settings;
pub mod suites;
pub mod tally;
pub mod testing;
pub mod tour;
