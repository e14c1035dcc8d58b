//! Chats as their members meet them, and public rooms as anybody does: where what one may do is decided.

use super::{
    AnyConn, StorageError,
    chats::{chat, chat_columns},
    sql::sql,
    unread, users,
};
use crate::model::{
    Chat, ChatId, MessageId, Pos, Refusal, Role, UserId, Viewer,
    permission::{Ability, authorize},
};

/// A chat as one of its members meets it, or a public room as anybody does.
#[derive(Debug, Clone)]
pub struct Membership {
    pub chat: Chat,
    pub user: UserId,
    /// `None`: the user is not in it.
    pub role: Option<Role>,
    pub read_pos: Pos,
    pub last_read_message_id: Option<MessageId>,
}

impl Membership {
    /// What the chat object shows to this member only.
    pub fn viewer(&self, conn: &mut AnyConn) -> Result<Viewer, StorageError> {
        let unread_count = match self.role {
            Some(_) => unread::count(conn, &self.chat, self.user, self.read_pos)?,
            None => 0,
        };
        let (role, last_read_message_id) = (self.role, self.last_read_message_id);
        Ok(Viewer { id: self.user, role, last_read_message_id, unread_count })
    }
}

/// The chat and the user's place in it; `None` where the user is not in it or there is no such chat.
pub fn membership(
    conn: &mut AnyConn,
    chat: ChatId,
    user: UserId,
) -> Result<Option<Membership>, StorageError> {
    Ok(met(conn, chat, user)?.filter(|membership| membership.role.is_some()))
}

/// The chat as the user meets it; `None` where they can see no such chat. A deleted one has no members.
fn met(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Option<Membership>, StorageError> {
    let row = sql!(
        concat!(
            "SELECT ",
            chat_columns!(),
            ", m.role, m.read_pos, m.read_message_id FROM chats c ",
            "LEFT JOIN members m ON m.chat_id = c.id AND m.user_id = ? AND m.left_seq IS NULL ",
            "WHERE c.id = ? AND (m.role IS NOT NULL OR (c.is_public AND c.deleted_at IS NULL))"
        ),
        user,
        chat
    )
    .first(conn)?;
    Ok(row.map(|row| membership_from(user, row)))
}

/// The chat's columns, then the member's role, read place and last read message, null where there is no member.
pub(super) type MembershipRow = (
    i64,
    String,
    Option<String>,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    bool,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
);

pub(super) fn membership_from(user: UserId, row: MembershipRow) -> Membership {
    let (a, b, c, d, e, f, g, h, i, j, k, l, m, role, read_pos, read_message_id) = row;
    Membership {
        chat: chat((a, b, c, d, e, f, g, h, i, j, k, l, m)),
        user,
        role: role.map(|role| Role::parse(&role).unwrap_or(Role::Member)),
        read_pos: read_pos.unwrap_or(0),
        last_read_message_id: read_message_id.map(MessageId),
    }
}

/// The caller's place in a chat, if it allows what they want. This is the authority: what it says inside a writing
/// transaction is what holds.
pub fn authorized(
    conn: &mut AnyConn,
    chat: ChatId,
    caller: UserId,
    ability: Ability,
) -> Result<Membership, StorageError> {
    let met = met(conn, chat, caller)?.ok_or(Refusal::NotFound)?;
    match authorize(&met.chat, met.role, false, ability) {
        Err(Refusal::Forbidden) if met.chat.is_nobodys() => {
            let is_staff = users::is_staff(conn, caller)?;
            authorize(&met.chat, met.role, is_staff, ability)?;
        }
        decision => decision?,
    }
    Ok(met)
}
