//! What the SQL of `revert` and `timeline` asks of the library: recorded objects as they are now.

use crate::error::Error;
use crate::ffi::function::{Answer, Call, Value};
use crate::ffi::raise::Failure;
use crate::ffi::server;
use crate::history;
use crate::revert::Recorded;
use fdw_guard_policy::history::RULE;
use fdw_guard_policy::model::ObjectType;
use fdw_guard_policy::undo::{self, UndoError};

/// The statements that undo a row of the history, given its columns, whether the object was dropped since, so that one of the
/// same name or oid is another, and whether the attribute, or else the object, was changed since.
pub fn undo(call: &Call) -> Result<Answer<'_>, Error> {
    let (Some(object_type), Some(identity), Some(kind)) = (call.text(0), call.text(1), call.text(6)) else {
        return Ok(Answer::One(Value::Null));
    };
    let cannot = |reason| Error::CannotRevert { object_type: object_type.clone(), identity: identity.clone(), reason };
    let known = ObjectType::from_name(&object_type).ok_or_else(|| cannot(UndoError::NoStatement))?;
    let change = undo::Recorded { attribute: call.text(5), change: kind, old: call.text(7), new: call.text(8) };
    if change.attribute.is_none() && change.change == "drop" {
        return Err(cannot(UndoError::Dropped));
    }
    let recorded = recorded(call, known, identity.clone());
    let gone = || Error::RevertedIsGone { object_type: object_type.clone(), identity: identity.clone() };
    let was_dropped = call.boolean(9).unwrap_or_default();
    let now = recorded.find().filter(|_| !was_dropped).ok_or_else(gone)?;
    // Whether it has been changed since would tell what it is.
    if !history::may_see(&object_type, history::system_identifier(), Some(now.oid)) {
        return Err(cannot(UndoError::Unseen));
    }
    let present = change.attribute.as_deref().map(|attribute| now.values(attribute)).unwrap_or_default();
    let grantor = now.grantor();
    let is_changed = call.boolean(10).unwrap_or_default();
    let now = undo::Now { object: &now.situation, present: &present, grantor: grantor.as_deref(), is_changed };
    let statements = change.undo(now).map_err(cannot)?;
    Ok(Answer::One(Value::TextArray(statements)))
}

/// Keeps others from changing the object of a row of the history, given the columns that name it.
pub fn lock_recorded(call: &Call) -> Result<Answer<'_>, Failure> {
    server::must_be_writable(c"revert()");
    let object_type = call.text(0).as_deref().and_then(ObjectType::from_name);
    if let Some((object_type, identity)) = object_type.zip(call.text(1)) {
        recorded(call, object_type, identity).lock()?;
    }
    Ok(Answer::One(Value::Null))
}

/// The object that the first columns name.
fn recorded(call: &Call, object_type: ObjectType, identity: String) -> Recorded {
    Recorded {
        object_type,
        identity,
        system_identifier: call.big_integer(2).unwrap_or_default(),
        object: call.oid(3),
        column: call.small_integer(4).unwrap_or_default(),
    }
}

/// The object of that type that has that identity now, as rows of the history name it; no row if there is none, as for a
/// rule, which is no object.
pub fn object_now(call: &Call) -> Result<Answer<'_>, Error> {
    let name = call.text(0).unwrap_or_default();
    let object_type = ObjectType::from_name(&name);
    if object_type.is_none() && name != RULE {
        let known = ObjectType::ALL.iter().map(|object_type| object_type.name()).chain([RULE]).collect();
        return Err(Error::UnknownObjectType { name, known });
    }
    let found = object_type.and_then(|object_type| {
        let identity = call.text(1).unwrap_or_default();
        let system_identifier = history::system_identifier();
        Recorded { object_type, identity, system_identifier, object: None, column: 0 }.find()
    });
    Ok(Answer::rows(found.map(|now| {
        vec![Value::BigInteger(history::system_identifier()), Value::Oid(now.oid), Value::Integer(now.column.into())]
    })))
}
