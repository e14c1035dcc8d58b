//! Members' own settings of a chat: mute, pin, manual unread mark, level of
//! notifications.

use super::outcome::take_number;
use crate::{
    core::model::{
        Change, Chat, ChatId, FieldErrors, Lane, Me, MessageId, Pos, UserId,
        command::{MeChange, Mute, UnreadMark},
        event::{Answer, Done, MeChanged},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError,
        queries::{membership, unread},
        tables::{chats, members, mentions, positions},
    },
};

pub(crate) fn change(
    conn: &mut AnyConn,
    chat: ChatId,
    by: UserId,
    change: MeChange,
) -> Result<Done, StorageError> {
    let membership = membership::authorized(conn, chat, by, Ability::TakePart)?;
    let (mut me, mut unread_pos) = (membership.me, membership.unread_pos);
    me.is_pinned = change.is_pinned.unwrap_or(me.is_pinned);
    me.notify = change.notify.unwrap_or(me.notify);
    match change.mute {
        None => {}
        Some(Mute::Off) => me.muted_until = None,
        Some(Mute::Until(time)) => me.muted_until = Some(time),
    }
    match change.unread_mark {
        None => {}
        Some(UnreadMark::Cleared) => (me.unread_from, unread_pos) = (None, None),
        Some(UnreadMark::From(message)) => {
            unread_pos = Some(place(conn, "unread_from", chat, message)?);
            me.unread_from = Some(message);
        }
    }
    if me == membership.me {
        return Ok(Done::unchanged(Answer::Done));
    }
    let mut chat = membership.chat;
    let after = unread::counted_after(membership.read_pos, unread_pos);
    let change = store(conn, &mut chat, by, (me, unread_pos), after)?;
    Ok(Done::changed(&chat, Answer::Done, change))
}

/// Stores a member's settings as the chat's next change. `after`: the position after which messages are
/// unread for the member.
pub(crate) fn store(
    conn: &mut AnyConn,
    chat: &mut Chat,
    user: UserId,
    (me, unread_pos): (Me, Option<Pos>),
    after: Pos,
) -> Result<Change, StorageError> {
    take_number(chat);
    members::set_me(conn, chat, user, (&me, unread_pos))?;
    chats::update(conn, chat)?;
    let unread_count = unread::count(conn, chat, user, after)?;
    let unread_mentions = mentions::count_after(conn, Lane::Chat(chat.id), user, after)?;
    Ok(Change::MeChanged(MeChanged { user, me, unread_count, unread_mentions }))
}

/// Returns the position of a message that a request field names. The message must be in the chat's timeline.
pub(crate) fn place(
    conn: &mut AnyConn,
    field: &'static str,
    chat: ChatId,
    message: MessageId,
) -> Result<Pos, StorageError> {
    match positions::locate(conn, message)? {
        Some((there, pos)) if there == chat && pos > 0 => Ok(pos),
        _ => {
            let sentence = format!("Invalid pk \"{message}\" - object does not exist.");
            Err(FieldErrors::of(field, sentence).into())
        }
    }
}
