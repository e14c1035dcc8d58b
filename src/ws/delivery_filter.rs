//! Per-socket delivery filter: drops events whose `seq` was already sent.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use super::room_watch::Watched;
use crate::{
    core::model::{ChatId, Seq},
    feed::{Heads, Only},
    hub::{FrameBatch, frame_batch::SubscriptionChange},
};

/// State of the filter. A socket subscribes first and reads its chats' heads afterwards, so that it misses no
/// event in between.
pub(super) enum Phase {
    /// Deliveries stay queued: until the heads are known, or until the last missed events were sent.
    Waiting,
    /// Missed events are being sent, at the client's pace. Deliveries are in storage too, so only the changed
    /// chats are recorded. A chat that the user has left carries the `seq` of the removal.
    CatchingUp(BTreeMap<ChatId, Option<Seq>>),
    /// The last `seq` sent, by chat of the user.
    Live(Heads),
    /// The session has ended: nothing more is sent.
    Over,
}

/// Per-socket delivery filter. The session switches its phase; the write path calls it directly, without
/// going through the session's actor.
pub(super) struct DeliveryFilter {
    pub(super) phase: Phase,
    /// The chats whose events the socket gets.
    pub(super) only: Only,
    pub(super) watched: Watched,
}

pub(super) type SharedFilter = Rc<RefCell<DeliveryFilter>>;

impl DeliveryFilter {
    pub(super) fn new(only: Only) -> SharedFilter {
        Rc::new(RefCell::new(Self { phase: Phase::Waiting, only, watched: Watched::default() }))
    }

    /// Returns whether deliveries are taken from the queue now.
    pub(super) fn accepts_events(&self) -> bool {
        matches!(self.phase, Phase::CatchingUp(_) | Phase::Live(_))
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Filters a batch. Returns the frames to send: within a chat, `seq` only increases. Updates the
    /// subscription state that the batch changes.
    pub(super) fn hear(&mut self, batch: &FrameBatch) -> Option<Bytes> {
        let Some(chat) = batch.chat else { return Some(batch.frames()) };
        if batch.change == SubscriptionChange::Joins {
            self.keep_observed(chat);
        }
        match &mut self.phase {
            Phase::Live(heads) => match batch.change {
                // After joining, the user gets the room's events as a member.
                SubscriptionChange::Watches | SubscriptionChange::ObservationEnds
                    if heads.contains_key(&chat) =>
                {
                    None
                }
                SubscriptionChange::Watches | SubscriptionChange::ObservationEnds => {
                    self.filter_observed(chat, batch)
                }
                _ => filter_live(heads, &self.only, chat, batch),
            },
            Phase::CatchingUp(noted) => match (batch.change, batch.seq()) {
                (SubscriptionChange::Watches | SubscriptionChange::ObservationEnds, _) => {
                    self.filter_observed(chat, batch)
                }
                (_, None) => None,
                (change, Some(seq)) => {
                    match change {
                        SubscriptionChange::Leaves => {
                            noted.insert(chat, Some(seq));
                        }
                        SubscriptionChange::Joins => {
                            noted.insert(chat, None);
                        }
                        _ => {
                            noted.entry(chat).or_default();
                        }
                    }
                    None
                }
            },
            Phase::Waiting | Phase::Over => None,
        }
    }

    fn filter_observed(&self, room: ChatId, batch: &FrameBatch) -> Option<Bytes> {
        self.watched.is_news(room, batch.seq(), batch.change).then(|| batch.frames())
    }

    /// Keeps an observed room in the chat filter after the user has joined it.
    fn keep_observed(&mut self, room: ChatId) {
        if self.watched.end(room)
            && let Some(only) = &mut self.only
        {
            only.insert(room);
        }
    }
}

fn filter_live(heads: &mut Heads, only: &Only, chat: ChatId, batch: &FrameBatch) -> Option<Bytes> {
    let Some(seq) = batch.seq() else { return heads.contains_key(&chat).then(|| batch.frames()) };
    let Some(last) = heads.get_mut(&chat) else {
        let is_wanted = only.as_ref().is_none_or(|only| only.contains(&chat));
        return (batch.change == SubscriptionChange::Joins && is_wanted).then(|| {
            heads.insert(chat, seq);
            batch.frames()
        });
    };
    // What adds to the latest change follows it, and what adds to an earlier one is dropped.
    let after = if batch.is_addition { *last - i64::from(seq == *last) } else { *last };
    let frames = batch.frames_after(after)?;
    match batch.change {
        SubscriptionChange::Leaves => {
            heads.remove(&chat);
        }
        SubscriptionChange::Joins if only.as_ref().is_some_and(|only| !only.contains(&chat)) => return None,
        _ => *last = seq,
    }
    Some(frames)
}
