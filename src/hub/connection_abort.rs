//! A hold on a socket's connection, to cut it from outside.
//!
//! A session whose client does not read is not looked at, so it cannot close itself; whoever watches it can.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

/// Shared with the task of the connection.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<Hold>);

#[derive(Debug, Default)]
struct Hold {
    is_cut: AtomicBool,
    has_ended: AtomicBool,
    task: AtomicWaker,
}

impl Wire {
    /// Ends the connection at once, whatever waits in it.
    pub fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.task.wake();
    }

    /// Tells that the session has ended, so that its connection must, soon.
    pub fn end(&self) {
        self.0.has_ended.store(true, Ordering::Release);
        self.0.task.wake();
    }

    pub fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    /// Whether it was cut; if not, wakes the connection's task when it is.
    pub fn is_cut(&self, task: &Waker) -> bool {
        self.0.task.register(task);
        self.0.is_cut.load(Ordering::Acquire)
    }
}
