//! Background tasks of a server.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::web::Data;

use crate::{
    auth::{
        audit,
        passwords::{self, StoredHash},
    },
    cluster,
    core::model::{ChatId, Refusal, UserId},
    hub::Subscriber,
    services::succession::hand_over_chats_of,
    state::AppState,
    storage::{
        AnyConn, DatabaseUrl, ReadPool,
        commands::succession,
        maintenance::{
            checkpoint::{self, BlockedCheckpoint},
            purge, sweeping,
        },
        tables::{
            foreign_hashes::{self, Recorded},
            revocations::{self, Followed},
        },
    },
};

/// Interval of polling for credentials that the command line or another node has revoked.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn watch_revocations(state: Data<AppState>, watching: ReadPool, mut followed: Followed) {
    loop {
        let (known, began) = (followed.clone(), Instant::now());
        if let Ok(news) = watching.query_one(move |conn| known.poll(conn)).await {
            let mut users: BTreeMap<UserId, bool> = news.iter().map(|news| (news.user, false)).collect();
            let about_chats = news.iter().filter(|news| news.may_concern_chats()).map(|news| news.user);
            let about_chats: HashSet<UserId> = about_chats.collect();
            let mut is_current = true;
            for (user, is_done) in &mut users {
                let is_rechecked = state.identities.invalidate_here(*user).await;
                is_current &= is_rechecked;
                *is_done = is_rechecked
                    && (!about_chats.contains(user) || hand_over_chats_of(&state, *user).await.is_ok());
            }
            if is_current {
                state.identities.revocations_applied(began);
            }
            // Only users that were handled are marked as done; the others are retried at the next poll.
            let news = news.into_iter().filter(|news| users[&news.user]);
            let passed = news.inspect(log_cli_change).map(|news| news.number).collect();
            followed.advance(passed);
        }
        actix_rt::time::sleep(WATCH_EVERY).await;
    }
}

/// Logs a change that the command line made while this server runs.
fn log_cli_change(news: &revocations::Revocation) {
    if !news.change.is_empty() {
        tracing::info!(target: audit::TARGET, user_id = news.user.0, from = "the command line", "{}", news.change);
    }
}

/// Interval of storing recorded uses of credentials.
const STORE_SIGHTINGS_EVERY: Duration = Duration::from_secs(60);

pub(super) async fn store_sightings(state: Data<AppState>) {
    loop {
        actix_rt::time::sleep(STORE_SIGHTINGS_EVERY).await;
        // Uses that cannot be stored are lost; the next use is recorded again.
        let _ = state.sightings.store(&state.writer).await;
    }
}

/// Hands over chats that lost their last active admin while no server ran, or under an older version.
pub(super) async fn hand_over_chats(state: Data<AppState>) {
    if hand_over_all(&state).await.is_err() {
        tracing::warn!("chats without an active admin could not be handed over; the next start tries again");
    }
}

async fn hand_over_all(state: &AppState) -> Result<(), Refusal> {
    let left: Vec<ChatId> = state.readers.query_one(succession::unattended).await?.into_iter().collect();
    for chats in left.chunks(CHATS_PER_TRANSACTION) {
        let chats = chats.iter().copied().collect();
        state.writer.run("hand_over_chats", move |conn, _| succession::settle(conn, &chats)).await?;
    }
    if left.is_empty() { Ok(()) } else { cluster::compare_chats(&state.reconciler).await }
}

/// Number of chats that one transaction hands over.
const CHATS_PER_TRANSACTION: usize = 16;

/// Interval of polling for deleted chats, beside the notifications.
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// Interval of checking the timeouts of sockets.
const WATCH_SOCKETS_EVERY: Duration = Duration::from_millis(500);

/// Number of sockets that are closed without a delay between them. Freeing the kernel's buffers takes time on
/// threads that also serve other clients.
const CLOSE_BATCH: usize = 8;

/// Delay after each [`CLOSE_BATCH`] sockets.
const CLOSE_BATCH_DELAY: Duration = Duration::from_millis(2);

pub(super) async fn watch_sockets(state: Data<AppState>) {
    let mut was_current = true;
    loop {
        actix_rt::time::sleep(WATCH_SOCKETS_EVERY).await;
        // While the identity cache was out of date, the server itself held events back. Their age does not
        // show that the client is slow, so only sockets that are closing are checked.
        let is_current = state.identities.is_current();
        let mut timed_out = state.hub.watchlist.timed_out();
        timed_out.retain(|socket| socket.is_closing() || (was_current && is_current));
        was_current = is_current;
        for sockets in timed_out.chunks(CLOSE_BATCH) {
            sockets.iter().for_each(Subscriber::enforce_timeouts);
            actix_rt::time::sleep(CLOSE_BATCH_DELAY).await;
        }
    }
}

/// Purges deleted chats: at the start, on notification, and at an interval.
pub(super) async fn purge_deleted_chats(state: Data<AppState>) {
    loop {
        while let Ok(true) = state.writer.run("purge_step", |conn, _| purge::step(conn)).await {
            actix_rt::task::yield_now().await;
        }
        let _ = tokio::time::timeout(PURGE_EVERY, state.purge.notified()).await;
    }
}

/// Interval of truncating SQLite's `-wal`, so that deleted texts leave it.
const TRUNCATE_WAL_EVERY: Duration = Duration::from_secs(15);

/// Retry delay of truncating SQLite's `-wal`, after a reader blocked it or it failed.
const TRUNCATE_WAL_RETRY_DELAY: Duration = Duration::from_secs(3);

pub(super) async fn empty_wal(url: DatabaseUrl, in_the_way: Arc<BlockedCheckpoint>) {
    let mut pause = TRUNCATE_WAL_EVERY;
    loop {
        actix_rt::time::sleep(pause).await;
        let url = url.clone();
        let emptied = actix_rt::task::spawn_blocking(move || checkpoint::truncate_wal(&url)).await;
        // If the database is unavailable, the writer reports it.
        in_the_way.note(matches!(emptied, Ok(Ok(false))), Instant::now());
        pause = if matches!(emptied, Ok(Ok(true))) { TRUNCATE_WAL_EVERY } else { TRUNCATE_WAL_RETRY_DELAY };
    }
}

/// Records how long verifying the slowest hash takes that is not ours, so that failed sign-ins take as long.
pub(super) async fn look_at_hashes(state: Data<AppState>) {
    if record_slowest_hash(&state).await.is_err() {
        tracing::warn!("password hashes could not be looked through; the next start tries again");
    }
}

async fn record_slowest_hash(state: &AppState) -> Result<(), Refusal> {
    let recorded = state.readers.query_one(foreign_hashes::recorded).await?;
    let (mut slowest, mut after) = (Duration::ZERO, UserId(0));
    let current = passwords::current_prefix();
    loop {
        let current = current.clone();
        let page = state.readers.query_one(move |conn| foreign_hashes::page(conn, after, &current)).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let hashes = page.iter().filter_map(|(_, hash)| StoredHash::parse(hash).ok());
        slowest = hashes.map(|hash| hash.estimate()).max().unwrap_or_default().max(slowest);
    }
    let expected = recorded.as_ref().map_or(Duration::ZERO, Recorded::slowest);
    if slowest > expected {
        state.writer.run("record_slowest_hash", move |conn, _| foreign_hashes::raise(conn, slowest)).await?;
    } else if let Some(recorded) = recorded.filter(|_| slowest < expected) {
        let replace = move |conn: &mut AnyConn, _: &_| foreign_hashes::replace(conn, &recorded, slowest);
        state.writer.run("record_slowest_hash", replace).await?;
    }
    Ok(())
}

/// Interval of deleting outdated rows.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

pub(super) async fn sweep(state: Data<AppState>) {
    loop {
        if let Err(refusal) = sweep_all(&state).await {
            tracing::warn!(?refusal, "outdated rows could not be deleted; the next try is in an hour");
        }
        actix_rt::time::sleep(SWEEP_EVERY).await;
    }
}

async fn sweep_all(state: &AppState) -> Result<(), Refusal> {
    while state.writer.run("sweep_step", |conn, _| sweeping::step(conn)).await? {
        actix_rt::task::yield_now().await;
    }
    Ok(())
}
