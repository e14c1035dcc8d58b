//! Metrics of the bus.

use prometheus::{Histogram, IntCounter};

use crate::core::metrics::{DATABASE_SECONDS, Instruments};

/// Counters and round-trip time of the bus.
#[derive(Debug)]
pub struct BusMeter {
    pub published: IntCounter,
    pub heard: IntCounter,
    /// Messages that were not published, not queued or not readable.
    pub lost: IntCounter,
    pub connects: IntCounter,
    pub round_trip: Histogram,
}

impl BusMeter {
    pub fn new(instruments: &Instruments) -> Self {
        Self {
            published: instruments
                .counter("greenroom_bus_published_total", "Messages that this node published to the others."),
            heard: instruments
                .counter("greenroom_bus_heard_total", "Messages that this node received from others."),
            lost: instruments.counter(
                "greenroom_bus_lost_total",
                "Messages dropped because a queue was full or they could not be read.",
            ),
            connects: instruments
                .counter("greenroom_bus_connects_total", "Connections to Redis that were opened."),
            round_trip: instruments.histogram(
                "greenroom_bus_round_trip_seconds",
                "Time from publishing a message to receiving it on the same node: the bus's latency.",
                &DATABASE_SECONDS,
            ),
        }
    }
}
