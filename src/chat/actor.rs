//! A chat: it takes commands in order to the writer, takes what came of them in order to the sockets, and answers.

pub mod back_fill;
mod batcher;
mod fan_out;
pub mod send_out;
mod sequencer;
mod typing;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use fail::fail_point;

use super::{
    activity::Pulse,
    context::{Chats, Services},
    mailbox::{
        Admit, Admitted, ChatMessage, Marked, Settled, Submit, Subscribe, Unsubscribe, Unwatch, Watch,
    },
    typing::Typists,
};
use crate::{
    bus::News,
    core::model::{ChatId, ChatKind, Refusal, UserId, event::Done},
    hub::{
        close_reason::CloseReason,
        subscriber::{Socket, SocketId},
    },
    presence::Turn,
    storage::queries::chat_snapshot,
};

use batcher::Outbox;
use sequencer::{Happened, Order, PAUSE};

/// One active chat of this node.
pub struct ChatActor {
    chat: ChatId,
    directory: Arc<dyn Chats>,
    services: Arc<Services>,
    /// What the directory sees of it.
    pulse: Arc<Pulse>,
    order: Order,
    outbox: Outbox,
    /// Those who hear of what happens here, all of them sockets of members.
    subscribers: HashMap<SocketId, Arc<Socket>>,
    /// Those who follow a public room from outside: what it is called and who is in it. No socket is among both.
    watchers: HashMap<SocketId, Arc<Socket>>,
    typists: Typists,
    /// Commands that are with the writer.
    in_flight: usize,
    /// What is being made known right now; still here after a failure in the middle of it.
    settling: Option<Happened>,
    /// Whether anything happened since the last look.
    was_active: bool,
    /// Whether the latest command was for something that is not there, perhaps the chat itself.
    found_nothing: bool,
}

impl ChatActor {
    pub(super) fn new(
        chat: ChatId,
        directory: Arc<dyn Chats>,
        services: Arc<Services>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            chat,
            directory,
            services,
            pulse,
            order: Order::default(),
            outbox: Outbox::default(),
            subscribers: HashMap::new(),
            watchers: HashMap::new(),
            typists: Typists::default(),
            in_flight: 0,
            settling: None,
            was_active: true,
            found_nothing: false,
        }
    }
}

// How it starts, and how it ends.

impl Actor for ChatActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.services.idle, Self::retire_if_idle);
    }
}

impl ChatActor {
    fn retire_if_idle(&mut self, ctx: &mut Context<Self>) {
        // A socket that ended while it was subscribing could not unsubscribe.
        self.subscribers.retain(|_, socket| socket.is_open());
        self.watchers.retain(|_, socket| socket.is_open());
        let was_active = std::mem::replace(&mut self.was_active, false);
        let is_needed = self.in_flight > 0
            || !self.subscribers.is_empty()
            || !self.watchers.is_empty()
            || !self.typists.is_empty()
            || self.order.is_waiting();
        if !was_active && !is_needed && self.directory.retire(self.chat) {
            ctx.stop();
        }
    }

    /// Begins anew after a failure in the middle of a message. actix would drop the actor together with its mailbox;
    /// here only what may be wrong is dropped, and storage knows it all. Subscribers stay, and what was just being
    /// made known is made known once more: sockets drop what they have had.
    fn restart(&mut self) {
        tracing::error!(chat = self.chat.0, "a chat's actor failed and begins anew");
        drop(self.typists.forget_all());
        let finish = || {
            self.finish();
            self.flush();
        };
        if catch_unwind(AssertUnwindSafe(finish)).is_err() {
            // It fails over the event itself: let everybody load the chat again.
            let failed = self.settling.take();
            failed.and_then(|happened| happened.event().map(|event| self.order.note(event.seq)));
            self.outbox.clear();
            let listening = self.subscribers.drain().chain(self.watchers.drain());
            listening.for_each(|(_, socket)| socket.close(CloseReason::Restart));
        }
        self.take_up();
    }
}

// What it accepts.

trait Accept<M> {
    /// Whether it keeps the actor from being idle.
    const IS_USE: bool = true;

    fn accept(&mut self, message: M, ctx: &mut Context<Self>)
    where
        Self: Actor<Context = Context<Self>>;
}

impl Handler<ChatMessage> for ChatActor {
    type Result = ();

    fn handle(&mut self, message: ChatMessage, ctx: &mut Self::Context) {
        match message {
            ChatMessage::Submit(message) => self.take(message, ctx),
            ChatMessage::Settled(message) => self.take(message, ctx),
            ChatMessage::Type(message) => self.take(message, ctx),
            ChatMessage::Subscribe(message) => self.take(message, ctx),
            ChatMessage::Unsubscribe(message) => self.take(message, ctx),
            ChatMessage::Watch(message) => self.take(message, ctx),
            ChatMessage::Unwatch(message) => self.take(message, ctx),
            ChatMessage::LookedUp(message) => self.take(message, ctx),
            ChatMessage::TypingRanOut(message) => self.take(message, ctx),
            ChatMessage::Learned(message) => self.take(message, ctx),
            ChatMessage::Behind(message) => self.take(message, ctx),
            ChatMessage::Fill(message) => self.take(message, ctx),
            ChatMessage::Filled(message) => self.take(message, ctx),
            ChatMessage::Admit(message) => self.take(message, ctx),
            ChatMessage::Admitted(message) => self.take(message, ctx),
            ChatMessage::Typed(message) => self.take(message, ctx),
            ChatMessage::Marked(message) => self.take(message, ctx),
            ChatMessage::Waited(message) => self.take(message, ctx),
        }
    }
}

impl ChatActor {
    /// Accepts a message, and begins anew where that fails.
    fn take<M>(&mut self, message: M, ctx: &mut Context<Self>)
    where
        Self: Accept<M>,
    {
        self.was_active |= <Self as Accept<M>>::IS_USE;
        let accepted = catch_unwind(AssertUnwindSafe(|| {
            self.accept(message, ctx);
            self.send_out(ctx);
        }));
        if accepted.is_err() {
            self.restart();
        }
        self.pulse.beat(self.order.seen().filter(|_| self.has_listeners()));
        if std::mem::take(&mut self.found_nothing) {
            // Whoever tries numbers does not leave an actor behind for each.
            self.was_active = false;
            self.retire_if_idle(ctx);
        }
    }
}

impl Accept<Submit> for ChatActor {
    /// Hands a command to the writer and does not wait: the next one is looked at while this one is being stored.
    /// Whether it may be done is decided there, where it cannot change any more.
    fn accept(&mut self, Submit { command, reply }: Submit, _: &mut Context<Self>) {
        fail_point!("chat-submit");
        let (directory, chat) = (self.directory.clone(), self.chat);
        let settle = move |result: Result<Done, Refusal>| {
            let result = result.map(Arc::new);
            directory.settled(chat, Settled { result, was_submitted: true, reply });
        };
        self.in_flight += 1;
        self.services.writer.submit(command, settle);
    }
}

impl Accept<Settled> for ChatActor {
    fn accept(&mut self, settled: Settled, ctx: &mut Context<Self>) {
        // It may be what another actor has submitted, before the chat was moved.
        self.in_flight = self.in_flight.saturating_sub(usize::from(settled.was_submitted));
        self.found_nothing = matches!(settled.result, Err(Refusal::NotFound));
        // It is durable, and whoever hears of it puts it in its place.
        if let Ok(done) = &settled.result
            && let Some(event) = &done.event
        {
            self.services.bus.publish(News::Happened(event.clone()));
        }
        self.happened(Happened::Here(settled), ctx);
    }
}

impl Accept<Subscribe> for ChatActor {
    fn accept(&mut self, Subscribe { socket, head, done }: Subscribe, _: &mut Context<Self>) {
        self.order.begin(head);
        self.watchers.remove(&socket.id);
        self.subscribers.insert(socket.id, socket);
        drop(done);
    }
}

impl Accept<Unsubscribe> for ChatActor {
    fn accept(&mut self, Unsubscribe { socket }: Unsubscribe, _: &mut Context<Self>) {
        self.subscribers.remove(&socket);
        self.watchers.remove(&socket);
    }
}

impl Accept<Watch> for ChatActor {
    /// A socket that hears everything already goes on doing so.
    fn accept(&mut self, Watch { socket, head, done }: Watch, _: &mut Context<Self>) {
        self.order.begin(head);
        if !self.subscribers.contains_key(&socket.id) {
            self.watchers.insert(socket.id, socket);
        }
        drop(done);
    }
}

impl Accept<Unwatch> for ChatActor {
    fn accept(&mut self, Unwatch { socket, done }: Unwatch, _: &mut Context<Self>) {
        self.watchers.remove(&socket);
        drop(done);
    }
}

impl Accept<Marked> for ChatActor {
    const IS_USE: bool = false;

    fn accept(&mut self, Marked(moved): Marked, _: &mut Context<Self>) {
        self.tell_reader(&moved);
    }
}

// Members whom nobody told that they are.

impl Accept<Admit> for ChatActor {
    /// Somebody is in the chat. Where not all of their sockets know, storage says from where on they are to hear of it.
    fn accept(&mut self, Admit { user }: Admit, _: &mut Context<Self>) {
        if self.newcomers(user).next().is_none() {
            return;
        }
        self.order.pause();
        let (directory, services, chat) = (self.directory.clone(), self.services.clone(), self.chat);
        actix_rt::spawn(async move {
            let rules = services.rules.clone();
            let found = services.readers.ask(move |conn| chat_snapshot::view(conn, &rules, chat, user)).await;
            directory.send(chat, Admitted { user, found: Box::new(found) }.into());
        });
    }
}

impl Accept<Admitted> for ChatActor {
    fn accept(&mut self, Admitted { user, found }: Admitted, ctx: &mut Context<Self>) {
        self.order.resume();
        match *found {
            Ok((snapshot, viewer)) if viewer.role.is_some() => {
                self.order.begin(snapshot.chat.seq);
                let sockets = self.newcomers(user).collect();
                self.welcome(sockets, &viewer, &snapshot, snapshot.chat.seq);
                if snapshot.chat.kind == ChatKind::Dm {
                    let other = snapshot.members.iter().map(|member| member.user.id).find(|id| *id != user);
                    self.services.presence.note(Turn::Met(user, other.unwrap_or(user)));
                }
            }
            // They have gone again, or it is a public room.
            Ok(_) | Err(Refusal::NotFound) => {}
            Err(_) => {
                // The actor itself may be gone by then.
                let (directory, chat) = (self.directory.clone(), self.chat);
                actix_rt::spawn(async move {
                    actix_rt::time::sleep(PAUSE).await;
                    directory.clone().send(chat, Admit { user }.into());
                });
            }
        }
        self.go_on();
        self.fill_later(ctx);
    }
}

impl ChatActor {
    fn newcomers(&self, user: UserId) -> impl Iterator<Item = Arc<Socket>> + '_ {
        let sockets = self.services.registry.sockets_of(user);
        sockets.into_iter().filter(|socket| !self.subscribers.contains_key(&socket.id))
    }

    fn has_listeners(&self) -> bool {
        !self.subscribers.is_empty() || !self.watchers.is_empty()
    }
}
