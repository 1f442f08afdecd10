//! What the extension says to PostgreSQL: errors, warnings and log lines. The only place that names SQLSTATEs.

use crate::error::Error;
use crate::ffi::plannable::Refusal;
use crate::ffi::raise::{Level, Report};
use crate::load_order::LoadOrder;
use crate::lookup::{Instead, Missing};
use crate::policy_file::PolicyFileError;
use crate::settings::Enforcement;
use fdw_guard_policy::ddl::quote_identifier;
use fdw_guard_policy::diff::DesiredError;
use fdw_guard_policy::effective::Origin;
use fdw_guard_policy::health::{Finding, Kind};
use fdw_guard_policy::model::ObjectType;
use fdw_guard_policy::rule::{Mode, Notice};
use fdw_guard_policy::suggest::nearest;
use fdw_guard_policy::undo::UndoError;
use fdw_guard_policy::violation::{self, Violation, ViolationKind};
use pgrx::pg_sys::errcodes::PgSqlErrorCode as Code;

impl Report {
    fn new(level: Level, sqlstate: Code, message: impl Into<String>) -> Self {
        Self {
            level,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            schema: None,
            table: None,
            column: None,
            constraint: None,
        }
    }

    fn error(sqlstate: Code, message: impl Into<String>) -> Self {
        Self::new(Level::Error, sqlstate, message)
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// Another library would see secrets.
pub fn loaded_too_early(order: &LoadOrder) -> Report {
    let list = order.after.join(", ");
    Report::new(
        Level::Warning,
        Code::ERRCODE_WARNING,
        format!("libraries that are loaded after fdw_guard see secrets: {list}"),
    )
    .with_detail("The text of a statement reaches them before the values of secret options are hidden in it.")
    .with_hint(order.hint())
}

/// A statement was refused; `account` says who wanted to change what.
pub fn refusal(rule: &str, account: &str) -> Report {
    Report {
        constraint: Some(rule.to_owned()),
        ..Report::new(
            Level::Log,
            Code::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("rule \"{rule}\" refused a change: {account}"),
        )
    }
}

/// Another policy file is in force.
pub fn policy_file_changed(rule: &str, account: &str) -> Report {
    Report {
        constraint: Some(rule.to_owned()),
        ..Report::new(
            Level::Log,
            Code::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("the policy file has changed rule \"{rule}\": {account}"),
        )
    }
}

/// The server starts with a policy file; what it was before is not known.
pub fn policy_file_in_force(rules: &str) -> Report {
    Report::new(Level::Log, Code::ERRCODE_SUCCESSFUL_COMPLETION, format!("the policy file has these rules: {rules}"))
}

/// The reports for all violations of a statement: log lines and warnings one by one, and one error for all denials.
pub fn of_violations(violations: Vec<Violation>, enforcement: Enforcement) -> Vec<Report> {
    let (denied, others): (Vec<_>, Vec<_>) =
        violations.into_iter().partition(|found| found.mode == Mode::Deny && enforcement == Enforcement::On);
    let mut reports: Vec<Report> = others.iter().filter_map(of_one_violation).collect();
    reports.extend(of_all(Level::Error, &denied));
    reports
}

fn of_one_violation(found: &Violation) -> Option<Report> {
    let level = match found.mode {
        Mode::Deny | Mode::Warn => Level::Warning,
        Mode::Audit => Level::Log,
        Mode::Off => return None,
    };
    of_all(level, std::slice::from_ref(found))
}

fn of_all(level: Level, violations: &[Violation]) -> Option<Report> {
    let said = violation::report(violations)?;
    Some(Report {
        level,
        sqlstate: sqlstate(said.kind),
        message: said.message,
        detail: Some(said.detail).filter(|detail| !detail.is_empty()),
        hint: said.hint,
        schema: said.schema,
        table: said.relation,
        column: said.column,
        constraint: Some(said.rule),
    })
}

fn sqlstate(kind: ViolationKind) -> Code {
    match kind {
        ViolationKind::InvalidValue => Code::ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
        ViolationKind::InvalidName => Code::ERRCODE_FDW_INVALID_OPTION_NAME,
        ViolationKind::MissingOption => Code::ERRCODE_FDW_OPTION_NAME_NOT_FOUND,
        ViolationKind::GovernedForm => Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let report = |sqlstate| Self::error(sqlstate, error.to_string());
        match &error {
            Error::InvalidRule { rule, fault } => Self {
                constraint: Some(rule.clone()).filter(|rule| !rule.is_empty()),
                ..report(Code::ERRCODE_CHECK_VIOLATION)
                    .with_detail(if fault.field.is_empty() { capitalised(&format!("{fault}.")) } else { format!("{fault}.") })
                    .with_hint("SELECT fdw_guard.policy_schema() describes what a rule may say.")
            },
            Error::NotATrigger | Error::NotAHistoryTrigger | Error::NotASecretsTrigger => {
                report(Code::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED)
            }
            Error::NoGrantOnRules { verb, writes_all_data } => Self {
                detail: writes_all_data
                    .then(|| "Membership in pg_write_all_data is not enough to write rules.".to_owned()),
                ..report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE)
                    .with_hint(format!("GRANT {verb} ON fdw_guard.rule to the role that writes rules."))
            },
            Error::NotTrusted { rule } => {
                Self { constraint: Some(rule.clone()), ..report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE) }
            }
            Error::PolicyFile { fault } => report(Code::ERRCODE_CONFIG_FILE_ERROR)
                .with_detail(fault.clone())
                .with_hint("Mend the file that fdw_guard.policy_file names, and reload the configuration."),
            Error::NoDelegate => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE).with_hint(
                "SELECT fdw_guard.create_wrapper(name, delegate) makes a guarded wrapper with its functions.",
            ),
            Error::DelegateMissing { name } => report(Code::ERRCODE_UNDEFINED_OBJECT).with_hint(format!(
                "If it comes with an extension of that name: CREATE EXTENSION {}.",
                quote_identifier(name)
            )),
            Error::DelegateFunctionMissing { .. } => report(Code::ERRCODE_UNDEFINED_FUNCTION).with_hint(
                "Make the function again, or give the wrapper other ones: ALTER FOREIGN DATA WRAPPER … HANDLER … VALIDATOR ….",
            ),
            Error::DelegateGuarded { .. } => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
                .with_hint("Make a guarded wrapper with the innermost wrapper as its delegate."),
            Error::DelegateWithoutHandler { .. } => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
                .with_detail("Foreign tables cannot be used through it; servers and user mappings can be made."),
            Error::DelegateChanged { .. } => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
                .with_detail("This session has used the former one, and what it has planned belongs to that.")
                .with_hint("Connect again."),
            Error::UnknownPack { known, .. } => {
                report(Code::ERRCODE_UNDEFINED_OBJECT).with_hint(format!("The packs are: {known}."))
            }
            Error::NotPlannable { refusal, number, count, .. } => report(Code::ERRCODE_FEATURE_NOT_SUPPORTED)
                .with_detail(format!("{} {}", nth_statement(*number, *count), why_not_planned(*refusal)))
                .with_hint(
                    "Nothing was run. Plans are made of what creates, alters or drops foreign-data wrappers, servers, user \
                     mappings, foreign tables and triggers on these, alters or drops a table above foreign ones, grants or \
                     revokes rights on wrappers and servers, and of DROP OWNED and REASSIGN OWNED.",
                ),
            Error::PlanRewrites => report(Code::ERRCODE_FEATURE_NOT_SUPPORTED)
                .with_detail("The statement reaches a table that is not foreign, and would write its rows anew.")
                .with_hint("BEGIN, the statement and ROLLBACK show what it does; they lock the table and write it anew."),
            Error::PlanWithinPlan | Error::PlanInParallel | Error::PlanAside => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            Error::LockTimeout => report(Code::ERRCODE_INVALID_PARAMETER_VALUE)
                .with_hint("It may be from 0, which waits without end, to 24 days."),
            Error::Interrupted(caught) => {
                Self { detail: caught.detail.clone(), hint: caught.hint.clone(), ..report(Code::from(caught.code)) }
            }
            Error::UnknownRule { near, .. } => Self {
                hint: near.as_ref().map(|near| format!("Perhaps you meant the rule \"{near}\".")),
                ..report(Code::ERRCODE_UNDEFINED_OBJECT)
            },
            Error::TrialAndName => report(Code::ERRCODE_INVALID_PARAMETER_VALUE)
                .with_hint("Leave out \"rule\" to ask about a rule in force, or \"rule_name\" to try one."),
            Error::Missing(missing) => missing_object(missing),
            Error::HistoryIsKept => report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE)
                .with_hint("SELECT fdw_guard.prune_history(older_than) removes old rows."),
            Error::SecretsAreKept => report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE)
                .with_hint("SELECT fdw_guard.prune_secrets() removes what no rule asks for any more."),
            Error::Secrets(_) => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE).with_hint(
                "Make the extension anew, or switch the rules off until then that have max_age or reuse_history.",
            ),
            Error::History(_) => report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE).with_hint(
                "Make the extension anew; a superuser can SET fdw_guard.record_history = off until then.",
            ),
            Error::CannotRevert { reason, .. } => Self {
                hint: how_to_revert(reason),
                ..report(Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
            },
            Error::SecretsAreCompared => report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE),
            Error::RevertedIsGone { .. } => report(Code::ERRCODE_UNDEFINED_OBJECT),
            Error::OutOfMemory(_) => report(Code::ERRCODE_OUT_OF_MEMORY)
                .with_detail("Secrets in the text of the statement could not be hidden."),
            Error::NotMember { .. } => report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE)
                .with_detail("Only members of that role may see it, and superusers."),
            Error::Desired(fault) => report(match fault {
                DesiredError::LongName { .. } => Code::ERRCODE_NAME_TOO_LONG,
                _ => Code::ERRCODE_INVALID_PARAMETER_VALUE,
            }),
            Error::Pattern { fault, .. } => {
                report(Code::ERRCODE_INVALID_PARAMETER_VALUE).with_detail(format!("{}.", capitalised(&fault.to_string())))
            }
            Error::NullArgument { .. } => report(Code::ERRCODE_NULL_VALUE_NOT_ALLOWED),
            Error::NotOwner { mapping_of, .. } => Self {
                detail: mapping_of.as_ref().map(|role| format!("The user mapping is that of \"{role}\".")),
                hint: how_to_own(&error),
                ..report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE)
            },
            Error::NoUsage { server, caller } => report(Code::ERRCODE_INSUFFICIENT_PRIVILEGE).with_hint(format!(
                "Its owner can give the right: GRANT USAGE ON FOREIGN SERVER {} TO {}.",
                quote_identifier(server),
                quote_identifier(caller)
            )),
            Error::UnknownObjectType { name, known } => {
                let near = nearest(name, known.iter().copied()).map(|near| format!("Perhaps you meant \"{near}\"."));
                report(Code::ERRCODE_INVALID_PARAMETER_VALUE)
                    .with_hint(near.unwrap_or_else(|| format!("The types are: {}.", known.join(", "))))
            }
            Error::Untold => report(Code::ERRCODE_INTERNAL_ERROR),
            Error::ChangedMeanwhile { .. } => {
                report(Code::ERRCODE_T_R_SERIALIZATION_FAILURE).with_hint("Call the function again.")
            }
            Error::ChangedSinceBegin { .. } => report(Code::ERRCODE_T_R_SERIALIZATION_FAILURE)
                .with_hint("Call the function again in a new transaction."),
        }
    }
}

fn how_to_revert(reason: &UndoError) -> Option<String> {
    match reason {
        UndoError::ChangedSince => Some(
            "Revert the later change first: fdw_guard.timeline(object_type, identity) shows the changes of an object."
                .to_owned(),
        ),
        UndoError::Grantor(role) => Some(format!("Call it again after SET ROLE {role}.")),
        UndoError::GrantOption => Some("Revert the change of the other one first.".to_owned()),
        _ => None,
    }
}

fn nth_statement(number: usize, count: usize) -> String {
    if count > 1 { format!("Statement {number} of {count}") } else { "It".to_owned() }
}

fn why_not_planned(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotSqlMed => "is none of those of which a plan can be made.",
        Refusal::OtherGrant => "grants or revokes no right on a foreign-data wrapper or a server.",
        Refusal::ConnectsOut => "connects to another server, which no rollback undoes.",
        Refusal::CommitsInside => "commits inside itself, which no rollback undoes.",
    }
}

fn missing_object(missing: &Missing) -> Report {
    let sqlstate = match missing {
        Missing::Server { .. } | Missing::Role { .. } | Missing::UserMapping { .. } => Code::ERRCODE_UNDEFINED_OBJECT,
        Missing::Object { object_type: ObjectType::ForeignTable, .. }
        | Missing::Table { .. }
        | Missing::Relation(_) => Code::ERRCODE_UNDEFINED_TABLE,
        Missing::Object { .. } => Code::ERRCODE_UNDEFINED_OBJECT,
        Missing::NotAForeignTable { .. } | Missing::Told { .. } => Code::ERRCODE_WRONG_OBJECT_TYPE,
        Missing::Column { .. } => Code::ERRCODE_UNDEFINED_COLUMN,
    };
    let meant =
        |what, near: &Option<String>| near.as_ref().map(|near| format!("Perhaps you meant the {what} \"{near}\"."));
    let hint = match missing {
        Missing::Server { near, .. } => meant("server", near),
        Missing::Role { near, .. } => meant("role", near),
        Missing::Column { near, .. } => meant("column", near),
        Missing::Table { near, .. } => near.as_ref().map(|near| format!("Perhaps you meant the foreign table {near}.")),
        Missing::Object { near, .. } => near.as_ref().map(|near| format!("Perhaps you meant \"{near}\".")),
        Missing::Told { .. } => Some("get_ddl('foreign table', …) tells a column with its table.".to_owned()),
        Missing::UserMapping { instead: Instead::UsePublic, .. } => {
            Some("The server has a mapping for public, which a role without one of its own uses.".to_owned())
        }
        Missing::UserMapping { instead: Instead::Create, .. } => Some("With \"create\" => true it is made.".to_owned()),
        Missing::UserMapping { .. } | Missing::Relation(_) | Missing::NotAForeignTable { .. } => None,
    };
    Report { hint, ..Report::error(sqlstate, missing.to_string()) }
}

/// How the caller could have the rights of the owner. Nobody is to be made a member of a superuser for that.
fn how_to_own(error: &Error) -> Option<String> {
    let Error::NotOwner { of, name, owner, owner_is_superuser, caller, .. } = error else { return None };
    let (owner, caller) = (quote_identifier(owner), quote_identifier(caller));
    if !owner_is_superuser {
        return Some(format!(
            "The owner is role {owner}, and members of it have its rights: GRANT {owner} TO {caller}."
        ));
    }
    let of = if *of == "foreign server" { "SERVER" } else { "FOREIGN TABLE" };
    let name = quote_identifier(name);
    Some(format!("The owner, {owner}, is a superuser, who can give it away: ALTER {of} {name} OWNER TO {caller}."))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// The patterns of `rotate_secret` fit nothing; `unknown` says why and what may have been meant.
pub fn no_mapping_matches(unknown: Option<(String, Option<String>)>) -> Report {
    let (detail, hint) = unknown.unzip();
    Report { detail, hint: hint.flatten(), ..notice("no user mapping matches".to_owned()) }
}

/// A rule that is tried can find nothing, or whatever it is about violates it.
pub fn finding_on_trial(rule: &str, finding: &Finding) -> Report {
    let verb = match finding.kind {
        Kind::NeverSatisfied => " is",
        Kind::NoSecret => " finds",
        _ => "",
    };
    Report {
        detail: Some(finding.detail.clone()),
        hint: finding.hint.clone(),
        ..notice(format!("rule \"{rule}\"{verb} {}", finding.kind.name()))
    }
}

/// Nothing stands that could violate the rule that is asked about, for that reason.
pub fn nothing_violates(rule: &str, why: &str) -> Report {
    notice(format!("rule \"{rule}\" {why}"))
}

fn notice(message: String) -> Report {
    Report::new(Level::Notice, Code::ERRCODE_SUCCESSFUL_COMPLETION, message)
}

/// No user mapping that matches has the option.
pub fn nothing_to_rotate(option: &str, near: Option<String>) -> Report {
    Report {
        hint: near.map(|near| format!("Perhaps you meant the option \"{near}\".")),
        ..Report::new(
            Level::Notice,
            Code::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("no user mapping that matches has the option \"{option}\""),
        )
    }
}

/// A user mapping counts whose options the caller may not see.
pub fn hidden_mapping(origin: &Origin) -> Report {
    Report::new(
        Level::Notice,
        Code::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("the options of {} \"{}\" are not shown", origin.object_type, origin.identity),
    )
    .with_detail("They show to those who see them in pg_user_mappings, and may override others that are shown.")
}

/// Violations of user mappings whose options the caller may not see are not told.
pub fn hidden_mappings(count: usize) -> Report {
    Report::new(
        Level::Notice,
        Code::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("user mappings that were not looked at: {count}"),
    )
    .with_detail("Violations of a user mapping show to those who see its options in pg_user_mappings.")
}

/// The server is started with a policy file that will not do.
pub fn policy_file_at_start(error: &PolicyFileError) -> Report {
    Report::new(Level::Fatal, Code::ERRCODE_CONFIG_FILE_ERROR, "fdw_guard.policy_file names a file that will not do")
        .with_detail(error.to_string())
        .with_hint("Mend the file, or take the setting out of the configuration, and start the server again.")
}

/// Something that the author of a rule should know.
pub fn notice_on_rule(rule: &str, notice: &Notice) -> Report {
    Report {
        hint: notice.hint.clone(),
        constraint: Some(rule.to_owned()),
        ..Report::new(
            Level::Notice,
            Code::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("rule \"{rule}\": {}", notice.message),
        )
    }
}
