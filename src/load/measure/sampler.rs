//! Looks at a run while it lasts: what is done, how long it takes, what the processes take.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use indicatif::ProgressBar;
use tokio::task::JoinHandle;

use super::{
    clock::{Clock, Moment, nanos, seconds},
    latency::{Percentiles, written},
    process::{Process, Reading},
    sample::{Sample, Usage, rounded},
};
use crate::load::output::progress::bar;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(200);

/// What a moment's looking found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    at: Moment,
    operations: u64,
    deliveries: u64,
    server: Reading,
    client: Reading,
}

/// What was done, and taken, between two marks.
pub(crate) struct Span {
    pub(crate) seconds: f64,
    pub(crate) operations: u64,
    pub(crate) deliveries: u64,
    pub(crate) server: Option<Usage>,
    pub(crate) client: Usage,
}

/// Who looks.
pub(crate) struct Watch {
    clock: Clock,
    server: Option<Process>,
    recent: Box<dyn Fn() -> Percentiles>,
    totals: Box<dyn Fn() -> (u64, u64)>,
    begun: Moment,
    last: Cell<Mark>,
    samples: RefCell<Vec<Sample>>,
    bar: ProgressBar,
}

/// Who looks again and again. Dropped, nobody does.
pub(crate) struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// Begins to look at a run that is to take so long. `totals`: operations and
    /// deliveries so far; `recent`: how long they took since it was asked before.
    pub(crate) fn begin(
        title: &'static str,
        clock: Clock,
        server: Option<Process>,
        lasts: Duration,
        totals: impl Fn() -> (u64, u64) + 'static,
        recent: impl Fn() -> Percentiles + 'static,
    ) -> (Rc<Self>, Watching) {
        let begun = clock.now();
        let bar = bar(title, lasts.as_millis() as u64, "{prefix} {wide_bar} {msg}");
        let watch = Rc::new(Self {
            clock,
            server,
            recent: Box::new(recent),
            totals: Box::new(totals),
            begun,
            last: Cell::default(),
            samples: RefCell::default(),
            bar,
        });
        watch.last.set(watch.mark());
        let looking = watch.clone();
        let task = actix_rt::spawn(async move {
            for turn in 1.. {
                looking.clock.until(begun + turn * nanos(EVERY)).await;
                looking.look();
            }
        });
        (watch, Watching(task))
    }

    /// How things are now.
    pub(crate) fn mark(&self) -> Mark {
        let (operations, deliveries) = (self.totals)();
        let read = |process: Option<Process>| process.and_then(Process::read).unwrap_or_default();
        let (server, client) = (read(self.server), read(Some(Process::own())));
        Mark { at: self.clock.now(), operations, deliveries, server, client }
    }

    fn look(&self) {
        let (now, before, recent) = (self.mark(), self.last.get(), (self.recent)());
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
        let (p50, p99) = (written(sample.p50), written(sample.p99));
        self.bar.set_message(format!("{:.0}/s  p50 {p50}  p99 {p99}", sample.operations_per_second));
    }

    /// What was done from a mark until now.
    pub(crate) fn since(&self, before: &Mark) -> Span {
        self.between(before, &self.mark())
    }

    /// What was done between two marks.
    pub(crate) fn between(&self, before: &Mark, now: &Mark) -> Span {
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

    /// Takes the bar away, and hands over what was seen.
    pub(crate) fn end(&self) -> Vec<Sample> {
        self.bar.finish_and_clear();
        self.samples.take()
    }
}
