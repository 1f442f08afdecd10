//! What the redactor must do, as texts that are made together with the answer: arbitrary bytes choose a text, and the text
//! knows where its secrets stand. The tests of this crate and the fuzzer drive the same code.
//!
//! This is test code also where it is compiled for the fuzzer, and may stop at what cannot be.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod case;
mod check;
mod encoding;
mod function;
mod hostile;
mod maker;
mod message;
mod nesting;
mod source;
mod spelling;
mod statement;
#[cfg(test)]
mod tests;
mod text;

pub use case::Case;
pub use encoding::Encoding;
pub use maker::Knowledge;
pub use text::Text;

use source::Source;

/// Makes the case that these bytes choose, and holds the redactor against it.
///
/// # Errors
/// What the redactor showed or changed, with the text.
pub fn try_bytes(bytes: &[u8]) -> Result<(), String> {
    Case::make(&mut Source::new(bytes)).check()
}
