//! Application services: what a request does, independent of its transport.

mod access;
pub mod accounts;
pub mod messages;
pub mod succession;
