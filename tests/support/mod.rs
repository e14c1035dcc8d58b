//! Fixtures of the tests, which read as users' actions. Each test has its own server on a free port with its
//! own database. Users are HTTP clients. Sockets wait for events, not for time to pass.

#![allow(dead_code, unused_imports)]

pub mod awkward;
pub mod database;
pub mod event_stream;
mod listener;
mod node;
pub mod oracle;
pub mod picture_host;
pub mod raw_socket;
pub mod redis;
pub mod reference;
mod reply;
pub mod segments;
mod server;
pub mod steps;
mod user;

use std::time::Duration;

pub use listener::Listener;
pub use node::nodes;
pub use reply::Reply;
pub use server::{Server, config};
pub use user::User;

/// Deadline of every wait in a test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The password of all test users.
pub const PASSWORD: &str = "correct horse";

/// Percent-encodes every byte of a text.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
