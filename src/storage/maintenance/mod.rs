//! Maintenance of a whole database: backup, import, checks, purging and checkpoints.

pub mod backup;
pub mod check;
mod check_attachments;
mod check_mentions;
mod check_threads;
mod checker;
pub mod checkpoint;
pub mod health;
pub mod import;
pub mod purge;
pub(crate) mod rejected_row;
pub mod restore_epoch;
pub mod schema_check;
pub mod sweeping;
