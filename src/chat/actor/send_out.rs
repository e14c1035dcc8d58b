//! Sends what goes to everybody in a large chat, together with what comes right behind it.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::{Accept, ChatActor, batcher::Pace};
use crate::chat::mailbox::Waited;

/// Sockets from which on it pays to wait for others.
const MANY: usize = 256;

/// How long is waited for each socket that there is, at most: for what is being stored, and for those who do not take
/// what they were given.
const STORED_WITHIN: Duration = Duration::from_micros(2);
const TAKEN_WITHIN: Duration = Duration::from_micros(10);

impl ChatActor {
    /// Sends what is held, unless there is something to wait for.
    pub(super) fn send_out(&mut self, ctx: &mut Context<Self>) {
        if self.outbox.events.is_empty() {
            return;
        }
        match self.outbox.pace {
            _ if self.subscribers.len() < MANY => self.flush(),
            Pace::Free | Pace::Storing if self.in_flight == 0 => self.send_together(ctx),
            Pace::Free => self.wait(Pace::Storing, STORED_WITHIN, std::future::pending::<()>(), ctx),
            Pace::Storing | Pace::Taking => {}
        }
    }

    fn send_together(&mut self, ctx: &mut Context<Self>) {
        let (taken, is_taken) = oneshot::channel();
        self.wait(Pace::Taking, TAKEN_WITHIN, is_taken, ctx);
        self.deliver_held(Some(taken));
    }

    /// Sends all that is held, so that what is delivered after this comes after it.
    pub(super) fn flush(&mut self) {
        self.deliver_held(None);
    }

    fn deliver_held(&mut self, on_taken: Option<oneshot::Sender<()>>) {
        if self.outbox.events.is_empty() {
            return;
        }
        let parcels = self.outbox.wrap(self.chat, on_taken);
        for socket in self.subscribers.values() {
            parcels.iter().for_each(|parcel| socket.deliver(parcel));
        }
        // Not before, so that they are sent once more after a failure.
        self.outbox.clear();
    }

    fn wait(&mut self, pace: Pace, each: Duration, over: impl Future + 'static, ctx: &mut Context<Self>) {
        self.outbox.pace = pace;
        self.outbox.turn += 1;
        let turn = self.outbox.turn;
        let waited = tokio::time::timeout(each * self.subscribers.len() as u32, over);
        let waited = async move { drop(waited.await) };
        ctx.spawn(waited.into_actor(self).map(move |(), actor, _| {
            actor.directory.clone().send(actor.chat, Waited { turn }.into());
        }));
    }
}

impl Accept<Waited> for ChatActor {
    const IS_USE: bool = false;

    fn accept(&mut self, Waited { turn }: Waited, ctx: &mut Context<Self>) {
        if turn != self.outbox.turn {
            return;
        }
        if std::mem::take(&mut self.outbox.pace) == Pace::Storing {
            self.send_together(ctx);
        }
    }
}
