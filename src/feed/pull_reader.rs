//! Pull-based subscription of an event stream or a long poll. It is notified of changed chats and reads them
//! at its own pace.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytestring::ByteString;
use tokio::time::timeout;

use super::{CatchUp, Feed, Heads, Only, Update, is_wanted, subscribe, unsubscribe};
use crate::{
    auth::Caller,
    core::model::{ChatId, Refusal, Timestamp},
    error::ApiError,
    hub::{CloseReason, Subscriber, changed_chats::ChangedChats, registry::ConnectionSlot},
    view::frames,
};

/// `Retry-After` for a user with too many readers, in seconds.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Retry delay when storage cannot confirm a credential.
const CREDENTIAL_RETRY_DELAY: Duration = Duration::from_secs(1);

/// A subscription to everything that happens after it was opened. Dropping it unsubscribes.
pub struct PullReader {
    feed: Arc<Feed>,
    socket: Arc<Subscriber>,
    /// When the credential expires, as last read.
    expires_at: Option<Timestamp>,
    /// When to warn that the credential expires; `None`: the warning was sent, or there is none.
    warned_at: Option<Timestamp>,
    only: Only,
    catch_up: CatchUp,
    ephemeral: VecDeque<(Option<ChatId>, ByteString)>,
    _place: ConnectionSlot,
}

/// The next item for the client.
#[derive(Debug)]
pub enum FeedItem {
    /// Changes of a chat. All of them must be sent before the next item is requested.
    Update(Update),
    /// An ephemeral event.
    Ephemeral(ByteString),
    /// The end of the subscription, and its reason.
    Closed(CloseReason),
}

impl PullReader {
    /// Opens a subscription. `known` is the last `seq` the client has of each chat; `None`: live events only.
    pub async fn open(
        feed: Arc<Feed>,
        caller: &Caller,
        (only, knows_threads): (Only, bool),
        known: Option<Heads>,
    ) -> Result<Self, ApiError> {
        let user = caller.id();
        let place =
            feed.hub.reserve_reader(user).ok_or(ApiError::Throttled { seconds: RETRY_AFTER_SECONDS })?;
        let socket = Subscriber::reader(user, caller.credential.clone(), feed.meter.clone());
        feed.hub.add(socket.clone());
        let catch_up = CatchUp::new(feed.clone(), user, only.clone(), Heads::new());
        let ephemeral = VecDeque::new();
        // From here on, dropping the reader cleans up.
        let expires_at = caller.expires_at;
        let warned_at = caller.credential.jwt().map(|jwt| jwt.warned_at());
        let mut reader =
            Self { feed, socket, expires_at, warned_at, only, catch_up, ephemeral, _place: place };
        let heads = subscribe(&reader.feed, &reader.socket, &reader.only).await?;
        let (feed, only) = (reader.feed.clone(), reader.only.clone());
        let has_missed = known.is_some();
        let catch_up = CatchUp::new(feed, user, only, known.unwrap_or(heads));
        reader.catch_up = catch_up.knowing_threads(knows_threads);
        if has_missed {
            reader.catch_up.compare().await?;
        }
        Ok(reader)
    }

    /// See [`CatchUp::limit`].
    pub fn limit(&mut self, bytes: usize) {
        self.catch_up.limit(bytes);
    }

    /// Returns the next item for the client, if there is one now.
    pub async fn next_now(&mut self) -> Result<Option<FeedItem>, Refusal> {
        match self.is_signed_in().await {
            Ok(true) => {}
            Ok(false) => return Ok(Some(FeedItem::Closed(CloseReason::SignedOut))),
            Err(_) => {
                // The credential cannot be checked now, so nothing is sent. Changed chats stay noted.
                actix_rt::time::sleep(CREDENTIAL_RETRY_DELAY).await;
                return Ok(None);
            }
        }
        if let Some(frame) = self.due_warning() {
            return Ok(Some(FeedItem::Ephemeral(frame)));
        }
        loop {
            if let Some(reason) = self.socket.changed_chats().and_then(ChangedChats::closed) {
                return Ok(Some(FeedItem::Closed(reason)));
            }
            while let Some(update) = self.catch_up.next().await? {
                let has_left =
                    self.socket.changed_chats().is_some_and(|changes| changes.has_left(update.chat));
                if !has_left {
                    self.catch_up.mark_delivered(&update);
                    if !update.frames.is_empty() {
                        return Ok(Some(FeedItem::Update(update)));
                    }
                }
            }
            if let Some((chat, frame)) = self.ephemeral.pop_front() {
                if chat.is_none_or(|chat| self.catch_up.known().contains_key(&chat)) {
                    return Ok(Some(FeedItem::Ephemeral(frame)));
                }
                continue;
            }
            let Some(changes) = self.socket.changed_chats() else { return Ok(None) };
            let noted = changes.take_now();
            if let Some(reason) = noted.closed {
                return Ok(Some(FeedItem::Closed(reason)));
            }
            if noted.chats.is_empty() && noted.ephemeral.is_empty() {
                return Ok(None);
            }
            self.catch_up.note(noted.chats);
            let only = &self.only;
            self.ephemeral = noted.ephemeral;
            self.ephemeral.retain(|(chat, _)| chat.is_none_or(|chat| is_wanted(chat, only)));
        }
    }

    /// Returns the chats that the user has left since the last item, and records them as delivered.
    pub fn left(&mut self) -> Vec<Update> {
        let noted = self.socket.changed_chats().map(ChangedChats::take_now).unwrap_or_default();
        let left = noted.chats.into_iter().filter(|(_, left)| left.is_some());
        let known: Vec<_> = left.filter(|(chat, _)| self.catch_up.known().contains_key(chat)).collect();
        let gone: Vec<Update> = known.into_iter().map(|(chat, left)| Update::gone(chat, left)).collect();
        gone.iter().for_each(|update| self.catch_up.mark_delivered(update));
        gone
    }

    /// Waits until there may be an item: at most `limit`, and not beyond the credential's expiry or its warning. Returns
    /// whether there may be one.
    pub async fn wait(&self, limit: Duration) -> bool {
        let Some(changes) = self.socket.changed_chats() else { return true };
        let next = self.warned_at.or(self.expires_at);
        let left = next.map(|at| (at.0 - Timestamp::now().0).max(0).unsigned_abs());
        let longest = left.map_or(limit, |micros| limit.min(Duration::from_micros(micros)));
        timeout(longest, changes.wait()).await.is_ok()
    }

    /// Returns the warning that the credential expires, if it is due already. A poll sends it with its answer. Otherwise
    /// each poll would end at once, until the client has a new token.
    pub fn due_warning(&mut self) -> Option<ByteString> {
        let now = Timestamp::now();
        self.warned_at.take_if(|at| *at <= now)?;
        self.socket.credential().jwt().map(|jwt| frames::token_expiring(jwt.seconds_left(now)))
    }

    /// Returns whether the credential is valid. One whose expiry has passed may have been renewed.
    async fn is_signed_in(&mut self) -> Result<bool, Refusal> {
        let identities = &self.feed.identities;
        if self.expires_at.is_none_or(|at| Timestamp::now() < at) {
            return identities.is_valid(&self.socket.credential()).await;
        }
        let caller = identities.caller(&self.socket.credential()).await?;
        self.expires_at = caller.as_ref().and_then(|caller| caller.expires_at);
        Ok(caller.is_some())
    }

    /// Returns the positions and unread counts of the subscription.
    pub fn catch_up(&self) -> &CatchUp {
        &self.catch_up
    }
}

impl Drop for PullReader {
    fn drop(&mut self) {
        self.socket.ended();
        self.feed.hub.remove(self.socket.user, self.socket.id);
        // Chats that are not in `known` drop the closed subscription themselves.
        unsubscribe(&self.feed, &self.socket, self.catch_up.known().keys().copied());
    }
}
