//! Identifiers as separate types, so that a chat's id cannot be passed for a user's.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest integer that JavaScript represents exactly, and the largest identifier.
pub const MAX_ID: i64 = (1 << 53) - 1;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
            ToSchema,
        )]
        #[serde(transparent)]
        #[schema(minimum = 1, maximum = 9007199254740991_i64)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $name {
            /// Parses an identifier from a path or a query string; `None` if it is invalid.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let id = digits.then(|| text.parse().ok()).flatten()?;
                (1..=MAX_ID).contains(&id).then_some(Self(id))
            }
        }
    };
}

id! {
    /// The id of a chat.
    ChatId
}
id! {
    /// The id of a user.
    UserId
}
id! {
    /// The id of a message; within a chat, later messages have higher ids.
    MessageId
}
id! {
    /// The id of an access token's row, which is not the secret itself.
    TokenId
}

id! {
    /// The id of an attachment, and of its upload before.
    AttachmentId
}
id! {
    /// The id of a file in the store. Forwarded copies of an attachment share it.
    FileId
}

id! {
    /// Identifies a session to its user; it is not the secret in the cookie.
    SessionId
}

impl SessionId {
    /// Derives the id from 52 bits of the hash under which a session is stored. They do not reveal the
    /// secret.
    pub fn of(key_hash: &str) -> Self {
        let digits = key_hash.get(..13).unwrap_or_default();
        Self(i64::from_str_radix(digits, 16).unwrap_or_default().max(1))
    }
}

/// The sequence number of a lasting change in a chat, counted from 1 without gaps.
pub type Seq = i64;

/// The number of times that a user was added to chats, over all chats. A gap reveals a missed event.
pub type JoinCount = i64;

/// The position of a message in its chat, counted from 1 without gaps, tombstones included.
pub type Pos = i64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_positive_integers_are_ids() {
        assert_eq!(ChatId::parse("42"), Some(ChatId(42)));
        for bad in ["", "0", "-1", "+1", "1.0", "x", "٣", "9007199254740992", "99999999999999999999"] {
            assert_eq!(ChatId::parse(bad), None, "{bad}");
        }
    }
}
