//! Catch-up after a reconnect, shared by all transports: reads the changes that a user has missed.

pub mod catch_up;
pub mod cursor;
pub mod pull_reader;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use actix_rt::Arbiter;
use tokio::{sync::mpsc, task::yield_now};

pub use catch_up::{CatchUp, Update};
pub use cursor::Cursor;
pub use pull_reader::PullReader;

use crate::{
    auth::IdentityCache,
    bus::{Bus, Channel},
    chat::ChatDirectory,
    core::model::{ChatId, Refusal, Seq, UserId},
    hub::{ChatMeter, CloseReason, Hub, Subscriber},
    storage::{
        AnyConn, ReadPool, StoragePolicy, WriterHandle,
        tables::{chats, join_counts},
    },
    view::Links,
};

/// Dependencies of the feed.
pub struct Feed {
    pub readers: ReadPool,
    pub writer: WriterHandle,
    pub policy: StoragePolicy,
    pub links: Links,
    pub directory: Arc<ChatDirectory>,
    pub hub: Arc<Hub>,
    pub identities: Arc<IdentityCache>,
    pub bus: Arc<Bus>,
    /// Metrics of the chats.
    pub meter: Option<Arc<ChatMeter>>,
}

/// `seq` by chat: the last one delivered to a client, or a chat's current one.
pub type Heads = BTreeMap<ChatId, Seq>;

/// Chat filter of a client; `None`: all of the user's chats.
pub type Only = Option<BTreeSet<ChatId>>;

/// Parses `chats=1,2`. Malformed ids are ignored, like ids of chats that the user is not in.
pub fn only(chats: &str) -> Only {
    Some(chats.split(',').filter_map(|id| ChatId::parse(id.trim())).collect())
}

fn is_wanted(chat: ChatId, only: &Only) -> bool {
    only.as_ref().is_none_or(|only| only.contains(&chat))
}

/// Chats subscribed or unsubscribed in one step, before the thread serves other tasks.
const CHATS_PER_STEP: usize = 64;

/// Returns the current `seq` of each of a user's chats.
pub async fn heads(feed: &Feed, user: UserId, only: &Only) -> Result<Heads, Refusal> {
    let heads = feed.readers.query_one(move |conn| chats::heads(conn, user)).await?;
    Ok(heads.into_iter().filter(|(chat, _)| is_wanted(*chat, only)).collect())
}

/// Subscribes a socket to its user's chats and returns their current `seq`. The hub must know the socket
/// already. Then a chat that adds the user during this call subscribes the socket itself.
pub async fn subscribe(feed: &Feed, socket: &Arc<Subscriber>, only: &Only) -> Result<Heads, Refusal> {
    // A sign-out after the authentication found no socket to close yet.
    let caller = feed.identities.caller(&socket.credential()).await?;
    if caller.is_none() {
        socket.close(CloseReason::SignedOut);
        return Ok(Heads::new());
    }
    let user = socket.user;
    // Events that add the user to chats arrive from then on. Earlier ones are in storage.
    feed.bus.listening(Channel::User(user)).await;
    let read = move |conn: &mut AnyConn| Ok((chats::heads(conn, user)?, join_counts::of(conn, &[user])?));
    let (before, counts) = feed.readers.query(read).await?;
    for (user, count) in counts {
        feed.hub.begin_join_count(user, count);
    }
    let wanted: Vec<_> = before.into_iter().filter(|(chat, _)| is_wanted(*chat, only)).collect();
    for chunk in wanted.chunks(CHATS_PER_STEP) {
        let (done, mut all_done) = mpsc::channel(1);
        for (chat, head) in chunk {
            feed.directory.subscribe(*chat, *head, socket.clone(), done.clone());
        }
        drop(done);
        // Returns `None` once every chat has dropped its sender.
        let _ = all_done.recv().await;
    }
    // A chat that the user was removed from during the call is not among these heads, so its events are
    // dropped. The subscription stays: the user may have been added again.
    heads(feed, user, only).await
}

/// Unsubscribes a closed socket from its chats.
pub fn unsubscribe(feed: &Arc<Feed>, socket: &Subscriber, chats: impl Iterator<Item = ChatId>) {
    let (feed, socket, chats) = (feed.clone(), socket.id, chats.collect::<Vec<_>>());
    let end = move |chats: &[ChatId]| {
        for chat in chats {
            feed.directory.unsubscribe(*chat, socket);
        }
    };
    match Arbiter::try_current() {
        Some(thread) if chats.len() > CHATS_PER_STEP => {
            thread.spawn(async move {
                for chunk in chats.chunks(CHATS_PER_STEP) {
                    end(chunk);
                    yield_now().await;
                }
            });
        }
        _ => end(&chats),
    }
}
