//! Graceful shutdown.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use actix_rt::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::Server;
use crate::{
    bus::{BusMessage, PresenceMessage},
    hub::CloseReason,
    state::AppState,
    storage::{
        DatabaseUrl, ReadPool, ServingLock,
        db::holders,
        maintenance::{
            checkpoint::{self, BlockedCheckpoint},
            purge,
        },
    },
};

/// Timeout for closing sockets.
const SOCKETS_END_WITHIN: Duration = Duration::from_secs(3);

/// Timeout for actors to drain their mailboxes.
const CHATS_MOVE_WITHIN: Duration = Duration::from_secs(1);

/// Timeout for commands in flight, and for publishing the last messages on the bus.
const LAST_EVENTS_TIMEOUT: Duration = Duration::from_secs(1);

/// Timeout for purging deleted chats, whose texts would otherwise stay in the file until the next start.
const PURGE_TIMEOUT: Duration = Duration::from_secs(1);

/// Timeout for the last queries.
const QUERIES_END_WITHIN: Duration = Duration::from_secs(2);

/// Deadline of waiting for other processes that read the SQLite file, from the start of the shutdown. It
/// bounds this last step only.
const FILE_READERS_DEADLINE: Duration = Duration::from_secs(9);

/// Shortest wait for other processes that read the SQLite file, also after [`FILE_READERS_DEADLINE`]. If one
/// has blocked the checkpoint for a minute already, the server waits no longer than this.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Why a SQLite file is not complete without its `-wal` after shutdown, in one sentence. No data is lost.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Other processes still read the file, which they may.
    #[error(
        "all data is stored, but {name} is whole only together with {name}-wal, because it is still being read by {readers}; copy both files, or use `greenroom backup`"
    )]
    Shared { name: String, readers: String },
    #[error("all data is stored, but {name} is whole only together with {name}-wal: {reason}")]
    Failed { name: String, reason: String },
}

impl Server {
    /// Shuts down: stops accepting, closes all sockets, completes accepted commands and requests, then stops.
    /// Leaves a SQLite file that is complete without its `-wal`.
    pub async fn stop(self) -> Result<(), StopError> {
        let begun = Instant::now();
        self.state.draining.store(true, Ordering::Relaxed);
        let sockets = self.state.hub.close_all(CloseReason::GoingAway);
        tracing::info!(sockets, "shutting down");
        let deadline = begun + SOCKETS_END_WITHIN;
        while self.state.hub.count() > 0 && Instant::now() < deadline {
            // Sockets that connected after the first call.
            self.state.hub.close_all(CloseReason::GoingAway);
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        // A worker stops with its last connection, and with it the actors on its arbiter. So move them first.
        let directory = self.state.directory.clone();
        directory.migrate_to_current(Instant::now() + CHATS_MOVE_WITHIN).await;
        self.handle.stop(true).await;
        let _ = self.serving.await;
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(watched) = self.watched {
            watched.stop().await;
        }
        self.state.presence.close().await;
        let _ = timeout(PURGE_TIMEOUT, purge_deleted_chats(&self.state)).await;
        let writer = self.writer;
        let _ = spawn_blocking(move || drop(writer)).await;
        directory.wait_until_idle(Instant::now() + LAST_EVENTS_TIMEOUT).await;
        self.state.bus.publish(BusMessage::Presence(PresenceMessage::Leaving));
        self.state.bus.close();
        if let Some(carrying) = self.carrying {
            let _ = timeout(LAST_EVENTS_TIMEOUT, carrying).await;
        }
        let readers = [&self.state.readers, &self.indexing, &self.watching];
        let url = self.state.config.database.database_url.clone();
        leave_file(url, readers, self.exclusive, &self.in_the_way, begun + FILE_READERS_DEADLINE).await
    }
}

async fn purge_deleted_chats(state: &AppState) {
    while let Ok(true) = state.writer.run("purge_step", |conn, _| purge::step(conn)).await {}
}

/// Closes all connections to a SQLite file and checkpoints it, so that a copy of the file alone is complete.
async fn leave_file(
    url: DatabaseUrl,
    readers: [&ReadPool; 3],
    exclusive: ServingLock,
    in_the_way: &BlockedCheckpoint,
    deadline: Instant,
) -> Result<(), StopError> {
    if matches!(url, DatabaseUrl::Postgres(_)) {
        return Ok(());
    }
    let answered = Instant::now() + QUERIES_END_WITHIN;
    for readers in readers {
        readers.close(answered).await;
    }
    let now = Instant::now();
    let patience = match in_the_way.is_for_good(now) {
        true => LEAST_PATIENCE,
        false => deadline.saturating_duration_since(now).max(LEAST_PATIENCE),
    };
    let name = url.name();
    let left = spawn_blocking(move || leave(&url, patience)).await;
    drop(exclusive);
    left.unwrap_or_else(|error| Err(StopError::Failed { name, reason: error.to_string() }))
}

/// Checkpoints a SQLite file that this process no longer uses, if it exists. Waits up to `patience` for other
/// processes.
pub fn leave(url: &DatabaseUrl, patience: Duration) -> Result<(), StopError> {
    if url.expect_exists().is_err() {
        return Ok(());
    }
    let name = url.name();
    match checkpoint::complete(url, patience) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StopError::Shared { name, readers: holders::describe(&url.holders()) }),
        Err(error) => Err(StopError::Failed { name, reason: error.to_string() }),
    }
}
