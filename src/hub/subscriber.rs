//! A live connection as seen by chats: its delivery queue, its close state and its timeouts.

use std::{
    sync::{
        Arc, Weak,
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
    model::{Credential, MessageId, UserId},
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
    /// A WebSocket: every event is queued. It is on the watchlist while it may exceed a timeout.
    Session(SendQueue, Arc<Watchlist>),
    /// An event stream or a long poll: changed chats are noted, and the reader reads them from storage.
    Reader(ChangedChats),
}

/// A live connection, shared by chats and the hub. Delivering never blocks.
#[derive(Debug)]
pub struct Subscriber {
    pub id: SubscriberId,
    pub user: UserId,
    /// Whether the user is a guest, who may read rooms without joining them.
    pub is_guest: bool,
    /// Whether the client receives replies that are only in threads. Others get the root instead.
    pub knows_threads: bool,
    /// The threads that the client shows, by their roots. It receives who is typing there.
    open_threads: Mutex<Vec<MessageId>>,
    /// A socket may replace its credential by a newer one of the same user.
    credential: Mutex<Credential>,
    outlet: Outlet,
    /// Taken when the session ends, so that chats that still hold the subscriber do not keep the connection.
    connection: Mutex<Option<ConnectionAbort>>,
    /// When the close was requested, in milliseconds of [`millis`]; 0 before.
    closing_since: AtomicU64,
    has_ended: AtomicBool,
    is_watched: AtomicBool,
    meter: Option<Arc<ChatMeter>>,
}

/// The user of a connection, and what its client knows.
#[derive(Debug, Clone, Copy)]
pub struct ClientInfo {
    pub user: UserId,
    pub is_guest: bool,
    pub knows_threads: bool,
}

/// Most threads that a client may show at once.
pub const MAX_OPEN_THREADS: usize = 5;

/// Longest time that an event may be queued before the socket is closed as too slow.
const MAX_QUEUE_AGE: Duration = Duration::from_secs(5);

/// Longest time from the close request to the close frame; then the connection is aborted.
const ABORT_AFTER: Duration = Duration::from_secs(1);

impl Subscriber {
    pub fn new(
        client: ClientInfo,
        credential: Credential,
        connection: Option<ConnectionAbort>,
        meter: Option<Arc<ChatMeter>>,
        watchlist: Arc<Watchlist>,
    ) -> Arc<Self> {
        let outlet = Outlet::Session(SendQueue::default(), watchlist);
        Self::with_outlet(client, credential, outlet, connection, meter)
    }

    /// Creates a subscriber for an event stream or a long poll.
    pub fn reader(user: UserId, credential: Credential, meter: Option<Arc<ChatMeter>>) -> Arc<Self> {
        // A reader reads the changes itself, in the form that its client knows.
        let client = ClientInfo { user, is_guest: false, knows_threads: true };
        Self::with_outlet(client, credential, Outlet::Reader(ChangedChats::default()), None, meter)
    }

    fn with_outlet(
        ClientInfo { user, is_guest, knows_threads }: ClientInfo,
        credential: Credential,
        outlet: Outlet,
        connection: Option<ConnectionAbort>,
        meter: Option<Arc<ChatMeter>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: SubscriberId::next(),
            user,
            is_guest,
            knows_threads,
            open_threads: Mutex::default(),
            credential: Mutex::new(credential),
            outlet,
            connection: Mutex::new(connection),
            closing_since: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            is_watched: AtomicBool::new(false),
            meter,
        })
    }

    /// Returns the credential that the connection depends on.
    pub fn credential(&self) -> Credential {
        self.credential.lock().clone()
    }

    /// Lets the connection depend on another credential of its user.
    pub fn replace_credential(&self, credential: Credential) {
        *self.credential.lock() = credential;
    }

    /// Notes that the client shows a thread. Returns false if it shows too many.
    pub fn open_thread(&self, root: MessageId) -> bool {
        let mut open = self.open_threads.lock();
        if !open.contains(&root) {
            if open.len() >= MAX_OPEN_THREADS {
                return false;
            }
            open.push(root);
        }
        true
    }

    /// Notes that the client does not show a thread any more.
    pub fn close_thread(&self, root: MessageId) {
        self.open_threads.lock().retain(|other| *other != root);
    }

    /// Returns whether the client shows a thread.
    pub fn has_open(&self, root: MessageId) -> bool {
        self.open_threads.lock().contains(&root)
    }

    /// Returns the changed chats of a pull reader.
    pub fn changed_chats(&self) -> Option<&ChangedChats> {
        match &self.outlet {
            Outlet::Session(..) => None,
            Outlet::Reader(changes) => Some(changes),
        }
    }

    /// Returns the send queue of a WebSocket.
    pub fn send_queue(&self) -> Option<&SendQueue> {
        match &self.outlet {
            Outlet::Session(send_queue, _) => Some(send_queue),
            Outlet::Reader(_) => None,
        }
    }

    /// Delivers a batch. A full send queue closes the socket as too slow.
    pub fn deliver(self: &Arc<Self>, batch: &Arc<FrameBatch>) {
        if self.is_closing() || !self.is_open() {
            return;
        }
        if let Some(meter) = &self.meter {
            meter.delivered(matches!(self.outlet, Outlet::Reader(_)), batch.count());
        }
        match &self.outlet {
            Outlet::Reader(changes) => changes.note(batch),
            Outlet::Session(send_queue, watchlist) if send_queue.put(batch) => watchlist.add(self),
            Outlet::Session(..) => self.close(CloseReason::TooSlow),
        }
    }

    /// Delivers an ephemeral event that belongs to no chat.
    pub fn deliver_ephemeral(self: &Arc<Self>, event: &ByteString) {
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
    pub fn close(self: &Arc<Self>, reason: CloseReason) {
        let first = self.closing_since.compare_exchange(0, millis(), Ordering::Relaxed, Ordering::Relaxed);
        if let (Ok(_), Some(meter), Outlet::Session(..)) = (first, &self.meter, &self.outlet) {
            meter.closed(reason);
        }
        match &self.outlet {
            Outlet::Session(send_queue, watchlist) if first.is_ok() => {
                send_queue.close(reason);
                watchlist.add(self);
            }
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

    /// Enforces timeouts from outside the session. Closes a socket whose events were queued too long, and
    /// aborts one that did not close in time.
    pub fn enforce_timeouts(self: &Arc<Self>) {
        match self.timeouts() {
            Timeouts::QueueExceeded => self.close(CloseReason::TooSlow),
            Timeouts::CloseExceeded => {
                // Taken, so that it happens once: the timeout stays exceeded until the session has ended.
                if let Some(connection) = self.connection.lock().take() {
                    connection.cut();
                    if let Some(meter) = &self.meter {
                        meter.cut.inc();
                    }
                }
            }
            Timeouts::None | Timeouts::Running => {}
        }
    }

    fn timeouts(&self) -> Timeouts {
        let now = millis();
        // The queue is locked first. What another thread did before it locked the queue is seen afterwards.
        let age = self.send_queue().and_then(|send_queue| send_queue.age(now));
        let closing_since = self.closing_since.load(Ordering::Relaxed);
        let exceeds = |millis, limit| Duration::from_millis(millis) > limit;
        match (closing_since, age) {
            _ if !self.is_open() => Timeouts::None,
            (0, None) => Timeouts::None,
            (0, Some(age)) if exceeds(age, MAX_QUEUE_AGE) => Timeouts::QueueExceeded,
            (0, Some(_)) => Timeouts::Running,
            _ if exceeds(now.saturating_sub(closing_since), ABORT_AFTER) => Timeouts::CloseExceeded,
            _ => Timeouts::Running,
        }
    }
}

/// Timeouts of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timeouts {
    /// No event is queued and no close was requested, or the session has ended.
    None,
    Running,
    QueueExceeded,
    CloseExceeded,
}

/// The sockets of a node that may exceed a timeout. An idle socket is not among them, so that the check costs
/// nothing for it.
#[derive(Debug, Default)]
pub struct Watchlist(Mutex<Vec<Weak<Subscriber>>>);

impl Watchlist {
    /// Adds a socket whose queue or close state was changed before.
    fn add(&self, socket: &Arc<Subscriber>) {
        // A check that has not seen the change has removed the socket before. The queue's lock orders the two.
        if !socket.is_watched.load(Ordering::Relaxed) && !socket.is_watched.swap(true, Ordering::Relaxed) {
            self.0.lock().push(Arc::downgrade(socket));
        }
    }

    /// Returns the sockets that have exceeded a timeout: see [`Subscriber::enforce_timeouts`]. Removes those
    /// without one.
    pub fn timed_out(&self) -> Vec<Arc<Subscriber>> {
        let mut timed_out = Vec::new();
        let watched = std::mem::take(&mut *self.0.lock());
        for socket in watched.iter().filter_map(Weak::upgrade) {
            socket.is_watched.store(false, Ordering::Relaxed);
            let timeouts = socket.timeouts();
            if timeouts != Timeouts::None {
                self.add(&socket);
            }
            if matches!(timeouts, Timeouts::QueueExceeded | Timeouts::CloseExceeded) {
                timed_out.push(socket);
            }
        }
        timed_out
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_socket_is_watched_while_events_are_queued_or_it_is_closing() {
        let watchlist = Arc::<Watchlist>::default();
        let credential = Credential::Token(String::new());
        let client = ClientInfo { user: UserId(1), is_guest: false, knows_threads: true };
        let socket = Subscriber::new(client, credential, None, None, watchlist.clone());
        let is_watched = || {
            watchlist.timed_out();
            watchlist.0.lock().len() == 1
        };
        assert!(!is_watched());
        for _ in 0..2 {
            socket.deliver_ephemeral(&ByteString::from("{}"));
        }
        let take = || socket.send_queue().unwrap().next(true, Waker::noop());
        assert!(is_watched() && take().is_some());
        assert!(is_watched() && take().is_some());
        assert!(!is_watched());
        socket.close(CloseReason::SignedOut);
        assert!(is_watched() && is_watched());
        socket.ended();
        assert!(!is_watched());
    }
}
