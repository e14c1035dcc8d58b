//! When what is to be done is due: at a rate, or as soon as what was before it is done.

use std::{cell::Cell, io, sync::Arc, thread, time::Duration};

use tokio::sync::Semaphore;

use crate::load::measure::clock::{Clock, Moment, nanos};

/// What is due within this time is released together: to wake for each would cost more than it tells.
const TOGETHER: Moment = 50_000;

/// The longest sleep: how soon a pace that nobody follows any more is noticed.
const LONGEST_SLEEP: Moment = 50_000_000;

/// Hands out the moments at which something is due, to as many as ask.
pub(crate) struct Pace {
    clock: Clock,
    start: Moment,
    end: Moment,
    /// Nanoseconds from one to the next; `None`: whoever asks may at once.
    gap: Option<f64>,
    taken: Cell<u64>,
    released: Arc<Semaphore>,
}

impl Pace {
    /// A pace of so many a second, or as fast as can be, from now on.
    pub(crate) fn start(clock: Clock, rate: Option<f64>, duration: Duration) -> io::Result<Self> {
        let start = clock.now();
        let pace = Self {
            clock,
            start,
            end: start + nanos(duration),
            gap: rate.map(|rate| 1e9 / rate),
            taken: Cell::new(0),
            released: Arc::new(Semaphore::new(0)),
        };
        if let Some(gap) = pace.gap {
            let release = Release { clock, start, gap, total: pace.total(), released: pace.released.clone() };
            // The runtime's own timers count in milliseconds.
            thread::Builder::new().name("pace".to_owned()).spawn(move || release.run())?;
        }
        Ok(pace)
    }

    /// Waits until the next is due, and returns when that was; `None` where the time is over.
    pub(crate) async fn next(&self) -> Option<Moment> {
        let Some(gap) = self.gap else {
            let now = self.clock.now();
            self.taken.set(self.taken.get() + 1);
            return (now < self.end).then_some(now);
        };
        tokio::select! {
            biased;
            permit = self.released.acquire() => permit.ok()?.forget(),
            () = self.clock.until(self.end) => return None,
        }
        // Who is late stops with the others: the rest is not done, and counted so.
        if self.clock.now() >= self.end {
            return None;
        }
        let number = self.taken.replace(self.taken.get() + 1);
        Some(self.start + (number as f64 * gap) as Moment)
    }

    /// How long it lasts still.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.clock.now()))
    }

    /// How many were due and not begun, since all were busy.
    pub(crate) fn behind(&self) -> u64 {
        if self.gap.is_some() { self.total().saturating_sub(self.taken.get()) } else { 0 }
    }

    fn total(&self) -> u64 {
        self.gap.map_or(0, |gap| ((self.end - self.start) as f64 / gap).ceil() as u64)
    }
}

/// Releases what is due, on a thread of its own.
struct Release {
    clock: Clock,
    start: Moment,
    gap: f64,
    total: u64,
    released: Arc<Semaphore>,
}

impl Release {
    fn run(&self) {
        let mut done = 0;
        // When all others have let go of it, nobody waits any more.
        while done < self.total && Arc::strong_count(&self.released) > 1 {
            let now = self.clock.now();
            let passed = now.saturating_sub(self.start) as f64;
            let due = ((passed / self.gap) as u64 + 1).min(self.total);
            if due > done {
                self.released.add_permits((due - done) as usize);
                done = due;
            }
            let next = self.start + (due as f64 * self.gap) as Moment;
            let sleep = next.saturating_sub(now).clamp(TOGETHER, LONGEST_SLEEP);
            thread::sleep(Duration::from_nanos(sleep));
        }
    }
}
