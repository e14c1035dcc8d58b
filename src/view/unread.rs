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
            threads: UnreadThreadView::all(overview),
        }
    }
}

impl UnreadThreadView {
    /// Returns the unread threads of all chats by root.
    pub fn all(overview: &BTreeMap<ChatId, UnreadInChat>) -> BTreeMap<MessageId, Self> {
        let threads = overview.iter().flat_map(|(chat, unread)| {
            unread.threads.iter().map(|own| {
                (own.root, Self { chat: *chat, unread: own.unread, mentions: own.mentions })
            })
        });
        threads.collect()
    }
}
