//! Catch-up reader: knows the last `seq` that a user has of each chat, and reads later changes one chat at a
//! time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytestring::ByteString;

use super::{Feed, Heads, Only, is_wanted};
use crate::{
    core::model::{Change, ChatId, Event, Refusal, Seq, UserId, threads::UnreadInChat},
    storage::{
        AnyConn,
        queries::{
            changes_since::{self, Since},
            unread_overview,
        },
        tables::chats,
    },
    view::frames,
};

/// Most changes that one catch-up replays. Chats beyond it get `resync` instead.
const MAX_REPLAYED: usize = 5_000;

/// Reads the changes that a user has missed. The cost is one query over the user's chats, and one read of
/// each changed chat.
pub struct CatchUp {
    feed: Arc<Feed>,
    user: UserId,
    only: Only,
    /// The last `seq` delivered to the user, by chat.
    known: Heads,
    unread: BTreeMap<ChatId, UnreadInChat>,
    /// Whether the client receives replies that are only in threads.
    knows_threads: bool,
    removed: Vec<ChatId>,
    due: VecDeque<Due>,
    /// Events replayed since the queue was last empty.
    replayed: usize,
    replayed_bytes: usize,
    max_bytes: usize,
}

/// A chat waiting to be read.
enum Due {
    /// `left`: the `seq` with which the user left the chat, if known.
    Changed { chat: ChatId, left: Option<Seq> },
    /// The user is not a member of the chat.
    Gone { chat: ChatId },
}

/// Changes of one chat.
#[derive(Debug)]
pub struct Update {
    pub chat: ChatId,
    /// Events in ascending `seq` order, each with its `seq`.
    pub frames: Vec<(Option<Seq>, ByteString)>,
    /// The `seq` reached, and what is unread up to it. `None`: the user is not a member.
    reach: Option<(Seq, UnreadInChat)>,
    /// Whether the last events belong to earlier numbers too: follows come after all other events. A place between two
    /// events of such an update would lose them.
    pub is_whole: bool,
}

impl CatchUp {
    /// Creates a catch_up for a user who has each chat up to the `seq` in `known`. Chats not in `only` are
    /// skipped.
    pub fn new(feed: Arc<Feed>, user: UserId, only: Only, mut known: Heads) -> Self {
        known.retain(|chat, _| is_wanted(*chat, &only));
        Self {
            feed,
            user,
            only,
            known,
            unread: BTreeMap::new(),
            knows_threads: false,
            removed: Vec::new(),
            due: VecDeque::new(),
            replayed: 0,
            replayed_bytes: 0,
            max_bytes: usize::MAX,
        }
    }

    /// Sets whether the client receives replies that are only in threads. Others get the root instead.
    pub fn knowing_threads(mut self, knows_threads: bool) -> Self {
        self.knows_threads = knows_threads;
        self
    }

    /// Limits the bytes replayed by one catch-up. Chats beyond the limit get `resync`.
    pub fn limit(&mut self, bytes: usize) {
        self.max_bytes = bytes;
    }

    /// Compares the known `seq` of each chat with storage, and queues the chats that differ.
    pub async fn compare(&mut self) -> Result<(), Refusal> {
        let user = self.user;
        // One snapshot for both queries: an event above the heads must not already be part of the unread
        // counts.
        let read =
            move |conn: &mut AnyConn| Ok((chats::heads(conn, user)?, unread_overview::of_user(conn, user)?));
        let (heads, unread) = self.feed.readers.query(read).await?;
        let heads: Heads = heads.into_iter().filter(|(chat, _)| is_wanted(*chat, &self.only)).collect();
        self.unread = unread;
        let gone = self.known.keys().filter(|chat| !heads.contains_key(chat));
        self.due = gone.map(|chat| Due::Gone { chat: *chat }).collect();
        let is_behind = |(chat, head): &(ChatId, Seq)| self.known.get(chat) != Some(head);
        let behind = heads.into_iter().filter(is_behind);
        self.due.extend(behind.map(|(chat, _)| Due::Changed { chat, left: None }));
        Ok(())
    }

    /// Replaces the chat filter.
    pub fn set_filter(&mut self, only: Only) {
        self.only = only;
    }

    /// Queues chats that changed. Those that the user has left carry the `seq` of the removal.
    pub fn note(&mut self, chats: BTreeMap<ChatId, Option<Seq>>) {
        let wanted = chats.into_iter().filter(|(chat, _)| is_wanted(*chat, &self.only));
        self.due.extend(wanted.map(|(chat, left)| Due::Changed { chat, left }));
    }

    /// Returns the next chat's changes; `None` if no chat is queued. After an error the chat stays queued. An
    /// update not passed to [`Self::mark_delivered`] does not advance the chat's known `seq`.
    pub async fn next(&mut self) -> Result<Option<Update>, Refusal> {
        let Some(due) = self.due.pop_front() else {
            (self.replayed, self.replayed_bytes) = (0, 0);
            return Ok(None);
        };
        match due {
            Due::Gone { chat } => Ok(Some(Update::gone(chat, None))),
            Due::Changed { chat, left } => {
                let result = self.read_chat(chat, left).await;
                if result.is_err() {
                    self.due.push_front(Due::Changed { chat, left });
                }
                result.map(Some)
            }
        }
    }

    async fn read_chat(&self, chat: ChatId, left: Option<Seq>) -> Result<Update, Refusal> {
        let (user, since, policy) = (self.user, self.known.get(&chat).copied(), self.feed.policy.clone());
        let found = self
            .feed
            .readers
            .query(move |conn| changes_since::since(conn, &policy, user, chat, since))
            .await?;
        let links = &self.feed.links;
        Ok(match found {
            // Storage may have the removal before its event reaches this node.
            Since::Gone { left: stored } if since.is_some() => Update::gone(chat, left.or(stored)),
            Since::Gone { .. } => Update { chat, frames: Vec::new(), reach: None, is_whole: false },
            Since::Resync { head, unread } => Update::resync(chat, head, unread),
            Since::New { snapshot, viewer, unread } => {
                let head = snapshot.chat.seq;
                let frame = frames::chat_created(&snapshot, head, &viewer, links);
                Update {
                    chat,
                    frames: vec![(Some(head), frame)],
                    reach: Some((head, unread)),
                    is_whole: false,
                }
            }
            Since::Changes { head, unread, events } if self.is_too_much(events.len()) => {
                Update::resync(chat, head, unread)
            }
            Since::Changes { head, unread, events } => {
                let mut numbered = Vec::with_capacity(events.len());
                for event in &events {
                    let frames = rendered(&self.feed, (user, self.knows_threads), event);
                    numbered.extend(frames.into_iter().map(|frame| (Some(event.seq), frame)));
                }
                let is_whole = events.last().is_some_and(|last| !last.own.is_empty());
                Update { chat, frames: numbered, reach: Some((head, unread)), is_whole }
            }
        })
    }

    fn is_too_much(&self, events: usize) -> bool {
        events > 0 && (self.replayed + events > MAX_REPLAYED || self.replayed_bytes >= self.max_bytes)
    }

    /// Records that an update was delivered, and advances the chat's known `seq`.
    pub fn mark_delivered(&mut self, update: &Update) {
        let chat = update.chat;
        self.replayed += update.frames.len();
        self.replayed_bytes += update.frames.iter().map(|(_, frame)| frame.len()).sum::<usize>();
        match &update.reach {
            Some((head, unread)) => {
                self.known.insert(chat, *head);
                if unread.is_empty() {
                    self.unread.remove(&chat)
                } else {
                    self.unread.insert(chat, unread.clone())
                };
            }
            None => {
                self.unread.remove(&chat);
                if self.known.remove(&chat).is_some() {
                    self.removed.push(chat);
                }
            }
        }
    }

    /// Returns the last `seq` delivered to the user, by chat.
    pub fn known(&self) -> &Heads {
        &self.known
    }

    /// Returns what is unread in chats where anything is, as of [`Self::known`].
    pub fn unread(&self) -> &BTreeMap<ChatId, UnreadInChat> {
        &self.unread
    }

    /// Returns the known chats of which the user turned out not to be a member.
    pub fn removed(&self) -> &[ChatId] {
        &self.removed
    }

    /// Returns the known `seq` of each chat, for a socket that continues with live events.
    pub fn into_known(self) -> Heads {
        self.known
    }
}

impl Update {
    /// Returns whether the user is not a member of the chat.
    pub fn is_gone(&self) -> bool {
        self.reach.is_none()
    }

    /// Builds the update for a chat that the user has left. `left` is the `seq` of the removal, if known.
    pub(super) fn gone(chat: ChatId, left: Option<Seq>) -> Self {
        // `Seq::MAX` marks an end with unknown `seq`.
        let left = left.filter(|left| *left < Seq::MAX);
        Self { chat, frames: vec![(left, frames::chat_deleted(chat, left))], reach: None, is_whole: false }
    }

    fn resync(chat: ChatId, head: Seq, unread: UnreadInChat) -> Self {
        let frame = frames::resync(chat, head);
        Self { chat, frames: vec![(Some(head), frame)], reach: Some((head, unread)), is_whole: false }
    }
}

/// Renders an event as this user's own socket would get it.
fn rendered(feed: &Feed, (user, knows_threads): (UserId, bool), event: &Event) -> Vec<ByteString> {
    let message = match &event.change {
        Change::MessagePosted { message, .. } | Change::MessageEdited { message, .. } => {
            Some(frames::message(message, &feed.links))
        }
        _ => None,
    };
    let mut frames = match &event.change {
        Change::MarkerMoved(moved) if moved.user == user => {
            vec![frames::own_read(event.chat, Some(event.seq), moved)]
        }
        Change::MeChanged(changed) if changed.user == user => {
            vec![frames::me_updated(event.chat, event.seq, changed)]
        }
        _ if !knows_threads && event.thread_reply().is_some() => {
            frames::without_threads(event, None, &feed.links)
        }
        _ => frames::all(event, message.as_ref(), &feed.links),
    };
    let own = event.own.iter().filter(|own| own.user == user);
    frames.extend(own.map(|own| frames::own(event, own)));
    frames
}
