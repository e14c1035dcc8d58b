//! Events in the order of their numbers, wherever they happened: what comes too early is held until what is missing
//! before it is there, from the node where it happened or else from storage.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    chat::mailbox::Settled,
    core::model::{Event, Seq},
};

/// The pause after storage could not be asked.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Something that a command came to on this node, or that another node told of.
#[derive(Debug)]
pub(super) enum Happened {
    Here(Settled),
    Elsewhere(Arc<Event>),
}

impl Happened {
    /// The event, where something lasting happened.
    pub(super) fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Self::Here(settled) => settled.result.as_ref().ok()?.event.as_ref(),
            Self::Elsewhere(event) => Some(event),
        }
    }
}

/// How far a chat's events have been made known on this node.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The latest number; `None`: nobody has listened yet.
    pub(super) seen: Option<Seq>,
    /// What came too early.
    pub(super) held: BTreeMap<Seq, Happened>,
    /// A number that storage was seen to have reached.
    pub(super) reached: Option<Seq>,
    pub(super) is_filling: bool,
    /// Users who are being let in: nothing goes on before they hear of the chat.
    pub(super) admitting: usize,
}

impl Order {
    /// Where the chat was before the first who listens, if that is not known better.
    pub(super) fn begin(&mut self, head: Seq) {
        self.seen.get_or_insert(head);
    }

    /// The latest number made known.
    pub(super) fn seen(&self) -> Option<Seq> {
        self.seen
    }

    /// Whether an event has not been made known.
    pub(super) fn is_new(&self, seq: Seq) -> bool {
        self.seen.is_none_or(|seen| seq > seen)
    }

    /// An event was made known.
    pub(super) fn note(&mut self, seq: Seq) {
        self.seen = self.seen.max(Some(seq));
    }

    /// Whether there is anything to wait for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.held.is_empty() || self.is_filling || self.admitting > 0
    }

    /// Somebody is being let in.
    pub(super) fn pause(&mut self) {
        self.admitting += 1;
    }

    /// That has come to its end.
    pub(super) fn resume(&mut self) {
        self.admitting -= 1;
    }

    pub(super) fn has_gap(&self) -> bool {
        let is_early = self.held.first_key_value().is_some_and(|(seq, _)| self.is_early(*seq));
        is_early || self.reached.is_some_and(|reached| self.is_new(reached))
    }

    pub(super) fn is_early(&self, seq: Seq) -> bool {
        self.seen.is_some_and(|seen| seq > seen + 1)
    }

    /// What was held and is next now.
    pub(super) fn next(&mut self) -> Option<Happened> {
        let (seq, _) = self.held.first_key_value()?;
        if self.admitting > 0 || self.is_early(*seq) {
            None
        } else {
            self.held.pop_first().map(|(_, happened)| happened)
        }
    }
}
