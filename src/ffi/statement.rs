//! What a statement's parse tree says: whether it can reach SQL/MED objects, and what it leaves no trace of.

use crate::ffi::{client_text, quiet, text, version};
use crate::redaction;
use crate::scene::Class;
use fdw_guard_policy::form::Form;
use pgrx::pg_sys::{self, AlterTableType, Node, NodeTag, ObjectType, Oid};
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

/// Whether the statement is watched as one of its own.
///
/// Left out are statements that change no catalog and run no other statement, and the parts of a larger statement
/// (`PROCESS_UTILITY_SUBCOMMAND`: the column OPTIONS of CREATE FOREIGN TABLE, the elements of CREATE SCHEMA), which
/// belong to the statement that contains them. A kind that is not listed is watched: what a future PostgreSQL adds is
/// governed until somebody has looked at it.
///
/// # Safety
/// `statement` is the planned statement that PostgreSQL gave to the hook.
pub unsafe fn is_watched(statement: *const pg_sys::PlannedStmt, context: pg_sys::ProcessUtilityContext::Type) -> bool {
    if context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_SUBCOMMAND {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe { !concerns_no_object((*statement).utilityStmt) }
}

/// Whether a statement is of the two kinds that are sent most, of those that [`concerns_no_object`] tells.
///
/// # Safety
/// As there.
#[inline]
pub unsafe fn is_everyday(tree: *const Node) -> bool {
    // SAFETY: the caller's promise.
    matches!(unsafe { (*tree).type_ }, NodeTag::T_TransactionStmt | NodeTag::T_VariableSetStmt)
}

/// Whether a statement is of a kind that never changes an object, nor runs another statement.
///
/// # Safety
/// `tree` is the parse tree of a utility statement.
pub unsafe fn concerns_no_object(tree: *const Node) -> bool {
    // SAFETY: a utility statement's parse tree is a Node and begins with its tag.
    let tag = unsafe { (*tree).type_ };
    matches!(
        tag,
        NodeTag::T_TransactionStmt
            | NodeTag::T_VariableSetStmt
            | NodeTag::T_VariableShowStmt
            | NodeTag::T_DiscardStmt
            | NodeTag::T_LockStmt
            | NodeTag::T_ConstraintsSetStmt
            | NodeTag::T_CheckPointStmt
            | NodeTag::T_NotifyStmt
            | NodeTag::T_ListenStmt
            | NodeTag::T_UnlistenStmt
            | NodeTag::T_FetchStmt
            | NodeTag::T_ClosePortalStmt
            | NodeTag::T_PrepareStmt
            | NodeTag::T_DeallocateStmt
            | NodeTag::T_LoadStmt
    )
}

/// What the catalogs will not tell of a statement.
#[derive(Default, Debug)]
pub struct Said {
    pub named: Option<Named>,
    /// Grants may change, and nothing is touched when they do.
    pub may_grant: bool,
    pub foretold: Option<Foretold>,
    /// The options that ALTER gives a value: one that has it already leaves no trace.
    pub written: Vec<String>,
    /// The statement changes nothing of a table but the table's own options: nothing that is inside it.
    pub stays_outside: bool,
}

/// Characters that are kept of a statement, which stands in every row that it writes: as many as pg_stat_activity shows.
const LONGEST: usize = 1024;

/// A running statement as its sender wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    text: *const c_char,
    location: c_int,
    length: c_int,
    tag: pg_sys::CommandTag::Type,
}

impl Wording {
    /// # Safety
    /// `statement` is the planned statement that PostgreSQL gave to the hook, `text` null or the C string that came with
    /// it. Both live until the statement has ended, the statement itself perhaps no longer.
    pub unsafe fn of(statement: *const pg_sys::PlannedStmt, text: *const c_char) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let (location, length) = ((*statement).stmt_location, (*statement).stmt_len);
            Self { text, location, length, tag: quiet::CreateCommandTag((*statement).utilityStmt) }
        }
    }

    /// As PostgreSQL reports it when it has succeeded, for example `ALTER SERVER`.
    pub fn tag(&self) -> String {
        // SAFETY: each tag has a name, a constant.
        unsafe { text::from_server(quiet::GetCommandTagName(self.tag)) }
    }

    /// The statement, without others that were sent with it and with `***` for each secret, cut if it is long. To be asked
    /// for until the statement has ended.
    pub fn without_secrets(&self) -> String {
        if self.text.is_null() {
            return String::new();
        }
        // SAFETY: the text lives as long as the statement.
        let whole = unsafe { CStr::from_ptr(self.text) }.to_bytes();
        let own = self.own_part(whole);
        let alone = whole.trim_ascii();
        if own == alone.strip_suffix(b";").unwrap_or(alone) && client_text::holds_no_secret(self.text) {
            return cut(own);
        }
        match redaction::with_stars(own) {
            Ok(None) => cut(own),
            Ok(Some(hidden)) => cut(&hidden),
            Err(_) => "***".to_owned(),
        }
    }

    /// The statement as it was written, without others that were sent with it. To be asked for until the statement has ended.
    pub fn own_text(&self) -> &[u8] {
        // SAFETY: the text lives as long as the statement.
        if self.text.is_null() { &[] } else { self.own_part(unsafe { CStr::from_ptr(self.text) }.to_bytes()) }
    }

    /// The place of a statement that fills the text is told as -1, the length of the last one as 0 (`PlannedStmt`).
    fn own_part<'t>(&self, whole: &'t [u8]) -> &'t [u8] {
        let rest = usize::try_from(self.location).ok().and_then(|start| whole.get(start..)).unwrap_or(whole);
        let length = usize::try_from(self.length).ok().filter(|length| *length > 0);
        length.and_then(|length| rest.get(..length)).unwrap_or(rest).trim_ascii()
    }
}

/// The text of the first bytes, whole characters.
fn cut(statement: &[u8]) -> String {
    let text = text::from_bytes(statement.get(..4 * LONGEST + 4).unwrap_or(statement));
    if text.len() <= LONGEST {
        return text;
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The forms that a statement names: one that changes nothing leaves no trace.
#[derive(Debug)]
pub struct Named {
    pub whose: Whose,
    pub forms: Vec<NamedForm>,
}

/// To which object a statement does what it names.
#[derive(Debug)]
pub enum Whose {
    /// The relation of that name, which it need not touch.
    Relation(RelationName),
    /// What it touches of that class.
    Touched(Class),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedForm {
    pub form: Form,
    /// The column, where the form is about one.
    pub column: Option<String>,
}

impl NamedForm {
    /// A form of an object itself.
    pub fn of_object(form: Form) -> Self {
        Self { form, column: None }
    }
}

/// A relation as a statement names it.
#[derive(Debug)]
pub struct RelationName {
    schema: Option<String>,
    name: String,
}

/// A change that is judged before it is made: the statement commits inside itself, or reaches out to another server.
#[derive(Clone, Copy, Debug)]
pub enum Foretold {
    /// IMPORT FOREIGN SCHEMA from the server.
    Import(Oid),
    /// DETACH PARTITION … CONCURRENTLY of the relation.
    Detach(Oid),
}

/// # Safety
/// `tree` is the parse tree of a utility statement.
pub unsafe fn must_be_foretold(tree: *const pg_sys::Node) -> bool {
    // SAFETY: the caller's promise.
    matches!(unsafe { (*tree).type_ }, NodeTag::T_ImportForeignSchemaStmt | NodeTag::T_AlterTableStmt)
}

/// The change to judge before the statement runs. What does not exist is PostgreSQL's to complain of.
///
/// # Safety
/// As for [`must_be_foretold`].
pub unsafe fn foretold(tree: *mut pg_sys::Node) -> Option<Foretold> {
    // SAFETY: the caller's promise; the tag says which struct the tree is.
    unsafe {
        if (*tree).type_ == NodeTag::T_ImportForeignSchemaStmt {
            let import = &*tree.cast::<pg_sys::ImportForeignSchemaStmt>();
            let server = pg_sys::get_foreign_server_oid(import.server_name, true);
            return (server != Oid::INVALID).then_some(Foretold::Import(server));
        }
        let detached = commands(tree.cast_const().cast()).into_iter().find_map(|command| {
            let partition = command.def.cast::<pg_sys::PartitionCmd>();
            (command.subtype == AlterTableType::AT_DetachPartition && (*partition).concurrent)
                .then(|| RelationName::of((*partition).name))
        });
        detached.and_then(|partition| partition.find()).map(Foretold::Detach)
    }
}

/// Whether [`said`] may have anything to tell.
///
/// # Safety
/// As for [`must_be_foretold`].
pub unsafe fn says_more(tree: *const pg_sys::Node) -> bool {
    // SAFETY: the caller's promise.
    let tag = unsafe { (*tree).type_ };
    matches!(
        tag,
        NodeTag::T_AlterTableStmt
            | NodeTag::T_GrantStmt
            | NodeTag::T_DropOwnedStmt
            | NodeTag::T_CreateSchemaStmt
            | NodeTag::T_AlterUserMappingStmt
            | NodeTag::T_AlterForeignServerStmt
            | NodeTag::T_AlterFdwStmt
            | NodeTag::T_AlterOwnerStmt
            | NodeTag::T_AlterObjectSchemaStmt
    )
}

/// # Safety
/// As for [`must_be_foretold`].
pub unsafe fn said(tree: *mut pg_sys::Node) -> Said {
    // SAFETY: the caller's promise; the tag says which struct the tree is.
    unsafe {
        match (*tree).type_ {
            NodeTag::T_AlterTableStmt => {
                let written = written_to_table(tree.cast());
                let stays_outside = stays_outside(tree.cast());
                Said { named: named(tree.cast()), foretold: foretold(tree), written, stays_outside, ..Said::default() }
            }
            NodeTag::T_GrantStmt => {
                let objects = (*tree.cast::<pg_sys::GrantStmt>()).objtype;
                let may_grant = matches!(objects, ObjectType::OBJECT_FDW | ObjectType::OBJECT_FOREIGN_SERVER);
                Said { may_grant, ..Said::default() }
            }
            // GRANT may stand within CREATE SCHEMA.
            NodeTag::T_CreateSchemaStmt => {
                let elements = (*tree.cast::<pg_sys::CreateSchemaStmt>()).schemaElts;
                Said { may_grant: !elements.is_null(), ..Said::default() }
            }
            NodeTag::T_DropOwnedStmt => Said { may_grant: true, ..Said::default() },
            NodeTag::T_AlterUserMappingStmt => {
                altered(Class::UserMapping, None, (*tree.cast::<pg_sys::AlterUserMappingStmt>()).options)
            }
            NodeTag::T_AlterForeignServerStmt => {
                let server = &*tree.cast::<pg_sys::AlterForeignServerStmt>();
                altered(Class::Server, server.has_version.then_some(Form::Version), server.options)
            }
            NodeTag::T_AlterFdwStmt => {
                let wrapper = &*tree.cast::<pg_sys::AlterFdwStmt>();
                altered(Class::Wrapper, forms_of_functions(wrapper.func_options), wrapper.options)
            }
            NodeTag::T_AlterOwnerStmt => match (*tree.cast::<pg_sys::AlterOwnerStmt>()).objectType {
                ObjectType::OBJECT_FDW => altered(Class::Wrapper, [Form::OwnerTo], ptr::null()),
                ObjectType::OBJECT_FOREIGN_SERVER => altered(Class::Server, [Form::OwnerTo], ptr::null()),
                _ => Said::default(),
            },
            NodeTag::T_AlterObjectSchemaStmt => match (*tree.cast::<pg_sys::AlterObjectSchemaStmt>()).objectType {
                ObjectType::OBJECT_TABLE | ObjectType::OBJECT_FOREIGN_TABLE => {
                    altered(Class::Relation, [Form::SetSchema], ptr::null())
                }
                _ => Said::default(),
            },
            _ => Said::default(),
        }
    }
}

/// What a statement says that alters the one object of that class that it touches, by these forms and by OPTIONS if it has
/// any.
///
/// # Safety
/// The list of options is null or that of a valid parse tree.
unsafe fn altered(class: Class, forms: impl IntoIterator<Item = Form>, options: *const pg_sys::List) -> Said {
    let of_options = (!options.is_null()).then_some(Form::Options);
    let forms = forms.into_iter().chain(of_options).map(NamedForm::of_object).collect();
    // SAFETY: the caller's promise.
    let written = unsafe { written(options) }.collect();
    Said { named: Some(Named { whose: Whose::Touched(class), forms }), written, ..Said::default() }
}

/// HANDLER and VALIDATOR and their opposites.
///
/// # Safety
/// The list is null or that of a valid parse tree, which outlives the answer.
unsafe fn forms_of_functions(functions: *const pg_sys::List) -> impl Iterator<Item = Form> {
    // SAFETY: the caller's promise; each element has a name, the one word or the other.
    let functions =
        unsafe { elements(functions).map(|it| (CStr::from_ptr(it.defname) == c"handler", it.arg.is_null())) };
    functions.map(|function| match function {
        (true, false) => Form::Handler,
        (true, true) => Form::NoHandler,
        (false, false) => Form::Validator,
        (false, true) => Form::NoValidator,
    })
}

/// Whether ALTER TABLE is about the options of the table itself and nothing else.
///
/// # Safety
/// The statement is a valid parse tree.
unsafe fn stays_outside(statement: *const pg_sys::AlterTableStmt) -> bool {
    // SAFETY: the caller's promise.
    let commands = unsafe { commands(statement) };
    commands.iter().all(|command| command.subtype == AlterTableType::AT_GenericOptions)
}

/// The options of the table itself that ALTER TABLE gives a value.
///
/// # Safety
/// The statement is a valid parse tree.
unsafe fn written_to_table(statement: *const pg_sys::AlterTableStmt) -> Vec<String> {
    // SAFETY: the caller's promise; the definition of such a command is a list of options.
    unsafe {
        let of_table = commands(statement).into_iter();
        let of_table = of_table.filter(|command| command.subtype == AlterTableType::AT_GenericOptions);
        of_table.flat_map(|command| written(command.def.cast())).collect()
    }
}

/// The options of an OPTIONS list that are added or set.
///
/// # Safety
/// The list is that of a valid parse tree, which outlives the answer.
unsafe fn written(options: *const pg_sys::List) -> impl Iterator<Item = String> {
    // SAFETY: the caller's promise; each element has a name.
    unsafe {
        let given = elements(options).filter(|option| option.defaction != pg_sys::DefElemAction::DEFELEM_DROP);
        given.map(|option| text::from_server(option.defname))
    }
}

/// # Safety
/// The list is null or one of DefElems of a valid parse tree, which outlives the answer.
unsafe fn elements<'a>(list: *const pg_sys::List) -> impl Iterator<Item = &'a pg_sys::DefElem> {
    // SAFETY: the caller's promise.
    unsafe { quiet::elements(list).iter().map(|element: &*mut pg_sys::DefElem| &**element) }
}

/// # Safety
/// The statement is a valid parse tree.
unsafe fn named(statement: *mut pg_sys::AlterTableStmt) -> Option<Named> {
    // SAFETY: the caller's promise.
    unsafe {
        let forms: Vec<NamedForm> = commands(statement).into_iter().filter_map(|command| named_form(command)).collect();
        let relation = || Whose::Relation(RelationName::of((*statement).relation));
        (!forms.is_empty()).then(|| Named { whose: relation(), forms })
    }
}

/// # Safety
/// The statement is a valid parse tree, which outlives the answer.
pub unsafe fn commands<'a>(statement: *const pg_sys::AlterTableStmt) -> Vec<&'a pg_sys::AlterTableCmd> {
    // SAFETY: the caller's promise; `cmds` is a list of AlterTableCmd or, after analysis, of other nodes as well.
    unsafe {
        quiet::elements((*statement).cmds)
            .iter()
            .filter(|node: &&*mut pg_sys::Node| (***node).type_ == NodeTag::T_AlterTableCmd)
            .map(|node| &*node.cast::<pg_sys::AlterTableCmd>())
            .collect()
    }
}

/// # Safety
/// The command is of a valid parse tree.
unsafe fn named_form(command: &pg_sys::AlterTableCmd) -> Option<NamedForm> {
    // SAFETY: the caller's promise; the name is null or a C string.
    unsafe {
        let (form, is_about_column) = form_of(command)?;
        let column = text::from_server_opt(command.name).filter(|_| is_about_column);
        Some(NamedForm { form, column })
    }
}

/// The form that a command of ALTER TABLE is, and whether it is about a column; None for what foreign tables do not have.
///
/// # Safety
/// The command is of a valid parse tree.
unsafe fn form_of(command: &pg_sys::AlterTableCmd) -> Option<(Form, bool)> {
    let of_column = |form| Some((form, true));
    let of_table = |form| Some((form, false));
    match command.subtype {
        AlterTableType::AT_AddColumn => of_table(Form::AddColumn),
        AlterTableType::AT_DropColumn => of_table(Form::DropColumn),
        AlterTableType::AT_AlterColumnType => of_column(Form::SetDataType),
        AlterTableType::AT_ColumnDefault if command.def.is_null() => of_column(Form::DropDefault),
        AlterTableType::AT_ColumnDefault => of_column(Form::SetDefault),
        AlterTableType::AT_SetNotNull => of_column(Form::SetNotNull),
        AlterTableType::AT_DropNotNull => of_column(Form::DropNotNull),
        AlterTableType::AT_SetStatistics => of_column(Form::SetStatistics),
        AlterTableType::AT_SetOptions => of_column(Form::SetAttributeOption),
        AlterTableType::AT_ResetOptions => of_column(Form::ResetAttributeOption),
        AlterTableType::AT_SetStorage => of_column(Form::SetStorage),
        AlterTableType::AT_AlterColumnGenericOptions => of_column(Form::Options),
        AlterTableType::AT_AddIdentity
        | AlterTableType::AT_SetIdentity
        | AlterTableType::AT_DropIdentity
        | AlterTableType::AT_DropExpression => of_column(Form::Other),
        subtype if version::is_set_expression(subtype) => of_column(Form::Other),
        // SAFETY: the definition of such a command is a Constraint.
        AlterTableType::AT_AddConstraint => unsafe { of_constraint(command.def.cast()) },
        AlterTableType::AT_ValidateConstraint => of_table(Form::ValidateConstraint),
        AlterTableType::AT_DropConstraint => of_table(Form::DropConstraint),
        AlterTableType::AT_AlterConstraint => of_table(Form::Other),
        AlterTableType::AT_EnableTrig | AlterTableType::AT_EnableTrigAll | AlterTableType::AT_EnableTrigUser => {
            of_table(Form::EnableTrigger)
        }
        AlterTableType::AT_DisableTrig | AlterTableType::AT_DisableTrigAll | AlterTableType::AT_DisableTrigUser => {
            of_table(Form::DisableTrigger)
        }
        AlterTableType::AT_EnableReplicaTrig => of_table(Form::EnableReplicaTrigger),
        AlterTableType::AT_EnableAlwaysTrig => of_table(Form::EnableAlwaysTrigger),
        AlterTableType::AT_DropOids => of_table(Form::SetWithoutOids),
        AlterTableType::AT_AddInherit => of_table(Form::Inherit),
        AlterTableType::AT_DropInherit => of_table(Form::NoInherit),
        AlterTableType::AT_ChangeOwner => of_table(Form::OwnerTo),
        AlterTableType::AT_GenericOptions => of_table(Form::Options),
        _ => None,
    }
}

/// A NOT NULL constraint is its column's.
///
/// # Safety
/// The constraint is of a valid parse tree.
unsafe fn of_constraint(constraint: *const pg_sys::Constraint) -> Option<(Form, bool)> {
    // SAFETY: the caller's promise.
    let is_not_null = unsafe { (*constraint).contype == pg_sys::ConstrType::CONSTR_NOTNULL };
    Some((if is_not_null { Form::SetNotNull } else { Form::AddConstraint }, false))
}

impl RelationName {
    /// # Safety
    /// The range variable is of a valid parse tree.
    pub unsafe fn of(variable: *const pg_sys::RangeVar) -> Self {
        // SAFETY: the caller's promise; a schema is null or a C string, a name is one.
        unsafe {
            Self { schema: text::from_server_opt((*variable).schemaname), name: text::from_server((*variable).relname) }
        }
    }

    /// Name parts as they stand between dots; the database, if it is named, does not count. None of no part at all.
    pub fn from_parts(mut parts: Vec<String>) -> Option<Self> {
        let name = parts.pop()?;
        Some(Self { schema: parts.pop(), name })
    }

    /// The relation that has this name now.
    pub fn find(&self) -> Option<Oid> {
        let schema = self.schema.as_deref().map_or(ptr::null(), text::to_server_name);
        // SAFETY: makeRangeVar keeps the palloc'ed strings; nothing is locked, and a missing relation is no error.
        let relation = unsafe {
            let name = text::to_server_name(&self.name);
            let variable = pg_sys::makeRangeVar(schema.cast_mut(), name.cast_mut(), -1);
            let flags = pg_sys::RVROption::RVR_MISSING_OK;
            pg_sys::RangeVarGetRelidExtended(variable, pg_sys::NoLock as c_int, flags, None, ptr::null_mut())
        };
        (relation != Oid::INVALID).then_some(relation)
    }
}
