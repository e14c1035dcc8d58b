//! Latency histograms.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::clock::Moment;

/// Lowest latency that a histogram resolves: 1 us, in nanoseconds.
const SHORTEST: u64 = 1_000;

/// Highest latency that a histogram resolves: 10 minutes, in nanoseconds.
const LONGEST: u64 = 600_000_000_000;

/// Latencies of one kind of operation.
pub(crate) struct Latencies {
    all: Histogram<u64>,
    /// Latencies since the last `take_recent`.
    recent: Histogram<u64>,
}

/// Percentiles of latencies, in microseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { all: histogram(), recent: histogram() }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(SHORTEST, LONGEST, 3).expect("the bounds are valid")
}

impl Latencies {
    pub(crate) fn record(&mut self, nanos: Moment) {
        self.all.saturating_record(nanos);
        self.recent.saturating_record(nanos);
    }

    /// Returns the number of recorded latencies.
    pub(crate) fn count(&self) -> u64 {
        self.all.len()
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        percentiles(&self.all)
    }

    /// Returns the percentiles of the latencies since the last call.
    pub(crate) fn take_recent(&mut self) -> Percentiles {
        let percentiles = percentiles(&self.recent);
        self.recent.reset();
        percentiles
    }

    /// Returns histogram bars: the upper bound in microseconds and the count.
    /// Each bound is 1.25 times the previous one.
    pub(crate) fn bars(&self) -> Vec<(f64, u64)> {
        self.all
            .iter_log(SHORTEST, 1.25)
            .map(|bar| (bar.value_iterated_to() as f64 / 1e3, bar.count_since_last_iteration()))
            .collect()
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    if histogram.is_empty() {
        return Percentiles::default();
    }
    let at = |quantile: f64| micros(histogram.value_at_quantile(quantile));
    Percentiles {
        count: histogram.len(),
        mean: (histogram.mean() / 1e3 * 10.0).round() / 10.0,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: micros(histogram.max()),
    }
}

fn micros(nanos: u64) -> f64 {
    (nanos as f64 / 100.0).round() / 10.0
}

/// Formats microseconds with a unit.
pub(crate) fn format_micros(micros: f64) -> String {
    match micros {
        0.0 => "-".to_owned(),
        micros if micros < 1e3 => format!("{micros:.0} us"),
        micros if micros < 1e6 => format!("{:.2} ms", micros / 1e3),
        micros => format!("{:.2} s", micros / 1e6),
    }
}
