//! Bounded send queue of a WebSocket, drained by the task that writes to the client.

use std::{
    collections::VecDeque,
    sync::{Arc, MutexGuard},
    task::Waker,
};

use super::{close_reason::CloseReason, frame_batch::FrameBatch};
use crate::core::sync::Mutex;

/// Most events in one queue.
const MAX_EVENTS: usize = 4_096;

/// Most bytes in one queue.
const MAX_BYTES: usize = 1 << 20;

/// Queue capacity kept when the queue becomes empty; larger buffers are freed.
const KEPT_CAPACITY: usize = 16;

/// Send queue, shared by all chats that deliver and the one task that drains it.
#[derive(Debug, Default)]
pub struct SendQueue(Mutex<QueuedBatches>);

#[derive(Debug, Default)]
struct QueuedBatches {
    batches: VecDeque<Arc<FrameBatch>>,
    events: usize,
    bytes: usize,
    /// Set once the socket must close; the close frame follows the events taken before.
    closing: Option<CloseReason>,
    /// Waker of the draining task while it waits.
    reader: Option<Waker>,
}

/// The next action of the draining task.
#[derive(Debug)]
pub enum Next {
    Pass(Arc<FrameBatch>),
    Close(CloseReason),
}

impl SendQueue {
    /// Queues a batch. Returns false if the queue is full. An empty queue accepts a batch of any size.
    pub fn put(&self, batch: &Arc<FrameBatch>) -> bool {
        let mut waiting = self.0.lock();
        let (events, bytes) = (waiting.events + batch.count(), waiting.bytes + batch.size());
        if !waiting.batches.is_empty() && (events > MAX_EVENTS || bytes > MAX_BYTES) {
            return false;
        }
        waiting.batches.push_back(batch.clone());
        (waiting.events, waiting.bytes) = (events, bytes);
        wake(waiting);
        true
    }

    /// Requests a close frame.
    pub fn close(&self, reason: CloseReason) {
        let mut waiting = self.0.lock();
        waiting.closing = Some(reason);
        wake(waiting);
    }

    /// Takes the next action, or registers `reader` to be woken. With `takes_events` false, a close request
    /// passes the queued events.
    pub fn next(&self, takes_events: bool, reader: &Waker) -> Option<Next> {
        let mut waiting = self.0.lock();
        if takes_events && let Some(batch) = waiting.batches.pop_front() {
            waiting.events -= batch.count();
            waiting.bytes -= batch.size();
            if waiting.batches.is_empty() && waiting.batches.capacity() > KEPT_CAPACITY {
                waiting.batches = VecDeque::new();
            }
            return Some(Next::Pass(batch));
        }
        let closing = waiting.closing.take().map(Next::Close);
        if closing.is_none() && !waiting.reader.as_ref().is_some_and(|known| known.will_wake(reader)) {
            waiting.reader = Some(reader.clone());
        }
        closing
    }

    /// Wakes the draining task.
    pub fn wake(&self) {
        wake(self.0.lock());
    }

    /// Drops all queued events; called when the socket has ended.
    pub fn clear(&self) {
        *self.0.lock() = QueuedBatches::default();
    }

    /// Returns whether a matching batch is queued.
    pub fn has(&self, predicate: impl Fn(&FrameBatch) -> bool) -> bool {
        self.0.lock().batches.iter().any(|batch| predicate(batch))
    }

    /// Returns the age of the oldest batch in milliseconds; `None` if the queue is empty.
    pub fn age(&self, now: u64) -> Option<u64> {
        self.0.lock().batches.front().map(|batch| now.saturating_sub(batch.at))
    }
}

/// Wakes the draining task after unlocking, so that it does not wait for the lock at once.
fn wake(mut waiting: MutexGuard<'_, QueuedBatches>) {
    let reader = waiting.reader.take();
    drop(waiting);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::*;
    use crate::{core::model::ChatId, hub::frame_batch::SubscriptionChange};

    fn batch(size: usize) -> Arc<FrameBatch> {
        let text = ByteString::from("x".repeat(size));
        FrameBatch::of(Some(ChatId(1)), Some(1), SubscriptionChange::Same, &text)
    }

    #[test]
    fn the_queue_is_bounded_in_events_and_in_bytes() {
        let (queue, small) = (SendQueue::default(), batch(1));
        assert!((0..MAX_EVENTS).all(|_| queue.put(&small)));
        assert!(!queue.put(&small));
        let (queue, large) = (SendQueue::default(), batch(2 << 20));
        assert!(queue.put(&large) && !queue.put(&small));
        assert!(matches!(queue.next(true, Waker::noop()), Some(Next::Pass(_))));
        assert!(queue.put(&batch(MAX_BYTES - 100)) && !queue.put(&batch(100)) && queue.put(&small));
    }

    #[test]
    fn its_age_is_that_of_the_oldest_batch() {
        let (queue, batch) = (SendQueue::default(), batch(1));
        assert_eq!(queue.age(u64::MAX), None);
        assert!(queue.put(&batch));
        assert_eq!(queue.age(batch.at + 3_000), Some(3_000));
        assert!(matches!(queue.next(true, Waker::noop()), Some(Next::Pass(_))));
        assert_eq!(queue.age(u64::MAX), None);
    }

    #[test]
    fn a_close_frame_follows_events_that_are_taken_and_precedes_others() {
        let queue = SendQueue::default();
        assert!(queue.put(&batch(1)));
        queue.close(CloseReason::TooSlow);
        assert!(matches!(queue.next(true, Waker::noop()), Some(Next::Pass(_))));
        assert!(queue.put(&batch(1)));
        assert!(matches!(queue.next(false, Waker::noop()), Some(Next::Close(CloseReason::TooSlow))));
        assert!(queue.next(false, Waker::noop()).is_none());
    }
}
