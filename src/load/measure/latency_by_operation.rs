//! The times of operations of several kinds.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use super::{
    clock::Moment,
    latency::{Latencies, Percentiles},
};

/// Times by kind.
#[derive(Default)]
pub(crate) struct Meters {
    kinds: RefCell<BTreeMap<&'static str, Latencies>>,
    /// Of all kinds.
    all: RefCell<Latencies>,
    done: Cell<u64>,
    measured_from: Cell<Moment>,
}

impl Meters {
    /// What is due before this is not measured.
    pub(crate) fn measure_from(&self, moment: Moment) {
        self.measured_from.set(moment);
    }

    /// Something is done that was due at a moment.
    pub(crate) fn record(&self, kind: &'static str, due: Moment, now: Moment) {
        self.done.set(self.done.get() + 1);
        if due >= self.measured_from.get() {
            let took = now.saturating_sub(due);
            self.kinds.borrow_mut().entry(kind).or_default().record(took);
            self.all.borrow_mut().record(took);
        }
    }

    /// How many were done in all.
    pub(crate) fn done(&self) -> u64 {
        self.done.get()
    }

    pub(crate) fn take_recent(&self) -> Percentiles {
        self.all.borrow_mut().take_recent()
    }

    /// Looks at each kind.
    pub(crate) fn each(&self, mut look: impl FnMut(&'static str, &Latencies)) {
        self.kinds.borrow().iter().for_each(|(kind, latencies)| look(kind, latencies));
    }
}
