//! Roots of threads for connections that do not know threads. They get the root of a new or deleted reply instead of the
//! reply. The event does not contain it, since few connections need it: the actor reads it.

use std::sync::Arc;

use actix_rt::time::sleep;

use super::{
    ChatActor,
    sequencer::{BACKFILL_RETRY_DELAY, PendingEvent},
};
use crate::{
    chat::mailbox::RootRead,
    core::model::{Change, Event, Message, Refusal, threads::OwnKind},
    storage::{
        AnyConn,
        tables::{chats, members, messages},
    },
};

impl ChatActor {
    /// Publishes an event. If connections need the root of its thread, or counts of mentions, reads those first: the event
    /// is held until then. Returns whether it was published.
    pub(super) fn publish_whole(&mut self, pending: PendingEvent) -> bool {
        let event = pending.event().filter(|event| self.sequencer.is_new(event.seq)).cloned();
        let Some(event) = event else {
            self.publish(pending);
            return true;
        };
        let (lacks_root, uncounted) = (self.lacks_root(&event), self.uncounted(&event));
        if !lacks_root && uncounted.is_empty() {
            self.publish(pending);
            return true;
        }
        self.sequencer.held.insert(event.seq, pending);
        if !uncounted.is_empty() {
            self.sequencer.pause();
            self.count_mentions(&event, uncounted);
        }
        if lacks_root {
            self.sequencer.pause();
            self.read_root(event);
        }
        false
    }

    fn read_root(&self, event: Arc<Event>) {
        let Some(root) = event.thread_reply().and_then(|reply| reply.thread) else { return };
        let (directory, services, chat) = (self.directory.clone(), self.services.clone(), self.chat);
        let max = services.policy.receipts_max_members;
        actix_rt::spawn(async move {
            let read = move |conn: &mut AnyConn| {
                let Some(chat) = chats::find(conn, chat)? else { return Ok(None) };
                let Some(mut message) = messages::in_chat(conn, chat.id, root)? else { return Ok(None) };
                let readers = members::readers(conn, &chat, max)?;
                message.note_readers(&readers);
                Ok(Some(message))
            };
            let mut found = services.readers.query(read).await;
            while let Err(Refusal::Busy | Refusal::StorageAway | Refusal::Throttled) = found {
                sleep(BACKFILL_RETRY_DELAY).await;
                found = services.readers.query(read).await;
            }
            directory
                .send(chat, RootRead { seq: event.seq, root: found.ok().flatten().map(Box::new) }.into());
        });
    }

    pub(super) fn on_root_read(&mut self, RootRead { seq, root }: RootRead) {
        self.sequencer.resume();
        self.root = Some((seq, root));
        self.publish_held();
    }

    /// Returns whether connections that do not know threads need the root of an event, which is not read yet.
    fn lacks_root(&self, event: &Event) -> bool {
        let is_new_reply =
            event.thread_reply().is_some() && !matches!(event.change, Change::MessageEdited { .. });
        let has_root = event.change.thread().is_some_and(|thread| thread.root.is_some());
        let is_read = self.root.as_ref().is_some_and(|(seq, _)| *seq == event.seq);
        let mut receivers = self.subscribers.values().chain(self.observers.guests());
        is_new_reply && !has_root && !is_read && receivers.any(|socket| !socket.knows_threads)
    }

    /// Returns the root that was read for an event.
    pub(super) fn root_of(&self, event: &Event) -> Option<&Message> {
        self.root.as_ref().filter(|(seq, _)| *seq == event.seq)?.1.as_deref()
    }

    /// Adds to an event of a backfill what its original has for single users and storage does not tell.
    pub(super) fn keep_own(&self, event: &mut Event) {
        let Some(original) = self.sequencer.held.get(&event.seq).and_then(PendingEvent::event) else {
            return;
        };
        let kept = original.own.iter().filter(|own| !matches!(own.kind, OwnKind::ThreadFollowed(_)));
        event.own.extend(kept.cloned());
    }
}
