//! Comparing what was made known here with what storage has, so that nothing is missed for long that the bus lost.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use crate::{
    bus::Bus,
    chat::ChatDirectory,
    core::model::{ChatId, Feed, Refusal, Seq, UserId},
    hub::UserRegistry,
    storage::{
        Readers,
        tables::{chats, join_counts},
    },
};

/// The time between two looks, while the bus is in doubt and otherwise.
const WHILE_IN_DOUBT: Duration = Duration::from_secs(1);
const OTHERWISE: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(200);

/// Most chats or users asked for in one query.
const AT_ONCE: usize = 1_000;

/// Finds what was not made known here, or to whom.
pub struct Reconciler {
    pub directory: Arc<ChatDirectory>,
    pub registry: Arc<UserRegistry>,
    pub readers: Readers,
    pub bus: Arc<Bus>,
}

/// Compares from time to time, and at once when something may have been lost.
pub async fn compare(reconciler: Arc<Reconciler>) {
    let mut looked = Instant::now();
    loop {
        // A doubt that arises meanwhile does not wait for the longer pause to end.
        let is_asked = timeout(WHILE_IN_DOUBT, reconciler.bus.doubted()).await.is_ok();
        if !is_asked && !reconciler.bus.is_in_doubt() && looked.elapsed() < OTHERWISE {
            continue;
        }
        looked = Instant::now();
        // Where storage is away there is nothing to compare with, and nothing new.
        let _ = compare_chats(&reconciler).await;
        let _ = compare_users(&reconciler).await;
        // However often there is a reason.
        sleep(SHORTEST).await;
    }
}

/// Tells chats that are behind.
pub async fn compare_chats(reconciler: &Reconciler) -> Result<(), Refusal> {
    for told in reconciler.directory.told().chunks(AT_ONCE) {
        let ids: Vec<ChatId> = told.iter().map(|(chat, _)| *chat).collect();
        let heads = reconciler.readers.ask_one(move |conn| chats::heads_of(conn, &ids)).await?;
        let heads: HashMap<ChatId, Seq> = heads.into_iter().collect();
        for (chat, told) in told {
            // One that is not there any more has come to its end.
            let head = heads.get(chat).copied().unwrap_or(Seq::MAX);
            if head > *told {
                reconciler.directory.is_behind(*chat, head);
            }
        }
    }
    Ok(())
}

/// Tells those chats of a user that are behind: where a user is shut out, another process may have handed them over.
pub async fn compare_chats_of(reconciler: &Reconciler, user: UserId) -> Result<(), Refusal> {
    let told: HashMap<ChatId, Seq> = reconciler.directory.told().into_iter().collect();
    if told.is_empty() {
        return Ok(());
    }
    let heads = reconciler.readers.ask_one(move |conn| chats::heads(conn, user)).await?;
    for (chat, head) in heads {
        if told.get(&chat).is_some_and(|told| head > *told) {
            reconciler.directory.is_behind(chat, head);
        }
    }
    Ok(())
}

/// Lets users in who were brought into chats that did not tell them.
async fn compare_users(reconciler: &Reconciler) -> Result<(), Refusal> {
    for known in reconciler.registry.feeds().chunks(AT_ONCE) {
        let ids: Vec<UserId> = known.iter().map(|(user, _)| *user).collect();
        let feeds = reconciler.readers.ask_one(move |conn| join_counts::of(conn, &ids)).await?;
        let known: HashMap<UserId, Feed> = known.iter().copied().collect();
        for (user, feed) in feeds.into_iter().filter(|(user, feed)| known.get(user) < Some(feed)) {
            let heads = reconciler.readers.ask_one(move |conn| chats::heads(conn, user)).await?;
            for (chat, _) in heads {
                reconciler.directory.admit(chat, user);
            }
            reconciler.registry.caught_up(user, feed);
        }
    }
    Ok(())
}
