//! Comparing what was made known here with what storage has, so that nothing is missed for long that the bus lost.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use actix_web::web::Data;
use tokio::time::{sleep, timeout};

use crate::{
    model::{ChatId, Feed, Refusal, Seq, UserId},
    server::State,
    storage::{chats, feeds},
};

/// The time between two looks, while the bus is in doubt and otherwise.
const WHILE_IN_DOUBT: Duration = Duration::from_secs(1);
const OTHERWISE: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(200);

/// Most chats or users asked for in one query.
const AT_ONCE: usize = 1_000;

/// Compares from time to time, and at once when something may have been lost.
pub async fn compare(state: Data<State>) {
    let mut looked = Instant::now();
    loop {
        // A doubt that arises meanwhile does not wait for the longer pause to end.
        let is_asked = timeout(WHILE_IN_DOUBT, state.bus.doubted()).await.is_ok();
        if !is_asked && !state.bus.is_in_doubt() && looked.elapsed() < OTHERWISE {
            continue;
        }
        looked = Instant::now();
        // Where storage is away there is nothing to compare with, and nothing new.
        let _ = compare_chats(&state).await;
        let _ = compare_users(&state).await;
        // However often there is a reason.
        sleep(SHORTEST).await;
    }
}

/// Tells chats that are behind.
pub async fn compare_chats(state: &State) -> Result<(), Refusal> {
    for told in state.directory.told().chunks(AT_ONCE) {
        let ids: Vec<ChatId> = told.iter().map(|(chat, _)| *chat).collect();
        let heads = state.readers.ask_one(move |conn| chats::heads_of(conn, &ids)).await?;
        let heads: HashMap<ChatId, Seq> = heads.into_iter().collect();
        for (chat, told) in told {
            // One that is not there any more has come to its end.
            let head = heads.get(chat).copied().unwrap_or(Seq::MAX);
            if head > *told {
                state.directory.is_behind(*chat, head);
            }
        }
    }
    Ok(())
}

/// Tells those chats of a user that are behind: where a user is shut out, another process may have handed them over.
pub async fn compare_chats_of(state: &State, user: UserId) -> Result<(), Refusal> {
    let told: HashMap<ChatId, Seq> = state.directory.told().into_iter().collect();
    if told.is_empty() {
        return Ok(());
    }
    let heads = state.readers.ask_one(move |conn| chats::heads(conn, user)).await?;
    for (chat, head) in heads {
        if told.get(&chat).is_some_and(|told| head > *told) {
            state.directory.is_behind(chat, head);
        }
    }
    Ok(())
}

/// Lets users in who were brought into chats that did not tell them.
async fn compare_users(state: &State) -> Result<(), Refusal> {
    for known in state.registry.feeds().chunks(AT_ONCE) {
        let ids: Vec<UserId> = known.iter().map(|(user, _)| *user).collect();
        let feeds = state.readers.ask_one(move |conn| feeds::of(conn, &ids)).await?;
        let known: HashMap<UserId, Feed> = known.iter().copied().collect();
        for (user, feed) in feeds.into_iter().filter(|(user, feed)| known.get(user) < Some(feed)) {
            let heads = state.readers.ask_one(move |conn| chats::heads(conn, user)).await?;
            for (chat, _) in heads {
                state.directory.admit(chat, user);
            }
            state.registry.caught_up(user, feed);
        }
    }
    Ok(())
}
