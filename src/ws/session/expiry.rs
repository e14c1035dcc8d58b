//! State of a socket's credential.

use actix::SpawnHandle;

/// What a session knows of the end of its credential.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The timer of the next check.
    pub(super) timer: Option<SpawnHandle>,
    /// Whether the client was warned that its token ends.
    pub(super) is_warned: bool,
}
