//! Memberships: a chat together with one user's state in it, and the authorization of that user.

use super::unread;
use crate::{
    core::model::{
        Chat, ChatId, ChatKind, Me, MessageId, Pos, Refusal, Role, Seq, Timestamp, UserId, Viewer,
        permission::{Ability, Subject, authorize},
        records::Message,
    },
    storage::{
        AnyConn, StorageError,
        db::sql::{Concat, sql},
        policy::StoragePolicy,
        tables::{
            members,
            messages::{at, locate},
            rows::{ChatRow, chat, chat_columns},
            users,
        },
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
    /// Whether the chat is a dm whose other member has blocked the user. Loaded only for authorization.
    is_blocked: bool,
}

impl Membership {
    /// Checks whether the user may act, disregarding staff privileges.
    pub fn authorize(&self, ability: Ability) -> Result<(), Refusal> {
        authorize(&self.chat, self.subject(), ability)
    }

    fn subject(&self) -> Subject {
        Subject { role: self.role, is_blocked: self.is_blocked, ..Subject::default() }
    }

    /// Returns the parts of the chat object that are specific to this user.
    pub fn viewer(&self, conn: &mut AnyConn) -> Result<Viewer, StorageError> {
        let unread_count = match self.role {
            Some(_) => self.unread_count(conn)?,
            None => 0,
        };
        let (role, last_read_message_id) = (self.role, self.last_read_message_id);
        Ok(Viewer { id: self.user, role, last_read_message_id, unread_count, me: self.me })
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
        concat!(
            "SELECT ",
            chat_columns!(),
            ", ",
            place_columns!(),
            // One statement, at no cost for groups and rooms. The block is looked up by key: with a join, a
            // planner may start with all blocks of a user whom thousands have blocked.
            ", CASE WHEN c.chat_type = 'dm' THEN EXISTS (SELECT 1 FROM members o WHERE o.chat_id = c.id AND ",
            "(SELECT b.created_at FROM blocks b WHERE b.blocker_id = o.user_id AND b.blocked_id = m.user_id) ",
            "IS NOT NULL) ELSE FALSE END ",
            "FROM chats c LEFT JOIN members m ON m.chat_id = c.id AND m.user_id = ? AND m.left_seq IS NULL ",
            "WHERE c.id = ? AND c.deleted_at IS NULL"
        ),
        user,
        chat
    )
    .first::<Concat<ChatRow, AuthorizationRow>>(conn)?;
    Ok(row.map(|Concat(chat, (a, b, c, d, e, f, g, h, is_blocked))| Membership {
        is_blocked,
        ..membership_from(user, Concat(chat, (a, b, c, d, e, f, g, h)))
    }))
}

/// The columns of a user's preferences, in the order of [`MeRow`]; `m` is the members table.
macro_rules! me_columns {
    () => {
        "m.is_pinned, m.muted_until, m.unread_pos, m.unread_message_id"
    };
}
pub(crate) use me_columns;

pub(crate) type MeRow = (Option<bool>, Option<i64>, Option<i64>, Option<i64>);

/// Returns a user's preferences, and the position of the message from which they marked everything as unread.
pub(crate) fn me((is_pinned, muted_until, unread_pos, unread_from): MeRow) -> (Me, Option<Pos>) {
    let me = Me {
        muted_until: muted_until.map(Timestamp),
        is_pinned: is_pinned.unwrap_or(false),
        unread_from: unread_from.map(MessageId),
    };
    (me, unread_pos)
}

/// The columns of a member's state in a chat, in the order of [`PlaceRow`]; `m` is the members table.
macro_rules! place_columns {
    () => {
        concat!("m.role, m.read_pos, m.read_message_id, m.me_seq, ", me_columns!())
    };
}
pub(crate) use place_columns;

/// A member's state; all null where there is no member.
type PlaceRow = (
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// A member's state, and whether the user is blocked.
type AuthorizationRow = (
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<bool>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    bool,
);

pub(crate) type MembershipRow = Concat<ChatRow, PlaceRow>;

pub(crate) fn membership_from(user: UserId, Concat(chat_row, place): MembershipRow) -> Membership {
    let (role, read_pos, read_message_id, me_seq, is_pinned, muted_until, unread_pos, unread_from) = place;
    let (me, unread_pos) = me((is_pinned, muted_until, unread_pos, unread_from));
    Membership {
        chat: chat(chat_row),
        user,
        role: role.map(|role| Role::parse(&role).unwrap_or(Role::Member)),
        read_pos: read_pos.unwrap_or(0),
        last_read_message_id: read_message_id.map(MessageId),
        me,
        unread_pos,
        me_seq: me_seq.unwrap_or(0),
        is_blocked: false,
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
    if !matches!(ability, Ability::See | Ability::Join) && !ability.is_managing() {
        return Err(refusal.into());
    }
    let is_staff = users::is_staff(conn, caller)?;
    let may_help = is_staff || membership.chat.kind == ChatKind::Dm;
    let is_unattended = may_help && !members::has_active_admin(conn, chat)?;
    authorize(&membership.chat, Subject { is_staff, is_unattended, ..membership.subject() }, ability)?;
    Ok(membership)
}

/// Returns a message that a user may see, with its readers.
pub fn visible(
    conn: &mut AnyConn,
    rules: &StoragePolicy,
    user: UserId,
    id: MessageId,
) -> Result<Message, StorageError> {
    let (chat, pos) = locate(conn, id)?.ok_or(Refusal::NotFound)?;
    let chat = authorized(conn, chat, user, Ability::TakePart)?.chat;
    let message = at(conn, chat.id, pos)?.filter(|message| !message.is_deleted);
    let mut message = message.ok_or(Refusal::NotFound)?;
    message.note_readers(&members::readers(conn, &chat, rules.receipts_max_members)?);
    Ok(message)
}
