//! All SQL: connections, the writer with its group commit, the readers, one file per table, and under [`apply`] what
//! each command does inside its transaction.

pub mod apply;
pub mod backup;
pub mod blocks;
pub mod catalogue;
pub mod changes;
pub mod chats;
pub mod check;
pub mod commits;
pub mod conn;
pub mod contacts;
pub mod cursors;
pub mod error;
pub mod exclusive;
pub mod feeds;
pub mod import;
pub mod locks;
pub mod members;
pub mod membership;
pub mod messages;
pub mod meter;
pub mod migrations;
pub mod partners;
pub mod posting;
pub mod purge;
pub mod reactions;
pub mod readers;
pub mod restored;
pub mod revocations;
pub mod rooms;
pub mod rules;
pub mod sessions;
pub mod settings;
pub(crate) mod sql;
pub mod tokens;
pub mod tombstones;
pub mod unread;
pub mod users;
pub mod writer;

pub use conn::{Access, AnyConn, DatabaseUrl, snapshot, transaction};
pub use error::{OpenError, StorageError};
pub use exclusive::Exclusive;
pub use meter::StorageMeter;
pub use readers::Readers;
pub use rules::Rules;
pub use writer::{Writer, WriterHandle};
