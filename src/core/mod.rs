//! The lowest layer: domain types and rules, the text index and metrics. It uses neither tokio, actix nor
//! diesel.

pub(crate) mod clock;
pub mod files;
pub mod log_context;
pub mod metrics;
pub mod model;
pub mod request_id;
pub mod secrets;
pub(crate) mod sync;
pub mod text_index;
pub(crate) mod tls;
pub(crate) mod websocket;
