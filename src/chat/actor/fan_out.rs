//! Publishes results: fans an event out to all subscribers, then answers the command.

use std::sync::Arc;

use bytestring::ByteString;
use fail::fail_point;

use super::{ChatActor, PendingEvent, batcher::Forms};
use crate::{
    bus::{BusMessage, Channel},
    chat::{
        drafts,
        mailbox::{Answered, EnsureSubscribed, Settled, Type},
    },
    core::model::{
        Change, ChatKind, ChatSnapshot, Contacts, Event, GuestAccess, Me, MessageId, Refusal, Role, Seq,
        UserId, Viewer,
        event::{Answer, Done, MarkerMoved, MeChanged, MembersChanged},
    },
    hub::{FrameBatch, frame_batch::SubscriptionChange, subscriber::Subscriber},
    presence::PresenceChange,
    view::frames,
};

impl ChatActor {
    /// Fans out the event, then answers the caller. A caller never gets a success before the event was handed
    /// to all subscribers.
    pub(super) fn publish(&mut self, pending: PendingEvent) {
        self.publishing = Some(pending);
        self.finish();
    }

    /// Publishes `publishing`. Also called after a panic, to publish it again.
    pub(super) fn finish(&mut self) {
        fail_point!("chat-publish");
        let Some(pending) = &self.publishing else { return };
        let (event, is_here) = (pending.event().cloned(), matches!(pending, PendingEvent::Here(_)));
        let is_wanted = is_here || !self.subscribers.is_empty() || self.observers.has_guests();
        let message = event.as_deref().filter(|_| is_wanted).and_then(|event| self.rendered(event));
        if let Some(event) = event {
            // Without a known `seq`, an event from another node may be older than the chat's current state.
            if self.sequencer.is_new(event.seq) && (is_here || self.sequencer.seen().is_some()) {
                self.fan_out(&event, message.as_ref());
                self.note(&event);
            } else {
                self.ensure_newcomers_subscribed(&event);
            }
        }
        if let Some(PendingEvent::Here(settled)) = self.publishing.take() {
            self.answer_with(settled, message);
        }
    }

    /// Ensures the subscription of users added by an event that is skipped: their sockets may not have got
    /// it.
    fn ensure_newcomers_subscribed(&self, event: &Event) {
        let (directory, hub) = (&self.directory, &self.services.hub);
        let connected = event.newcomers().filter(|user| hub.is_connected(*user));
        connected.for_each(|user| directory.clone().send(self.chat, EnsureSubscribed { user }.into()));
    }

    /// Answers the caller of a completed command.
    pub(super) fn answer(&self, settled: Settled) {
        let event = settled.result.as_ref().ok().and_then(|done| done.event.clone());
        self.answer_with(settled, event.and_then(|event| self.rendered(&event)));
    }

    fn answer_with(&self, settled: Settled, message: Option<ByteString>) {
        let answer = settled.result.map(|done| {
            if let Some(moved) = &done.quiet_marker {
                self.deliver_to_reader(moved);
                self.services.bus.publish(BusMessage::Marked { chat: self.chat, moved: moved.clone() });
            }
            done.drafts.iter().for_each(|changed| {
                drafts::deliver(&self.services, changed);
                self.services.bus.publish(BusMessage::Drafted(Box::new(changed.clone())));
            });
            self.answer_to(&done, message)
        });
        settled.reply.send(answer);
    }

    fn rendered(&self, event: &Event) -> Option<ByteString> {
        match &event.change {
            Change::MessagePosted { message, .. } | Change::MessageEdited { message, .. } => {
                Some(frames::message(message, &self.services.links))
            }
            _ => None,
        }
    }

    /// Delivers a read marker to its reader only, in a chat without read receipts.
    pub(super) fn deliver_to_reader(&self, moved: &MarkerMoved) {
        let batch = self.batch(None, SubscriptionChange::Same, &frames::own_read(self.chat, None, moved));
        self.sockets_of(moved.user).iter().for_each(|socket| socket.deliver(&batch));
    }

    fn answer_to(&self, done: &Done, message: Option<ByteString>) -> Answered {
        let posted = || {
            let change = done.event.as_ref().map(|event| &event.change);
            matches!(change, Some(Change::MessagePosted { .. }))
        };
        match &done.answer {
            Answer::Message => {
                let message = message.unwrap_or_default();
                let json = frames::with_ignored_mentions(message, &done.mentions_ignored);
                Answered::Message { json, created: posted() }
            }
            Answer::Unchanged(message) => {
                Answered::Message { json: frames::message(message, &self.services.links), created: false }
            }
            Answer::Done => Answered::Done,
            Answer::Deleted { is_left } => Answered::Deleted { is_left: *is_left },
            Answer::Reacted { added } => Answered::Reacted { added: *added },
            Answer::HandedOver { is_left } => Answered::HandedOver { is_left: *is_left },
            Answer::Marked(count) => Answered::Marked(*count),
            Answer::Added(count) => Answered::Added(*count),
            Answer::Member(member) => Answered::Member(member.clone()),
            Answer::Draft(draft) => Answered::Draft(draft.clone()),
        }
    }

    fn fan_out(&mut self, event: &Event, message: Option<&ByteString>) {
        if let Some(meter) = &self.services.meter {
            meter.made_known(&event.change);
        }
        let seq = event.seq;
        match &event.change {
            Change::ChatCreated { snapshot, members, join_counts } => {
                self.services.hub.advance_join_counts(join_counts);
                for (user, role) in members {
                    let sockets = self.services.hub.sockets_of(*user);
                    let viewer = new_member(snapshot.chat.kind, (*user, *role), None);
                    self.subscribe_new_member(sockets, &viewer, snapshot, seq);
                }
                if let (ChatKind::Dm, [(one, _), (other, _)]) = (snapshot.chat.kind, members.as_slice()) {
                    self.services.presence.note(PresenceChange::NewDm(*one, *other));
                }
            }
            Change::MembersChanged(change) => self.fan_out_members(event, change),
            Change::MarkerMoved(moved) => self.fan_out_marker(event, moved),
            Change::MeChanged(changed) => self.fan_out_me(seq, changed),
            Change::ChatDeleted => self.end(Some(seq), seq),
            Change::OwnOnly => {}
            change => {
                if let Change::MessagePosted { message, .. } = change {
                    // Posting ends typing. The message itself tells clients so; no typing event is sent.
                    self.typing_users.stop(message.sender.id, message.thread);
                }
                self.deliver_to_all(event, message);
            }
        }
        self.deliver_own(event);
    }

    /// Delivers to single users what changed for them alone.
    fn deliver_own(&mut self, event: &Event) {
        if event.own.is_empty() && event.mentions.is_none() {
            return;
        }
        self.flush();
        for own in event.own.iter().cloned().chain(self.counted_mentions(event)) {
            let batch = FrameBatch::addition(self.chat, event.seq, &frames::own(event, &own));
            self.sockets_of(own.user).iter().for_each(|socket| socket.deliver(&batch));
        }
    }

    /// Publishes `chat_deleted` and drops all subscribers. `seq` is the deletion's number, if known; sockets
    /// treat the event as number `last`.
    pub(super) fn end(&mut self, seq: Option<Seq>, last: Seq) {
        let frame = frames::chat_deleted(self.chat, seq);
        self.deliver(Some(last), SubscriptionChange::Leaves, &frame, |_| true);
        self.deliver_to_observers(last, SubscriptionChange::ObservationEnds, &frame);
        self.subscribers.clear();
        self.observers.drain();
        refuse_typing(self.typing_users.forget_all());
    }

    /// Delivers an event to all members. Observers get only the part that they may see.
    fn deliver_to_all(&mut self, event: &Event, message: Option<&ByteString>) {
        self.deliver_to_guests(event, message);
        let links = &self.services.links;
        if !self.subscribers.is_empty() {
            let root = self.root_of(event);
            let without_threads = event.thread_reply().map(|_| frames::without_threads(event, root, links));
            let all = frames::all(event, message, links);
            self.batcher.put(event.seq, Forms { all, without_threads });
        }
        if self.observers.is_empty() {
            return;
        }
        // Guests do not see who is in a room.
        let names_people = self.services.policy.contacts == Contacts::All;
        for (to_guests, names_people) in [(false, names_people), (true, false)] {
            if (!to_guests || self.observers.has_guests())
                && let Some(frame) = frames::outline(event, names_people, links)
            {
                let batch = self.batch(Some(event.seq), SubscriptionChange::Watches, &frame);
                let some = self.observers.all().filter(|socket| socket.is_guest == to_guests);
                some.for_each(|socket| socket.deliver(&batch));
            }
        }
    }

    /// Delivers messages to observers who are guests: a room that they observe is open to them, so they may read it
    /// without joining. Ends their observation once it is not.
    fn deliver_to_guests(&mut self, event: &Event, message: Option<&ByteString>) {
        if !self.observers.has_guests() {
            return;
        }
        let is_message = matches!(
            event.change,
            Change::MessagePosted { .. }
                | Change::MessageEdited { .. }
                | Change::MessageDeleted { .. }
                | Change::ReactionsChanged { .. }
                | Change::PinsChanged { .. }
                | Change::UserMerged { .. }
        );
        let is_closed = matches!(&event.change,
            Change::ChatRenamed { snapshot } if snapshot.chat.guest_access == GuestAccess::None);
        if is_closed {
            self.end_observation_of_guests(event.seq);
        } else if is_message {
            for knows_threads in [true, false] {
                let links = &self.services.links;
                let events = match event.thread_reply() {
                    Some(_) if !knows_threads => frames::without_threads(event, self.root_of(event), links),
                    _ => frames::all(event, message, links),
                };
                let events: Vec<_> = events.into_iter().map(|frame| (Some(event.seq), frame)).collect();
                let receivers =
                    self.observers.guests().filter(|socket| socket.knows_threads == knows_threads);
                if !events.is_empty() {
                    let batch = FrameBatch::of_many(self.chat, SubscriptionChange::Watches, &events, None);
                    receivers.for_each(|socket| socket.deliver(&batch));
                }
            }
        }
    }

    /// Ends the observation of guests, as if the chat was deleted.
    pub(super) fn end_observation_of_guests(&mut self, seq: Seq) {
        if !self.observers.has_guests() {
            return;
        }
        let frame = frames::chat_deleted(self.chat, Some(seq));
        let batch = self.batch(Some(seq), SubscriptionChange::ObservationEnds, &frame);
        self.observers.guests().for_each(|socket| socket.deliver(&batch));
        self.observers.retain(|socket| !socket.is_guest);
    }

    /// Publishes a membership change. Removed users get `chat_deleted` and nothing after it. Remaining
    /// members get `members_changed`. Added users get `chat_created` before any other event of the chat.
    fn fan_out_members(&mut self, event: &Event, change: &MembersChanged) {
        let seq = event.seq;
        self.flush();
        self.services.hub.advance_join_counts(&change.join_counts);
        self.remove_members(&change.removed, seq);
        // New members are no longer observers; `chat_created` is their first event.
        if !self.observers.is_empty() {
            for member in &change.added {
                for socket in self.services.hub.sockets_of(member.user.id) {
                    self.observers.remove(socket.id);
                }
            }
        }
        // After leaving and joining again, a user gets `chat_created` like a new member.
        for member in &change.added {
            for socket in self.services.hub.sockets_of(member.user.id) {
                self.subscribers.remove(&socket.id);
            }
        }
        self.deliver_to_all(event, None);
        self.flush();
        for member in &change.added {
            if !change.removed.is_empty() {
                // The user took the place of a guest, with the guest's read marker: storage knows what is unread.
                let (user, directory) = (member.user.id, self.directory.clone());
                directory.send(self.chat, EnsureSubscribed { user }.into());
            } else if let Some(snapshot) = &change.snapshot {
                let who = (member.user.id, member.role);
                let viewer = new_member(snapshot.chat.kind, who, member.last_read_message_id);
                self.subscribe_new_member(self.services.hub.sockets_of(viewer.id), &viewer, snapshot, seq);
            }
        }
    }

    /// Sends `chat_deleted` to removed users and unsubscribes their sockets.
    pub(super) fn remove_members(&mut self, users: &[UserId], seq: Seq) {
        if users.is_empty() {
            return;
        }
        self.flush();
        let frame = frames::chat_deleted(self.chat, Some(seq));
        let batch = self.batch(Some(seq), SubscriptionChange::Leaves, &frame);
        for user in users {
            refuse_typing(self.typing_users.forget(*user));
            for socket in self.sockets_of(*user) {
                socket.deliver(&batch);
                self.subscribers.remove(&socket.id);
            }
        }
    }

    fn fan_out_marker(&mut self, event: &Event, moved: &MarkerMoved) {
        if let Some(frame) = frames::shared(event, None, &self.services.links) {
            self.deliver(Some(event.seq), SubscriptionChange::Same, &frame, |socket| {
                socket.user != moved.user
            });
        }
        let own = frames::own_read(self.chat, Some(event.seq), moved);
        self.deliver(Some(event.seq), SubscriptionChange::Same, &own, |socket| socket.user == moved.user);
    }

    /// Delivers a member's own settings to that member only. Other subscribers skip this `seq`.
    fn fan_out_me(&mut self, seq: Seq, changed: &MeChanged) {
        self.flush();
        let batch =
            self.batch(Some(seq), SubscriptionChange::Same, &frames::me_updated(self.chat, seq, changed));
        self.sockets_of(changed.user).iter().for_each(|socket| socket.deliver(&batch));
    }

    /// Subscribes a new member's sockets and sends them `chat_created`.
    pub(super) fn subscribe_new_member(
        &mut self,
        sockets: Vec<Arc<Subscriber>>,
        viewer: &Viewer,
        snapshot: &ChatSnapshot,
        seq: Seq,
    ) {
        if sockets.is_empty() {
            return;
        }
        let is_first = self.listening.is_none();
        self.listen();
        self.flush();
        let frame = frames::chat_created(snapshot, seq, viewer, &self.services.links);
        let batch = self.batch(Some(seq), SubscriptionChange::Joins, &frame);
        for socket in sockets {
            socket.deliver(&batch);
            self.observers.remove(socket.id);
            self.subscribers.insert(socket.id, socket);
        }
        if is_first || !self.services.bus.is_listening(Channel::Chat(self.chat)) {
            self.check_once_listening();
        }
    }

    /// Returns a user's subscribed sockets. It looks them up by user in the hub, so that the cost does not
    /// depend on the number of subscribers.
    fn sockets_of(&self, user: UserId) -> Vec<Arc<Subscriber>> {
        let mut sockets = self.services.hub.sockets_of(user);
        sockets.retain(|socket| self.subscribers.contains_key(&socket.id));
        sockets
    }

    fn deliver_to_observers(&self, seq: Seq, change: SubscriptionChange, frame: &ByteString) {
        let batch = self.batch(Some(seq), change, frame);
        self.observers.all().for_each(|socket| socket.deliver(&batch));
    }

    pub(super) fn deliver(
        &mut self,
        seq: Option<Seq>,
        change: SubscriptionChange,
        frame: &ByteString,
        to: impl Fn(&Subscriber) -> bool,
    ) {
        self.flush();
        let batch = self.batch(seq, change, frame);
        self.subscribers.values().filter(|socket| to(socket)).for_each(|socket| socket.deliver(&batch));
    }

    pub(super) fn batch(
        &self,
        seq: Option<Seq>,
        change: SubscriptionChange,
        event: &ByteString,
    ) -> Arc<FrameBatch> {
        FrameBatch::of(Some(self.chat), seq, change, event)
    }
}

/// Refuses typing signals of non-members.
fn refuse_typing(signals: Vec<Type>) {
    signals.into_iter().for_each(|typing| typing.reply.send(Err(Refusal::NotFound)));
}

/// Builds the view of a new member: no unread messages, default settings.
fn new_member(kind: ChatKind, (id, role): (UserId, Role), last_read_message_id: Option<MessageId>) -> Viewer {
    let (role, me) = (Some(role), Me::default_of(kind));
    Viewer { id, role, last_read_message_id, unread_count: 0, unread_mentions: 0, me }
}
