//! Keeps the index up with what is written, while the server runs. Of several nodes one does.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    horizon::Horizon,
    indexer::{Finished, Indexer, Progress, clear, merged, renewed},
    segments::strays,
};
use crate::{
    core::model::Refusal,
    storage::{Readers, WriterHandle, tables::locks},
};

/// How often it looks for new messages, once it has read all.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long it leaves a database alone that failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How often it takes in changes where there are only a few.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// After how many messages it tells how far it has come.
const TELL_EVERY: usize = 100_000;

struct Keeper {
    readers: Readers,
    writer: WriterHandle,
    /// `None` at first, and after a failure.
    indexer: Option<Indexer>,
    horizon: Horizon,
    renewed: Instant,
    /// There are segments of which larger ones may be made.
    has_grown: bool,
    /// No postings are stored of segments that are not known.
    is_clean: bool,
    /// Messages indexed since it last had nothing to do.
    indexed: usize,
}

/// Runs as long as the server does.
pub async fn run(readers: Readers, writer: WriterHandle) {
    let mut keeper = Keeper {
        readers,
        writer,
        indexer: None,
        horizon: Horizon::default(),
        renewed: Instant::now(),
        has_grown: true,
        is_clean: false,
        indexed: 0,
    };
    loop {
        match keeper.step().await {
            Ok(false) => {}
            Ok(true) => sleep(LOOK_EVERY).await,
            // It is logged where it happened.
            Err(_) => sleep(RETRY_AFTER).await,
        }
    }
}

impl Keeper {
    /// Goes on. Returns whether that is all for now.
    async fn step(&mut self) -> Result<bool, Refusal> {
        let Some(settled) = self.look().await? else {
            // Another node does, and may leave anything behind.
            (self.indexer, self.has_grown, self.is_clean) = (None, true, false);
            return Ok(true);
        };
        let mut indexer = match self.indexer.take() {
            Some(indexer) => indexer,
            None => self.begin().await?,
        };
        let read = move |conn: &mut _| indexer.read(conn, settled).map(|progress| (indexer, progress));
        let (indexer, progress) = self.readers.ask(read).await?;
        match progress {
            Progress::Full(segment) => {
                self.tell(segment.messages());
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

    /// Up to which id messages may be indexed, if it is for this node to do.
    async fn look(&mut self) -> Result<Option<i64>, Refusal> {
        let mut horizon = std::mem::take(&mut self.horizon);
        let look = move |conn: &mut _| {
            let is_ours = locks::keeps_search_index(conn)?;
            let settled = if is_ours { Some(horizon.look(conn)?) } else { None };
            Ok((horizon, settled))
        };
        let (horizon, settled) = self.readers.ask_one(look).await?;
        self.horizon = horizon;
        Ok(settled)
    }

    async fn begin(&mut self) -> Result<Indexer, Refusal> {
        if !self.is_clean {
            for segment in self.readers.ask(strays).await? {
                self.clear(segment).await?;
            }
            self.is_clean = true;
        }
        self.readers.ask(Indexer::begin).await
    }

    /// Takes in changes, and makes large segments of small ones. Returns whether there is nothing more to do.
    async fn tidy(&mut self) -> Result<bool, Refusal> {
        let any = self.renewed.elapsed() >= RENEW_EVERY;
        if any {
            self.renewed = Instant::now();
        }
        let mut found = self.readers.ask(move |conn| renewed(conn, any)).await?;
        if found.is_none() && self.has_grown {
            found = self.readers.ask(merged).await?;
            self.has_grown = found.is_some();
        }
        match found {
            Some(segment) => self.store(segment).await.map(|()| any),
            None => Ok(true),
        }
    }

    /// Stores a segment in steps, so that no writer waits for long.
    async fn store(&mut self, segment: Finished) -> Result<(), Refusal> {
        // What goes wrong leaves something behind.
        self.is_clean = false;
        let segment = Arc::new(segment);
        let mut next = Some(0);
        while let Some(begin) = next {
            let segment = segment.clone();
            next = self.writer.run("store_index", move |conn, _| segment.store(conn, begin)).await?;
        }
        let known = segment.clone();
        let is_known = self.writer.run("publish_index", move |conn, _| known.make_known(conn)).await?;
        let mut next = Some(0).filter(|_| is_known);
        while let Some(begin) = next {
            let segment = segment.clone();
            next =
                self.writer.run("clear_changes", move |conn, _| segment.forget_changes(conn, begin)).await?;
        }
        for segment in segment.useless(is_known) {
            self.clear(*segment).await?;
        }
        self.is_clean = true;
        Ok(())
    }

    async fn clear(&self, segment: i64) -> Result<(), Refusal> {
        while self.writer.run("clear_index", move |conn, _| clear(conn, segment)).await? {}
        Ok(())
    }

    fn tell(&mut self, messages: usize) {
        let before = self.indexed / TELL_EVERY;
        self.indexed += messages;
        if self.indexed / TELL_EVERY > before {
            tracing::info!(messages = self.indexed, "messages are being indexed for searching");
        }
    }
}
