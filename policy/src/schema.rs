//! Schemas of rules.
use thiserror::Error;

/// What a schema is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The options of one object.
    Options,
    /// The context document.
    Context,
}

/// What is wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at {pointer}: {message}")]
pub struct SchemaError {
    pub pointer: String,
    pub message: String,
}

pub struct CompiledSchema;

impl CompiledSchema {
    pub fn compile(_text: &str, _shape: Shape) -> Result<Self, SchemaError> {
        Ok(Self)
    }
}
