//! Sockets: the only code that knows actix-web-actors.

mod commands;
mod ears;
mod flood;
pub mod frames;
mod guard;
pub(crate) mod line;
mod outflow;
mod parting;
mod resume;
mod session;
mod upgrade;
mod watch;

pub(crate) use commands::{Ack, ClientFrame};
pub(crate) use resume::CaughtUp;
pub use upgrade::upgrade;
