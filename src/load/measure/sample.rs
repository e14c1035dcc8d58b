//! Resource usage of a process, and periodic samples.

use serde::Serialize;

use super::process::Reading;

/// CPU time and memory that a process used during the measurement.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Usage {
    pub(crate) pid: u32,
    pub(crate) cpu_seconds: f64,
    /// Percent of one core.
    pub(crate) cpu_percent: f64,
    pub(crate) cpu_us_per_operation: Option<f64>,
    pub(crate) cpu_us_per_delivery: Option<f64>,
    pub(crate) rss_bytes_before: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) peak_rss_bytes: u64,
}

impl Usage {
    /// Computes the usage between two readings, and for each operation and delivery.
    pub(crate) fn between(
        pid: u32,
        before: &Reading,
        after: &Reading,
        seconds: f64,
        (operations, deliveries): (u64, u64),
    ) -> Self {
        let cpu_seconds = (after.cpu_seconds - before.cpu_seconds).max(0.0);
        let each = |count: u64| (count > 0).then(|| rounded(cpu_seconds * 1e6 / count as f64, 1e3));
        Self {
            pid,
            cpu_seconds: rounded(cpu_seconds, 1e3),
            cpu_percent: rounded(100.0 * cpu_seconds / seconds.max(1e-9), 10.0),
            cpu_us_per_operation: each(operations),
            cpu_us_per_delivery: each(deliveries),
            rss_bytes_before: before.rss_bytes,
            rss_bytes: after.rss_bytes,
            peak_rss_bytes: after.peak_rss_bytes,
        }
    }
}

/// Rates, latencies and resource usage of one sampling interval. Latencies in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Sample {
    /// Seconds since the run began.
    pub(crate) second: f64,
    /// Rates since the previous sample.
    pub(crate) operations_per_second: f64,
    pub(crate) deliveries_per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) server_cpu_percent: f64,
    pub(crate) client_cpu_percent: f64,
    pub(crate) server_rss_bytes: u64,
}

/// Rounds `value` to a multiple of `1 / parts`.
pub(crate) fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
