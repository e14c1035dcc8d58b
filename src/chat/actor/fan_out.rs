//! Making known what happened: one event to all who hear of the chat, and then the answer.

use bytestring::ByteString;
use fail::fail_point;

use super::ChatActor;
use crate::{
    chat::{
        messages::{Answered, Settled},
        socket::{Socket, Standing},
    },
    model::{
        Change, ChatSnapshot, Event, MessageId, Role, Seq, UserId, Viewer,
        event::{Answer, Done, MarkerMoved, MembersChanged},
    },
    view::frames,
};

impl ChatActor {
    /// Fans out what was settled, and then answers: nobody is told that something is done whose news is not on the way.
    pub(super) fn make_known(&mut self) {
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

    pub(super) fn deliver(
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
