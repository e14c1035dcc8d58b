//! What people prove with who they are.

/// From where a credential was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The client's address; empty where it is not known.
    pub address: String,
    /// The program, as it names itself.
    pub user_agent: String,
}

/// What somebody proved with who they are. It holds hashes, not the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser's session.
    Session(String),
    /// A program's token.
    Token(String),
}
