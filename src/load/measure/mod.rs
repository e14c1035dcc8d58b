//! Measurements and checks.

pub(crate) mod clock;
pub(crate) mod deliveries;
pub(crate) mod latency;
pub(crate) mod latency_by_operation;
pub(crate) mod process;
pub(crate) mod results;
pub(crate) mod sample;
pub(crate) mod sampler;
