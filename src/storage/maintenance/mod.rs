//! What is done to a database as a whole: copies, checks, and clearing out.

pub mod backup;
pub mod check;
pub mod checkpoint;
pub mod foreign;
pub mod health;
pub mod import;
pub mod purge;
pub mod restore_epoch;
pub mod sweeping;
pub(crate) mod untaken;
