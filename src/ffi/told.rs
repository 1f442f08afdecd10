//! What the parser tells of a text: that it is one statement which alters options and does nothing else, and which options.
//! Nothing else in such a text can be a secret, unless there is a comment in it, or a name in double quotes, in which anything
//! may stand if somebody has closed one too many; where such a thing may begin, the text is read instead.

use crate::ffi::{client_text, quiet, stored};
use fdw_guard_policy::model::ObjectType;
use pgrx::pg_sys::{self, Node, NodeTag, ObjectType as Altered};

/// Where options of a table may stand: in a text these are not told from those of its columns.
const OF_TABLES: &[ObjectType] = &[ObjectType::ForeignTable, ObjectType::ForeignTableColumn];

/// Whether a statement alters options and does nothing else.
///
/// # Safety
/// `tree` is the parse tree of a utility statement.
pub unsafe fn alters_options_only(tree: *const Node) -> bool {
    // SAFETY: the caller's promise; the tag says which struct a node is.
    unsafe {
        match (*tree).type_ {
            NodeTag::T_AlterUserMappingStmt => true,
            NodeTag::T_AlterForeignServerStmt => !(*tree.cast::<pg_sys::AlterForeignServerStmt>()).has_version,
            NodeTag::T_AlterTableStmt => {
                let statement = &*tree.cast::<pg_sys::AlterTableStmt>();
                let is_of_table = matches!(statement.objtype, Altered::OBJECT_TABLE | Altered::OBJECT_FOREIGN_TABLE);
                let is_about_options = |node: &*mut Node| {
                    (**node).type_ == NodeTag::T_AlterTableCmd && stored::is_about_options(&*node.cast())
                };
                is_of_table && quiet::elements::<Node>(statement.cmds).iter().all(is_about_options)
            }
            _ => false,
        }
    }
}

/// Whether such a statement is all of the text, and `may_be_shown` holds for each of its options, by name and by where it may
/// stand.
///
/// # Safety
/// The query is what PostgreSQL has made of a statement of that text, one that alters options only.
pub unsafe fn is_without_secrets(
    query: &pg_sys::Query,
    text: &[u8],
    may_be_shown: impl Fn(&[ObjectType], &[u8]) -> bool,
) -> bool {
    if !is_all_of(query, text) || may_hold_comments_or_names(text) {
        return false;
    }
    let all_may = |on: &[ObjectType], options: *const pg_sys::List| {
        // SAFETY: the caller's promise; a list of options consists of DefElem, each with a name.
        unsafe {
            let mut options = quiet::elements::<pg_sys::DefElem>(options).iter();
            let may = |name: &[u8]| name.len() < CUT && may_be_shown(on, name);
            options.all(|option| client_text::with_bytes((**option).defname, may))
        }
    };
    let tree = query.utilityStmt;
    // SAFETY: the caller's promise; the tag says which struct a node is.
    unsafe {
        match (*tree).type_ {
            NodeTag::T_AlterUserMappingStmt => {
                all_may(&[ObjectType::UserMapping], (*tree.cast::<pg_sys::AlterUserMappingStmt>()).options)
            }
            NodeTag::T_AlterForeignServerStmt => {
                all_may(&[ObjectType::Server], (*tree.cast::<pg_sys::AlterForeignServerStmt>()).options)
            }
            NodeTag::T_AlterTableStmt => {
                let commands = (*tree.cast::<pg_sys::AlterTableStmt>()).cmds;
                let mut commands = quiet::elements::<pg_sys::AlterTableCmd>(commands).iter();
                commands.all(|command| all_may(OF_TABLES, (**command).def.cast()))
            }
            _ => false,
        }
    }
}

/// Bytes from which on a name may have been cut, perhaps before a character of four.
const CUT: usize = pg_sys::NAMEDATALEN as usize - 4;

fn may_hold_comments_or_names(text: &[u8]) -> bool {
    let begins = |place: usize| match (text.get(place), text.get(place + 1)) {
        (Some(b'-'), next) => next == Some(&b'-'),
        (Some(b'/'), next) => next == Some(&b'*'),
        _ => true,
    };
    memchr::memchr3_iter(b'-', b'/', b'"', text).any(begins)
}

/// Whether nothing else stands in the text.
fn is_all_of(query: &pg_sys::Query, text: &[u8]) -> bool {
    let Ok(start) = usize::try_from(query.stmt_location) else { return false };
    let end = match usize::try_from(query.stmt_len) {
        Ok(0) => text.len(),
        Ok(length) => start + length,
        Err(_) => return false,
    };
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b';';
    let around = text.get(..start).zip(text.get(end..));
    around.is_some_and(|(before, behind)| before.iter().chain(behind).all(is_blank))
}
