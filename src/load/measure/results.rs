//! What came of a run, as it is printed, written as JSON, and drawn.

use std::{collections::BTreeMap, fs};

use serde::Serialize;
use serde_json::Value;

use super::{
    deliveries::{Faults, Ledger},
    latency::{Latencies, Percentiles},
    latency_by_operation::Meters,
    sample::{Sample, Usage, rounded},
    sampler::Span,
};
use crate::{core::model::Timestamp, load::environment::Stage};

/// What came of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) scenario: &'static str,
    /// Nothing was lost, came twice or out of order, and no socket was closed.
    pub(crate) ok: bool,
    pub(crate) version: &'static str,
    pub(crate) target: String,
    /// Whether the server was the run's own.
    pub(crate) spawned: bool,
    pub(crate) settings: Value,
    /// When the measured time began.
    pub(crate) started_at: String,
    /// How long it took.
    pub(crate) seconds: f64,
    pub(crate) operations: Vec<Operation>,
    /// Figures of the scenario's own, by name.
    pub(crate) figures: BTreeMap<&'static str, f64>,
    pub(crate) checks: Checks,
    /// Requests that failed, by status or reason.
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) server: Option<Usage>,
    pub(crate) client: Usage,
    pub(crate) machine: Machine,
    pub(crate) samples: Vec<Sample>,
    /// How many took how long: microseconds up to which, and the number, by operation.
    #[serde(skip)]
    pub(crate) bars: Vec<(String, Vec<(f64, u64)>)>,
}

impl Outcome {
    /// What was found by watching alone.
    pub(crate) fn of(
        (scenario, settings): (&'static str, Value),
        stage: &Stage,
        started_at: Timestamp,
        span: Span,
        samples: Vec<Sample>,
    ) -> Self {
        let started_in = stage.started_in.map(|time| rounded(time.as_secs_f64() * 1e3, 10.0));
        Self {
            scenario,
            ok: true,
            version: env!("CARGO_PKG_VERSION"),
            target: stage.target.url.clone(),
            spawned: stage.options.spawn,
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

    /// Adds something that was done, so many times a second.
    pub(crate) fn add(&mut self, name: &str, latencies: &Latencies, per_second: f64) {
        let latency = latencies.percentiles();
        let per_second = rounded(per_second, 10.0);
        self.operations.push(Operation { name: name.to_owned(), count: latency.count, per_second, latency });
        self.bars.push((name.to_owned(), latencies.bars()));
    }

    /// Adds the messages of a ledger, which is closed by it. `sending`: while messages were sent.
    pub(crate) fn add_messages(&mut self, ledger: &mut Ledger, sending: &Span) {
        let each_second = |count: u64| count as f64 / sending.seconds.max(1e-9);
        self.add("connect", &ledger.connects, 0.0);
        self.add("send", &ledger.answers, each_second(sending.operations));
        self.add("deliver", &ledger.deliveries, each_second(sending.deliveries));
        self.add("deliver to all", &ledger.last_deliveries, each_second(sending.operations));
        self.add_checks(ledger);
        self.ok &= ledger.acknowledged > 0;
    }

    /// Adds operations of several kinds. `load`: while they were begun.
    pub(crate) fn add_meters(&mut self, meters: &Meters, load: &Span) {
        meters.each(|kind, latencies| {
            self.add(kind, latencies, latencies.count() as f64 / load.seconds.max(1e-9));
        });
    }

    /// Adds what a ledger has found, which is closed by it.
    pub(crate) fn add_checks(&mut self, ledger: &mut Ledger) {
        ledger.close();
        self.checks.messages_acknowledged = ledger.acknowledged;
        self.checks.deliveries = ledger.delivered;
        self.checks.faults = ledger.faults.clone();
        self.errors.clone_from(&ledger.errors);
        self.ok &= ledger.faults.is_none();
    }
}

/// Something that was done many times. Times in microseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) per_second: f64,
    pub(crate) latency: Percentiles,
}

/// What was looked at besides the time.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Checks {
    pub(crate) sockets: u64,
    pub(crate) messages_acknowledged: u64,
    pub(crate) deliveries: u64,
    /// Due by the schedule and not even begun, since all were busy.
    pub(crate) behind_schedule: u64,
    #[serde(flatten)]
    pub(crate) faults: Faults,
}

/// Where it was measured.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) memory_bytes: u64,
    /// As many as the system allows this process.
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
