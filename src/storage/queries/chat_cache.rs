//! What chats show to everybody, kept for who asks next.
//!
//! That is settled by the number of the chat's latest change and the number of the latest change of any profile. Both are
//! read in the same view of the database as the rest of the answer, and what is kept is used for the same two numbers
//! only. So it never has to be taken back, whichever process has changed what.

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
        Chat, ChatId, ChatSnapshot, KnownChat, Message, Pos, Seq, ShownChat, UserId, permission::Ability,
        records::LISTED_MEMBERS,
    },
    storage::{
        AnyConn, Rules, StorageError,
        tables::{members, messages, profile_version},
    },
};

/// About how many bytes are kept, at most.
const MOST: usize = 32 << 20;

/// The chats that were shown lately. Ask within one view of the database, not in a transaction that writes.
pub struct KnownChats {
    rules: Rules,
    kept: Mutex<Generations>,
}

impl KnownChats {
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self { rules, kept: Mutex::default() })
    }

    /// Looks at chats as they are now.
    pub fn look(&self, conn: &mut AnyConn) -> Result<Look<'_>, StorageError> {
        Ok(Look { known: self, profiles: profile_version::number(conn)? })
    }

    /// A chat as `user` sees it.
    pub fn view(&self, conn: &mut AnyConn, chat: ChatId, user: UserId) -> Result<ShownChat, StorageError> {
        let membership = membership::authorized(conn, chat, user, Ability::See)?;
        self.look(conn)?.shown(conn, membership)
    }
}

/// Chats in one view of the database.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    known: &'a KnownChats,
    profiles: i64,
}

impl Look<'_> {
    /// The chat as the user sees it who has met it.
    pub fn shown(self, conn: &mut AnyConn, membership: Membership) -> Result<ShownChat, StorageError> {
        let viewer = membership.viewer(conn)?;
        let known = self.chat(conn, membership.chat)?;
        let chat = match viewer.role {
            Some(_) => known,
            None => {
                let outside = known.snapshot.clone().from_outside();
                let is_limited = contact_policy::is_limited(conn, &self.known.rules, viewer.id)?;
                Arc::new(KnownChat::new(if is_limited { outside.without_people() } else { outside }))
            }
        };
        Ok(ShownChat { chat, viewer })
    }

    /// The messages at a range of places in a chat, newest first, with their readers.
    pub fn messages(
        self,
        conn: &mut AnyConn,
        chat: Chat,
        places: RangeInclusive<Pos>,
    ) -> Result<Vec<Message>, StorageError> {
        let id = chat.id;
        if self.is_small(&chat) {
            let known = self.chat(conn, chat)?;
            return messages::among(conn, id, places, &known.snapshot.members);
        }
        let mut messages = messages::range(conn, id, places)?;
        let readers = members::readers(conn, &chat, self.known.rules.receipts_max_members)?;
        messages.iter_mut().for_each(|message| message.note_readers(&readers));
        Ok(messages)
    }

    /// Whether a chat shows all its members, and all that it shows has a number: in larger ones read markers move without.
    fn is_small(self, chat: &Chat) -> bool {
        chat.member_count <= self.known.rules.receipts_max_members.min(LISTED_MEMBERS)
    }

    /// What a chat shows to its members.
    fn chat(self, conn: &mut AnyConn, chat: Chat) -> Result<Arc<KnownChat>, StorageError> {
        let rules = &self.known.rules;
        if !self.is_small(&chat) {
            return Ok(Arc::new(KnownChat::new(chat_snapshot::snapshot_of(conn, rules, chat)?)));
        }
        let (id, version) = (chat.id, (chat.seq, self.profiles));
        let known = self.known.lock().get(id, version);
        if let Some(known) = known {
            #[cfg(debug_assertions)]
            assert_eq!(
                known.snapshot,
                chat_snapshot::snapshot_of(conn, rules, chat)?,
                "what is kept is out of date"
            );
            return Ok(known);
        }
        let known = Arc::new(KnownChat::new(chat_snapshot::snapshot_of(conn, rules, chat)?));
        self.known.lock().put(id, version, known.clone());
        Ok(known)
    }
}

impl KnownChats {
    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // Whoever panicked has left nothing half done that matters: all of it can be read again.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the chat's latest change, and of the latest change of a profile.
type Version = (Seq, i64);

type Generation = HashMap<ChatId, (Version, Arc<KnownChat>)>;

/// Those asked for since half of the room was full, and those before them, who go when it is full again.
#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
    /// About how many bytes the young take.
    size: usize,
}

impl Generations {
    fn get(&mut self, id: ChatId, version: Version) -> Option<Arc<KnownChat>> {
        if let Some((of, known)) = self.young.get(&id) {
            return (*of == version).then(|| known.clone());
        }
        let (of, known) = self.old.remove(&id)?;
        self.put(id, of, known.clone());
        (of == version).then_some(known)
    }

    fn put(&mut self, id: ChatId, version: Version, known: Arc<KnownChat>) {
        self.size += weight(&known.snapshot);
        if let Some((_, replaced)) = self.young.insert(id, (version, known)) {
            self.size -= weight(&replaced.snapshot);
        }
        if self.size > MOST / 2 {
            self.old = mem::take(&mut self.young);
            self.size = 0;
        }
    }
}

/// About how many bytes a chat takes, its JSON included.
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

    fn chat(id: i64) -> (ChatId, Arc<KnownChat>) {
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
        (ChatId(id), Arc::new(KnownChat::new(snapshot)))
    }

    #[test]
    fn what_was_asked_for_lately_stays_and_the_rest_goes() {
        let mut kept = Generations::default();
        let room = (MOST / 1024) as i64;
        let (first, known) = chat(0);
        kept.put(first, (1, 1), known);
        for id in 1..4 * room {
            let (id, known) = chat(id);
            kept.put(id, (1, 1), known);
            assert!(kept.get(first, (1, 1)).is_some(), "{id}");
            assert!(kept.young.len() + kept.old.len() <= room as usize + 2);
        }
        assert!(kept.get(ChatId(1), (1, 1)).is_none());
    }

    #[test]
    fn another_number_is_another_chat() {
        let mut kept = Generations::default();
        let (id, known) = chat(1);
        kept.put(id, (1, 1), known);
        assert!(kept.get(id, (2, 1)).is_none());
        assert!(kept.get(id, (1, 2)).is_none());
        let (_, newer) = chat(1);
        kept.put(id, (2, 1), newer);
        assert!(kept.get(id, (1, 1)).is_none());
        assert!(kept.get(id, (2, 1)).is_some());
        assert_eq!(kept.size, 1024);
    }
}
