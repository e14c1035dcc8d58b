//! Reading connections, off the threads that serve HTTP.

use std::{sync::Arc, time::Duration};

use actix_rt::task::spawn_blocking;
use tokio::{sync::Semaphore, time::timeout};

use super::{Access, AnyConn, DatabaseUrl, OpenError, StorageError, conn::snapshot};
use crate::model::Refusal;

/// A query that finds no free connection for so long is turned down.
const WAIT: Duration = Duration::from_secs(2);

/// A pool of reading connections.
#[derive(Clone)]
pub struct Readers {
    pool: r2d2::Pool<Opener>,
    /// As many as there are connections, so that no thread blocks to wait for one.
    free: Arc<Semaphore>,
}

impl Readers {
    /// Opens `size` connections.
    pub fn open(url: &DatabaseUrl, size: u32) -> Result<Self, OpenError> {
        // A first connection by hand, since the pool would hide why it fails.
        url.open(Access::Read)?;
        let pool = r2d2::Pool::builder()
            .max_size(size)
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(WAIT)
            .build(Opener(url.clone()))
            .map_err(|error| OpenError::new(&url.name(), error))?;
        Ok(Self { pool, free: Arc::new(Semaphore::new(size as usize)) })
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

    async fn run<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut AnyConn) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let free = timeout(WAIT, self.free.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = free else { return Err(Refusal::Busy) };
        let pool = self.pool.clone();
        let answer = spawn_blocking(move || {
            let _permit = permit;
            let mut conn = pool.get().map_err(|error| StorageError::Away(error.to_string()))?;
            question(&mut conn)
        });
        match answer.await {
            Ok(answer) => answer.map_err(StorageError::into_refusal),
            Err(error) => {
                tracing::error!(%error, "a query panicked");
                Err(Refusal::Internal)
            }
        }
    }
}

/// Opens connections for the pool.
struct Opener(DatabaseUrl);

impl r2d2::ManageConnection for Opener {
    type Connection = AnyConn;
    type Error = OpenError;

    fn connect(&self) -> Result<AnyConn, OpenError> {
        self.0.open(Access::Read)
    }

    fn is_valid(&self, _: &mut AnyConn) -> Result<(), OpenError> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut AnyConn) -> bool {
        diesel::r2d2::R2D2Connection::is_broken(conn)
    }
}
