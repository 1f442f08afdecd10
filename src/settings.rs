//! Every setting: its meaning, its default, who may set it, and what happens at the edge.

use crate::ffi::checked_setting::{self, Hooks, No};
use crate::ffi::{delegates, server, text};
use crate::{policy_file, redaction};
use fdw_guard_policy::secret::SecretOptions;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use std::ffi::{CStr, CString};

/// What the rules of mode `deny` do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
pub enum Enforcement {
    /// They refuse the statement.
    #[name = c"on"]
    On,
    /// They raise a WARNING and let it pass: for trying rules out.
    #[name = c"warn"]
    Warn,
    /// They do nothing, and are read only to tell the history which of them are overridden. A superuser's way past a rule.
    #[name = c"off"]
    Off,
}

/// When rules are checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
pub enum CheckMode {
    /// At the end of each statement.
    #[name = c"immediate"]
    Immediate,
    /// Before commit: for a restore, and for a change that takes several statements and is right only as a whole. Within
    /// the transaction a forbidden option can be used, so this is a superuser's to give.
    #[name = c"deferred"]
    Deferred,
}

static ENFORCEMENT: GucSetting<Enforcement> = GucSetting::<Enforcement>::new(Enforcement::On);
static CHECK_MODE: GucSetting<CheckMode> = GucSetting::<CheckMode>::new(CheckMode::Immediate);
static POLICY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static REDACT: GucSetting<bool> = GucSetting::<bool>::new(true);
static RECORD_HISTORY: GucSetting<bool> = GucSetting::<bool>::new(true);
static OVERRIDE_REASON: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EXPLAIN: GucSetting<bool> = GucSetting::<bool>::new(true);
/// Set by the functions of guarded wrappers, and read from these: a session's own value means nothing. They may be set by
/// everybody because PostgreSQL sets them for whoever calls such a function.
static DELEGATES: [(&CStr, GucSetting<Option<CString>>); 3] = [
    (delegates::WRAPPER, GucSetting::<Option<CString>>::new(Some(c""))),
    (delegates::HANDLER, GucSetting::<Option<CString>>::new(Some(c""))),
    (delegates::VALIDATOR, GucSetting::<Option<CString>>::new(Some(c""))),
];
static SECRET_OPTIONS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(DEFAULT_SECRET_OPTIONS));

/// [`SecretOptions::DEFAULT`] as PostgreSQL wants it.
#[allow(clippy::indexing_slicing, reason = "the compiler itself runs this, and would refuse a wrong index")]
const DEFAULT_SECRET_OPTIONS: &CStr = {
    const TEXT: &[u8] = SecretOptions::DEFAULT.as_bytes();
    const WITH_NUL: [u8; TEXT.len() + 1] = {
        let (mut bytes, mut place) = ([0; TEXT.len() + 1], 0);
        while place < TEXT.len() {
            bytes[place] = TEXT[place];
            place += 1;
        }
        bytes
    };
    match CStr::from_bytes_with_nul(&WITH_NUL) {
        Ok(text) => text,
        Err(_) => c"*",
    }
};

const SECRET_OPTIONS_HOOKS: Hooks = checked_setting::hooks!(check_secret_options, learn_secret_options);
const POLICY_FILE_HOOKS: Hooks = checked_setting::hooks!(policy_file::check, policy_file::assign);

/// A list that cannot be read here, because the session's encoding is known within a transaction only, is looked at when
/// it is used.
fn check_secret_options(list: &CStr) -> Result<(), No> {
    let list = text::from_bytes_if_known(list.to_bytes());
    let parsed = list.map(|list| SecretOptions::parse(&list)).transpose();
    parsed.map(drop).map_err(|error| No::Refused(error.to_string()))
}

/// What cannot be read here makes everything a secret.
fn learn_secret_options(list: &CStr) {
    let list = text::from_bytes_if_known(list.to_bytes());
    redaction::learn_setting(&list.map_or_else(SecretOptions::all, |list| SecretOptions::or_all(&list)));
}

/// Makes the settings known to PostgreSQL.
pub fn define() {
    GucRegistry::define_enum_guc(
        c"fdw_guard.enforcement",
        c"What rules of mode deny do: refuse the statement, warn, or nothing.",
        c"Only a superuser can change it; with off, rules are read for the history only.",
        &ENFORCEMENT,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"fdw_guard.check_mode",
        c"When rules are checked: at the end of each statement, or before commit.",
        c"Deferred suits restores and changes that take several statements. What will be refused can be used until then, so only a superuser can change it.",
        &CHECK_MODE,
        GucContext::Suset,
        GucFlags::default(),
    );
    checked_setting::define(
        c"fdw_guard.secret_options",
        c"Names of options whose value is never shown, as patterns separated by commas.",
        c"Patterns are psql's: * for any letters, ? for one; ! before a pattern excludes. The options of a user mapping are secret anyway unless a rule pack says otherwise.",
        &SECRET_OPTIONS,
        GucContext::Suset,
        SECRET_OPTIONS_HOOKS,
    );
    checked_setting::define(
        c"fdw_guard.policy_file",
        c"A JSON document with rules for every database of the cluster.",
        c"Relative to the data directory; owned by root or the server's account and writable by nobody else. Read at start and on reload; a reload with a file that is not valid leaves the rules as they were.",
        &POLICY_FILE,
        GucContext::Sighup,
        POLICY_FILE_HOOKS,
    );
    GucRegistry::define_bool_guc(
        c"fdw_guard.redact",
        c"Whether values of secret options are hidden in the server log, in statistics and from other extensions.",
        c"Off only to find a fault: the statement and the catalog are the same either way.",
        &REDACT,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"fdw_guard.record_history",
        c"Whether changes of foreign objects and of rules are written to fdw_guard.history.",
        c"Off for what nobody will ask about, such as a restore. Only a superuser can change it.",
        &RECORD_HISTORY,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"fdw_guard.override_reason",
        c"Why rules are overridden, for fdw_guard.history.",
        c"It is kept with each change that fdw_guard.enforcement lets pass although a rule of mode deny forbids it.",
        &OVERRIDE_REASON,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"fdw_guard.explain",
        c"Whether EXPLAIN names the delegate and the user mapping of a guarded wrapper.",
        c"Off where the output must be that of the delegate.",
        &EXPLAIN,
        GucContext::Userset,
        GucFlags::default(),
    );
    for (name, setting) in &DELEGATES {
        GucRegistry::define_string_guc(
            name,
            c"The delegate of a guarded wrapper, as a setting of the wrapper's functions.",
            c"It is read from the functions; setting it in a session does nothing.",
            setting,
            GucContext::Userset,
            GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE,
        );
    }
    // A misspelt setting is refused, and not kept as a placeholder that does nothing.
    checked_setting::reserve_prefix(c"fdw_guard");
}

/// Off, too, where there is nobody to refuse anything to.
pub fn enforcement() -> Enforcement {
    if server::tidies_up() { Enforcement::Off } else { ENFORCEMENT.get() }
}

pub fn check_mode() -> CheckMode {
    CHECK_MODE.get()
}

/// Whether secrets are hidden in the server log, in statistics and from other extensions.
pub fn redact() -> bool {
    REDACT.get()
}

/// Whether changes are written to the history.
pub fn record_history() -> bool {
    RECORD_HISTORY.get()
}

/// Why rules are overridden; None if nothing is said.
pub fn override_reason() -> Option<String> {
    let reason = OVERRIDE_REASON.get().map(|reason| text::from_bytes(reason.to_bytes()));
    reason.filter(|reason| !reason.is_empty())
}

/// Whether EXPLAIN says more of a guarded wrapper than its delegate does.
pub fn explain() -> bool {
    EXPLAIN.get()
}

/// Whether a policy file is named.
pub fn names_policy_file() -> bool {
    POLICY_FILE.get().is_some_and(|name| !name.is_empty())
}

/// Which options are secret by their names. A list that cannot be parsed makes all of them secret.
pub fn secret_options() -> SecretOptions {
    let list = SECRET_OPTIONS.get().map(|list| text::from_bytes(list.to_bytes())).unwrap_or_default();
    SecretOptions::or_all(&list)
}
