//! `status`: which protections are active in this session, and why others are not.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::history::{self, History};
use crate::ffi::{self, catalog, hooks, rules, server};
use crate::functions::delegates;
use crate::functions::rules::is_in_force;
use crate::load_order::LoadOrder;
use crate::policy_file;
use crate::settings::{self, CheckMode, Enforcement};
use fdw_guard_policy::ddl::quote_literal;
use fdw_guard_policy::rule::Rule;

/// One protection, and what a DBA would want to know of it.
struct Protection {
    name: &'static str,
    active: bool,
    detail: String,
    hint: Option<String>,
}

pub fn status(_call: &Call) -> Result<Answer<'_>, Error> {
    let protections =
        [loading(), enforcement(), check_mode(), table()?, file(), order(), log(), others(), record(), guards()];
    Ok(Answer::rows(protections.map(|protection| {
        vec![
            Value::from(protection.name),
            Value::from(protection.active),
            Value::from(protection.detail),
            Value::from(protection.hint),
        ]
    })))
}

fn loading() -> Protection {
    let everywhere = crate::is_preloaded();
    Protection {
        name: "every session is guarded",
        active: everywhere && !server::stands_aside(),
        detail: if server::stands_aside() {
            "hooks stand aside in single-user mode and during pg_upgrade".into()
        } else if everywhere {
            "loaded by shared_preload_libraries".into()
        } else {
            "loaded in this session only; another session is guarded once it has loaded the library".into()
        },
        hint: (!everywhere).then(|| "Add fdw_guard to shared_preload_libraries and restart the server.".into()),
    }
}

fn enforcement() -> Protection {
    let (active, detail) = match settings::enforcement() {
        Enforcement::On => (true, "rules of mode deny refuse the statement"),
        Enforcement::Warn => (false, "rules of mode deny only warn"),
        Enforcement::Off => (false, "rules refuse nothing"),
    };
    Protection {
        name: "rules are enforced",
        active,
        detail: format!("fdw_guard.enforcement: {detail}"),
        hint: (!active).then(|| "RESET fdw_guard.enforcement, or set it to on.".into()),
    }
}

fn check_mode() -> Protection {
    let (active, detail) = match settings::check_mode() {
        CheckMode::Immediate => (true, "at the end of each statement"),
        CheckMode::Deferred => (false, "before commit"),
    };
    Protection {
        name: "each statement is checked at once",
        active,
        detail: format!("fdw_guard.check_mode: rules are checked {detail}"),
        hint: None,
    }
}

fn table() -> Result<Protection, Error> {
    let rules = rules::table().map(rules::read).transpose()?.unwrap_or_default();
    let in_force = in_force(&rules);
    Ok(Protection {
        name: "rules of this database",
        active: in_force > 0,
        detail: format!("rules in force in table fdw_guard.rule: {in_force}"),
        hint: (in_force == 0)
            .then(|| "Write a rule with fdw_guard.add_rule(), or install a pack of fdw_guard.packs.".into()),
    })
}

fn in_force(rules: &[Rule]) -> usize {
    let database = catalog::database_name();
    rules.iter().filter(|rule| is_in_force(rule, &database)).count()
}

fn file() -> Protection {
    let in_force = in_force(&policy_file::rules());
    let fault = policy_file::must_be_in_force().is_err();
    Protection {
        name: "rules of the cluster",
        active: in_force > 0,
        detail: if fault {
            "the policy file will not do: foreign objects cannot be changed in this session".into()
        } else if settings::names_policy_file() {
            format!("rules in force from fdw_guard.policy_file: {in_force}")
        } else {
            "fdw_guard.policy_file is not set".into()
        },
        hint: fault.then(|| "The server log says what is wrong with it; mend it and reload the configuration.".into()),
    }
}

fn order() -> Protection {
    let first = hooks::is_first_hook();
    Protection {
        name: "first to see a statement",
        active: first,
        detail: if first {
            "no library's hook runs before fdw_guard's".into()
        } else {
            "a library that was loaded after fdw_guard sees statements first; rules hold all the same".into()
        },
        hint: (!first).then(|| LoadOrder::now().hint()),
    }
}

fn log() -> Protection {
    let (redacts, first) = (settings::redact(), ffi::log::is_first_hook());
    Protection {
        name: "no secret in the server log",
        active: redacts && first,
        detail: if !redacts {
            "fdw_guard.redact is off".into()
        } else if first {
            "values of secret options are written as ***".into()
        } else {
            "a library that was loaded after fdw_guard sees log lines first".into()
        },
        hint: if !redacts { Some(REDACT.into()) } else { (!first).then(|| LoadOrder::now().hint()) },
    }
}

const REDACT: &str = "RESET fdw_guard.redact, or set it to on.";

/// A library that a session loads by itself cannot be put before one that the server has loaded.
fn others() -> Protection {
    let (redacts, order) = (settings::redact(), LoadOrder::now());
    let seen = !order.after.is_empty() || !hooks::is_first_hook();
    Protection {
        name: "no secret in other extensions",
        active: redacts && !seen,
        detail: if !redacts {
            "fdw_guard.redact is off".into()
        } else if !order.after.is_empty() {
            format!("these are loaded after fdw_guard and see secrets: {}", order.after.join(", "))
        } else if seen {
            "a library that was loaded after fdw_guard sees secrets".into()
        } else {
            "those that were loaded before fdw_guard see statements without secrets".into()
        },
        hint: if !redacts { Some(REDACT.into()) } else { seen.then(|| order.hint()) },
    }
}

fn record() -> Protection {
    let (on, history) = (settings::record_history(), history::find());
    Protection {
        name: "changes are recorded",
        active: on && matches!(history, History::Table(_)),
        detail: if !on {
            "fdw_guard.record_history is off".into()
        } else if history == History::Lost {
            "the table fdw_guard.history_row is missing: foreign objects cannot be changed".into()
        } else {
            "in fdw_guard.history".into()
        },
        hint: (!on).then(|| "RESET fdw_guard.record_history, or set it to on.".into()),
    }
}

/// A dump carries neither the handler nor the validator of a wrapper that belongs to an extension.
fn guards() -> Protection {
    let (guarded, lost) = delegates::in_place();
    let name = "guards in place";
    if let Some(first) = lost.first() {
        return Protection {
            name,
            active: false,
            detail: format!("no longer guarded in place: {}", lost.join(", ")),
            hint: Some(format!("SELECT fdw_guard.guard_wrapper({});", quote_literal(first))),
        };
    }
    let active = !guarded.is_empty();
    let detail = if active { guarded.join(", ") } else { "no wrapper is guarded in place".into() };
    let hint = active.then(|| "After a restore guard the wrappers that belong to an extension again.".into());
    Protection { name, active, detail, hint }
}
