//! How messages are searched, without input or output: what is looked for, the parts by which it is found, and the
//! form in which an index of them is kept. [`crate::storage::message_search`] keeps it and asks it.

pub mod grams;
pub mod matching;
mod numbers;
pub mod positions;
pub mod segment;
pub mod words;

pub use matching::Matching;
pub use positions::Positions;
pub use segment::Builder;
pub use words::Words;
