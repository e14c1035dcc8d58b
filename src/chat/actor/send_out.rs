//! Decides when a batch is sent. In a large chat, an event waits briefly for others to share its socket
//! writes.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::{ChatActor, batcher::BatchWait};
use crate::chat::mailbox::BatchTimeout;

/// Number of subscribers from which batching pays.
const BATCHED_FROM: usize = 256;

/// Longest wait for commands being stored, for each subscribed socket.
const STORE_WAIT: Duration = Duration::from_micros(2);

/// Longest wait for the sockets to take the current batch, for each subscribed socket.
const TAKE_WAIT: Duration = Duration::from_micros(10);

impl ChatActor {
    /// Sends the held events, or starts a wait for more.
    pub(super) fn send_out(&mut self, ctx: &mut Context<Self>) {
        if self.batcher.events.is_empty() {
            return;
        }
        match self.batcher.wait {
            _ if self.subscribers.len() < BATCHED_FROM => self.flush(),
            BatchWait::Free | BatchWait::Storing if self.in_flight == 0 => self.send_together(ctx),
            BatchWait::Free => self.wait(BatchWait::Storing, STORE_WAIT, std::future::pending::<()>(), ctx),
            BatchWait::Storing | BatchWait::Taking => {}
        }
    }

    fn send_together(&mut self, ctx: &mut Context<Self>) {
        let (taken, is_taken) = oneshot::channel();
        self.wait(BatchWait::Taking, TAKE_WAIT, is_taken, ctx);
        self.deliver_held(Some(taken));
    }

    /// Sends all held events now, so that later deliveries follow them.
    pub(super) fn flush(&mut self) {
        self.deliver_held(None);
    }

    fn deliver_held(&mut self, on_taken: Option<oneshot::Sender<()>>) {
        if self.batcher.events.is_empty() {
            return;
        }
        let batches = self.batcher.wrap(self.chat, on_taken);
        let without_threads = self.batcher.wrap_without_threads(self.chat);
        for socket in self.subscribers.values() {
            let other = without_threads.as_ref().filter(|_| !socket.knows_threads);
            other.unwrap_or(&batches).iter().for_each(|batch| socket.deliver(batch));
        }
        // Cleared last, so that the events are sent again after a panic.
        self.batcher.clear();
    }

    fn wait(
        &mut self,
        wait: BatchWait,
        each: Duration,
        over: impl Future + 'static,
        ctx: &mut Context<Self>,
    ) {
        self.batcher.wait = wait;
        self.batcher.turn += 1;
        let turn = self.batcher.turn;
        let waited = tokio::time::timeout(each * self.subscribers.len() as u32, over);
        let waited = async move { drop(waited.await) };
        ctx.spawn(waited.into_actor(self).map(move |(), actor, _| {
            actor.directory.clone().send(actor.chat, BatchTimeout { turn }.into());
        }));
    }

    pub(super) fn on_batch_timeout(&mut self, BatchTimeout { turn }: BatchTimeout, ctx: &mut Context<Self>) {
        if turn != self.batcher.turn {
            return;
        }
        if std::mem::take(&mut self.batcher.wait) == BatchWait::Storing {
            self.send_together(ctx);
        }
    }
}
