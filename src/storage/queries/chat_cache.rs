//! Cache of chat objects, in the part that is equal for all viewers.
//!
//! The cache key is the chat's latest sequence number and the number of the latest change of any profile.
//! Both are read in the same database snapshot as the rest of the answer. An entry is used only for the same
//! two numbers, so it never needs invalidation, even when another process writes.

use std::{
    collections::HashMap,
    mem,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    chat_snapshot, contact_policy,
    membership::{self, Membership},
};
use crate::{
    core::model::{
        CachedChat, Chat, ChatForViewer, ChatId, ChatSnapshot, Message, Pos, Seq, UserId,
        permission::Ability, records::LISTED_MEMBERS,
    },
    storage::{
        AnyConn, StorageError, StoragePolicy,
        tables::{members, messages, profile_version},
    },
};

/// Maximum size of the cache in bytes, estimated.
const MOST: usize = 32 << 20;

/// Cache of recently shown chats. Use it within one database snapshot, not in a writing transaction.
pub struct ChatCache {
    rules: StoragePolicy,
    entries: Mutex<Generations>,
}

impl ChatCache {
    pub fn new(rules: StoragePolicy) -> Arc<Self> {
        Arc::new(Self { rules, entries: Mutex::default() })
    }

    /// Starts reading chats in the current database snapshot.
    pub fn look(&self, conn: &mut AnyConn) -> Result<Look<'_>, StorageError> {
        Ok(Look { cache: self, profiles: profile_version::number(conn)? })
    }

    /// Returns a chat for `user`. Fails with a refusal if the user may not see it.
    pub fn view(
        &self,
        conn: &mut AnyConn,
        chat: ChatId,
        user: UserId,
    ) -> Result<ChatForViewer, StorageError> {
        let membership = membership::authorized(conn, chat, user, Ability::See)?;
        self.look(conn)?.shown(conn, membership)
    }
}

/// Reads chats in one database snapshot, through the cache.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    cache: &'a ChatCache,
    profiles: i64,
}

impl Look<'_> {
    /// Returns the chat for the user of a membership.
    pub fn shown(self, conn: &mut AnyConn, membership: Membership) -> Result<ChatForViewer, StorageError> {
        let viewer = membership.viewer(conn)?;
        let cached = self.chat(conn, membership.chat)?;
        let chat = match viewer.role {
            Some(_) => cached,
            None => {
                let outside = cached.snapshot.clone().from_outside();
                let is_limited = contact_policy::is_limited(conn, &self.cache.rules, viewer.id)?;
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
        let readers = members::readers(conn, &chat, self.cache.rules.receipts_max_members)?;
        messages.iter_mut().for_each(|message| message.note_readers(&readers));
        Ok(messages)
    }

    /// Returns whether the chat lists all members and every change in it takes a sequence number. In larger
    /// chats read markers move without one.
    fn is_small(self, chat: &Chat) -> bool {
        chat.member_count <= self.cache.rules.receipts_max_members.min(LISTED_MEMBERS)
    }

    /// Returns the chat as its members see it.
    fn chat(self, conn: &mut AnyConn, chat: Chat) -> Result<Arc<CachedChat>, StorageError> {
        let rules = &self.cache.rules;
        if !self.is_small(&chat) {
            return Ok(Arc::new(CachedChat::new(chat_snapshot::snapshot_of(conn, rules, chat)?)));
        }
        let (id, version) = (chat.id, (chat.seq, self.profiles));
        let cached = self.cache.lock().get(id, version);
        if let Some(cached) = cached {
            #[cfg(debug_assertions)]
            assert_eq!(
                cached.snapshot,
                chat_snapshot::snapshot_of(conn, rules, chat)?,
                "the cached chat is out of date"
            );
            return Ok(cached);
        }
        let cached = Arc::new(CachedChat::new(chat_snapshot::snapshot_of(conn, rules, chat)?));
        self.cache.lock().put(id, version, cached.clone());
        Ok(cached)
    }
}

impl ChatCache {
    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // A panic leaves nothing half done that matters: all entries can be read again.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The chat's latest sequence number, and the number of the latest change of a profile.
type Version = (Seq, i64);

type Generation = HashMap<ChatId, (Version, Arc<CachedChat>)>;

/// Two-generation cache. `young` has the entries used since it last reached half the maximum size. The
/// entries before them are in `old` and are evicted when `young` reaches it again.
#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
    /// Estimated size of `young` in bytes.
    size: usize,
}

impl Generations {
    fn get(&mut self, id: ChatId, version: Version) -> Option<Arc<CachedChat>> {
        if let Some((of, cached)) = self.young.get(&id) {
            return (*of == version).then(|| cached.clone());
        }
        let (of, cached) = self.old.remove(&id)?;
        self.put(id, of, cached.clone());
        (of == version).then_some(cached)
    }

    fn put(&mut self, id: ChatId, version: Version, cached: Arc<CachedChat>) {
        self.size += weight(&cached.snapshot);
        if let Some((_, replaced)) = self.young.insert(id, (version, cached)) {
            self.size -= weight(&replaced.snapshot);
        }
        if self.size > MOST / 2 {
            self.old = mem::take(&mut self.young);
            self.size = 0;
        }
    }
}

/// Estimates the size of a chat in bytes, with its JSON.
fn weight(snapshot: &ChatSnapshot) -> usize {
    let people = snapshot.members.iter().map(|member| {
        let card = &member.user;
        512 + 2
            * (card.username.len()
                + card.display_name.len()
                + card.avatar_url.as_ref().map_or(0, |url| url.len()))
    });
    let last = snapshot.last_message.iter().map(|message| {
        1024 + 2 * (message.content.len() + message.reactions.len()) + 16 * message.read_by.len()
    });
    1024 + people.sum::<usize>() + last.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{ChatKind, Timestamp};

    fn chat(id: i64) -> (ChatId, Arc<CachedChat>) {
        let chat = Chat {
            id: ChatId(id),
            kind: ChatKind::Group,
            title: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            seq: 1,
            last_pos: 0,
            last_live_pos: 0,
            deleted_count: 0,
            member_count: 0,
            is_public: false,
            object: None,
        };
        let snapshot = ChatSnapshot { chat, members: Vec::new(), admins: Vec::new(), last_message: None };
        (ChatId(id), Arc::new(CachedChat::new(snapshot)))
    }

    #[test]
    fn what_was_asked_for_lately_stays_and_the_rest_goes() {
        let mut entries = Generations::default();
        let room = (MOST / 1024) as i64;
        let (first, cached) = chat(0);
        entries.put(first, (1, 1), cached);
        for id in 1..4 * room {
            let (id, cached) = chat(id);
            entries.put(id, (1, 1), cached);
            assert!(entries.get(first, (1, 1)).is_some(), "{id}");
            assert!(entries.young.len() + entries.old.len() <= room as usize + 2);
        }
        assert!(entries.get(ChatId(1), (1, 1)).is_none());
    }

    #[test]
    fn another_number_is_another_chat() {
        let mut entries = Generations::default();
        let (id, cached) = chat(1);
        entries.put(id, (1, 1), cached);
        assert!(entries.get(id, (2, 1)).is_none());
        assert!(entries.get(id, (1, 2)).is_none());
        let (_, newer) = chat(1);
        entries.put(id, (2, 1), newer);
        assert!(entries.get(id, (1, 1)).is_none());
        assert!(entries.get(id, (2, 1)).is_some());
        assert_eq!(entries.size, 1024);
    }
}
