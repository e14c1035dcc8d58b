//! Greenroom: a messaging server in which every chat is an actor.
//!
//! A message's way: [`api`] or [`ws`] → [`chat`] (the chat's actor) → [`storage`] (one transaction, group commit) →
//! an event back to the actor → the sockets of those in the chat. `docs/ARCHITECTURE.md` is the map.

#![forbid(unsafe_code)]

#[macro_use]
pub mod output;

pub mod api;
pub mod auth;
pub mod bus;
pub mod chat;
pub mod cli;
pub mod cluster;
pub mod config;
mod connection;
pub mod core;
pub mod edge;
pub mod error;
pub mod feed;
mod forwarded;
pub mod http;
pub mod input;
pub mod limits;
pub mod load;
mod offers;
pub mod paths;
pub mod presence;
pub mod reference;
pub mod requests;
pub mod routes;
pub mod routing;
pub mod server;
pub mod services;
pub mod state;
pub mod storage;
pub mod view;
pub mod watch;
pub mod web;
pub mod ws;
