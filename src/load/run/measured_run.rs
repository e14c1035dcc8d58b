//! The course of a run: load for a while, of which all but the beginning is measured.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::time::timeout;

use super::pacer::Pace;
use crate::{
    core::model::Timestamp,
    load::{
        environment::Stage,
        error::LoadError,
        measure::{
            clock::{Moment, nanos},
            deliveries::Ledger,
            latency::Percentiles,
            results::Outcome,
            sampler::{Mark, Span, Watch, Watching},
        },
        scenario::Scenario,
    },
};

/// A run that is on.
pub(crate) struct Course<'a> {
    stage: &'a Stage,
    pub(crate) pace: Pace,
    /// What is due before this is not measured.
    pub(crate) measured_from: Moment,
    pub(crate) watch: Rc<Watch>,
    watching: Watching,
}

/// What was found of a run.
pub(crate) struct Found {
    mark: Mark,
    /// While there was load.
    pub(crate) load: Span,
    started_at: Timestamp,
}

impl<'a> Course<'a> {
    /// Begins, with so many operations a second, or without a rate. `totals`: operations and deliveries so far; `recent`:
    /// how long they took since it was asked before.
    pub(crate) fn begin<S: Scenario>(
        scenario: &S,
        stage: &'a Stage,
        rate: Option<f64>,
        totals: impl Fn() -> (u64, u64) + 'static,
        recent: impl Fn() -> Percentiles + 'static,
    ) -> Result<Self, LoadError> {
        let options = scenario.options();
        let lasts = options.warmup + options.duration;
        let (watch, watching) = Watch::begin(S::NAME, stage.clock, stage.server(), lasts, totals, recent);
        let pace = Pace::start(stage.clock, rate, lasts).map_err(|error| error.to_string())?;
        let measured_from = stage.clock.now() + nanos(options.warmup);
        Ok(Self { stage, pace, measured_from, watch, watching })
    }

    /// The same for a run whose operations are messages.
    pub(crate) fn of_messages<S: Scenario>(
        scenario: &S,
        stage: &'a Stage,
        rate: Option<f64>,
        ledger: &Rc<RefCell<Ledger>>,
    ) -> Result<Self, LoadError> {
        let (counted, looked_at) = (ledger.clone(), ledger.clone());
        let totals = move || {
            let ledger = counted.borrow();
            (ledger.acknowledged, ledger.delivered)
        };
        let recent = move || looked_at.borrow_mut().answers.take_recent();
        let course = Self::begin(scenario, stage, rate, totals, recent)?;
        ledger.borrow_mut().measured_from = course.measured_from;
        Ok(course)
    }

    /// Sees the load through. Where it does not end by itself within `grace` after its time, it is broken off.
    pub(crate) async fn follow(&self, grace: Duration, load: impl Future<Output = ()>) -> Found {
        let marking = async {
            self.stage.clock.until(self.measured_from).await;
            (self.watch.mark(), Timestamp::now())
        };
        let loading = async {
            let _ = timeout(self.pace.left() + grace, load).await;
            self.watch.mark()
        };
        let ((mark, started_at), end) = tokio::join!(marking, loading);
        Found { load: self.watch.between(&mark, &end), mark, started_at }
    }

    /// Ends it. What the processes take until now counts.
    pub(crate) fn end<S: Scenario>(self, scenario: &S, found: &Found) -> Outcome {
        let span = self.watch.since(&found.mark);
        drop(self.watching);
        let mut outcome = Outcome::of(
            (S::NAME, serde_json::to_value(scenario).unwrap_or_default()),
            self.stage,
            found.started_at,
            span,
            self.watch.end(),
        );
        outcome.checks.behind_schedule = self.pace.behind();
        outcome
    }
}

/// How often it is looked whether all have heard everything.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until everybody has heard everything, or nothing new has come for as long as one is ready to wait.
pub(crate) async fn settle(ledger: &RefCell<Ledger>, patience: Duration) {
    let (mut delivered, mut quiet) = (0, Duration::ZERO);
    while !ledger.borrow().is_settled() && quiet < patience {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = ledger.borrow().delivered;
        quiet = if now > delivered { Duration::ZERO } else { quiet + LOOK_EVERY };
        delivered = now;
    }
}
