//! What people prove with who they are.

/// What somebody proved with who they are. It holds hashes, not the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser's session.
    Session(String),
    /// A program's token.
    Token(String),
}
