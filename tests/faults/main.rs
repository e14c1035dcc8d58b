//! What must hold when something breaks: actors that fail or retire, processes that are killed, storage that is away.

#[path = "../support/mod.rs"]
mod support;

mod actors;
mod disk;
mod killed;
mod program;
