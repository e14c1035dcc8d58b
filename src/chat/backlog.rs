//! What waits for a socket: how many events, how many bytes of them, and since when.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Most events, and most bytes of them, that may wait for one socket.
pub const MAX_EVENTS: usize = 4_096;
const MAX_BYTES: i64 = 1 << 20;

/// Counters that everybody who delivers shares with the session, which takes away. Times are in milliseconds.
#[derive(Debug, Default)]
pub struct Backlog {
    events: AtomicUsize,
    bytes: AtomicI64,
    /// When what was last taken away had been added: nothing that waits is older.
    oldest: AtomicU64,
}

impl Backlog {
    /// Counts an event. Returns whether there was room for it: a single one passes however large it is.
    pub fn add(&self, bytes: usize, now: u64) -> bool {
        // Before it is counted, or it would seem as old as what was here before it.
        if self.events.load(Ordering::Acquire) == 0 {
            self.oldest.store(now, Ordering::Release);
        }
        let bytes = bytes as i64;
        let waiting = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let events = self.events.fetch_add(1, Ordering::AcqRel);
        if events == 0 {
            self.oldest.store(now, Ordering::Release);
        }
        events < MAX_EVENTS && (events == 0 || waiting + bytes <= MAX_BYTES)
    }

    /// Takes an event away that had been added `at`.
    pub fn take(&self, bytes: usize, at: u64) {
        self.oldest.store(at, Ordering::Release);
        self.bytes.fetch_sub(bytes as i64, Ordering::AcqRel);
        self.events.fetch_sub(1, Ordering::AcqRel);
    }

    /// For how long the oldest event has waited, at most.
    pub fn age(&self, now: u64) -> u64 {
        let is_empty = self.events.load(Ordering::Acquire) == 0;
        if is_empty { 0 } else { now.saturating_sub(self.oldest.load(Ordering::Acquire)) }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicBool, thread};

    use super::*;

    #[test]
    fn so_many_events_and_so_many_bytes_have_room() {
        let backlog = Backlog::default();
        assert!((0..MAX_EVENTS).all(|_| backlog.add(1, 0)));
        assert!(!backlog.add(1, 0));
        let backlog = Backlog::default();
        assert!(backlog.add(2 << 20, 0) && !backlog.add(1, 0));
        backlog.take(2 << 20, 0);
        assert!(backlog.add((1 << 20) - 1, 0) && !backlog.add(1, 0));
    }

    #[test]
    fn it_is_as_old_as_what_waits() {
        let backlog = Backlog::default();
        assert_eq!(backlog.age(1_000), 0);
        backlog.add(1, 1_000);
        backlog.add(1, 2_000);
        assert_eq!(backlog.age(4_000), 3_000);
        backlog.take(1, 1_000);
        backlog.take(1, 2_000);
        assert_eq!(backlog.age(60_000), 0);
    }

    #[test]
    fn an_event_after_a_long_silence_is_young_from_the_first_moment() {
        const SILENCE: u64 = 10_000;
        let (backlog, clock, is_over) = (Backlog::default(), AtomicU64::new(1), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..10_000_000 {
                    let now = clock.fetch_add(SILENCE, Ordering::AcqRel) + SILENCE;
                    backlog.add(1, now);
                    backlog.take(1, now);
                }
                is_over.store(true, Ordering::Release);
            });
            while !is_over.load(Ordering::Acquire) {
                let now = clock.load(Ordering::Acquire);
                assert!(backlog.age(now) < SILENCE);
            }
        });
    }
}
