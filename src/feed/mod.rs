//! What a user missed: the one function behind everybody who comes back.

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;

use crate::{
    model::{Change, ChatId, Event, Refusal, Seq, UserId},
    server::State,
    storage::{
        AnyConn,
        changes::{self, Since},
        chats,
    },
    view::frames,
};

/// More changes than this in all, or more bytes of them, are not replayed.
const MOST: usize = 5_000;
const MOST_BYTES: usize = 4 << 20;

/// Numbers by chat: how far somebody has heard of each, or where each is.
pub type Heads = BTreeMap<ChatId, Seq>;

/// What somebody missed, ready to be sent.
#[derive(Debug, Default)]
pub struct Missed {
    /// Events by chat, within a chat by rising numbers.
    pub events: Vec<ByteString>,
    /// How far these events reach, for each chat that the user is in.
    pub heads: Heads,
    /// How many messages the user has not read, as of these heads, in chats that have any.
    pub unread: BTreeMap<ChatId, i64>,
    /// Chats that were named and that the user is not in.
    pub removed: Vec<ChatId>,
    bytes: usize,
}

/// Which chats somebody wants to hear of; `None`: all of theirs.
pub type Only = Option<BTreeSet<ChatId>>;

/// Where each of a user's chats is.
pub async fn heads(state: &State, user: UserId, only: &Only) -> Result<Heads, Refusal> {
    let heads = state.readers.ask_one(move |conn| chats::heads(conn, user)).await?;
    Ok(wanted(heads, only))
}

fn wanted(heads: Vec<(ChatId, Seq)>, only: &Only) -> Heads {
    let is_wanted = |chat: &ChatId| only.as_ref().is_none_or(|only| only.contains(chat));
    heads.into_iter().filter(|(chat, _)| is_wanted(chat)).collect()
}

/// What changed for a user who has heard of each chat up to the numbers in `known`. It costs one query over the
/// user's chats, and for each chat that changed what changed there.
pub async fn missed(state: &State, user: UserId, known: &Heads, only: &Only) -> Result<Missed, Refusal> {
    // Who counts further with what comes after the heads must not find it counted already: one view for both.
    let start = move |conn: &mut AnyConn| Ok((chats::heads(conn, user)?, chats::unread_by_chat(conn, user)?));
    let (heads, unread) = state.readers.ask(start).await?;
    let heads = wanted(heads, only);
    let mut missed = Missed { unread: unread.into_iter().collect(), ..Missed::default() };
    for chat in known.keys().filter(|chat| !heads.contains_key(chat)) {
        missed.removed.push(*chat);
        missed.push(frames::chat_deleted(*chat, None));
    }
    for (chat, head) in heads {
        match known.get(&chat) {
            Some(seq) if *seq == head => {
                missed.heads.insert(chat, head);
            }
            Some(_) if missed.is_full() => missed.resync(chat, head),
            since => missed.add(state, user, chat, since.copied()).await?,
        }
    }
    Ok(missed)
}

impl Missed {
    fn push(&mut self, frame: ByteString) {
        self.bytes += frame.len();
        self.events.push(frame);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= MOST || self.bytes >= MOST_BYTES
    }

    /// Everything up to `head` is told, and so many messages up to there are not read.
    fn reach(&mut self, chat: ChatId, head: Seq, unread: i64) {
        self.heads.insert(chat, head);
        match unread {
            0 => self.unread.remove(&chat),
            _ => self.unread.insert(chat, unread),
        };
    }

    fn resync(&mut self, chat: ChatId, head: Seq) {
        self.push(frames::resync(chat, head));
        self.heads.insert(chat, head);
    }

    async fn add(
        &mut self,
        state: &State,
        user: UserId,
        chat: ChatId,
        since: Option<Seq>,
    ) -> Result<(), Refusal> {
        let rules = state.rules.clone();
        let found = state.readers.ask(move |conn| changes::since(conn, &rules, user, chat, since)).await?;
        match found {
            // Removed since the first query: whoever named it is told.
            Since::Gone if since.is_some() => {
                self.removed.push(chat);
                self.push(frames::chat_deleted(chat, None));
            }
            Since::Gone => {}
            Since::Resync { head, unread } => {
                self.resync(chat, head);
                self.reach(chat, head, unread);
            }
            Since::New { snapshot, viewer } => {
                let head = snapshot.chat.seq;
                self.push(frames::chat_created(&snapshot, head, &viewer, &state.links));
                self.reach(chat, head, viewer.unread_count);
            }
            Since::Changes { head, unread, events } if self.events.len() + events.len() > MOST => {
                self.resync(chat, head);
                self.reach(chat, head, unread);
            }
            Since::Changes { head, unread, events } => {
                for frame in events.iter().filter_map(|event| rendered(state, user, event)) {
                    self.push(frame);
                }
                self.reach(chat, head, unread);
            }
        }
        Ok(())
    }
}

/// An event as this user's own socket would have had it.
fn rendered(state: &State, user: UserId, event: &Event) -> Option<ByteString> {
    let message = match &event.change {
        Change::MarkerMoved(moved) if moved.user == user => {
            return Some(frames::read(event.chat, Some(event.seq), moved, Some(moved.unread_count)));
        }
        Change::MessagePosted { message } | Change::MessageEdited { message } => {
            Some(frames::message(message, &state.links))
        }
        _ => None,
    };
    frames::shared(event, message.as_ref(), &state.links)
}
