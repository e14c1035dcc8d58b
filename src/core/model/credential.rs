//! Credentials that users sign in with.

/// The client from which a credential was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The client's address; empty where it is unknown.
    pub address: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// The credential of an authenticated request. It contains hashes, not the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser session.
    Session(String),
    /// A program's access token.
    Token(String),
}
