//! Sockets: the only code that knows actix-web-actors.

mod session;
mod upgrade;

pub use upgrade::upgrade;
