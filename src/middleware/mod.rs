//! What stands around handlers: each is one file.

pub mod authenticate;
pub mod csrf;
pub mod edge;
pub mod session_cookie;

pub use authenticate::gate;
pub use session_cookie::pick_cookie;
