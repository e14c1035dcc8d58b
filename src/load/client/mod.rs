//! The HTTP and WebSocket client of the load generator. It knows the server by its URLs only.

pub(crate) mod clients;
pub(crate) mod event;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod live_client;
pub(crate) mod sequence_check;
pub(crate) mod socket;
pub(crate) mod target;
