//! What a server does beside answering.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::web::Data;

use crate::{
    auth::{audit, passwords},
    cluster,
    core::model::{ChatId, Refusal, UserId},
    services::succession::hand_over_chats_of,
    state::State,
    storage::{
        DatabaseUrl, Readers,
        commands::succession,
        maintenance::{
            checkpoint::{self, InTheWay},
            purge, sweeping,
        },
        tables::{
            revocations::{self, Followed},
            users,
        },
    },
};

/// How often a server looks for credentials that others ended: the command line, or another node.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn watch_revocations(state: Data<State>, watching: Readers, mut followed: Followed) {
    loop {
        let (known, began) = (followed.clone(), Instant::now());
        if let Ok(news) = watching.ask_one(move |conn| known.look(conn)).await {
            let mut users: BTreeMap<UserId, bool> = news.iter().map(|news| (news.user, false)).collect();
            let mut is_current = true;
            for (user, is_done) in &mut users {
                let is_rechecked = state.identities.recheck_here(*user).await;
                is_current &= is_rechecked;
                *is_done = is_rechecked && hand_over_chats_of(&state, *user).await.is_ok();
            }
            if is_current {
                state.identities.looked(began);
            }
            // What could not be looked at is looked at again.
            let news = news.into_iter().filter(|news| users[&news.user]);
            let passed = news.inspect(log_deed).map(|news| news.number).collect();
            followed.pass(passed);
        }
        actix_rt::time::sleep(WATCH_EVERY).await;
    }
}

/// Logs what the command line did beside this server.
fn log_deed(news: &revocations::News) {
    if !news.deed.is_empty() {
        tracing::info!(target: audit::TARGET, user_id = news.user.0, from = "the command line", "{}", news.deed);
    }
}

/// How often is stored which credentials were used.
const STORE_SIGHTINGS_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn store_sightings(state: Data<State>) {
    loop {
        actix_rt::time::sleep(STORE_SIGHTINGS_EVERY).await;
        // What cannot be stored now is noted again at the next use.
        let _ = state.sightings.store(&state.writer).await;
    }
}

/// Hands over chats that lost their admins before this was looked after, or while no server ran.
pub(super) async fn hand_over_chats(state: Data<State>) {
    if hand_over_all(&state).await.is_err() {
        tracing::warn!("chats without an active admin could not be handed over; the next start tries again");
    }
}

async fn hand_over_all(state: &State) -> Result<(), Refusal> {
    let left: Vec<ChatId> = state.readers.ask_one(succession::unattended).await?.into_iter().collect();
    for chats in left.chunks(HANDED_OVER_AT_ONCE) {
        let chats = chats.iter().copied().collect();
        state.writer.run("hand_over_chats", move |conn, _| succession::settle(conn, &chats)).await?;
    }
    if left.is_empty() { Ok(()) } else { cluster::compare_chats(&state.reconciler).await }
}

/// How many chats one transaction hands over.
const HANDED_OVER_AT_ONCE: usize = 16;

/// How often a server looks for deleted chats that nobody told it of.
const CLEAR_OUT_EVERY: Duration = Duration::from_secs(60);

/// How often sockets are looked after.
const WATCH_SOCKETS_EVERY: Duration = Duration::from_millis(500);

/// How many are ended at once, and the pause after them: what the kernel keeps for each takes time to let go of, and
/// others are served by the same threads.
const ENDED_AT_ONCE: usize = 8;
const PAUSE: Duration = Duration::from_millis(2);

pub(super) async fn watch_sockets(state: Data<State>) {
    let mut was_current = true;
    loop {
        actix_rt::time::sleep(WATCH_SOCKETS_EVERY).await;
        // Events that this server held back after a pause are not late by the client's fault.
        let is_current = state.identities.is_current();
        let mut overdue = state.registry.overdue();
        overdue.retain(|socket| socket.is_closing() || (was_current && is_current));
        was_current = is_current;
        for sockets in overdue.chunks(ENDED_AT_ONCE) {
            sockets.iter().for_each(|socket| socket.look_after());
            actix_rt::time::sleep(PAUSE).await;
        }
    }
}

/// Clears out deleted chats, at the start and whenever there may be one.
pub(super) async fn clear_out(state: Data<State>) {
    loop {
        while let Ok(true) = state.writer.run("purge_step", |conn, _| purge::step(conn)).await {
            actix_rt::task::yield_now().await;
        }
        let _ = tokio::time::timeout(CLEAR_OUT_EVERY, state.purge.notified()).await;
    }
}

/// How often SQLite's `-wal` is emptied, so that deleted texts leave it, and the pause where somebody was in the way.
const EMPTY_WAL_EVERY: Duration = Duration::from_secs(15);
const EMPTY_WAL_AGAIN: Duration = Duration::from_secs(3);

pub(super) async fn empty_wal(url: DatabaseUrl, in_the_way: Arc<InTheWay>) {
    let mut pause = EMPTY_WAL_EVERY;
    loop {
        actix_rt::time::sleep(pause).await;
        let url = url.clone();
        let emptied = actix_rt::task::spawn_blocking(move || checkpoint::empty(&url)).await;
        // A database that is away is seen by those who write.
        in_the_way.note(matches!(emptied, Ok(Ok(false))), Instant::now());
        pause = if matches!(emptied, Ok(Ok(true))) { EMPTY_WAL_EVERY } else { EMPTY_WAL_AGAIN };
    }
}

/// Finds out whether users have hashes that Django made.
pub(super) async fn look_at_hashes(state: Data<State>) {
    let pattern = format!("{}%", passwords::DJANGO);
    let found = state.readers.ask_one(move |conn| users::has_hash_like(conn, &pattern)).await;
    // Where it cannot be told, as if there were.
    if found.unwrap_or(true) {
        state.hasher.expect_others();
    }
}

/// How often outdated rows are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

pub(super) async fn sweep(state: Data<State>) {
    loop {
        if let Err(refusal) = sweep_all(&state).await {
            tracing::warn!(?refusal, "outdated rows could not be deleted; the next try is in an hour");
        }
        actix_rt::time::sleep(SWEEP_EVERY).await;
    }
}

async fn sweep_all(state: &State) -> Result<(), Refusal> {
    while state.writer.run("sweep_step", |conn, _| sweeping::step(conn)).await? {
        actix_rt::task::yield_now().await;
    }
    Ok(())
}
