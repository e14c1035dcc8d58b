//! Chat actors: one actor per active chat, found through the directory, publishing events to its subscribers.

pub mod activity;
pub mod actor;
pub mod context;
mod creation;
pub mod directory;
mod drafts;
pub mod mailbox;
mod observers;
mod pending_creations;
mod roster;
pub mod typing;

pub use directory::ChatDirectory;
pub use mailbox::{Answered, TypingSignal};
