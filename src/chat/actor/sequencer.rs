//! Publishes events in `seq` order, whichever node they come from. Early events are held until the gap before
//! them is filled, by the node where the events happened or from storage.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    chat::mailbox::Settled,
    core::model::{Event, Seq},
};

/// Retry delay after a failed read from storage, or a backfill without progress.
pub(super) const BACKFILL_RETRY_DELAY: Duration = Duration::from_millis(500);

/// A result waiting to be published: from a command on this node, or an event from another node.
#[derive(Debug)]
pub(super) enum PendingEvent {
    Here(Settled),
    Remote(Arc<Event>),
}

impl PendingEvent {
    /// Returns the event, if a durable change happened.
    pub(super) fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Self::Here(settled) => settled.result.as_ref().ok()?.event.as_ref(),
            PendingEvent::Remote(event) => Some(event),
        }
    }
}

/// Publishing state of a chat on this node.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    /// `seq` of the latest published event; `None` until the first subscriber.
    pub(super) seen: Option<Seq>,
    /// `seq` of the latest event that this node published before the first subscriber.
    before: Option<Seq>,
    /// Early events, held until the gap before them is filled.
    pub(super) held: BTreeMap<Seq, PendingEvent>,
    /// A `seq` that storage is known to have reached.
    pub(super) reached: Option<Seq>,
    pub(super) is_filling: bool,
    /// Users being subscribed, roots being read and mentions being counted. Publishing is paused until each of them is done.
    pub(super) subscribing: usize,
}

impl Sequencer {
    /// Sets the starting `seq` for the first subscriber; keeps a known one. The subscriber reads what happened
    /// before from storage.
    pub(super) fn begin(&mut self, head: Seq) {
        self.seen.get_or_insert(self.before.map_or(head, |before| before.max(head)));
    }

    /// Records that an event was published while there was no subscriber yet.
    pub(super) fn note_before(&mut self, seq: Seq) {
        self.before = self.before.max(Some(seq));
    }

    /// Returns the `seq` of the latest published event.
    pub(super) fn seen(&self) -> Option<Seq> {
        self.seen
    }

    /// Returns whether an event was not published yet.
    pub(super) fn is_new(&self, seq: Seq) -> bool {
        self.seen.is_none_or(|seen| seq > seen)
    }

    /// Records that an event was published.
    pub(super) fn note(&mut self, seq: Seq) {
        self.seen = self.seen.max(Some(seq));
    }

    /// Returns whether events are held, a backfill is running or users are being subscribed.
    pub(super) fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.is_filling || self.subscribing > 0
    }

    /// Pauses publishing while a user is being subscribed, a root is being read or mentions are being counted.
    pub(super) fn pause(&mut self) {
        self.subscribing += 1;
    }

    /// Ends one pause of [`Self::pause`].
    pub(super) fn resume(&mut self) {
        self.subscribing -= 1;
    }

    pub(super) fn has_gap(&self) -> bool {
        let is_early = self.held.first_key_value().is_some_and(|(seq, _)| self.is_early(*seq));
        is_early || self.reached.is_some_and(|reached| self.is_new(reached))
    }

    pub(super) fn is_early(&self, seq: Seq) -> bool {
        self.seen.is_some_and(|seen| seq > seen + 1)
    }

    /// Takes the next held event, if publishing is not paused and there is no gap before it.
    pub(super) fn next(&mut self) -> Option<PendingEvent> {
        let (seq, _) = self.held.first_key_value()?;
        if self.subscribing > 0 || self.is_early(*seq) {
            None
        } else {
            self.held.pop_first().map(|(_, pending)| pending)
        }
    }
}
