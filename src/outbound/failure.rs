//! Reasons why something could not be fetched from another host.

/// Reason why something could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The URL, or one that it redirects to, is not allowed.
    Address,
    /// The host's name cannot be resolved.
    Name,
    /// The host is in a private network that the settings do not allow.
    Private,
    /// The host does not accept connections, or its certificate is invalid.
    Connect,
    Timeout,
    /// Too many redirects.
    Redirects,
    /// The status is not 200.
    Status,
    TooLarge,
    /// The content is not of a type that is wanted.
    Kind,
    /// The response is malformed or incomplete.
    Broken,
    /// A redirect leads to a host that has no free slot.
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

    /// Returns the name in metrics and in the log.
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
