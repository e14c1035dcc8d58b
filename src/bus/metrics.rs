//! What is counted of the bus.

use prometheus::{Histogram, IntCounter};

use crate::core::metrics::{DATABASE_SECONDS, Instruments};

/// Instruments of the bus.
#[derive(Debug)]
pub struct BusMeter {
    pub published: IntCounter,
    pub heard: IntCounter,
    /// News that were not published, or not understood.
    pub lost: IntCounter,
    pub connects: IntCounter,
    pub round_trip: Histogram,
}

impl BusMeter {
    pub fn new(instruments: &Instruments) -> Self {
        Self {
            published: instruments
                .counter("greenroom_bus_published_total", "News that this node has told the others."),
            heard: instruments
                .counter("greenroom_bus_heard_total", "News that this node has heard from others."),
            lost: instruments.counter(
                "greenroom_bus_lost_total",
                "News that were dropped because a queue was full, or could not be read.",
            ),
            connects: instruments
                .counter("greenroom_bus_connects_total", "Connections to Redis that were opened."),
            round_trip: instruments.histogram(
                "greenroom_bus_round_trip_seconds",
                "Time from publishing to hearing it oneself: what the bus adds to an event's way.",
                &DATABASE_SECONDS,
            ),
        }
    }
}
