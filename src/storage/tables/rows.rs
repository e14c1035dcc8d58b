//! Columns that the queries of several modules read, and their row mappers.

use crate::core::model::{Chat, ChatId, ChatKind, HostObject, Timestamp, UserId, records::UserCard};

/// The columns of a chat in the order of [`ChatRow`]; `c` is the chats table.
macro_rules! chat_columns {
    () => {
        "c.id, c.chat_type, c.title, c.created_at, c.updated_at, c.seq, c.last_pos, c.last_live_pos, \
         c.deleted_count, c.member_count, c.is_public, c.object_type, c.object_id"
    };
}
pub(crate) use chat_columns;

pub(crate) type ChatRow =
    (i64, String, Option<String>, i64, i64, i64, i64, i64, i64, i64, bool, Option<String>, Option<String>);

pub(crate) fn chat(row: ChatRow) -> Chat {
    let (
        id,
        kind,
        title,
        created,
        updated,
        seq,
        last_pos,
        last_live_pos,
        deleted_count,
        member_count,
        is_public,
        object_type,
        object_id,
    ) = row;
    Chat {
        id: ChatId(id),
        kind: ChatKind::parse(&kind).unwrap_or(ChatKind::Group),
        title,
        created_at: Timestamp(created),
        updated_at: Timestamp(updated),
        seq,
        last_pos,
        last_live_pos,
        deleted_count,
        member_count,
        is_public,
        object: object_type.zip(object_id).map(|(kind, id)| HostObject { kind, id }),
    }
}

/// The columns of a card in the order in which [`card`] takes them; `u` is the users table.
macro_rules! card_columns {
    () => {
        "u.id, u.username, u.first_name, u.last_name, u.avatar_url"
    };
}
pub(crate) use card_columns;

/// The columns of a card.
pub(crate) type CardRow = (i64, String, String, String, String);

/// Builds a user card from a row.
pub(crate) fn card_of((id, username, first, last, avatar_url): CardRow) -> UserCard {
    card(id, username, &first, &last, avatar_url)
}

/// Builds a user card from single columns. The display name is the full name, or the username if that is
/// empty.
pub(crate) fn card(id: i64, username: String, first: &str, last: &str, avatar_url: String) -> UserCard {
    let full_name = [first, last].join(" ");
    let full_name = full_name.trim();
    UserCard {
        id: UserId(id),
        display_name: if full_name.is_empty() { username.clone() } else { full_name.to_owned() },
        username,
        avatar_url: Some(avatar_url).filter(|url| !url.is_empty()),
    }
}
