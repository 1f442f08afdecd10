//! A password in an OPTIONS list never shows in a log, a statistic or a view of ours.
//!
//! Each statement has a secret of its own, which nobody can guess (`canary`), written in one of PostgreSQL's spellings
//! (`spelling`), on one of the ways to the server (`paths`), to one of many ends (`outcomes`); all of them are the `cases`.
//! They are played on a `stage`, and then every of the `places` is searched for every secret.

mod canary;
mod cases;
mod log_hook;
mod messages;
mod order;
mod outcomes;
mod paths;
mod places;
mod proof;
mod spelling;
mod stage;
mod stored;
mod wire;

use super::LiveTest;

pub const TESTS: &[LiveTest] = &[
    LiveTest { name: "redaction::no_secret_shows_in_any_place", run: proof::no_secret_shows },
    LiveTest { name: "redaction::no_secret_shows_in_other_encodings", run: proof::no_secret_shows_in_other_encodings },
    LiveTest { name: "redaction::no_secret_shows_after_odd_messages", run: messages::in_odd_messages },
    LiveTest { name: "redaction::what_is_stored_is_quoted_by_nobody", run: stored::is_quoted_by_nobody },
    LiveTest { name: "redaction::what_is_stored_tells_no_guess", run: stored::tells_nobody_that_he_has_guessed },
    LiveTest { name: "redaction::log_hook_in_every_kind_of_process", run: log_hook::in_every_kind_of_process },
    LiveTest { name: "redaction::log_hook_inside_error_recursion", run: log_hook::inside_error_recursion },
    LiveTest { name: "redaction::log_hook_with_a_very_long_text", run: log_hook::with_a_very_long_text },
    LiveTest { name: "redaction::log_hook_with_a_very_long_line", run: log_hook::with_a_very_long_line },
    LiveTest { name: "redaction::log_hook_with_memory_short", run: log_hook::with_memory_short },
    LiveTest { name: "redaction::order_says_which_setting_mends_it", run: order::says_which_setting_mends_it },
    LiveTest { name: "redaction::order_says_so_of_pgaudit", run: order::says_so_of_pgaudit },
    LiveTest { name: "redaction::order_says_so_of_sessions", run: order::says_so_of_sessions },
    LiveTest { name: "redaction::order_says_when_it_is_off", run: order::says_when_it_is_off },
];
