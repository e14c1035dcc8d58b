//! Application services: what a request does, independent of its transport.

mod access;
pub mod accounts;
pub mod chats;
pub mod checked;
pub mod drafts;
pub mod external_users;
pub mod guests;
pub mod messages;
pub mod previews;
pub mod receiving;
pub mod succession;
pub mod threads;
pub mod uploads;
