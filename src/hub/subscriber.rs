//! A live connection as the chats see it: where to deliver, and how much is waiting there.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytestring::ByteString;

use super::{
    ChatMeter,
    changed_chats::News,
    clock::millis,
    close_reason::CloseReason,
    connection_abort::Wire,
    frame_batch::{Parcel, Standing},
    send_queue::Inbox,
};
use crate::core::model::{Credential, UserId};

/// Names a socket of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(u64);

impl SocketId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where deliveries go.
#[derive(Debug)]
enum Outlet {
    /// To a WebSocket, which is sent every event.
    Session(Inbox),
    /// To a reader who is told where to look, and reads what happened from storage: an event stream, a long poll.
    Reader(News),
}

/// A live connection. Chats and the registry share it; delivering never waits.
#[derive(Debug)]
pub struct Socket {
    pub id: SocketId,
    pub user: UserId,
    pub credential: Credential,
    outlet: Outlet,
    /// Until the session ends, however long a chat remembers the socket.
    wire: Mutex<Option<Wire>>,
    /// When it was told to close; 0 before.
    closing_since: AtomicU64,
    has_ended: AtomicBool,
    meter: Option<Arc<ChatMeter>>,
}

/// An event may wait for a socket for so long.
const MAX_AGE: Duration = Duration::from_secs(5);

/// A socket that was told to close gets so long to say goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

impl Socket {
    pub fn new(
        user: UserId,
        credential: Credential,
        wire: Option<Wire>,
        meter: Option<Arc<ChatMeter>>,
    ) -> Arc<Self> {
        Self::with_outlet(user, credential, Outlet::Session(Inbox::default()), wire, meter)
    }

    /// A connection whose reader goes at their own pace.
    pub fn reader(user: UserId, credential: Credential, meter: Option<Arc<ChatMeter>>) -> Arc<Self> {
        Self::with_outlet(user, credential, Outlet::Reader(News::default()), None, meter)
    }

    fn with_outlet(
        user: UserId,
        credential: Credential,
        outlet: Outlet,
        wire: Option<Wire>,
        meter: Option<Arc<ChatMeter>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: SocketId::next(),
            user,
            credential,
            outlet,
            wire: Mutex::new(wire),
            closing_since: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            meter,
        })
    }

    /// What is noted for a reader.
    pub fn news(&self) -> Option<&News> {
        match &self.outlet {
            Outlet::Session(_) => None,
            Outlet::Reader(news) => Some(news),
        }
    }

    /// What waits for a WebSocket.
    pub fn inbox(&self) -> Option<&Inbox> {
        match &self.outlet {
            Outlet::Session(inbox) => Some(inbox),
            Outlet::Reader(_) => None,
        }
    }

    /// Delivers events, unless too much is waiting already: then the socket is told to go.
    pub fn deliver(&self, parcel: &Arc<Parcel>) {
        if self.is_closing() || !self.is_open() {
            return;
        }
        if let Some(meter) = &self.meter {
            meter.delivered(matches!(self.outlet, Outlet::Reader(_)), parcel.count());
        }
        match &self.outlet {
            Outlet::Reader(news) => news.note(parcel),
            Outlet::Session(inbox) if inbox.put(parcel) => {}
            Outlet::Session(_) => self.close(CloseReason::TooSlow),
        }
    }

    /// Delivers an event that belongs to no chat.
    pub fn tell(&self, event: &ByteString) {
        self.deliver(&Parcel::of(None, None, Standing::Same, event));
    }

    /// Whether there is still somebody to deliver to.
    pub fn is_open(&self) -> bool {
        !self.has_ended.load(Ordering::Relaxed)
    }

    /// Whether it was told to close.
    pub fn is_closing(&self) -> bool {
        self.closing_since.load(Ordering::Relaxed) != 0
    }

    /// Asks the session to end, once.
    pub fn close(&self, reason: CloseReason) {
        let first = self.closing_since.compare_exchange(0, millis(), Ordering::Relaxed, Ordering::Relaxed);
        if let (Ok(_), Some(meter), Outlet::Session(_)) = (first, &self.meter, &self.outlet) {
            meter.closed(reason);
        }
        match &self.outlet {
            Outlet::Session(inbox) if first.is_ok() => inbox.close(reason),
            Outlet::Reader(news) if first.is_ok() => news.close(reason),
            _ => {}
        }
    }

    /// The session, or the reader, has ended: lets go of the connection.
    pub fn ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
        if let Some(wire) = self.wire().take() {
            wire.end();
        }
        if let Some(inbox) = self.inbox() {
            inbox.clear();
        }
    }

    fn wire(&self) -> MutexGuard<'_, Option<Wire>> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be looked after.
    pub fn is_overdue(&self) -> bool {
        self.overdue().is_some()
    }

    /// Looks after the socket from outside: one that lets events wait for too long is told to close, one that does
    /// not get around to closing is cut.
    pub fn look_after(&self) {
        match self.overdue() {
            Some(Overdue::Events) => self.close(CloseReason::TooSlow),
            Some(Overdue::Goodbye) => {
                // Once: it is overdue until its session has noticed.
                if let Some(wire) = self.wire().take() {
                    wire.cut();
                    self.meter.iter().for_each(|meter| meter.cut.inc());
                }
            }
            None => {}
        }
    }

    fn overdue(&self) -> Option<Overdue> {
        let (now, closing_since) = (millis(), self.closing_since.load(Ordering::Relaxed));
        let since = |moment| Duration::from_millis(now.saturating_sub(moment));
        if closing_since != 0 {
            (since(closing_since) > GOODBYE_WITHIN).then_some(Overdue::Goodbye)
        } else {
            let age = self.inbox().map_or(0, |inbox| inbox.age(now));
            (Duration::from_millis(age) > MAX_AGE).then_some(Overdue::Events)
        }
    }
}

/// What a socket has let wait for too long.
enum Overdue {
    Events,
    Goodbye,
}
