//! Connections: the HTTP listener, proxy headers, allowed hosts, and the upgrade to WebSocket.

pub(crate) mod connection;
pub(crate) mod forwarded;
pub mod listener;
pub(crate) mod offers;
pub mod served_hosts;
pub(crate) mod upgraded;
