//! Fixtures of the tests, which read as users' actions. Each test has its own server on a free port with its
//! own database. Users are HTTP clients. Sockets wait for events, not for time to pass.

#![allow(dead_code, unused_imports, reason = "each suite uses a part of it")]

pub(crate) mod attachments;
pub(crate) mod awkward;
pub(crate) mod clamd;
pub(crate) mod database;
pub(crate) mod event_stream;
pub(crate) mod jwt;
pub(crate) mod key_host;
mod listener;
mod node;
pub(crate) mod oracle;
mod oracle_actions;
mod oracle_threads;
pub(crate) mod picture_host;
pub(crate) mod raw_socket;
pub(crate) mod redis;
pub(crate) mod reference;
mod reply;
pub(crate) mod segments;
mod server;
pub(crate) mod steps;
mod system;
mod user;

use std::time::Duration;

pub(crate) use listener::Listener;
pub(crate) use node::nodes;
pub(crate) use reply::Reply;
pub(crate) use server::{Server, config};
pub(crate) use system::System;
pub(crate) use user::User;

/// Deadline of every wait in a test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Time between two looks at what a test waits for. A test that looked without a pause would take a core from the
/// server that it waits for.
const PAUSE: Duration = Duration::from_millis(1);

/// Pauses before the next look at what a test waits for.
pub(crate) async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Pauses a thread that is no part of a runtime.
#[expect(clippy::disallowed_methods, reason = "not a thread of a runtime")]
pub(crate) fn pause_thread() {
    std::thread::sleep(PAUSE);
}

/// The password of all test users.
pub(crate) const PASSWORD: &str = "correct horse";

/// Percent-encodes every byte of a text.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
