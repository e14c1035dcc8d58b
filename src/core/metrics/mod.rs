//! What is counted for Prometheus, and how. Every part of the server has its own instruments, made here once: on the way
//! of a request they are only added to, without a lock and without looking for a name.

pub mod process;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

/// Upper bounds in seconds of what waits for a disk or a database.
pub const DATABASE_SECONDS: [f64; 11] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5];

/// Upper bounds in seconds of what a client waits for; a long poll lasts up to 25.
pub const REQUEST_SECONDS: [f64; 12] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 30.0];

/// The instruments of one server.
#[derive(Debug, Default)]
pub struct Instruments(Registry);

impl Instruments {
    /// A number that only rises.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(IntCounter::new(name, help))
    }

    /// Such numbers, told apart by labels.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A number as it is.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help))
    }

    /// How many were up to each bound, and their sum.
    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        self.registered(Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds.to_vec())))
    }

    /// Such distributions, told apart by labels.
    pub fn histograms(&self, name: &str, help: &str, bounds: &[f64], labels: &[&str]) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.registered(HistogramVec::new(options, labels))
    }

    /// All of them in Prometheus' text format.
    pub fn text(&self) -> String {
        // It fails only over a metric without series, and those are not gathered.
        TextEncoder::new().encode_to_string(&self.0.gather()).unwrap_or_default()
    }

    pub(crate) fn registered<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("names and labels are well formed");
        self.0.register(Box::new(made.clone())).expect("names are used once");
        made
    }
}
