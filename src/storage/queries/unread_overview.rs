//! What is unread for a user, in all chats or in one: messages of the timeline, and replies of followed threads.

use std::collections::BTreeMap;

use super::{chat_list, membership::Membership, threads};
use crate::{
    core::model::{ChatId, UserId, threads::UnreadInChat},
    storage::{AnyConn, StorageError},
};

/// Returns what is unread in each chat of a user. Chats where nothing is unread are omitted.
pub fn of_user(conn: &mut AnyConn, user: UserId) -> Result<BTreeMap<ChatId, UnreadInChat>, StorageError> {
    let mut overview: BTreeMap<ChatId, UnreadInChat> = BTreeMap::new();
    for (chat, count, mentions) in chat_list::unread_by_chat(conn, user)? {
        let unread = overview.entry(chat).or_default();
        (unread.count, unread.mentions) = (count, mentions);
    }
    for (chat, thread) in threads::unread_by_thread(conn, user)? {
        overview.entry(chat).or_default().threads.push(thread);
    }
    Ok(overview)
}

/// Returns what is unread in the chat of a membership.
pub fn of_membership(conn: &mut AnyConn, membership: &Membership) -> Result<UnreadInChat, StorageError> {
    let count = if membership.role.is_some() { membership.unread_count(conn)? } else { 0 };
    let threads = threads::unread_in_chat(conn, membership.user, membership.chat.id)?;
    let mentions = if count > 0 { membership.unread_mentions(conn)? } else { 0 };
    Ok(UnreadInChat { count, mentions, threads })
}
