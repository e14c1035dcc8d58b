//! What the scanner has found in attachments: shown by the messages that have them.

use super::part_change;
use crate::{
    core::model::{
        AttachmentState, ChatId, MessageId, Refusal,
        event::{Answer, Done},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{
            chats, message_parts, messages,
            scans::{self, Waiting},
            stored_files,
        },
    },
};

/// Shows what the scanner has found in the attachments of a message.
pub(crate) fn show(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: ChatId,
    id: MessageId,
) -> Result<Done, StorageError> {
    let chat = chats::find(conn, chat)?.ok_or(Refusal::NotFound)?;
    let message = messages::in_chat(conn, chat.id, id)?.filter(|message| !message.is_deleted);
    let mut message = message.ok_or(Refusal::NotFound)?;
    let (mut dropped, mut is_changed) = (Vec::new(), false);
    for waiting in scans::of_message(conn, (chat.id, id))? {
        let Some(verdict) = waiting.verdict() else { continue };
        if !scans::settle(conn, waiting.id, Some(id), verdict)? {
            continue;
        }
        is_changed = true;
        dropped.extend(Some(waiting.file_id).filter(|_| verdict == AttachmentState::Blocked));
        for shown in message.attachments.iter_mut().filter(|shown| shown.id == waiting.id) {
            scans::settle_shown(shown, verdict);
        }
    }
    if !is_changed {
        return Ok(Done::unchanged(Answer::Done));
    }
    stored_files::drop_references(conn, dropped)?;
    part_change::apply(conn, policy, (chat, message), message_parts::set_attachments)
}

/// Shows what the scanner has found in an upload that is not sent, or whose message is gone.
pub(crate) fn settle(conn: &mut AnyConn, waiting: &Waiting) -> Result<(), StorageError> {
    let Some(verdict) = waiting.verdict() else { return Ok(()) };
    let is_settled = scans::settle(conn, waiting.id, waiting.message_id, verdict)?;
    match is_settled && verdict == AttachmentState::Blocked {
        true => stored_files::drop_references(conn, vec![waiting.file_id]),
        false => Ok(()),
    }
}
