//! All SQL. Connections are used by the [`writer`] (group commit) and the read pool ([`readers`]).
//!
//! [`tables`] has one file per table, [`queries`] what reads several tables, [`commands`] the transaction of
//! each command.

pub mod commands;
pub mod db;
mod fair_semaphore;
pub mod maintenance;
pub mod message_search;
pub mod metrics;
pub mod policy;
pub mod principal;
pub mod queries;
pub mod readers;
pub mod schema;
pub mod tables;
pub mod writer;

pub use db::{
    conn::{Access, AnyConn},
    error::{OpenError, StorageError},
    serving_lock::ServingLock,
    transaction::{snapshot, transaction},
    url::DatabaseUrl,
};
pub use metrics::StorageMeter;
pub use policy::StoragePolicy;
pub use principal::Principal;
pub use queries::chat_cache::ChatCache;
pub use readers::ReadPool;
pub use writer::{Writer, WriterHandle};
