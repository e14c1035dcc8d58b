//! The heart: every chat an actor, found through the directory, and the sockets that listen to them.

pub mod actor;
mod backlog;
pub mod directory;
mod makings;
pub mod messages;
mod meter;
pub mod news;
pub mod registry;
pub mod socket;
pub mod typists;
pub mod wire;

pub use directory::ChatDirectory;
pub use messages::Answered;
pub use meter::ChatMeter;
pub use registry::UserRegistry;
pub use socket::{CloseReason, Delivery, Socket, SocketId};
pub use wire::Wire;
