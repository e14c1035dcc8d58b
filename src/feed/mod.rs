//! What a user missed: the one way behind everybody who comes back, over whatever transport.

pub mod catch_up;
pub mod cursor;
pub mod pull_reader;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use actix_rt::Arbiter;
use tokio::{sync::mpsc, task::yield_now};

pub use catch_up::{Follower, Update};
pub use cursor::Cursor;
pub use pull_reader::Listener;

use crate::{
    auth::Identities,
    chat::ChatDirectory,
    core::model::{ChatId, Refusal, Seq, UserId},
    hub::{ChatMeter, CloseReason, Socket, UserRegistry},
    storage::{
        AnyConn, Readers, Rules, WriterHandle,
        tables::{chats, join_counts},
    },
    view::Links,
};

/// What the feed works with.
pub struct Feed {
    pub readers: Readers,
    pub writer: WriterHandle,
    pub rules: Rules,
    pub links: Links,
    pub directory: Arc<ChatDirectory>,
    pub registry: Arc<UserRegistry>,
    pub identities: Arc<Identities>,
    /// The chats' instruments.
    pub meter: Option<Arc<ChatMeter>>,
}

/// Numbers by chat: how far somebody has heard of each, or where each is.
pub type Heads = BTreeMap<ChatId, Seq>;

/// Which chats somebody wants to hear of; `None`: all of theirs.
pub type Only = Option<BTreeSet<ChatId>>;

/// The chats that a query names: `chats=1,2`. Ids that are none are ignored, like those of chats that one is not in.
pub fn only(chats: &str) -> Only {
    Some(chats.split(',').filter_map(|id| ChatId::parse(id.trim())).collect())
}

fn is_wanted(chat: ChatId, only: &Only) -> bool {
    only.as_ref().is_none_or(|only| only.contains(&chat))
}

/// Chats that are told that a socket comes or goes before others on the same thread have their turn.
const AT_ONCE: usize = 64;

/// Where each of a user's chats is.
pub async fn heads(feed: &Feed, user: UserId, only: &Only) -> Result<Heads, Refusal> {
    let heads = feed.readers.ask_one(move |conn| chats::heads(conn, user)).await?;
    Ok(heads.into_iter().filter(|(chat, _)| is_wanted(*chat, only)).collect())
}

/// Subscribes a socket to its user's chats and returns where they are. The registry must know the socket already, so
/// that a chat that somebody adds the user to meanwhile subscribes it by itself.
pub async fn subscribe(feed: &Feed, socket: &Arc<Socket>, only: &Only) -> Result<Heads, Refusal> {
    // Whoever was signed out since they were let in had no socket to be closed yet.
    let caller = feed.identities.caller(&socket.credential).await?;
    if caller.is_none() {
        socket.close(CloseReason::SignedOut);
        return Ok(Heads::new());
    }
    let user = socket.user;
    let look = move |conn: &mut AnyConn| Ok((chats::heads(conn, user)?, join_counts::of(conn, &[user])?));
    let (before, counts) = feed.readers.ask(look).await?;
    for (user, count) in counts {
        feed.registry.begin_feed(user, count);
    }
    let wanted: Vec<_> = before.into_iter().filter(|(chat, _)| is_wanted(*chat, only)).collect();
    for some in wanted.chunks(AT_ONCE) {
        let (done, mut all_done) = mpsc::channel(1);
        for (chat, head) in some {
            feed.directory.subscribe(*chat, *head, socket.clone(), done.clone());
        }
        drop(done);
        // It ends when every chat has dropped its end.
        let _ = all_done.recv().await;
    }
    // A chat that one was removed from meanwhile is not among these, and nothing of it is passed on. The subscription
    // stays, since it may be of somebody who was added again.
    heads(feed, user, only).await
}

/// Ends the subscriptions of a socket that is gone.
pub fn unsubscribe(feed: &Arc<Feed>, socket: &Socket, chats: impl Iterator<Item = ChatId>) {
    let (feed, socket, chats) = (feed.clone(), socket.id, chats.collect::<Vec<_>>());
    let end = move |chats: &[ChatId]| {
        for chat in chats {
            feed.directory.unsubscribe(*chat, socket);
        }
    };
    match Arbiter::try_current() {
        Some(thread) if chats.len() > AT_ONCE => {
            thread.spawn(async move {
                for some in chats.chunks(AT_ONCE) {
                    end(some);
                    yield_now().await;
                }
            });
        }
        _ => end(&chats),
    }
}
