//! The heart: every chat an actor, found through the directory, and the sockets that listen to them.

pub mod activity;
pub mod actor;
pub mod clock;
pub mod close_reason;
pub mod context;
pub mod directory;
mod inbox;
mod makings;
pub mod messages;
mod meter;
pub mod news;
pub mod parcel;
pub mod registry;
pub mod socket;
pub mod typists;
pub mod wire;

pub use close_reason::CloseReason;
pub use directory::ChatDirectory;
pub use inbox::Next;
pub use messages::Answered;
pub use meter::ChatMeter;
pub use parcel::{Parcel, goodbye};
pub use registry::UserRegistry;
pub use socket::{Socket, SocketId};
pub use wire::Wire;
