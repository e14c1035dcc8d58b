//! Paces operations: at a fixed rate (open loop), or each as soon as the previous one is done (closed loop).

use std::{cell::Cell, io, sync::Arc, thread, time::Duration};

use tokio::sync::Semaphore;

use crate::load::measure::clock::{Clock, Moment, nanos};

/// Operations due within so many nanoseconds are released together: waking for each would cost too much.
const BATCH_WINDOW: Moment = 50_000;

/// Longest sleep of the release thread, in nanoseconds. It bounds the time until a dropped pacer is noticed.
const MAX_SLEEP: Moment = 50_000_000;

/// Hands out the moments at which operations are due, to any number of workers.
pub(crate) struct Pacer {
    clock: Clock,
    start: Moment,
    end: Moment,
    /// Nanoseconds between two operations; `None`: each is due as soon as a worker asks for it.
    interval: Option<f64>,
    started: Cell<u64>,
    released: Arc<Semaphore>,
}

impl Pacer {
    /// Starts pacing now, at `rate` operations a second or as fast as possible.
    pub(crate) fn start(clock: Clock, rate: Option<f64>, duration: Duration) -> io::Result<Self> {
        let start = clock.now();
        let pacer = Self {
            clock,
            start,
            end: start + nanos(duration),
            interval: rate.map(|rate| 1e9 / rate),
            started: Cell::new(0),
            released: Arc::new(Semaphore::new(0)),
        };
        if let Some(interval) = pacer.interval {
            let release =
                Release { clock, start, interval, total: pacer.total(), released: pacer.released.clone() };
            // A thread, since the runtime's timers have a resolution of milliseconds.
            thread::Builder::new().name("pace".to_owned()).spawn(move || release.run())?;
        }
        Ok(pacer)
    }

    /// Waits until the next operation is due and returns that moment; `None` when the time is over.
    pub(crate) async fn next(&self) -> Option<Moment> {
        let Some(interval) = self.interval else {
            let now = self.clock.now();
            self.started.set(self.started.get() + 1);
            return (now < self.end).then_some(now);
        };
        tokio::select! {
            biased;
            permit = self.released.acquire() => permit.ok()?.forget(),
            () = self.clock.until(self.end) => return None,
        }
        // Late operations are not started after the end: `behind` counts them.
        if self.clock.now() >= self.end {
            return None;
        }
        let number = self.started.replace(self.started.get() + 1);
        Some(self.start + (number as f64 * interval) as Moment)
    }

    /// Returns the remaining time.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.clock.now()))
    }

    /// Counts the operations that were due but not started, since all workers were busy.
    pub(crate) fn behind(&self) -> u64 {
        if self.interval.is_some() { self.total().saturating_sub(self.started.get()) } else { 0 }
    }

    fn total(&self) -> u64 {
        self.interval.map_or(0, |interval| ((self.end - self.start) as f64 / interval).ceil() as u64)
    }
}

/// The thread that releases due operations.
struct Release {
    clock: Clock,
    start: Moment,
    interval: f64,
    total: u64,
    released: Arc<Semaphore>,
}

impl Release {
    fn run(&self) {
        let mut done = 0;
        // A count of one means that the pacer was dropped.
        while done < self.total && Arc::strong_count(&self.released) > 1 {
            let now = self.clock.now();
            let passed = now.saturating_sub(self.start) as f64;
            let due = ((passed / self.interval) as u64 + 1).min(self.total);
            if due > done {
                self.released.add_permits((due - done) as usize);
                done = due;
            }
            let next = self.start + (due as f64 * self.interval) as Moment;
            let sleep = next.saturating_sub(now).clamp(BATCH_WINDOW, MAX_SLEEP);
            #[expect(clippy::disallowed_methods, reason = "a thread of its own")]
            thread::sleep(Duration::from_nanos(sleep));
        }
    }
}
