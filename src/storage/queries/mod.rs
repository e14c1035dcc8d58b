//! Queries that read several tables.

pub mod attachments;
pub(crate) mod changed_members;
pub(crate) mod changed_mentions;
pub mod changed_threads;
pub mod changes_since;
pub(crate) mod chat_cache;
pub mod chat_list;
pub(crate) mod chat_search;
pub mod chat_snapshot;
pub mod contact_policy;
pub mod contact_search;
pub mod member_search;
pub mod membership;
pub mod mentions;
pub mod own_chats;
pub mod pinned_messages;
pub mod rooms;
pub mod threads;
pub mod unread;
pub mod unread_overview;
pub mod user_list;
pub mod user_search;
