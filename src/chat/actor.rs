//! A chat: it takes commands in order to the writer, takes what came of them in order to the sockets, and answers.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use bytestring::ByteString;
use fail::fail_point;

use super::{
    directory::{ChatDirectory, Services},
    messages::{Answered, Queued, RosterLoaded, Settled, Submit, Subscribe, Type, TypingRanOut, Unsubscribe},
    roster::Roster,
    socket::{CloseReason, Socket, SocketId, Standing},
};
use crate::{
    model::{
        Change, ChatId, ChatSnapshot, Event, MessageId, Refusal, Role, Seq, UserId, Viewer,
        event::{Answer, Done, MarkerMoved, MembersChanged},
    },
    storage::members,
    view::frames,
};

/// Somebody who says nothing more of typing has stopped after so long.
const TYPING_LASTS: Duration = Duration::from_secs(6);

/// One active chat of this node.
pub struct ChatActor {
    chat: ChatId,
    directory: Arc<ChatDirectory>,
    services: Arc<Services>,
    /// Messages in the mailbox, counted in by the directory.
    queued: Arc<AtomicUsize>,
    /// Those who hear of what happens here, all of them sockets of members.
    subscribers: HashMap<SocketId, Arc<Socket>>,
    /// Who is in the chat; loaded when first needed.
    roster: Option<Roster>,
    /// The latest change of members that was made known; a roster read before it is of no use any more.
    members_seq: Seq,
    /// What waits for the roster.
    awaiting_roster: Vec<Type>,
    /// Who types, each with the number of their latest sign of it.
    typing: HashMap<UserId, u64>,
    typing_turn: u64,
    /// Commands that are with the writer.
    in_flight: usize,
    /// What is being made known right now; still here after a failure in the middle of it.
    settling: Option<Settled>,
    /// Whether anything happened since the last look.
    was_active: bool,
    /// Whether the latest command was for something that is not there, perhaps the chat itself.
    found_nothing: bool,
}

impl ChatActor {
    pub(super) fn new(
        chat: ChatId,
        directory: Arc<ChatDirectory>,
        services: Arc<Services>,
        queued: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            chat,
            directory,
            services,
            queued,
            subscribers: HashMap::new(),
            roster: None,
            members_seq: 0,
            awaiting_roster: Vec::new(),
            typing: HashMap::new(),
            typing_turn: 0,
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
        let was_active = std::mem::replace(&mut self.was_active, false);
        let is_needed = self.in_flight > 0
            || !self.subscribers.is_empty()
            || !self.awaiting_roster.is_empty()
            || !self.typing.is_empty();
        if !was_active && !is_needed && self.directory.retire(self.chat) {
            ctx.stop();
        }
    }

    /// Begins anew after a failure in the middle of a message. actix would drop the actor together with its mailbox;
    /// here only what may be wrong is dropped, and storage knows it all. Subscribers stay, and what was just being
    /// made known is made known once more: sockets drop what they have had.
    fn restart(&mut self) {
        tracing::error!(chat = self.chat.0, "a chat's actor failed and begins anew");
        self.roster = None;
        self.typing.clear();
        self.awaiting_roster.clear();
        if self.settling.is_some() && catch_unwind(AssertUnwindSafe(|| self.make_known())).is_err() {
            // It fails over the event itself: let everybody load the chat again.
            self.settling = None;
            self.subscribers.drain().for_each(|(_, socket)| socket.close(CloseReason::Restart));
        }
    }
}

// What it accepts.

trait Accept<M> {
    fn accept(&mut self, message: M, ctx: &mut Context<Self>)
    where
        Self: Actor<Context = Context<Self>>;
}

impl<M> Handler<Queued<M>> for ChatActor
where
    Self: Accept<M>,
{
    type Result = ();

    fn handle(&mut self, Queued(message): Queued<M>, ctx: &mut Self::Context) {
        self.was_active = true;
        if catch_unwind(AssertUnwindSafe(|| self.accept(message, ctx))).is_err() {
            self.restart();
        }
        self.queued.fetch_sub(1, Ordering::Release);
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
            directory.send(chat, Settled { result, reply });
        };
        self.services.writer.submit(command, settle);
        self.in_flight += 1;
    }
}

impl Accept<Settled> for ChatActor {
    fn accept(&mut self, settled: Settled, _: &mut Context<Self>) {
        // An announced chat was not submitted through its actor.
        self.in_flight = self.in_flight.saturating_sub(1);
        self.found_nothing = matches!(settled.result, Err(Refusal::NotFound));
        self.settling = Some(settled);
        self.make_known();
    }
}

impl Accept<Subscribe> for ChatActor {
    fn accept(&mut self, Subscribe { socket, done }: Subscribe, _: &mut Context<Self>) {
        self.subscribers.insert(socket.id, socket);
        drop(done);
    }
}

impl Accept<Unsubscribe> for ChatActor {
    fn accept(&mut self, Unsubscribe { socket }: Unsubscribe, _: &mut Context<Self>) {
        self.subscribers.remove(&socket);
    }
}

impl Accept<Type> for ChatActor {
    /// Members type; who seems to be none is looked up once more, since the roster may be behind.
    fn accept(&mut self, typing: Type, ctx: &mut Context<Self>) {
        if self.roster.as_ref().is_some_and(|roster| roster.has(typing.user)) {
            self.note_typing(typing.user, typing.is_typing, ctx);
            return typing.reply.send(Ok(Answered::Done));
        }
        self.awaiting_roster.push(typing);
        if self.awaiting_roster.len() == 1 {
            self.load_roster();
        }
    }
}

impl Accept<RosterLoaded> for ChatActor {
    fn accept(&mut self, RosterLoaded(result): RosterLoaded, ctx: &mut Context<Self>) {
        // Somebody may have gone between the reading and now. A chat that is deleted has no members, and no number.
        if let Ok((as_of, members)) = &result
            && *as_of < self.members_seq
            && !members.is_empty()
        {
            return self.load_roster();
        }
        let waiting = std::mem::take(&mut self.awaiting_roster);
        let refusal = match result {
            Ok((as_of, members)) => {
                self.roster = Some(Roster::new(as_of, members));
                Refusal::NotFound
            }
            Err(refusal) => refusal,
        };
        for typing in waiting {
            let is_member = self.roster.as_ref().is_some_and(|roster| roster.has(typing.user));
            if is_member {
                self.note_typing(typing.user, typing.is_typing, ctx);
            }
            typing.reply.send(if is_member { Ok(Answered::Done) } else { Err(refusal.clone()) });
        }
    }
}

impl Accept<TypingRanOut> for ChatActor {
    fn accept(&mut self, TypingRanOut { user, turn }: TypingRanOut, ctx: &mut Context<Self>) {
        if self.typing.get(&user) == Some(&turn) {
            self.note_typing(user, false, ctx);
        }
    }
}

// Typing.

impl ChatActor {
    fn load_roster(&self) {
        let (directory, readers, chat) = (self.directory.clone(), self.services.readers.clone(), self.chat);
        actix_rt::spawn(async move {
            let roster = readers.ask(move |conn| members::roster(conn, chat)).await;
            directory.send(chat, RosterLoaded(roster));
        });
    }

    fn note_typing(&mut self, user: UserId, is_typing: bool, ctx: &mut Context<Self>) {
        let was_typing = self.typing.remove(&user).is_some();
        if is_typing {
            self.typing_turn += 1;
            let turn = self.typing_turn;
            self.typing.insert(user, turn);
            ctx.run_later(TYPING_LASTS, move |actor, _| {
                actor.directory.send(actor.chat, TypingRanOut { user, turn });
            });
        }
        if is_typing || was_typing {
            let frame = frames::typing(self.chat, user, is_typing);
            self.deliver(None, Standing::Same, &frame, |socket| socket.user != user);
        }
    }
}

// Making known what happened.

impl ChatActor {
    /// Fans out what was settled, and then answers: nobody is told that something is done whose news is not on the way.
    fn make_known(&mut self) {
        let Some(result) = self.settling.as_ref().map(|settled| settled.result.clone()) else { return };
        let answer = result.map(|done| self.publish(&done));
        if let Some(Settled { reply, .. }) = self.settling.take() {
            reply.send(answer);
        }
    }

    fn publish(&mut self, done: &Done) -> Answered {
        fail_point!("chat-publish");
        let links = &self.services.links;
        let message = done.event.as_ref().and_then(|event| match &event.change {
            Change::MessagePosted { message } | Change::MessageEdited { message } => {
                Some(frames::message(message, links))
            }
            _ => None,
        });
        if let Some(event) = &done.event {
            self.fan_out(event, message.as_ref());
        }
        if let Some(moved) = &done.quiet_marker {
            let frame = frames::read(self.chat, None, moved, Some(moved.unread_count));
            self.deliver(None, Standing::Same, &frame, |socket| socket.user == moved.user);
        }
        self.answer(done, message)
    }

    fn answer(&self, done: &Done, message: Option<ByteString>) -> Answered {
        let posted = || {
            let change = done.event.as_ref().map(|event| &event.change);
            matches!(change, Some(Change::MessagePosted { .. }))
        };
        match &done.answer {
            Answer::Message => Answered::Message { json: message.unwrap_or_default(), created: posted() },
            Answer::Unchanged(message) => {
                Answered::Message { json: frames::message(message, &self.services.links), created: false }
            }
            Answer::Done => Answered::Done,
            Answer::Reacted { added } => Answered::Reacted { added: *added },
            Answer::Marked(count) => Answered::Marked(*count),
            Answer::Added(count) => Answered::Added(*count),
            Answer::Member(member) => Answered::Member(member.clone()),
        }
    }

    fn fan_out(&mut self, event: &Event, message: Option<&ByteString>) {
        let seq = event.seq;
        match &event.change {
            Change::ChatCreated { snapshot, members } => {
                for (user, role) in members {
                    let viewer = newcomer(*user, *role, None);
                    self.welcome(&viewer, snapshot, seq);
                }
            }
            Change::MembersChanged(change) => self.fan_out_members(event, change),
            Change::MarkerMoved(moved) => self.fan_out_marker(seq, moved),
            Change::ChatDeleted => {
                let frame = frames::chat_deleted(self.chat, Some(seq));
                self.deliver(Some(seq), Standing::Leaves, &frame, |_| true);
                self.subscribers.clear();
                // Nobody is in it any more; who asks again finds that out from storage.
                self.roster = None;
                self.members_seq = seq;
            }
            change => {
                if let Change::MessagePosted { message } = change {
                    // Who posts has stopped typing; their message says so.
                    self.typing.remove(&message.sender.id);
                }
                if let Some(frame) = frames::shared(event, message, &self.services.links) {
                    self.deliver(Some(seq), Standing::Same, &frame, |_| true);
                }
            }
        }
    }

    /// Who was removed hears that the chat is gone and nothing after; the others hear who came and went; who came
    /// hears of the chat before anything in it.
    fn fan_out_members(&mut self, event: &Event, change: &MembersChanged) {
        let seq = event.seq;
        self.members_seq = seq;
        if let Some(roster) = &mut self.roster {
            roster.apply(seq, change);
        }
        for user in &change.removed {
            self.typing.remove(user);
            let frame = frames::chat_deleted(self.chat, Some(seq));
            self.deliver(Some(seq), Standing::Leaves, &frame, |socket| socket.user == *user);
            self.subscribers.retain(|_, socket| socket.user != *user);
        }
        if let Some(frame) = frames::shared(event, None, &self.services.links) {
            self.deliver(Some(seq), Standing::Same, &frame, |_| true);
        }
        for member in &change.added {
            if let Some(snapshot) = &change.snapshot {
                let viewer = newcomer(member.user.id, member.role, member.last_read_message_id);
                self.welcome(&viewer, snapshot, seq);
            }
        }
    }

    fn fan_out_marker(&mut self, seq: Seq, moved: &MarkerMoved) {
        let frame = frames::read(self.chat, Some(seq), moved, None);
        self.deliver(Some(seq), Standing::Same, &frame, |socket| socket.user != moved.user);
        let own = frames::read(self.chat, Some(seq), moved, Some(moved.unread_count));
        self.deliver(Some(seq), Standing::Same, &own, |socket| socket.user == moved.user);
    }

    /// Subscribes the sockets of somebody who is new here, and tells them of the chat.
    fn welcome(&mut self, viewer: &Viewer, snapshot: &ChatSnapshot, seq: Seq) {
        let sockets = self.services.registry.sockets_of(viewer.id);
        if sockets.is_empty() {
            return;
        }
        let frame = frames::chat_created(snapshot, seq, viewer, &self.services.links);
        for socket in sockets {
            socket.deliver(self.chat, Some(seq), Standing::Joins, frame.clone());
            self.subscribers.insert(socket.id, socket);
        }
    }

    fn deliver(
        &self,
        seq: Option<Seq>,
        standing: Standing,
        frame: &ByteString,
        to: impl Fn(&Socket) -> bool,
    ) {
        for socket in self.subscribers.values().filter(|socket| to(socket)) {
            socket.deliver(self.chat, seq, standing, frame.clone());
        }
    }
}

/// Who comes begins with everything read.
fn newcomer(id: UserId, role: Role, last_read_message_id: Option<MessageId>) -> Viewer {
    Viewer { id, role, last_read_message_id, unread_count: 0 }
}
