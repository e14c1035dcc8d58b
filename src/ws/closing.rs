//! The end of a socket: once both sides have said goodbye the server hangs up.

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

use super::size_limit::Guard;

/// How long a client may take to return a goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// What goes out over a socket, and then the wait for the client's goodbye. A connection that is closed with something
/// of the client's unread takes back what is on its way to the client.
pub struct Parting<O> {
    /// Until the session has ended.
    outflow: Option<O>,
    guard: Guard,
    patience: Option<Pin<Box<Sleep>>>,
}

impl<O> Parting<O> {
    pub fn new(outflow: O, guard: Guard) -> Self {
        Self { outflow: Some(outflow), guard, patience: None }
    }

    /// Waits for the goodbye, for as long as there is patience.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(GOODBYE_WITHIN)));
        if self.guard.poll_goodbye(cx).is_ready() { Poll::Ready(()) } else { patience.as_mut().poll(cx) }
    }
}

impl<O: MessageBody + Unpin> MessageBody for Parting<O> {
    type Error = O::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if let Some(outflow) = &mut this.outflow {
            let said = ready!(Pin::new(outflow).poll_next(cx));
            if said.is_some() {
                return Poll::Ready(said);
            }
            this.outflow = None;
        }
        ready!(this.poll_goodbye(cx));
        Poll::Ready(None)
    }
}
