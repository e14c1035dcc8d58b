//! Rows that the queries of several modules read.

use crate::{
    core::model::{
        Chat, ChatId, ChatKind, Custom, GuestAccess, HostObject, Pos, Seq, Timestamp, UserId,
        records::UserCard,
    },
    storage::db::row::row,
};

row! {
    /// A chat.
    pub(crate) struct ChatRow from chats c {
        id: ChatId,
        chat_type: ChatKind,
        title: Option<String>,
        created_at: Timestamp,
        updated_at: Timestamp,
        seq: Seq,
        members_seq: Seq,
        last_pos: Pos,
        last_live_pos: Pos,
        deleted_count: i64,
        reply_count: i64,
        member_count: i64,
        draft_count: i64,
        is_public: bool,
        object_type: Option<String>,
        object_id: Option<String>,
        guest_access: GuestAccess,
        custom: Option<String>,
    }
}

impl From<ChatRow> for Chat {
    fn from(row: ChatRow) -> Self {
        Self {
            id: row.id,
            kind: row.chat_type,
            title: row.title,
            created_at: row.created_at,
            updated_at: row.updated_at,
            seq: row.seq,
            members_seq: row.members_seq,
            last_pos: row.last_pos,
            last_live_pos: row.last_live_pos,
            deleted_count: row.deleted_count,
            reply_count: row.reply_count,
            member_count: row.member_count,
            draft_count: row.draft_count,
            is_public: row.is_public,
            object: row.object_type.zip(row.object_id).map(|(kind, id)| HostObject { kind, id }),
            guest_access: row.guest_access,
            custom: Custom::from_stored(row.custom),
        }
    }
}

row! {
    /// What other users see of a user.
    pub(crate) struct CardRow from users u {
        id: UserId,
        username: String,
        first_name: String,
        last_name: String,
        avatar_url: String,
        is_guest: bool,
    }
}

impl From<CardRow> for UserCard {
    /// The display name is the full name, or the username if that is empty.
    fn from(row: CardRow) -> Self {
        let full_name = [row.first_name, row.last_name].join(" ");
        let full_name = full_name.trim();
        Self {
            id: row.id,
            display_name: if full_name.is_empty() { row.username.clone() } else { full_name.to_owned() },
            username: row.username,
            avatar_url: Some(row.avatar_url).filter(|url| !url.is_empty()),
            is_guest: row.is_guest,
        }
    }
}
