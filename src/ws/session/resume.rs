//! Start and resume of a socket: subscribe, read missed events from storage, then release the queued
//! deliveries.

use std::{collections::BTreeMap, time::Duration};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::CloseCode;
use bytestring::ByteString;

use super::{Context, Session};
use crate::{
    core::model::{ChatId, UserId, threads::UnreadInChat},
    feed::{CatchUp, Heads, Update},
    hub::{CloseReason, FrameBatch, frame_batch::SubscriptionChange},
    view::{UnreadView, frames},
    ws::{
        client_frame::Resume,
        delivery_filter::Phase,
        frame_decoder::close,
        heartbeat::PING_EVERY,
        server_frame::{CaughtUp, ack_frame},
    },
};

/// Timeout for the first `resume` of a socket opened with `?resume=1`.
const RESUME_WITHIN: Duration = Duration::from_secs(5);

/// Most chats in one `resume`, including all its parts.
const MAX_CHATS: usize = 100_000;

/// Most complete `resume` requests queued on one socket.
const MAX_WAITING: usize = 16;

/// A read of at most this many chats is short enough to hold deliveries queued during it. Doubles with each
/// round, so that the catch-up ends.
const LAST_ROUND: usize = 32;

impl Resume {
    /// Renders the `ack`, sent after all missed events.
    pub(crate) fn ack(&self, heads: &Heads, unread: &BTreeMap<ChatId, UnreadInChat>) -> ByteString {
        let UnreadView { unread, chat_mentions, threads } = UnreadView::of(unread);
        ack_frame(self.id.as_deref(), CaughtUp { heads, unread, chat_mentions, threads })
    }
}

impl Session {
    /// Sends `hello` once all subscriptions are active; deliveries are queued from now on.
    pub(crate) fn on_subscribed(&mut self, heads: Heads, users_online: &[UserId], ctx: &mut Context) {
        // `hello` is the first frame; client frames are read only after it.
        ctx.text(frames::hello(self.socket.user, PING_EVERY.as_secs(), &heads, users_online));
        self.frames.open();
        if !self.awaits_resume {
            return self.go_live(heads);
        }
        ctx.run_later(RESUME_WITHIN, |session, ctx| {
            if session.awaits_resume {
                close(ctx, CloseCode::Policy, "no resume came");
            }
        });
    }

    /// Accepts a `resume` or a part of one. The last part starts the catch-up.
    pub(crate) fn on_resume(&mut self, resume: Resume, ctx: &mut Context) {
        self.resuming.known.extend(&resume.chats);
        if self.resuming.known.len() > MAX_CHATS {
            return close(ctx, CloseCode::Size, "the resume is too large");
        }
        if resume.more {
            return;
        }
        if self.resuming.whole.len() == MAX_WAITING {
            return close(ctx, CloseCode::Again, "too many commands under way");
        }
        self.awaits_resume = true;
        self.resuming.whole.push_back((std::mem::take(&mut self.resuming.known), resume));
        if !self.resuming.is_under_way {
            self.catch_up(ctx);
        }
    }

    /// Starts the next queued catch-up, which reads and sends missed events one chat at a time.
    fn catch_up(&mut self, ctx: &mut Context) {
        let Some((known, resume)) = self.resuming.whole.pop_front() else { return };
        self.resuming.is_under_way = true;
        self.resuming.rounds = 0;
        // The `resume` that the handshake announced has arrived.
        self.awaits_resume = false;
        let only = {
            let mut filter = self.filter.borrow_mut();
            filter.phase = Phase::CatchingUp(BTreeMap::new());
            filter.only.clone()
        };
        let (feed, user) = (self.state.feed.clone(), self.socket.user);
        let catch_up = CatchUp::new(feed, user, only, known);
        let mut catch_up = catch_up.knowing_threads(self.socket.knows_threads);
        let compare = async move { catch_up.compare().await.map(|()| catch_up) };
        ctx.spawn(self.principal().scope(compare).into_actor(self).map(move |catch_up, session, ctx| {
            match catch_up {
                Ok(catch_up) => session.read_next(catch_up, resume, ctx),
                Err(refusal) => session.give_up(&refusal, ctx),
            }
        }));
    }

    /// Reads the next chat. Runs only after the client has taken the frames sent before.
    fn read_next(&mut self, mut catch_up: CatchUp, resume: Resume, ctx: &mut Context) {
        let (identities, credential) = (self.state.identities.clone(), self.socket.credential());
        let socket = self.socket.clone();
        let read = async move {
            let update = match identities.is_valid(&credential).await {
                Ok(true) => catch_up.next().await,
                Ok(false) => {
                    socket.close(CloseReason::SignedOut);
                    Ok(None)
                }
                Err(refusal) => Err(refusal),
            };
            (catch_up, update)
        };
        ctx.spawn(self.principal().scope(read).into_actor(self).map(
            move |(catch_up, update), session, ctx| match update {
                Ok(_) if session.socket.is_closing() => {}
                Ok(Some(update)) => session.on_update(catch_up, resume, update, ctx),
                Ok(None) => session.on_caught_up(catch_up, resume, ctx),
                Err(refusal) => session.give_up(&refusal, ctx),
            },
        ));
    }

    fn on_update(&mut self, mut catch_up: CatchUp, resume: Resume, update: Update, ctx: &mut Context) {
        if !self.has_left(update.chat) {
            catch_up.mark_delivered(&update);
            update.frames.into_iter().for_each(|(_, frame)| ctx.text(frame));
        }
        self.read_next(catch_up, resume, ctx);
    }

    /// Returns whether the user may have left a chat since it was read. If so, nothing of it is sent.
    fn has_left(&self, chat: ChatId) -> bool {
        let is_removal =
            |batch: &FrameBatch| batch.chat == Some(chat) && batch.change == SubscriptionChange::Leaves;
        let is_noted = match &self.filter.borrow().phase {
            Phase::CatchingUp(noted) => noted.get(&chat).is_some_and(Option::is_some),
            _ => false,
        };
        is_noted || self.socket.send_queue().is_some_and(|send_queue| send_queue.has(is_removal))
    }

    /// Runs when all queued chats were sent: reads the chats that changed since. During the last such read,
    /// deliveries stay queued, so that no event is lost between reading and live delivery.
    fn on_caught_up(&mut self, mut catch_up: CatchUp, resume: Resume, ctx: &mut Context) {
        let mut filter = self.filter.borrow_mut();
        if let Phase::CatchingUp(noted) = &mut filter.phase {
            let noted = std::mem::take(noted);
            if noted.len() <= LAST_ROUND << self.resuming.rounds.min(16) {
                filter.phase = Phase::Waiting;
            }
            self.resuming.rounds += 1;
            catch_up.set_filter(filter.only.clone());
            catch_up.note(noted);
            drop(filter);
            return self.read_next(catch_up, resume, ctx);
        }
        drop(filter);
        ctx.text(resume.ack(catch_up.known(), catch_up.unread()));
        self.go_live(catch_up.into_known());
        self.resuming.is_under_way = false;
        self.catch_up(ctx);
    }

    /// Switches to live delivery. Queued events above the heads are sent first.
    fn go_live(&mut self, heads: Heads) {
        self.filter.borrow_mut().phase = Phase::Live(heads);
    }
}
