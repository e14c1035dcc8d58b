//! The API as its users meet it, one file for each resource.

#[path = "../support/mod.rs"]
mod support;

mod assets;
mod blocks;
mod bursts;
mod chats;
mod commands;
mod contacts;
mod counting;
mod cross_site;
mod crowds;
mod documents;
mod edge;
mod events;
mod foreign;
mod frames;
mod hosts;
mod limits;
mod markers;
mod me;
mod members;
mod messages;
mod metrics;
mod oracle;
mod pages;
mod permissions;
mod presence;
mod profile;
mod raw;
mod reactions;
mod reference;
mod resume;
mod room_permissions;
mod rooms;
mod scripts;
mod sign_in;
mod sockets;
mod sync;
mod transactions;
mod unicode;
mod users;
mod walk;
mod watching;
