//! Rule packs.
use crate::rule::Rule;

/// A pack.
#[derive(Debug)]
pub struct Pack {
    pub name: String,
    pub description: String,
    pub wrappers: Vec<String>,
}

impl Pack {
    pub fn rules(&self, _major: u32) -> Vec<Rule> {
        Vec::new()
    }
}

pub fn packs() -> &'static [Pack] {
    &[]
}
