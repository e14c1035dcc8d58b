//! Connections: how they are served, what proxies say of them, and how one becomes a socket.

pub(crate) mod connection;
pub(crate) mod forwarded;
pub mod listener;
pub(crate) mod offers;
pub mod served_hosts;
pub(crate) mod upgraded;
