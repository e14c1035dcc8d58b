//! Client input: from JSON of any shape to values of types that are always valid.

mod commands;
mod custom;
mod fields;
mod heads;
mod mentions;
mod uploads;

pub use commands::{DraftFields, EditFields, MarkFields, MeFields, PostFields, ReactFields, TypingFields};
pub use custom::CustomField;
pub use fields::Field;
pub use heads::HeadsField;
pub use mentions::MentionsField;
pub use uploads::{DescriptionFields, UploadFields};
