//! The API as its users meet it, one file for each resource.

#[path = "../support/mod.rs"]
mod support;

mod chats;
mod counting;
mod frames;
mod markers;
mod members;
mod messages;
mod reactions;
mod sockets;
mod walk;
