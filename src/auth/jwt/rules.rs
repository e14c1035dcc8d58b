//! Rules for the claims of tokens.

/// Rules for the claims of tokens, from the settings.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    /// Accepted values of `iss`; empty: it is not looked at.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; empty: it is not looked at.
    pub audiences: Vec<String>,
    /// How far ahead of now a token may expire, in seconds.
    pub max_seconds: i64,
    /// The claim and the value that make a user staff.
    pub staff: Option<(String, String)>,
    /// The claim with the username of a new user.
    pub username: String,
}
