//! Sockets: the only code that knows actix-web-actors.

mod client_frame;
mod commands;
mod ears;
mod flood;
pub mod frames;
mod guard;
pub(crate) mod line;
mod outflow;
mod parting;
mod resume;
mod resuming;
mod server_frame;
mod session;
mod upgrade;
mod watch;

pub(crate) use client_frame::ClientFrame;
pub(crate) use server_frame::Ack;
pub(crate) use server_frame::CaughtUp;
pub use upgrade::upgrade;
