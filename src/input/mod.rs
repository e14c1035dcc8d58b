//! What clients send, from JSON of any shape to values that exist only when valid.

mod commands;
mod fields;
mod heads;

pub use commands::{EditFields, MarkFields, MeFields, PostFields, ReactFields, TypingFields};
pub use fields::Field;
pub use heads::HeadsField;
