//! Tests that run inside a backend: `cargo pgrx test`, and `make test`, which calls them as `tests.*()`.

mod catalog;
mod frames;
mod surface;
