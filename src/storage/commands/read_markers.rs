//! Moving read markers.

use super::{member_settings, outcome::take_number};
use crate::{
    core::model::{
        Change, ChatId, Lane, Me, MessageId, UserId,
        event::{Answer, Done, MarkerMoved},
        permission::Ability,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        queries::{membership, unread},
        tables::{chats, members, mentions, messages},
    },
};

pub(crate) fn mark_as_read(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    by: UserId,
    up_to: Option<MessageId>,
) -> Result<Done, StorageError> {
    let membership = membership::authorized(conn, chat, by, Ability::TakePart)?;
    let (mut chat, read_pos) = (membership.chat, membership.read_pos);
    let marker = match up_to {
        None => messages::last_id(conn, &chat)?.map(|id| (chat.last_pos, id)),
        Some(id) => Some((member_settings::place(conn, "message_id", chat.id, id)?, id)),
    };
    // Reading clears a manual unread mark, even if the read marker does not move.
    let was_by_hand = membership.me.unread_from.is_some();
    let me = Me { unread_from: None, ..membership.me };
    // The marker never moves back.
    let Some((pos, id)) = marker.filter(|(pos, _)| *pos > read_pos) else {
        if !was_by_hand {
            return Ok(Done::unchanged(Answer::Marked(0)));
        }
        let change = member_settings::store(conn, &mut chat, by, (me, None), read_pos)?;
        return Ok(Done::changed(&chat, Answer::Marked(0), change));
    };
    let before = unread::count(conn, &chat, by, read_pos)?;
    let after = unread::count(conn, &chat, by, pos)?;
    let unread_mentions = mentions::count_after(conn, Lane::Chat(chat.id), by, pos)?;
    let moved = MarkerMoved {
        user: by,
        last_read_message_id: id,
        unread_count: after,
        unread_mentions,
        me: Some(me),
    };
    let answer = Answer::Marked(before - after);
    if chat.member_count > policy.receipts_max_members {
        members::set_marker(conn, chat.id, by, (pos, id), None)?;
        let done = match was_by_hand {
            true => {
                let change = member_settings::store(conn, &mut chat, by, (me, None), pos)?;
                Done::changed(&chat, answer, change)
            }
            false => Done::unchanged(answer),
        };
        return Ok(Done { quiet_marker: Some(moved), ..done });
    }
    take_number(&mut chat);
    members::set_marker(conn, chat.id, by, (pos, id), Some(chat.seq))?;
    if was_by_hand {
        members::set_me(conn, &chat, by, (&me, None))?;
    }
    chats::update(conn, &chat)?;
    Ok(Done::changed(&chat, answer, Change::MarkerMoved(moved)))
}
