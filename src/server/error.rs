//! Startup errors.

use std::net::SocketAddr;

use crate::storage::OpenError;

/// Startup error, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error("cannot listen on {address}: {reason}; give --bind another address")]
    Listen { address: SocketAddr, reason: std::io::Error },
    #[error("cannot listen on {address} for metrics: {reason}; give --metrics-bind another address")]
    ListenMetrics { address: SocketAddr, reason: std::io::Error },
    #[error("{0}")]
    Jwt(String),
    #[error("cannot keep attachments in {folder}: {reason}; give --files another folder")]
    Files { folder: String, reason: std::io::Error },
    #[error("cannot prepare the database: {0}")]
    Prepare(String),
    #[error(
        "--redis-url is for several nodes and SQLite serves only one: give --database-url postgres://USER@HOST/DATABASE, or leave it out"
    )]
    ManyNodesOnSqlite,
}
