//! The results of a run: printed as a table, written as JSON, drawn in the HTML report.

use std::{collections::BTreeMap, fs};

use serde::Serialize;
use serde_json::Value;

use super::{
    deliveries::{Deliveries, Faults},
    latency::{Latencies, Percentiles},
    latency_by_operation::LatencyByOperation,
    sample::{Sample, Usage, rounded},
    sampler::Span,
};
use crate::{core::model::Timestamp, load::environment::Environment};

/// The results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) scenario: &'static str,
    /// Whether all checks passed: nothing lost, duplicated or out of order, and no socket closed.
    pub(crate) ok: bool,
    pub(crate) version: &'static str,
    pub(crate) target: String,
    /// Whether the run spawned the server.
    pub(crate) spawned: bool,
    pub(crate) settings: Value,
    /// When the measurement began.
    pub(crate) started_at: String,
    /// Duration of the measurement.
    pub(crate) seconds: f64,
    pub(crate) operations: Vec<Operation>,
    /// Figures specific to the scenario, by name.
    pub(crate) figures: BTreeMap<&'static str, f64>,
    pub(crate) checks: Checks,
    /// Requests that failed, by status or reason.
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) server: Option<Usage>,
    pub(crate) client: Usage,
    pub(crate) machine: Machine,
    pub(crate) samples: Vec<Sample>,
    /// Histogram bars by operation: upper bound in microseconds, and count.
    #[serde(skip)]
    pub(crate) bars: Vec<(String, Vec<(f64, u64)>)>,
}

impl Results {
    /// Creates results from what the sampler measured.
    pub(crate) fn of(
        (scenario, settings): (&'static str, Value),
        environment: &Environment,
        started_at: Timestamp,
        span: Span,
        samples: Vec<Sample>,
    ) -> Self {
        let started_in = environment.started_in.map(|time| rounded(time.as_secs_f64() * 1e3, 10.0));
        Self {
            scenario,
            ok: true,
            version: env!("CARGO_PKG_VERSION"),
            target: environment.target.url.clone(),
            spawned: environment.options.spawn,
            settings,
            started_at: started_at.to_string(),
            seconds: rounded(span.seconds, 1e3),
            operations: Vec::new(),
            figures: started_in.map(|millis| ("server_started_in_ms", millis)).into_iter().collect(),
            checks: Checks::default(),
            errors: BTreeMap::new(),
            server: span.server,
            client: span.client,
            machine: Machine::this(),
            samples,
            bars: Vec::new(),
        }
    }

    /// Adds an operation with its latencies and its rate.
    pub(crate) fn add(&mut self, name: &str, latencies: &Latencies, per_second: f64) {
        let latency = latencies.percentiles();
        let per_second = rounded(per_second, 10.0);
        self.operations.push(Operation { name: name.to_owned(), count: latency.count, per_second, latency });
        self.bars.push((name.to_owned(), latencies.bars()));
    }

    /// Finishes `deliveries` and adds its operations and checks.
    /// `sending`: the time in which messages were sent.
    pub(crate) fn add_messages(&mut self, deliveries: &mut Deliveries, sending: &Span) {
        let each_second = |count: u64| count as f64 / sending.seconds.max(1e-9);
        self.add("connect", &deliveries.connect_latencies, 0.0);
        self.add("send", &deliveries.answer_latencies, each_second(sending.operations));
        self.add("deliver", &deliveries.delivery_latencies, each_second(sending.deliveries));
        self.add("deliver to all", &deliveries.last_delivery_latencies, each_second(sending.operations));
        self.add_checks(deliveries);
        self.ok &= deliveries.acknowledged > 0;
    }

    /// Adds operations of several kinds. `load`: the time in which they were started.
    pub(crate) fn add_operations(&mut self, by_operation: &LatencyByOperation, load: &Span) {
        by_operation.each(|kind, latencies| {
            self.add(kind, latencies, latencies.count() as f64 / load.seconds.max(1e-9));
        });
    }

    /// Finishes `deliveries` and adds its checks and errors.
    pub(crate) fn add_checks(&mut self, deliveries: &mut Deliveries) {
        deliveries.finish();
        self.checks.messages_acknowledged = deliveries.acknowledged;
        self.checks.deliveries = deliveries.delivered;
        self.checks.faults = deliveries.faults.clone();
        self.errors.clone_from(&deliveries.errors);
        self.ok &= deliveries.faults.is_none();
    }
}

/// An operation with its rate and latencies, in microseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) per_second: f64,
    pub(crate) latency: Percentiles,
}

/// The checks of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Checks {
    pub(crate) sockets: u64,
    pub(crate) messages_acknowledged: u64,
    pub(crate) deliveries: u64,
    /// Operations that were due but not started, since all senders were busy.
    pub(crate) behind_schedule: u64,
    #[serde(flatten)]
    pub(crate) faults: Faults,
}

/// The machine of the load generator.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) memory_bytes: u64,
    /// Limit of open files of this process.
    pub(crate) open_files: u64,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: after(&read("/proc/cpuinfo"), "model name"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_bytes: kib << 10,
            open_files: 0,
        }
    }
}
