//! Latencies of several kinds of operations.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{
    clock::Moment,
    latency::{Latencies, Percentiles},
};

/// Latencies by the name of the operation.
#[derive(Default)]
pub(crate) struct LatencyByOperation {
    kinds: RefCell<BTreeMap<&'static str, Latencies>>,
    /// Latencies of all operations together.
    all: RefCell<Latencies>,
    done: Cell<u64>,
    measured_from: Cell<Moment>,
}

impl LatencyByOperation {
    /// Sets the moment before which due operations are not measured.
    pub(crate) fn measure_from(&self, moment: Moment) {
        self.measured_from.set(moment);
    }

    /// Records an operation that was due at `due` and is done.
    pub(crate) fn record(&self, kind: &'static str, due: Moment, now: Moment) {
        self.done.set(self.done.get() + 1);
        if due >= self.measured_from.get() {
            let took = now.saturating_sub(due);
            self.kinds.borrow_mut().entry(kind).or_default().record(took);
            self.all.borrow_mut().record(took);
        }
    }

    /// Returns the number of operations done, measured or not.
    pub(crate) fn done(&self) -> u64 {
        self.done.get()
    }

    pub(crate) fn take_recent(&self) -> Percentiles {
        self.all.borrow_mut().take_recent()
    }

    /// Calls `visit` for each kind.
    pub(crate) fn each(&self, mut visit: impl FnMut(&'static str, &Latencies)) {
        self.kinds.borrow().iter().for_each(|(kind, latencies)| visit(kind, latencies));
    }
}
