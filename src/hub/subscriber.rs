//! A live connection as seen by chats: its delivery queue, its close state and its timeouts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytestring::ByteString;

use super::{
    ChatMeter,
    changed_chats::ChangedChats,
    close_reason::CloseReason,
    connection_abort::ConnectionAbort,
    frame_batch::{FrameBatch, SubscriptionChange},
    send_queue::SendQueue,
};
use crate::core::{
    clock::millis,
    model::{Credential, UserId},
    sync::Mutex,
};

/// Identifies a connection within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriberId(u64);

impl SubscriberId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Destination of deliveries.
#[derive(Debug)]
enum Outlet {
    /// A WebSocket: every event is queued.
    Session(SendQueue),
    /// An event stream or a long poll: changed chats are noted, and the reader reads them from storage.
    Reader(ChangedChats),
}

/// A live connection, shared by chats and the hub. Delivering never blocks.
#[derive(Debug)]
pub struct Subscriber {
    pub id: SubscriberId,
    pub user: UserId,
    pub credential: Credential,
    outlet: Outlet,
    /// Taken when the session ends, so that chats that still hold the subscriber do not keep the connection.
    connection: Mutex<Option<ConnectionAbort>>,
    /// When the close was requested, in milliseconds of [`millis`]; 0 before.
    closing_since: AtomicU64,
    has_ended: AtomicBool,
    meter: Option<Arc<ChatMeter>>,
}

/// Longest time that an event may be queued before the socket is closed as too slow.
const MAX_QUEUE_AGE: Duration = Duration::from_secs(5);

/// Longest time from the close request to the close frame; then the connection is aborted.
const ABORT_AFTER: Duration = Duration::from_secs(1);

impl Subscriber {
    pub fn new(
        user: UserId,
        credential: Credential,
        connection: Option<ConnectionAbort>,
        meter: Option<Arc<ChatMeter>>,
    ) -> Arc<Self> {
        Self::with_outlet(user, credential, Outlet::Session(SendQueue::default()), connection, meter)
    }

    /// Creates a subscriber for an event stream or a long poll.
    pub fn reader(user: UserId, credential: Credential, meter: Option<Arc<ChatMeter>>) -> Arc<Self> {
        Self::with_outlet(user, credential, Outlet::Reader(ChangedChats::default()), None, meter)
    }

    fn with_outlet(
        user: UserId,
        credential: Credential,
        outlet: Outlet,
        connection: Option<ConnectionAbort>,
        meter: Option<Arc<ChatMeter>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: SubscriberId::next(),
            user,
            credential,
            outlet,
            connection: Mutex::new(connection),
            closing_since: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            meter,
        })
    }

    /// Returns the changed chats of a pull reader.
    pub fn changed_chats(&self) -> Option<&ChangedChats> {
        match &self.outlet {
            Outlet::Session(_) => None,
            Outlet::Reader(changes) => Some(changes),
        }
    }

    /// Returns the send queue of a WebSocket.
    pub fn send_queue(&self) -> Option<&SendQueue> {
        match &self.outlet {
            Outlet::Session(send_queue) => Some(send_queue),
            Outlet::Reader(_) => None,
        }
    }

    /// Delivers a batch. A full send queue closes the socket as too slow.
    pub fn deliver(&self, batch: &Arc<FrameBatch>) {
        if self.is_closing() || !self.is_open() {
            return;
        }
        if let Some(meter) = &self.meter {
            meter.delivered(matches!(self.outlet, Outlet::Reader(_)), batch.count());
        }
        match &self.outlet {
            Outlet::Reader(changes) => changes.note(batch),
            Outlet::Session(send_queue) if send_queue.put(batch) => {}
            Outlet::Session(_) => self.close(CloseReason::TooSlow),
        }
    }

    /// Delivers an ephemeral event that belongs to no chat.
    pub fn deliver_ephemeral(&self, event: &ByteString) {
        self.deliver(&FrameBatch::of(None, None, SubscriptionChange::Same, event));
    }

    /// Returns whether the session or reader is still running.
    pub fn is_open(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }

    /// Returns whether a close was requested.
    pub fn is_closing(&self) -> bool {
        self.closing_since.load(Ordering::Relaxed) != 0
    }

    /// Requests a close; only the first call has an effect.
    pub fn close(&self, reason: CloseReason) {
        let first = self.closing_since.compare_exchange(0, millis(), Ordering::Relaxed, Ordering::Relaxed);
        if let (Ok(_), Some(meter), Outlet::Session(_)) = (first, &self.meter, &self.outlet) {
            meter.closed(reason);
        }
        match &self.outlet {
            Outlet::Session(send_queue) if first.is_ok() => send_queue.close(reason),
            Outlet::Reader(changes) if first.is_ok() => changes.close(reason),
            _ => {}
        }
    }

    /// Marks the session or reader as ended, and releases the connection and the queue.
    pub fn ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
        if let Some(connection) = self.connection.lock().take() {
            connection.end();
        }
        if let Some(send_queue) = self.send_queue() {
            send_queue.clear();
        }
    }

    /// Returns whether a timeout was exceeded.
    pub fn is_overdue(&self) -> bool {
        self.exceeded_timeout().is_some()
    }

    /// Enforces timeouts from outside the session. Closes a socket whose events were queued too long, and
    /// aborts one that did not close in time.
    pub fn enforce_timeouts(&self) {
        match self.exceeded_timeout() {
            Some(Overdue::Events) => self.close(CloseReason::TooSlow),
            Some(Overdue::Close) => {
                // Taken, so that it happens once: the timeout stays exceeded until the session has ended.
                if let Some(connection) = self.connection.lock().take() {
                    connection.cut();
                    if let Some(meter) = &self.meter {
                        meter.cut.inc();
                    }
                }
            }
            None => {}
        }
    }

    fn exceeded_timeout(&self) -> Option<Overdue> {
        let (now, closing_since) = (millis(), self.closing_since.load(Ordering::Relaxed));
        let since = |moment| Duration::from_millis(now.saturating_sub(moment));
        if closing_since != 0 {
            (since(closing_since) > ABORT_AFTER).then_some(Overdue::Close)
        } else {
            let age = self.send_queue().map_or(0, |send_queue| send_queue.age(now));
            (Duration::from_millis(age) > MAX_QUEUE_AGE).then_some(Overdue::Events)
        }
    }
}

/// The timeout that a socket has exceeded.
enum Overdue {
    Events,
    Close,
}
