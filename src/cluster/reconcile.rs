//! Anti-entropy: compares published state with storage to find events that the bus lost.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

use crate::{
    bus::Bus,
    chat::ChatDirectory,
    core::model::{ChatId, JoinCount, Refusal, Seq, UserId},
    hub::Hub,
    storage::{
        ReadPool,
        tables::{chats, join_counts},
    },
};

/// Interval between two comparisons while the bus is degraded.
const DEGRADED_INTERVAL: Duration = Duration::from_secs(1);

/// Interval between two comparisons while the bus works.
const NORMAL_INTERVAL: Duration = Duration::from_secs(5);

/// Shortest interval between two comparisons, also on request.
const MIN_INTERVAL: Duration = Duration::from_millis(200);

/// Most chats or users in one query.
const MAX_IDS: usize = 1_000;

/// Finds events that this node has not published, and users whose sockets are not subscribed.
pub struct Reconciler {
    pub directory: Arc<ChatDirectory>,
    pub hub: Arc<Hub>,
    pub readers: ReadPool,
    pub bus: Arc<Bus>,
}

/// Compares periodically, and at once when messages may have been lost.
pub async fn compare(reconciler: Arc<Reconciler>) {
    let mut compared_at = Instant::now();
    loop {
        // Waits in short steps, so that a request does not wait for the longer interval to end.
        let is_asked = timeout(DEGRADED_INTERVAL, reconciler.bus.reconcile_requested()).await.is_ok();
        if !is_asked && !reconciler.bus.is_degraded() && compared_at.elapsed() < NORMAL_INTERVAL {
            continue;
        }
        compared_at = Instant::now();
        // If storage fails, there is nothing to compare with and nothing new.
        let _ = compare_chats(&reconciler).await;
        let _ = compare_users(&reconciler).await;
        // Rate limit for requested comparisons.
        sleep(MIN_INTERVAL).await;
    }
}

/// Compares the chats with subscribers here, and reports gaps to their actors.
pub async fn compare_chats(reconciler: &Reconciler) -> Result<(), Refusal> {
    for published in reconciler.directory.published().chunks(MAX_IDS) {
        let ids: Vec<ChatId> = published.iter().map(|(chat, _)| *chat).collect();
        let heads = reconciler.readers.query_one(move |conn| chats::heads_of(conn, &ids)).await?;
        let heads: HashMap<ChatId, Seq> = heads.into_iter().collect();
        for (chat, published_seq) in published {
            // A chat missing from storage was deleted.
            let head = heads.get(chat).copied().unwrap_or(Seq::MAX);
            if head > *published_seq {
                reconciler.directory.report_head(*chat, head);
            }
        }
    }
    Ok(())
}

/// Compares a user's chats and reports gaps to their actors. Another process that deactivates a user may also
/// have transferred the user's chats.
pub async fn compare_chats_of(reconciler: &Reconciler, user: UserId) -> Result<(), Refusal> {
    let published: HashMap<ChatId, Seq> = reconciler.directory.published().into_iter().collect();
    if published.is_empty() {
        return Ok(());
    }
    let heads = reconciler.readers.query_one(move |conn| chats::heads(conn, user)).await?;
    for (chat, head) in heads {
        if published.get(&chat).is_some_and(|published_seq| head > *published_seq) {
            reconciler.directory.report_head(chat, head);
        }
    }
    Ok(())
}

/// Subscribes connected users to chats that they were added to without an event reaching this node.
async fn compare_users(reconciler: &Reconciler) -> Result<(), Refusal> {
    for known in reconciler.hub.join_counts().chunks(MAX_IDS) {
        let ids: Vec<UserId> = known.iter().map(|(user, _)| *user).collect();
        let join_counts = reconciler.readers.query_one(move |conn| join_counts::of(conn, &ids)).await?;
        let known: HashMap<UserId, JoinCount> = known.iter().copied().collect();
        for (user, join_count) in
            join_counts.into_iter().filter(|(user, join_count)| known.get(user) < Some(join_count))
        {
            let heads = reconciler.readers.query_one(move |conn| chats::heads(conn, user)).await?;
            for (chat, _) in heads {
                reconciler.directory.ensure_subscribed(chat, user);
            }
            reconciler.hub.caught_up(user, join_count);
        }
    }
    Ok(())
}
