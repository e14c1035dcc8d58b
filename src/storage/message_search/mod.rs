//! Full-text search of messages.
//!
//! [`background_indexer`] runs [`indexer`], which builds segments of the index asynchronously, without
//! blocking writers. [`query`] reads the segments, scans messages newer than them, and verifies every
//! candidate against its current text. So results are always current, and deleted messages are never found,
//! even if the index still contains them.

pub mod background_indexer;
mod bulk_index;
pub mod check;
pub mod horizon;
pub mod indexer;
pub mod pages;
mod pending_changes;
pub mod query;
mod segments;
mod texts;
mod with_files;

pub use bulk_index::catch_up;
pub use segments::{last_id as indexed_up_to, orphaned_segments};
