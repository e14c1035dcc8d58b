//! Background task that keeps the search index up to date. Only one node runs it at a time.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    horizon::Horizon,
    indexer::{Finished, Indexer, Progress, clear, merge_small, rebuild_changed},
    segments::orphaned_segments,
};
use crate::{
    core::model::Refusal,
    storage::{ReadPool, WriterHandle, tables::locks},
};

/// Polling interval for new messages after all have been read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Delay after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Interval for rebuilding a segment that has only a few pending changes.
const REBUILD_INTERVAL: Duration = Duration::from_secs(10);

/// Number of messages between two progress log lines.
const LOG_EVERY: usize = 100_000;

struct BackgroundIndexer {
    readers: ReadPool,
    writer: WriterHandle,
    /// `None` at first, and after an error.
    indexer: Option<Indexer>,
    horizon: Horizon,
    last_rebuild: Instant,
    /// Whether segments were added since the last attempt to merge.
    has_grown: bool,
    /// Whether there are no postings of unpublished segments.
    is_clean: bool,
    /// Messages indexed since it was last up to date.
    indexed: usize,
}

/// Runs until the server stops.
pub async fn run(readers: ReadPool, writer: WriterHandle) {
    let mut task = BackgroundIndexer {
        readers,
        writer,
        indexer: None,
        horizon: Horizon::default(),
        last_rebuild: Instant::now(),
        has_grown: true,
        is_clean: false,
        indexed: 0,
    };
    loop {
        match task.step().await {
            Ok(false) => {}
            Ok(true) => sleep(POLL_INTERVAL).await,
            // The error is logged at its source.
            Err(_) => sleep(RETRY_DELAY).await,
        }
    }
}

impl BackgroundIndexer {
    /// Runs one step. Returns whether the index is up to date.
    async fn step(&mut self) -> Result<bool, Refusal> {
        let Some(settled) = self.find_settled().await? else {
            // Another node has the task, and may leave unpublished postings behind.
            (self.indexer, self.has_grown, self.is_clean) = (None, true, false);
            return Ok(true);
        };
        let mut indexer = match self.indexer.take() {
            Some(indexer) => indexer,
            None => self.begin().await?,
        };
        let read = move |conn: &mut _| indexer.read(conn, settled).map(|progress| (indexer, progress));
        let (indexer, progress) = self.readers.query(read).await?;
        match progress {
            Progress::Full(segment) => {
                self.log_progress(segment.messages());
                self.has_grown = true;
                self.store(segment).await?;
                Ok(false)
            }
            Progress::More => {
                self.indexer = Some(indexer);
                Ok(false)
            }
            Progress::End => {
                self.indexer = Some(indexer);
                self.indexed = 0;
                self.tidy().await
            }
        }
    }

    /// Returns the id up to which messages may be indexed, or `None` if another node has the task.
    async fn find_settled(&mut self) -> Result<Option<i64>, Refusal> {
        let mut horizon = std::mem::take(&mut self.horizon);
        let look = move |conn: &mut _| {
            let is_ours = locks::try_lock_search_index(conn)?;
            let settled = if is_ours { Some(horizon.advance(conn)?) } else { None };
            Ok((horizon, settled))
        };
        let (horizon, settled) = self.readers.query_one(look).await?;
        self.horizon = horizon;
        Ok(settled)
    }

    async fn begin(&mut self) -> Result<Indexer, Refusal> {
        if !self.is_clean {
            for segment in self.readers.query(orphaned_segments).await? {
                self.clear(segment).await?;
            }
            self.is_clean = true;
        }
        self.readers.query(Indexer::begin).await
    }

    /// Rebuilds a segment with pending changes or merges small segments. Returns whether there is nothing
    /// more to do.
    async fn tidy(&mut self) -> Result<bool, Refusal> {
        let any = self.last_rebuild.elapsed() >= REBUILD_INTERVAL;
        if any {
            self.last_rebuild = Instant::now();
        }
        let mut found = self.readers.query(move |conn| rebuild_changed(conn, any)).await?;
        if found.is_none() && self.has_grown {
            found = self.readers.query(merge_small).await?;
            self.has_grown = found.is_some();
        }
        match found {
            Some(segment) => self.store(segment).await.map(|()| any),
            None => Ok(true),
        }
    }

    /// Stores a segment in small steps that never block writers for long.
    async fn store(&mut self, segment: Finished) -> Result<(), Refusal> {
        // A failure leaves unpublished postings behind.
        self.is_clean = false;
        let segment = Arc::new(segment);
        let mut next = Some(0);
        while let Some(begin) = next {
            let segment = segment.clone();
            next = self.writer.run("store_index", move |conn, _| segment.store(conn, begin)).await?;
        }
        let built = segment.clone();
        let is_published = self.writer.run("publish_index", move |conn, _| built.publish(conn)).await?;
        let mut next = Some(0).filter(|_| is_published);
        while let Some(begin) = next {
            let segment = segment.clone();
            next =
                self.writer.run("clear_changes", move |conn, _| segment.delete_changes(conn, begin)).await?;
        }
        for segment in segment.obsolete(is_published) {
            self.clear(*segment).await?;
        }
        self.is_clean = true;
        Ok(())
    }

    async fn clear(&self, segment: i64) -> Result<(), Refusal> {
        while self.writer.run("clear_index", move |conn, _| clear(conn, segment)).await? {}
        Ok(())
    }

    fn log_progress(&mut self, messages: usize) {
        let before = self.indexed / LOG_EVERY;
        self.indexed += messages;
        if self.indexed / LOG_EVERY > before {
            tracing::info!(messages = self.indexed, "indexing messages for search");
        }
    }
}
