//! What is hidden of the options of many objects, found once for all those that no rule tells apart.

use super::visible_situation;
use crate::error::Error;
use crate::ffi::option_rows::{Bytes, OptionRow};
use crate::ffi::{kept, rules, text};
use crate::scene::{self, Class};
use crate::{policy_in_force, redaction};
use fdw_guard_policy::secret::{Secrecy, Shown};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Names, and whether they are those of secrets.
type Names = Vec<(Box<[u8]>, bool)>;

/// What is hidden of an object's options.
pub struct Mask {
    secrecy: Rc<Secrecy>,
    /// Names that were asked for; few, so that they are looked through.
    known: RefCell<Names>,
}

/// Names that are kept of a mask.
const MOST_NAMES: usize = 64;

impl Mask {
    fn new(secrecy: Rc<Secrecy>) -> Self {
        Self { secrecy, known: RefCell::default() }
    }

    /// An element of an OPTIONS list, in the database's encoding, as it may be shown.
    pub fn show<'e>(&self, element: &'e [u8]) -> OptionRow<'e> {
        // A name holds no `=` (transformGenericOptions), so the first one ends it.
        let end = memchr::memchr(b'=', element).unwrap_or(element.len());
        let (name, value) = element.split_at(end);
        let value = value.get(1..).unwrap_or_default();
        let is_secret = self.is_secret(name);
        let value = match is_secret {
            true => Bytes::Own(b"***"),
            false if is_plain(value) => Bytes::Own(value),
            false => Bytes::Text(self.show_public(name, value).to_string()),
        };
        let option = if is_plain(name) { Bytes::Own(name) } else { Bytes::Text(text::from_bytes(name)) };
        OptionRow { option, value, is_secret }
    }

    fn show_public(&self, name: &[u8], value: &[u8]) -> Shown {
        self.secrecy.show_whole(&text::from_bytes(name), text::from_bytes(value).as_str().into())
    }

    fn is_secret(&self, name: &[u8]) -> bool {
        let find = |known: &Names| known.iter().find(|(known, _)| **known == *name).map(|(_, is_secret)| *is_secret);
        if let Some(is_secret) = find(&self.known.borrow()) {
            return is_secret;
        }
        let is_secret = self.secrecy.is_secret(&text::from_bytes(name));
        let mut known = self.known.borrow_mut();
        if known.len() < MOST_NAMES {
            known.push((name.into(), is_secret));
        }
        is_secret
    }
}

/// Whether a text is shown as it is, whatever the encoding.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// What masks were made from; while this stays the same, so do they.
type Origin = (Option<Oid>, redaction::Version, u64);

fn origin() -> Origin {
    (rules::table(), redaction::version(), kept::generation())
}

/// Objects that share a mask: those of one class on one server; columns are a kind of their own.
type Place = (Class, bool, Oid);

/// The masks of places; None where a rule tells objects apart.
type Masks = HashMap<Place, Option<Rc<Mask>>>;

thread_local! {
    static KNOWN: RefCell<(Option<Origin>, Masks)> = RefCell::default();
}

/// The mask of an object's options, or of a column's; `server` is the server of a mapping or a table. None where the
/// object is not the caller's to see.
pub fn of_object(class: Class, oid: Oid, column: i16, server: Oid) -> Result<Option<Rc<Mask>>, Error> {
    let place = (class, column != 0, server);
    let known = known(place);
    if let Some(Some(mask)) = known {
        return Ok(Some(mask));
    }
    let Some(situation) = visible_situation(class, oid, column) else { return Ok(None) };
    let policy = policy_in_force::policy()?;
    let origin = origin();
    // Whoever names a server that is not the object's must not have its mask taken for that of others.
    if known.is_none() && scene::server_of(class, oid) == Some(server) {
        let common = policy.common_secrecy(&situation).map(|secrecy| Rc::new(Mask::new(secrecy)));
        keep(place, common, origin);
    }
    Ok(Some(Rc::new(Mask::new(policy.shared_secrecy(&situation)))))
}

fn known(place: Place) -> Option<Option<Rc<Mask>>> {
    let origin = Some(origin());
    KNOWN.with_borrow(|(of, masks)| masks.get(&place).filter(|_| *of == origin).cloned())
}

fn keep(place: Place, mask: Option<Rc<Mask>>, origin: Origin) {
    KNOWN.with_borrow_mut(|(of, masks)| {
        if *of != Some(origin) {
            masks.clear();
            *of = Some(origin);
        }
        masks.insert(place, mask);
    });
}
