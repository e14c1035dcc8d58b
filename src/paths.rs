//! Addresses that more than the table of routes must know.

/// Where the API begins.
pub const BASE: &str = "/messages/api";

/// Where sockets open.
pub const SOCKET: &str = "/messages/ws";
