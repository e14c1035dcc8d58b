//! Aborts a WebSocket's connection from outside its session.
//!
//! A session whose client does not read is not polled, so it cannot close itself. The timeout task aborts its
//! connection instead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

/// Abort handle, shared with the connection's task.
#[derive(Debug, Clone, Default)]
pub struct ConnectionAbort(Arc<Hold>);

#[derive(Debug, Default)]
struct Hold {
    is_cut: AtomicBool,
    has_ended: AtomicBool,
    task: AtomicWaker,
}

impl ConnectionAbort {
    /// Aborts the connection at once; queued data is dropped.
    pub fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.task.wake();
    }

    /// Signals that the session has ended, so that its connection closes soon.
    pub fn end(&self) {
        self.0.has_ended.store(true, Ordering::Release);
        self.0.task.wake();
    }

    pub fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    /// Returns whether the connection was aborted. If not, wakes the connection's task once it is.
    pub fn is_cut(&self, task: &Waker) -> bool {
        self.0.task.register(task);
        self.0.is_cut.load(Ordering::Acquire)
    }
}
