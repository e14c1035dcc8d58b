//! Moving read markers.

use super::take_number;
use crate::{
    model::{
        Change, ChatId, FieldErrors, MessageId, UserId,
        event::{Answer, Done, MarkerMoved},
        permission::Ability,
    },
    storage::{AnyConn, Rules, StorageError, chats, members, messages, unread},
};

pub(super) fn mark_as_read(
    conn: &mut AnyConn,
    rules: &Rules,
    chat: ChatId,
    by: UserId,
    up_to: Option<MessageId>,
) -> Result<Done, StorageError> {
    let membership = chats::authorized(conn, chat, by, Ability::TakePart)?;
    let (mut chat, read_pos) = (membership.chat, membership.read_pos);
    let marker = match up_to {
        None => messages::last_id(conn, &chat)?.map(|id| (chat.last_pos, id)),
        Some(id) => match messages::locate(conn, id)? {
            Some((place, pos)) if place == chat.id => Some((pos, id)),
            _ => {
                let sentence = format!("Invalid pk \"{id}\" - object does not exist.");
                return Err(FieldErrors::of("message_id", sentence).into());
            }
        },
    };
    // The marker never moves back.
    let Some((pos, id)) = marker.filter(|(pos, _)| *pos > read_pos) else {
        return Ok(Done::unchanged(Answer::Marked(0)));
    };
    let before = unread::count(conn, &chat, by, read_pos)?;
    let after = unread::count(conn, &chat, by, pos)?;
    let moved = MarkerMoved { user: by, last_read_message_id: id, unread_count: after };
    let answer = Answer::Marked(before - after);
    if chat.member_count > rules.receipts_max_members {
        members::set_marker(conn, chat.id, by, (pos, id), None)?;
        return Ok(Done { quiet_marker: Some(moved), ..Done::unchanged(answer) });
    }
    take_number(&mut chat);
    members::set_marker(conn, chat.id, by, (pos, id), Some(chat.seq))?;
    chats::update(conn, &chat)?;
    Ok(Done::changed(&chat, answer, Change::MarkerMoved(moved)))
}
