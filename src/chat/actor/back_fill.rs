//! Takes up events in the order of their numbers: what is missing comes from the node where it happened or else from storage.

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext, Context};

use super::{
    Accept, ChatActor,
    sequencer::{Happened, PAUSE},
};
use crate::{
    chat::mailbox::{Behind, Fill, Filled, Learned},
    core::model::{Change, Seq, UserId},
    hub::frame_batch::Standing,
    storage::queries::changes_since::{Missed, missed},
    view::frames,
};

/// What is missing usually comes by itself within so long.
const PATIENCE: Duration = Duration::from_millis(40);

impl Accept<Learned> for ChatActor {
    const IS_USE: bool = false;

    fn accept(&mut self, Learned(event): Learned, ctx: &mut Context<Self>) {
        self.happened(Happened::Elsewhere(event), ctx);
    }
}

impl Accept<Behind> for ChatActor {
    const IS_USE: bool = false;

    fn accept(&mut self, Behind { head }: Behind, ctx: &mut Context<Self>) {
        self.order.reached = self.order.reached.max(Some(head));
        self.fill_later(ctx);
    }
}

impl Accept<Fill> for ChatActor {
    const IS_USE: bool = false;

    fn accept(&mut self, _: Fill, _: &mut Context<Self>) {
        match self.order.seen {
            // What is read while somebody is being let in would pass them by.
            Some(since) if self.order.has_gap() && self.order.admitting == 0 => self.fill(since),
            _ => {
                self.order.is_filling = false;
                self.go_on();
            }
        }
    }
}

impl Accept<Filled> for ChatActor {
    const IS_USE: bool = false;

    fn accept(&mut self, Filled { since, listeners, missed }: Filled, ctx: &mut Context<Self>) {
        let mut was_of_use = true;
        match missed {
            // What was missing has come meanwhile, and perhaps something else is; or somebody is being let in.
            Ok(_) if self.order.seen != Some(since) || self.order.admitting > 0 => {}
            // Whoever has come to listen since is not among those who were looked for.
            Ok(Missed::Resync { .. }) if !self.listen_only(&listeners) => {}
            Ok(missed) => {
                self.make_up(missed);
                was_of_use = self.order.seen != Some(since);
            }
            Err(_) => {
                // It is done, whenever it can be told.
                self.answer_held();
                was_of_use = false;
            }
        }
        self.go_on();
        if !was_of_use && self.order.has_gap() {
            ctx.run_later(PAUSE, |actor, _| actor.directory.clone().send(actor.chat, Fill.into()));
            return;
        }
        self.order.is_filling = false;
        self.fill_later(ctx);
    }
}

impl ChatActor {
    /// Makes something known as soon as everything before it is.
    pub(super) fn happened(&mut self, happened: Happened, ctx: &mut Context<Self>) {
        match happened.event().map(|event| event.seq) {
            Some(seq) if self.order.admitting > 0 || self.order.is_early(seq) => {
                self.order.held.insert(seq, happened);
                self.fill_later(ctx);
            }
            _ => {
                self.make_known(happened);
                self.go_on();
            }
        }
    }

    /// Makes known what was held, as far as nothing before it is missing.
    pub(super) fn go_on(&mut self) {
        while let Some(happened) = self.order.next() {
            self.make_known(happened);
        }
    }

    /// Has storage asked for what is missing, unless it comes by itself.
    pub(super) fn fill_later(&mut self, ctx: &mut Context<Self>) {
        if self.order.is_filling || !self.order.has_gap() {
            return;
        }
        self.order.is_filling = true;
        let bus = &self.services.bus;
        if bus.is_alone() || bus.is_in_doubt() {
            return self.directory.clone().send(self.chat, Fill.into());
        }
        ctx.run_later(PATIENCE, |actor, _| actor.directory.clone().send(actor.chat, Fill.into()));
    }

    /// Goes on after a failure, which may have cut short whatever was under way.
    pub(super) fn take_up(&mut self) {
        if self.order.is_filling || !self.order.held.is_empty() {
            self.order.is_filling = true;
            self.directory.clone().send(self.chat, Fill.into());
        }
    }

    fn listen_only(&self, listeners: &[UserId]) -> bool {
        self.subscribers.values().all(|socket| listeners.binary_search(&socket.user).is_ok())
    }

    fn fill(&self, since: Seq) {
        if let Some(meter) = &self.services.meter {
            meter.back_fills.inc();
        }
        let mut listeners: Vec<UserId> = self.subscribers.values().map(|socket| socket.user).collect();
        listeners.sort_unstable();
        listeners.dedup();
        let (directory, services, chat) = (self.directory.clone(), self.services.clone(), self.chat);
        actix_rt::spawn(async move {
            let rules = services.rules.clone();
            let of = listeners.clone();
            let missed = services.readers.ask(move |conn| missed(conn, &rules, chat, since, &of)).await;
            directory.send(chat, Filled { since, listeners, missed }.into());
        });
    }

    /// Makes known what storage has that was not heard of here.
    fn make_up(&mut self, missed: Missed) {
        match missed {
            Missed::Events { head, events } => {
                // They are told in their latest state, which may be later than somebody's removal.
                for event in &events {
                    if let Change::MembersChanged(change) = &event.change {
                        self.farewell(&change.removed, event.seq);
                    }
                }
                events.into_iter().for_each(|event| self.make_known(Happened::Elsewhere(Arc::new(event))));
                self.order.note(head);
            }
            Missed::Resync { head, present } => {
                self.start_anew(head, &present);
                self.order.note(head);
            }
            Missed::Gone => {
                let last = self.order.held.last_key_value().map(|(seq, _)| *seq);
                let seq = self.order.seen.max(last).unwrap_or_default() + 1;
                // However far a socket has heard, it hears of the end.
                self.end(None, Seq::MAX);
                self.order.note(seq);
                self.order.reached = None;
            }
        }
    }

    /// Has everybody load the chat again, but for those who are not in it any more.
    fn start_anew(&mut self, head: Seq, present: &[UserId]) {
        self.flush();
        let resync = self.parcel(Some(head), Standing::Same, &frames::resync(self.chat, head));
        let gone = self.parcel(Some(head), Standing::Leaves, &frames::chat_deleted(self.chat, None));
        self.subscribers.retain(|_, socket| {
            let is_in = present.contains(&socket.user);
            socket.deliver(if is_in { &resync } else { &gone });
            is_in
        });
    }

    fn answer_held(&mut self) {
        for (seq, happened) in std::mem::take(&mut self.order.held) {
            let Some(event) = happened.event().cloned() else { continue };
            if let Happened::Here(settled) = happened {
                self.answer(settled);
            }
            self.order.held.insert(seq, Happened::Elsewhere(event));
        }
    }
}
