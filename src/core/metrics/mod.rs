//! Prometheus metrics. Every part of the server creates its instruments once, here. Requests only update
//! them, without a lock and without a lookup by name.

pub mod process;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

/// Histogram bounds in seconds for operations on a disk or a database.
pub const DATABASE_SECONDS: [f64; 11] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5];

/// Histogram bounds in seconds for client requests; a long poll lasts up to 25 s.
pub const REQUEST_SECONDS: [f64; 12] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 30.0];

/// The metrics registry of one server.
#[derive(Debug, Default)]
pub struct Instruments(Registry);

impl Instruments {
    /// Registers a counter.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(IntCounter::new(name, help))
    }

    /// Registers a family of counters with labels.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// Registers a gauge.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help))
    }

    /// Registers a histogram with these upper bounds.
    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        self.registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds.to_vec())))
    }

    /// Registers a family of histograms with labels.
    pub fn histograms(&self, name: &str, help: &str, bounds: &[f64], labels: &[&str]) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.registered(HistogramVec::new(options, labels))
    }

    /// Renders all metrics in Prometheus' text format.
    pub fn text(&self) -> String {
        // Encoding fails only for a metric without series, and `gather` leaves those out.
        TextEncoder::new().encode_to_string(&self.0.gather()).unwrap_or_default()
    }

    pub(crate) fn registered<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("names and labels are well formed");
        self.0.register(Box::new(made.clone())).expect("names are used once");
        made
    }
}
