//! Paths that are used outside the table of routes.

/// Base path of the API.
pub const BASE: &str = "/messages/api";

/// Path of the WebSocket endpoint.
pub const SOCKET: &str = "/messages/ws";
