//! Middleware: what runs around handlers.

mod access_log;
pub mod authenticate;
pub mod common;
mod cors;
pub mod csrf;
mod json_errors;
mod limits;
mod request_metrics;
mod response_headers;
pub mod session_cookie;

pub use authenticate::authenticate;
pub use common::common;
pub use limits::within_limits;
pub use session_cookie::pick_cookie;
