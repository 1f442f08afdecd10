//! The redactor: hides the values of secret options in SQL and in prose around SQL.
//!
//! Bytes in, bytes out, in any server encoding of PostgreSQL (each of them is ASCII-safe). It is called in hooks that
//! run inside error handling too: nothing here panics, recurses without a bound or allocates without asking.

pub mod parameters;

use crate::model::ObjectType;
use crate::policy::Policy;
use crate::secret::SecretOptions;

/// Memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of memory")]
pub struct OutOfMemory;

/// Which names of options are secret: a snapshot that does not change.
#[derive(Debug, Clone)]
pub struct Names(());

impl Names {
    /// Nothing is known: every option's value is a secret.
    pub fn unknown() -> Self {
        Self(())
    }

    /// What the setting and the embedded packs say; what neither names is a secret everywhere.
    pub fn of_packs(_secret_options: &SecretOptions) -> Self {
        Self(())
    }

    /// The same and the rules in force; what nothing names is a secret on user mappings only.
    pub fn of_policy(_policy: &Policy) -> Self {
        Self(())
    }

    /// Whether the value of an option is a secret. `None`: it is not known on what; as on a user mapping.
    pub fn is_secret(&self, _on: Option<ObjectType>, _option: &[u8]) -> bool {
        true
    }
}

/// What a backslash means in `'…'`: `standard_conforming_strings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    Standard,
    Escaping,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQL.
    Statement,
    /// Prose around SQL: a log message, DETAIL, CONTEXT.
    Message,
    /// SQL, or prose around it, in which every literal is a secret: EXECUTE of a statement that calls our functions.
    Arguments,
}

/// The characters of the database's encoding.
#[derive(Debug, Clone, Copy)]
pub struct Characters {
    /// Bytes of the first character of the rest of a text.
    pub length: fn(&[u8]) -> usize,
    /// A harmless character of so many bytes.
    pub filler: fn(usize) -> Option<&'static [u8]>,
}

/// Finds secrets in texts.
#[derive(Debug, Clone, Copy)]
pub struct Redactor<'a> {
    pub names: &'a Names,
    pub strings: Strings,
}

impl Redactor<'_> {
    /// Finds what must not be shown.
    pub fn find(&self, text: &[u8], _kind: Kind) -> Result<Found, OutOfMemory> {
        let hidden = if text.is_empty() { Vec::new() } else { Vec::from([0..text.len()]) };
        Ok(Found { hidden, secrets: Secrets::default() })
    }
}

/// What must not be shown of a text: ordered, disjoint ranges.
#[derive(Debug, Default)]
pub struct Found {
    hidden: Vec<std::ops::Range<usize>>,
    secrets: Secrets,
}

impl Found {
    /// Whether the text may be shown as it is.
    pub fn is_empty(&self) -> bool {
        self.hidden.is_empty()
    }

    /// The text with as many bytes and characters: positions hold.
    pub fn keeping_length(&self, text: &[u8], _characters: &Characters) -> Result<Vec<u8>, OutOfMemory> {
        Ok(vec![b'*'; text.len()])
    }

    /// The text with `***` for each value, however long it is.
    pub fn with_stars(&self, _text: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
        Ok(b"***".to_vec())
    }

    /// The values as they would be stored.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

/// Values to hide wherever else they stand.
#[derive(Debug, Default)]
pub struct Secrets(());

impl Secrets {
    /// Adds those of the other.
    pub fn extend(&mut self, _other: &Self) -> Result<(), OutOfMemory> {
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Forgets them all.
    pub fn clear(&mut self) {}

    /// Masks verbatim occurrences of the values. `None` where there are none.
    pub fn hide_in(&self, _text: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
        Ok(None)
    }
}

/// Whether the text names one of our functions that take secrets as arguments: then bind parameters are secret too.
pub fn names_our_functions(text: &[u8]) -> bool {
    text.windows(9).any(|window| window.eq_ignore_ascii_case(b"fdw_guard"))
}
