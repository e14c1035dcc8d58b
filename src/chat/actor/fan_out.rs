//! Making known what happened: one event to all who hear of the chat, and then the answer.

use std::sync::Arc;

use bytestring::ByteString;
use fail::fail_point;

use super::{ChatActor, Happened};
use crate::{
    bus::News,
    chat::mailbox::{Admit, Answered, Settled, Type},
    core::model::{
        Change, ChatKind, ChatSnapshot, Contacts, Event, Me, MessageId, Refusal, Role, Seq, UserId, Viewer,
        event::{Answer, Done, MarkerMoved, MeChanged, MembersChanged},
    },
    hub::{Parcel, frame_batch::Standing, subscriber::Socket},
    presence::Turn,
    view::frames,
};

impl ChatActor {
    /// Fans out what happened, and then answers who asked for it: nobody is told that something is done whose news is
    /// not on the way.
    pub(super) fn make_known(&mut self, happened: Happened) {
        self.settling = Some(happened);
        self.finish();
    }

    /// Does, or goes on with, what is being made known.
    pub(super) fn finish(&mut self) {
        fail_point!("chat-publish");
        let Some(happened) = &self.settling else { return };
        let (event, is_here) = (happened.event().cloned(), matches!(happened, Happened::Here(_)));
        let is_wanted = is_here || !self.subscribers.is_empty();
        let message = event.as_deref().filter(|_| is_wanted).and_then(|event| self.rendered(event));
        if let Some(event) = event {
            // Where nobody has listened yet, what another node tells may be older than what there is.
            if self.order.is_new(event.seq) && (is_here || self.order.seen().is_some()) {
                self.fan_out(&event, message.as_ref());
                self.order.note(event.seq);
            } else {
                self.look_after_newcomers(&event);
            }
        }
        if let Some(Happened::Here(settled)) = self.settling.take() {
            self.answer_with(settled, message);
        }
    }

    /// Those who came with an event that is not made known any more may not have been told: storage says.
    fn look_after_newcomers(&self, event: &Event) {
        let (directory, registry) = (&self.directory, &self.services.registry);
        let here = event.newcomers().filter(|user| registry.is_connected(*user));
        here.for_each(|user| directory.clone().send(self.chat, Admit { user }.into()));
    }

    /// Answers who asked for something that is done.
    pub(super) fn answer(&self, settled: Settled) {
        let event = settled.result.as_ref().ok().and_then(|done| done.event.clone());
        self.answer_with(settled, event.and_then(|event| self.rendered(&event)));
    }

    fn answer_with(&self, settled: Settled, message: Option<ByteString>) {
        let answer = settled.result.map(|done| {
            if let Some(moved) = &done.quiet_marker {
                self.tell_reader(moved);
                self.services.bus.publish(News::Marked { chat: self.chat, moved: moved.clone() });
            }
            self.answer_to(&done, message)
        });
        settled.reply.send(answer);
    }

    fn rendered(&self, event: &Event) -> Option<ByteString> {
        match &event.change {
            Change::MessagePosted { message } | Change::MessageEdited { message } => {
                Some(frames::message(message, &self.services.links))
            }
            _ => None,
        }
    }

    /// Where there are no receipts only the reader hears of a marker.
    pub(super) fn tell_reader(&self, moved: &MarkerMoved) {
        let parcel = self.parcel(None, Standing::Same, &frames::own_read(self.chat, None, moved));
        self.sockets_of(moved.user).iter().for_each(|socket| socket.deliver(&parcel));
    }

    fn answer_to(&self, done: &Done, message: Option<ByteString>) -> Answered {
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
            Answer::Deleted { is_left } => Answered::Deleted { is_left: *is_left },
            Answer::Reacted { added } => Answered::Reacted { added: *added },
            Answer::Marked(count) => Answered::Marked(*count),
            Answer::Added(count) => Answered::Added(*count),
            Answer::Member(member) => Answered::Member(member.clone()),
        }
    }

    fn fan_out(&mut self, event: &Event, message: Option<&ByteString>) {
        if let Some(meter) = &self.services.meter {
            meter.made_known(&event.change);
        }
        let seq = event.seq;
        match &event.change {
            Change::ChatCreated { snapshot, members, feeds } => {
                self.services.registry.heard_feeds(feeds);
                for (user, role) in members {
                    let sockets = self.services.registry.sockets_of(*user);
                    self.welcome(sockets, &newcomer(*user, *role, None), snapshot, seq);
                }
                if let (ChatKind::Dm, [(one, _), (other, _)]) = (snapshot.chat.kind, members.as_slice()) {
                    self.services.presence.note(Turn::Met(*one, *other));
                }
            }
            Change::MembersChanged(change) => self.fan_out_members(event, change),
            Change::MarkerMoved(moved) => self.fan_out_marker(event, moved),
            Change::MeChanged(changed) => self.fan_out_me(seq, changed),
            Change::ChatDeleted => self.end(Some(seq), seq),
            change => {
                if let Change::MessagePosted { message } = change {
                    // Who posts has stopped typing; their message says so.
                    self.typists.stop(message.sender.id);
                }
                self.tell_all(event, message);
            }
        }
    }

    /// The chat is gone, with the number `seq` where that is known and after `last` in any case.
    pub(super) fn end(&mut self, seq: Option<Seq>, last: Seq) {
        let frame = frames::chat_deleted(self.chat, seq);
        self.deliver(Some(last), Standing::Leaves, &frame, |_| true);
        self.deliver_outside(last, Standing::WatchEnds, &frame);
        self.subscribers.clear();
        self.watchers.clear();
        refuse(self.typists.forget_all());
    }

    /// The same news to all who hear of the chat, and to those outside what they may know of it.
    fn tell_all(&mut self, event: &Event, message: Option<&ByteString>) {
        let links = &self.services.links;
        if !self.subscribers.is_empty()
            && let Some(frame) = frames::shared(event, message, links)
        {
            self.outbox.put(event.seq, frame);
        }
        if !self.watchers.is_empty()
            && let Some(frame) = frames::outline(event, self.services.rules.contacts == Contacts::All, links)
        {
            self.deliver_outside(event.seq, Standing::Watches, &frame);
        }
    }

    /// Who was removed hears that the chat is gone and nothing after; the others hear who came and went; who came
    /// hears of the chat before anything in it.
    fn fan_out_members(&mut self, event: &Event, change: &MembersChanged) {
        let seq = event.seq;
        self.flush();
        self.services.registry.heard_feeds(&change.feeds);
        self.farewell(&change.removed, seq);
        // Who comes in is not outside any more, and hears first that they are in.
        if !self.watchers.is_empty() {
            for member in &change.added {
                for socket in self.services.registry.sockets_of(member.user.id) {
                    self.watchers.remove(&socket.id);
                }
            }
        }
        // Who has gone and come again hears of the chat as somebody new.
        for member in &change.added {
            for socket in self.services.registry.sockets_of(member.user.id) {
                self.subscribers.remove(&socket.id);
            }
        }
        self.tell_all(event, None);
        self.flush();
        for member in &change.added {
            if let Some(snapshot) = &change.snapshot {
                let viewer = newcomer(member.user.id, member.role, member.last_read_message_id);
                self.welcome(self.services.registry.sockets_of(viewer.id), &viewer, snapshot, seq);
            }
        }
    }

    /// Tells users that the chat is gone for them, and nothing of it after that.
    pub(super) fn farewell(&mut self, users: &[UserId], seq: Seq) {
        if users.is_empty() {
            return;
        }
        self.flush();
        let frame = frames::chat_deleted(self.chat, Some(seq));
        let parcel = self.parcel(Some(seq), Standing::Leaves, &frame);
        for user in users {
            refuse(self.typists.forget(*user));
            for socket in self.sockets_of(*user) {
                socket.deliver(&parcel);
                self.subscribers.remove(&socket.id);
            }
        }
    }

    fn fan_out_marker(&mut self, event: &Event, moved: &MarkerMoved) {
        if let Some(frame) = frames::shared(event, None, &self.services.links) {
            self.deliver(Some(event.seq), Standing::Same, &frame, |socket| socket.user != moved.user);
        }
        let own = frames::own_read(self.chat, Some(event.seq), moved);
        self.deliver(Some(event.seq), Standing::Same, &own, |socket| socket.user == moved.user);
    }

    /// Nobody else learns what somebody has set for themselves; the numbers that they hear skip this one.
    fn fan_out_me(&mut self, seq: Seq, changed: &MeChanged) {
        self.flush();
        let parcel = self.parcel(Some(seq), Standing::Same, &frames::me_updated(self.chat, seq, changed));
        self.sockets_of(changed.user).iter().for_each(|socket| socket.deliver(&parcel));
    }

    /// Subscribes the sockets of somebody who is new here, and tells them of the chat.
    pub(super) fn welcome(
        &mut self,
        sockets: Vec<Arc<Socket>>,
        viewer: &Viewer,
        snapshot: &ChatSnapshot,
        seq: Seq,
    ) {
        if sockets.is_empty() {
            return;
        }
        self.flush();
        let frame = frames::chat_created(snapshot, seq, viewer, &self.services.links);
        let parcel = self.parcel(Some(seq), Standing::Joins, &frame);
        for socket in sockets {
            socket.deliver(&parcel);
            self.watchers.remove(&socket.id);
            self.subscribers.insert(socket.id, socket);
        }
    }

    /// A user's sockets that hear of the chat. The registry knows all that are open, so that however many listen here
    /// are not looked through for one user's.
    fn sockets_of(&self, user: UserId) -> Vec<Arc<Socket>> {
        let mut sockets = self.services.registry.sockets_of(user);
        sockets.retain(|socket| self.subscribers.contains_key(&socket.id));
        sockets
    }

    fn deliver_outside(&self, seq: Seq, standing: Standing, frame: &ByteString) {
        let parcel = self.parcel(Some(seq), standing, frame);
        self.watchers.values().for_each(|socket| socket.deliver(&parcel));
    }

    pub(super) fn deliver(
        &mut self,
        seq: Option<Seq>,
        standing: Standing,
        frame: &ByteString,
        to: impl Fn(&Socket) -> bool,
    ) {
        self.flush();
        let parcel = self.parcel(seq, standing, frame);
        self.subscribers.values().filter(|socket| to(socket)).for_each(|socket| socket.deliver(&parcel));
    }

    pub(super) fn parcel(&self, seq: Option<Seq>, standing: Standing, event: &ByteString) -> Arc<Parcel> {
        Parcel::of(Some(self.chat), seq, standing, event)
    }
}

/// What somebody said of typing who is not in the chat any more.
fn refuse(said: Vec<Type>) {
    said.into_iter().for_each(|typing| typing.reply.send(Err(Refusal::NotFound)));
}

/// Who comes begins with everything read.
fn newcomer(id: UserId, role: Role, last_read_message_id: Option<MessageId>) -> Viewer {
    Viewer { id, role: Some(role), last_read_message_id, unread_count: 0, me: Me::default() }
}
