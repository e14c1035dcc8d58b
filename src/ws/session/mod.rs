//! One socket: its user, what it has heard of each chat, its heartbeat.

pub(crate) mod resume;
pub(crate) mod resuming;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Handler, StreamHandler, WrapFuture};
use actix_web::web::Data;
use actix_web_actors::ws::{CloseCode, Message, ProtocolError, WebsocketContext};
use tokio::sync::mpsc;

use super::{
    client_frame::{ClientFrame, Malformed},
    commands::{Client, UNDER_WAY, carry_out},
    delivery_filter::{Phase, SharedEars},
    frame_decoder::{Frames, close},
    server_frame::{Answer, error_frame},
    token_bucket::Allowance,
};
use crate::{
    auth::Caller,
    core::model::{FieldErrors, Refusal, Timestamp},
    feed,
    hub::{CloseReason, Socket, registry::Place},
    state::State,
    storage::Asker,
};
use resuming::{Resuming, start};

/// How often the server pings, and how long it waits for a sign of life after that.
pub(super) const PING_EVERY: Duration = Duration::from_secs(25);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// Shortest and longest time between two looks at whether the credential has ended; timers do not run for weeks.
const SHORTEST_WATCH: Duration = Duration::from_millis(100);
const LONGEST_WATCH: Duration = Duration::from_secs(60 * 60);

/// Frames that are no JSON object, of which one may send two.
const MAX_MALFORMED: u32 = 3;

/// Who opens a socket, and from which address.
pub struct Opener {
    pub caller: Arc<Caller>,
    pub from: IpAddr,
}

/// The actor of one socket.
pub struct Session {
    pub(super) state: Data<State>,
    pub(super) caller: Arc<Caller>,
    /// The client's address.
    from: IpAddr,
    /// Given back when the session ends.
    _place: Place,
    pub(super) socket: Arc<Socket>,
    pub(super) ears: SharedEars,
    /// Whether live events wait for a `resume`.
    pub(super) awaits_resume: bool,
    pub(super) resuming: Resuming,
    pub(super) frames: Frames,
    allowance: Allowance,
    /// To the task that carries out this socket's commands.
    commands: Option<mpsc::Sender<ClientFrame>>,
    last_heard: Instant,
    malformed: u32,
}

impl Session {
    pub fn new(
        state: Data<State>,
        opener: Opener,
        place: Place,
        socket: Arc<Socket>,
        ears: SharedEars,
        awaits_resume: bool,
        frames: Frames,
    ) -> Self {
        let now = Instant::now();
        Self {
            socket,
            ears,
            awaits_resume,
            resuming: Resuming::default(),
            frames,
            allowance: Allowance::new(state.config.socket_commands_per_second, now),
            commands: None,
            state,
            caller: opener.caller,
            from: opener.from,
            _place: place,
            last_heard: now,
            malformed: 0,
        }
    }
}

// How it starts, and how it ends.

pub(super) type Context = WebsocketContext<Session>;

impl Actor for Session {
    type Context = Context;

    fn started(&mut self, ctx: &mut Context) {
        self.state.registry.add(self.socket.clone());
        ctx.run_interval(PING_EVERY, |session, ctx| session.ping(ctx));
        self.watch_expiry(ctx);
        let only = self.ears.borrow().only.clone();
        let start = start(self.state.clone(), self.socket.clone(), only);
        ctx.spawn(self.asker().asks(start).into_actor(self).map(|begun, session, ctx| match begun {
            Ok((heads, users_online)) => session.on_subscribed(heads, &users_online, ctx),
            Err(refusal) => session.give_up(&refusal, ctx),
        }));
    }

    fn stopped(&mut self, _: &mut Context) {
        let socket = &self.socket;
        socket.ended();
        self.state.registry.remove(socket.user, socket.id);
        let mut ears = self.ears.borrow_mut();
        if let Phase::Live(heads) = std::mem::replace(&mut ears.phase, Phase::Over) {
            feed::unsubscribe(&self.state.feed, socket, heads.into_keys());
        }
        for room in ears.watched.rooms() {
            self.state.directory.unsubscribe(room, socket.id);
        }
    }
}

impl Session {
    pub(super) fn asker(&self) -> Asker {
        Asker::User(self.caller.id())
    }

    pub(super) fn give_up(&mut self, refusal: &Refusal, ctx: &mut Context) {
        match refusal {
            Refusal::Throttled => tracing::info!(user = self.caller.id().0, "a socket's user asks too much"),
            _ => tracing::error!(user = self.caller.id().0, ?refusal, "a socket could not start"),
        }
        close(ctx, CloseCode::Again, "try again later");
    }

    /// When the credential is due to end, looks whether it has, or was renewed.
    fn watch_expiry(&self, ctx: &mut Context) {
        let Some(expires_at) = self.caller.expires_at else { return };
        let left = Duration::from_micros((expires_at.0 - Timestamp::now().0).max(0) as u64);
        // Where storage is away at that moment, it looks again a little later.
        ctx.run_later(left.clamp(SHORTEST_WATCH, LONGEST_WATCH), |session, ctx| {
            let (state, credential) = (session.state.clone(), session.caller.credential.clone());
            let look = async move { state.identities.caller(&credential).await };
            ctx.spawn(session.asker().asks(look).into_actor(session).map(
                |caller, session, ctx| match caller {
                    Ok(None) => session.socket.close(CloseReason::SignedOut),
                    Ok(Some(caller)) => {
                        session.caller = caller;
                        session.watch_expiry(ctx);
                    }
                    Err(_) => session.watch_expiry(ctx),
                },
            ));
        });
    }

    /// Ends the session where nothing has been heard since the last ping; else sends another.
    fn ping(&mut self, ctx: &mut Context) {
        ctx.ping(b"");
        let pinged = Instant::now();
        ctx.run_later(PONG_WITHIN, move |session, ctx| {
            if session.last_heard < pinged {
                ctx.stop();
            }
        });
    }
}

// What its commands came to.

impl Handler<Answer> for Session {
    type Result = ();

    fn handle(&mut self, Answer(frame): Answer, ctx: &mut Context) {
        ctx.text(frame);
    }
}

// What its client sends.

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, frame: Result<Message, ProtocolError>, ctx: &mut Context) {
        let now = Instant::now();
        self.last_heard = now;
        if frame.is_ok() && !self.allowance.take(now) {
            return close(ctx, CloseCode::Policy, "too many frames");
        }
        if let Some(text) = self.frames.take(frame, ctx) {
            self.on_client_frame(&text, ctx);
        }
    }

    fn finished(&mut self, ctx: &mut Context) {
        self.frames.end(ctx);
    }
}

impl Session {
    fn on_client_frame(&mut self, text: &str, ctx: &mut Context) {
        match ClientFrame::parse(text) {
            Ok(frame) if frame.is_ping() => ctx.text(frame.pong()),
            Ok(frame) if frame.is_resume() => match frame.resume() {
                Ok(resume) => self.on_resume(resume, ctx),
                Err(error) => ctx.text(frame.error(&error)),
            },
            Ok(frame) => self.on_command(frame, ctx),
            Err(Malformed) => self.on_malformed(ctx),
        }
    }

    /// Hands a command to the task that carries them out, which is started by the first.
    fn on_command(&mut self, frame: ClientFrame, ctx: &mut Context) {
        let commands = self.commands.get_or_insert_with(|| {
            let (commands, frames) = mpsc::channel(UNDER_WAY);
            let (state, caller, socket) = (self.state.clone(), self.caller.clone(), self.socket.clone());
            let watched = self.ears.borrow().watched.clone();
            let client = Client { state, caller, from: self.from, socket, watched };
            let work = carry_out(client, frames, ctx.address().recipient());
            actix_rt::spawn(Asker::User(self.caller.id()).asks(work));
            commands
        });
        if commands.try_send(frame).is_err() {
            close(ctx, CloseCode::Again, "too many commands under way");
        }
    }

    fn on_malformed(&mut self, ctx: &mut Context) {
        self.malformed += 1;
        if self.malformed >= MAX_MALFORMED {
            return close(ctx, CloseCode::Policy, "frames must be JSON objects");
        }
        ctx.text(error_frame(&FieldErrors::whole("A frame is a JSON object with a type.").into(), None));
    }
}
