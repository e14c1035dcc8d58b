//! WebSockets. No other folder uses actix-web-actors.

mod client_frame;
mod closing;
mod commands;
mod delivery_filter;
pub mod frame_decoder;
mod heartbeat;
mod outgoing;
mod room_watch;
mod server_frame;
mod session;
mod size_limit;
mod upgrade;

pub(crate) use client_frame::ClientFrame;
pub(crate) use server_frame::{Ack, CaughtUp};
pub use upgrade::upgrade;
