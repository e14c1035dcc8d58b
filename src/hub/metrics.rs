//! What is counted of chats and of those who listen.

use prometheus::{IntCounter, IntCounterVec};

use super::CloseReason;
use crate::core::{metrics::Instruments, model::Change};

/// Instruments of the chats.
#[derive(Debug)]
pub struct ChatMeter {
    events: [IntCounter; TYPES.len()],
    typing: IntCounter,
    to_sockets: IntCounter,
    to_readers: IntCounter,
    closed: [IntCounter; REASONS.len()],
    /// Sockets whose connection was cut, since they did not get around to saying goodbye.
    pub cut: IntCounter,
    /// Times that storage was asked for events that were not heard of.
    pub back_fills: IntCounter,
}

/// Types of events, in the order of [`number`].
const TYPES: [&str; 10] = [
    "chat_created",
    "chat_updated",
    "chat_deleted",
    "new_message",
    "message_updated",
    "message_deleted",
    "reaction_updated",
    "read",
    "members_changed",
    "me_updated",
];

const REASONS: [(CloseReason, &str); 4] = [
    (CloseReason::GoingAway, "going_away"),
    (CloseReason::Restart, "restart"),
    (CloseReason::SignedOut, "signed_out"),
    (CloseReason::TooSlow, "too_slow"),
];

impl ChatMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let events = instruments.counters(
            "greenroom_events_total",
            "Events made known on this node, those of other nodes included, by type.",
            &["type"],
        );
        let deliveries = instruments.counters(
            "greenroom_deliveries_total",
            "Events handed to sockets, and noted for readers (event streams, long polls).",
            &["to"],
        );
        let closed = instruments.counters(
            "greenroom_sockets_closed_total",
            "Sockets that the server told to go, by reason.",
            &["reason"],
        );
        let of = |family: &IntCounterVec, label: &str| family.with_label_values(&[label]);
        Self {
            events: TYPES.map(|kind| of(&events, kind)),
            typing: of(&events, "typing"),
            to_sockets: of(&deliveries, "socket"),
            to_readers: of(&deliveries, "reader"),
            closed: REASONS.map(|(_, reason)| of(&closed, reason)),
            cut: instruments.counter(
                "greenroom_sockets_cut_total",
                "Sockets whose connection was cut, since they read so slowly that no goodbye got through.",
            ),
            back_fills: instruments.counter(
                "greenroom_back_fills_total",
                "Times that storage was asked for events that were not heard of.",
            ),
        }
    }

    /// Counts an event.
    pub fn made_known(&self, change: &Change) {
        self.events[number(change)].inc();
    }

    /// Counts somebody's beginning or ending to type.
    pub fn typed(&self) {
        self.typing.inc();
    }

    /// Counts events that were delivered.
    pub fn delivered(&self, is_reader: bool, count: usize) {
        if is_reader { self.to_readers.inc_by(count as u64) } else { self.to_sockets.inc_by(count as u64) }
    }

    /// Counts a socket that was told to go.
    pub fn closed(&self, reason: CloseReason) {
        let counters = REASONS.iter().zip(&self.closed);
        counters.filter(|((known, _), _)| *known == reason).for_each(|(_, counter)| counter.inc());
    }
}

/// The place of a change's type in [`TYPES`].
fn number(change: &Change) -> usize {
    match change {
        Change::ChatCreated { .. } => 0,
        Change::ChatRenamed { .. } => 1,
        Change::ChatDeleted => 2,
        Change::MessagePosted { .. } => 3,
        Change::MessageEdited { .. } => 4,
        Change::MessageDeleted { .. } => 5,
        Change::ReactionsChanged { .. } => 6,
        Change::MarkerMoved(_) => 7,
        Change::MembersChanged(_) => 8,
        Change::MeChanged(_) => 9,
    }
}
