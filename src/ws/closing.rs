//! Close handshake: the server closes the connection once both sides have sent a close frame.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_rt::time::{Sleep, sleep};
use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

use super::size_limit::MessageSizeLimit;

/// Longest wait for the client's close frame.
const CLOSE_FRAME_TIMEOUT: Duration = Duration::from_secs(1);

/// A socket's outgoing frames, followed by a wait for the client's close frame. Closing a connection with
/// unread input would reset it and discard output not yet received.
pub(super) struct CloseHandshake<O> {
    /// The outgoing frames; `None` once the session has ended.
    outgoing: Option<O>,
    guard: MessageSizeLimit,
    timeout: Option<Pin<Box<Sleep>>>,
}

impl<O> CloseHandshake<O> {
    pub(super) fn new(outgoing: O, guard: MessageSizeLimit) -> Self {
        Self { outgoing: Some(outgoing), guard, timeout: None }
    }

    /// Waits for the client's close frame, at most [`CLOSE_FRAME_TIMEOUT`].
    fn poll_close_frame(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timeout = self.timeout.get_or_insert_with(|| Box::pin(sleep(CLOSE_FRAME_TIMEOUT)));
        if self.guard.poll_close_frame(cx).is_ready() { Poll::Ready(()) } else { timeout.as_mut().poll(cx) }
    }
}

impl<O: MessageBody + Unpin> MessageBody for CloseHandshake<O> {
    type Error = O::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if let Some(outgoing) = &mut this.outgoing {
            let frame = ready!(Pin::new(outgoing).poll_next(cx));
            if frame.is_some() {
                return Poll::Ready(frame);
            }
            this.outgoing = None;
        }
        ready!(this.poll_close_frame(cx));
        Poll::Ready(None)
    }
}
