//! The actor of one socket: credential expiry, commands and resume.

mod expiry;
mod refresh;
pub(crate) mod resume;
pub(crate) mod resuming;

use std::{
    cell::RefCell,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Handler, StreamHandler, WrapFuture};
use actix_web::web::Data;
use actix_web_actors::ws::{CloseCode, Message, ProtocolError, WebsocketContext};
use tokio::sync::mpsc;

use super::{
    client_frame::{ClientFrame, Malformed},
    commands::{Client, SharedCaller, UNDER_WAY, run_commands},
    delivery_filter::{Phase, SharedFilter},
    frame_decoder::{FrameDecoder, close},
    heartbeat::Heartbeat,
    server_frame::{CommandReply, error_frame},
};
use crate::{
    auth::Caller,
    core::{
        log_context::LogContext,
        model::{FieldErrors, Refusal},
    },
    feed,
    hub::{Subscriber, registry::ConnectionSlot},
    rate_limit::{self, Gcra, Rate},
    state::AppState,
    storage::Principal,
};
use expiry::Expiry;
use resuming::{Resuming, start};

/// Number of frames that are not JSON objects at which the socket is closed.
const MAX_MALFORMED: u32 = 3;

/// Returns the rate limit of a socket's frames, with a burst of twice the rate.
fn frame_rate(per_second: u32) -> Rate {
    Rate::new(per_second, Duration::from_secs(1), per_second.saturating_mul(2))
}

/// The user who opens a socket, the client's address, and the user's connection slot.
pub(super) struct Opener {
    pub caller: Arc<Caller>,
    pub from: IpAddr,
    pub place: ConnectionSlot,
}

/// The actor of one socket.
pub(super) struct Session {
    pub(super) state: Data<AppState>,
    /// Shared with the task that runs commands. A refreshed token replaces it.
    caller: SharedCaller,
    /// The client's address.
    from: IpAddr,
    /// Log context of the handshake's request.
    log_context: LogContext,
    /// Connection slot, released when the session ends.
    _place: ConnectionSlot,
    pub(super) socket: Arc<Subscriber>,
    pub(super) filter: SharedFilter,
    /// Whether live events are held back until the client sends `resume`.
    pub(super) awaits_resume: bool,
    pub(super) resuming: Resuming,
    pub(super) frames: FrameDecoder,
    /// Limits the frames of this socket.
    frame_rate: Rate,
    frame_limit: Gcra,
    /// Queue of the task that runs this socket's commands; started by the first one.
    commands: Option<mpsc::Sender<ClientFrame>>,
    heartbeat: Rc<Heartbeat>,
    malformed: u32,
    expiry: Expiry,
}

impl Session {
    pub(super) fn new(
        state: Data<AppState>,
        opener: Opener,
        socket: Arc<Subscriber>,
        filter: SharedFilter,
        awaits_resume: bool,
        frames: FrameDecoder,
        heartbeat: Rc<Heartbeat>,
    ) -> Self {
        Self {
            socket,
            filter,
            awaits_resume,
            resuming: Resuming::default(),
            frames,
            frame_rate: frame_rate(state.config.socket_commands_per_second),
            frame_limit: Gcra::default(),
            commands: None,
            state,
            caller: Rc::new(RefCell::new(opener.caller)),
            from: opener.from,
            // Taken during the handshake, inside its request.
            log_context: LogContext::current(),
            _place: opener.place,
            heartbeat,
            malformed: 0,
            expiry: Expiry::default(),
        }
    }
}

// Lifecycle.

pub(super) type Context = WebsocketContext<Session>;

impl Actor for Session {
    type Context = Context;

    fn started(&mut self, ctx: &mut Context) {
        self.state.hub.add(self.socket.clone());
        self.close_if_ended();
        self.heartbeat.start();
        let only = self.filter.borrow().only.clone();
        let start = start(self.state.clone(), self.socket.clone(), only);
        ctx.spawn(self.principal().scope(start).into_actor(self).map(
            |outcome, session, ctx| match outcome {
                Ok((heads, users_online)) => {
                    session.on_subscribed(heads, &users_online, ctx);
                    session.watch_expiry(ctx);
                }
                Err(refusal) => session.give_up(&refusal, ctx),
            },
        ));
    }

    fn stopped(&mut self, _: &mut Context) {
        let socket = &self.socket;
        socket.ended();
        self.state.hub.remove(socket.user, socket.id);
        let mut filter = self.filter.borrow_mut();
        if let Phase::Live(heads) = std::mem::replace(&mut filter.phase, Phase::Over) {
            feed::unsubscribe(&self.state.feed, socket, heads.into_keys());
        }
        for room in filter.watched.rooms() {
            self.state.directory.unsubscribe(room, socket.id);
        }
    }
}

impl Session {
    pub(super) fn caller(&self) -> Arc<Caller> {
        self.caller.borrow().clone()
    }

    pub(super) fn principal(&self) -> Principal {
        Principal::User(self.socket.user)
    }

    pub(super) fn give_up(&mut self, refusal: &Refusal, ctx: &mut Context) {
        match refusal {
            Refusal::Throttled => {
                tracing::info!(
                    user_id = self.socket.user.0,
                    "closing a socket: its user has too many requests in flight"
                );
            }
            _ => tracing::error!(
                user_id = self.socket.user.0,
                ?refusal,
                "closing a socket: start or resume failed"
            ),
        }
        close(ctx, CloseCode::Again, "try again later");
    }
}

// Responses to commands.

impl Handler<CommandReply> for Session {
    type Result = ();

    fn handle(&mut self, CommandReply(frame): CommandReply, ctx: &mut Context) {
        ctx.text(frame);
    }
}

// Frames from the client.

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, frame: Result<Message, ProtocolError>, ctx: &mut Context) {
        let now = Instant::now();
        self.heartbeat.received(now);
        if frame.is_ok() && self.frame_limit.take(self.frame_rate, rate_limit::moment(now)).is_err() {
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
        // A guest's key is prolonged by use.
        if self.caller().card.is_guest {
            self.state.sightings.note_use_of_socket(&self.caller());
        }
        match ClientFrame::parse(text) {
            Ok(frame) if frame.is_ping() => ctx.text(frame.pong()),
            Ok(frame) if frame.is_resume() => match frame.resume() {
                Ok(resume) => self.on_resume(resume, ctx),
                Err(error) => ctx.text(frame.error(&error)),
            },
            Ok(frame) if frame.is_refresh() => self.on_refresh(frame, ctx),
            Ok(frame) => self.on_command(frame, ctx),
            Err(Malformed) => self.on_malformed(ctx),
        }
    }

    /// Queues a command for the socket's command task; the first command starts the task.
    fn on_command(&mut self, frame: ClientFrame, ctx: &mut Context) {
        let principal = self.principal();
        let commands = self.commands.get_or_insert_with(|| {
            let (commands, frames) = mpsc::channel(UNDER_WAY);
            let (state, caller, socket) = (self.state.clone(), self.caller.clone(), self.socket.clone());
            let watched = self.filter.borrow().watched.clone();
            let client =
                Client { state, caller, from: self.from, socket, watched, log_context: self.log_context };
            let work = run_commands(client, frames, ctx.address().recipient());
            actix_rt::spawn(principal.scope(work));
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
