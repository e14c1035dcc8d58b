//! What waits for a socket, in order: bounded, and taken by the task that writes to the client.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use super::{close_reason::CloseReason, frame_batch::Parcel};

/// Most events, and most bytes of them, that may wait for one socket.
const MAX_EVENTS: usize = 4_096;
const MAX_BYTES: usize = 1 << 20;

/// Places that are kept for what comes next.
const KEPT: usize = 16;

/// Everybody who delivers shares it with the one who takes away.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    parcels: VecDeque<Arc<Parcel>>,
    events: usize,
    bytes: usize,
    /// The socket is to say goodbye, behind what it takes before.
    closing: Option<CloseReason>,
    /// Who takes away, while they wait for more.
    reader: Option<Waker>,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    Pass(Arc<Parcel>),
    Close(CloseReason),
}

impl Inbox {
    /// Puts events in. Returns whether there was room for them: what comes first passes however large it is.
    pub fn put(&self, parcel: &Arc<Parcel>) -> bool {
        let mut waiting = self.lock();
        let (events, bytes) = (waiting.events + parcel.count(), waiting.bytes + parcel.size());
        if !waiting.parcels.is_empty() && (events > MAX_EVENTS || bytes > MAX_BYTES) {
            return false;
        }
        waiting.parcels.push_back(parcel.clone());
        (waiting.events, waiting.bytes) = (events, bytes);
        wake(waiting);
        true
    }

    /// Has the socket say goodbye.
    pub fn close(&self, reason: CloseReason) {
        let mut waiting = self.lock();
        waiting.closing = Some(reason);
        wake(waiting);
    }

    /// Takes what is next, or wakes `reader` as soon as there is something. A goodbye does not wait for events that
    /// are not to be taken yet.
    pub fn next(&self, takes_events: bool, reader: &Waker) -> Option<Next> {
        let mut waiting = self.lock();
        if takes_events && let Some(parcel) = waiting.parcels.pop_front() {
            waiting.events -= parcel.count();
            waiting.bytes -= parcel.size();
            if waiting.parcels.is_empty() && waiting.parcels.capacity() > KEPT {
                waiting.parcels = VecDeque::new();
            }
            return Some(Next::Pass(parcel));
        }
        let closing = waiting.closing.take().map(Next::Close);
        if closing.is_none() && !waiting.reader.as_ref().is_some_and(|known| known.will_wake(reader)) {
            waiting.reader = Some(reader.clone());
        }
        closing
    }

    /// Has the reader look whether it may go on.
    pub fn wake(&self) {
        wake(self.lock());
    }

    /// Lets go of everything: nobody takes it any more.
    pub fn clear(&self) {
        *self.lock() = Waiting::default();
    }

    /// Whether something like this waits.
    pub fn has(&self, is_meant: impl Fn(&Parcel) -> bool) -> bool {
        self.lock().parcels.iter().any(|parcel| is_meant(parcel))
    }

    /// For how long the oldest event has waited.
    pub fn age(&self, now: u64) -> u64 {
        self.lock().parcels.front().map_or(0, |parcel| now.saturating_sub(parcel.at))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // It is sound after each single step, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once unlocked, or who is woken might have to wait at once.
fn wake(mut waiting: MutexGuard<'_, Waiting>) {
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
    use crate::{core::model::ChatId, hub::frame_batch::Standing};

    fn parcel(size: usize) -> Arc<Parcel> {
        let text = ByteString::from("x".repeat(size));
        Parcel::of(Some(ChatId(1)), Some(1), Standing::Same, &text)
    }

    #[test]
    fn so_many_events_and_so_many_bytes_have_room() {
        let (inbox, small) = (Inbox::default(), parcel(1));
        assert!((0..MAX_EVENTS).all(|_| inbox.put(&small)));
        assert!(!inbox.put(&small));
        let (inbox, large) = (Inbox::default(), parcel(2 << 20));
        assert!(inbox.put(&large) && !inbox.put(&small));
        assert!(matches!(inbox.next(true, Waker::noop()), Some(Next::Pass(_))));
        assert!(inbox.put(&parcel(MAX_BYTES - 100)) && !inbox.put(&parcel(100)) && inbox.put(&small));
    }

    #[test]
    fn it_is_as_old_as_what_waits() {
        let (inbox, parcel) = (Inbox::default(), parcel(1));
        assert_eq!(inbox.age(u64::MAX), 0);
        assert!(inbox.put(&parcel));
        assert_eq!(inbox.age(parcel.at + 3_000), 3_000);
        assert!(matches!(inbox.next(true, Waker::noop()), Some(Next::Pass(_))));
        assert_eq!(inbox.age(u64::MAX), 0);
    }

    #[test]
    fn a_goodbye_comes_behind_what_is_taken_and_before_what_is_not() {
        let inbox = Inbox::default();
        assert!(inbox.put(&parcel(1)));
        inbox.close(CloseReason::TooSlow);
        assert!(matches!(inbox.next(true, Waker::noop()), Some(Next::Pass(_))));
        assert!(inbox.put(&parcel(1)));
        assert!(matches!(inbox.next(false, Waker::noop()), Some(Next::Close(CloseReason::TooSlow))));
        assert!(inbox.next(false, Waker::noop()).is_none());
    }
}
