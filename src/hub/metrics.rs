//! Metrics of chats and their subscribers.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::CloseReason;
use crate::core::{metrics::Instruments, model::Change};

/// Counters of events, deliveries and closed sockets.
#[derive(Debug)]
pub struct ChatMeter {
    events: [IntCounter; TYPES.len()],
    typing: IntCounter,
    to_sockets: IntCounter,
    to_readers: IntCounter,
    closed: [IntCounter; REASONS.len()],
    /// Sockets whose connection was aborted because they did not close in time.
    pub cut: IntCounter,
    /// Backfills: reads from storage to fill a gap in a chat's events.
    pub back_fills: IntCounter,
    /// Members that the chat actors know, and whose posts they permit themselves.
    pub known_members: IntGauge,
}

/// Event types, in the order of [`index_of`].
const TYPES: [&str; 13] = [
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
    "user_merged",
    "pins_changed",
    "thread_read",
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
            "Events published on this node, including those of other nodes, by type.",
            &["type"],
        );
        let deliveries = instruments.counters(
            "greenroom_deliveries_total",
            "Events queued for sockets, and noted for readers (event streams, long polls).",
            &["to"],
        );
        let closed = instruments.counters(
            "greenroom_sockets_closed_total",
            "Sockets that the server closed, by reason.",
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
                "Sockets whose connection was aborted because they did not read the close frame in time.",
            ),
            back_fills: instruments.counter(
                "greenroom_back_fills_total",
                "Backfills: reads from storage to fill a gap in a chat's events.",
            ),
            known_members: instruments.gauge(
                "greenroom_known_members",
                "Members that the chat actors of this node know, whose posts need no lookup.",
            ),
        }
    }

    /// Counts a published event.
    pub fn made_known(&self, change: &Change) {
        self.events[index_of(change)].inc();
    }

    /// Counts a typing event.
    pub fn typed(&self) {
        self.typing.inc();
    }

    /// Counts delivered events.
    pub fn delivered(&self, is_reader: bool, count: usize) {
        if is_reader { self.to_readers.inc_by(count as u64) } else { self.to_sockets.inc_by(count as u64) }
    }

    /// Counts a socket that the server closed.
    pub fn closed(&self, reason: CloseReason) {
        let counters = REASONS.iter().zip(&self.closed);
        counters.filter(|((known, _), _)| *known == reason).for_each(|(_, counter)| counter.inc());
    }
}

/// Returns the index of a change's type in [`TYPES`].
fn index_of(change: &Change) -> usize {
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
        Change::UserMerged { .. } => 10,
        Change::PinsChanged { .. } => 11,
        Change::OwnOnly => 12,
    }
}
