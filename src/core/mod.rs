//! What everything stands on: plain data and rules, the index of texts, instruments. It knows no tokio, no actix and no diesel.

pub mod files;
pub mod metrics;
pub mod model;
pub mod secrets;
pub mod text_index;
