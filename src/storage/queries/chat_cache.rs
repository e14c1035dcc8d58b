//! Cache of chat objects, in the part that is equal for all viewers.
//!
//! The cache key is the chat's latest sequence number and the number of the latest change of any profile.
//! Both are read in the same database snapshot as the rest of the answer. An entry is used only for the same
//! two numbers, so it never needs invalidation, even when another process writes.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{
    chat_snapshot, contact_policy,
    membership::{self, Membership},
    threads::Followed,
};
use crate::{
    core::model::{
        CachedChat, Chat, ChatForViewer, ChatId, ChatSnapshot, Message, MessageId, Pos, Seq, UserId,
        permission::Ability,
        records::LISTED_MEMBERS,
        threads::{OwnThread, ThreadForViewer},
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{members, messages, profile_version},
    },
};

/// Maximum size of the cache in bytes, estimated.
const CAPACITY: u64 = 32 << 20;

/// Expected number of entries, for chats of 4 KiB.
const EXPECTED: usize = 8_192;

/// Number of shards, to reduce lock contention. A shard of 2 MiB has room for the largest chat.
const SHARDS: usize = 16;

/// Cache of recently shown chats. Use it within one database snapshot, not in a writing transaction.
pub struct ChatCache {
    policy: StoragePolicy,
    entries: Entries,
}

impl ChatCache {
    pub fn new(policy: StoragePolicy) -> Arc<Self> {
        Arc::new(Self { policy, entries: Entries::new() })
    }

    /// Starts reading chats in the current database snapshot.
    pub fn at_snapshot(&self, conn: &mut AnyConn) -> Result<CacheReader<'_>, StorageError> {
        Ok(CacheReader { cache: self, profiles: profile_version::number(conn)?, is_limited: None })
    }

    /// Returns a chat for `user`. Fails with a refusal if the user may not see it.
    pub fn view(
        &self,
        conn: &mut AnyConn,
        chat: ChatId,
        user: UserId,
    ) -> Result<ChatForViewer, StorageError> {
        let membership = membership::authorized(conn, chat, user, Ability::See)?;
        self.at_snapshot(conn)?.shown(conn, membership)
    }

    /// Returns threads of a user's chats with their roots and last replies.
    pub fn threads(
        &self,
        conn: &mut AnyConn,
        user: UserId,
        rows: Vec<(Followed, OwnThread)>,
    ) -> Result<Vec<ThreadForViewer>, StorageError> {
        let ids = rows.iter().flat_map(|(this, _)| [this.thread.root.0, this.thread.last_reply.0]);
        let messages = messages::with_ids(conn, &ids.filter(|id| *id > 0).collect::<Vec<_>>())?;
        let mut messages: HashMap<MessageId, Message> =
            messages.into_iter().map(|message| (message.id, message)).collect();
        let cache = self.at_snapshot(conn)?;
        let mut threads = Vec::with_capacity(rows.len());
        for (Followed { thread, .. }, own) in rows {
            let Some(membership) = membership::membership(conn, thread.chat, user)? else { continue };
            let Some(mut root) = messages.remove(&thread.root) else { continue };
            let mut last_reply = messages.remove(&thread.last_reply);
            let chat = cache.shown(conn, membership)?;
            let shown = [Some(&mut root), last_reply.as_mut()].into_iter().flatten();
            let readers = members::readers(conn, &chat.chat.snapshot.chat, self.policy.receipts_max_members)?;
            shown.for_each(|message| message.note_readers(&readers));
            threads.push(ThreadForViewer { chat, root, last_reply, own });
        }
        Ok(threads)
    }
}

/// Reads chats in one database snapshot, through the cache.
#[derive(Clone, Copy)]
pub struct CacheReader<'a> {
    cache: &'a ChatCache,
    profiles: i64,
    /// Whether the viewer of all chats sees no strangers; `None`: it is looked up for each chat.
    is_limited: Option<bool>,
}

impl CacheReader<'_> {
    /// Looks up once what a viewer may see of the people in many chats.
    pub fn for_viewer(self, conn: &mut AnyConn, viewer: UserId) -> Result<Self, StorageError> {
        let is_limited = contact_policy::is_limited(conn, &self.cache.policy, viewer)?;
        Ok(Self { is_limited: Some(is_limited), ..self })
    }

    /// Returns the chat for the user of a membership.
    pub fn shown(self, conn: &mut AnyConn, membership: Membership) -> Result<ChatForViewer, StorageError> {
        let viewer = membership.viewer(conn)?;
        let cached = self.chat(conn, membership.chat)?;
        let chat = match viewer.role {
            Some(_) => cached,
            None => {
                let outside = cached.snapshot.clone().from_outside();
                let is_limited = match self.is_limited {
                    Some(is_limited) => is_limited,
                    None => contact_policy::is_limited(conn, &self.cache.policy, viewer.id)?,
                };
                Arc::new(CachedChat::new(if is_limited { outside.without_people() } else { outside }))
            }
        };
        Ok(ChatForViewer { chat, viewer })
    }

    /// Returns the messages in a range of positions in a chat, newest first, with their readers.
    pub fn messages(
        self,
        conn: &mut AnyConn,
        chat: Chat,
        places: RangeInclusive<Pos>,
    ) -> Result<Vec<Message>, StorageError> {
        let id = chat.id;
        if self.is_small(&chat) {
            let cached = self.chat(conn, chat)?;
            return messages::among(conn, id, places, &cached.snapshot.members);
        }
        let mut messages = messages::range(conn, id, places)?;
        self.note_readers(conn, &chat, &mut messages)?;
        Ok(messages)
    }

    /// Returns the replies in a range of positions of a thread, newest first, with their readers.
    pub fn replies(
        self,
        conn: &mut AnyConn,
        chat: &Chat,
        root: MessageId,
        places: RangeInclusive<Pos>,
    ) -> Result<Vec<Message>, StorageError> {
        let mut messages = messages::replies(conn, chat.id, root, places)?;
        self.note_readers(conn, chat, &mut messages)?;
        Ok(messages)
    }

    fn note_readers(
        self,
        conn: &mut AnyConn,
        chat: &Chat,
        messages: &mut [Message],
    ) -> Result<(), StorageError> {
        let readers = members::readers(conn, chat, self.cache.policy.receipts_max_members)?;
        messages.iter_mut().for_each(|message| message.note_readers(&readers));
        Ok(())
    }

    /// Returns whether the chat lists all members and every change in it takes a sequence number. In larger
    /// chats read markers move without one.
    fn is_small(self, chat: &Chat) -> bool {
        chat.member_count <= self.cache.policy.receipts_max_members.min(LISTED_MEMBERS)
    }

    /// Returns the chat as its members see it.
    fn chat(self, conn: &mut AnyConn, chat: Chat) -> Result<Arc<CachedChat>, StorageError> {
        let policy = &self.cache.policy;
        if !self.is_small(&chat) {
            return Ok(Arc::new(CachedChat::new(chat_snapshot::snapshot_of(conn, policy, chat)?)));
        }
        let (id, version) = (chat.id, (chat.seq, self.profiles));
        let cached = self.cache.entries.get(id, version);
        if let Some(cached) = cached {
            #[cfg(debug_assertions)]
            assert_eq!(
                cached.snapshot,
                chat_snapshot::snapshot_of(conn, policy, chat)?,
                "the cached chat is out of date"
            );
            return Ok(cached);
        }
        let cached = Arc::new(CachedChat::new(chat_snapshot::snapshot_of(conn, policy, chat)?));
        self.cache.entries.put(id, version, cached.clone());
        Ok(cached)
    }
}

/// The chat's latest sequence number, and the number of the latest change of a profile.
type Version = (Seq, i64);

/// Cached chats by id, one version of each.
struct Entries(Cache<ChatId, VersionedChat, ByBytes>);

#[derive(Clone)]
struct VersionedChat {
    version: Version,
    /// Estimated size in bytes.
    weight: u64,
    chat: Arc<CachedChat>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<ChatId, VersionedChat> for ByBytes {
    fn weight(&self, _: &ChatId, entry: &VersionedChat) -> u64 {
        entry.weight
    }
}

impl Entries {
    fn new() -> Self {
        let options = OptionsBuilder::new()
            .weight_capacity(CAPACITY)
            .estimated_items_capacity(EXPECTED)
            .shards(SHARDS)
            .build()
            .expect("all capacities are given");
        let (hashing, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self(Cache::with_options(options, ByBytes, hashing, lifecycle))
    }

    fn get(&self, id: ChatId, version: Version) -> Option<Arc<CachedChat>> {
        self.0.get(&id).filter(|entry| entry.version == version).map(|entry| entry.chat)
    }

    fn put(&self, id: ChatId, version: Version, chat: Arc<CachedChat>) {
        let weight = weight(&chat.snapshot) as u64;
        self.0.insert(id, VersionedChat { version, weight, chat });
    }
}

/// Estimates the size of a chat in bytes, with its JSON.
fn weight(snapshot: &ChatSnapshot) -> usize {
    let people = snapshot.members.iter().map(|member| {
        let card = &member.user;
        512 + 2
            * (card.username.len()
                + card.display_name.len()
                + card.avatar_url.as_ref().map_or(0, String::len))
    });
    let last = snapshot.last_message.iter().map(|message| {
        let forwarded = message.forwarded_from.as_ref().map_or(0, |forwarded| 512 + forwarded.content.len());
        let quote = message.reply_to.as_ref().map_or(0, |quote| 512 + quote.excerpt.len());
        1024 + 2
            * (message.content.len() + message.reactions.len() + message.custom.size() + quote + forwarded)
            + 16 * message.read_by.len()
    });
    1024 + snapshot.chat.custom.size() + people.sum::<usize>() + last.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::ChatKind;

    fn chat(id: i64) -> (ChatId, Arc<CachedChat>) {
        let chat = Chat::fixture(ChatId(id), ChatKind::Group);
        let snapshot = ChatSnapshot { chat, members: Vec::new(), admins: Vec::new(), last_message: None };
        (ChatId(id), Arc::new(CachedChat::new(snapshot)))
    }

    #[test]
    fn what_was_asked_for_lately_stays_and_the_rest_goes() {
        let entries = Entries::new();
        let room = (CAPACITY / 1024) as i64;
        let (first, cached) = chat(0);
        entries.put(first, (1, 1), cached);
        for id in 1..4 * room {
            let (id, cached) = chat(id);
            entries.put(id, (1, 1), cached);
            assert!(entries.get(first, (1, 1)).is_some(), "{id}");
            assert!(entries.0.weight() <= CAPACITY, "{}", entries.0.weight());
        }
        assert!(entries.0.weight() > CAPACITY / 2, "{}", entries.0.weight());
        let left = (1..4 * room).filter(|id| entries.get(ChatId(*id), (1, 1)).is_some()).count();
        assert!(left <= room as usize, "{left}");
    }

    #[test]
    fn another_number_is_another_chat() {
        let entries = Entries::new();
        let (id, cached) = chat(1);
        entries.put(id, (1, 1), cached);
        assert!(entries.get(id, (2, 1)).is_none());
        assert!(entries.get(id, (1, 2)).is_none());
        let (_, newer) = chat(1);
        entries.put(id, (2, 1), newer);
        assert!(entries.get(id, (1, 1)).is_none());
        assert!(entries.get(id, (2, 1)).is_some());
        assert_eq!(entries.0.weight(), 1024);
    }
}
