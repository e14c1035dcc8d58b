//! How a run goes: when what is begun, and by whom.

pub(crate) mod interrupt;
pub(crate) mod measured_run;
pub(crate) mod pacer;
pub(crate) mod rng;
pub(crate) mod senders;
