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
use tokio::sync::mpsc;

use super::{
    commands::ack_frame,
    frames::close,
    session::{Context, PING_EVERY, Session},
};
use crate::{
    chat::{CloseReason, Delivery, Socket},
    feed::{self, Heads, Missed, Only},
    model::{ChatId, Refusal, UserId},
    server::State,
    view::render,
};

/// How long a socket that wants to resume may take to say from where.
const RESUME_WITHIN: Duration = Duration::from_secs(5);

/// Most chats that a client may name in one `resume`, all its parts together.
const MOST_CHATS: usize = 100_000;

/// Most that may wait for their turn.
const MOST_WAITING: usize = 16;

/// A socket first subscribes and then reads where its chats are, so that it misses nothing between the two.
pub(super) enum Phase {
    /// What is delivered waits: until the heads are known, or until what was missed has been sent.
    Waiting(Vec<Delivery>),
    /// The number of the latest change that went out, for each chat of the user.
    Live(Heads),
}

/// How a client wants its socket, by the handshake's query.
#[derive(Debug, Default)]
pub struct Wishes {
    /// The chats that it is to carry.
    pub only: Only,
    /// Whether live events wait for a `resume`.
    pub resumes: bool,
}

/// How far the client has heard, while it tells so and until it is caught up with.
#[derive(Default)]
pub(super) struct Resuming {
    /// From the parts so far.
    known: Heads,
    /// Whole ones that wait for their turn, each with its last part, which is answered.
    whole: VecDeque<(Heads, Resume)>,
    is_under_way: bool,
}

/// A `resume`, or a part of one.
pub struct Resume {
    pub id: Option<Box<RawValue>>,
    /// Chats by id with the number of the latest change that the client has heard of.
    pub chats: Heads,
    /// Whether further parts follow.
    pub more: bool,
}

#[derive(Serialize)]
struct CaughtUp<'a> {
    heads: &'a Heads,
    unread: &'a BTreeMap<ChatId, i64>,
}

impl Resume {
    /// The answer, once everything that was missed has been sent.
    pub fn ack(&self, heads: &Heads, unread: &BTreeMap<ChatId, i64>) -> ByteString {
        ack_frame(self.id.as_deref(), CaughtUp { heads, unread })
    }
}

/// Subscribes to the user's chats and returns where they are. The registry knows the socket already, so a chat that
/// somebody adds the user to meanwhile subscribes it by itself.
pub(super) async fn start(state: Data<State>, socket: Arc<Socket>, only: Only) -> Result<Heads, Refusal> {
    // Whoever was signed out between the handshake and now has no socket to be closed yet.
    let caller = state.identities.caller(&socket.credential).await?;
    if caller.is_none() {
        socket.close(CloseReason::SignedOut);
        return Ok(Heads::new());
    }
    let user = socket.user;
    let before = feed::heads(&state, user, &only).await?;
    let (done, mut all_done) = mpsc::channel(1);
    for chat in before.keys() {
        state.directory.subscribe(*chat, socket.clone(), done.clone());
    }
    drop(done);
    // It ends when every chat has dropped its end.
    let _ = all_done.recv().await;
    // A chat that one was removed from meanwhile is not among these, and the session passes on nothing of it. The
    // subscription stays, since it may be of somebody who was added again.
    feed::heads(&state, user, &only).await
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "hello")]
struct Hello<'a> {
    user_id: UserId,
    server_version: &'static str,
    heartbeat_seconds: u64,
    chats: &'a Heads,
}

impl Session {
    /// From now on nothing is missed: what comes is delivered, and waits here.
    pub(super) fn on_subscribed(&mut self, heads: Heads, ctx: &mut Context) {
        self.has_subscribed = true;
        ctx.text(render(&Hello {
            user_id: self.caller.id(),
            server_version: env!("CARGO_PKG_VERSION"),
            heartbeat_seconds: PING_EVERY.as_secs(),
            chats: &heads,
        }));
        if !self.wishes.resumes {
            return self.go_live(heads, ctx);
        }
        if !self.resuming.whole.is_empty() {
            return self.catch_up(ctx);
        }
        ctx.run_later(RESUME_WITHIN, |session, ctx| {
            if session.wishes.resumes {
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
        self.wishes.resumes = true;
        self.resuming.whole.push_back((std::mem::take(&mut self.resuming.known), resume));
        if self.has_subscribed && !self.resuming.is_under_way {
            self.catch_up(ctx);
        }
    }

    /// Reads and sends what was missed, while what is delivered waits.
    fn catch_up(&mut self, ctx: &mut Context) {
        let Some((known, resume)) = self.resuming.whole.pop_front() else { return };
        self.resuming.is_under_way = true;
        // The handshake's wish has come true, whatever else comes.
        self.wishes.resumes = false;
        if let Phase::Live(_) = self.phase {
            self.phase = Phase::Waiting(Vec::new());
        }
        let (state, user, only) = (self.state.clone(), self.caller.id(), self.wishes.only.clone());
        let look = async move { feed::missed(&state, user, &known, &only).await };
        ctx.spawn(look.into_actor(self).map(move |result, session, ctx| match result {
            Ok(missed) => session.on_caught_up(&resume, missed, ctx),
            Err(refusal) => session.give_up(&refusal, ctx),
        }));
    }

    fn on_caught_up(&mut self, resume: &Resume, missed: Missed, ctx: &mut Context) {
        missed.events.into_iter().for_each(|frame| ctx.text(frame));
        ctx.text(resume.ack(&missed.heads, &missed.unread));
        self.go_live(missed.heads, ctx);
        self.resuming.is_under_way = false;
        self.catch_up(ctx);
    }

    /// Sends what has waited, as far as it is above the heads, and from now on what comes.
    fn go_live(&mut self, heads: Heads, ctx: &mut Context) {
        let waiting = match std::mem::replace(&mut self.phase, Phase::Live(heads)) {
            Phase::Waiting(waiting) => waiting,
            Phase::Live(_) => Vec::new(),
        };
        waiting.into_iter().for_each(|delivery| self.on_delivery(delivery, ctx));
    }
}
