//! Why the server closes a socket.

/// Why the server closes a socket; the codes are in the reference of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The server goes away: connect again, somewhat later.
    GoingAway,
    /// A fault of ours: connect again.
    Restart,
    /// The session has ended: sign in first.
    SignedOut,
    /// It does not keep up: connect again and resume.
    TooSlow,
}

impl CloseReason {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Restart => 1012,
            Self::SignedOut => 4401,
            Self::TooSlow => 4408,
        }
    }

    /// The reason, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::GoingAway => "the server goes away",
            Self::Restart => "something went wrong here",
            Self::SignedOut => "the session has ended",
            Self::TooSlow => "too slow",
        }
    }
}
