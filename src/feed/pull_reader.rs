//! A reader's place at the feed: an event stream or a long poll, told where to look and reading at its own pace.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytestring::ByteString;
use tokio::time::timeout;

use super::{Feed, Follower, Heads, Only, Update, is_wanted, subscribe, unsubscribe};
use crate::{
    auth::Caller,
    core::model::{ChatId, Refusal, Timestamp},
    error::ApiError,
    hub::{CloseReason, Socket, changed_chats::News, registry::Place},
};

/// When a user with too many readers may try again, in seconds.
const RETRY: u64 = 5;

/// How long to wait where the storage cannot say whether a credential still works.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A reader who hears of whatever happens from its opening on. Dropped, it hears nothing more.
pub struct Listener {
    feed: Arc<Feed>,
    socket: Arc<Socket>,
    /// When the credential ends by itself, as far as is known.
    expires_at: Option<Timestamp>,
    only: Only,
    follower: Follower,
    fleeting: VecDeque<(Option<ChatId>, ByteString)>,
    _place: Place,
}

/// What a reader is to pass on.
#[derive(Debug)]
pub enum Heard {
    /// News of a chat, all of which must be passed on before the next is asked for.
    Update(Update),
    /// An event that does not last.
    Fleeting(ByteString),
    /// The end, and why.
    Closed(CloseReason),
}

impl Listener {
    /// Lets a reader in who has heard of each chat up to the numbers in `known`, or wants no more than what happens
    /// from now on.
    pub async fn open(
        feed: Arc<Feed>,
        caller: &Caller,
        only: Only,
        known: Option<Heads>,
    ) -> Result<Self, ApiError> {
        let user = caller.id();
        let place = feed.registry.reserve_reader(user).ok_or(ApiError::Throttled { seconds: RETRY })?;
        let socket = Socket::reader(user, caller.credential.clone(), feed.meter.clone());
        feed.registry.add(socket.clone());
        let follower = Follower::new(feed.clone(), user, only.clone(), Heads::new());
        let fleeting = VecDeque::new();
        // From here on dropping it tidies up.
        let expires_at = caller.expires_at;
        let mut listener = Self { feed, socket, expires_at, only, follower, fleeting, _place: place };
        let heads = subscribe(&listener.feed, &listener.socket, &listener.only).await?;
        let (feed, only) = (listener.feed.clone(), listener.only.clone());
        let has_missed = known.is_some();
        listener.follower = Follower::new(feed, user, only, known.unwrap_or(heads));
        if has_missed {
            listener.follower.compare().await?;
        }
        Ok(listener)
    }

    /// See [`Follower::limit`].
    pub fn limit(&mut self, bytes: usize) {
        self.follower.limit(bytes);
    }

    /// What is to be passed on next, as far as it is there already.
    pub async fn next_now(&mut self) -> Result<Option<Heard>, Refusal> {
        match self.still_works().await {
            Ok(true) => {}
            Ok(false) => return Ok(Some(Heard::Closed(CloseReason::SignedOut))),
            Err(_) => {
                // Nothing can be told now; what is noted stays noted.
                actix_rt::time::sleep(LOOK_AGAIN_AFTER).await;
                return Ok(None);
            }
        }
        loop {
            if let Some(reason) = self.socket.news().and_then(News::closed) {
                return Ok(Some(Heard::Closed(reason)));
            }
            while let Some(update) = self.follower.next().await? {
                let has_left = self.socket.news().is_some_and(|news| news.has_left(update.chat));
                if !has_left {
                    self.follower.tell(&update);
                    if !update.frames.is_empty() {
                        return Ok(Some(Heard::Update(update)));
                    }
                }
            }
            if let Some((chat, frame)) = self.fleeting.pop_front() {
                if chat.is_none_or(|chat| self.follower.known().contains_key(&chat)) {
                    return Ok(Some(Heard::Fleeting(frame)));
                }
                continue;
            }
            let Some(news) = self.socket.news() else { return Ok(None) };
            let noted = news.take_now();
            if let Some(reason) = noted.closed {
                return Ok(Some(Heard::Closed(reason)));
            }
            if noted.chats.is_empty() && noted.fleeting.is_empty() {
                return Ok(None);
            }
            self.follower.note(noted.chats);
            let only = &self.only;
            self.fleeting = noted.fleeting;
            self.fleeting.retain(|(chat, _)| chat.is_none_or(|chat| is_wanted(chat, only)));
        }
    }

    /// Chats that the reader has left since what was last passed on; it is noted that they are told.
    pub fn left(&mut self) -> Vec<Update> {
        let noted = self.socket.news().map(News::take_now).unwrap_or_default();
        let left = noted.chats.into_iter().filter(|(_, left)| left.is_some());
        let known: Vec<_> = left.filter(|(chat, _)| self.follower.known().contains_key(chat)).collect();
        let gone: Vec<Update> = known.into_iter().map(|(chat, left)| Update::gone(chat, left)).collect();
        gone.iter().for_each(|update| self.follower.tell(update));
        gone
    }

    /// Waits until there may be something to pass on: no longer than `limit`, and not beyond the end of the credential.
    /// Returns whether there may be something.
    pub async fn wait(&self, limit: Duration) -> bool {
        let Some(news) = self.socket.news() else { return true };
        let left = self.expires_at.map(|at| (at.0 - Timestamp::now().0).max(0).unsigned_abs());
        let patience = left.map_or(limit, |micros| limit.min(Duration::from_micros(micros)));
        timeout(patience, news.wait()).await.is_ok()
    }

    /// Whether the reader's credential works. One that was to end by now may have been renewed.
    async fn still_works(&mut self) -> Result<bool, Refusal> {
        let identities = &self.feed.identities;
        if self.expires_at.is_none_or(|at| Timestamp::now() < at) {
            return identities.still_works(&self.socket.credential).await;
        }
        let caller = identities.caller(&self.socket.credential).await?;
        self.expires_at = caller.as_ref().and_then(|caller| caller.expires_at);
        Ok(caller.is_some())
    }

    /// How far the reader has heard, and what they have not read.
    pub fn follower(&self) -> &Follower {
        &self.follower
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.socket.ended();
        self.feed.registry.remove(self.socket.user, self.socket.id);
        // What is not known is forgotten by the chats themselves.
        unsubscribe(&self.feed, &self.socket, self.follower.known().keys().copied());
    }
}
