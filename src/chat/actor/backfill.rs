//! Gap handling: waits briefly for reordered events, then backfills missing ones from storage.

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext, Context};

use super::{
    ChatActor,
    sequencer::{BACKFILL_RETRY_DELAY, PendingEvent},
};
use crate::{
    bus::Channel,
    chat::mailbox::{Backfill, BackfillResult, GapDetected, RemoteEvent},
    core::model::{Change, GuestAccess, Seq, UserId},
    hub::frame_batch::SubscriptionChange,
    storage::{
        queries::changes_since::{Backfilled, backfill},
        tables::chats,
    },
    view::frames,
};

/// Grace period for a reordered event before the gap is backfilled from storage.
const REORDER_GRACE: Duration = Duration::from_millis(40);

impl ChatActor {
    pub(super) fn on_remote_event(&mut self, RemoteEvent(event): RemoteEvent, ctx: &mut Context<Self>) {
        self.roster.note(&event.change);
        self.publish_in_order(PendingEvent::Remote(event), ctx);
    }

    pub(super) fn on_gap_detected(&mut self, GapDetected { head }: GapDetected, ctx: &mut Context<Self>) {
        self.is_checking = false;
        self.sequencer.reached = self.sequencer.reached.max(Some(head));
        self.schedule_backfill(ctx);
    }

    /// Compares the chat with storage once messages of other nodes arrive here. What they published before is
    /// missed.
    pub(super) fn check_once_listening(&mut self) {
        if self.services.bus.is_alone() || std::mem::replace(&mut self.is_checking, true) {
            return;
        }
        let (directory, services, chat) = (self.directory.clone(), self.services.clone(), self.chat);
        actix_rt::spawn(async move {
            services.bus.listening(Channel::Chat(chat)).await;
            let heads = services.readers.query_one(move |conn| chats::heads_of(conn, &[chat])).await;
            let head = match heads {
                // A chat missing from storage was deleted.
                Ok(heads) => heads.first().map_or(Seq::MAX, |(_, head)| *head),
                // The next comparison of all chats finds what is missing.
                Err(_) => 0,
            };
            directory.send(chat, GapDetected { head }.into());
        });
    }

    pub(super) fn on_backfill(&mut self) {
        match self.sequencer.seen {
            // A backfill read while a user is being subscribed would not reach that user.
            Some(since) if self.sequencer.has_gap() && self.sequencer.subscribing == 0 => {
                self.backfill(since);
            }
            _ => {
                self.sequencer.is_filling = false;
                self.publish_held();
            }
        }
    }

    pub(super) fn on_backfill_result(
        &mut self,
        BackfillResult { since, listeners, backfilled }: BackfillResult,
        ctx: &mut Context<Self>,
    ) {
        let mut made_progress = true;
        match backfilled {
            // Events arrived since the query began, so its result is stale. Or a user is being subscribed.
            Ok(_) if self.sequencer.seen != Some(since) || self.sequencer.subscribing > 0 => {}
            // The result lacks users that subscribed after the query began.
            Ok(Backfilled::Resync { .. }) if !self.subscribers_are_in(&listeners) => {}
            Ok(backfilled) => {
                self.publish_backfill(backfilled);
                made_progress = self.sequencer.seen != Some(since);
            }
            Err(_) => {
                // The commands are durable: answer them, even though their events cannot be published yet.
                self.answer_held();
                made_progress = false;
            }
        }
        self.publish_held();
        if !made_progress && self.sequencer.has_gap() {
            ctx.run_later(BACKFILL_RETRY_DELAY, |actor, _| {
                actor.directory.clone().send(actor.chat, Backfill.into());
            });
            return;
        }
        self.sequencer.is_filling = false;
        self.schedule_backfill(ctx);
    }

    /// Publishes a result now, or holds it until all events before it are published.
    pub(super) fn publish_in_order(&mut self, pending: PendingEvent, ctx: &mut Context<Self>) {
        match pending.event().map(|event| event.seq) {
            Some(seq) if self.sequencer.subscribing > 0 || self.sequencer.is_early(seq) => {
                self.sequencer.held.insert(seq, pending);
                self.schedule_backfill(ctx);
            }
            _ => {
                if self.publish_whole(pending) {
                    self.publish_held();
                }
            }
        }
    }

    /// Publishes held events up to the next gap.
    pub(super) fn publish_held(&mut self) {
        while let Some(pending) = self.sequencer.next() {
            if !self.publish_whole(pending) {
                return;
            }
        }
    }

    /// Schedules a backfill if there is a gap. Waits for [`REORDER_GRACE`] first, unless the node has no
    /// peers or the bus is degraded.
    pub(super) fn schedule_backfill(&mut self, ctx: &mut Context<Self>) {
        if self.sequencer.is_filling || !self.sequencer.has_gap() {
            return;
        }
        self.sequencer.is_filling = true;
        let bus = &self.services.bus;
        if bus.is_alone() || bus.is_degraded() {
            return self.directory.clone().send(self.chat, Backfill.into());
        }
        ctx.run_later(REORDER_GRACE, |actor, _| actor.directory.clone().send(actor.chat, Backfill.into()));
    }

    /// Resumes gap handling after a panic, which may have cut short a backfill.
    pub(super) fn resume_backfill(&mut self) {
        if self.sequencer.is_filling || !self.sequencer.held.is_empty() {
            self.sequencer.is_filling = true;
            self.directory.clone().send(self.chat, Backfill.into());
        }
    }

    fn subscribers_are_in(&self, users: &[UserId]) -> bool {
        self.subscribers.values().all(|socket| users.binary_search(&socket.user).is_ok())
    }

    fn backfill(&self, since: Seq) {
        if let Some(meter) = &self.services.meter {
            meter.back_fills.inc();
        }
        let mut listeners: Vec<UserId> = self.subscribers.values().map(|socket| socket.user).collect();
        listeners.sort_unstable();
        listeners.dedup();
        let (directory, services, chat) = (self.directory.clone(), self.services.clone(), self.chat);
        actix_rt::spawn(async move {
            let policy = services.policy.clone();
            let of = listeners.clone();
            let backfilled =
                services.readers.query(move |conn| backfill(conn, &policy, chat, since, &of)).await;
            directory.send(chat, BackfillResult { since, listeners, backfilled }.into());
        });
    }

    /// Publishes the events of a backfill.
    fn publish_backfill(&mut self, backfilled: Backfilled) {
        match backfilled {
            Backfilled::Events { head, events } => {
                // Backfilled events carry the latest state, which may be later than a removal. So removed
                // users are handled before any event is published.
                for event in &events {
                    match &event.change {
                        Change::MembersChanged(change) => self.remove_members(&change.removed, event.seq),
                        Change::ChatRenamed { snapshot }
                            if snapshot.chat.guest_access == GuestAccess::None =>
                        {
                            self.end_observation_of_guests(event.seq);
                        }
                        _ => {}
                    }
                }
                for mut event in events {
                    self.keep_own(&mut event);
                    self.publish(PendingEvent::Remote(Arc::new(event)));
                }
                self.sequencer.note(head);
            }
            Backfilled::Resync { head, present } => {
                self.send_resync(head, &present);
                self.end_observation_of_guests(head);
                self.sequencer.note(head);
            }
            Backfilled::Gone => {
                let last = self.sequencer.held.last_key_value().map(|(seq, _)| *seq);
                let seq = self.sequencer.seen.max(last).unwrap_or_default() + 1;
                // The deletion passes every socket's duplicate check.
                self.end(None, Seq::MAX);
                self.sequencer.note(seq);
                self.sequencer.reached = None;
            }
        }
    }

    /// Sends `resync` to all members, and `chat_deleted` to former members.
    fn send_resync(&mut self, head: Seq, present: &[UserId]) {
        self.flush();
        let resync = self.batch(Some(head), SubscriptionChange::Same, &frames::resync(self.chat, head));
        let gone = self.batch(Some(head), SubscriptionChange::Leaves, &frames::chat_deleted(self.chat, None));
        self.subscribers.retain(|_, socket| {
            let is_in = present.contains(&socket.user);
            socket.deliver(if is_in { &resync } else { &gone });
            is_in
        });
    }

    fn answer_held(&mut self) {
        for (seq, pending) in std::mem::take(&mut self.sequencer.held) {
            let Some(event) = pending.event().cloned() else { continue };
            if let PendingEvent::Here(settled) = pending {
                self.answer(settled);
            }
            self.sequencer.held.insert(seq, PendingEvent::Remote(event));
        }
    }
}
