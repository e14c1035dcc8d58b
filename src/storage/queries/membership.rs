//! Memberships: a chat together with one user's state in it, and the authorization of that user.

use super::unread;
use crate::{
    core::model::{
        Chat, ChatId, ChatKind, Lane, Me, MessageId, NotifyLevel, Pos, Refusal, Role, Seq, Timestamp, UserId,
        Viewer,
        permission::{Ability, Subject, authorize},
        records::Message,
    },
    storage::{
        AnyConn, StorageError,
        db::{row::row, sql::sql},
        policy::StoragePolicy,
        tables::{members, mentions, messages::at, positions, rows::ChatRow},
    },
};

/// A chat together with one user's state in it. In a public room the user need not be a member.
#[derive(Debug, Clone)]
pub struct Membership {
    pub chat: Chat,
    pub user: UserId,
    /// `None`: the user is not a member.
    pub role: Option<Role>,
    pub read_pos: Pos,
    pub last_read_message_id: Option<MessageId>,
    pub me: Me,
    /// The position of the message from which the user marked everything as unread.
    pub unread_pos: Option<Pos>,
    /// Sequence number of the latest change of the user's preferences.
    pub me_seq: Seq,
    /// Whether the chat is a dm whose other member has blocked the user. Loaded only for authorization, as the
    /// following.
    is_blocked: bool,
    is_staff: bool,
    is_guest: bool,
}

impl Membership {
    /// Checks whether the user may act, disregarding staff privileges.
    pub fn authorize(&self, ability: Ability) -> Result<(), Refusal> {
        authorize(&self.chat, self.subject(), ability)
    }

    fn subject(&self) -> Subject {
        let (is_blocked, is_guest) = (self.is_blocked, self.is_guest);
        Subject { role: self.role, is_blocked, is_guest, ..Subject::default() }
    }

    /// Returns the parts of the chat object that are specific to this user.
    pub fn viewer(&self, conn: &mut AnyConn) -> Result<Viewer, StorageError> {
        let unread_count = match self.role {
            Some(_) => self.unread_count(conn)?,
            None => 0,
        };
        let unread_mentions = if unread_count > 0 { self.unread_mentions(conn)? } else { 0 };
        Ok(self.viewer_with(unread_count, unread_mentions))
    }

    /// Returns the parts of the chat object that are specific to this user, given the unread counts.
    pub fn viewer_with(&self, unread_count: i64, unread_mentions: i64) -> Viewer {
        let (role, last_read_message_id) = (self.role, self.last_read_message_id);
        Viewer { id: self.user, role, last_read_message_id, unread_count, unread_mentions, me: self.me }
    }

    /// Counts the unread messages that mention the user.
    pub fn unread_mentions(&self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        let after = unread::counted_after(self.read_pos, self.unread_pos);
        mentions::count_after(conn, Lane::Chat(self.chat.id), self.user, after)
    }

    /// Counts other users' messages that are unread.
    pub fn unread_count(&self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        unread::count(conn, &self.chat, self.user, unread::counted_after(self.read_pos, self.unread_pos))
    }
}

/// Returns the membership of a user; `None` where the user is not a member or the chat does not exist.
pub fn membership(
    conn: &mut AnyConn,
    chat: ChatId,
    user: UserId,
) -> Result<Option<Membership>, StorageError> {
    Ok(load(conn, chat, user)?.filter(|membership| membership.role.is_some()))
}

/// Loads a chat and the user's state in it, without authorization; `None` where the chat does not exist.
fn load(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Option<Membership>, StorageError> {
    let row = sql!(
        "SELECT {} FROM chats c JOIN users u ON u.id = ? \
         LEFT JOIN members m ON m.chat_id = c.id AND m.user_id = u.id AND m.left_seq IS NULL \
         WHERE c.id = ? AND c.deleted_at IS NULL",
        user,
        chat
    );
    let row = row.first::<AuthorizationRow>(conn)?;
    Ok(row.map(|row| Membership {
        is_blocked: row.is_blocked,
        is_staff: row.is_staff,
        is_guest: row.is_guest,
        ..row.membership.of(user)
    }))
}

row! {
    /// A user's preferences in a chat; all null where the user is not a member.
    pub(crate) struct MeRow from members m {
        is_pinned: Option<bool>,
        muted_until: Option<Timestamp>,
        unread_pos: Option<Pos>,
        unread_message_id: Option<MessageId>,
        notify: Option<NotifyLevel>,
    }
}

impl MeRow {
    /// Returns the preferences in a chat of this kind.
    pub(crate) fn of(self, kind: ChatKind) -> Me {
        Me {
            muted_until: self.muted_until,
            is_pinned: self.is_pinned.unwrap_or(false),
            unread_from: self.unread_message_id,
            notify: self.notify.unwrap_or_else(|| kind.default_level()),
        }
    }
}

row! {
    /// A chat and a user's state in it. The state is null where the user is not a member.
    pub(crate) struct MembershipRow from members m {
        chat: ChatRow,
        role: Option<Role>,
        read_pos: Option<Pos>,
        read_message_id: Option<MessageId>,
        me_seq: Option<Seq>,
        me: MeRow,
    }
}

row! {
    /// A membership, and whether the chat is a dm whose other member has blocked the user.
    struct AuthorizationRow {
        membership: MembershipRow,
        // One statement, at no cost for groups and rooms. The block is looked up by key: with a join, a
        // planner may start with all blocks of a user whom thousands have blocked.
        is_blocked: bool = "CASE WHEN c.chat_type = 'dm' THEN EXISTS (SELECT 1 FROM members o \
            WHERE o.chat_id = c.id AND (SELECT b.created_at FROM blocks b \
                WHERE b.blocker_id = o.user_id AND b.blocked_id = m.user_id) IS NOT NULL) ELSE FALSE END",
        is_staff: bool = "u.is_staff",
        is_guest: bool = "u.is_guest",
    }
}

impl MembershipRow {
    pub(crate) fn of(self, user: UserId) -> Membership {
        let kind = self.chat.chat_type;
        Membership {
            chat: self.chat.into(),
            user,
            role: self.role,
            read_pos: self.read_pos.unwrap_or(0),
            last_read_message_id: self.read_message_id,
            unread_pos: self.me.unread_pos,
            me: self.me.of(kind),
            me_seq: self.me_seq.unwrap_or(0),
            is_blocked: false,
            is_staff: false,
            is_guest: false,
        }
    }
}

/// Returns the caller's membership if it permits `ability`. This check is authoritative only inside a writing
/// transaction.
pub fn authorized(
    conn: &mut AnyConn,
    chat: ChatId,
    caller: UserId,
    ability: Ability,
) -> Result<Membership, StorageError> {
    let membership = load(conn, chat, caller)?.ok_or(Refusal::NotFound)?;
    let Err(refusal) = membership.authorize(ability) else { return Ok(membership) };
    let is_of_staff =
        matches!(ability, Ability::See | Ability::Join | Ability::ChangeMessageCustom { .. } | Ability::Pin);
    if !is_of_staff && !ability.is_managing() {
        return Err(refusal.into());
    }
    let is_staff = membership.is_staff;
    let may_help = is_staff || membership.chat.kind == ChatKind::Dm;
    let is_unattended = may_help && !members::has_active_admin(conn, chat)?;
    authorize(&membership.chat, Subject { is_staff, is_unattended, ..membership.subject() }, ability)?;
    Ok(membership)
}

/// Returns a message that a user may see, with its readers.
pub fn visible(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    user: UserId,
    id: MessageId,
) -> Result<Message, StorageError> {
    let (chat, pos) = positions::locate(conn, id)?.ok_or(Refusal::NotFound)?;
    let chat = authorized(conn, chat, user, Ability::Read)?.chat;
    let message = at(conn, chat.id, pos)?.filter(|message| !message.is_deleted);
    let mut message = message.ok_or(Refusal::NotFound)?;
    message.note_readers(&members::readers(conn, &chat, policy.receipts_max_members)?);
    Ok(message)
}
