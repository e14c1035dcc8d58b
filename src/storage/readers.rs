//! The pool of read connections. Queries run on blocking threads, not on those that serve HTTP.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::timeout_at};

use super::{
    Access, AnyConn, DatabaseUrl, OpenError, Principal, StorageError, StorageMeter,
    db::{
        session::{is_lost, limit_statements},
        transaction::snapshot,
    },
    fair_semaphore::{AcquireError, FairSemaphore, Permit},
};
use crate::core::{log_context::LogContext, model::Refusal, sync::Mutex};

/// Timeout of a query: how long it waits for a free connection. On PostgreSQL, which may hang, it covers the
/// answer too.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Statement timeout on PostgreSQL. It is longer than [`QUERY_TIMEOUT`], so the caller has timed out by then.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);

/// A pool of read connections, shared fairly between principals.
#[derive(Clone)]
pub struct ReadPool {
    /// `None` once the pool is closed.
    pool: Arc<Mutex<Option<r2d2::Pool<Opener>>>>,
    size: u32,
    /// One permit for each connection, so that no thread blocks while it waits for one.
    permits: Arc<FairSemaphore>,
    may_hang: bool,
    meter: Option<Arc<StorageMeter>>,
}

impl ReadPool {
    /// Opens `size` connections. One principal uses at most `share` of them at a time.
    pub fn open(
        url: &DatabaseUrl,
        size: u32,
        share: usize,
        meter: Option<Arc<StorageMeter>>,
    ) -> Result<Self, OpenError> {
        // The pool would hide why a connection fails, so the first one is opened without it.
        url.open(Access::Read)?;
        let pool = r2d2::Pool::builder()
            .max_size(size)
            .test_on_check_out(true)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(QUERY_TIMEOUT)
            .build(Opener(url.clone()))
            .map_err(|error| OpenError::new(&url.name(), error))?;
        let may_hang = matches!(url, DatabaseUrl::Postgres(_));
        let (pool, permits) = (Arc::new(Mutex::new(Some(pool))), FairSemaphore::new(size as usize, share));
        Ok(Self { pool, size, permits, may_hang, meter })
    }

    /// Closes the pool: rejects new queries and drains the others until `deadline`. A connection still in use
    /// then closes once its query ends.
    pub async fn close(&self, deadline: Instant) {
        self.permits.close(deadline).await;
        let pool = self.pool.lock().take();
        let _ = spawn_blocking(move || drop(pool)).await;
    }

    /// Runs a query of one or more statements on a consistent snapshot.
    pub async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(|conn| snapshot(conn, query)).await
    }

    /// Runs a query of a single statement, which is consistent without a transaction.
    pub async fn query_one<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.run(query).await
    }

    /// Returns the number of connections in use, and of all connections.
    pub fn busy(&self) -> (usize, usize) {
        (self.permits.in_use(), self.size as usize)
    }

    /// Waits for a permit to use a connection. On timeout, a principal that has its full share is throttled.
    /// One with less gets `Busy`, since others use the rest.
    async fn acquire(&self, deadline: tokio::time::Instant) -> Result<Permit, Refusal> {
        let principal = Principal::current();
        let before = self.permits.returned_by(principal);
        match timeout_at(deadline, self.permits.acquire(principal)).await {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(AcquireError::Closed)) => return Err(Refusal::Busy),
            Ok(Err(AcquireError::QueueFull)) | Err(_) => {}
        }
        // If none of its queries ended during the wait, the database is slow, and the principal is not to
        // blame.
        let is_slow = self.may_hang && self.permits.returned_by(principal) == before;
        let is_throttled =
            principal != Principal::Server && self.permits.has_full_share(principal) && !is_slow;
        Err(if is_throttled { Refusal::Throttled } else { Refusal::Busy })
    }

    async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let answer = self.run_boxed(Box::new(|conn| Ok(Box::new(query(conn)?)))).await?;
        answer.downcast().map(|answer| *answer).map_err(|_| Refusal::Internal)
    }

    /// Runs a query whose type is erased: each type of task costs compile time and code.
    async fn run_boxed(&self, query: BoxedQuery) -> Result<BoxedAnswer, Refusal> {
        let asked = Instant::now();
        let deadline = tokio::time::Instant::from_std(asked) + QUERY_TIMEOUT;
        let permit = self.acquire(deadline).await.inspect_err(|_| {
            if let Some(meter) = &self.meter {
                meter.turned_away.inc();
            }
        })?;
        let pool = self.pool.lock().clone().ok_or(Refusal::Busy)?;
        let timed = self.meter.clone().map(|meter| Timed::new(meter, asked));
        let log_context = LogContext::current();
        let answer = spawn_blocking(move || {
            let _permit = permit;
            // Records the time when the query ends, even by a panic.
            let _timed = timed;
            let mut reader = pool.get().map_err(|error| StorageError::Unavailable(error.to_string()))?;
            let answer = log_context.enter(|| query(&mut reader.conn));
            reader.is_doubtful = matches!(answer, Err(StorageError::Unavailable(_)));
            answer
        });
        let answered = match self.may_hang {
            false => answer.await,
            // On timeout the thread keeps the connection until the database answers or the connection is
            // lost.
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

type BoxedQuery = Box<dyn FnOnce(&mut AnyConn) -> Result<BoxedAnswer, StorageError> + Send>;
type BoxedAnswer = Box<dyn Any + Send>;

/// A running query, whose duration is recorded when this is dropped.
struct Timed {
    meter: Arc<StorageMeter>,
    begun: Instant,
}

impl Timed {
    /// Starts timing a query that has just got a connection, and records its wait since `asked`.
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
    /// The last query found the database unavailable, so the connection may be lost.
    is_doubtful: bool,
}

/// Idle time after which a connection is tested before use: the database may have restarted since.
const UNPROVED_AFTER: Duration = Duration::from_secs(1);

impl r2d2::ManageConnection for Opener {
    type Connection = Reader;
    type Error = StorageError;

    fn connect(&self) -> Result<Reader, StorageError> {
        let mut conn = self.0.open_to_serve(Access::Read)?;
        limit_statements(&mut conn, STATEMENT_TIMEOUT)?;
        Ok(Reader { conn, used: Instant::now(), is_doubtful: false })
    }

    fn is_valid(&self, reader: &mut Reader) -> Result<(), StorageError> {
        if reader.used.elapsed() > UNPROVED_AFTER && is_lost(&mut reader.conn) {
            return Err(StorageError::Unavailable("the connection is lost".to_owned()));
        }
        Ok(())
    }

    fn has_broken(&self, reader: &mut Reader) -> bool {
        reader.used = Instant::now();
        // A query that panicked may have left its transaction open.
        std::thread::panicking() || reader.is_doubtful && is_lost(&mut reader.conn)
    }
}
