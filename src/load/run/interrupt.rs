//! Ctrl-C and SIGTERM: the run ends early and removes its fixtures.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

/// A request to end the run early.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    is_set: AtomicBool,
    changed: Notify,
}

impl Interrupt {
    /// Listens for SIGINT (Ctrl-C) and SIGTERM.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        tokio::task::spawn_local(async move {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            flag.is_set.store(true, Ordering::Relaxed);
            flag.changed.notify_waiters();
        });
        Ok(interrupt)
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.is_set.load(Ordering::Relaxed)
    }

    /// Waits until a signal has arrived.
    pub(crate) async fn requested(&self) {
        let changed = self.0.changed.notified();
        if !self.is_requested() {
            changed.await;
        }
    }
}
