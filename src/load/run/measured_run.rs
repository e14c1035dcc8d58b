//! A run: warm-up, then the measured time.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::time::timeout;

use super::pacer::Pacer;
use crate::{
    core::model::Timestamp,
    load::{
        environment::Environment,
        error::LoadError,
        measure::{
            clock::{Moment, nanos},
            deliveries::Deliveries,
            latency::Percentiles,
            results::Results,
            sampler::{Checkpoint, Sampler, SamplingTask, Span},
        },
        scenario::Scenario,
    },
};

/// A run in progress.
pub(crate) struct MeasuredRun<'a> {
    environment: &'a Environment,
    pub(crate) pacer: Pacer,
    /// Operations due before this moment belong to the warm-up and are not measured.
    pub(crate) measured_from: Moment,
    pub(crate) sampler: Rc<Sampler>,
    sampling: SamplingTask,
}

/// The measured part of a run.
pub(crate) struct Measurement {
    checkpoint: Checkpoint,
    /// The time under load, without the wait for outstanding deliveries.
    pub(crate) load: Span,
    started_at: Timestamp,
}

impl<'a> MeasuredRun<'a> {
    /// Begins a run at `rate` operations a second, or as fast as possible.
    /// `totals`: operations and deliveries so far; `recent`: latencies since the previous call.
    pub(crate) fn begin<S: Scenario>(
        scenario: &S,
        environment: &'a Environment,
        rate: Option<f64>,
        totals: impl Fn() -> (u64, u64) + 'static,
        recent: impl Fn() -> Percentiles + 'static,
    ) -> Result<Self, LoadError> {
        let options = scenario.options();
        let lasts = options.warmup + options.duration;
        let (sampler, sampling) =
            Sampler::begin(S::NAME, environment.clock, environment.server(), lasts, totals, recent);
        let pacer = Pacer::start(environment.clock, rate, lasts).map_err(|error| error.to_string())?;
        let measured_from = environment.clock.now() + nanos(options.warmup);
        Ok(Self { environment, pacer, measured_from, sampler, sampling })
    }

    /// Begins a run whose operations are messages.
    pub(crate) fn begin_messages<S: Scenario>(
        scenario: &S,
        environment: &'a Environment,
        rate: Option<f64>,
        deliveries: &Rc<RefCell<Deliveries>>,
    ) -> Result<Self, LoadError> {
        let (for_totals, for_recent) = (deliveries.clone(), deliveries.clone());
        let totals = move || {
            let deliveries = for_totals.borrow();
            (deliveries.acknowledged, deliveries.delivered)
        };
        let recent = move || for_recent.borrow_mut().answer_latencies.take_recent();
        let run = Self::begin(scenario, environment, rate, totals, recent)?;
        deliveries.borrow_mut().measured_from = run.measured_from;
        Ok(run)
    }

    /// Runs the load and measures it. Cancels the load if it has not ended within `grace` after its time.
    pub(crate) async fn measure(&self, grace: Duration, load: impl Future<Output = ()>) -> Measurement {
        let starting = async {
            self.environment.clock.until(self.measured_from).await;
            (self.sampler.checkpoint(), Timestamp::now())
        };
        let loading = async {
            let _ = timeout(self.pacer.left() + grace, load).await;
            self.sampler.checkpoint()
        };
        let ((checkpoint, started_at), end) = tokio::join!(starting, loading);
        Measurement { load: self.sampler.between(&checkpoint, &end), checkpoint, started_at }
    }

    /// Ends the run. The processes' usage counts up to now.
    pub(crate) fn end<S: Scenario>(self, scenario: &S, measurement: &Measurement) -> Results {
        let span = self.sampler.since(&measurement.checkpoint);
        drop(self.sampling);
        let mut results = Results::of(
            (S::NAME, serde_json::to_value(scenario).unwrap_or_default()),
            self.environment,
            measurement.started_at,
            span,
            self.sampler.end(),
        );
        results.checks.behind_schedule = self.pacer.behind();
        results
    }
}

/// Interval at which outstanding deliveries are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until all messages are delivered, or until nothing was delivered for `patience`.
pub(crate) async fn wait_until_delivered(deliveries: &RefCell<Deliveries>, patience: Duration) {
    let (mut delivered, mut quiet) = (0, Duration::ZERO);
    while !deliveries.borrow().is_complete() && quiet < patience {
        tokio::time::sleep(POLL_INTERVAL).await;
        let now = deliveries.borrow().delivered;
        quiet = if now > delivered { Duration::ZERO } else { quiet + POLL_INTERVAL };
        delivered = now;
    }
}
