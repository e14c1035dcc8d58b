//! Chats as their members meet them, and public rooms as anybody does: where what one may do is decided.

use super::unread;
use crate::{
    core::model::{
        Chat, ChatId, ChatKind, Me, MessageId, Pos, Refusal, Role, Seq, Timestamp, UserId, Viewer,
        permission::{Ability, Asker, authorize},
        records::Message,
    },
    storage::{
        AnyConn, StorageError,
        db::sql::{Both, sql},
        policy::Rules,
        tables::{
            members,
            messages::{at, locate},
            rows::{ChatRow, chat, chat_columns},
            users,
        },
    },
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
    pub me: Me,
    /// The place of the message from which on everything is unread by hand.
    pub unread_pos: Option<Pos>,
    /// Number of the latest change of what the user has set for themselves.
    pub me_seq: Seq,
    /// Whether it is a dm and the other one has blocked the user; looked for only where it is decided what they may do.
    is_blocked: bool,
}

impl Membership {
    /// Whether the user may do something, apart from what staff may.
    pub fn authorize(&self, ability: Ability) -> Result<(), Refusal> {
        authorize(&self.chat, self.asker(), ability)
    }

    fn asker(&self) -> Asker {
        Asker { role: self.role, is_blocked: self.is_blocked, ..Asker::default() }
    }

    /// What the chat object shows to this member only.
    pub fn viewer(&self, conn: &mut AnyConn) -> Result<Viewer, StorageError> {
        let unread_count = match self.role {
            Some(_) => self.unread_count(conn)?,
            None => 0,
        };
        let (role, last_read_message_id) = (self.role, self.last_read_message_id);
        Ok(Viewer { id: self.user, role, last_read_message_id, unread_count, me: self.me })
    }

    /// How many messages of others are unread.
    pub fn unread_count(&self, conn: &mut AnyConn) -> Result<i64, StorageError> {
        unread::count(conn, &self.chat, self.user, unread::counted_after(self.read_pos, self.unread_pos))
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

/// The chat as the user meets it, whether they may see it or not; `None` where there is no such chat.
fn met(conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<Option<Membership>, StorageError> {
    let row = sql!(
        concat!(
            "SELECT ",
            chat_columns!(),
            ", ",
            place_columns!(),
            // In one statement, and nothing that a group or a room has to pay for. A look-up by key for each of the two:
            // joined, a planner may begin with all blocks of a user whom thousands have blocked.
            ", CASE WHEN c.chat_type = 'dm' THEN EXISTS (SELECT 1 FROM members o WHERE o.chat_id = c.id AND ",
            "(SELECT b.created_at FROM blocks b WHERE b.blocker_id = o.user_id AND b.blocked_id = m.user_id) ",
            "IS NOT NULL) ELSE FALSE END ",
            "FROM chats c LEFT JOIN members m ON m.chat_id = c.id AND m.user_id = ? AND m.left_seq IS NULL ",
            "WHERE c.id = ? AND c.deleted_at IS NULL"
        ),
        user,
        chat
    )
    .first::<Both<ChatRow, AskingRow>>(conn)?;
    Ok(row.map(|Both(chat, (a, b, c, d, e, f, g, h, is_blocked))| Membership {
        is_blocked,
        ..membership_from(user, Both(chat, (a, b, c, d, e, f, g, h)))
    }))
}

/// The columns of what a user has set for themselves, in the order of [`MeRow`]; `m` is the members table.
macro_rules! me_columns {
    () => {
        "m.is_pinned, m.muted_until, m.unread_pos, m.unread_message_id"
    };
}
pub(crate) use me_columns;

pub(crate) type MeRow = (Option<bool>, Option<i64>, Option<i64>, Option<i64>);

/// What a user has set for themselves, and the place of the message from which on everything is unread by hand.
pub(crate) fn me((is_pinned, muted_until, unread_pos, unread_from): MeRow) -> (Me, Option<Pos>) {
    let me = Me {
        muted_until: muted_until.map(Timestamp),
        is_pinned: is_pinned.unwrap_or(false),
        unread_from: unread_from.map(MessageId),
    };
    (me, unread_pos)
}

/// The columns of a member's place in a chat, in the order of [`PlaceRow`]; `m` is the members table.
macro_rules! place_columns {
    () => {
        concat!("m.role, m.read_pos, m.read_message_id, m.me_seq, ", me_columns!())
    };
}
pub(crate) use place_columns;

/// All null where there is no member.
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

/// The same, and whether the user is blocked.
type AskingRow = (
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

pub(crate) type MembershipRow = Both<ChatRow, PlaceRow>;

pub(crate) fn membership_from(user: UserId, Both(chat_row, place): MembershipRow) -> Membership {
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

/// The caller's place in a chat, if it allows what they want. This is the authority: what it says inside a writing
/// transaction is what holds.
pub fn authorized(
    conn: &mut AnyConn,
    chat: ChatId,
    caller: UserId,
    ability: Ability,
) -> Result<Membership, StorageError> {
    let met = met(conn, chat, caller)?.ok_or(Refusal::NotFound)?;
    let Err(refusal) = met.authorize(ability) else { return Ok(met) };
    if !matches!(ability, Ability::See | Ability::Join) && !ability.is_managing() {
        return Err(refusal.into());
    }
    let is_staff = users::is_staff(conn, caller)?;
    let may_help = is_staff || met.chat.kind == ChatKind::Dm;
    let is_unattended = may_help && !members::has_active_admin(conn, chat)?;
    authorize(&met.chat, Asker { is_staff, is_unattended, ..met.asker() }, ability)?;
    Ok(met)
}

/// A message that a user may see, with its readers.
pub fn visible(
    conn: &mut AnyConn,
    rules: &Rules,
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
