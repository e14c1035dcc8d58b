//! The scenarios, one file each.

pub(crate) mod idle;
pub(crate) mod mixed;
pub(crate) mod read;
pub(crate) mod reconnect_storm;
pub(crate) mod rooms;
