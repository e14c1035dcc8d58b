//! What goes to everybody in a large chat, held together with what comes right behind it.
//!
//! A write costs several times what an event costs. One event after the other, as they are stored, would be a write
//! each; events that go out together share one on every socket.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use bytestring::ByteString;
use tokio::sync::oneshot;

use super::{Accept, ChatActor};
use crate::{
    chat::{Parcel, messages::Waited},
    model::{ChatId, Seq},
};

/// Sockets from which on it pays to wait for others.
const MANY: usize = 256;

/// How long is waited for each socket that there is, at most: for what is being stored, and for those who do not take
/// what they were given.
const STORED_WITHIN: Duration = Duration::from_micros(2);
const TAKEN_WITHIN: Duration = Duration::from_micros(10);

/// Most bytes that are sent in one piece, unless a single event is larger: each socket has a copy on its way.
const PIECE: usize = 16 * 1024;

/// Events on their way to all who hear of the chat.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    events: Vec<(Option<Seq>, ByteString)>,
    pace: Pace,
    /// Tells an old reminder from the latest.
    turn: u64,
}

/// What is waited for.
#[derive(Debug, Default, PartialEq, Eq)]
enum Pace {
    /// Nothing: the sockets are through with what went before.
    #[default]
    Free,
    /// Commands that are with the writer.
    Storing,
    /// That the sockets take what they were given.
    Taking,
}

impl Outbox {
    pub(super) fn put(&mut self, seq: Seq, event: ByteString) {
        // After a failure an event may come once more.
        if self.events.last().is_none_or(|(last, _)| Some(seq) > *last) {
            self.events.push((Some(seq), event));
        }
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }

    /// What is held, in pieces. The last of them tells when all sockets have taken it.
    fn wrap(&self, chat: ChatId, mut on_taken: Option<oneshot::Sender<()>>) -> Vec<Arc<Parcel>> {
        let mut size = self.events.first().map_or(0, |(_, event)| event.len());
        let fits = |_: &(Option<Seq>, ByteString), (_, next): &(Option<Seq>, ByteString)| {
            size += next.len();
            let fits = size <= PIECE;
            size = if fits { size } else { next.len() };
            fits
        };
        let mut pieces = self.events.chunk_by(fits).peekable();
        let mut parcels = Vec::new();
        while let Some(piece) = pieces.next() {
            let on_taken = if pieces.peek().is_none() { on_taken.take() } else { None };
            parcels.push(Parcel::of_many(chat, piece, on_taken));
        }
        parcels
    }
}

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
            actor.directory.send(actor.chat, Waited { turn });
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
