//! From the handshake to live events, at a first start and after a break: subscribe, then read, then let go what waited.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use actix_web::web::Data;
use actix_web_actors::ws::CloseCode;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    commands::ack_frame,
    ears::Phase,
    frames::close,
    session::{Context, PING_EVERY, Session},
};
use crate::{
    chat::{CloseReason, Parcel, Socket, socket::Standing},
    feed::{self, Follower, Heads, Only, Update},
    model::{ChatId, Refusal, UserId},
    server::State,
    view::frames,
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

/// How far the client has heard, while it tells so and until it is caught up with.
#[derive(Default)]
pub(super) struct Resuming {
    /// From the parts so far.
    known: Heads,
    /// Whole ones that wait for their turn, each with its last part, which is answered.
    whole: VecDeque<(Heads, Resume)>,
    is_under_way: bool,
    /// Looks so far.
    looks: u32,
}

/// A `resume`, or a part of one.
pub struct Resume {
    pub id: Option<Box<RawValue>>,
    /// Chats by id with the number of the latest change that the client has heard of.
    pub chats: Heads,
    /// Whether further parts follow.
    pub more: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CaughtUp<'a> {
    /// The number of the latest change of each of the caller's chats, by chat id.
    #[schema(value_type = BTreeMap<String, i64>)]
    heads: &'a Heads,
    /// Unread counts by chat id, of chats that have any.
    #[schema(value_type = BTreeMap<String, i64>)]
    unread: &'a BTreeMap<ChatId, i64>,
}

impl Resume {
    /// The answer, once everything that was missed has been sent.
    pub fn ack(&self, heads: &Heads, unread: &BTreeMap<ChatId, i64>) -> ByteString {
        ack_frame(self.id.as_deref(), CaughtUp { heads, unread })
    }
}

/// Where a socket begins: how far its chats have come, and who is there.
pub(super) async fn start(
    state: Data<State>,
    socket: Arc<Socket>,
    only: Only,
) -> Result<(Heads, Vec<UserId>), Refusal> {
    let heads = feed::subscribe(&state, &socket, &only).await?;
    let users_online = state.presence.partners_of(&state, socket.user).await?;
    Ok((heads, users_online))
}

impl Session {
    /// From now on nothing is missed: what comes is delivered, and waits here.
    pub(super) fn on_subscribed(&mut self, heads: Heads, users_online: &[UserId], ctx: &mut Context) {
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
    pub(super) fn on_resume(&mut self, resume: Resume, ctx: &mut Context) {
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
        let (state, user) = (self.state.clone(), self.caller.id());
        let mut follower = Follower::new(state, user, only, known);
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
