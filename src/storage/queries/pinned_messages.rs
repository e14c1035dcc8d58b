//! The pinned messages of a chat, and what changed in them.

use crate::{
    core::model::{Change, Chat, Message, MessageId, Seq},
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{members, messages, pins},
    },
};

/// Loads the pinned messages of a chat with their readers, the one pinned last first.
pub fn of_chat(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
) -> Result<Vec<Message>, StorageError> {
    let ids = pins::all(conn, chat.id)?;
    let mut messages = load(conn, policy, chat, &ids)?;
    // A node of an earlier version leaves deleted messages pinned.
    messages.retain(|message| !message.is_deleted);
    Ok(messages)
}

/// Loads messages with their readers, in the order given.
fn load(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    ids: &[MessageId],
) -> Result<Vec<Message>, StorageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut messages = messages::with_ids(conn, &keys)?;
    messages.sort_by_cached_key(|message| ids.iter().position(|id| *id == message.id));
    let readers = members::readers(conn, chat, policy.receipts_max_members)?;
    messages.iter_mut().for_each(|message| message.note_readers(&readers));
    Ok(messages)
}

/// Adds the messages that were pinned and unpinned since a change. A deletion unpins its message: there it becomes a
/// part of that change.
pub(super) fn add_changes(
    conn: &mut AnyConn,
    policy: &StoragePolicy,
    chat: &Chat,
    (since, limit): (Seq, i64),
    changes: &mut Vec<(Seq, Change)>,
) -> Result<(), StorageError> {
    let changed = pins::changed(conn, chat.id, since, limit)?;
    if changed.is_empty() {
        return Ok(());
    }
    let now = pins::count(conn, chat.id)?;
    let pinned: Vec<MessageId> =
        changed.iter().filter(|(.., is_pinned)| *is_pinned).map(|(id, ..)| *id).collect();
    let messages = load(conn, policy, chat, &pinned)?;
    for (id, seq, is_pinned) in changed {
        let deletion = changes.iter_mut().find(|(other, _)| *other == seq);
        if let Some((_, Change::MessageDeleted { unpinned, .. })) = deletion {
            *unpinned = Some(now);
        } else if is_pinned {
            let added = messages.iter().filter(|message| message.id == id).cloned().collect();
            changes.push((seq, Change::PinsChanged { added, removed: Vec::new(), count: now }));
        } else {
            changes.push((seq, Change::PinsChanged { added: Vec::new(), removed: vec![id], count: now }));
        }
    }
    Ok(())
}
