//! Execution of a run: pacing, sending, interruption.

pub(crate) mod interrupt;
pub(crate) mod measured_run;
pub(crate) mod pacer;
pub(crate) mod senders;
