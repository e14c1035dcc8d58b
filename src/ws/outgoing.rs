//! Outgoing half of a socket: frames of its session, events delivered by chats, and pings.
//!
//! Deliveries and pings bypass the session. In a busy room, each event would otherwise make every socket's
//! actor poll its timers, commands and client frames. The actor is polled only after one of its own wakers
//! fired.

use std::{
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};
use futures_util::task::AtomicWaker;

use super::{
    delivery_filter::SharedFilter,
    heartbeat::{Due, Heartbeat},
};
use crate::{
    auth::IdentityCache,
    core::websocket::{FIN, PING},
    hub::{Next, Subscriber, close_frame},
};

/// A ping without a payload.
const PING_FRAME: &[u8] = &[FIN | PING, 0];

/// Response body of a socket: its outgoing frames.
pub(super) struct Outgoing {
    /// The actor's frames; `None` after the socket was closed from outside, or has timed out.
    session: Option<BoxBody>,
    socket: Arc<Subscriber>,
    filter: SharedFilter,
    heartbeat: Rc<Heartbeat>,
    identities: Arc<IdentityCache>,
    wake_flag: Arc<WakeFlag>,
    /// The waker given to the actor; it sets `wake_flag`.
    session_waker: Waker,
    /// Alternates between the session's own frames and deliveries, so that a slow client starves neither.
    was_sessions_turn: bool,
}

impl Outgoing {
    pub(super) fn new(
        session: BoxBody,
        socket: Arc<Subscriber>,
        filter: SharedFilter,
        heartbeat: Rc<Heartbeat>,
        identities: Arc<IdentityCache>,
    ) -> Self {
        let wake_flag = Arc::new(WakeFlag { is_set: AtomicBool::new(true), task: AtomicWaker::new() });
        let session_waker = Waker::from(wake_flag.clone());
        Self {
            session: Some(session),
            socket,
            filter,
            heartbeat,
            identities,
            wake_flag,
            session_waker,
            was_sessions_turn: false,
        }
    }

    fn poll_session(&mut self) -> Poll<Option<Result<Bytes, <BoxBody as MessageBody>::Error>>> {
        let Some(session) = &mut self.session else { return Poll::Ready(None) };
        if !self.wake_flag.is_set.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let frame = Pin::new(session).poll_next(&mut Context::from_waker(&self.session_waker));
        if frame.is_ready() {
            // There may be another frame.
            self.wake_flag.is_set.store(true, Ordering::Release);
        }
        frame
    }

    /// Takes the next frames from the send queue that pass the filter.
    fn next_delivery(&mut self, reader: &Waker) -> Option<Bytes> {
        let queue = self.socket.send_queue()?;
        loop {
            // After a pause of the process, sends nothing until revoked sessions are known.
            let takes_events = self.filter.borrow().accepts_events() && self.identities.is_current();
            match queue.next(takes_events, reader)? {
                Next::Pass(batch) => {
                    if let Some(frames) = self.filter.borrow_mut().hear(&batch) {
                        return Some(frames);
                    }
                }
                Next::Close(reason) => {
                    self.session = None;
                    return Some(close_frame(reason.code(), reason.text()));
                }
            }
        }
    }
}

impl MessageBody for Outgoing {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        this.wake_flag.task.register(cx.waker());
        if this.filter.borrow().is_over() {
            return this.poll_session();
        }
        match this.heartbeat.take_due(cx.waker()) {
            Some(Due::Ping) => return Poll::Ready(Some(Ok(Bytes::from_static(PING_FRAME)))),
            Some(Due::TimedOut) => {
                this.session = None;
                return Poll::Ready(None);
            }
            None => {}
        }
        if std::mem::take(&mut this.was_sessions_turn)
            && let Some(frames) = this.next_delivery(cx.waker())
        {
            return Poll::Ready(Some(Ok(frames)));
        }
        let frame = this.poll_session();
        if frame.is_ready() || this.filter.borrow().is_over() {
            this.was_sessions_turn = true;
            return frame;
        }
        this.next_delivery(cx.waker()).map_or(Poll::Pending, |frames| Poll::Ready(Some(Ok(frames))))
    }
}

/// Waker of the session's actor: wakes the connection's task and records that the actor must be polled.
struct WakeFlag {
    is_set: AtomicBool,
    task: AtomicWaker,
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_set.store(true, Ordering::Release);
        self.task.wake();
    }
}
