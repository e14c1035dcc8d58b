//! From the handshake to live events, at a first start and after a break: subscribe, then read, then let go what waited.

use std::{collections::BTreeMap, time::Duration};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::CloseCode;
use bytestring::ByteString;

use super::{Context, PING_EVERY, Session};
use crate::{
    core::model::{ChatId, UserId},
    feed::{Follower, Heads, Update},
    hub::{CloseReason, Parcel, frame_batch::Standing},
    view::frames,
    ws::{
        client_frame::Resume,
        delivery_filter::Phase,
        frame_decoder::close,
        server_frame::{CaughtUp, ack_frame},
    },
};

/// How long a socket that wants to resume may take to say from where.
const RESUME_WITHIN: Duration = Duration::from_secs(5);

/// Most chats that a client may name in one `resume`, all its parts together.
const MOST_CHATS: usize = 100_000;

/// Most that may wait for their turn.
const MOST_WAITING: usize = 16;

/// A last look at so many chats is quick enough to let what is delivered meanwhile wait. It doubles with each look, so
/// that there is a last one.
const FEW: usize = 32;

impl Resume {
    /// The answer, once everything that was missed has been sent.
    pub fn ack(&self, heads: &Heads, unread: &BTreeMap<ChatId, i64>) -> ByteString {
        ack_frame(self.id.as_deref(), CaughtUp { heads, unread })
    }
}

impl Session {
    /// From now on nothing is missed: what comes is delivered, and waits here.
    pub(crate) fn on_subscribed(&mut self, heads: Heads, users_online: &[UserId], ctx: &mut Context) {
        // It is the first frame: what the client has sent before is looked at after it.
        ctx.text(frames::hello(self.caller.id(), PING_EVERY.as_secs(), &heads, users_online));
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

    /// A part of how far the client has heard; the last one is acted upon.
    pub(crate) fn on_resume(&mut self, resume: Resume, ctx: &mut Context) {
        self.resuming.known.extend(&resume.chats);
        if self.resuming.known.len() > MOST_CHATS {
            return close(ctx, CloseCode::Size, "the resume is too large");
        }
        if resume.more {
            return;
        }
        if self.resuming.whole.len() == MOST_WAITING {
            return close(ctx, CloseCode::Again, "too many commands under way");
        }
        self.awaits_resume = true;
        self.resuming.whole.push_back((std::mem::take(&mut self.resuming.known), resume));
        if !self.resuming.is_under_way {
            self.catch_up(ctx);
        }
    }

    /// Reads and sends what was missed, a chat at a time.
    fn catch_up(&mut self, ctx: &mut Context) {
        let Some((known, resume)) = self.resuming.whole.pop_front() else { return };
        self.resuming.is_under_way = true;
        self.resuming.looks = 0;
        // The handshake's wish has come true, whatever else comes.
        self.awaits_resume = false;
        let only = {
            let mut ears = self.ears.borrow_mut();
            ears.phase = Phase::CatchingUp(BTreeMap::new());
            ears.only.clone()
        };
        let (feed, user) = (self.state.feed.clone(), self.caller.id());
        let mut follower = Follower::new(feed, user, only, known);
        let compare = async move { follower.compare().await.map(|()| follower) };
        ctx.spawn(self.asker().asks(compare).into_actor(self).map(
            move |follower, session, ctx| match follower {
                Ok(follower) => session.step(follower, resume, ctx),
                Err(refusal) => session.give_up(&refusal, ctx),
            },
        ));
    }

    /// Reads on. Nothing of this is done while the client has not taken what was sent before.
    fn step(&mut self, mut follower: Follower, resume: Resume, ctx: &mut Context) {
        let (identities, credential) = (self.state.identities.clone(), self.caller.credential.clone());
        let socket = self.socket.clone();
        let look = async move {
            let update = match identities.still_works(&credential).await {
                Ok(true) => follower.next().await,
                Ok(false) => {
                    socket.close(CloseReason::SignedOut);
                    Ok(None)
                }
                Err(refusal) => Err(refusal),
            };
            (follower, update)
        };
        ctx.spawn(self.asker().asks(look).into_actor(self).map(move |(follower, update), session, ctx| {
            match update {
                Ok(_) if session.socket.is_closing() => {}
                Ok(Some(update)) => session.on_update(follower, resume, update, ctx),
                Ok(None) => session.on_caught_up(follower, resume, ctx),
                Err(refusal) => session.give_up(&refusal, ctx),
            }
        }));
    }

    fn on_update(&mut self, mut follower: Follower, resume: Resume, update: Update, ctx: &mut Context) {
        if !self.has_left(update.chat) {
            follower.tell(&update);
            update.frames.into_iter().for_each(|(_, frame)| ctx.text(frame));
        }
        self.step(follower, resume, ctx);
    }

    /// Whether the user has left a chat since it was read, perhaps: nothing of it is sent after that.
    fn has_left(&self, chat: ChatId) -> bool {
        let is_farewell = |parcel: &Parcel| parcel.chat == Some(chat) && parcel.standing == Standing::Leaves;
        let is_noted = match &self.ears.borrow().phase {
            Phase::CatchingUp(noted) => noted.get(&chat).is_some_and(Option::is_some),
            _ => false,
        };
        is_noted || self.socket.inbox().is_some_and(|inbox| inbox.has(is_farewell))
    }

    /// Everything is sent that was there to be read: reads what has come since, the last of it while what is delivered
    /// waits, so that nothing falls between reading and hearing.
    fn on_caught_up(&mut self, mut follower: Follower, resume: Resume, ctx: &mut Context) {
        let mut ears = self.ears.borrow_mut();
        if let Phase::CatchingUp(noted) = &mut ears.phase {
            let noted = std::mem::take(noted);
            if noted.len() <= FEW << self.resuming.looks.min(16) {
                ears.phase = Phase::Waiting;
            }
            self.resuming.looks += 1;
            follower.want(ears.only.clone());
            follower.note(noted);
            drop(ears);
            return self.step(follower, resume, ctx);
        }
        drop(ears);
        ctx.text(resume.ack(follower.known(), follower.unread()));
        self.go_live(follower.into_known());
        self.resuming.is_under_way = false;
        self.catch_up(ctx);
    }

    /// What has waited is sent, as far as it is above the heads, and from now on what comes.
    fn go_live(&mut self, heads: Heads) {
        self.ears.borrow_mut().phase = Phase::Live(heads);
    }
}
