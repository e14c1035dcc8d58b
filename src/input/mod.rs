//! What clients send, from JSON of any shape to values that exist only when valid.

mod commands;
mod fields;

pub use commands::{EditFields, MarkFields, PostFields, ReactFields, TypingFields};
pub use fields::Field;
