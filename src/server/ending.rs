//! How a server ends.

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
    bus::{News, PresenceNews},
    hub::CloseReason,
    state::State,
    storage::{
        DatabaseUrl, Exclusive, Readers,
        db::holders,
        maintenance::{
            checkpoint::{self, InTheWay},
            purge,
        },
    },
};

/// How long sockets get to end.
const SOCKETS_END_WITHIN: Duration = Duration::from_secs(3);

/// How long it may take until chats have begun what they were asked for.
const CHATS_MOVE_WITHIN: Duration = Duration::from_secs(1);

/// How long the last news may take to get out.
const LAST_NEWS_WITHIN: Duration = Duration::from_secs(1);

/// How long it goes on clearing out deleted chats, whose texts would else be in the file until the next start.
const CLEARED_OUT_WITHIN: Duration = Duration::from_secs(1);

/// How long the last queries may take.
const QUERIES_END_WITHIN: Duration = Duration::from_secs(2);

/// How long it waits for other processes that have the SQLite file open: until all has taken so long, but for the second
/// one in any case. For who seems to stay it waits no longer than that.
const ALL_ENDS_WITHIN: Duration = Duration::from_secs(9);
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Why a SQLite file is not whole by itself at the end, in one sentence. Nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Others read it, which is nobody's fault.
    #[error(
        "all is stored, but {name} is whole only together with {name}-wal, since it is being read by {readers}; copy both, or with `greenroom backup`"
    )]
    Shared { name: String, readers: String },
    #[error("all is stored, but {name} is whole only together with {name}-wal: {reason}")]
    Failed { name: String, reason: String },
}

impl Server {
    /// Stops accepting, says goodbye to sockets, finishes what was accepted, and ends. A SQLite file is whole by itself then.
    pub async fn stop(self) -> Result<(), StopError> {
        let begun = Instant::now();
        self.state.draining.store(true, Ordering::Relaxed);
        let sockets = self.state.registry.close_all(CloseReason::GoingAway);
        tracing::info!(sockets, "shutting down");
        let deadline = begun + SOCKETS_END_WITHIN;
        while self.state.registry.count() > 0 && Instant::now() < deadline {
            // One that was on its way in when the others were closed.
            self.state.registry.close_all(CloseReason::GoingAway);
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
        // A thread that serves HTTP ends with its last connection, whichever chats live on it.
        let directory = self.state.directory.clone();
        directory.move_here(Instant::now() + CHATS_MOVE_WITHIN).await;
        self.handle.stop(true).await;
        let _ = self.serving.await;
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(watched) = self.watched {
            watched.stop().await;
        }
        self.state.presence.close().await;
        let _ = timeout(CLEARED_OUT_WITHIN, clear_out(&self.state)).await;
        let writer = self.writer;
        let _ = spawn_blocking(move || drop(writer)).await;
        directory.settle(Instant::now() + LAST_NEWS_WITHIN).await;
        self.state.bus.publish(News::Presence(PresenceNews::Farewell));
        self.state.bus.close();
        if let Some(carrying) = self.carrying {
            let _ = timeout(LAST_NEWS_WITHIN, carrying).await;
        }
        let readers = [&self.state.readers, &self.indexing, &self.watching];
        let url = self.state.config.database.database_url.clone();
        leave_file(url, readers, self.exclusive, &self.in_the_way, begun + ALL_ENDS_WITHIN).await
    }
}

async fn clear_out(state: &State) {
    while let Ok(true) = state.writer.run("purge_step", |conn, _| purge::step(conn)).await {}
}

/// Closes what has a SQLite file open, and sees to it that whoever copies the file has all of it.
async fn leave_file(
    url: DatabaseUrl,
    readers: [&Readers; 3],
    exclusive: Exclusive,
    in_the_way: &InTheWay,
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

/// Sees to it that a SQLite file that this process has no use for any more is whole by itself, if it is there.
pub fn leave(url: &DatabaseUrl, patience: Duration) -> Result<(), StopError> {
    if url.expect_there().is_err() {
        return Ok(());
    }
    let name = url.name();
    match checkpoint::complete(url, patience) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StopError::Shared { name, readers: holders::named(&url.holders()) }),
        Err(error) => Err(StopError::Failed { name, reason: error.to_string() }),
    }
}
