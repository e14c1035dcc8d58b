//! The chat actor: submits commands to the writer in order, publishes the resulting events in order, then
//! replies to the callers.

pub mod backfill;
mod batcher;
mod fan_out;
mod mention_counts;
mod mentions;
mod roots;
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
    activity::Activity,
    context::{Chats, Services},
    mailbox::{
        ChatMessage, EnsureSubscribed, Marked, MembershipRead, Observe, Settled, Submit, Subscribe,
        Unobserve, Unsubscribe,
    },
    observers::Observers,
    roster::Roster,
    typing::Typing,
};
use crate::{
    bus::{BusMessage, Channel, Listening},
    core::model::{ChatId, ChatKind, Event, Message, Refusal, Seq, UserId, command::Action, event::Done},
    hub::{
        close_reason::CloseReason,
        subscriber::{Subscriber, SubscriberId},
    },
    presence::PresenceChange,
    storage::queries::chat_snapshot,
};

use batcher::Batcher;
use mention_counts::MentionCounts;
use sequencer::{BACKFILL_RETRY_DELAY, PendingEvent, Sequencer};

/// One active chat of this node.
pub struct ChatActor {
    chat: ChatId,
    directory: Arc<dyn Chats>,
    services: Arc<Services>,
    /// Counters shared with the directory.
    activity: Arc<Activity>,
    /// Keeps this node subscribed to what other nodes publish of the chat; `None` until the first subscriber.
    listening: Option<Listening>,
    /// Whether the chat will be compared with storage once this node is subscribed.
    is_checking: bool,
    roster: Roster,
    sequencer: Sequencer,
    /// The root that was last read for an event, with the event's `seq`.
    root: Option<(Seq, Option<Box<Message>>)>,
    /// The mentions that were last counted for an event.
    mention_counts: MentionCounts,
    batcher: Batcher,
    /// Subscribed members' sockets. They get every event.
    subscribers: HashMap<SubscriberId, Arc<Subscriber>>,
    /// Observers of a public room: they get its title and its membership only. No socket is in both maps.
    observers: Observers,
    typing_users: Typing,
    /// Commands submitted to the writer and not yet completed.
    in_flight: usize,
    /// The result being published. It is still set after a panic during publishing.
    publishing: Option<PendingEvent>,
    /// Whether a message kept the actor active since the last idle check.
    was_active: bool,
    /// Whether the latest command failed with `NotFound`; the chat itself may not exist.
    was_not_found: bool,
}

impl ChatActor {
    pub(super) fn new(
        chat: ChatId,
        directory: Arc<dyn Chats>,
        services: Arc<Services>,
        activity: Arc<Activity>,
    ) -> Self {
        Self {
            chat,
            directory,
            listening: None,
            is_checking: false,
            roster: Roster::new(services.meter.as_ref().map(|meter| meter.known_members.clone())),
            services,
            activity,
            sequencer: Sequencer::default(),
            root: None,
            mention_counts: MentionCounts::default(),
            batcher: Batcher::default(),
            subscribers: HashMap::new(),
            observers: Observers::default(),
            typing_users: Typing::default(),
            in_flight: 0,
            publishing: None,
            was_active: true,
            was_not_found: false,
        }
    }
}

// Lifecycle.

impl Actor for ChatActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.services.idle, Self::retire_if_idle);
    }
}

impl ChatActor {
    fn retire_if_idle(&mut self, ctx: &mut Context<Self>) {
        // A socket that closed while it was subscribing could not unsubscribe.
        self.subscribers.retain(|_, socket| socket.is_open());
        self.observers.retain(Subscriber::is_open);
        let was_active = std::mem::replace(&mut self.was_active, false);
        let is_needed = self.in_flight > 0
            || !self.subscribers.is_empty()
            || !self.observers.is_empty()
            || !self.typing_users.is_empty()
            || self.sequencer.is_waiting();
        if !was_active && !is_needed && self.directory.retire(self.chat) {
            ctx.stop();
        }
    }

    /// Recovers from a panic in a handler. actix would drop the actor together with its mailbox. Here only
    /// state that may be inconsistent is dropped, and storage has all of it. Subscribers are kept. The event
    /// being published is published again; sockets drop it as a duplicate.
    fn restart(&mut self) {
        tracing::error!(chat = self.chat.0, "a chat actor panicked; restarting it");
        drop(self.typing_users.forget_all());
        self.roster.forget();
        let finish = || {
            self.finish();
            self.flush();
        };
        if catch_unwind(AssertUnwindSafe(finish)).is_err() {
            // Publishing this event panics each time: close all subscribers, so that they reconnect and load
            // the chat again.
            let failed = self.publishing.take();
            failed.and_then(|pending| pending.event().map(|event| self.note(event)));
            self.batcher.clear();
            let members = self.subscribers.drain().map(|(_, socket)| socket);
            members.chain(self.observers.drain()).for_each(|socket| socket.close(CloseReason::Restart));
        }
        self.resume_backfill();
    }
}

// Message handlers.

impl Handler<ChatMessage> for ChatActor {
    type Result = ();

    /// Handles a message; restarts the actor's state if the handler panics.
    fn handle(&mut self, message: ChatMessage, ctx: &mut Self::Context) {
        self.was_active |= message.keeps_active();
        let accepted = catch_unwind(AssertUnwindSafe(|| {
            self.accept(message, ctx);
            self.send_out(ctx);
        }));
        if accepted.is_err() {
            self.restart();
        }
        self.activity.beat(self.sequencer.seen().filter(|_| self.has_subscribers()));
        if std::mem::take(&mut self.was_not_found) {
            // Retire at once: probing unknown ids must not leave one actor per id.
            self.was_active = false;
            self.retire_if_idle(ctx);
        }
    }
}

impl ChatActor {
    fn accept(&mut self, message: ChatMessage, ctx: &mut Context<Self>) {
        match message {
            ChatMessage::Submit(message) => self.on_submit(message),
            ChatMessage::Settled(message) => self.on_settled(message, ctx),
            ChatMessage::Type(message) => self.on_type(message, ctx),
            ChatMessage::Subscribe(message) => self.on_subscribe(message),
            ChatMessage::Unsubscribe(message) => self.on_unsubscribe(message),
            ChatMessage::Observe(message) => self.on_observe(message),
            ChatMessage::Unobserve(message) => self.on_unobserve(message),
            ChatMessage::LookedUp(message) => self.on_looked_up(message, ctx),
            ChatMessage::TypingTimeout(message) => self.on_typing_timeout(message, ctx),
            ChatMessage::RemoteEvent(message) => self.on_remote_event(message, ctx),
            ChatMessage::GapDetected(message) => self.on_gap_detected(message, ctx),
            ChatMessage::Backfill(_) => self.on_backfill(),
            ChatMessage::BackfillResult(message) => self.on_backfill_result(message, ctx),
            ChatMessage::RootRead(message) => self.on_root_read(message),
            ChatMessage::MentionsCounted(message) => self.on_mentions_counted(message),
            ChatMessage::EnsureSubscribed(message) => self.on_ensure_subscribed(message),
            ChatMessage::MembershipRead(message) => self.on_membership_read(message, ctx),
            ChatMessage::RemoteTyping(message) => self.on_remote_typing(message, ctx),
            ChatMessage::Marked(message) => self.on_marked(message),
            ChatMessage::BatchTimeout(message) => self.on_batch_timeout(message, ctx),
        }
    }

    /// Submits a command to the writer without waiting, so the next command is accepted while this one is
    /// stored. A post of a known member is permitted here, and the writer's transaction checks that the members
    /// have not changed. Everything else is permitted there.
    fn on_submit(&mut self, Submit { command, reply, log_context }: Submit) {
        fail_point!("chat-submit");
        let (directory, chat) = (self.directory.clone(), self.chat);
        let settle = move |result: Result<Done, Refusal>| {
            let result = result.map(Arc::new);
            directory.settled(chat, Settled { result, was_submitted: true, reply });
        };
        self.in_flight += 1;
        let is_post = matches!(command.action, Action::PostMessage { .. });
        let decided_at = if is_post { self.roster.permits_post(command.by) } else { None };
        self.services.writer.submit(command, decided_at, log_context, settle);
    }

    fn on_settled(&mut self, settled: Settled, ctx: &mut Context<Self>) {
        // The result may belong to a command of an earlier actor, from before `migrate_to_current`.
        self.in_flight = self.in_flight.saturating_sub(usize::from(settled.was_submitted));
        self.was_not_found = matches!(settled.result, Err(Refusal::NotFound));
        if let Ok(done) = &settled.result {
            done.standing.iter().for_each(|standing| self.roster.learn(standing));
            // The event is durable. Receivers order events by `seq`.
            if let Some(event) = &done.event {
                self.roster.note(&event.change);
                self.services.bus.publish(BusMessage::Event(event.clone()));
            }
        }
        self.publish_in_order(PendingEvent::Here(settled), ctx);
    }

    fn on_subscribe(&mut self, Subscribe { socket, head, done }: Subscribe) {
        self.listen();
        self.sequencer.begin(head);
        self.observers.remove(socket.id);
        self.subscribers.insert(socket.id, socket);
        self.services.bus.once_listening(Channel::Chat(self.chat), done);
    }

    fn on_unsubscribe(&mut self, Unsubscribe { socket }: Unsubscribe) {
        self.subscribers.remove(&socket);
        self.observers.remove(socket);
    }

    /// Adds an observer, unless the socket is already subscribed as a member.
    fn on_observe(&mut self, Observe { socket, head, done }: Observe) {
        self.listen();
        self.sequencer.begin(head);
        if !self.subscribers.contains_key(&socket.id) {
            self.observers.insert(socket);
        }
        self.services.bus.once_listening(Channel::Chat(self.chat), done);
    }

    fn on_unobserve(&mut self, Unobserve { socket, done }: Unobserve) {
        self.observers.remove(socket);
        drop(done);
    }

    fn on_marked(&mut self, Marked(moved): Marked) {
        self.deliver_to_reader(&moved);
    }
}

// Members whose sockets missed the event that added them.

impl ChatActor {
    /// Ensures that a member's sockets are subscribed. If some are not, reads the chat from storage; its
    /// `seq` is where their subscription begins.
    fn on_ensure_subscribed(&mut self, EnsureSubscribed { user }: EnsureSubscribed) {
        if self.unsubscribed_sockets_of(user).next().is_none() {
            return;
        }
        self.sequencer.pause();
        let (directory, services, chat) = (self.directory.clone(), self.services.clone(), self.chat);
        actix_rt::spawn(async move {
            let policy = services.policy.clone();
            let found =
                services.readers.query(move |conn| chat_snapshot::view(conn, &policy, chat, user)).await;
            directory.send(chat, MembershipRead { user, found: Box::new(found) }.into());
        });
    }

    fn on_membership_read(
        &mut self,
        MembershipRead { user, found }: MembershipRead,
        ctx: &mut Context<Self>,
    ) {
        self.sequencer.resume();
        match *found {
            Ok((snapshot, viewer)) if viewer.role.is_some() => {
                let sockets: Vec<_> = self.unsubscribed_sockets_of(user).collect();
                if !sockets.is_empty() {
                    self.sequencer.begin(snapshot.chat.seq);
                }
                self.subscribe_new_member(sockets, &viewer, &snapshot, snapshot.chat.seq);
                if snapshot.chat.kind == ChatKind::Dm {
                    let other = snapshot.members.iter().map(|member| member.user.id).find(|id| *id != user);
                    self.services.presence.note(PresenceChange::NewDm(user, other.unwrap_or(user)));
                }
            }
            // The user has left again, or it is a public room.
            Ok(_) | Err(Refusal::NotFound) => {}
            Err(_) => {
                // Sent through the directory: this actor may have retired by then.
                let (directory, chat) = (self.directory.clone(), self.chat);
                actix_rt::spawn(async move {
                    actix_rt::time::sleep(BACKFILL_RETRY_DELAY).await;
                    directory.clone().send(chat, EnsureSubscribed { user }.into());
                });
            }
        }
        self.publish_held();
        self.schedule_backfill(ctx);
    }

    fn unsubscribed_sockets_of(&self, user: UserId) -> impl Iterator<Item = Arc<Subscriber>> + '_ {
        let sockets = self.services.hub.sockets_of(user);
        sockets.into_iter().filter(|socket| !self.subscribers.contains_key(&socket.id))
    }

    /// Subscribes to what other nodes publish of the chat, until the actor ends.
    fn listen(&mut self) {
        self.listening.get_or_insert_with(|| self.services.bus.listen(Channel::Chat(self.chat)));
    }

    /// Records that an event was published. Before the first subscriber, this node does not know the events
    /// of other nodes, so there is nothing to order.
    fn note(&mut self, event: &Event) {
        match self.listening {
            Some(_) => self.sequencer.note(event.seq),
            None => self.sequencer.note_before(event.seq),
        }
    }

    fn has_subscribers(&self) -> bool {
        !self.subscribers.is_empty() || !self.observers.is_empty()
    }
}
