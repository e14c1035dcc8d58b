//! Close codes of sockets that the server closes.

/// Why the server closes a socket; the codes are documented in docs/API.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The server shuts down: reconnect after a short delay.
    GoingAway,
    /// An internal error: reconnect.
    Restart,
    /// The session has ended: sign in before reconnecting.
    SignedOut,
    /// The client reads too slowly: reconnect and resume.
    TooSlow,
}

impl CloseReason {
    /// Returns the close code.
    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Restart => 1012,
            Self::SignedOut => 4401,
            Self::TooSlow => 4408,
        }
    }

    /// Returns the close frame's reason text.
    pub fn text(self) -> &'static str {
        match self {
            Self::GoingAway => "the server goes away",
            Self::Restart => "something went wrong here",
            Self::SignedOut => "the session has ended",
            Self::TooSlow => "too slow",
        }
    }
}
