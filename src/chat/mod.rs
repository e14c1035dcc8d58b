//! The heart: every chat an actor, found through the directory, and the sockets that listen to them.

pub mod activity;
pub mod actor;
pub mod context;
pub mod directory;
pub mod mailbox;
mod pending_creations;
pub mod typing;

pub use directory::ChatDirectory;
pub use mailbox::Answered;
