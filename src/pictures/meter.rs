//! Metrics of the picture proxy.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use crate::core::metrics::{Instruments, REQUEST_SECONDS};
use crate::outbound::Failure;

/// Label of successful fetches.
const FETCHED: &str = "fetched";

/// Metrics of the picture proxy.
#[derive(Debug)]
pub struct PictureMeter {
    pub hits: IntCounter,
    pub misses: IntCounter,
    pub turned_away: IntCounter,
    pub bytes: IntGauge,
    fetches: IntCounterVec,
    seconds: Histogram,
}

impl PictureMeter {
    pub fn new(instruments: &Instruments) -> Self {
        let requests = instruments.counters(
            "greenroom_picture_requests_total",
            "Requests for users' pictures of other hosts: answered from the cache (hit), after a fetch (miss), or rejected \
             because the queue is full (busy).",
            &["cache"],
        );
        let fetches = instruments.counters(
            "greenroom_picture_fetches_total",
            "Fetches of pictures from other hosts, by outcome.",
            &["outcome"],
        );
        for outcome in Failure::ALL.map(Failure::name).into_iter().chain([FETCHED]) {
            fetches.with_label_values(&[outcome]);
        }
        let seconds = instruments.histogram(
            "greenroom_picture_fetch_seconds",
            "Duration of fetches of pictures, including redirects.",
            &REQUEST_SECONDS,
        );
        let bytes =
            instruments.gauge("greenroom_picture_cache_bytes", "Size of the cache of pictures, in bytes.");
        let [hits, misses, turned_away] =
            ["hit", "miss", "busy"].map(|label| requests.with_label_values(&[label]));
        Self { hits, misses, turned_away, bytes, fetches, seconds }
    }

    /// Counts a fetch and its duration.
    pub(super) fn count(&self, failure: Option<Failure>, took: Duration) {
        let outcome = failure.map_or(FETCHED, Failure::name);
        self.fetches.with_label_values(&[outcome]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
