//! What clients ask of a server, whichever way it comes: the same over every transport.

mod access;
pub mod accounts;
pub mod messages;
pub mod succession;
