//! Which statements a plan can be made of: those of SQL/MED, as far as a rollback undoes them.

use crate::ffi::inside;
use crate::ffi::statement::{self, RelationName};
use crate::ffi::{catalog, quiet, text};
use pgrx::pg_sys::{self, AlterTableType, DefElemAction, List, Node, NodeTag, ObjectType, Oid};
use std::collections::HashSet;
use std::ffi::c_char;

/// Why no plan is made of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    NotSqlMed,
    /// It is GRANT or REVOKE of something else.
    OtherGrant,
    /// It reaches out to another server.
    ConnectsOut,
    /// It commits inside itself.
    CommitsInside,
}

fn is_of_server(object_type: ObjectType::Type) -> bool {
    matches!(object_type, ObjectType::OBJECT_FDW | ObjectType::OBJECT_FOREIGN_SERVER)
}

/// What ALTER may call a foreign table.
fn is_relation(object_type: ObjectType::Type) -> bool {
    matches!(
        object_type,
        ObjectType::OBJECT_FOREIGN_TABLE
            | ObjectType::OBJECT_TABLE
            | ObjectType::OBJECT_INDEX
            | ObjectType::OBJECT_VIEW
    )
}

/// # Safety
/// The statement is a valid parse tree.
unsafe fn detaches_concurrently(statement: *const pg_sys::AlterTableStmt) -> bool {
    // SAFETY: the caller's promise; the definition of such a command is a PartitionCmd.
    unsafe {
        statement::commands(statement).into_iter().any(|command| {
            command.subtype == AlterTableType::AT_DetachPartition
                && (*command.def.cast::<pg_sys::PartitionCmd>()).concurrent
        })
    }
}

/// What a text reaches: what is foreign already, and what its own statements put foreign tables below.
#[derive(Default)]
pub struct Reach {
    parents: HashSet<Oid>,
}

impl Reach {
    /// Why the statement is no matter for a plan; None if it is.
    ///
    /// # Safety
    /// `tree` is a parsed statement.
    pub unsafe fn refusal(&self, tree: *mut Node) -> Option<Refusal> {
        // SAFETY: the caller's promise; the tag says which struct the tree is.
        unsafe {
            match (*tree).type_ {
                NodeTag::T_ImportForeignSchemaStmt => Some(Refusal::ConnectsOut),
                NodeTag::T_AlterTableStmt if detaches_concurrently(tree.cast()) => Some(Refusal::CommitsInside),
                _ if self.is_of_sql_med(tree) => None,
                NodeTag::T_GrantStmt => Some(Refusal::OtherGrant),
                _ => Some(Refusal::NotSqlMed),
            }
        }
    }

    /// # Safety
    /// As for [`Self::refusal`].
    unsafe fn is_of_sql_med(&self, tree: *mut Node) -> bool {
        // SAFETY: the caller's promise; the tag says which struct the tree is.
        unsafe {
            match (*tree).type_ {
                NodeTag::T_CreateFdwStmt
                | NodeTag::T_AlterFdwStmt
                | NodeTag::T_CreateForeignServerStmt
                | NodeTag::T_AlterForeignServerStmt
                | NodeTag::T_CreateUserMappingStmt
                | NodeTag::T_AlterUserMappingStmt
                | NodeTag::T_DropUserMappingStmt
                | NodeTag::T_CreateForeignTableStmt
                // What a role owns may be foreign objects.
                | NodeTag::T_DropOwnedStmt
                | NodeTag::T_ReassignOwnedStmt => true,
                NodeTag::T_AlterTableStmt => self.alters_foreign_table(&*tree.cast()),
                NodeTag::T_DropStmt => self.drops_foreign_object(&*tree.cast()),
                NodeTag::T_RenameStmt => self.renames_foreign_object(&*tree.cast()),
                NodeTag::T_AlterOwnerStmt => is_of_server((*tree.cast::<pg_sys::AlterOwnerStmt>()).objectType),
                NodeTag::T_GrantStmt => is_of_server((*tree.cast::<pg_sys::GrantStmt>()).objtype),
                NodeTag::T_AlterObjectSchemaStmt => {
                    let statement = &*tree.cast::<pg_sys::AlterObjectSchemaStmt>();
                    is_relation(statement.objectType) && self.reaches_foreign_table(statement.relation)
                }
                NodeTag::T_CreateTrigStmt => self.reaches_foreign_table((*tree.cast::<pg_sys::CreateTrigStmt>()).relation),
                _ => false,
            }
        }
    }

    /// # Safety
    /// The statement is a valid parse tree.
    unsafe fn alters_foreign_table(&self, statement: &pg_sys::AlterTableStmt) -> bool {
        // SAFETY: the caller's promise; the definition of a command on partitions is a PartitionCmd.
        unsafe {
            let is_foreign_partition = |command: &pg_sys::AlterTableCmd| {
                matches!(command.subtype, AlterTableType::AT_AttachPartition | AlterTableType::AT_DetachPartition)
                    && self.reaches_foreign_table((*command.def.cast::<pg_sys::PartitionCmd>()).name)
            };
            is_relation(statement.objtype)
                && (self.reaches_foreign_table(statement.relation)
                    || statement::commands(statement).into_iter().any(is_foreign_partition))
        }
    }

    /// # Safety
    /// The statement is a valid parse tree.
    unsafe fn drops_foreign_object(&self, statement: &pg_sys::DropStmt) -> bool {
        // SAFETY: the caller's promise; a table is named by a list of strings, and a trigger by its table's with its own behind.
        unsafe {
            match statement.removeType {
                ObjectType::OBJECT_FDW | ObjectType::OBJECT_FOREIGN_SERVER | ObjectType::OBJECT_FOREIGN_TABLE => true,
                ObjectType::OBJECT_TABLE => {
                    items(statement.objects).into_iter().any(|name| self.named_reaches_foreign_table(name.cast(), 0))
                }
                ObjectType::OBJECT_TRIGGER => {
                    items(statement.objects).into_iter().any(|name| self.named_reaches_foreign_table(name.cast(), 1))
                }
                _ => false,
            }
        }
    }

    /// # Safety
    /// The statement is a valid parse tree.
    unsafe fn renames_foreign_object(&self, statement: &pg_sys::RenameStmt) -> bool {
        let is_of_relation = is_relation(statement.renameType)
            || matches!(
                statement.renameType,
                ObjectType::OBJECT_COLUMN | ObjectType::OBJECT_TABCONSTRAINT | ObjectType::OBJECT_TRIGGER
            );
        // SAFETY: the caller's promise; what belongs to a relation names it.
        is_of_server(statement.renameType)
            || is_of_relation && unsafe { self.reaches_foreign_table(statement.relation) }
    }

    /// # Safety
    /// `name` is a list of strings, the last of which do not name the relation.
    unsafe fn named_reaches_foreign_table(&self, name: *mut List, others: usize) -> bool {
        // SAFETY: the caller's promise.
        let mut names: Vec<String> = unsafe { items(name).into_iter().map(|part| string(part.cast())).collect() };
        names.truncate(names.len().saturating_sub(others));
        RelationName::from_parts(names).is_none_or(|name| self.is_foreign_or_missing(name.find()))
    }

    /// # Safety
    /// The range variable is null or of a valid parse tree.
    unsafe fn reaches_foreign_table(&self, variable: *const pg_sys::RangeVar) -> bool {
        // SAFETY: the caller's promise.
        !variable.is_null() && self.is_foreign_or_missing(unsafe { RelationName::of(variable) }.find())
    }

    /// Whether the relation is a foreign table, or one stands below it; one that is missing may be made by a statement of the
    /// same text, and these make no other tables.
    fn is_foreign_or_missing(&self, relation: Option<Oid>) -> bool {
        relation.is_none_or(|relation| {
            catalog::is_foreign_table(relation)
                || inside::foreign_heirs(relation).next().is_some()
                || self.parents.contains(&relation)
        })
    }

    /// The statement will have run when the next one does.
    ///
    /// # Safety
    /// As for [`Self::refusal`].
    pub unsafe fn note(&mut self, tree: *mut Node) {
        // SAFETY: the caller's promise; names of relations are looked up as they stand in the tree.
        unsafe {
            let parents = parents(tree).into_iter();
            self.parents.extend(parents.filter_map(|parent| RelationName::of(parent.cast()).find()));
        }
    }
}

/// The relations below which the statement puts a table.
///
/// # Safety
/// As for [`Reach::refusal`].
unsafe fn parents(tree: *mut Node) -> Vec<*mut Node> {
    // SAFETY: the caller's promise; the tag says which struct the tree is, and the definition of INHERIT is a RangeVar.
    unsafe {
        match (*tree).type_ {
            NodeTag::T_CreateForeignTableStmt => {
                items((*tree.cast::<pg_sys::CreateForeignTableStmt>()).base.inhRelations)
            }
            NodeTag::T_AlterTableStmt => {
                let statement = &*tree.cast::<pg_sys::AlterTableStmt>();
                let parent = |command: &pg_sys::AlterTableCmd| match command.subtype {
                    AlterTableType::AT_AttachPartition => Some(statement.relation.cast()),
                    AlterTableType::AT_AddInherit => Some(command.def),
                    _ => None,
                };
                statement::commands(statement).into_iter().filter_map(parent).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// # Safety
/// `list` is null or a list of nodes, which outlive the answer.
unsafe fn items(list: *mut List) -> Vec<*mut Node> {
    // SAFETY: the caller's promise.
    unsafe { quiet::elements(list).to_vec() }
}

/// # Safety
/// `node` is a String of a parse tree.
unsafe fn string(node: *const pg_sys::String) -> String {
    // SAFETY: the caller's promise.
    unsafe { text::from_server((*node).sval.cast::<c_char>()) }
}

/// The options to which the statement gives a value, if it is about a user mapping.
///
/// # Safety
/// As for [`Reach::refusal`].
pub unsafe fn written(tree: *mut Node) -> Vec<String> {
    // SAFETY: the caller's promise; the tag says which struct the tree is, and options are DefElems.
    unsafe {
        let options = match (*tree).type_ {
            NodeTag::T_CreateUserMappingStmt => (*tree.cast::<pg_sys::CreateUserMappingStmt>()).options,
            NodeTag::T_AlterUserMappingStmt => (*tree.cast::<pg_sys::AlterUserMappingStmt>()).options,
            _ => return Vec::new(),
        };
        let options = items(options).into_iter().map(|option| &*option.cast::<pg_sys::DefElem>());
        let written = options.filter(|option| option.defaction != DefElemAction::DEFELEM_DROP);
        written.map(|option| text::from_server(option.defname)).collect()
    }
}
