//! One file per table: its rows, and the queries on this table alone.

pub mod blocks;
pub mod chats;
pub mod custom_values;
pub mod dm_partners;
pub mod event_cursors;
pub mod external_users;
pub mod foreign_hashes;
pub mod guests;
pub mod imported_users;
pub mod join_counts;
pub mod locks;
pub mod members;
pub mod merged_guests;
pub mod messages;
pub(crate) mod profile_version;
pub mod reactions;
pub mod revocations;
pub mod rows;
pub mod sent_counts;
pub mod sessions;
pub mod settings;
pub mod sightings;
pub mod tokens;
pub mod tombstones;
pub mod user_custom;
pub mod users;
