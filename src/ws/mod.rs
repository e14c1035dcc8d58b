//! Sockets: the only code that knows actix-web-actors.

mod commands;
mod flood;
mod guard;
mod resume;
mod session;
mod upgrade;

pub use upgrade::upgrade;
