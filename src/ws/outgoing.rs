//! What goes out over a socket: what its session says, and what is delivered to it.
//!
//! What is delivered does not go through the session: a busy room would have each of its sockets' actors look at its
//! timers, its commands and its client's frames for every event. The actor is looked at when something of its own
//! has woken it.

use std::{
    pin::Pin,
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

use super::delivery_filter::SharedEars;
use crate::{
    auth::Identities,
    hub::{Next, Socket, goodbye},
};

/// The body of a socket's response.
pub struct Outflow {
    /// What the actor says, until it has ended.
    session: Option<BoxBody>,
    socket: Arc<Socket>,
    ears: SharedEars,
    identities: Arc<Identities>,
    bell: Arc<Bell>,
    /// The bell as the actor knows it.
    rope: Waker,
    /// They take turns, so that neither waits for the other while the client is slow.
    was_sessions_turn: bool,
}

impl Outflow {
    pub(super) fn new(
        session: BoxBody,
        socket: Arc<Socket>,
        ears: SharedEars,
        identities: Arc<Identities>,
    ) -> Self {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), task: AtomicWaker::new() });
        let rope = Waker::from(bell.clone());
        Self { session: Some(session), socket, ears, identities, bell, rope, was_sessions_turn: false }
    }

    fn poll_session(&mut self) -> Poll<Option<Result<Bytes, <BoxBody as MessageBody>::Error>>> {
        let Some(session) = &mut self.session else { return Poll::Ready(None) };
        if !self.bell.has_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let said = Pin::new(session).poll_next(&mut Context::from_waker(&self.rope));
        if said.is_ready() {
            // There may be more.
            self.bell.has_rung.store(true, Ordering::Release);
        }
        said
    }

    /// Passes on what is delivered, as far as it is news.
    fn pass(&mut self, reader: &Waker) -> Option<Bytes> {
        let inbox = self.socket.inbox()?;
        loop {
            // After a pause nothing goes out before it is known whose sessions have ended meanwhile.
            let takes_events = self.ears.borrow().are_open() && self.identities.is_current();
            match inbox.next(takes_events, reader)? {
                Next::Pass(parcel) => {
                    if let Some(news) = self.ears.borrow_mut().hear(&parcel) {
                        return Some(news);
                    }
                }
                Next::Close(reason) => {
                    self.session = None;
                    return Some(goodbye(reason.code(), reason.text()));
                }
            }
        }
    }
}

impl MessageBody for Outflow {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        this.bell.task.register(cx.waker());
        if this.ears.borrow().are_shut_for_good() {
            return this.poll_session();
        }
        if std::mem::take(&mut this.was_sessions_turn)
            && let Some(news) = this.pass(cx.waker())
        {
            return Poll::Ready(Some(Ok(news)));
        }
        let said = this.poll_session();
        if said.is_ready() || this.ears.borrow().are_shut_for_good() {
            this.was_sessions_turn = true;
            return said;
        }
        this.pass(cx.waker()).map_or(Poll::Pending, |news| Poll::Ready(Some(Ok(news))))
    }
}

/// Wakes the connection's task, and tells that it was for the actor.
struct Bell {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}
