//! Where the project's own files are.

use std::path::{Path, PathBuf};

/// The project's directory, the one that holds its Makefile.
///
/// `cargo run` says at run time where the harness's sources are; the path from build time is wrong once the project has
/// been moved, which cargo does not take as a reason to build again.
pub fn root() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let harness = told.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    harness.parent().map_or_else(|| harness.clone(), Path::to_owned)
}
