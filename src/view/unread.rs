//! JSON of what is unread for a user.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::model::{ChatId, MessageId, threads::UnreadInChat};

/// What is unread in the chats and threads of the caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unread)]
pub struct UnreadView {
    /// Unread counts by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    unread: BTreeMap<ChatId, i64>,
    /// Counts of unread messages that mention the caller, by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    chat_mentions: BTreeMap<ChatId, i64>,
    /// What is unread in the threads that the caller follows, by the id of the root. Threads without unread replies are
    /// left out.
    #[schema(value_type = BTreeMap<String, UnreadThreadView>)]
    threads: BTreeMap<MessageId, UnreadThreadView>,
}

/// What is unread in a thread.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnreadThread)]
pub struct UnreadThreadView {
    chat: ChatId,
    /// Replies of other users after the thread's read marker, without deleted ones.
    unread: i64,
    /// Those that mention the caller.
    mentions: i64,
}

impl UnreadView {
    pub fn of(overview: &BTreeMap<ChatId, UnreadInChat>) -> Self {
        let with_messages = overview.iter().filter(|(_, unread)| unread.count > 0);
        Self {
            unread: with_messages.map(|(chat, unread)| (*chat, unread.count)).collect(),
            chat_mentions: mentions_by_chat(overview),
            threads: UnreadThreadView::all(overview),
        }
    }
}

/// Returns the numbers of unread mentions of chats that have any.
pub fn mentions_by_chat(overview: &BTreeMap<ChatId, UnreadInChat>) -> BTreeMap<ChatId, i64> {
    let with_mentions = overview.iter().filter(|(_, unread)| unread.mentions > 0);
    with_mentions.map(|(chat, unread)| (*chat, unread.mentions)).collect()
}

impl UnreadThreadView {
    /// Returns the unread threads of all chats by root.
    pub fn all(overview: &BTreeMap<ChatId, UnreadInChat>) -> BTreeMap<MessageId, Self> {
        let threads = overview.iter().flat_map(|(chat, unread)| {
            unread
                .threads
                .iter()
                .map(|own| (own.root, Self { chat: *chat, unread: own.unread, mentions: own.mentions }))
        });
        threads.collect()
    }
}
