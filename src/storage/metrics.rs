//! Metrics of the database: the writer's queue, batches and commits, and the read connections.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntGauge};

use super::StorageError;
use crate::core::metrics::{DATABASE_SECONDS, Instruments};

/// Bucket bounds of the number of jobs in one transaction. The last is the largest batch.
const BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Bucket bounds of the duration of a job, in seconds. They are few, since there is a histogram for each
/// kind.
const JOB_SECONDS: [f64; 6] = [0.000_1, 0.001, 0.005, 0.025, 0.1, 1.0];

/// The metrics of storage.
#[derive(Debug)]
pub struct StorageMeter {
    /// Jobs in the writer's queue.
    pub queued: IntGauge,
    pub batch: Histogram,
    pub transaction: Histogram,
    pub commit: Histogram,
    /// Duration of a job within its transaction, by kind.
    pub job: HistogramVec,
    /// Jobs by result: done, refused by a rule, or failed in the database.
    done: IntCounter,
    refused: IntCounter,
    failed: IntCounter,
    pub read_wait: Histogram,
    pub read: Histogram,
    /// Queries rejected because no read connection was free in time.
    pub turned_away: IntCounter,
}

impl StorageMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let seconds = |name, help| instruments.histogram(name, help, &DATABASE_SECONDS);
        let jobs = instruments.counters(
            "greenroom_writer_jobs_total",
            "Writes by result: done, refused (by a rule), failed (the database).",
            &["result"],
        );
        Self {
            queued: instruments.gauge("greenroom_writer_queue_jobs", "Writes that wait for a transaction."),
            batch: instruments.histogram(
                "greenroom_writer_batch_jobs",
                "Writes that shared one transaction.",
                &BATCH,
            ),
            transaction: seconds(
                "greenroom_writer_transaction_seconds",
                "Time of a write transaction, including its commit.",
            ),
            commit: seconds("greenroom_writer_commit_seconds", "Time of the commit alone."),
            job: instruments.histograms(
                "greenroom_writer_job_seconds",
                "Time of a write within its transaction, without the commit, by kind; each attempt counts.",
                &JOB_SECONDS,
                &["kind"],
            ),
            done: jobs.with_label_values(&["done"]),
            refused: jobs.with_label_values(&["refused"]),
            failed: jobs.with_label_values(&["failed"]),
            read_wait: seconds(
                "greenroom_reader_wait_seconds",
                "Time that a query waited for a read connection.",
            ),
            read: seconds("greenroom_reader_query_seconds", "Time of a query on a read connection."),
            turned_away: instruments.counter(
                "greenroom_reader_turned_away_total",
                "Queries rejected because no read connection was free within two seconds.",
            ),
        }
    }

    /// Counts a finished job by its result.
    pub fn settled<T>(&self, result: &Result<T, StorageError>) {
        match result {
            Ok(_) => self.done.inc(),
            Err(StorageError::Refused(_)) => self.refused.inc(),
            Err(_) => self.failed.inc(),
        }
    }

    /// Records a transaction: its number of jobs, its duration, and the part of it that the commit took.
    pub fn transacted(&self, jobs: usize, took: Duration, commit: Duration) {
        self.batch.observe(jobs as f64);
        self.transaction.observe(took.as_secs_f64());
        self.commit.observe(commit.as_secs_f64());
    }
}
