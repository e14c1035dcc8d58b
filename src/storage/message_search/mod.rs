//! Searching messages.
//!
//! [`indexer`] makes segments of the index, whenever [`background_indexer`] has it, behind what is written and not in the way of it;
//! [`query`] asks them, looks through what is newer than they are, and believes only the texts themselves. So what is
//! found is always as it is now, and what is deleted is never found, whatever the index still has.

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

pub use bulk_index::catch_up;
pub use segments::{last_id as indexed_up_to, strays};
