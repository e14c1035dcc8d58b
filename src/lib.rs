//! Greenroom: a messaging server in which every chat is an actor.
//!
//! Path of a message: [`api`] or [`ws`] → [`chat`] (the chat's actor) → [`storage`] (one transaction, group
//! commit) → an event back to the actor → the sockets of the members. `docs/ARCHITECTURE.md` has an overview.

// One module is excepted, `storage::db::vfs`, since SQLite calls it.
#![deny(unsafe_code)]

#[macro_use]
pub mod output;

pub mod api;
pub mod auth;
pub mod bus;
pub mod chat;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod core;
pub mod error;
pub mod feed;
pub mod files;
pub mod hub;
pub mod input;
pub mod load;
pub mod middleware;
pub mod net;
pub mod openapi;
pub mod outbound;
pub mod paths;
pub mod pictures;
pub mod presence;
pub mod previews;
pub mod rate_limit;
pub mod routes;
pub mod routing;
pub mod server;
pub mod services;
pub mod state;
pub mod storage;
pub mod telemetry;
pub mod view;
pub mod web;
pub mod ws;
