//! Ctrl-C: a run ends early, and what it made is removed.

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

/// Whether somebody wants the run to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<Wish>);

#[derive(Debug, Default)]
struct Wish {
    is_there: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Listens to Ctrl-C and to the request to terminate.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let stop = Self::default();
        let told = stop.clone();
        actix_rt::spawn(async move {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            told.0.is_there.store(true, Ordering::Relaxed);
            told.0.told.notify_waiters();
        });
        Ok(stop)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.is_there.load(Ordering::Relaxed)
    }

    /// Waits for it.
    pub(crate) async fn wanted(&self) {
        let told = self.0.told.notified();
        if !self.is_wanted() {
            told.await;
        }
    }
}
