//! A client of its own, which knows the server by its addresses only.

pub(crate) mod clients;
pub(crate) mod event;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod live_client;
pub(crate) mod sequence_check;
pub(crate) mod socket;
pub(crate) mod target;
