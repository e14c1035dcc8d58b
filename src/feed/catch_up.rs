//! Somebody who catches up: knows how far they have heard, and reads what came since, a chat at a time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytestring::ByteString;

use super::{Feed, Heads, Only, is_wanted};
use crate::{
    core::model::{Change, ChatId, Event, Refusal, Seq, UserId},
    storage::{
        AnyConn,
        queries::{
            changes_since::{self, Since},
            chat_list,
        },
        tables::chats,
    },
    view::frames,
};

/// More changes than this are not replayed to who catches up.
const MOST: usize = 5_000;

/// Reads what a user has not heard of. It costs one query over the user's chats, and for each chat that changed what
/// changed there.
pub struct Follower {
    feed: Arc<Feed>,
    user: UserId,
    only: Only,
    /// How far the user has heard of each chat.
    known: Heads,
    unread: BTreeMap<ChatId, i64>,
    removed: Vec<ChatId>,
    due: VecDeque<Due>,
    /// Since nothing was due.
    told: usize,
    told_bytes: usize,
    most_bytes: usize,
}

/// A chat to be looked at.
enum Due {
    /// `left`: the number with which the user left it, where that is known.
    Changed { chat: ChatId, left: Option<Seq> },
    /// The user is not in it.
    Gone { chat: ChatId },
}

/// News of one chat.
#[derive(Debug)]
pub struct Update {
    pub chat: ChatId,
    /// Events by rising numbers, each with its own.
    pub frames: Vec<(Option<Seq>, ByteString)>,
    /// How far they reach, and how many messages up to there are not read; `None`: the user is not in the chat.
    reach: Option<(Seq, i64)>,
}

impl Follower {
    /// Somebody who has heard of each chat up to the numbers in `known`. What they do not want is not looked at.
    pub fn new(feed: Arc<Feed>, user: UserId, only: Only, mut known: Heads) -> Self {
        known.retain(|chat, _| is_wanted(*chat, &only));
        Self {
            feed,
            user,
            only,
            known,
            unread: BTreeMap::new(),
            removed: Vec::new(),
            due: VecDeque::new(),
            told: 0,
            told_bytes: 0,
            most_bytes: usize::MAX,
        }
    }

    /// From now on no more than so many bytes are told at once: the rest is not replayed.
    pub fn limit(&mut self, bytes: usize) {
        self.most_bytes = bytes;
    }

    /// Compares what is known with where all chats are now.
    pub async fn compare(&mut self) -> Result<(), Refusal> {
        let user = self.user;
        // Who counts further with what comes after the heads must not find it counted already: one view for both.
        let look =
            move |conn: &mut AnyConn| Ok((chats::heads(conn, user)?, chat_list::unread_by_chat(conn, user)?));
        let (heads, unread) = self.feed.readers.ask(look).await?;
        let heads: Heads = heads.into_iter().filter(|(chat, _)| is_wanted(*chat, &self.only)).collect();
        self.unread = unread.into_iter().collect();
        let gone = self.known.keys().filter(|chat| !heads.contains_key(chat));
        self.due = gone.map(|chat| Due::Gone { chat: *chat }).collect();
        let is_behind = |(chat, head): &(ChatId, Seq)| self.known.get(chat) != Some(head);
        let behind = heads.into_iter().filter(is_behind);
        self.due.extend(behind.map(|(chat, _)| Due::Changed { chat, left: None }));
        Ok(())
    }

    /// Which chats the user wants from now on.
    pub fn want(&mut self, only: Only) {
        self.only = only;
    }

    /// Chats with something new; for those that the user has left, with the number of that.
    pub fn note(&mut self, chats: BTreeMap<ChatId, Option<Seq>>) {
        let wanted = chats.into_iter().filter(|(chat, _)| is_wanted(*chat, &self.only));
        self.due.extend(wanted.map(|(chat, left)| Due::Changed { chat, left }));
    }

    /// The next chat's news; `None` where nothing is due. The same is due again until it is [`Self::tell`]ed or noted, and
    /// after an error.
    pub async fn next(&mut self) -> Result<Option<Update>, Refusal> {
        let Some(due) = self.due.pop_front() else {
            (self.told, self.told_bytes) = (0, 0);
            return Ok(None);
        };
        match due {
            Due::Gone { chat } => Ok(Some(Update::gone(chat, None))),
            Due::Changed { chat, left } => {
                let looked = self.look(chat, left).await;
                if looked.is_err() {
                    self.due.push_front(Due::Changed { chat, left });
                }
                looked.map(Some)
            }
        }
    }

    async fn look(&self, chat: ChatId, left: Option<Seq>) -> Result<Update, Refusal> {
        let (user, since, rules) = (self.user, self.known.get(&chat).copied(), self.feed.rules.clone());
        let found =
            self.feed.readers.ask(move |conn| changes_since::since(conn, &rules, user, chat, since)).await?;
        let links = &self.feed.links;
        Ok(match found {
            // Storage may know it before its event has come.
            Since::Gone { left: stored } if since.is_some() => Update::gone(chat, left.or(stored)),
            Since::Gone { .. } => Update { chat, frames: Vec::new(), reach: None },
            Since::Resync { head, unread } => Update::resync(chat, head, unread),
            Since::New { snapshot, viewer } => {
                let head = snapshot.chat.seq;
                let frame = frames::chat_created(&snapshot, head, &viewer, links);
                Update { chat, frames: vec![(Some(head), frame)], reach: Some((head, viewer.unread_count)) }
            }
            Since::Changes { head, unread, events } if self.is_too_much(events.len()) => {
                Update::resync(chat, head, unread)
            }
            Since::Changes { head, unread, events } => {
                let rendered = |event: &Event| Some((Some(event.seq), rendered(&self.feed, user, event)?));
                let frames = events.iter().filter_map(rendered).collect();
                Update { chat, frames, reach: Some((head, unread)) }
            }
        })
    }

    fn is_too_much(&self, events: usize) -> bool {
        events > 0 && (self.told + events > MOST || self.told_bytes >= self.most_bytes)
    }

    /// Notes that an update is told.
    pub fn tell(&mut self, update: &Update) {
        let chat = update.chat;
        self.told += update.frames.len();
        self.told_bytes += update.frames.iter().map(|(_, frame)| frame.len()).sum::<usize>();
        match update.reach {
            Some((head, unread)) => {
                self.known.insert(chat, head);
                if unread > 0 {
                    self.unread.insert(chat, unread)
                } else {
                    self.unread.remove(&chat)
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

    /// How far the user has heard of each chat.
    pub fn known(&self) -> &Heads {
        &self.known
    }

    /// How many messages are not read, as of what is known, in chats that have any.
    pub fn unread(&self) -> &BTreeMap<ChatId, i64> {
        &self.unread
    }

    /// Chats that were known and that the user is not in.
    pub fn removed(&self) -> &[ChatId] {
        &self.removed
    }

    /// What there is to be known, for who goes on live.
    pub fn into_known(self) -> Heads {
        self.known
    }
}

impl Update {
    /// Whether the user is not in the chat.
    pub fn is_gone(&self) -> bool {
        self.reach.is_none()
    }

    /// The user is not in a chat any more; `left`: the number of that, where it is known.
    pub(super) fn gone(chat: ChatId, left: Option<Seq>) -> Self {
        // An end whose number nobody knows.
        let left = left.filter(|left| *left < Seq::MAX);
        Self { chat, frames: vec![(left, frames::chat_deleted(chat, left))], reach: None }
    }

    fn resync(chat: ChatId, head: Seq, unread: i64) -> Self {
        Self { chat, frames: vec![(Some(head), frames::resync(chat, head))], reach: Some((head, unread)) }
    }
}

/// An event as this user's own socket would have had it.
fn rendered(feed: &Feed, user: UserId, event: &Event) -> Option<ByteString> {
    let message = match &event.change {
        Change::MarkerMoved(moved) if moved.user == user => {
            return Some(frames::own_read(event.chat, Some(event.seq), moved));
        }
        Change::MeChanged(changed) if changed.user == user => {
            return Some(frames::me_updated(event.chat, event.seq, changed));
        }
        Change::MessagePosted { message } | Change::MessageEdited { message } => {
            Some(frames::message(message, &feed.links))
        }
        _ => None,
    };
    frames::shared(event, message.as_ref(), &feed.links)
}
