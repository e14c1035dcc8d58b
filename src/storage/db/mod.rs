//! Connections to SQLite and PostgreSQL, and the layer for writing SQL statements.

pub mod catalog;
pub mod conn;
pub mod error;
pub mod holders;
pub(crate) mod like_pattern;
pub mod migrations;
pub(crate) mod pooling;
pub(crate) mod row;
pub mod serving_lock;
pub mod session;
pub(crate) mod sql;
pub mod steps;
pub mod transaction;
pub mod url;
mod vfs;
pub mod watched;
