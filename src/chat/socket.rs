//! A live connection as the chats see it: where to deliver, and how much is waiting there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
};

use actix::{Message, Recipient};
use bytestring::ByteString;

use crate::model::{ChatId, Credential, Seq, UserId};

/// Names a socket of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(u64);

impl SocketId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Most events, and most bytes of them, that may wait for one socket.
const MAX_EVENTS: usize = 4_096;
const MAX_BYTES: i64 = 1 << 20;

/// What happens to a socket's place in a chat with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It hears of the chat as before.
    Same,
    /// It hears of the chat from this event on.
    Joins,
    /// This is the last that it hears of the chat.
    Leaves,
}

/// What is delivered to a socket.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Delivery {
    /// An event of a chat, rendered. `seq` is `None` for what does not last, typing for example.
    Event { chat: ChatId, seq: Option<Seq>, standing: Standing, frame: ByteString },
    /// Say goodbye.
    Close(CloseReason),
}

/// Why the server closes a socket; the codes are in the reference of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The server goes away: connect again, somewhat later.
    GoingAway,
    /// A fault of ours: connect again.
    Restart,
    /// The session has ended: sign in first.
    SignedOut,
    /// It does not keep up: connect again and resume.
    TooSlow,
}

impl CloseReason {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Restart => 1012,
            Self::SignedOut => 4401,
            Self::TooSlow => 4408,
        }
    }

    /// The reason, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::GoingAway => "the server goes away",
            Self::Restart => "something went wrong here",
            Self::SignedOut => "the session has ended",
            Self::TooSlow => "too slow",
        }
    }
}

/// A live connection. Chats and the registry share it; delivering never waits.
#[derive(Debug)]
pub struct Socket {
    pub id: SocketId,
    pub user: UserId,
    pub credential: Credential,
    session: Recipient<Delivery>,
    waiting_events: AtomicUsize,
    waiting_bytes: AtomicI64,
    closing: AtomicBool,
}

impl Socket {
    pub fn new(user: UserId, credential: Credential, session: Recipient<Delivery>) -> Arc<Self> {
        Arc::new(Self {
            id: SocketId::next(),
            user,
            credential,
            session,
            waiting_events: AtomicUsize::new(0),
            waiting_bytes: AtomicI64::new(0),
            closing: AtomicBool::new(false),
        })
    }

    /// The mailbox that a session needs for what may wait, with room for the goodbye.
    pub const MAILBOX: usize = MAX_EVENTS + 16;

    /// Delivers an event, unless too much is waiting already: then the socket is told to go.
    pub fn deliver(&self, chat: ChatId, seq: Option<Seq>, standing: Standing, frame: ByteString) {
        if self.closing.load(Ordering::Relaxed) {
            return;
        }
        let bytes = frame.len() as i64;
        let events = self.waiting_events.fetch_add(1, Ordering::Relaxed);
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_full = events >= MAX_EVENTS || waiting + bytes > MAX_BYTES.max(bytes);
        let delivery = Delivery::Event { chat, seq, standing, frame };
        if is_full || self.session.try_send(delivery).is_err() {
            self.close(CloseReason::TooSlow);
        }
    }

    /// Tells the session that some of what was delivered has been passed on.
    pub fn passed_on(&self, frame: &ByteString) {
        self.waiting_events.fetch_sub(1, Ordering::Relaxed);
        self.waiting_bytes.fetch_sub(frame.len() as i64, Ordering::Relaxed);
    }

    /// Asks the session to end, once.
    pub fn close(&self, reason: CloseReason) {
        if !self.closing.swap(true, Ordering::Relaxed) {
            // Past the bound of the mailbox: it is one message, and it must arrive.
            self.session.do_send(Delivery::Close(reason));
        }
    }
}
