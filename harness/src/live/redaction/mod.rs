//! A password in an OPTIONS list never shows in a log, a statistic or a view of ours.
//!
//! Each statement has a secret of its own, which nobody can guess (`canary`), written in one of PostgreSQL's spellings
//! (`spelling`), on one of the ways to the server (`paths`), to one of many ends (`outcomes`); all of them are the `cases`.
//! They are played on a `stage`, and then every of the `places` is searched for every secret.

mod canary;
mod cases;
mod outcomes;
mod paths;
mod places;
mod proof;
mod spelling;
mod stage;
mod wire;

use super::LiveTest;

pub const TESTS: &[LiveTest] =
    &[LiveTest { name: "redaction::no_secret_shows_in_any_place", run: proof::no_secret_shows }];
