//! All SQL: connections, the writer with its group commit, the readers, one file per table ([`tables`]),
//! what is read of several ([`queries`]), and what each command does inside its transaction ([`commands`]).

pub mod asker;
pub mod commands;
pub mod db;
pub mod maintenance;
pub mod message_search;
pub mod metrics;
pub mod policy;
pub mod queries;
pub mod readers;
pub mod schema;
pub mod tables;
mod turns;
pub mod writer;

pub use asker::Asker;
pub use db::{
    conn::{Access, AnyConn},
    error::{OpenError, StorageError},
    serving_lock::Exclusive,
    transaction::{snapshot, transaction},
    url::DatabaseUrl,
};
pub use metrics::StorageMeter;
pub use policy::Rules;
pub use queries::chat_cache::KnownChats;
pub use readers::Readers;
pub use writer::{Writer, WriterHandle};
