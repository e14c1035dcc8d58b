//! Samples a run while it lasts: rates, latencies, and resource usage of server and client.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use indicatif::ProgressBar;
use tokio::task::JoinHandle;

use super::{
    clock::{Clock, Moment, nanos, seconds},
    latency::{Percentiles, format_micros},
    process::{Process, Reading},
    sample::{Sample, Usage, rounded},
};
use crate::load::output::progress::bar;

/// Time between two samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// Counters and process readings at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checkpoint {
    at: Moment,
    operations: u64,
    deliveries: u64,
    server: Reading,
    client: Reading,
}

/// Work done and resources used between two checkpoints.
pub(crate) struct Span {
    pub(crate) seconds: f64,
    pub(crate) operations: u64,
    pub(crate) deliveries: u64,
    pub(crate) server: Option<Usage>,
    pub(crate) client: Usage,
}

/// Takes samples of a run and updates its progress bar.
pub(crate) struct Sampler {
    clock: Clock,
    server: Option<Process>,
    recent: Box<dyn Fn() -> Percentiles>,
    totals: Box<dyn Fn() -> (u64, u64)>,
    begun: Moment,
    last: Cell<Checkpoint>,
    samples: RefCell<Vec<Sample>>,
    bar: ProgressBar,
}

/// The task that samples periodically; dropping it stops the sampling.
pub(crate) struct SamplingTask(JoinHandle<()>);

impl Drop for SamplingTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sampler {
    /// Starts sampling a run of length `lasts`. `totals`: operations and deliveries so far;
    /// `recent`: latencies since the previous call.
    pub(crate) fn begin(
        title: &'static str,
        clock: Clock,
        server: Option<Process>,
        lasts: Duration,
        totals: impl Fn() -> (u64, u64) + 'static,
        recent: impl Fn() -> Percentiles + 'static,
    ) -> (Rc<Self>, SamplingTask) {
        let begun = clock.now();
        let bar = bar(title, lasts.as_millis() as u64, "{prefix} {wide_bar} {msg}");
        let sampler = Rc::new(Self {
            clock,
            server,
            recent: Box::new(recent),
            totals: Box::new(totals),
            begun,
            last: Cell::default(),
            samples: RefCell::default(),
            bar,
        });
        sampler.last.set(sampler.checkpoint());
        let periodic = sampler.clone();
        let task = tokio::task::spawn_local(async move {
            for number in 1.. {
                periodic.clock.until(begun + number * nanos(SAMPLE_INTERVAL)).await;
                periodic.sample();
            }
        });
        (sampler, SamplingTask(task))
    }

    /// Reads the counters and processes now.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let (operations, deliveries) = (self.totals)();
        let read = |process: Option<Process>| process.and_then(Process::read).unwrap_or_default();
        let (server, client) = (read(self.server), read(Some(Process::own())));
        Checkpoint { at: self.clock.now(), operations, deliveries, server, client }
    }

    fn sample(&self) {
        let (now, before, recent) = (self.checkpoint(), self.last.get(), (self.recent)());
        let passed = seconds(now.at - before.at).max(1e-9);
        let each_second = |now: u64, before: u64| rounded(now.saturating_sub(before) as f64 / passed, 10.0);
        let percent = |now: &Reading, before: &Reading| {
            rounded(100.0 * (now.cpu_seconds - before.cpu_seconds).max(0.0) / passed, 10.0)
        };
        let sample = Sample {
            second: rounded(seconds(now.at - self.begun), 1e3),
            operations_per_second: each_second(now.operations, before.operations),
            deliveries_per_second: each_second(now.deliveries, before.deliveries),
            p50: recent.p50,
            p99: recent.p99,
            server_cpu_percent: percent(&now.server, &before.server),
            client_cpu_percent: percent(&now.client, &before.client),
            server_rss_bytes: now.server.rss_bytes,
        };
        self.last.set(now);
        self.samples.borrow_mut().push(sample);
        self.bar.set_position((now.at - self.begun) / 1_000_000);
        let (p50, p99) = (format_micros(sample.p50), format_micros(sample.p99));
        self.bar.set_message(format!("{:.0}/s  p50 {p50}  p99 {p99}", sample.operations_per_second));
    }

    /// Returns the span from a checkpoint until now.
    pub(crate) fn since(&self, before: &Checkpoint) -> Span {
        self.between(before, &self.checkpoint())
    }

    /// Returns the span between two checkpoints.
    pub(crate) fn between(&self, before: &Checkpoint, now: &Checkpoint) -> Span {
        let seconds = seconds(now.at - before.at);
        let (operations, deliveries) = (
            now.operations.saturating_sub(before.operations),
            now.deliveries.saturating_sub(before.deliveries),
        );
        let usage = |process: Process, from: &Reading, to: &Reading| {
            Usage::between(process.pid, from, to, seconds, (operations, deliveries))
        };
        Span {
            seconds,
            operations,
            deliveries,
            server: self.server.map(|process| usage(process, &before.server, &now.server)),
            client: usage(Process::own(), &before.client, &now.client),
        }
    }

    /// Removes the progress bar and returns all samples.
    pub(crate) fn end(&self) -> Vec<Sample> {
        self.bar.finish_and_clear();
        self.samples.take()
    }
}
