//! Reading connections, off the threads that serve HTTP.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_rt::task::spawn_blocking;
use tokio::time::timeout_at;

use super::{
    Access, AnyConn, Asker, DatabaseUrl, OpenError, StorageError, StorageMeter,
    db::{
        session::{is_lost, limit_statements},
        transaction::snapshot,
    },
    turns::{NoTurn, Turn, Turns},
};
use crate::core::model::Refusal;

/// A query that finds no free connection for so long is turned down. Where the database is on the other side of a network,
/// and may hang, so is one that is not answered by then.
const WAIT: Duration = Duration::from_secs(2);

/// PostgreSQL ends a statement that goes on for so long, since nobody waits for it any more.
const LIMIT: Duration = Duration::from_secs(3);

/// A pool of reading connections.
#[derive(Clone)]
pub struct Readers {
    /// `None` once it is closed.
    pool: Arc<Mutex<Option<r2d2::Pool<Opener>>>>,
    size: u32,
    /// As many as there are connections, so that no thread blocks to wait for one.
    turns: Arc<Turns>,
    may_hang: bool,
    meter: Option<Arc<StorageMeter>>,
}

impl Readers {
    /// Opens `size` connections, of which one asker uses no more than `share` at a time.
    pub fn open(
        url: &DatabaseUrl,
        size: u32,
        share: usize,
        meter: Option<Arc<StorageMeter>>,
    ) -> Result<Self, OpenError> {
        // A first connection by hand, since the pool would hide why it fails.
        url.open(Access::Read)?;
        let pool = r2d2::Pool::builder()
            .max_size(size)
            .test_on_check_out(true)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(WAIT)
            .build(Opener(url.clone()))
            .map_err(|error| OpenError::new(&url.name(), error))?;
        let may_hang = matches!(url, DatabaseUrl::Postgres(_));
        let (pool, turns) = (Arc::new(Mutex::new(Some(pool))), Turns::new(size as usize, share));
        Ok(Self { pool, size, turns, may_hang, meter })
    }

    /// Closes the connections, once their questions are answered; those that are in use at the deadline close when they
    /// are not any more. Further questions are turned down.
    pub async fn close(&self, deadline: Instant) {
        self.turns.close(deadline).await;
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = spawn_blocking(move || drop(pool)).await;
    }

    /// Answers a question of one or more statements on one consistent view.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(|conn| snapshot(conn, question)).await
    }

    /// Answers a question of a single statement, which needs no transaction to be consistent.
    pub async fn ask_one<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(question).await
    }

    /// How many connections are in use, and how many there are.
    pub fn busy(&self) -> (usize, usize) {
        (self.turns.taken(), self.size as usize)
    }

    /// Waits for a connection. An asker that has its share is asking too much; where it has less, others have the rest.
    async fn turn(&self, deadline: tokio::time::Instant) -> Result<Turn, Refusal> {
        let asker = Asker::current();
        let before = self.turns.ended(asker);
        match timeout_at(deadline, self.turns.take(asker)).await {
            Ok(Ok(turn)) => return Ok(turn),
            Ok(Err(NoTurn::Closed)) => return Err(Refusal::Busy),
            Ok(Err(NoTurn::QueueFull)) | Err(_) => {}
        }
        // Where nothing was answered meanwhile, it is the database that is slow.
        let is_slow = self.may_hang && self.turns.ended(asker) == before;
        let is_throttled = asker != Asker::Server && self.turns.has_its_share(asker) && !is_slow;
        Err(if is_throttled { Refusal::Throttled } else { Refusal::Busy })
    }

    async fn run<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let asked = Instant::now();
        let deadline = tokio::time::Instant::from_std(asked) + WAIT;
        let turn = self.turn(deadline).await.inspect_err(|_| {
            self.meter.iter().for_each(|meter| meter.turned_away.inc());
        })?;
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Refusal::Busy)?;
        let timed = self.meter.clone().map(|meter| Timed::new(meter, asked));
        let answer = spawn_blocking(move || {
            let _turn = turn;
            // Until it ends, or panics.
            let _timed = timed;
            let mut reader = pool.get().map_err(|error| StorageError::Away(error.to_string()))?;
            let answer = question(&mut reader.conn);
            reader.is_doubtful = matches!(answer, Err(StorageError::Away(_)));
            answer
        });
        let answered = match self.may_hang {
            false => answer.await,
            // The thread stays with the connection until the database answers, or the connection is found to be lost.
            true => match timeout_at(deadline, answer).await {
                Ok(answered) => answered,
                Err(_) => return Err(Refusal::StorageAway),
            },
        };
        match answered {
            Ok(answer) => answer.map_err(StorageError::into_refusal),
            Err(error) => {
                tracing::error!(%error, "a query panicked");
                Err(Refusal::Internal)
            }
        }
    }
}

/// A question whose time is counted when it is dropped.
struct Timed {
    meter: Arc<StorageMeter>,
    begun: Instant,
}

impl Timed {
    /// One that was asked then, and has a connection now.
    fn new(meter: Arc<StorageMeter>, asked: Instant) -> Self {
        let begun = Instant::now();
        meter.read_wait.observe(begun.duration_since(asked).as_secs_f64());
        Self { meter, begun }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.meter.read.observe(self.begun.elapsed().as_secs_f64());
    }
}

/// Opens connections for the pool.
struct Opener(DatabaseUrl);

/// A connection in the pool.
struct Reader {
    conn: AnyConn,
    used: Instant,
    /// The last answer was that the database is away.
    is_doubtful: bool,
}

/// A connection that was not used for so long is tried before it is: its server may have been started anew meanwhile.
const UNPROVED_AFTER: Duration = Duration::from_secs(1);

impl r2d2::ManageConnection for Opener {
    type Connection = Reader;
    type Error = StorageError;

    fn connect(&self) -> Result<Reader, StorageError> {
        let mut conn = self.0.open_to_serve(Access::Read)?;
        limit_statements(&mut conn, LIMIT)?;
        Ok(Reader { conn, used: Instant::now(), is_doubtful: false })
    }

    fn is_valid(&self, reader: &mut Reader) -> Result<(), StorageError> {
        if reader.used.elapsed() > UNPROVED_AFTER && is_lost(&mut reader.conn) {
            return Err(StorageError::Away("the connection is lost".to_owned()));
        }
        Ok(())
    }

    fn has_broken(&self, reader: &mut Reader) -> bool {
        reader.used = Instant::now();
        // A query that panicked may have left its transaction open.
        std::thread::panicking() || reader.is_doubtful && is_lost(&mut reader.conn)
    }
}
