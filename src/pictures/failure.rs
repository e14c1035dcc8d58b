//! Why there is no picture.

/// Why a picture could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Its address, or one that it leads to, is none that may be asked for it.
    Address,
    /// The host's name is not found.
    Name,
    /// The host is in a private network, and not in one that is set.
    Private,
    /// The host takes no connection, or its certificate is not valid.
    Connect,
    Timeout,
    /// It leads on too often.
    Redirects,
    /// Another status than 200.
    Status,
    TooLarge,
    /// It is none of the kinds of pictures that are passed on.
    Kind,
    /// What came is no answer, or not all of one.
    Broken,
    /// It leads to a host that has as many fetches as one may have.
    Busy,
}

impl Failure {
    pub const ALL: [Self; 11] = [
        Self::Address,
        Self::Name,
        Self::Private,
        Self::Connect,
        Self::Timeout,
        Self::Redirects,
        Self::Status,
        Self::TooLarge,
        Self::Kind,
        Self::Broken,
        Self::Busy,
    ];

    /// What metrics and the log call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address_not_allowed",
            Self::Name => "name_not_found",
            Self::Private => "private_network",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Redirects => "redirects",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::Kind => "type",
            Self::Broken => "broken",
            Self::Busy => "busy",
        }
    }
}
