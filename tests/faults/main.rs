//! Fault injection: actors that fail or stop, killed processes, unavailable storage, nodes that cannot reach
//! each other.

#[path = "../support/mod.rs"]
mod support;

mod actors;
mod attachments;
mod audit;
mod autobahn;
mod backup;
mod bus;
mod channels;
mod disk;
mod echo;
mod erasure;
mod foreign;
mod heartbeat;
mod import;
mod jwks;
mod killed;
mod leftovers;
mod load;
mod logs;
mod modes;
mod nodes;
mod older_database;
mod outputs;
mod pgbouncer;
mod pictures;
mod postgres;
mod program;
mod protocol;
mod proxy;
mod signal;
mod slow_writes;
mod spoiler;
mod starts;
mod stops;
mod tls;
mod user_import;

use support::System;
