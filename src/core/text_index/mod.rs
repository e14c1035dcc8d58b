//! Full-text search without I/O: search words, grams, and the format of index segments.
//! [`crate::storage::message_search`] maintains and queries the index.

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
